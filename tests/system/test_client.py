"""aphorism, the client."""

import socket
import threading
import time

import pytest

from harness import APHORISM, LIMIT, port, run, until
from protocol_model import THREE

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
    result = run(APHORISM, "no-such-host.invalid", limit=2 * LIMIT)
    assert result.returncode == 68 and "no-such-host.invalid" in result.stderr


@pytest.mark.parametrize("words", [("--no-such",), ("-p", "70000"), ("-p", "x"), ("-n", "0"), ("-n", "-1"),
                                   ("-w", "5 parsecs"), ("one-host", "another-host"), ("-p",), ("unix:relative",)])
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
