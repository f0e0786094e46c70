"""aphorism, the client."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import APHORISM, LIMIT, environment, port, run, until
from protocol_model import THREE
from tracing import compiled, without_sanitizers

PAIRS = [f"{q.decode()} {a.decode()}" for q, a in THREE.items()]


def test_three_questions_in_any_order(daemon):
    d = daemon()
    orders = set()
    for _ in range(12):
        result = run(APHORISM, "-p", port(d.address), "127.0.0.1")
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert sorted(lines) == sorted(PAIRS)
        orders.add(tuple(lines))
    assert len(orders) > 1


def test_localhost_is_the_default(daemon):
    d = daemon()
    result = run(APHORISM, "-p", port(d.address), "Simple is better than?")
    assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n")


def test_questions_as_operands(daemon, model):
    d = daemon(model)
    result = run(APHORISM, "-p", port(d.address), "127.0.0.1", "Simple is better than?", "Explicit is better than?")
    assert result.returncode == 0
    assert result.stdout == "Simple is better than? Complex.\nExplicit is better than? Implicit.\n"


def test_the_host_may_come_last(daemon):
    d = daemon()
    result = run(APHORISM, "Simple is better than?", "127.0.0.1", "-p", port(d.address))
    assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n")


def test_an_unknown_aphorism(daemon):
    d = daemon()
    result = run(APHORISM, "-p", port(d.address), "What is your quest?", "Simple is better than?")
    assert result.returncode == 1
    assert result.stdout == "What is your quest? Error: unknown aphorism.\nSimple is better than? Complex.\n"


def test_questions_from_standard_input(daemon, place):
    d = daemon()
    (place / "questions").write_text("Simple is better than?\n\n  Explicit is better than?Beautiful is better than?\n")
    with open(place / "questions") as questions:
        result = run(APHORISM, "-p", port(d.address), "-", stdin=questions)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [PAIRS[2], PAIRS[1], PAIRS[0]]


def test_many_questions_from_standard_input(daemon, place):
    d = daemon()
    (place / "questions").write_text("Simple is better than?\n" * 50000)
    with open(place / "questions") as questions:
        result = run(APHORISM, "-p", port(d.address), "-", stdin=questions)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (PAIRS[2] + "\n") * 50000


@contextlib.contextmanager
def piped(text, ends=True):
    """A pipe's end for reading, with this in it."""
    out, into = os.pipe()
    os.write(into, text.encode())
    if ends:
        os.close(into)
    try:
        yield out
    finally:
        os.close(out)
        if not ends:
            os.close(into)


def filed(place, text):
    (place / "told").write_text(text)
    return open(place / "told")


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_pipe_or_a_file_tells(daemon, place, kind):
    """echo 'Q?' | aphorism"""
    d = daemon()
    for text, answers in (("Simple is better than?\n", [PAIRS[2]]),
                          ("\n \tSimple is better than?\n\nExplicit is better than?Beautiful is better than?\n\n",
                           [PAIRS[2], PAIRS[1], PAIRS[0]]),
                          ("Simple is better than?\n" * 1000, [PAIRS[2]] * 1000)):
        with piped(text) if kind == "pipe" else filed(place, text) as given:
            result = run(APHORISM, "-p", port(d.address), stdin=given)
        assert (result.returncode, result.stderr, result.stdout.splitlines()) == (0, "", answers)


def test_a_pipe_tells_at_leisure(daemon):
    """Each question is answered when it comes, and there is no time limit on the next one."""
    d = daemon()
    with subprocess.Popen([APHORISM, "-w", "30s", "-p", str(port(d.address))], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=environment()) as client:
        for part in (b"\n", b"Simple is", b" better than?", b"Explicit is better than?\n"):
            client.stdin.write(part)
            client.stdin.flush()
            if part.endswith(b"than?"):
                assert client.stdout.readline().decode() == PAIRS[2] + "\n"
        assert client.communicate(timeout=LIMIT)[0].decode() == PAIRS[1] + "\n"
    assert client.returncode == 0


def test_a_pipe_that_tells_no_question(daemon):
    d = daemon()
    with piped("Simple is better than\n") as given:
        result = run(APHORISM, "-p", port(d.address), stdin=given)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == "aphorism: standard input: it ended inside a question, which ends in '?'\n"


