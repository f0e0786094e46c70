"""Upgrades: the program as it is now on disk takes the place of the one that runs, and nobody notices."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from harness import (APHORISMD, LIMIT, ROOT, Client, Daemon, Successor, environment, holds, is_starter, models,
                     open_files, owners, process, run, strays, talk, unread, until)
from load import Load
from test_control import outgoing
from test_systemd import Manager

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
SLOW = f"sleep 0.5; exec {APHORISMD} \"$@\"\n"


@pytest.fixture
def program(place):
    """A copy of the program, to be replaced like by a package manager."""
    return Program(place / "aphorismd")


class Program:
    def __init__(self, path):
        self.path = path
        shutil.copy(APHORISMD, path)

    def become(self, text, interpreter="/bin/sh"):
        """Another file takes the name: a script."""
        new = self.path.with_suffix(".new")
        new.write_text(f"#!{interpreter}\n{text}")
        new.chmod(0o755)
        new.rename(self.path)

    def recover(self):
        new = self.path.with_suffix(".new")
        shutil.copy(APHORISMD, new)
        new.rename(self.path)


@pytest.fixture
def start(daemon, place, program):
    """A daemon from that copy, with a pidfile."""
    def begin(model=None, **more):
        return daemon(model, program=program.path, **{"process__pidfile": place / "pid", **more})
    return begin


def pidfile(place):
    return int((place / "pid").read_text())


def supervisors():
    return [p.pid for p in strays() if p.title() == "aphorismd: supervisor"]


def is_whole(d, place):
    """Nothing of the old process is left, and everything is the new one's."""
    d.settled()
    until("one supervisor", lambda: supervisors() == [d.pid])     # a worker just forked has its title, too
    harness.reap(keep=(d.pid,))
    below = [process(int(n)) for n in os.listdir("/proc") if n.isdigit()]
    assert not [p for p in below if p and p.ppid == d.pid and p.state == "Z"]
    assert pidfile(place) == d.pid
    assert f"\npid {d.pid}\n" in d.ctl("status").stdout
    assert [p.ppid for p in strays() if is_starter(p)] == [d.pid]


# What it is for

def test_nothing_is_lost_under_load(start, place, model):
    """New connections and kept ones, from this model to itself and to others; kept ones would starve where one is."""
    d = start(model, listen=("127.0.0.1:0", f"unix:{place}/s"), log__level="notice")
    loads = [Load(d.address, 8, per_connection=1), *([Load(d.address, 8)] if holds(model, 8) == 8 else [])]
    others = [m for m in models() if holds(m, 8) == 8] if holds(model, 8) == 8 else [model] * 3
    for other in [model, *others]:
        before = [load.answered for load in loads]
        d.write(model=other)
        d.upgraded()
        assert f"\nmodel {other}\n" in d.ctl("status").stdout
        until("more answers", lambda: all(load.answered > b + 20 for load, b in zip(loads, before)))
        assert d.ask(QUESTION, number=1) == ANSWER
        is_whole(d, place)
    for load in loads:
        load.finish()
    assert len(d.matches("has taken the place of")) == 1 + len(others)


def test_who_was_connected_is_answered_by_the_old_one(start, model):
    """What was asked is answered, then comes an orderly end; the new one waits with its next change until then."""
    d = start(model, work__delay="300ms")
    with d.connect() as client:
        client.send(QUESTION * 3)
        time.sleep(0.05)
        old = d.process
        result = d.upgrade()
        assert result.returncode == 0, result.stderr
        assert client.everything() == ANSWER * 3
    assert old.wait(LIMIT) == 0
    d.process = Successor(int(result.stdout.split()[1]))
    assert d.ask(QUESTION) == ANSWER


@pytest.mark.parametrize("by", ["aphorismctl", "signal"])
def test_all_is_the_new_ones(start, place, by):
    d = start("event", listen=("127.0.0.1:0", f"unix:{place}/s"))
    before = os.stat(place / "s").st_ino, os.stat(place / "control").st_ino
    for _ in range(3):
        if by == "signal":
            old = d.pid
            d.signal(signal.SIGUSR2)
            until("the new process", lambda: pidfile(place) != old)
            d.follow(pidfile(place))
        else:
            d.upgraded()
        is_whole(d, place)
        assert (os.stat(place / "s").st_ino, os.stat(place / "control").st_ino) == before
        assert d.ask() == talk(f"unix:{place}/s", [b"Beautiful is better than?"]) == b"Ugly."
    d.reloaded(model="thread")
    assert d.ask(QUESTION) == ANSWER
    d.stop()
    assert not {"s", "control", "pid"} & set(os.listdir(place))
    harness.nothing_left()


