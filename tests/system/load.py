"""Closed-loop clients: each asks, waits for the answer, and asks again."""

import errno
import random
import selectors
import socket
import threading
import time

from harness import LIMIT, parse
from protocol_model import THREE


class Caller:
    """One client; reconnects, and asks again, when it sees an orderly end before its answer."""

    def __init__(self):
        self.socket = self.question = None
        self.got = b""
        self.connected = self.asked = False
        self.owed = False          # the answer must come: the question was received before a stop
        self.answered = 0          # on this connection
        self.since = time.monotonic()


class Load:
    """A number of callers in one thread.  What must not happen is collected in `broken`."""

    def __init__(self, address, callers, table=THREE, right=None, per_connection=None, seed=1060):
        self.family, self.to = parse(address)
        self.questions, self.per_connection = list(table), per_connection
        self.right = right or (lambda question, answer: table[question] == answer)
        self.rng, self.selector = random.Random(seed), selectors.DefaultSelector()
        self.broken, self.answered, self.reconnects, self.longest = [], 0, 0, 0.0
        self.lock, self.over, self.ending = threading.Lock(), False, False
        self.callers = [Caller() for _ in range(callers)]
        for caller in self.callers:
            self.connect(caller)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over:
            ready = self.selector.select(0.05)
            with self.lock:
                for key, _ in ready:
                    self.step(key.data)

    def step(self, caller):
        try:
            if not caller.connected:
                failed = caller.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if failed:
                    raise OSError(failed, "connect: " + errno.errorcode.get(failed, str(failed)))
                caller.connected = True
                self.selector.modify(caller.socket, selectors.EVENT_READ, caller)
                self.ask(caller)
                return
            got = caller.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as failed:
            self.broken.append(f"{failed!r} at {caller.question!r}")
            self.leave(caller)
            return
        caller.got += got
        if not got:
            self.end(caller)
        elif caller.got.endswith(b"."):
            self.take(caller)

    def take(self, caller):
        if not self.right(caller.question, caller.got):
            self.broken.append(f"{caller.got!r} to {caller.question!r}")
        self.longest = max(self.longest, time.monotonic() - caller.since)
        self.answered += 1
        caller.answered += 1
        caller.owed = caller.asked = False
        if caller.answered == self.per_connection:
            self.leave(caller)
        else:
            caller.question = None
            self.ask(caller)

    def end(self, caller):
        """An orderly end: fine unless an answer was owed, or is half there."""
        if caller.owed or caller.got:
            self.broken.append(f"the end instead of an answer to {caller.question!r}, after {caller.got!r}")
        self.leave(caller)

    def leave(self, caller):
        self.selector.unregister(caller.socket)
        caller.socket.close()
        caller.socket = None
        if not self.ending:
            self.reconnects += 1
            self.connect(caller)

    def connect(self, caller):
        caller.socket = socket.socket(self.family, socket.SOCK_STREAM)
        caller.socket.setblocking(False)
        caller.connected, caller.answered = False, 0
        failed = caller.socket.connect_ex(self.to)
        assert failed in (0, errno.EINPROGRESS), errno.errorcode[failed]
        self.selector.register(caller.socket, selectors.EVENT_WRITE, caller)

    def ask(self, caller):
        if not caller.asked:
            caller.since = time.monotonic()
            caller.question = self.rng.choice(self.questions)
        caller.asked, caller.got = True, b""
        try:
            caller.socket.send(caller.question)
        except OSError as failed:
            self.broken.append(f"{failed!r} in send")

    def connected(self):
        with self.lock:
            return all(caller.connected for caller in self.callers)

    def stop_server(self, stop, owed=True):
        """Calls stop(); nobody connects again, and what was asked before must be answered unless it is not owed, since
        a reload was under way that may have cut the connection before.  Waits for all ends."""
        with self.lock:
            self.ending = True
            for caller in self.callers:
                caller.owed = owed and caller.connected and caller.asked
            stop()
        end = time.monotonic() + LIMIT
        while any(caller.socket for caller in self.callers):
            assert time.monotonic() < end, "clients were not let go"
            time.sleep(0.01)
        self.finish()

    def finish(self):
        """Ends the load; nothing may have gone wrong, and nobody may have been stuck."""
        self.over = self.ending = True
        self.thread.join()
        for caller in self.callers:
            if caller.socket:
                self.longest = max(self.longest, time.monotonic() - caller.since)
                caller.socket.close()
        assert not self.broken, f"{len(self.broken)} failures: {self.broken[:10]}"
        assert self.longest < LIMIT