@pytest.mark.parametrize("kind", ["null", "closed", "empty pipe", "white pipe", "empty file", "file at its end",
                                  "file for writing", "socket", "folder"])
def test_nothing_is_told(daemon, place, kind):
    """As cron, ssh, a supervisor or a script may leave standard input: the three, at once and without a word."""
    d = daemon()
    empty = place / "empty"
    empty.write_text("Who?")
    with contextlib.ExitStack() as stack:
        under, given = [], subprocess.DEVNULL
        if kind == "closed":
            under = ["sh", "-c", 'exec "$0" "$@" <&-']
        elif kind.endswith("pipe"):
            given = stack.enter_context(piped("" if kind == "empty pipe" else " \n\n"))
        elif kind == "empty file":
            empty.write_text("")
            given = stack.enter_context(open(empty))
        elif kind == "file at its end":
            given = stack.enter_context(open(empty))
            os.lseek(given.fileno(), 0, os.SEEK_END)
        elif kind == "file for writing":
            given = stack.enter_context(open(empty, "a"))
        elif kind == "socket":
            given, other = map(stack.enter_context, socket.socketpair())
            other.sendall(b"Who?")
        elif kind == "folder":
            given = os.open(place, os.O_RDONLY)
            stack.callback(os.close, given)
        result = run(*under, APHORISM, "-w", "1h", "-p", port(d.address), stdin=given)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(result.stdout.splitlines()) == sorted(PAIRS)


def test_a_pipe_that_says_nothing(daemon):
    """Whoever holds it open, as sshd does: nobody waits for ever."""
    d = daemon()
    with piped("\n", ends=False) as given:
        result = run(APHORISM, "-w", "2s", "-p", port(d.address), stdin=given)
    assert result.returncode == 0 and sorted(result.stdout.splitlines()) == sorted(PAIRS)
    assert result.stderr.startswith("aphorism: standard input: nothing within 2s: asking the usual three")


@pytest.mark.parametrize("words", [("127.0.0.1",), ("Simple is better than?",),
                                   ("127.0.0.1", "Simple is better than?")])
def test_with_operands_standard_input_is_left_alone(daemon, words):
    """As in: while read -r host; do aphorism "$host"; done <hosts"""
    d = daemon()
    with piped("Who?", ends=False) as given:
        result = run(APHORISM, "-p", port(d.address), *words, stdin=given)
        assert (result.returncode, os.read(given, 100)) == (0, b"Who?")
    assert set(result.stdout.splitlines()) == set(PAIRS if len(words) == 1 and "?" not in words[0] else [PAIRS[2]])


@pytest.mark.parametrize("words", [("-n", "2"), ("-e",)])
def test_what_is_told_goes_with_no_list(daemon, words):
    d = daemon()
    with piped("Who?") as given:
        result = run(APHORISM, "-p", port(d.address), *words, stdin=given)
    assert (result.returncode, result.stdout) == (64, "") and "standard input" in result.stderr
    with piped("") as given:
        assert run(APHORISM, "-p", port(d.address), *words, stdin=given).returncode == 0


def test_a_count(daemon):
    d = daemon()
    result = run(APHORISM, "-p", port(d.address), "-n", 1000, "Simple is better than?")
    assert result.returncode == 0
    assert result.stdout == (PAIRS[2] + "\n") * 1000


def test_half_a_question(daemon, model):
    d = daemon(model)
    since = len(d.lines)
    result = run(APHORISM, "-p", port(d.address), "-e", "Simple is better than?")
    assert (result.returncode, result.stdout) == (0, "")
    d.wait_for("Simple", since)
    assert d.ask() == b"Ugly."


def test_a_unix_socket(daemon, place):
    daemon(listen=(f"unix:{place}/s",))
    result = run(APHORISM, f"unix:{place}/s", "Simple is better than?")
    assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address(daemon, host):
    d = daemon(listen=("[::1]:0",))
    result = run(APHORISM, "-p", port(d.address), host, "Simple is better than?")
    assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n")


def test_nobody_listens(place):
    with socket.create_server(("127.0.0.1", 0)) as once:
        free = once.getsockname()[1]
    result = run(APHORISM, "-p", free, "127.0.0.1")
    assert result.returncode == 69 and "127.0.0.1" in result.stderr
    assert run(APHORISM, f"unix:{place}/missing").returncode == 69


