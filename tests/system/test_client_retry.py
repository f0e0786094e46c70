"""aphorism asks again on a new connection what the server closed before an answer: nothing lost, nothing twice."""

import contextlib
import json
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import APHORISM, LIMIT, environment, parse, port, run, until

NUMBERED = {b"Which is number %d?" % n: b"The one after %d." % (n - 1) for n in range(1000)}
SIMPLE = "Simple is better than?"


def where(address):
    """The words of a command line that name the server."""
    return [address] if address.startswith("unix:") else ["-p", str(port(address)), parse(address)[1][0]]


@contextlib.contextmanager
def fed(*words):
    """A client that is asked by its standard input, and is ended when the limit is over."""
    with subprocess.Popen([APHORISM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment()) as client:
        watch = threading.Timer(LIMIT, client.kill)
        watch.start()
        try:
            yield client
        finally:
            watch.cancel()
            client.kill()


class Asker:
    """aphorism -, fed for as long as the test likes; what it prints is held against what it was asked."""

    def __init__(self, address):
        self.process = subprocess.Popen([APHORISM, "--json", *where(address), "-"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.feeds, self.asked, self.answered, self.retried, self.wrong = True, 0, 0, 0, []
        self.threads = [threading.Thread(target=body, daemon=True) for body in (self.feed, self.read)]
        for thread in self.threads:
            thread.start()

    def feed(self):
        try:
            while self.feeds:
                self.process.stdin.write(b"\n".join(NUMBERED) + b"\n")
                self.asked += len(NUMBERED)
            self.process.stdin.close()
        except BrokenPipeError:
            self.wrong.append("it reads no more questions")

    def read(self):
        pairs = list(NUMBERED.items())
        for line in self.process.stdout:
            said = json.loads(line)
            question, answer = pairs[self.answered % len(pairs)]
            if (said.get("question"), said.get("answer")) != (question.decode(), answer.decode()):
                self.wrong.append(said)
            self.answered += 1
            self.retried += said.get("tries") != 1

    def finish(self):
        self.feeds = False
        for thread in self.threads:
            thread.join(LIMIT)
        assert self.process.wait(LIMIT) == 0, self.process.stderr.read()
        self.process.stderr.close()
        assert self.wrong[:3] == [] and self.answered == self.asked


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_reloads_amid_a_stream_of_questions(daemon, model, place, kind):
    d = daemon(model, table=NUMBERED, listen=["127.0.0.1:0" if kind == "tcp" else f"unix:{place}/s"],
               log__level="notice")
    asker = Asker(d.address)
    until("answers", lambda: asker.answered)
    until("questions that were asked again", lambda: d.reloaded() or asker.retried >= 3 or asker.wrong)
    asker.finish()


def test_a_reload_between_questions(daemon, model):
    """The connection that it has closed meanwhile is not noticed by who asks on."""
    d = daemon(model)
    with fed("-i", *where(d.address)) as client:
        for _ in range(3):
            client.stdin.write(SIMPLE.encode() + b"\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"Complex.\n"
            d.reloaded()
        client.stdin.close()
        assert client.wait(LIMIT) == 0


def test_as_many_connections_as_a_limit_on_questions_asks_for(daemon, model):
    d = daemon(model, max_questions_per_connection=7)
    result = run(APHORISM, "-n", 50, *where(d.address), SIMPLE, "Explicit is better than?")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "Simple is better than? Complex.\nExplicit is better than? Implicit.\n" * 50


# Servers with a part to play

class Scripted:
    """A server that plays a part on each of its connections, and keeps what it was asked there; then it is gone."""

    def __init__(self, *parts, path=None):
        self.listener, self.asked = socket.socket(socket.AF_UNIX if path else socket.AF_INET), []
        self.listener.bind(path or ("127.0.0.1", 0))
        self.listener.listen()
        self.listener.settimeout(LIMIT)
        self.port = None if path else self.listener.getsockname()[1]
        self.where = [f"unix:{path}"] if path else [f"localhost:{self.port}"]
        self.thread = threading.Thread(target=self.play, args=(parts,), daemon=True)
        self.thread.start()

    def play(self, parts):
        for part in parts:
            try:
                one = self.listener.accept()[0]
            except OSError:       # the client has come for the last time
                break
            with one:
                one.settimeout(LIMIT)
                self.asked.append(b"")
                part(self, one)
        self.listener.close()

    def hear(self, one, count):
        """So many questions, with those before them on this connection."""
        while self.asked[-1].count(b"?") < count:
            more = one.recv(4096)
            assert more, "the client has left"
            self.asked[-1] += more

    def client(self, *words, **more):
        result = run(APHORISM, *self.where, *words, **more)
        self.end()
        return result

    def end(self):
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)      # wakes accept, as close would not
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()


def says(answers, questions=1, after=lambda one: None):
    """A part: hears questions, says answers, ends."""
    def part(server, one):
        server.hear(one, questions)
        one.sendall(answers)
        after(one)
    return part


def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stays(one):
    while one.recv(4096):
        pass


def test_a_question_without_an_answer_is_asked_again():
    server = Scripted(says(b""), says(b"Complex.", after=stays))
    result = server.client("--json", SIMPLE)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert (said["answer"], said["tries"]) == ("Complex.", 2)
    assert server.asked == [SIMPLE.encode()] * 2


def test_only_those_without_an_answer_are_asked_again():
    server = Scripted(says(b"1.2.", 3), says(b"3.", 1), says(b"4.", 1, after=stays))
    result = server.client("a?", "b?", "c?", "d?")
    assert (result.returncode, result.stdout) == (0, "a? 1.\nb? 2.\nc? 3.\nd? 4.\n")
    assert server.asked == [b"a?b?c?d?", b"c?d?", b"d?"]


def test_the_address_that_answers_is_told():
    server = Scripted(says(b"Complex.", after=stays))
    said = json.loads(server.client("--json", SIMPLE).stdout)
    assert said["server"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("end", [lambda one: None, reset], ids=["close", "reset"])
def test_an_answer_that_was_begun_is_not_asked_for_again(end):
    def breaks(one):
        one.settimeout(LIMIT)
        end(one)

    server = Scripted(says(b"1.Com", 2, after=breaks))
    result = server.client("a?", SIMPLE)
    assert result.returncode == 69 and len(server.asked) == 1
    if end is not reset:
        assert result.stdout == "a? 1.\n" and "inside an answer" in result.stderr


def test_nothing_is_asked_again_after_a_reset():
    server = Scripted(says(b"", after=reset))
    result = server.client(SIMPLE)
    assert result.returncode == 69 and "reset" in result.stderr and len(server.asked) == 1


def test_tries_are_bounded():
    server = Scripted(*[says(b"")] * 5, lambda *_: None)
    result = server.client(SIMPLE)
    assert (result.returncode, result.stdout) == (69, "")
    assert f"localhost:{server.port}" in result.stderr and "5 times" in result.stderr
    assert server.asked == [SIMPLE.encode()] * 5


def test_all_tries_have_one_time_limit():
    """Five tries would take more than a second, and each of them less than the limit."""
    server = Scripted(*[says(b"", after=lambda one: time.sleep(0.2))] * 5)
    result = server.client("-w", "600ms", SIMPLE)
    assert (result.returncode, result.stdout) == (75, "") and "no answer within 600ms" in result.stderr
    assert 1 < len(server.asked) < 5


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_close_before_the_question_was_read(place, kind):
    """A reset that may have overtaken answers is the end; on a UNIX socket it overtakes nothing."""
    def closes(server, one):
        one.recv(1, socket.MSG_PEEK)

    server = Scripted(closes, says(b"Complex.", after=stays), path=kind == "unix" and f"{place}/s")
    result = server.client(SIMPLE)
    assert result.returncode == (0 if kind == "unix" else 69), result.stderr
    assert len(server.asked) == (2 if kind == "unix" else 1)


def test_a_server_that_has_gone_for_good():
    def last(server, one):
        server.listener.close()
        says(b"")(server, one)

    result = Scripted(last).client(SIMPLE)
    assert result.returncode == 69 and "refused" in result.stderr


def test_an_idle_connection_that_is_closed_is_no_try():
    """A stream of questions with pauses: the server lets the idle client go, and the next question finds it again."""
    closed = threading.Event()

    def first(server, one):
        says(b"1.")(server, one)
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""     # the client has noticed, and closes too
        closed.set()

    server = Scripted(first, says(b"2.", after=stays))
    with fed("--json", *server.where, "-") as client:
        client.stdin.write(b"a?")
        client.stdin.flush()
        assert json.loads(client.stdout.readline())["answer"] == "1."
        assert closed.wait(LIMIT)
        client.stdin.write(b"b?")
        client.stdin.close()
        said = json.loads(client.stdout.readline())
        assert (said["answer"], said["tries"]) == ("2.", 1)
        assert client.wait(LIMIT) == 0
    server.end()
    assert server.asked == [b"a?", b"b?"]
