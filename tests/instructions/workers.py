"""Counts what a whole worker does for a question, in instructions, under each model and engine.

usage: python3 workers.py APHORISMD      (by tests/check-instructions)

A client connects, asks twenty questions one after another, and leaves; fifty of these do so in turn: a question
carries a twentieth of accept, beginning and end.  callgrind writes a part of its counts whenever a conversation begins and
whenever a worker forks: the median over those is what a client costs, without start and stop.  A client waits until
the child that served the one before was reaped, so that it is the same in every run.
"""
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CLIENTS, QUESTIONS, LIMIT = 50, 20, 60
QUESTION, ANSWER = b"Simple is better than?", b"Complex."
CONFIGURATION = """
listen = ["unix:{place}/s"]; aphorisms = "{place}/table"; process = {{ user = ""; pidfile = ""; sandbox = "off"; }};
control = {{ socket = ""; }}; timeouts = {{ drain = "1s"; }}; max_connections = 1000; model = "{model}";
prefork = {{ start_workers = 1; min_spare = 1; max_spare = 1; max_workers = 1; }};
threadpool = {{ threads = 1; }}; event = {{ workers = 1; engine = "{engine}"; }};
"""
ENDED = "conversation_init"                # where a conversation begins the one before has ended


def variants(program, place):
    """Models, the event model with each of the engines that there are here."""
    for line in subprocess.run([program, "--list-models"], check=True, capture_output=True, text=True).stdout.splitlines():
        model = line.split()[0]
        for engine in ("epoll", "io_uring") if model == "event" else ("auto",):
            configure(place, model, engine)
            if subprocess.run([program, "--test", "-c", place / "conf"], capture_output=True).returncode == 0:
                yield model, engine
            elif engine != "io_uring":
                sys.exit(f"{model}, {engine}: the daemon takes no such configuration")


def configure(place, model, engine):
    (place / "table").write_bytes(QUESTION + b" " + ANSWER + b"\n")
    (place / "conf").write_text(CONFIGURATION.format(place=place, model=model, engine=engine))


def ask(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(path)
        for _ in range(QUESTIONS):
            client.sendall(QUESTION)
            answer = client.recv(100)
            assert answer == ANSWER, answer
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:                        # it has gone
        return []


def until(what, condition):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {LIMIT} s")
        time.sleep(0.01)


def serve(program, place):
    """Has the daemon serve the clients under callgrind; returns its number."""
    log_file = place / "log"
    log = log_file.open("w")
    daemon = subprocess.Popen(["valgrind", "--tool=callgrind", f"--callgrind-out-file={place}/out.%p",
                               f"--dump-before={ENDED}", "--dump-before=fork", program, "-f", "-c", place / "conf"],
                              stdout=log, stderr=log)
    try:
        until("the daemon listens", lambda: "listening on" in log_file.read_text() or daemon.poll() is not None)
        if daemon.poll() is not None:
            sys.exit(log_file.read_text())
        for _ in range(CLIENTS):
            ask(f"{place}/s")
            until("the child has gone", lambda: not any(children(worker) for worker in children(daemon.pid)))
    finally:
        daemon.terminate()
        daemon.wait(LIMIT)
    return daemon.pid


def parts(place):
    """Of each process the counts of its parts, in order, each with what ended it."""
    found = {}
    for file in place.glob("out.*"):
        text = file.read_text()
        file.unlink()
        summary, trigger = re.search(r"^summary: (\d+)", text, re.M), re.search(r"^desc: Trigger: (.*)$", text, re.M)
        number, part = re.fullmatch(r"out\.(\d+)(?:\.(\d+))?", file.name).groups()
        if summary:
            found.setdefault(int(number), []).append((int(part or 1 << 30), trigger[1], int(summary[1])))
    return {number: [count[1:] for count in sorted(counts)] for number, counts in found.items()}


def per_question(counts):
    """The worker has a part for each client; a child that it forked has begun before the conversation did."""
    worker = max(counts.values(), key=len)
    children = [sum(n for _, n in each) for each in counts.values() if each is not worker and len(each) > 1]
    assert len(worker) >= CLIENTS and len(children) in (0, CLIENTS), "the counts are not one for each client"
    of_client = statistics.median(n for _, n in worker[1:CLIENTS])
    return (of_client + (statistics.median(children) if children else 0)) / QUESTIONS


def main():
    program, = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("interrupted"))        # the daemon is to end, too
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        for model, engine in variants(program, place):
            supervisor = serve(program, place)
            counts = parts(place)
            del counts[supervisor]
            name = f"worker-{model}" + (f"-{engine}" if engine != "auto" else "")
            print(f"{name:<24} {per_question(counts):8.1f}", flush=True)


main()
