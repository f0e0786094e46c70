"""What an observer sees of the daemon's processes while some of them die."""

import ctypes
import os
import signal
import socket
import threading
import time
from pathlib import Path

from harness import is_starter, open_files, process, until

DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS)
PIDFD_GETFD = 438
libc = ctypes.CDLL(None)


def children(pid):
    """The pids of a supervisor's children, the dead among them, but not of the one that starts programs."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [child for child in found if not is_starter(process(child))]


def peer(pidfd, fd):
    """The client's port of a process's TCP connection; None for any other descriptor."""
    copy = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
    if copy < 0:
        return None
    try:
        with socket.socket(fileno=copy) as one:
            return one.getpeername()[1] if one.family == socket.AF_INET else None
    except OSError:
        return None


def clients_of(pid):
    """The clients' ports of the connections that a stopped process holds.  Not from /proc/net/tcp, which skips lines
    while connections come and go."""
    pidfd = os.pidfd_open(pid)
    try:
        found = {peer(pidfd, fd) for fd, link in open_files(pid).items() if link.startswith("socket:")}
    finally:
        os.close(pidfd)
    return found - {None}


def state(pid):
    return getattr(process(pid), "state", "X")


def dead(pid):
    """With all its threads: the first one is a zombie long before the last has left."""
    try:
        return state(pid) in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except FileNotFoundError:
        return True


def halted(pid):
    """Halts a process; False when it is dead."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    return until("its halt", lambda: {"T": "T", "X": "X", "Z": "X"}.get(state(pid))) == "T"


def kill(pid, number):
    """Kills a process and returns the ports of the clients that it served at that moment; None if it had gone."""
    try:
        if not halted(pid):
            return None
        held = clients_of(pid)
        os.kill(pid, number)
        if number != signal.SIGKILL:      # which does not wait for that, and may be over by now
            os.kill(pid, signal.SIGCONT)
        return held
    except ProcessLookupError:
        return None


class Zombies(threading.Thread):
    """Watches a process's children for the dead that nobody reaps."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.seen, self.oldest, self.over = pid, {}, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            now = time.monotonic()
            dead = {p.pid for p in map(process, children(self.pid)) if p and p.state == "Z"}
            self.seen = {pid: self.seen.get(pid, now) for pid in dead}
            self.oldest = max([self.oldest, *(now - since for since in self.seen.values())])

    def finish(self):
        self.over.set()
        self.join()
        return self.oldest
