"""Under a false service manager: what the daemon tells it, and when."""

import errno
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import APHORISMD, LIMIT, SLACK, Daemon, environment, process, run, talk, until

QUESTION = b"Simple is better than?"


class Manager:
    """The receiver of NOTIFY_SOCKET: each datagram as a dictionary, with the time when it came."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.name, self.said, self.news = name, [], threading.Condition()
        self.thread = threading.Thread(target=self.collect)
        self.thread.start()

    def collect(self):
        while True:
            text = self.socket.recv(65536).decode("ascii")
            if text == "end":
                return
            assert all(line.count("=") for line in text.splitlines())
            with self.news:
                self.said.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))
                self.news.notify_all()

    def matching(self, since=0, **wanted):
        return [(n, said) for n, (_, said) in enumerate(self.said) if n >= since and
                all(re.search(pattern, said.get(key, "")) for key, pattern in wanted.items())]

    def wait_for(self, since=0, **wanted):
        """The number of the first message whose assignments match these patterns, and the message."""
        with self.news:
            self.news.wait_for(lambda: self.matching(since, **wanted), LIMIT)
            found = self.matching(since, **wanted)
            assert found, f"nobody has said {wanted}: {self.said}"
            return found[0]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def manager(request, place):
    """Behind a socket of either kind."""
    one = Manager(f"{place}/notify" if request.param == "a path" else f"@{place}/notify")
    one.env = {"NOTIFY_SOCKET": one.name}
    if one.name.startswith("/"):
        os.chmod(one.name, 0o777)
    yield one
    one.close()


def managed(manager, daemon, model=None, env=None, **more):
    return daemon(model, env={**manager.env, **(env or {})}, **more)


def test_it_is_ready_when_it_serves(manager, daemon, model):
    d = managed(manager, daemon, model, launch_only=True)
    number, said = manager.wait_for(READY="1")
    address = d.wait_for(r"listening on (\S+)").group(1)
    assert said["STATUS"] == f"model {model}, generation 1, listening on {address}"
    assert not manager.matching(READY="1")[1:] and number == 0
    d.addresses.append(address)
    assert d.ask() == b"Ugly."


def test_nothing_is_ready_before_its_workers_are(manager, place):
    """A start that fails at the very last step never was ready; its reason stays in sight."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = "127.0.0.1:%d" % other.getsockname()[1]
        d = Daemon(place, listen=(taken,))
        result = run(APHORISMD, "-f", "-c", d.config, env=environment(**manager.env))
    assert result.returncode == 69
    _, said = manager.wait_for(EXIT_STATUS="^69$")
    assert said["ERRNO"] == str(errno.EADDRINUSE)
    assert taken in said["STATUS"] and "in use" in said["STATUS"]
    assert not manager.matching(READY="1")


@pytest.mark.parametrize("text,status", [("max_conections = 3;\n", 78), (None, 66)])
def test_a_bad_configuration_is_the_status(manager, place, text, status):
    if text:
        (place / "a.conf").write_text(text)
    result = run(APHORISMD, "-f", "-c", place / "a.conf", env=environment(**manager.env))
    assert result.returncode == status
    _, said = manager.wait_for(EXIT_STATUS=f"^{status}$")
    assert f"{place}/a.conf" in said["STATUS"] and "ERRNO" not in said
    assert not text or said["STATUS"].startswith(f'{place}/a.conf:1: max_conections: unknown key')
    assert not manager.matching(READY="1")


def test_a_daemon_in_the_background_tells_it_too(manager, place):
    d = Daemon(place, listen=(f"unix:{place}/s",), process__pidfile=place / "pid")
    result = run(APHORISMD, "-c", d.config, env=environment(**manager.env))
    assert result.returncode == 0, result.stderr
    manager.wait_for(READY="1", STATUS=f"listening on unix:{place}/s$")
    os.kill(int((place / "pid").read_text()), signal.SIGTERM)
    manager.wait_for(STOPPING="1")


def test_a_reload_begins_and_ends(manager, daemon):
    d = managed(manager, daemon, "prefork")
    before = time.monotonic()
    d.reloaded(model="event")
    began, said = manager.wait_for(RELOADING="1")
    assert before <= int(said["MONOTONIC_USEC"]) / 1e6 <= time.monotonic()
    ended, said = manager.wait_for(READY="1", since=began)
    assert ended > began and said["STATUS"] == f"model event, generation 2, listening on {d.address}"


def test_a_reload_that_fails_ends_too(manager, daemon, place):
    d = managed(manager, daemon)
    d.config.write_text("timeouts = { idel = 5; };\nbacklog = 0;\n")
    d.signal(signal.SIGHUP)
    began, _ = manager.wait_for(RELOADING="1")
    _, said = manager.wait_for(READY="1", since=began)
    assert said["STATUS"].startswith(f"reload failed: {place}/aphorismd.conf:1: timeouts.idel: unknown key")
    assert said["STATUS"].endswith("; generation 1 goes on")
    d.write()
    since = len(manager.said)
    d.reloaded()
    manager.wait_for(READY="1", STATUS="^model .*, generation 2, listening on ", since=since)


def test_reloads_that_can_not_open_what_is_new(manager, daemon):
    d = managed(manager, daemon)
    assert d.reload(listen=("192.0.2.1:0",)).returncode == 69
    manager.wait_for(READY="1", STATUS="^reload failed: .*192.0.2.1:0.*; generation 1 goes on")
    assert d.ask() == b"Ugly."


