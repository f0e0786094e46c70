"""The control socket and aphorismctl."""

import fcntl
import grp
import json
import os
import re
import select
import signal
import socket
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import harness
from fixtures import TRACED
from harness import (APHORISMCTL, APHORISMD, LIMIT, ROOT, Client, Daemon, Raw, nobody, nothing_left, open_files, process,
                     run, says, strike, until)
from tracing import compiled, straced, without_sanitizers


def test_ping_and_version(daemon):
    d = daemon()
    result = d.ctl("ping")
    assert (result.returncode, result.stdout) == (0, "pong\n")
    result = d.ctl("version")
    assert result.returncode == 0 and "0.1.0" in result.stdout


def test_status(daemon, model, place):
    d = daemon(model, listen=("127.0.0.1:0", f"unix:{place}/s"))
    result = d.ctl("status")
    assert result.returncode == 0
    for word in (model, d.addresses[0], f"unix:{place}/s", str(d.pid)):
        assert word in result.stdout
    found = json.loads(d.ctl("--json", "status").stdout)
    assert found["ok"] is True and found["listening"] == d.addresses
    assert found["model"] == model


def test_json_of_failures(daemon):
    d = daemon()
    d.config.write_text("backlog = 4294967376;\nmodel = 5;\n")
    result = d.ctl("--json", "reload")
    found = json.loads(result.stdout)
    assert result.returncode == found["exit"] == 78 and found["ok"] is False
    assert len(found["error"]) == 2 and all(f"{d.config}:" in line for line in found["error"])


def test_reload_waits_for_the_new_generation(daemon, model):
    d = daemon(model)
    for count in (1, 2, 1, 3):
        d.reloaded(max_questions_per_connection=count)

        def answers():
            with d.connect() as client:
                client.send(b"Simple is better than?" * 5)
                return client.everything() == b"Complex." * count
        until("the new limit", answers)


def test_a_reload_asked_for_during_another_has_its_own_end(daemon):
    """The one that is under way may have read the files before they changed."""
    lines = b"".join(b"Is it %d? %d.\n" % (n, n) for n in range(400000))
    d = daemon()
    d.write(table=lines)
    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(d.ctl, "reload")
        until("the loader, which has read the configuration", lambda: largest_memory_file(d.pid) > len(lines))
        d.config.write_text("modle = 5;\n")
        bad = pool.submit(d.ctl, "reload")
        assert good.result().returncode == 0, good.result()
        assert bad.result().returncode == 78 and "modle" in bad.result().stdout + bad.result().stderr


def largest_memory_file(pid):
    return max((os.stat(f"/proc/{pid}/fd/{fd}").st_size for fd, link in open_files(pid).items()
                if link.startswith("/memfd:")), default=0)


@pytest.mark.parametrize("words", [("stop",), ("stop", "--now")])
def test_stop_waits_for_the_end(daemon, model, words):
    d = daemon(model)
    with d.connect() as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        result = d.ctl(*words)
        assert result.returncode == 0, result.stderr
        nothing_left_but_zombies(d)
        assert d.wait() == 0


def nothing_left_but_zombies(d):
    """When aphorismctl returns, the daemon is gone: not merely about to go."""
    until("the supervisor's end", lambda: d.process.poll() is not None, 1)
    nothing_left()


def test_stop_answers_what_is_owed_and_now_does_not_wait(daemon):
    d = daemon(work__delay="500ms")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        time.sleep(0.1)
        assert d.ctl("stop").returncode == 0
        assert client.everything() == b"Complex."
    d = daemon(work__delay="60s")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        begin = time.monotonic()
        assert d.ctl("stop", "--now").returncode == 0
        assert time.monotonic() - begin < LIMIT / 2


def test_nobody_there(place):
    result = run(APHORISMCTL, "-s", place / "missing", "ping")
    assert result.returncode == 69 and str(place / "missing") in result.stderr
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{place}/stale")
    assert run(APHORISMCTL, "-s", place / "stale", "ping").returncode == 69


@pytest.mark.parametrize("words", [(), ("pign",), ("ping", "more"), ("--now", "ping"), ("--no-such",)])
def test_usage(place, words):
    assert run(APHORISMCTL, "-s", place / "control", *words).returncode == 64


