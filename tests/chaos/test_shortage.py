"""Descriptors, memory, processes and disks run out: the daemon waits it out, and says so now and then."""

import re
import resource
import signal
import socket
import subprocess
import time

import pytest

import harness
from flood import long_questions, stand_in_line
from harness import HOLDS, LIMIT, ROOT, open_files, process, run, talk, until
from protocol_model import THREE
from shortage import served
from tracing import tool

pytestmark = pytest.mark.alone

ROOM = {"prefork.max_workers": 100, "threadpool.threads": 150}
CPU = 0.05
BACK_S = 1 + 1             # promised within 1 s
FREED_S = 0.25 + 0.5       # promised within 250 ms; the other is for a busy machine


def answered(flood):
    flood.ours.send("count")
    return flood.wait(LIMIT)[0]


def settled(flood):
    """How many are served when that has not changed for a second."""
    last, since, end = answered(flood), time.monotonic(), time.monotonic() + LIMIT
    while time.monotonic() < since + 1:
        now = answered(flood)
        if now != last:
            last, since = now, time.monotonic()
        assert time.monotonic() < end, "the number of clients who are served does not settle"
    return last


def test_descriptors_run_out(daemon, model, some, flooding):
    """500 clients, and 64 descriptors for each process: no spinning, hardly a word, and on with it when some leave."""
    d = daemon(model, log__level="notice", backlog=2000, timeouts__idle="10m", **ROOM,
               under=(tool("prlimit"), "--nofile=64:64"))
    flood = flooding(stand_in_line, d.address, 500, b"Simple is better than?")
    assert flood.wait(LIMIT) == "asked"
    until("answers", lambda: answered(flood) > 0)
    seconds, calm = some(20, 4), settled(flood)
    before, begin = d.cpu() + process(d.pid).cpu, time.monotonic()
    time.sleep(seconds)
    busy = (d.cpu() + process(d.pid).cpu - before) / (time.monotonic() - begin)
    assert answered(flood) == calm
    times = []
    for leave in (1, min(5, calm), min(10, calm)) if calm < 500 else ():
        flood.ours.send(f"close {leave}")
        begin = time.monotonic()
        until("an answer", lambda: answered(flood) > calm - leave, FREED_S)
        times.append(time.monotonic() - begin)
        until("as many as before", lambda: answered(flood) == calm)
    warnings = len(d.matches(r"can't accept connections"))
    print(f"{calm} served, {busy:.1%} of a CPU, {warnings} lines, {['%.3f' % t for t in times]} s")
    assert busy < CPU
    assert (1 if model in ("thread", "threadpool", "event") else 0) <= warnings <= 2 + seconds / 10
    flood.stop()
    until("the end of all", lambda: "connections_open 0\n" in d.ctl("status").stdout)
    assert d.ask() == b"Ugly."


@pytest.mark.models(without=HOLDS)
def test_memory_runs_out(cgroup, daemon, model, flooding, some):
    """20 MiB for all, and clients whose questions are as long as they may be: a process that serves them is killed,
    never the supervisor, and service is back."""
    group = cgroup("memory", 20 << 20)
    for _ in range(some(5, 1)):
        d = daemon(model, log__level="notice", timeouts__question="10m", max_question_length="1m",
                   **{"prefork.max_workers": 60, "threadpool.threads": 60}, under=group.under)
        assert d.ask() == b"Ugly." and d.pid in group.processes()
        kills, flood = group.kills(), flooding(long_questions, d.address, 40, 1000000)
        until("a death", lambda: group.kills() > kills)
        begin = time.monotonic()
        until("service", lambda: served(d), BACK_S)
        took = time.monotonic() - begin
        flood.end()
        assert d.process.poll() is None
        print(f"{group.kills() - kills} killed, service back after {took:.2f} s")
        d.wait_for(r"died: Killed|child processes died")
        d.stop()


