"""Thousands of clients in processes of their own, so that their descriptors and their work are not the test's.

All but the torrent hold connections, or talk on them; a server that is quicker than Python accepts them as they come,
and its queue is empty most of the time.  A torrent keeps it full, and sees to it that it does.
"""

import ctypes
import multiprocessing
import os
import random
import resource
import select
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

from harness import parse, queued, run, until

IPV6_FREEBIND = 78
context = multiprocessing.get_context("fork")


def many_files(wanted):
    """Raises our limit of open files; False where the machine does not allow so many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else wanted, hard))
    return True


class Flood:
    """A process that runs body(told, ...) until it is told to stop; what body returns is the result."""

    def __init__(self, body, *given):
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=self.run, args=(theirs, body, given), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, theirs, body, given):
        self.ours.close()
        many_files(16384)
        theirs.send(body(theirs, *given))

    def wait(self, limit):
        """The next word of the process."""
        assert self.ours.poll(limit), f"nothing from the flood within {limit:g} s"
        return self.ours.recv()

    def stop(self, limit=30):
        self.ours.send("stop")
        word = self.wait(limit)
        self.process.join(limit)
        return word

    def end(self):
        """Whatever it is doing."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.ours.close()


class Torrent:
    """torrent.c: connections from one source without end, until its own."""

    SOURCE, BACKLOG = "127.0.0.3", 4096

    def __init__(self, place, address):
        program, source = Path(place) / "torrent", Path(__file__).with_name("torrent.c")
        built = run(*os.environ.get("TEST_CC", "cc").split(), "-O2", "-pthread", "-D_GNU_SOURCE", "-o", program, source)
        assert built.returncode == 0, built.stderr
        to = parse(address)[1]
        self.address, self.lengths = address, []
        self.process = subprocess.Popen([str(program), self.SOURCE, to[0], str(to[1])], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"pouring\n"
        self.most = min(self.BACKLOG, int(Path("/proc/sys/net/core/somaxconn").read_text()))
        until("a full queue", lambda: queued(address) >= self.most)

    def sample(self):
        """Notes how many are queued; to be called now and then."""
        self.lengths.append(queued(self.address))

    def check(self):
        """It was full nearly always."""
        length = statistics.median(self.lengths)
        print(f"{self.lengths.count(0)} of {len(self.lengths)} times the queue was empty; its median is {length}")
        assert length > self.most / 2, f"no torrent: {length} of {self.most} were queued"

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def connect_all(address, count, at_once=256, limit=60, before=None):
    """So many connections, none of which waits for another; sockets in non-blocking mode."""
    family, to = parse(address)
    epoll, pending, done, end = select.epoll(), {}, [], time.monotonic() + limit
    while len(done) < count:
        while len(pending) < at_once and len(done) + len(pending) < count:
            one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if before:
                before(one)
            one.connect_ex(to)
            epoll.register(one, select.EPOLLOUT)
            pending[one.fileno()] = one
        for fd, _ in epoll.poll(0.5):
            one = pending.pop(fd)
            epoll.unregister(one)
            failed = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert not failed, f"connection {len(done)}: {failed}"
            done.append(one)
        assert time.monotonic() < end, f"only {len(done)} connections"
    epoll.close()
    return done


def drip(pipe, address, count, pause_s):
    """Half a question each, and a byte more now and then; how many were still there at the end."""
    sockets = connect_all(address, count)
    for one in sockets:
        one.send(b"Simple is ")
    pipe.send("dripping")
    alive = list(sockets)
    while not pipe.poll(0):
        begin, next_ones = time.monotonic(), []
        for number, one in enumerate(alive):
            try:
                one.send(b"x")
                next_ones.append(one)
            except BlockingIOError:
                next_ones.append(one)
            except OSError:
                one.close()
            if number % 100 == 99 and pipe.poll(max(0, begin + pause_s * number / len(alive) - time.monotonic())):
                break
        else:
            alive = next_ones
    for one in sockets:
        one.close()
    return len(alive)


def never_read(pipe, address, count, question):
    """Clients that ask and ask, and never read, until the server has dropped all of them; how many it has not."""
    def small(one):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)      # ours would be megabytes

    left = {one.fileno(): one for one in connect_all(address, count, before=small)}
    epoll = select.epoll()
    for fd in left:
        epoll.register(fd, select.EPOLLOUT | select.EPOLLRDHUP)
    pipe.send("asking")
    while left and not pipe.poll(0):
        for fd, what in epoll.poll(0.2):
            try:
                if what & (select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP):
                    raise ConnectionResetError
                left[fd].send(question * 100)
            except BlockingIOError:
                pass
            except OSError:
                epoll.unregister(fd)
                left.pop(fd).close()
    for one in left.values():
        one.close()
    return len(left)