def listed():
    """The commands, and what has to follow each."""
    return dict(re.findall(r"^  ([a-z]+) ([A-Z]*)", run(APHORISMCTL, "help").stdout, re.MULTILINE))


def test_help():
    result = run(APHORISMCTL, "help")
    assert result.returncode == 0 and run(APHORISMCTL, "--help").stdout == result.stdout
    assert {"status", "reload", "help"} < set(listed())
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [("help", "log"), ("log", "--help"), ("log", "info", "-h")])
def test_help_of_a_command(words):
    result = run(APHORISMCTL, *words)
    assert result.returncode == 0 and "aphorismctl log [OPTION...] LEVEL\n" in result.stdout
    assert "\n  drain" not in result.stdout
    assert "\nLEVEL: error|warning|notice|info|debug\n" in result.stdout


@pytest.mark.parametrize("words", [("relaod",), ("help", "relaod")])
def test_a_command_that_is_none(place, words):
    result = run(APHORISMCTL, "-s", place / "control", *words)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == "aphorismctl: unknown command relaod, did you mean reload?\n"


def test_the_daemon_knows_each_command(daemon):
    """But for those that are aphorismctl's own."""
    d = daemon()
    for name, argument in listed().items():
        if name not in ("stop", "upgrade"):             # these have tests of their own
            answer = say(d, f"{name} x\n".encode() if argument else f"{name}\n".encode())
            assert (answer == b"error unknown command\nend 64\n") == (name in ("top", "help")), name


@pytest.mark.skipif(not ROOT, reason="only root can be somebody else")
def test_a_peer_without_rights(daemon):
    """Root and the daemon's group only: others are told so, or can not even connect."""
    d = daemon(process__user="daemon")
    assert d.ctl("ping", as_nobody=True).returncode == 77
    assert d.ctl("stop", as_nobody=True).returncode == 77
    d.control.chmod(0o777)
    assert d.ctl("ping", as_nobody=True).returncode == 77
    assert d.ctl("stop", as_nobody=True).returncode == 77
    assert d.ask() == b"Ugly."


@pytest.mark.skipif(not ROOT, reason="only root can be somebody else")
def test_a_peer_of_the_daemons_group(daemon):
    d = daemon(process__user="daemon", process__group=grp.getgrgid(nobody().pw_gid).gr_name)
    assert d.ctl("ping", as_nobody=True).returncode == 0


def say(d, data, end=True):
    """Raw bytes to the control socket, and what comes back."""
    with Client(f"unix:{d.control}") as client:
        try:
            client.send(data)
            if end:
                client.half_close()
            return client.everything()
        except (BrokenPipeError, ConnectionResetError):
            return b""


@pytest.mark.parametrize("data", [b"", b"\n", b"pign\n", b"ping", b"ping more\n", b"x" * 100000, b"x" * 100000 + b"\n",
                                  b"\0\xff\n", b"reload now\n" * 3], ids=lambda data: repr(data)[:30])
def test_odd_command_lines(daemon, data):
    d = daemon()
    got = say(d, data)
    assert b"end 0" not in got
    if data == b"pign\n":
        assert b"end 64\n" in got
    if data == b"ping":
        assert got == b"error the command does not end in a newline\nend 64\n"
    assert d.ctl("ping").returncode == 0 and d.ask() == b"Ugly."


def test_idle_control_clients_do_not_hold_the_supervisor(daemon):
    d = daemon()
    idle = [connect(d) for _ in range(100)]
    for client in idle[::2]:
        try:
            client.send(b"stat")
        except OSError:
            pass
    begin = time.monotonic()
    d.reloaded()
    for worker in d.workers():
        strike(worker.pid, signal.SIGKILL)
    until("service", lambda: says(d.address, b"Beautiful is better than?", b"Ugly."))
    assert time.monotonic() - begin < LIMIT
    for client in idle:
        client.close()
    until("an answer", lambda: d.ctl("ping").returncode == 0)


def connect(d):
    """A client of the control socket, as soon as there is room for it."""
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(LIMIT)

    def connected():
        try:
            one.connect(str(d.control))
        except BlockingIOError:
            return False
        return True
    until("a connection", connected)
    return one


def test_a_control_client_that_does_not_read(daemon):
    d = daemon()
    deaf = connect(d)
    deaf.settimeout(1)
    try:
        for _ in range(1000):
            deaf.send(b"status\n" * 100)
    except OSError:
        pass
    assert d.ask() == b"Ugly."
    deaf.close()
    assert d.ctl("ping").returncode == 0


