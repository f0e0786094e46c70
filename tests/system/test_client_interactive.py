"""aphorism -i, at a terminal of its own and without one."""

import fcntl
import os
import re
import select
import socket
import stat
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from harness import APHORISM, LIMIT, environment, port, run, strays, until

SIMPLE, UGLY = "Simple is better than?", "Beautiful is better than?"
PROMPT = "aphorism> "
UP, LEFT, TAB, CTRL_A, CTRL_C, CTRL_D, CTRL_Z = "\x1b[A", "\x1b[D", "\t", "\x01", "\x03", "\x04", "\x1a"
EDITS = b"libedit" in Path(APHORISM).read_bytes()
needs_editor = pytest.mark.skipif(not EDITS, reason="this build has no libedit: it edits no lines")


# What a shell with job control does when its user lets a program continue that has stopped.
SHELL = [sys.executable, "-c", """
import os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
status = os.waitpid(child, os.WUNTRACED)[1]
if os.WIFSTOPPED(status):
    os.tcsetpgrp(0, os.getpid())
    edits = not termios.tcgetattr(0)[3] & termios.ICANON
    print("stopped, and the terminal edits:", "yes" if edits else "no", flush=True)
    os.tcsetpgrp(0, child)
    os.kill(child, signal.SIGCONT)
    status = os.waitpid(child, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status))
"""]


