"""What a worker shares with others, once somebody else speaks through it: open files and their flags, the log, memory.

A process sleeps where somebody else says so, if the flags of a file that it waits in are not its own; it is mute, if
somebody else may shut down what it speaks through; it is busy, if it looks whenever it is called.
"""

import contextlib
import ctypes
import errno
import os
import pty
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path

import harness
import pytest
from harness import APHORISMD, LIMIT, ROOT, SLACK, Daemon, is_starter, open_files, owners, process, run, talk, until
from intruder import intruder, libc, needs_ptrace, reached

WRITE, IOCTL, SHUTDOWN, FCNTL = 1, 16, 48, 72                       # of x86-64
F_GETFL, F_SETFL, FIONBIO, O_DIRECT = 3, 4, 0x5421, 0o40000
PIDFD_OPEN, PIDFD_GETFD = 434, 438
STARTING, IDLE, BUSY = 1, 2, 3                                      # enum worker_state

QUESTION, ANSWER = b"Beautiful is better than?", b"Ugly."
HEARS_S = 10            # somebody who sleeps does so for ever
SHARE = 0.05            # of a CPU


@pytest.fixture(params=["auto", "off"])
def sandbox(request):
    """Whoever was taken over is confined, as far as the system goes, or not at all."""
    return request.param


def pings(d):
    """The supervisor answers; a second time, too, after it has looked at whatever woke it."""
    return all(d.ctl("ping", limit=HEARS_S).returncode == 0 for _ in range(2))


def block(worker, fds=None):
    """Has everybody wait in each file that a worker can reach."""
    for fd in fds or reached(worker):
        flags = worker.call(FCNTL, fd, F_GETFL, 0)
        worker.call(FCNTL, fd, F_SETFL, flags & ~os.O_NONBLOCK)
        worker.call(IOCTL, fd, FIONBIO, bytes(4))


def fill(worker):
    """Writes into each pipe and eventfd what goes in there without waiting."""
    for fd, what in reached(worker).items():
        flags = worker.call(FCNTL, fd, F_GETFL, 0)
        worker.call(FCNTL, fd, F_SETFL, flags | os.O_NONBLOCK)
        if not worker.call(FCNTL, fd, F_GETFL, 0) & os.O_NONBLOCK:
            continue
        if "eventfd" in what:
            worker.call(WRITE, fd, struct.pack("Q", (1 << 64) - 2), 8)
        elif what.startswith(("pipe:", "/dev/pts")) and flags & os.O_ACCMODE != os.O_RDONLY:
            for size in [1000] * 200 + [1] * 5000:
                if worker.call(WRITE, fd, b"\n" * size, size) < 0 and size == 1:
                    break


# Sleep

def test_the_supervisor_never_sleeps(daemon, model, sandbox):
    d = daemon(model, process__sandbox=sandbox)
    with intruder(d.workers()[0].pid) as worker:
        block(worker)
    assert pings(d)
    first = {p.pid for p in d.workers()}
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    until("another worker", lambda: not first & {p.pid for p in d.workers()} and d.ask() == ANSWER, HEARS_S)
    d.reloaded()
    assert d.ask() == ANSWER


def test_no_worker_sleeps_in_what_it_tells_the_supervisor(daemon, sandbox):
    """Not even when that does not listen for a while, and another worker has filled what it would write to."""
    d = daemon("prefork", process__sandbox=sandbox, prefork__start_workers=2, prefork__min_spare=2,
               prefork__max_spare=2, prefork__max_workers=2)
    with d.connect() as first:
        assert first.ask(QUESTION) == ANSWER
        assert pings(d)
        os.kill(d.pid, signal.SIGSTOP)
        try:
            taken = owners(first)[0].pid
            with intruder(taken) as worker:
                fill(worker)
                block(worker)
            with d.connect() as second:         # of whom the supervisor is told: there is none to spare any more
                assert second.ask(QUESTION) == ANSWER
        finally:
            os.kill(d.pid, signal.SIGCONT)
    assert pings(d)
    os.kill(taken, signal.SIGKILL)              # it has hurt itself most: it would not obey


