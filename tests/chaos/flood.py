"""Thousands of clients in a process of their own, so that their descriptors and their work are not the test's."""

import multiprocessing
import resource
import select
import socket
import time

from harness import parse

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


def drip(told, address, count, pause_s):
    """Half a question each, and a byte more now and then; how many were still there at the end."""
    sockets = connect_all(address, count)
    for one in sockets:
        one.send(b"Simple is ")
    told.send("dripping")
    alive = list(sockets)
    while not told.poll(0):
        begin, next_ones = time.monotonic(), []
        for number, one in enumerate(alive):
            try:
                one.send(b"x")
                next_ones.append(one)
            except BlockingIOError:
                next_ones.append(one)
            except OSError:
                one.close()
            if number % 100 == 99 and told.poll(max(0, begin + pause_s * number / len(alive) - time.monotonic())):
                break
        else:
            alive = next_ones
    for one in sockets:
        one.close()
    return len(alive)


def never_read(told, address, count, question):
    """Clients that ask and ask, and never read, until the server has dropped all of them; how many it has not."""
    def small(one):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)      # ours would be megabytes

    left = {one.fileno(): one for one in connect_all(address, count, before=small)}
    epoll = select.epoll()
    for fd in left:
        epoll.register(fd, select.EPOLLOUT | select.EPOLLRDHUP)
    told.send("asking")
    while left and not told.poll(0):
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