def white_space(pipe, address, count, limit):
    """Clients that send white space as fast as they can; seconds until the last of them was dropped, or None."""
    begin, left = time.monotonic(), connect_all(address, count)
    pipe.send("sending")
    while left and time.monotonic() < begin + limit:
        for one in list(left):
            try:
                one.send(b" " * 1000000)
            except BlockingIOError:
                pass
            except OSError:
                left.remove(one)
                one.close()
    return None if left else time.monotonic() - begin


def stand_in_line(pipe, address, count, question):
    """So many clients that ask once and stay.  To 'count' it says how many have an answer, to 'close N' it ends N of
    those who have one."""
    waiting = {one.fileno(): one for one in connect_all(address, count)}
    epoll, answered, ended = select.epoll(), [], 0
    for fd, one in waiting.items():
        one.send(question)
        epoll.register(fd, select.EPOLLIN)
    pipe.send("asked")
    while True:
        for fd, _ in epoll.poll(0.01):
            epoll.unregister(fd)
            one = waiting.pop(fd)
            got = one.recv(1000)
            if got:
                answered.append((one, got))
            else:
                ended += 1
                one.close()
        word = pipe.recv() if pipe.poll(0) else ""
        if word == "count":
            pipe.send((len(answered), sorted({got for _, got in answered}), ended))
        elif word.startswith("close "):
            for one, _ in answered[:int(word[6:])]:
                one.close()
            del answered[:int(word[6:])]
        elif word == "stop":
            for one in [*waiting.values(), *(one for one, _ in answered)]:
                one.close()
            return "stopped"


def come_and_go(pipe, address, count, seed):
    """So many connections one after another, of every kind and end; how many answers were right."""
    rng, right = random.Random(seed), 0
    family, to = parse(address)
    for number in range(count):
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(30)
            one.connect(to)
            kind = rng.randrange(4)
            try:
                if kind:
                    one.send(b"Simple is better than?" if kind > 1 else b"Simple is bet")
                if kind > 1:
                    right += one.recv(100) == b"Complex."
            finally:
                if kind != 2:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return right


def many_sources(pipe, netns, address, count, seed):
    """A connection from so many networks of their own, 64 at a time; 'half' is said in the middle."""
    with open(netns) as ns:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.setns(ns.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
    rng, open_ones = random.Random(seed), []
    to = parse(address)[1]
    for number in range(count):
        one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        one.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.bind((f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::{rng.getrandbits(16):x}", 0))
        one.connect(to)
        open_ones.append(one)
        if len(open_ones) == 64:
            one.send(b"Simple is better than?")
            assert one.recv(99) == b"Complex."       # the daemon has kept up: else memory would go by its lag
            for one in open_ones:
                one.close()
            open_ones.clear()
        if number == count // 10:
            pipe.send("some")
    for one in open_ones:
        one.close()
    return "all"


def long_questions(pipe, address, count, length):
    """Questions that are nearly as long as they may be and never end; those who are cut are content with it."""
    left = {one.fileno(): (one, length) for one in connect_all(address, count)}
    epoll = select.epoll()
    for fd in left:
        epoll.register(fd, select.EPOLLOUT)
    while not pipe.poll(0):
        for fd, _ in epoll.poll(0.1):
            one, rest = left[fd]
            try:
                left[fd] = one, rest - one.send(b"x" * min(rest, 65536))
            except BlockingIOError:
                continue
            except OSError:
                left[fd] = one, 0
            if left[fd][1] == 0:
                epoll.unregister(fd)
    return count