def test_no_event_worker_sleeps_in_a_listener(daemon):
    d = daemon("event", event__workers=2)
    if process(d.workers()[0].pid).status("Seccomp") != ["2"]:
        pytest.skip("nothing confines its system calls")
    clients = [d.connect() for _ in range(40)]
    for client in clients:
        assert client.ask(QUESTION) == ANSWER
    with intruder(owners(clients[0])[0].pid) as worker:
        block(worker, open_files(worker.tid))
    for _ in range(8):
        assert d.ask() == ANSWER
    for client in clients:
        assert client.ask(QUESTION) == ANSWER
        client.close()


def test_of_flags_a_worker_may_set_one(daemon, model):
    """O_NONBLOCK of a socket, for the end; nothing that is cleared, and none that has writes fail."""
    d = daemon(model)
    if process(d.workers()[0].pid).status("Seccomp") != ["2"]:
        pytest.skip("nothing confines its system calls")
    with intruder(d.workers()[0].pid) as worker:
        for fd in open_files(worker.tid):
            for flags in (0, os.O_WRONLY, os.O_RDWR, os.O_RDWR | O_DIRECT, os.O_WRONLY | os.O_APPEND | O_DIRECT,
                          os.O_RDWR | os.O_NONBLOCK | O_DIRECT, os.O_WRONLY | os.O_NONBLOCK, os.O_RDWR | os.O_ASYNC):
                assert worker.call(FCNTL, fd, F_SETFL, flags) == -errno.EPERM
            assert worker.call(IOCTL, fd, FIONBIO, bytes(4)) == -errno.EPERM


# The log

class Ear:
    """What standard error is: hears(words) waits until a line with them has come."""

    def __init__(self, kind, place):
        self.text, self.deaf = b"", False
        if kind == "pipe":
            self.read, self.end = os.pipe()
        elif kind == "terminal":
            self.read, self.end = pty.openpty()
        elif kind in ("stream", "seqpacket"):
            of_kind = socket.SOCK_STREAM if kind == "stream" else socket.SOCK_SEQPACKET
            self.read, self.end = (one.detach() for one in socket.socketpair(socket.AF_UNIX, of_kind))
        else:
            self.end = os.open(place / "log", os.O_WRONLY | os.O_CREAT | (os.O_APPEND if kind == "appended" else 0))
            self.read = os.open(place / "log", os.O_RDONLY)
        os.set_blocking(self.read, False)

    def listen(self):
        with contextlib.suppress(BlockingIOError, OSError):     # EIO: the terminal's other side is closed
            while True:
                more = os.read(self.read, 65536)
                self.text += more
                if not more:
                    break
        return self.text

    def hears(self, words):
        return until(repr(words), lambda: words in self.listen(), HEARS_S)

    def close(self):
        os.close(self.read)


@pytest.fixture
def spoken(place):
    """A daemon that speaks into an ear of some kind."""
    needs_ptrace()
    place.chmod(0o777)
    started = []

    def start(kind, sandbox, as_nobody=False):
        ear = Ear(kind, place)
        d = Daemon(place, "event", event__workers=1, process__sandbox=sandbox, as_nobody=as_nobody)
        under = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if as_nobody and ROOT else []
        d.process = subprocess.Popen([*under, APHORISMD, "-f", "-c", str(d.config)], stdin=subprocess.DEVNULL,
                                     stdout=ear.end, stderr=ear.end, cwd=place, env=harness.environment())
        started.append((d, ear))
        os.close(ear.end)
        ear.hears(b"listening on ")
        d.addresses = [ear.text.split(b"listening on ")[1].split()[0].decode()]
        return d, ear

    yield start
    for d, ear in started:
        if d.process.poll() is None:
            d.process.kill()
        d.process.wait()
        print(ear.listen().decode(errors="replace")[-3000:])
        ear.close()


KINDS = ["pipe", "terminal", "stream", "seqpacket", "file", "appended"]


def still_speaks(d, ear):
    """The supervisor; and a worker that takes the place of the one that was taken over."""
    ear.text = b""
    assert d.ctl("log", "info", limit=HEARS_S).returncode == 0
    ear.hears(b"log.level: info until the next reload")
    one, = d.workers()
    os.kill(one.pid, signal.SIGKILL)
    until("another worker", lambda: [p for p in d.workers() if p.pid != one.pid] and d.ask() == ANSWER)
    assert talk(d.address, [b"half a question"]) == b""
    ear.hears(b"event 0: ")
    ear.hears(b"unfinished question")
    d.process.terminate()
    assert d.process.wait(LIMIT) == 0
    ear.hears(b"stopped")
    assert b"messages are lost" not in ear.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_can_not_mute_the_log(spoken, sandbox, kind):
    d, ear = spoken(kind, sandbox)
    with intruder(d.workers()[0].pid) as worker:
        for fd in reached(worker):
            worker.call(SHUTDOWN, fd, socket.SHUT_RDWR)
            worker.call(FCNTL, fd, F_SETFL, os.O_WRONLY | os.O_APPEND | O_DIRECT)
            worker.call(FCNTL, fd, F_SETFL, os.O_RDWR | os.O_NONBLOCK)
    still_speaks(d, ear)