class Terminal:
    """aphorism -i at a pseudo terminal, typed at by the test."""

    def __init__(self, place, address, *words, under=(), **env):
        self.fd, slave = os.openpty()
        self.text, self.seen = "", 0
        env = {"XDG_STATE_HOME": None, "HOME": str(place), "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        self.process = subprocess.Popen(
            [*under, APHORISM, "-i", *words, "-p", str(port(address)), "127.0.0.1"],
            stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={k: v for k, v in environment(**env).items() if v is not None})
        os.close(slave)

    def __enter__(self):
        self.expect(PROMPT)
        return self

    def __exit__(self, *_):
        os.close(self.fd)         # hangs up
        self.process.wait(LIMIT)

    def read(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:           # the other side has gone
            return False
        self.text += data.decode(errors="surrogateescape")
        return True

    def expect(self, wanted):
        """Reads until that has come, after what was expected before; returns what came with it."""
        end = time.monotonic() + LIMIT
        while wanted not in self.text[self.seen:]:
            assert self.read() and time.monotonic() < end, f"no {wanted!r} in {self.text[self.seen:]!r}"
        begin, self.seen = self.seen, self.text.index(wanted, self.seen) + len(wanted)
        return self.text[begin:self.seen]

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def signal(self, key):
        """Types a key that is a signal, to a client that sleeps: libedit may overlook what comes between keys."""
        until("the client sleeps", lambda: all(p.state == "S" for p in strays() if p.session == self.process.pid))
        self.type(key)

    def ask(self, keys, answer):
        """Types a line; the answer stands on a line of its own, and the prompt is back."""
        self.type(keys + "\r")
        self.expect(f"\n{answer}\r\n")
        return self.expect(PROMPT)

    def finish(self, status=0):
        """Types the end, and reads all that is still said."""
        self.type(CTRL_D)
        end = time.monotonic() + LIMIT
        while self.read():
            assert time.monotonic() < end, f"no end after {self.text!r}"
        assert self.process.wait(LIMIT) == status
        return self.text[self.seen:]


def test_questions_at_a_prompt(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask(f"  {UGLY} ", "Ugly.")
        user.ask(f"{SIMPLE}{UGLY}", "Complex.\r\nUgly.")
        user.type("\r")
        user.expect(PROMPT)
        user.finish()


def test_the_status_is_that_of_the_last_question(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask("Who?", "Error: unknown aphorism.")
        user.finish(1)


def test_what_is_no_question_is_told(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask("Simple", "aphorism: a question ends in '?'")
        user.ask(SIMPLE, "Complex.")
        user.finish()


def test_json_at_a_prompt(daemon, place):
    d = daemon()
    with Terminal(place, d.address, "--json") as user:
        user.type(SIMPLE + "\r")
        user.expect('{"question":"Simple is better than?","answer":"Complex."')
        user.expect(PROMPT)
        user.finish()


def test_no_server_and_no_question(place):
    with socket.create_server(("127.0.0.1", 0)) as once:
        free = once.getsockname()[1]
    result = run(APHORISM, "-i", "-p", free, "127.0.0.1")
    assert result.returncode == 69 and "refused" in result.stderr


def test_a_server_that_is_not_there_yet(place):
    """It is told, and the prompt comes all the same: a question is answered as soon as there is a server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with Terminal(place, "127.0.0.1:%d" % listener.getsockname()[1]) as user:
            assert "Connection refused" in user.text
            listener.listen()

            def serve():
                with listener.accept()[0] as one:
                    one.recv(4096)
                    one.sendall(b"Complex.")
                    one.recv(4096)

            threading.Thread(target=serve, daemon=True).start()
            user.ask(SIMPLE, "Complex.")
            user.finish()


def test_a_server_that_has_gone_ends_nothing(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        d.stop()
        user.type(SIMPLE + "\r")
        user.expect("Connection refused")
        user.expect(PROMPT)
        user.finish(69)


def test_a_reload_is_not_noticed(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        d.reloaded()
        user.ask(SIMPLE, "Complex.")
        user.finish()


# Keys and signals

def test_ctrl_c_drops_the_line(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        for _ in range(2):        # the handler stays
            user.type("Who")
            user.expect("Who")
            user.signal(CTRL_C)
            user.expect(PROMPT)
        user.ask(SIMPLE, "Complex.")
        user.finish()


def test_ctrl_c_gives_up_a_question(place):
    """Its answer may still come: it is not taken for that to the next one."""
    asked, listener = [threading.Event(), threading.Event()], socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as one:
            one.recv(4096)
            asked[0].set()
            asked[1].wait(LIMIT)
            with listener.accept()[0] as two:
                try:
                    one.sendall(b"Late.")
                except OSError:
                    pass
                two.recv(4096)
                two.sendall(b"Complex.")
                two.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    with Terminal(place, "127.0.0.1:%d" % listener.getsockname()[1]) as user:
        user.type(UGLY + "\r")
        assert asked[0].wait(LIMIT)
        user.signal(CTRL_C)
        user.expect(PROMPT)
        asked[1].set()
        user.ask(SIMPLE, "Complex.")
        user.finish()


def test_ctrl_c_gives_up_a_connection(place):
    """The server has closed the first one and has no room for the next: nothing answers to that."""
    def connecting():
        return sum(line.split()[3] == "02" and line.split()[2].endswith(":%04X" % listener.getsockname()[1])
                   for line in Path("/proc/net/tcp").read_text().splitlines()[1:])

    def fill():
        while connecting() == 0:
            others.append(socket.socket())
            others[-1].setblocking(False)
            others[-1].connect_ex(listener.getsockname())

    others = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        with Terminal(place, "127.0.0.1:%d" % listener.getsockname()[1], "-w", "10m") as user:
            with listener.accept()[0]:
                fill()
            user.type(UGLY + "\r")
            until("the client connects again", lambda: connecting() == 2)
            user.signal(CTRL_C)
            user.expect(f"{UGLY}\r\n")
            user.expect(PROMPT)
            user.finish(75)
        for one in others:
            one.close()


@needs_editor
def test_a_line_is_edited(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask("imple is better thn?" + LEFT * 2 + "a" + CTRL_A + "S", "Complex.")
        user.finish()


@needs_editor
def test_a_stop_and_a_continue(daemon, place):
    """Under a shell with job control: Ctrl-Z, and fg afterwards."""
    d = daemon()
    with Terminal(place, d.address, under=SHELL) as user:
        user.type("Simple is")
        user.expect("Simple is")
        user.signal(CTRL_Z)
        user.expect("stopped, and the terminal edits: no\r\n")
        user.expect(PROMPT + "Simple is")
        user.ask(" better than?", "Complex.")
        user.finish()


# What a server says

@pytest.mark.parametrize("edits", [True, False])
def test_a_server_commands_no_terminal(place, edits):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as one:
            one.recv(4096)
            one.sendall(b"\x1b]0;title\x07 \r\n\x9b2J \xc2\x9b2J \xc3\xa4.")
            one.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    address = "127.0.0.1:%d" % listener.getsockname()[1]
    with Terminal(place, address, TERM="xterm" if edits else "dumb") as user:
        user.ask(SIMPLE, "\\x1b]0;title\\x07 \\r\\n\\x9b2J \\xc2\\x9b2J ä.")
        user.finish()


# History

def history(place):
    return place / ".local/state/aphorism/history"


@needs_editor
def test_the_arrow_brings_the_last_question_back(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask(UGLY, "Ugly.")
        user.ask(UP + UP, "Complex.")
        user.finish()


@needs_editor
def test_history_outlives_the_session(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask(SIMPLE, "Complex.")
        user.process.kill()       # whatever the end
    assert stat.S_IMODE(history(place).stat().st_mode) == 0o600
    for folder in list(history(place).parents)[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(history(place).parent) == ["history"]
    with Terminal(place, d.address) as user:
        user.ask(UP, "Complex.")
        user.finish()


@needs_editor
def test_history_is_bounded(daemon, place):
    history(place).parent.mkdir(parents=True)
    history(place).write_text("_HiStOrY_V2_\n" + "".join(f"Who\\040is\\040{n}?\n" for n in range(5000)))
    history(place).chmod(0o644)
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask("y" * 4100 + "?", "aphorism: 127.0.0.1:%d: Error: question too long." % port(d.address))
        user.finish(64)
    lines = history(place).read_text().splitlines()
    assert len(lines) == 501 and lines[-1] == SIMPLE.replace(" ", "\\040") and lines[-2].endswith("4999?")
    assert stat.S_IMODE(history(place).stat().st_mode) == 0o600


@needs_editor
def test_the_place_of_the_history(daemon, place):
    d = daemon()
    with Terminal(place, d.address, XDG_STATE_HOME=f"{place}/some/state") as user:
        user.ask(SIMPLE, "Complex.")
        user.finish()
    assert (place / "some/state/aphorism/history").exists() and not (place / ".local").exists()
    with Terminal(place, d.address, XDG_STATE_HOME="relative") as user:
        user.ask(SIMPLE, "Complex.")
        user.finish()
    assert history(place).exists()


@pytest.mark.parametrize("home", [None, "", "relative", "/nonexistent"])
def test_without_a_home_there_is_none(daemon, place, home):
    d = daemon()
    with Terminal(place, d.address, HOME=home) as user:
        user.ask(SIMPLE, "Complex.")
        assert "history" not in user.text + user.finish()
    assert not os.path.exists("/nonexistent") and not os.path.exists("relative")


@needs_editor
@pytest.mark.parametrize("what", ["a folder", "some text", "/dev/null", "a FIFO"])
def test_what_is_no_history_is_left_alone(daemon, place, what):
    file = history(place)
    file.parent.mkdir(parents=True)
    if what == "a folder":
        file.mkdir()
    elif what == "some text":
        file.write_text("Dear diary,\n")
    elif what == "a FIFO":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/null")
    before = os.lstat(file)
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.finish()
        assert (f"{file}: " in user.text) == (what == "some text")
    assert os.lstat(file)[:3] == before[:3] and os.listdir(file.parent) == ["history"]
    assert what != "some text" or file.read_text() == "Dear diary,\n"


# Completion

@needs_editor
def test_completion_of_what_was_asked(daemon, place):
    d = daemon()
    with Terminal(place, d.address) as user:
        user.ask(SIMPLE, "Complex.")
        user.ask(UGLY, "Ugly.")
        user.ask("Sim" + TAB, "Complex.")
        user.ask("Simplicity is Ä?", "Error: unknown aphorism.")
        user.type("S" + TAB)
        user.expect("impl")
        user.type(TAB)            # nothing in common any more: both are listed
        listed = user.expect(PROMPT)
        assert sorted(re.findall(r"\n(S.*?)\r\n", listed.replace("\r\n", "\r\n\n"))) == [SIMPLE, "Simplicity is Ä?"]
        user.ask("ic" + TAB, "Error: unknown aphorism.")
        user.finish(1)


# Without a terminal

def test_lines_without_a_terminal(daemon, model):
    d = daemon(model)
    result = run(APHORISM, "-i", "-p", port(d.address), "127.0.0.1", stdin=None,
                 input=f"{SIMPLE}\n\n {UGLY}{SIMPLE}\nno question\nWho?")
    assert result.stdout == "Complex.\nUgly.\nComplex.\nError: unknown aphorism.\n"
    assert result.returncode == 1 and result.stderr == "aphorism: a question ends in '?'\n"