def test_no_such_host():
    """Of a name like this one the resolver knows without asking anybody."""
    result = run(APHORISM, "no-such-host..invalid", limit=2 * LIMIT)
    assert result.returncode == 68 and "no-such-host..invalid" in result.stderr


@pytest.mark.parametrize("lookup,status,reason", [
    (socket.EAI_NONAME, 68, "no such host: Name or service not known (a question ends in '?')"),
    (socket.EAI_NODATA, 68, "no such host: No address associated with hostname (a question ends in '?')"),
    (socket.EAI_AGAIN, 75, "the name can't be looked up: Temporary failure in name resolution"),
    (socket.EAI_FAIL, 75, "the name can't be looked up: Non-recoverable failure in name resolution"),
    (socket.EAI_SYSTEM, 71, "the name can't be looked up: Too many open files"),
    (socket.EAI_MEMORY, 71, "the name can't be looked up: Memory allocation failure"),
], ids=str)
def test_what_a_resolver_may_say(place, lookup, status, reason):
    """That there is no such host is said by one alone that has an answer."""
    without_sanitizers("a library in front of all others")
    library = compiled(place, Path(__file__).with_name("odd_lookup.c"))
    env = environment(LD_PRELOAD=str(library), LOOKUP=str(int(lookup)), LC_ALL="C")
    result = run(APHORISM, "somewhere", env=env)
    assert (result.returncode, result.stderr) == (status, f"aphorism: somewhere: {reason}\n")
    result = run(APHORISM, "somewhere", "--json", env=env)
    assert json.loads(result.stdout) == {"ok": False, "exit": status, "error": [f"somewhere: {reason}"]}
    result = run(APHORISM, env=env)
    assert result.stderr == f"aphorism: localhost: {reason.partition(' (')[0]}\n", "nobody has named it"


@pytest.mark.parametrize("words", [("Simple is better than",), ("Simple is better than? ",), ("Who? Why",),
                                   ("localhost", "Simple is better than"), ("Who?", "Why not")])
def test_a_question_without_its_mark(words):
    """No resolver is asked for it."""
    result = run(APHORISM, *words)
    operand = next(word for word in words if not word.endswith("?") and word != "localhost")
    assert result.returncode == 64
    assert result.stderr == f"aphorism: {operand}: no host is named so, and a question ends in '?'\n"


@pytest.mark.parametrize("words", [("--no-such",), ("-p", "70000"), ("-p", "x"), ("-n", "0"), ("-n", "-1"),
                                   ("-w", "5 parsecs"), ("one-host", "another-host"), ("-p",), ("unix:relative",),
                                   ("-i", "Who?"), ("-i", "-"), ("-ie",), ("-i", "-n", "2")])
def test_usage(words):
    result = run(APHORISM, *words)
    assert result.returncode == 64 and result.stderr.startswith("aphorism")


def test_version_and_help():
    assert "0.1.0" in run(APHORISM, "--version").stdout
    result = run(APHORISM, "--help")
    assert result.returncode == 0 and "QUESTION" in result.stdout


def test_a_server_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        result = run(APHORISM, "-p", silent.getsockname()[1], "-w", "500ms", "127.0.0.1")
        assert result.returncode == 75 and time.monotonic() - begin >= 0.5