def test_a_control_client_that_never_ceases_to_talk(daemon):
    """Behind its command it sends more, faster than it is read: the supervisor does not wait for the end of it."""
    d = daemon(log__level="notice")

    def flood():
        with connect(d) as one:
            one.sendall(b"status\n")
            try:
                while True:
                    one.sendall(b"x" * 65536)
            except OSError:
                pass

    slow = "-e", "trace=recvfrom", "-e", "inject=recvfrom:delay_exit=2000"
    with straced([d.pid], *slow), ThreadPoolExecutor(1) as pool:
        flooded = pool.submit(flood)
        try:
            flooded.result(LIMIT)
            assert d.ctl("ping").returncode == 0
        except TimeoutError:
            d.signal(signal.SIGKILL)
            raise


@pytest.mark.parametrize("command, answer", [
    (b"status\n", b"\nend 0\n"), (b"reload\n", b"end 0\n"), (b"stop\n", b"stopping\nend 0\n")],
    ids=("status", "reload", "stop"))
def test_a_client_that_says_no_more(daemon, command, answer):
    """As of `echo reload | socat - SOCKET`: it is told the end all the same, and of a stop not before it has come."""
    d = daemon(work__delay="2s")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        until("the question", lambda: "connections_open 1\n" in d.ctl("status").stdout)
        assert say(d, command).endswith(answer)
        if command == b"stop\n":
            nothing_left_but_zombies(d)
        assert client.answer() == b"Complex."


def test_when_a_stop_is_told_nothing_is_in_the_way_of_a_start(daemon, place):
    d = daemon(process__pidfile=place / "pid", env=TRACED)
    with straced([d.pid], "-e", "trace=/^unlink", "-e", "inject=/^unlink:delay_enter=300000"):
        assert b"end 0\n" in say(d, b"stop\n")
        assert not (place / "pid").exists() and not d.control.exists()