def test_a_worker_writes_over_no_line_of_a_file(spoken):
    """What it writes is appended, whatever flags it asks for."""
    d, ear = spoken("appended", "auto")
    if process(d.workers()[0].pid).status("Seccomp") != ["2"]:
        pytest.skip("nothing confines its system calls")
    before = ear.listen()
    with intruder(d.workers()[0].pid) as worker:
        assert worker.call(FCNTL, 2, F_SETFL, os.O_RDWR | os.O_NONBLOCK) == -errno.EPERM
        assert worker.call(WRITE, 2, b"mine\n", 5) == 5
    assert (d.place / "log").read_bytes().startswith(before + b"mine\n")


@pytest.mark.skipif(not ROOT, reason="what is opened here is ours, not somebody else's")
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_nor_where_standard_error_can_not_be_opened_anew(spoken, sandbox, kind):
    d, ear = spoken(kind, sandbox, as_nobody=True)
    with intruder(d.workers()[0].pid) as worker:
        for fd in reached(worker):
            worker.call(SHUTDOWN, fd, socket.SHUT_RDWR)
        block(worker)
    still_speaks(d, ear)


@pytest.mark.parametrize("as_nobody", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "terminal", "stream"])
def test_a_log_that_hangs_and_was_filled_stops_nobody(spoken, sandbox, kind, as_nobody):
    d, ear = spoken(kind, sandbox, as_nobody)
    with intruder(d.workers()[0].pid) as worker:
        fill(worker)
        block(worker)
    assert d.ctl("log", "info", limit=HEARS_S).returncode == 0
    assert pings(d)
    os.kill(d.workers()[0].pid, signal.SIGKILL)
    assert d.ask() == ANSWER
    ear.listen()
    ear.text = b""
    assert d.ctl("log", "info", limit=HEARS_S).returncode == 0
    ear.hears(b"log.level: info until the next reload")


# Work

def cpu_s(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def stolen(pid):
    """Descriptors of ours for what a worker writes to."""
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    assert pidfd >= 0, os.strerror(ctypes.get_errno())
    found = []
    for fd, what in open_files(pid).items():
        flags = int(Path(f"/proc/{pid}/fdinfo/{fd}").read_text().split("flags:")[1].split()[0], 8)
        if ("eventfd" in what or what.startswith("pipe:")) and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(libc.syscall(PIDFD_GETFD, pidfd, fd, 0))
    os.close(pidfd)
    assert min(found) >= 0
    return found


class Busy:
    """act() again and again, meanwhile."""

    def __init__(self, act):
        self.over, self.error = False, None
        self.thread = threading.Thread(target=self.run, args=(act,), daemon=True)

    def run(self, act):
        try:
            while not self.over:
                act()
        except OSError as error:
            self.error = error

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        assert not self.error, f"it ended too soon: {self.error}"


def cost(d, act, seconds=2):
    """Of a CPU, that the supervisor uses while somebody does that, and all the time is there for others."""
    with Busy(act):
        begin, before, slowest = time.monotonic(), cpu_s(d.pid), 0
        while time.monotonic() < begin + seconds:
            asked = time.monotonic()
            assert d.ctl("ping", limit=HEARS_S).returncode == 0
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.2)
        share = (cpu_s(d.pid) - before) / (time.monotonic() - begin)
    print(f"{share:.1%} of a CPU, the slowest ping took {slowest * 1000:.0f} ms")
    return share