def test_a_table_without_room_for_it(cgroup, daemon, place):
    """A reload that needs more memory than there is fails, and the old configuration serves on."""
    group = cgroup("memory", 20 << 20)
    d = daemon("prefork", under=group.under)
    for _ in range(3):
        d.table.write_bytes(b"".join(b"Is %d better than?%d.\n" % (n, n) for n in range(800000)))
        since = len(d.lines)
        result = d.ctl("reload", limit=2 * LIMIT)
        assert result.returncode != 0, result
        d.wait_for(r"reload failed", since)
        assert d.ask() == b"Ugly." and d.process.poll() is None
        assert not d.matches(r"died", since), "a worker was killed for the loader's sake"
    d.reloaded(table=THREE)
    assert d.ask() == b"Ugly."


def test_processes_run_out(cgroup, daemon, model, flooding):
    """20 for all: fewer workers, threads or clients at a time, and nobody leaves."""
    group = cgroup("pids", 20)
    d = daemon(model, log__level="notice", backlog=2000, under=group.under,
               **{"prefork.min_spare": 5, "prefork.max_workers": 100, "threadpool.threads": 50})
    assert d.ask() == b"Ugly."
    flood = flooding(stand_in_line, d.address, 100, b"Simple is better than?")
    assert flood.wait(LIMIT) == "asked"
    settled(flood)
    flood.ours.send("count")
    served_now, _, ended = flood.wait(LIMIT)
    assert served_now > 0 and ended == 0, f"{ended} were turned away"
    before = d.cpu() + process(d.pid).cpu
    time.sleep(2)
    assert d.cpu() + process(d.pid).cpu - before < 2 * CPU * 2
    assert d.process.poll() is None and len(group.processes()) <= 20
    flood.end()
    begin = time.monotonic()
    until("service", lambda: served(d))
    print(f"service {time.monotonic() - begin:.2f} s after the crowd had left; {len(group.processes())} processes")
    group.limit("max")
    assert d.ask() == b"Ugly."


@pytest.mark.skipif(not ROOT, reason="only root can mount")
def test_a_full_disk_at_the_start(place):
    """A clean failure, with the reason and the file's name, and nothing left behind."""
    tool("unshare")
    (place / "full").mkdir()
    program = harness.APHORISMD
    script = (f"mount -t tmpfs -o size=4k,nr_inodes=4 none {place}/full && cd {place}/full && "
              "{ cat /dev/zero > filler 2>/dev/null; true; } && "
              f"exec {program} -l 127.0.0.1:0 -o control.socket= -o process.user=nobody -o log.target=syslog "
              f"-p {place}/full/pid")
    result = run("unshare", "-m", "sh", "-c", script)
    assert result.returncode == 73, result
    assert "full/pid" in result.stderr and "No space left on device" in result.stderr, result
    until("the end of all", lambda: not harness.strays())


def test_a_log_file_at_its_limit(place):
    """Standard error is a file that may not grow any more: lines are lost, and nothing else."""
    log, config = place / "log", place / "aphorismd.conf"
    config.write_text("")
    with open(log, "wb") as file:
        user = ["-o", "process.user=nobody"] if ROOT else []
        d = subprocess.Popen([harness.APHORISMD, "-f", "-c", config, "-l", "127.0.0.1:0", "-o", "control.socket=", *user],
                             stdin=subprocess.DEVNULL, stderr=file)
    said = until("its address", lambda: re.search(r"listening on (\S+)", log.read_text()))
    resource.prlimit(d.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, log.stat().st_size))
    d.send_signal(signal.SIGUSR1)
    d.send_signal(signal.SIGHUP)
    assert talk(said.group(1), [b"Simple is better than?"]) == b"Complex."
    with pytest.raises(subprocess.TimeoutExpired):
        d.wait(1)
    d.terminate()
    assert d.wait(LIMIT) == 0


def test_no_descriptor_for_aphorismctl(daemon):
    """It waits, and the supervisor does not spin meanwhile."""
    d = daemon("prefork", log__level="notice")
    limit = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (max(open_files(d.pid)) + 1, limit[1]))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(d.control))
        client.sendall(b"ping\n")
        before = process(d.pid).cpu
        time.sleep(2)
        assert process(d.pid).cpu - before < 2 * CPU
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, limit)
        client.settimeout(LIMIT)
        assert client.recv(100).startswith(b"pong")