def outgoing(one):
    """Bytes that have been sent to a UNIX socket and not been read."""
    return int.from_bytes(fcntl.ioctl(one, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_more_commands_than_can_wait(daemon):
    d = daemon("iterative", timeouts__drain="60s")
    worker, = d.workers()
    os.kill(worker.pid, signal.SIGSTOP)
    d.reloaded()                        # the next one waits until that worker has left
    waiting = []
    for _ in range(16):
        waiting.append(connect(d))
        waiting[-1].send(b"reload\n")
        # who has said nothing yet may have to make room for the next one
        until("that it is heard", lambda: not outgoing(waiting[-1]))
    until("all of them", lambda: d.ctl("ping").returncode == 75)
    assert d.ctl("ping").stderr == "aphorismctl: ping: too many commands are under way\n"
    os.kill(worker.pid, signal.SIGCONT)
    for one in waiting:
        with one:
            assert one.recv(1000) == b"end 0\n"
    assert d.ctl("ping").returncode == 0


def said(one):
    """All that a client of the control socket is told; without an end somebody has cut it off."""
    with one:
        return b"".join(iter(lambda: one.recv(65536), b""))


def test_more_clients_than_places(daemon):
    """Whoever takes a moment for its command is not cut off for those who come after it, and they are answered, too."""
    d = daemon()
    clients = [connect(d) for _ in range(100)]
    for one in clients:
        one.sendall(b"status\n")
    assert [said(one).splitlines()[-1:] for one in clients] == [[b"end 0"]] * 100


def test_two_hundred_at_once(daemon):
    d = daemon()
    with ThreadPoolExecutor(200) as pool:
        results = list(pool.map(lambda _: d.ctl("status"), range(200)))
    assert {(r.returncode, r.stderr) for r in results} == {(0, "")}


def test_who_is_silent_makes_room_and_hears_of_it(daemon):
    """But nobody turns in circles because somebody waits."""
    d = daemon()
    begin, used = time.monotonic(), harness.process(d.pid).cpu
    silent = [connect(d) for _ in range(20)]          # 16 of them have a place
    silent[-1].sendall(b"stat")
    assert d.ctl("ping").returncode == 0
    assert time.monotonic() - begin > 0.9 and harness.process(d.pid).cpu - used < 0.3
    gone = select.select(silent, [], [], 0)[0]
    assert len(gone) == 5                             # for the others, and for aphorismctl
    for one in gone:
        assert said(one) == b"error others wait, and no command came within a second\nend 75\n"
    assert said(silent[-1]) == b"error no command came within 5 seconds\nend 75\n"
    for one in silent:
        one.close()


@pytest.mark.parametrize("words, answer, status, said", [
    (("doctor",), b"error unknown command\nend 64\n", 64, "which is of another version than aphorismctl 0.1.0"),
    (("status",), b"HTTP/1.1 400 Bad Request\r\n\r\n", 69, "went away before it answered"),
    (("status",), b"version 9\nend soon\n", 69, "no answer of aphorismd"),
    (("status",), b"x" * 2000000, 69, "no answer of aphorismd")], ids=("older", "stranger", "no status", "endless"))
def test_a_daemon_of_another_version(place, words, answer, status, said):
    result, found = told_by(place / "s", answer, *words)
    assert result.returncode == found["exit"] == status and found["ok"] is False
    assert result.stderr.startswith("aphorismctl: ") and said in result.stderr and said in found["error"][0]
    assert result.stderr.count("\n") == 1


def test_an_address_ends_no_answer(daemon, place):
    """A path may hold a newline."""
    d = daemon(listen=("127.0.0.1:0", Raw(f'"unix:{place}/s\\nend 0"')))
    lines = say(d, b"status\n").splitlines()
    assert f"listening unix:{place}/s?end 0".encode() in lines and lines.count(b"end 0") == 1
    result = d.reload(listen=("127.0.0.1:0", Raw(f'"unix:{place}/no/s\\nend 0"')))
    assert result.returncode != 0 and result.stderr.count("\n") == 1 and "s?end 0" in result.stderr


def test_numbers_stay_numbers(place):
    """However much time has been summed up."""
    answer = b"a 999999.123456789\nb 18446744073.709551615\nc 12\nd -1\ne 1.2.3\nf 1.\ng 007\nend 0\n"
    found = told_by(place / "s", answer, "stats")[1]
    assert found == {"ok": True, "exit": 0, "a": 999999.123456789, "b": 18446744073.709551615, "c": 12, "d": -1,
                     "e": "1.2.3", "f": "1.", "g": "007"}


def told_by(path, answer, *words):
    """What aphorismctl makes of a daemon that says this: its result, and that as JSON."""
    def speak(server):
        with server.accept()[0] as client:
            client.recv(1000)
            try:
                client.sendall(answer)
            except OSError:
                pass

    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as pool:
        server.bind(str(path))
        server.listen()
        server.settimeout(LIMIT)
        spoken = pool.submit(speak, server)
        result = run(APHORISMCTL, "-s", path, "--json", *words)
        spoken.result()
        return result, json.loads(result.stdout)


def test_reloads_at_once(daemon):
    """Each of them is told how it went."""
    d = daemon()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: d.ctl("reload", limit=2 * LIMIT), range(8)))
    assert [r.returncode for r in results] == [0] * 8, [r.stderr for r in results]


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(daemon, place):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{place}/control")
    d = daemon()
    assert d.ctl("ping").returncode == 0
    result = run(APHORISMD, "-f", "-c", d.config)
    assert result.returncode == 73 and f"{place}/control" in result.stderr
    assert d.ctl("ping").returncode == 0


def test_something_else_in_the_sockets_place(place):
    d = Daemon(place)
    (place / "control").write_text("precious")
    result = run(APHORISMD, "-f", "-c", d.config)
    assert result.returncode == 73
    assert (place / "control").read_text() == "precious"


def test_no_control_socket(daemon, place):
    d = daemon(control__socket="")
    assert d.ask() == b"Ugly."
    assert sorted(p.name for p in place.iterdir()) == ["aphorismd.conf", "table.aphorisms"]


def test_a_control_socket_that_may_not_accept(daemon, place):
    """Something beside us forbids it, for ever: the supervisor is no busier for it."""
    without_sanitizers()
    library = compiled(place, Path(__file__).with_name("odd_accept.c"))
    d = daemon(env={"LD_PRELOAD": str(library), "FORBIDDEN": "unix"}, process__sandbox="off")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(d.control))
        before, begin = process(d.pid).cpu, time.monotonic()
        time.sleep(1)
        assert process(d.pid).cpu - before < 0.25 * (time.monotonic() - begin)
