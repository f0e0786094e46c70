"""The log never stalls service: its reader may be missing, hang, or be started anew."""

import os
import re
import signal
import socket
import statistics
import threading
import time

import pytest

from harness import ROOT, run, talk, until
from intruder import intruder, reached
from tracing import tool

pytestmark = [pytest.mark.alone, pytest.mark.skipif(not ROOT, reason="only root can put another /dev/log in place")]

ANSWERS = 200
QUICK_S = 0.02      # the median of answers, whatever the log does; the slowest of them within
SLOW_S = 1.0        # so much on a busy machine


class Reader:
    """What listens at /dev/log.  One that hangs has the socket and does not read."""

    def __init__(self, path, hangs=False):
        self.path, self.lines, self.over = path, [], False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.run, daemon=True)
        if not hangs:
            self.thread.start()

    def run(self):
        while not self.over:
            try:
                self.lines.append(self.socket.recv(4096).decode())
            except TimeoutError:
                pass

    def matches(self, pattern):
        return [m for m in (re.search(pattern, line) for line in self.lines) if m]

    def close(self):
        self.over = True
        if self.thread.ident:
            self.thread.join()
        self.socket.close()
        self.path.unlink()


@pytest.fixture
def logging_daemon(place, daemon):
    """A daemon whose /dev/log is a file of the test's, which may come and go."""
    tool("unshare")
    (place / "dev").mkdir()
    nodes = " ".join(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
    way_in = (f"mount -t tmpfs none {place}/dev && cp -a {nodes} {place}/dev && "
              f"ln -s {place}/syslog {place}/dev/log && mount --move {place}/dev /dev && exec \"$@\"")
    if run("unshare", "-m", "sh", "-c", way_in, "sh", "true").returncode:
        pytest.skip("no mounts in a namespace of its own")

    def start(model):
        d = daemon(model, launch_only=True, under=("unshare", "-m", "sh", "-c", way_in, "sh"), log__target="syslog")
        said = until("the address", lambda: re.search(r"listening (\S+)", d.ctl("status").stdout))
        d.addresses = [said.group(1)]
        return d

    yield start


def times(d):
    """Seconds for each answer, on connections that each cause a line of the log."""
    taken = []
    for _ in range(ANSWERS):
        begin = time.monotonic()
        assert talk(d.address, [b"Simple is better than?Simple is bet"]) == b"Complex."
        taken.append(time.monotonic() - begin)
    print(f"median {statistics.median(taken) * 1000:.2f} ms, slowest {max(taken) * 1000:.1f} ms")
    return taken


def lost(reader):
    """How many messages it was told to have missed."""
    return sum(int(m.group(1)) for m in reader.matches(r"(\d+) messages are lost"))


def quick(taken):
    return statistics.median(taken) < QUICK_S and max(taken) < SLOW_S


def test_the_log_is_missing_hangs_and_comes_back(logging_daemon, place, model):
    d = logging_daemon(model)
    assert quick(times(d)), "nobody listens"
    first = Reader(place / "syslog")
    assert quick(times(d)), "somebody listens"
    until("what was lost", lambda: first.matches(r"(\d+) messages are lost"))
    until("the lines themselves", lambda: len(first.matches("unfinished question")) > ANSWERS / 2)
    first.close()
    hung = Reader(place / "syslog", hangs=True)
    assert quick(times(d)), "somebody listens and does not read"
    hung.close()
    assert quick(times(d)), "nobody listens any more"
    reader = Reader(place / "syslog")
    assert quick(times(d)), "another one listens"
    until("what was lost", lambda: reader.matches(r"(\d+) messages are lost"))
    assert lost(reader) > ANSWERS, "most of those while nobody read"
    seen = [len(one.matches("unfinished question")) for one in (first, reader)]
    print(f"of {5 * ANSWERS} messages {seen} came, {lost(first)} and {lost(reader)} were told to be lost")
    assert sum(seen) + lost(first) + lost(reader) <= 5 * ANSWERS + 10, "some were told twice"
    reader.close()


SHUTDOWN = 48       # of x86-64


@pytest.mark.models(only=("fork", "prefork"))
def test_a_worker_that_was_taken_over_mutes_itself_alone(logging_daemon, place, model):
    reader = Reader(place / "syslog")
    d = logging_daemon(model)
    with intruder(d.workers()[0].pid) as worker:
        for fd in reached(worker):
            worker.call(SHUTDOWN, fd, socket.SHUT_RDWR)
    since = len(reader.lines)
    d.reloaded()
    until("the supervisor's words", lambda: [line for line in reader.lines[since:] if "reloaded: generation 2" in line])
    d.settled()
    assert talk(d.address, [b"half a question"]) == b""
    until("a worker's", lambda: reader.matches(f"{model} \\d+: .*unfinished question"))
    os.kill(d.workers()[0].pid, signal.SIGKILL)
    until("the supervisor's again", lambda: reader.matches(r"died: Killed"))
    assert not reader.matches("messages are lost")
    reader.close()


def test_a_daemon_whose_log_hangs_can_be_stopped_and_reloaded(logging_daemon, place, model):
    d = logging_daemon(model)
    hung = Reader(place / "syslog", hangs=True)
    times(d)
    begin = time.monotonic()
    d.reloaded()
    assert talk(d.address, [b"Simple is better than?"]) == b"Complex."
    d.stop()
    assert time.monotonic() - begin < 5
    hung.close()