@pytest.mark.alone
@pytest.mark.parametrize("as_nobody, words", [(False, struct.pack("Q", 1)), (True, b"\n" * 8), (True, b"x\n" * 1000)])
def test_words_without_end_cost_the_supervisor_little(daemon, place, as_nobody, words):
    """Lines for the log, too, where they are the supervisor's to write."""
    needs_ptrace()
    place.chmod(0o777)
    d = daemon("event", event__workers=1, max_connections=100000, as_nobody=as_nobody)
    fds = stolen(d.workers()[0].pid)
    pipes = {fd for fd in fds if stat.S_ISFIFO(os.fstat(fd).st_mode)}

    def write():
        for fd in fds:
            with contextlib.suppress(BlockingIOError):
                os.write(fd, words if fd in pipes else words[:8])       # no more goes into an eventfd

    try:
        assert cost(d, write) < SHARE
        assert d.ask() == ANSWER
    finally:
        for fd in fds:
            os.close(fd)


@pytest.mark.alone
def test_a_signal_is_heard_soon_whoever_else_is_served_meanwhile(daemon):
    """The supervisor is deaf to workers for a while, and to signals: not for longer because others ask it much."""
    needs_ptrace()
    d = daemon("event", event__workers=1, max_connections=100000)
    fds = stolen(d.workers()[0].pid)
    end = time.monotonic() + 3
    caller = os.fork()                          # a thread of ours would wait for us to call
    if caller == 0:
        while time.monotonic() < end:
            for fd in fds:
                with contextlib.suppress(BlockingIOError):
                    os.write(fd, b"\n" * 8)
            time.sleep(0.0003)
        os._exit(0)
    try:
        while time.monotonic() < end:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(d.control))
                client.send(b"status\n")
                while client.recv(65536):
                    pass
    finally:
        os.waitpid(caller, 0)
        for fd in fds:
            os.close(fd)
    d.signal(signal.SIGTERM)
    d.wait_for("stopping", limit=1 + SLACK)


def states(pid):
    """Where the states of workers may be, in the memory that they share: (address, ...)."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split()
        low, high = (int(word, 16) for word in words[0].split("-"))
        if words[1] != "rw-s" or high - low <= 4096 or "/dev/zero" not in line:
            continue
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(low)
            page = memory.read(4096)
        found += [low + at for at in range(64, len(page), 64)
                  if struct.unpack_from("I", page, at)[0] in (STARTING, IDLE, BUSY)]
    return found


STORM = """
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			fork();
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}
"""


@pytest.mark.alone
def test_orphans_without_end_cost_the_supervisor_little(daemon, place):
    """A child of the model fork may make processes, which the supervisor has to reap when they have no parent."""
    (place / "storm.c").write_text(STORM)
    made = run(*os.environ.get("TEST_CC", "cc").split(), "-O", "-o", place / "storm", place / "storm.c")
    assert made.returncode == 0, made.stderr
    d = daemon("fork", under=("sh", "-c", f"{place}/storm & exec \"$@\"", "sh"))
    storm = min(p.pid for p in d.processes() if p.name == "storm" and p.ppid == d.pid)
    try:
        assert cost(d, lambda: time.sleep(0.1)) < SHARE
        first, = (p.pid for p in d.workers() if "fork 0" in p.title())
        os.kill(first, signal.SIGKILL)
        until("another worker", lambda: [p for p in d.workers() if "fork 0" in p.title() and p.pid != first], HEARS_S)
        assert d.ask() == ANSWER
    finally:
        os.kill(storm, signal.SIGKILL)


@pytest.mark.alone
@pytest.mark.parametrize("lies", [(STARTING,), (7, IDLE, BUSY)])
def test_lies_about_workers_cost_the_supervisor_little(daemon, lies):
    """The pool would shrink, if it found a worker to send away; or it is another one whenever it is counted."""
    needs_ptrace()
    d = daemon("prefork", prefork__start_workers=8, prefork__min_spare=1, prefork__max_spare=2, prefork__max_workers=8)
    one = d.workers()[0].pid
    fds, addresses, turn = stolen(one), states(one), 0
    assert len(addresses) >= 2
    with open(f"/proc/{one}/mem", "r+b", buffering=0) as memory:
        def lie():
            nonlocal turn
            turn += 1
            for address in addresses:
                memory.seek(address)
                memory.write(struct.pack("I", lies[turn % len(lies)]))
            for fd in fds:
                with contextlib.suppress(BlockingIOError):
                    os.write(fd, struct.pack("Q", 1))

        assert cost(d, lie) < SHARE
    for fd in fds:
        os.close(fd)
    assert pings(d)