def test_the_lock_of_the_pidfile_is_never_free(start, place):
    """Somebody else tries all the time to have it."""
    d = start()
    over, got = threading.Event(), []

    def try_on():
        other = Daemon(place / "other", listen=("127.0.0.1:0",), process__pidfile=place / "pid", control__socket="")
        while not over.is_set():
            result = run(APHORISMD, "-f", "-c", other.config)
            got.append((result.returncode, "already running" in result.stderr))

    (place / "other").mkdir()
    thread = threading.Thread(target=try_on)
    thread.start()
    try:
        for _ in range(5):
            d.upgraded()
            assert pidfile(place) == d.pid
    finally:
        over.set()
        thread.join()
    assert set(got) == {(73, True)}


def test_aphorismctl_finds_somebody_all_the_time(start):
    d = start()
    over, failed = threading.Event(), []

    def ask():
        while not over.is_set():
            result = d.ctl("ping")
            if result.returncode != 0:
                failed.append(result)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(5):
            d.upgraded()
    finally:
        over.set()
        thread.join()
    assert not failed


def test_in_the_background(place, program):
    """The new process goes to no other session, holds nobody's terminal, and can be replaced again."""
    d = Daemon(place, "prefork", listen=(f"unix:{place}/s",), process__pidfile=place / "pid")
    result = run(program.path, "-c", d.config.name, cwd=place)     # a relative name, from a folder that it leaves
    assert result.returncode == 0, result.stderr
    session = process(pidfile(place)).session
    for _ in range(3):
        old = pidfile(place)
        result = d.ctl("upgrade")
        assert result.returncode == 0, result.stderr
        assert pidfile(place) == int(result.stdout.split()[1]) != old
        assert talk(f"unix:{place}/s", [QUESTION]) == ANSWER
        until("the end of the old one", lambda: supervisors() == [pidfile(place)])
        harness.reap()
        assert process(pidfile(place)).session == session
        for p in strays():
            files = open_files(p.pid)     # none of one that is just ending
            assert not files or {files[fd] for fd in (0, 1, 2)} == {"/dev/null"}, p.title()
    program.become("echo 'a word of its own' >&2; exit 70\n")
    result = d.ctl("upgrade")
    assert (result.returncode, result.stderr) == (70, "aphorismctl: upgrade: a word of its own (status 70)\n")
    os.kill(pidfile(place), signal.SIGTERM)
    harness.nothing_left()


def test_the_new_program_finds_another_configuration(start, place):
    """Any key may change, those too that a reload can't: what is gone is removed, what is new is there."""
    d = start("thread", listen=("127.0.0.1:0", f"unix:{place}/s"))
    address = d.address
    d.write(listen=("127.0.0.1:0", f"unix:{place}/t"), process__pidfile=place / "pid2", process__sandbox="off",
            process__user="daemon" if ROOT else None)
    d.upgraded()
    assert talk(address, [QUESTION]) == talk(f"unix:{place}/t", [QUESTION]) == ANSWER
    until("the end of the old files", lambda: not {"s", "pid"} & set(os.listdir(place)))
    assert int((place / "pid2").read_text()) == d.pid
    control = d.control
    d.control = place / "control2"
    d.write(control__socket=d.control)
    result = run(harness.APHORISMCTL, "-s", control, "upgrade")
    assert result.returncode == 0, result.stderr
    d.follow(int(result.stdout.split()[1]))
    assert d.ctl("ping").stdout == "pong\n"
    assert not control.exists()


def test_clients_in_the_queue_of_an_address_that_goes(start, place):
    """Nobody inherits it: they are answered by the old one."""
    d = start("iterative", listen=("127.0.0.1:0", "127.0.0.1:0"), work__delay="200ms")
    clients = [d.connect(1) for _ in range(5)]
    for client in clients:
        client.send(QUESTION)
    d.write(listen=(d.addresses[0],))
    d.upgraded()
    for client in clients:
        assert client.everything() == ANSWER
        client.close()
    with pytest.raises(ConnectionRefusedError):
        d.connect(1)


