"""A crowd of clients that talk until they are told to stop, and what became of each of their connections.

Each sends a script of its own, piece by piece, and waits after each piece for as many answers as it holds questions.
What came back is judged by the oracle when the connection has ended, however it has.
"""

import errno
import random
import select
import socket
import threading
import time
from collections import Counter, namedtuple

import protocol_model
from harness import LIMIT, parse
from oracle import wrong
from protocol_model import THREE

# How a connection ended.
COMPLETE = "complete"      # all answers came, then the end that we asked for
CUT = "cut"                # an orderly end before the last answer
RESET = "reset"            # ECONNRESET
REFUSED = "refused"        # no connection at all
PAUSE_S = 0.01             # after a refusal

End = namedtuple("End", "how port at sent got wanted")


def small_talk(rng, questions=6):
    """Pieces of a script: mostly known questions, some unknown, cut and with white space as it comes."""
    pieces = []
    for _ in range(rng.randint(1, questions)):
        question = rng.choice(list(THREE)) if rng.random() < 0.8 else protocol_model.noise(rng, 20) + b"?"
        question = protocol_model.white(rng) + question
        at = rng.randrange(len(question)) if rng.random() < 0.3 else 0
        pieces += [question[:at], question[at:]] if at else [question]
    return pieces


class Talker:
    def __init__(self, crowd):
        self.crowd, self.socket = crowd, None
        self.connect()

    def connect(self):
        crowd = self.crowd
        self.pieces, self.sent, self.got = crowd.script(crowd.rng), b"", b""
        self.asked = self.answered = 0
        self.connected = self.finished = False
        self.since, self.mark = time.monotonic(), crowd.mark()
        self.socket = socket.socket(crowd.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if crowd.source:
            self.socket.bind((crowd.source, 0))
        failed = self.socket.connect_ex(crowd.to)
        crowd.by_fd[self.socket.fileno()] = self
        crowd.epoll.register(self.socket.fileno(), select.EPOLLOUT)
        if failed not in (0, errno.EINPROGRESS):
            self.end(REFUSED)

    def port(self):
        try:
            return self.socket.getsockname()[1] if self.crowd.family != socket.AF_UNIX else 0
        except OSError:
            return 0

    def step(self):
        try:
            if not self.connected:
                if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return self.end(REFUSED)
                self.connected = True
                self.crowd.epoll.modify(self.socket.fileno(), select.EPOLLIN)
                return self.go_on()
            more = self.socket.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            return self.end(RESET)
        if not more:
            return self.end(COMPLETE if self.finished and self.answered == self.asked else CUT)
        self.got += more
        self.answered += more.count(b".")
        if self.answered >= self.asked:
            self.crowd.answers += self.asked > 0
            self.crowd.longest = max(self.crowd.longest, time.monotonic() - self.since)
            return self.go_on()
        return None

    def go_on(self):
        """Sends up to the next piece that holds a question; behind the last one, our end."""
        try:
            while self.answered >= self.asked and self.pieces:
                piece = self.pieces.pop(0)
                self.since = time.monotonic()
                self.asked += piece.count(b"?")
                self.sent += piece
                assert self.socket.send(piece) == len(piece), "the pieces are too long for this test"
            if self.answered >= self.asked and not self.finished:
                self.finished = True
                self.socket.shutdown(socket.SHUT_WR)
        except OSError as failed:
            # whoever sends behind the server's end is told so; what it was is what comes next when reading
            if failed.errno not in (errno.EPIPE, errno.ENOTCONN):
                self.end(RESET)

    def end(self, how):
        crowd = self.crowd
        crowd.take_note(self.mark, End(how, self.port(), time.monotonic(), self.sent, self.got, self.asked))
        self.close()
        crowd.waiting.append((time.monotonic() + (PAUSE_S if how == REFUSED else 0), self))

    def close(self):
        del self.crowd.by_fd[self.socket.fileno()]
        self.socket.close()
        self.socket = None


class Crowd:
    """Talks in a thread of its own from the beginning on, until finish().

    tables says which may hold for a connection; it is given what mark said when that connection began.
    """

    def __init__(self, address, count, rng=None, tables=lambda mark: (THREE,), mark=lambda: None, script=small_talk,
                 last_words=(), source=None):
        self.family, self.to = parse(address)
        self.rng = random.Random(rng.random() if rng else 0)
        self.tables, self.mark, self.script, self.last_words = tables, mark, script, last_words
        self.source = source
        self.epoll, self.by_fd, self.waiting = select.epoll(), {}, []
        self.count, self.ends, self.wrong, self.answers, self.longest = Counter(), [], [], 0, 0.0
        self.ending = self.over = False
        self.failed = None
        self.talkers = [Talker(self) for _ in range(count)]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.over:
                for fd, _ in self.epoll.poll(0.05):
                    if fd in self.by_fd:
                        self.by_fd[fd].step()
                self.connect_again()
                if self.ending and not self.by_fd:
                    return
        except BaseException as failed:
            self.failed = failed
            raise

    def connect_again(self):
        now = time.monotonic()
        due = [talker for at, talker in self.waiting if at <= now]
        self.waiting = [(at, talker) for at, talker in self.waiting if at > now]
        for talker in due:
            if not self.ending:
                talker.connect()

    def take_note(self, mark, end):
        """Complete connections are only counted: a long test has very many of them."""
        reason = wrong(end.sent, end.got, *self.tables(mark), last_words=self.last_words)
        if reason:
            self.wrong.append(reason)
        self.count[end.how] += 1
        if end.how != COMPLETE:
            self.ends.append(end)

    def how_many(self, *hows):
        return sum(self.count[how] for how in hows)

    def finish(self, limit=LIMIT):
        """Lets all talk to their end; nothing may have been answered wrongly, and nobody may be stuck."""
        self.ending = True
        self.thread.join(limit)
        stuck = len(self.by_fd)
        self.over = True
        self.thread.join()
        for talker in list(self.by_fd.values()):
            talker.close()
        self.epoll.close()
        assert not self.failed, self.failed
        assert not stuck, f"{stuck} clients are stuck"
        assert not self.wrong, f"{len(self.wrong)} wrong answers: {self.wrong[:5]}"
