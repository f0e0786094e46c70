"""aphorismctl top, at a terminal of its own."""

import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from harness import APHORISMCTL, LIMIT, SEES_WAITS, environment, holds, run, until

HAS_TOP = b"this build has no ncurses" not in Path(APHORISMCTL).read_bytes()
needs_ncurses = pytest.mark.skipif(not HAS_TOP, reason="this build has no ncurses: it draws nothing")
ROWS, COLUMNS = 30, 120


class Screen:
    """A terminal of so many rows that shows what a program draws: as much of a VT100 as ncurses makes use of here."""

    def __init__(self, *command, term="vt100", columns=COLUMNS):
        self.fd, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env=environment(TERM=term, LC_ALL="C"))
        os.close(slave)
        self.text, self.reverse = "", False
        self.lines, self.bars = [[" "] * COLUMNS for _ in range(ROWS)], [[False] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        self.process.wait(LIMIT)

    def read(self):
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:               # the other side has gone
                return False
            self.draw()
        return True

    def draw(self):
        while self.text:
            found = re.match(r"\x1b\[([\d;?]*)([A-Za-z])|\x1b[()].|\x1b[=>78DEMHc]", self.text)
            if found:
                self.obey(found)
            elif self.text[0] == "\x1b":
                return                    # the rest of it is still to come
            else:
                self.put(self.text[0])
            self.text = self.text[found.end() if found else 1:]

    def obey(self, found):
        numbers = [int(n) for n in (found.group(1) or "").split(";") if n.isdigit()]
        first, final = (numbers or [0])[0], found.group(2) or " "
        if final == "H":
            self.row, self.column = (numbers + [1, 1])[0] - 1 if numbers else 0, (numbers + [1, 1])[1] - 1
        elif final == "J":
            self.erase(self.row, self.column, ROWS)
        elif final == "K" and first == 1:
            self.lines[self.row][:self.column + 1] = [" "] * (self.column + 1)
            self.bars[self.row][:self.column + 1] = [False] * (self.column + 1)
        elif final == "K":
            self.erase(self.row, self.column, self.row + 1)
        elif final == "m":
            self.reverse = 7 in numbers or (self.reverse and not (not numbers or 0 in numbers))
        elif final in "ABCD":
            by = max(1, first)
            self.row += {"A": -by, "B": by}.get(final, 0)
            self.column += {"C": by, "D": -by}.get(final, 0)

    def erase(self, row, column, end):
        for n in range(row, end):
            begin = column if n == row else 0
            self.lines[n][begin:] = [" "] * (COLUMNS - begin)
            self.bars[n][begin:] = [False] * (COLUMNS - begin)

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row = min(self.row + 1, ROWS - 1)
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column = (self.column // 8 + 1) * 8
        elif character >= " ":
            self.lines[self.row][self.column] = character
            self.bars[self.row][self.column] = self.reverse
            self.column = min(self.column + 1, COLUMNS - 1)

    def shown(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def expect(self, pattern):
        def found():
            self.read()
            return re.search(pattern, self.shown(), re.MULTILINE)
        try:
            return until(pattern, found)
        except AssertionError:
            print(self.shown())
            raise

    def type(self, text):
        os.write(self.fd, text.encode())


@pytest.fixture
def top():
    def start(d, **more):
        return Screen(APHORISMCTL, "-s", d.control, "top", **more)
    return start


@needs_ncurses
def test_workers_live(daemon, model, top):
    d = daemon(model)
    clients = [d.connect() for _ in range(holds(model, 2))]
    for client in clients:
        client.ask(b"Simple is better than?")
    with top(d) as screen:
        screen.expect(rf"^aphorismd \S+ +{model}, generation 1, serving")
        screen.expect(rf"^connections {len(clients)} of 1024, 0 queued")
        waits = r"waits p50 [\d.]+ p99 [\d.]+ us, " if model in SEES_WAITS else ""
        screen.expect(rf"^latency     {waits}service p50 [\d.]+ p99 [\d.]+ us$")
        for worker in d.workers():
            screen.expect(rf"^ +\d+ +{worker.pid} +(idle|busy) ")
        # it moves, in place: a rate, and a bar beside it
        end = time.monotonic() + LIMIT
        while not any(map(any, screen.bars)):
            clients[0].ask(b"Simple is better than?")
            screen.read()
            assert time.monotonic() < end, screen.shown()
        assert re.search(r"^questions   [1-9]\d*/s", screen.shown(), re.MULTILINE), screen.shown()
        d.reloaded()
        screen.expect("generation 2, ")
        screen.type("q")
        assert screen.process.wait(LIMIT) == 0
        assert termios.tcgetattr(screen.fd)[3] & termios.ECHO
    for client in clients:
        client.close()


@needs_ncurses
def test_a_daemon_that_goes_and_comes_back(daemon, place, top):
    d = daemon("event", event__workers=1)
    with top(d) as screen:
        screen.expect("event, generation 1")
        d.stop()
        screen.expect("waiting for aphorismd")
        again = daemon("iterative")
        screen.expect(rf"iterative, generation 1, serving[\s\S]*{again.workers()[0].pid}")
        screen.process.send_signal(signal.SIGTERM)
        screen.process.wait(LIMIT)


@needs_ncurses
@pytest.mark.parametrize("end", ["q", "\x03", signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("there", [True, False])
def test_the_end(daemon, top, end, there):
    """By a key or by a signal it is the same: the terminal is as it was before, and nothing has failed."""
    d = daemon()
    with top(d) as screen:
        screen.expect("generation 1")
        if not there:
            d.stop()
            screen.expect("waiting for aphorismd")
        if isinstance(end, str):
            screen.type(end)
        else:
            screen.process.send_signal(end)
        assert screen.process.wait(LIMIT) == 0
        assert termios.tcgetattr(screen.fd)[3] & termios.ECHO


@needs_ncurses
def test_a_terminal_that_can_not_be_drawn_on(daemon, top):
    with top(daemon(), term="no-such-terminal") as screen:
        screen.expect("TERM")
        assert screen.process.wait(LIMIT) == 69


@needs_ncurses
@pytest.mark.parametrize("columns", [80, 60, 20])
def test_a_narrow_terminal(daemon, top, columns):
    """What has no room is cut: nothing of it is left on the next line."""
    d = daemon("prefork", listen=("[::1]:0",), prefork__start_workers=3)
    clients = [d.connect() for _ in range(3)]
    for client in clients:
        client.ask(b"Simple is better than?")
    with top(d, columns=columns) as screen:
        screen.expect("^q ends")
        if columns == 80:
            screen.expect(rf"^ +\d+ +\d+ +busy .* \[::1\]:{clients[-1].socket.getsockname()[1]}$")
        for line in screen.shown().splitlines()[6:-1]:
            assert re.match(r" +\d+ +\d+( +[a-z]|$)|$", line), screen.shown()
        assert all(len(line) <= columns for line in screen.shown().splitlines())
        screen.type("q")
        assert screen.process.wait(LIMIT) == 0
    for client in clients:
        client.close()


def test_for_programs(daemon, model):
    """An object a line, once a second, without a terminal; while there is no daemon, too."""
    d = daemon(model)
    with subprocess.Popen([APHORISMCTL, "-s", d.control, "--json", "top"], stdout=subprocess.PIPE,
                          env=environment()) as stream:
        def sample():
            return json.loads(stream.stdout.readline())

        first = sample()
        assert first["ok"] is True and first["seconds"] == 0 and first["status"]["model"] == model
        assert first["workers"]["worker"][0]["pid"] in {p.pid for p in d.workers()}
        d.ask(b"Simple is better than?")
        second = sample()
        assert 0.9 < second["seconds"] < LIMIT and second["stats"]["questions"] == 1
        d.stop()
        while sample()["ok"]:
            pass
        last = sample()
        assert last["exit"] == 69 and str(d.control) in last["error"][0]
        stream.stdout.close()
        assert stream.wait(LIMIT) == -signal.SIGPIPE


REFUSALS = {
    "no rights": (b"error permission denied\nend 77\n", 77, "permission denied"),
    "no reason": (b"end 77\n", 77, "77"),
    "another version": (b"error unknown command\nend 64\n", 64, "unknown to this daemon, which is of another version"),
}


@contextmanager
def answering(place, *answers):
    """A control socket that gives these answers, one a connection, the last ever after; None closes at once."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "fake"))
        server.listen()

        def serve():
            for answer in chain(answers, repeat(answers[-1])):
                try:
                    with server.accept()[0] as one:
                        if answer and one.recv(1000):
                            one.sendall(answer)
                except BrokenPipeError:
                    pass                  # nobody asked
                except OSError:
                    return                # closed

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield place / "fake"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT)


@needs_ncurses
@pytest.mark.parametrize("which", REFUSALS)
def test_refused_from_the_start(place, which):
    answer, status, reason = REFUSALS[which]
    with answering(place, answer) as path, Screen(APHORISMCTL, "-s", path, "top") as screen:
        screen.expect(rf"^aphorismctl: top: .*{reason}")
        assert screen.process.wait(LIMIT) == status


@pytest.mark.parametrize("which", REFUSALS)
def test_refused_from_the_start_for_programs(place, which):
    answer, status, reason = REFUSALS[which]
    with answering(place, answer) as path:
        result = run(APHORISMCTL, "-s", path, "--json", "top")
    assert result.returncode == status and json.loads(result.stdout)["exit"] == status
    assert result.stderr.startswith("aphorismctl: top: ") and reason in result.stderr


# One that is there, three answers to the first round, and the refusals.
THEN_REFUSED = [None, b"end 0\n", b"end 0\n", b"end 0\n"]


@needs_ncurses
@pytest.mark.parametrize("which", REFUSALS)
def test_refused_later(place, which):
    answer, status, reason = REFUSALS[which]
    with answering(place, *THEN_REFUSED, answer) as path, Screen(APHORISMCTL, "-s", path, "top") as screen:
        screen.expect(rf"^{path}: aphorismd refuses \(status {status}\)")
        screen.expect(reason)
        screen.type("q")
        assert screen.process.wait(LIMIT) == 0


@pytest.mark.parametrize("which", REFUSALS)
def test_refused_later_for_programs(place, which):
    answer, status, reason = REFUSALS[which]
    with answering(place, *THEN_REFUSED, answer) as path, \
         subprocess.Popen([APHORISMCTL, "-s", path, "--json", "top"], stdout=subprocess.PIPE) as stream:
        sample = json.loads(stream.stdout.readline())
        stream.stdout.close()
        assert stream.wait(LIMIT) == -signal.SIGPIPE
    assert sample["exit"] == status and sample["ok"] is False and reason in f"{sample}"


def test_without_a_terminal(daemon):
    result = daemon().ctl("top")
    assert result.returncode == 64 and result.stderr.startswith("aphorismctl: top")


def test_nobody_there_for_a_program(place):
    result = run(APHORISMCTL, "-s", place / "missing", "--json", "top")
    assert result.returncode == 69 and json.loads(result.stdout)["exit"] == 69


@needs_ncurses
def test_nobody_there(place):
    with Screen(APHORISMCTL, "-s", place / "missing", "top") as screen:
        screen.expect("aphorismd is not running")
        assert screen.process.wait(LIMIT) == 69