def test_borrowed_sockets_stay_borrowed(daemon, place, program):
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{place}/s")
        unix.listen()
        os.chmod(f"{place}/s", 0o777)
        d = daemon("event", program=program.path, sockets=[tcp, unix], env={"LISTEN_FDNAMES": "echo:other"},
                   process__pidfile=place / "pid")
        for _ in range(3):
            d.upgraded()
            is_whole(d, place)
            assert talk(d.addresses[0], [b"hello"]) == b"hello"
            assert talk(d.addresses[1], [QUESTION]) == ANSWER
        d.stop()
        assert stat.S_ISSOCK(os.stat(place / "s").st_mode)
        Client(d.addresses[1]).close()


def test_an_address_of_many_spellings_and_its_port(start):
    d = start(listen=("127.0.0.1:0", "*:0", "[0:0:0:0:0:0:0:1]:0"))
    before = list(d.addresses)
    for _ in range(2):
        d.upgraded()
        assert [d.ask(number=n) for n in range(3)] == [b"Ugly."] * 3
        listening = [line.split()[1] for line in d.ctl("status").stdout.splitlines() if line.startswith("listening")]
        assert listening == before


# A new program that fails

def serves_on(d, place, load):
    before = load.answered
    until("more answers", lambda: load.answered > before + 20)
    until("the old one's rest", lambda: supervisors() == [d.pid])
    assert pidfile(place) == d.pid
    assert f"\npid {d.pid}\n" in d.ctl("status").stdout
    d.settled()