def test_every_reload_that_begins_ends(manager, daemon):
    """Signals that come meanwhile are one reload more: it is told, too."""
    d = managed(manager, daemon)
    for _ in range(30):
        d.signal(signal.SIGHUP)
        time.sleep(0.005)
    d.reloaded()
    d.stop()
    manager.wait_for(STOPPING="1")
    states = [word for _, said in manager.said for word in ("READY", "RELOADING", "STOPPING") if word in said]
    assert states[0] == "READY" and states[-1] == "STOPPING"
    assert states[1:-1] == ["RELOADING", "READY"] * ((len(states) - 2) // 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_is_told_at_its_beginning(manager, daemon, number):
    d = managed(manager, daemon, "fork")
    with d.connect() as client:
        assert client.ask(QUESTION) == b"Complex."
        d.signal(number)
        manager.wait_for(STOPPING="1", STATUS="^stopping")
    assert d.wait() == 0
    assert len(manager.matching(STOPPING="1")) == 1


@pytest.mark.parametrize("watchdog_pid", [True, False])
def test_the_watchdog_sees_it_alive(manager, daemon, watchdog_pid):
    """At half of the time, idle or not, until it is stopped."""
    under = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"] if watchdog_pid else []
    d = managed(manager, daemon, env={"WATCHDOG_USEC": "400000"}, under=under)
    until("ten signs of life", lambda: len(manager.matching(WATCHDOG="1")) >= 10)
    with d.connect() as client:
        assert client.ask(QUESTION) == b"Complex."
        until("ten more", lambda: len(manager.matching(WATCHDOG="1")) >= 20)
    times = [manager.said[n][0] for n, _ in manager.matching(WATCHDOG="1")]
    assert times[19] - times[0] >= 19 * 0.2 - 0.05
    assert times[19] - times[0] < 19 * 0.2 + SLACK
    d.signal(signal.SIGSTOP)
    until("its halt", lambda: process(d.pid).state == "T")
    count = len(manager.matching(WATCHDOG="1"))
    time.sleep(0.6)
    assert len(manager.matching(WATCHDOG="1")) <= count + 1       # one may have been on its way
    d.signal(signal.SIGCONT)
    until("another sign", lambda: len(manager.matching(WATCHDOG="1")) > count + 1)


@pytest.mark.parametrize("env", [{"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"},
                                 {"WATCHDOG_USEC": "many"}, {}])
def test_a_watchdog_for_somebody_else(manager, daemon, env):
    managed(manager, daemon, env=env)
    manager.wait_for(READY="1")
    time.sleep(0.5)
    assert not manager.matching(WATCHDOG="1")


def test_an_idle_daemon_sleeps(manager, daemon):
    """Who is told of nothing costs nothing."""
    d = managed(manager, daemon)
    manager.wait_for(READY="1")

    def switches():
        return int(process(d.pid).status("voluntary_ctxt_switches")[0])

    until("rest", lambda: (lambda before: time.sleep(1) or switches() == before)(switches()))


@pytest.mark.parametrize("name", ["relative", "@", "/" + "x" * 200, "vsock:2:1", "/nobody/is/there", ""])
def test_a_socket_that_is_none(daemon, name):
    """Nobody is told, and that is nobody's harm."""
    d = daemon(env={"NOTIFY_SOCKET": name})
    assert d.ask() == b"Ugly."
    if name and not name.startswith("/nobody"):
        d.wait_for("NOTIFY_SOCKET")


def test_a_manager_that_does_not_listen(daemon, place):
    """Its queue is full: the daemon serves, and tells it what counts when there is room again."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(f"{place}/notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise:
            noise.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    noise.sendto(b"noise", f"{place}/notify")
        d = daemon(env={"NOTIFY_SOCKET": f"{place}/notify", "WATCHDOG_USEC": "100000"})
        assert d.ask() == b"Ugly."
        d.reloaded()
        assert d.ask() == b"Ugly."
        deaf.settimeout(LIMIT)
        said = until("the last word", lambda: re.match(rb"READY=1\nSTATUS=.*", deaf.recv(65536)))
        assert b"generation 2" in said.group()


def test_names_in_the_status_are_printable(manager, place):
    """The manager would take a line of somebody's choice for an assignment."""
    d = Daemon(place, aphorisms="gr\u00fc\\nREADY=1.aphorisms")
    assert run(APHORISMD, "-f", "-c", d.config, env=environment(**manager.env)).returncode in (66, 78)
    manager.wait_for(EXIT_STATUS=".", STATUS="gr..")
    assert not manager.matching(READY="1")


# The journal

def test_lines_for_the_journal_have_their_level(place):
    read, write = os.pipe()
    stat = os.fstat(write)
    d, lines = Daemon(place), []
    one = subprocess.Popen([APHORISMD, "-f", "-c", d.config], stdin=subprocess.DEVNULL, stderr=write,
                           env=environment(JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}"))
    try:
        os.close(write)
        with os.fdopen(read) as log:
            for line in log:
                lines.append(line)
                if "listening on " in line:
                    talk(line.split("listening on ")[1].strip(), [b"half"])
                    one.terminate()
        assert one.wait(LIMIT) == 0
    finally:
        harness.end_all(keep=(one.pid,))
        one.wait()
    for words, level in (("listening on", 5), ("unfinished question", 6), ("stopping", 5)):
        line = next(line for line in lines if words in line)
        assert line.startswith(f"<{level}>aphorismd: "), line


def test_lines_for_anybody_else_have_none(daemon):
    """JOURNAL_STREAM may have come down from somebody whose standard error was the journal."""
    d = daemon(env={"JOURNAL_STREAM": "1:2"})
    assert d.ask() == b"Ugly."
    d.stop()
    assert d.matches("listening on") and not d.matches(r"^<\d>")