def serve(said):
    """A server that says this to its first client, whatever the question."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LIMIT)

    def body():
        with listener, listener.accept()[0] as one:
            one.settimeout(LIMIT)
            one.recv(4096)
            try:
                one.sendall(said)
                one.shutdown(socket.SHUT_WR)
                while one.recv(4096):
                    pass
            except OSError:
                pass                    # the client has heard enough

    threading.Thread(target=body, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize("said,status", [
    (b"", 69), (b"no full stop", 69), (b"Error: too busy.", 69), (b"Error: too slow.", 75),
    (b"x" * 100000, 69), (b"Error: unknown aphorism.", 1), (b"Complex.", 0),
], ids=lambda value: str(value)[:30])
def test_what_a_server_may_say(said, status):
    result = run(APHORISM, "-p", serve(said), "127.0.0.1", "Simple is better than?")
    assert result.returncode == status, result.stderr


def test_answers_may_come_in_pieces():
    listener = socket.create_server(("127.0.0.1", 0))

    def body():
        with listener, listener.accept()[0] as one:
            one.recv(4096)
            for byte in b"Complex.":
                one.sendall(bytes([byte]))
                time.sleep(0.01)
            one.recv(4096)

    threading.Thread(target=body, daemon=True).start()
    result = run(APHORISM, "-p", listener.getsockname()[1], "127.0.0.1", "Simple is better than?")
    assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n")


def test_a_question_too_long_for_the_server(daemon):
    d = daemon()
    result = run(APHORISM, "-p", port(d.address), "127.0.0.1", "x" * 5000 + "?")
    assert result.returncode != 0 and "too long" in result.stdout + result.stderr
    until("service", lambda: d.ask() == b"Ugly.")


# JSON

def test_json(daemon):
    d = daemon()
    begin = time.monotonic()
    result = run(APHORISM, "--json", "-p", port(d.address), "127.0.0.1", "Simple is better than?", "Who?")
    assert (result.returncode, result.stderr) == (1, "")
    known, unknown = map(json.loads, result.stdout.splitlines())
    assert 0 <= known.pop("seconds") < time.monotonic() - begin
    unknown.pop("seconds")
    assert known == {"question": "Simple is better than?", "answer": "Complex.", "known": True,
                     "server": d.address, "tries": 1}
    assert unknown == {"question": "Who?", "answer": "Error: unknown aphorism.", "known": False,
                       "server": d.address, "tries": 1}


def test_json_names_the_server(daemon, place):
    for listen in ("[::1]:0", f"unix:{place}/s"):
        d = daemon(listen=[listen])
        words = [d.address] if listen.startswith("unix:") else ["-p", port(d.address), "::1"]
        result = run(APHORISM, "--json", *words, "Simple is better than?")
        assert json.loads(result.stdout)["server"] == d.address
        d.stop()


def test_json_of_a_slow_answer(daemon):
    d = daemon(work__delay="300ms")
    result = run(APHORISM, "--json", "-p", port(d.address), "127.0.0.1", "Simple is better than?", "Who?")
    assert all(0.25 < json.loads(line)["seconds"] for line in result.stdout.splitlines())


@pytest.mark.parametrize("answer,text", [
    ('a "quoted" \\ and \t.'.encode(), 'a "quoted" \\ and \t.'),
    ("Ähnlich \u20ac \U0001f600.".encode(), "Ähnlich \u20ac \U0001f600."),
    (b"\x1b]0;title\x07 \x7f \xc2\x9b2J \x00.", "\x1b]0;title\x07 \x7f \x9b2J \0."),
    (b"\xff \xc0\xaf \xed\xa0\x80 \xe2\x82.", "\ufffd \ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd."),
], ids=["quotes", "UTF-8", "controls", "no UTF-8"])
def test_json_of_any_bytes(answer, text):
    result = run(APHORISM, "--json", "-p", serve(answer), "127.0.0.1", "Simple is better than?")
    assert json.loads(result.stdout)["answer"] == text
    line = result.stdout.rstrip("\n")
    assert all(c.isprintable() for c in line), "nothing in it commands a terminal"


def test_json_of_failures(daemon, place):
    d = daemon()
    for words, status, reason in [((f"unix:{place}/missing",), 69, f"unix:{place}/missing"),
                                  (("no-such-host..invalid",), 68, "no such host"),
                                  (("-p", port(d.address), "x" * 5000 + "?"), 64, "question too long")]:
        result = run(APHORISM, "--json", *words, limit=2 * LIMIT)
        said = json.loads(result.stdout)
        assert (result.returncode, said["ok"], said["exit"]) == (status, False, status)
        assert len(said["error"]) == 1 and reason in said["error"][0]
        assert result.stderr == f"aphorism: {said['error'][0]}\n"


def test_json_of_an_end_amid_answers():
    result = run(APHORISM, "--json", "-p", serve(b"1.2.Error: too busy."), "127.0.0.1", "a?", "b?", "c?")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one.get("answer") for one in said] == ["1.", "2.", None]
    assert result.returncode == said[2]["exit"] == 69