FAILURES = {
    "no interpreter": (None, 71, "can't execute {program}: No such file or directory"),
    "a status": ("exit 3\n", 71, "the new process ended with status 3 before it was ready"),
    "status 0": ("exit 0\n", 71, "the new process ended with status 0 before it was ready"),
    "a signal": ("kill -SEGV $$\n", 71, "the new process was ended by a signal: Segmentation fault"),
    "an unknown option": (f"exec {APHORISMD} --no-such-option\n", 64, "64"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_program_that_fails(start, place, program, what):
    d = start("event", log__level="notice")
    load = Load(d.address, 4, per_connection=5)
    text, status, reason = FAILURES[what]
    program.become(text or "", *([] if text else ["/no/such/interpreter"]))
    reason = reason.format(program=program.path)
    result = d.upgrade()
    assert result.returncode == status
    assert reason in result.stderr and result.stderr.count("\n") == 1
    d.wait_for("upgrade failed: .*serves on")
    assert len(d.matches("upgrade failed")) == 1
    serves_on(d, place, load)
    program.recover()
    d.upgraded()
    is_whole(d, place)
    load.finish()


def test_a_notice_is_no_error(start, program):
    """Whatever words are in it; 5 is where the new process tells, behind listener and control socket."""
    d = start()
    program.become("echo 'notice there is no error of mine' >&5; exit 3\n")
    result = d.upgrade()
    assert (result.returncode, result.stderr) == (
        71, "notice: there is no error of mine\n"
        "aphorismctl: upgrade: the new process ended with status 3 before it was ready\n")


def test_what_a_new_program_says_moves_no_cursor(start, program):
    """It is shown to operators, and to whoever reads the log."""
    d = start()
    program.become("printf 'error \\033[2Jgone\\007' >&5; exit 3\n")
    assert d.upgrade().stderr == "aphorismctl: upgrade: ?[2Jgone?\n"
    d.wait_for(r"upgrade failed: \?\[2Jgone\? \(status 3\)")


def test_a_program_that_can_not_be_executed(start, place, program):
    d = start(log__level="notice")
    load = Load(d.address, 4)
    program.path.rename(place / "away")
    result = d.upgrade()
    assert (result.returncode, result.stderr) == (
        71, f"aphorismctl: upgrade: can't execute {program.path}: No such file or directory\n")
    program.path.write_text("nothing that runs")
    assert "Permission denied" in d.upgrade().stderr
    program.path.chmod(0o755)
    assert "Exec format error" in d.upgrade().stderr
    serves_on(d, place, load)
    program.recover()
    d.upgraded()
    load.finish()


def test_errors_of_the_configuration_are_told(start, place, model):
    d = start(model, log__level="notice")
    load = Load(d.address, 4)
    good = d.config.read_text()
    d.config.write_text("timeouts = { idel = 5; };\nbacklog = 0;\n")
    result = d.upgrade()
    assert result.returncode == 78
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"aphorismctl: upgrade: {d.config}:1: timeouts.idel: unknown key") and len(lines) == 2
    d.wait_for(r"upgrade failed: .*timeouts.idel: unknown key.* \(status 78\); process \d+ serves on")
    d.config.write_text(good)
    serves_on(d, place, load)
    d.upgraded()
    load.finish()


def test_an_address_that_can_not_be_bound(start, place):
    """The new process has had no worker yet."""
    d = start(log__level="notice")
    load = Load(d.address, 4)
    d.write(listen=("127.0.0.1:0", "192.0.2.1:0"))
    result = d.upgrade()
    assert result.returncode == 69 and "192.0.2.1:0" in result.stderr
    serves_on(d, place, load)
    d.write(listen=("127.0.0.1:0",))
    d.upgraded()
    load.finish()


@pytest.mark.skipif(not ROOT, reason="only root's workers have rights to lose")
def test_workers_that_can_not_start(start, place, program, model):
    """The sockets are as the old ones need them, whatever those of the new ones have made of them."""
    d = start(model, log__level="notice")
    load = Load(d.address, 4, per_connection=5)
    program.become(f'exec setpriv --securebits=+no_setuid_fixup {APHORISMD} "$@"\n')
    d.write(model="event" if model != "event" else "thread")
    result = d.upgrade()
    assert result.returncode == 77 and "workers can't start" in result.stderr
    serves_on(d, place, load)
    program.recover()
    d.upgraded()
    load.finish()


@pytest.mark.parametrize("text", ["exec sleep 1000\n", "trap '' TERM; sleep 1000 & wait; wait\n"])
def test_a_program_that_never_says_ready(start, place, program, text):
    d = start("thread", log__level="notice", timeouts__upgrade="300ms", timeouts__drain="300ms")
    load = Load(d.address, 4, per_connection=5)
    program.become(text)
    result = d.upgrade()
    assert (result.returncode, result.stderr) == (
        75, "aphorismctl: upgrade: the new process was not ready within 300ms\n")
    serves_on(d, place, load)
    program.recover()
    d.write(timeouts__upgrade="1m")
    d.reloaded()
    for p in strays():
        if p.name == "sleep":
            harness.strike(p.pid, signal.SIGKILL)       # of the shell's, not ours
    until("the end of the other program", lambda: "sh" not in [p.name for p in strays()])
    d.upgraded()
    load.finish()


def half_way(d, program):
    """An upgrade up to where both have workers, and the old one is stopped: the new process."""
    program.become(SLOW)
    d.signal(signal.SIGUSR2)
    d.wait_for("upgrading: starting")
    d.signal(signal.SIGSTOP)
    d.wait_for("generation 1, model", number=1)
    new, = set(supervisors()) - {d.pid}
    return new


@pytest.mark.parametrize("victim", ["the new one", "the old one"])
def test_one_is_killed_when_both_have_workers(start, place, program, model, victim):
    """Its workers follow it, and leave the queues to the other's."""
    d = start(model)
    old = d.process
    new = half_way(d, program)
    os.kill(new if victim == "the new one" else d.pid, signal.SIGKILL)
    if victim == "the new one":
        d.signal(signal.SIGCONT)
        d.wait_for("upgrade failed: the new process was ended by a signal: Killed")
        assert old.poll() is None
    else:
        assert old.wait(LIMIT) == -signal.SIGKILL
        d.process = Successor(new)
        d.wait_for("has taken the place")
    until("the end of the other one's workers", lambda: supervisors() == [d.pid] and all(
        d.pid in (p.ppid, getattr(process(p.ppid), "ppid", None)) for p in strays() if p.pid != d.pid))
    for _ in range(20):
        assert d.ask(QUESTION) == ANSWER
    assert pidfile(place) == d.pid


def client_of(d, supervisor):
    """Somebody whom a worker of that one has taken."""
    others = []
    for _ in range(50):
        client = d.connect()
        if supervisor in [p.ppid for p in until("a worker that takes it", lambda: owners(client))]:
            for other in others:
                other.close()
            return client
        others.append(client)
    raise AssertionError("it takes nobody")


def test_ready_at_the_last_moment(start, place, program):
    """Whoever was ready in time takes over, however late that is heard: nobody is sent away with what is his."""
    d = start("thread", listen=("127.0.0.1:0", f"unix:{place}/s"), timeouts__upgrade="2s")
    new = half_way(d, program)
    time.sleep(2)
    d.signal(signal.SIGCONT)
    d.follow(new)
    is_whole(d, place)
    assert d.ask(QUESTION) == talk(f"unix:{place}/s", [QUESTION]) == ANSWER
    assert not d.matches("upgrade failed")


def test_a_stop_when_both_have_workers(start, program):
    """Clients of the new one are answered, too: it hears of the stop more than once, which is no second stop."""
    d = start("thread", work__delay="500ms")
    new = half_way(d, program)
    client = client_of(d, new)
    client.send(QUESTION)
    until("that it is heard", lambda: unread(client) == 0)
    d.signal(signal.SIGTERM)
    d.signal(signal.SIGCONT)
    assert client.everything() == ANSWER
    client.close()
    assert d.wait() == 0
    harness.nothing_left()


def test_a_stop_before_the_old_one_knows_of_the_new_one(start, place):
    """Which has workers by then, and more to say: it hears the old one's last word and ends with it."""
    d = start("thread")
    starter, = filter(is_starter, d.processes())
    os.kill(starter.pid, signal.SIGSTOP)
    d.signal(signal.SIGUSR2)
    d.wait_for("upgrading: starting")
    d.signal(signal.SIGSTOP)
    os.kill(starter.pid, signal.SIGCONT)
    d.wait_for("generation 1, model", number=1)
    d.signal(signal.SIGTERM)
    d.signal(signal.SIGCONT)
    assert d.wait() == 0
    harness.nothing_left()
    assert not {"control", "pid"} & set(os.listdir(place))


def test_the_new_one_is_told_to_stop_when_both_have_workers(start, place, program):
    """Whoever is about to end takes nobody's place."""
    d = start("thread", work__delay="500ms")
    new = half_way(d, program)
    client = client_of(d, new)
    client.send(QUESTION)
    until("that it is heard", lambda: unread(client) == 0)
    os.kill(new, signal.SIGTERM)
    d.wait_for("stopping")
    d.signal(signal.SIGCONT)
    assert client.everything() == ANSWER
    client.close()
    d.wait_for("upgrade failed: .*serves on")
    until("the old one's rest", lambda: supervisors() == [d.pid])
    assert d.ask(QUESTION) == ANSWER
    d.upgraded()
    is_whole(d, place)


def test_the_file_of_metrics_is_the_old_ones_until_then(start, place, program):
    file = place / "metrics.prom"
    d = start("thread", metrics__file=file)
    before = until("the file", lambda: file.exists() and file.stat().st_ino)
    new = half_way(d, program)
    time.sleep(0.3)           # there is no event to wait for: it must not come
    assert file.stat().st_ino == before
    d.signal(signal.SIGCONT)
    d.follow(new)
    until("the new one's", lambda: file.stat().st_ino != before)
    assert not d.matches("metrics.file")


def test_a_restart_while_the_old_one_finishes(start, place):
    """What that has left is nobody's but the new one's: not its pidfile either."""
    d = start("thread", work__delay="1s")
    with d.connect() as client:
        client.send(QUESTION * 5)
        until("that it is heard", lambda: unread(client) == 0)
        result = d.upgrade()
        assert result.returncode == 0, result.stderr
        old, new = d.process, int(result.stdout.split()[1])
        os.kill(new, signal.SIGTERM)
        until("its end", lambda: new not in supervisors())       # it is the old one's child still
        assert not {"control", "pid"} & set(os.listdir(place))
        d.write(listen=(d.address,))
        d.launch()
        until("the next one", lambda: d.ctl("ping").returncode == 0 or d.process.poll() is not None)
        assert pidfile(place) == d.pid
        assert old.poll() is None and client.everything() == ANSWER * 5
    assert old.wait(LIMIT) == 0
    assert pidfile(place) == d.pid and d.ctl("ping").returncode == 0


def test_a_starter_that_is_late(start, place):
    """What it makes of an order that was given up is not taken for what it makes of the next one."""
    d = start(timeouts__upgrade="300ms")
    starter, = filter(is_starter, d.processes())
    os.kill(starter.pid, signal.SIGSTOP)
    for _ in range(2):
        assert "not ready within 300ms" in d.upgrade().stderr
    d.write(timeouts__upgrade="1m")
    d.reloaded()
    os.kill(starter.pid, signal.SIGCONT)
    until("the old one alone", lambda: supervisors() == [d.pid])
    d.upgraded()
    is_whole(d, place)
    assert d.ask(QUESTION) == ANSWER


def test_the_starter_is_killed(start, place):
    d = start()
    starter, = filter(is_starter, d.processes())
    os.kill(starter.pid, signal.SIGKILL)
    d.wait_for("no upgrade is possible before a restart")
    result = d.upgrade()
    assert (result.returncode, result.stderr) == (
        69, "aphorismctl: upgrade: the process that starts programs has gone, only a restart helps\n")
    assert d.ask() == b"Ugly."
    d.reloaded()


# At the same time


def test_a_second_one_meanwhile(start, place, program):
    d = start()
    program.become(SLOW)
    d.signal(signal.SIGUSR2)
    d.wait_for("upgrading: starting")
    second = d.upgrade()
    assert (second.returncode, second.stderr) == (75, "aphorismctl: upgrade: one is under way already\n")
    d.signal(signal.SIGUSR2)
    d.wait_for("no upgrade: one is under way already")
    d.wait_for("has taken the place")
    d.follow(until("the pidfile", lambda: pidfile(place) if pidfile(place) != d.pid else None))
    is_whole(d, place)
    assert len(d.matches("has taken the place")) == 1


COMMANDS = ("ping", "doctor", "pign", "log info", "log loud", "drain 77", "drain 0", "reload", "upgrade")
REFUSED = {                           # what the control socket says to each of them, and to a stop
    "upgrading": (0, 0, 64, 0, 64, 64, 0, 75, 75),
    "leaving": (0, 0, 64, 75, 75, 75, 75, 75, 75, 75),
    "stopping": (0, 0, 64, 0, 64, 69, 69, 69, 69, 0),
}


@pytest.mark.parametrize("state", REFUSED)
def test_what_can_not_be_done_now(start, program, state):
    """75 says that it helps to ask again, 69 that there will be nobody to ask, 64 that the command is wrong."""
    d = start("event", work__delay="2s")
    clients = [Client(f"unix:{d.control}") for _ in REFUSED[state]]
    for one, command in zip(clients, COMMANDS + ("stop",)):
        one.send(command[:2].encode())
        until("that it is heard", lambda: not outgoing(one.socket))
    with d.connect() as client:
        client.send(QUESTION)
        until("the question", lambda: unread(client) == 0)
        if state == "upgrading":
            program.become("exec sleep 60\n")
        d.signal(signal.SIGTERM if state == "stopping" else signal.SIGUSR2)
        d.wait_for({"upgrading": "upgrading: starting", "leaving": "serves, this one", "stopping": "stopping"}[state])
        found = []
        for one, command in zip(clients, COMMANDS + ("stop",)):
            one.send(command[2:].encode() + b"\n")
            found.append(int(re.search(rb"(?m)^end (\d+)$", one.socket.recv(65536)).group(1)))
            one.close()
        assert tuple(found) == REFUSED[state]
        if state != "stopping":       # a second stop is one at once
            assert client.answer() == ANSWER
    if state == "leaving":
        d.follow(int(d.wait_for(r"process (\d+) serves, this one").group(1)))


def test_what_can_not_be_done_before_it_serves(daemon):
    """An address that is in use is tried for a while."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % other.getsockname()[1]
        other.listen()
        d = daemon(launch_only=True, listen=(address,))
        until("the control socket", lambda: d.ctl("ping").returncode == 0)
        assert "state starting" in d.ctl("status").stdout
        refused = d.ctl("drain", "0")
        assert (refused.returncode, refused.stderr) == (75, "aphorismctl: drain: the daemon is starting: ask again\n")
    d.wait_for("listening on")


def test_a_reload_meanwhile_is_not_lost(start, place, program):
    """It comes too late for the new process's first look: that looks once more."""
    d = start("prefork")
    program.become(f"exec {APHORISMD} \"$@\"\n")
    d.write(listen=(d.address,))
    d.signal(signal.SIGUSR2)
    d.wait_for("upgrading: starting")
    refused = d.ctl("reload")
    assert refused.returncode in (0, 75)
    d.signal(signal.SIGHUP)
    d.wait_for("reloaded: generation 2")
    if pidfile(place) != d.pid:
        d.follow(pidfile(place))
    assert d.ask() == b"Ugly."


def test_a_signal_for_whom_the_pidfile_named_before(start, place):
    """Who has read it a moment too early reloads the new one all the same."""
    d = start("thread", work__delay="1s")
    with d.connect() as client:
        client.send(QUESTION * 3)
        until("that it is heard", lambda: unread(client) == 0)
        result = d.upgrade()
        old, d.process = d.process, Successor(int(result.stdout.split()[1]))
        os.kill(old.pid, signal.SIGHUP)
        d.wait_for("reloaded: generation 2")
        assert client.everything() == ANSWER * 3
    assert old.wait(LIMIT) == 0


def test_a_reload_that_was_first_is_finished_first(start, place):
    d = start("prefork")
    d.signal(signal.SIGHUP)
    d.upgraded()
    assert d.matches("reloaded: generation 2")
    is_whole(d, place)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_meanwhile(start, place, program, number):
    """Both end, and nothing is left."""
    d = start("event", listen=(f"unix:{place}/s",))
    program.become(SLOW)
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(d.upgrade)
        d.wait_for("upgrading: starting")
        d.signal(number)
        assert (outcome.result().returncode, outcome.result().stderr) == (
            69, "aphorismctl: upgrade: the daemon is stopping\n")
    assert d.wait() == 0
    harness.nothing_left()
    assert not {"s", "control", "pid"} & set(os.listdir(place))


def test_stops_at_any_moment_of_an_upgrade(start, place, model):
    """Whoever is the daemon by then ends; clients are answered or let go, and no process or file is left."""
    for number in range(6):
        d = start(model, listen=(f"unix:{place}/s",), log__level="notice")
        d.signal(signal.SIGUSR2)
        time.sleep(number * 0.02)
        signalled = set()
        while not signalled or supervisors():      # all of them, once, as systemd does
            for pid in set(supervisors()) - signalled:
                harness.strike(pid, signal.SIGTERM)
                signalled.add(pid)
            time.sleep(0.01)
        assert d.wait() in (0, -signal.SIGTERM)
        harness.nothing_left()
        assert not {"s", "control", "pid"} & set(os.listdir(place)), d.lines


def test_the_old_one_is_killed_meanwhile(start, place, program):
    """The new one takes what that has left."""
    d = start("thread", listen=("127.0.0.1:0", f"unix:{place}/s"))
    program.become(SLOW)
    old = d.pid
    d.signal(signal.SIGUSR2)
    d.wait_for("upgrading: starting")
    until("the new process", lambda: any(p.name == "sleep" for p in strays()))
    os.kill(old, signal.SIGKILL)
    assert d.wait() == -signal.SIGKILL
    d.wait_for("has taken the place")
    d.process = Successor(until("the pidfile", lambda: pidfile(place) if pidfile(place) != old else None))
    until("the control socket", lambda: d.ctl("ping").returncode == 0)
    assert d.ask() == b"Ugly."
    assert talk(f"unix:{place}/s", [QUESTION]) == ANSWER
    d.stop()
    assert not {"s", "control", "pid"} & set(os.listdir(place))


def owned(path):
    """What no other daemon may change."""
    st = os.lstat(path)
    return st.st_dev, st.st_ino, st.st_mode, st.st_uid, st.st_gid


def followed(d, place):
    """The successor, when nobody can ask for it at the control socket."""
    old = d.pid
    d.signal(signal.SIGUSR2)
    d.follow(until("the new process", lambda: pidfile(place) if pidfile(place) != old else None))


@pytest.mark.parametrize("killed", [False, True], ids=["upgraded", "killed"])
def test_the_files_of_another_daemon_at_the_same_paths(start, place, program, killed):
    """They have been put in the place of ours: neither changed nor removed."""
    paths = place / "s", place / "control"
    d = start("thread", listen=("127.0.0.1:0", f"unix:{paths[0]}"))
    for path in paths:
        path.unlink()
    (place / "other").mkdir()
    other = Daemon(place / "other", listen=(f"unix:{paths[0]}",), control__socket=paths[1]).start()
    try:
        paths[0].chmod(0o640)
        if ROOT:
            os.chown(paths[1], 0, 0)
        before = [owned(path) for path in paths]
        if killed:
            program.become(SLOW)
            old = d.pid
            d.signal(signal.SIGUSR2)
            until("the new process", lambda: any(p.name == "sleep" for p in strays()))
            os.kill(old, signal.SIGKILL)
            d.wait()
            d.process = Successor(until("the pidfile", lambda: pidfile(place) if pidfile(place) != old else None))
        else:
            followed(d, place)
            followed(d, place)    # what the first successor has passed on
        assert d.ask() == b"Ugly."
        d.stop()
        assert [owned(path) for path in paths] == before
        assert talk(f"unix:{paths[0]}", [QUESTION]) == ANSWER
        assert f"\npid {other.pid}\n" in d.ctl("status").stdout
        other.stop()
        assert not [path for path in paths if path.exists()]
    finally:
        other.finish()


def test_files_that_were_removed(start, place):
    """An upgrade makes them anew; who had connected before is served."""
    paths = place / "s", place / "control"
    d = start("thread", listen=("127.0.0.1:0", f"unix:{paths[0]}"))
    with Client(f"unix:{paths[0]}") as client:
        for path in paths:
            path.unlink()
        followed(d, place)
        assert client.everything() == b""
    is_whole(d, place)
    assert d.ask() == talk(f"unix:{paths[0]}", [b"Beautiful is better than?"]) == b"Ugly."
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o666, 0o660]
    d.stop()
    assert not {"s", "control", "pid"} & set(os.listdir(place))


