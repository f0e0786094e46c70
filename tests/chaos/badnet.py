"""Two network namespaces and a bad wire between them, which is this program: it loses, delays, reorders and doubles.

Each namespace has a TUN device; a process of its own carries packets from one to the other.  Nothing of it has a name
outside: namespaces and devices are gone when the last descriptor of them is closed.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFFLAGS = 0x8914, 0x8916, 0x891C, 0x8913
IFF_UP = 1
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
PACKET = 65536

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def here():
    """A descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def inside(namespace):
    """What is begun here, sockets, threads and processes, lives in that namespace."""
    before = here()
    checked(libc.setns(namespace, CLONE_NEWNET), "setns")
    try:
        yield
    finally:
        checked(libc.setns(before, CLONE_NEWNET), "setns")
        os.close(before)


def address_request(name, address):
    return struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))


def bring_up(control, name):
    flags = struct.unpack("16sH", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH22x", name, 0))[:18])[1]
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))


def namespace(address):
    """A new one with a TUN device of that address; descriptors of both."""
    before = here()
    checked(libc.unshare(CLONE_NEWNET), "unshare")
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"bad0", IFF_TUN | IFF_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCSIFADDR, address_request(b"bad0", address))
            fcntl.ioctl(control, SIOCSIFNETMASK, address_request(b"bad0", "255.255.255.0"))
            bring_up(control, b"bad0")
            bring_up(control, b"lo")
        return here(), tun
    finally:
        checked(libc.setns(before, CLONE_NEWNET), "setns")
        os.close(before)


class BadNetwork:
    """`server` and `client` are namespaces.  loss, double: shares of all packets.  delay, jitter: seconds."""

    def __init__(self, seed, **quality):
        self.server, server_tun = namespace(SERVER)
        self.client, client_tun = namespace(CLIENT)
        about = json.dumps({"seed": seed, **quality})
        command = [sys.executable, __file__, str(server_tun), str(client_tun), about]
        self.wire = subprocess.Popen(command, pass_fds=(server_tun, client_tun), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        os.close(server_tun)
        os.close(client_tun)

    def end(self):
        """Ends it, and returns what it has done: carried, lost, doubled, overtaken."""
        done, _ = self.wire.communicate(timeout=30)
        os.close(self.server)
        os.close(self.client)
        return json.loads(done)


@contextmanager
def bad_network(seed, **quality):
    """Whatever happens inside, the wire ends with it."""
    network = BadNetwork(seed, **quality)
    try:
        yield network
    finally:
        if network.wire.poll() is None:
            network.end()


class Wire:
    """The process in between; ends with its standard input."""

    def __init__(self, ends, seed, loss, double, delay, jitter):
        self.ends, self.rng = dict(zip(ends, reversed(ends))), random.Random(seed)
        self.loss, self.double, self.delay, self.jitter = loss, double, delay, jitter
        self.queue, self.number, self.last = [], 0, dict.fromkeys(ends, 0)
        self.done = {"carried": 0, "lost": 0, "doubled": 0, "overtaken": 0}

    def take(self, fd):
        try:
            while True:
                packet = os.read(fd, PACKET)
                if self.rng.random() < self.loss:
                    self.done["lost"] += 1
                    continue
                copies = 1 + (self.rng.random() < self.double)
                self.done["doubled"] += copies - 1
                for _ in range(copies):
                    self.number += 1
                    due = time.monotonic() + self.delay + self.rng.random() * self.jitter
                    heapq.heappush(self.queue, (due, self.number, self.ends[fd], packet))
        except BlockingIOError:
            pass

    def give(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            _, number, fd, packet = heapq.heappop(self.queue)
            self.done["overtaken"] += number < self.last[fd]
            self.last[fd] = max(number, self.last[fd])
            self.done["carried"] += 1
            try:
                os.write(fd, packet)
            except OSError:
                pass            # its queue is full: a loss like any other

    def run(self):
        poll = select.poll()
        for fd in (*self.ends, 0):
            poll.register(fd, select.POLLIN)
        while True:
            wait = max(0, self.queue[0][0] - time.monotonic()) * 1000 if self.queue else None
            ready = [fd for fd, _ in poll.poll(wait)]
            if 0 in ready:
                print(json.dumps(self.done))
                return
            for fd in ready:
                self.take(fd)
            self.give()


if __name__ == "__main__":
    Wire([int(word) for word in sys.argv[1:3]], **json.loads(sys.argv[3])).run()