def test_signals_to_all_processes(start, place):
    """What a service manager signals to all is for the supervisor, the starter has an ear for it alone."""
    d = start()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
        for p in d.processes():
            harness.strike(p.pid, number)
    d.upgraded()
    is_whole(d, place)


# The service manager

def test_the_manager_hears_who_is_the_main_process(start, place):
    manager = Manager(f"{place}/notify")
    try:
        os.chmod(f"{place}/notify", 0o777)
        d = start("event", env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"})
        manager.wait_for(READY="1")
        for _ in range(2):
            since = len(manager.said)
            d.upgraded()
            moved, said = manager.wait_for(MAINPID=f"^{d.pid}$", since=since)
            assert said == {"MAINPID": str(d.pid)}
            ready, said = manager.wait_for(READY="1", since=since)
            assert ready > moved and said["STATUS"] == f"model event, generation 1, listening on {d.address}"
            since = len(manager.said)
            manager.wait_for(WATCHDOG="1", since=since)
        assert not manager.matching(STOPPING="1") and not manager.matching(RELOADING="1")
        d.config.write_text("backlog = 0;\n")
        assert d.upgrade().returncode == 78
        manager.wait_for(STATUS="^upgrade failed: .*backlog: .*; generation 1 goes on$")
    finally:
        manager.close()


def test_the_watchdog_moves_on(start, place):
    manager = Manager(f"{place}/notify")
    try:
        os.chmod(f"{place}/notify", 0o777)
        d = start(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"},
                  under=["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"])
        d.upgraded()
        since = len(manager.said)
        until("signs of life", lambda: len(manager.matching(WATCHDOG="1", since=since)) > 3)
    finally:
        manager.close()


# Where it can't be

def test_not_under_inetd(place, program):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        d = Daemon(place)
        one = subprocess.Popen([program.path, "--inetd", "-c", d.config], stdin=listener, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=environment())
        try:
            assert talk("127.0.0.1:%d" % listener.getsockname()[1], [QUESTION]) == ANSWER
            one.send_signal(signal.SIGUSR2)
            line = next(line for line in iter(one.stderr.readline, "") if "upgrade" in line)
            assert "no upgrade: under inetd" in line
        finally:
            one.terminate()
            assert one.wait(LIMIT) == 0
            one.stderr.close()


def test_not_as_process_1(place, program):
    if run("unshare", "--pid", "--fork", "--mount-proc", "true").returncode != 0:
        pytest.skip("no namespace for processes can be made here")
    d = Daemon(place, listen=(f"unix:{place}/s",))
    one = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", program.path, "-f", "-c", d.config],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=environment())
    try:
        until("the daemon", lambda: d.ctl("ping").returncode == 0)
        result = d.ctl("upgrade")
        assert (result.returncode, result.stderr) == (
            69, "aphorismctl: upgrade: process 1 can't leave its place to another one\n")
        assert talk(f"unix:{place}/s", [QUESTION]) == ANSWER
    finally:
        one.kill()
        one.wait()
        harness.end_all()


# The sandbox

def test_the_new_process_is_confined_like_the_first(start, place):
    lacking = run(APHORISMD, "-t", "-o", "process.sandbox=required", "-o", "listen=127.0.0.1:0").stderr
    if "process.sandbox" in lacking:
        pytest.skip(lacking)
    d = start("thread", process__sandbox="required")
    for _ in range(20):
        d.upgraded()
    assert d.ask(QUESTION) == ANSWER
    starter, = filter(is_starter, d.processes())
    assert (starter.status("Seccomp"), starter.status("NoNewPrivs")) == (["0"], ["0"])
    for p in [process(d.pid), *d.workers()]:
        assert p.status("Seccomp") == ["2"]
        assert int(*p.status("Seccomp_filters") or "1") <= 4, "filters pile up"
