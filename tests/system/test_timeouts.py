"""Every wait has an end, in every model: nobody holds a server by being slow."""

import os
import signal
import threading
import time

import pytest

from harness import LIMIT, SLACK, owners, unread, until
from protocol_model import THREE, TOO_LONG, TOO_SLOW

LONG = {**THREE, b"Long is better than?": b"y" * 1000 + b"."}


def within(begin, least, most=None):
    """Whether it took at least, and not much more than, so many seconds since then."""
    took = time.monotonic() - begin
    assert least - 0.05 <= took <= (most or least) + SLACK, f"{took:.3f} s instead of {least} s"


def send_all(client, data):
    """Sends in the background, as far as the server takes it."""
    def body():
        try:
            client.send(data)
        except OSError:
            pass

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


def drip(client, byte):
    """A byte every now and then until something comes back; then all of it.  An end that does not linger is a reset
    for one whose byte crosses it."""
    end = time.monotonic() + LIMIT
    try:
        while client.silent(0.1):
            client.send(byte)
            assert time.monotonic() < end, "it may go on for ever"
        return client.everything()
    except ConnectionError:
        return b""


def test_a_question_has_one_deadline(daemon, model):
    """A byte now and then does not renew it."""
    d = daemon(model, timeouts__question="1s")
    with d.connect() as client:
        begin = time.monotonic()
        client.send(b"Beautiful is better than? Simple is")
        assert client.answer() == b"Ugly."
        assert drip(client, b"x") == TOO_SLOW
        within(begin, 1)


def test_the_next_question_has_its_own_deadline(daemon, model):
    d = daemon(model, timeouts__question="2s")
    with d.connect() as client:
        client.send(b"Simple is")
        time.sleep(1.2)
        client.send(b" better than?Simple is")
        assert client.answer() == b"Complex."
        time.sleep(1.2)
        client.send(b" better than?")
        assert client.answer() == b"Complex."


@pytest.mark.parametrize("key", ["question", "idle"])
def test_what_was_received_is_read_before_it_is_judged(daemon, model, key):
    """The server is held while the deadline passes: the rest of the question is there in time."""
    d = daemon(model, **{f"timeouts__{key}": "3s"})
    with d.connect() as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        if key == "question":
            client.send(b"Simple is")
            time.sleep(0.3)
        held = [d.pid] + [p.pid for p in d.processes()]
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        client.send(b" better than?" if key == "question" else b"Simple is better than?")
        time.sleep(3.2)
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        assert client.answer() == b"Complex."


def test_a_deadline_runs_only_while_the_server_reads(daemon, model):
    """The client does not read for a while, so the server does not either: half a question is not too slow."""
    d = daemon(model, table=LONG, timeouts__question="2s")
    questions = b"Long is better than?" * 10000
    with d.connect() as client:
        sender = send_all(client, questions + b"Simple is")
        time.sleep(3)
        assert client.take(1001 * 10000) == LONG[b"Long is better than?"] * 10000
        sender.join(LIMIT)
        client.send(b" better than?")
        assert client.answer() == b"Complex."


def test_an_idle_client_is_let_go_without_a_word(daemon, model):
    d = daemon(model, timeouts__idle="1s")
    begin = time.monotonic()
    with d.connect() as client:
        assert client.everything() == b""
        within(begin, 1)


def test_white_space_does_not_renew_the_idle_time(daemon, model):
    d = daemon(model, timeouts__idle="1s", timeouts__question="20s")
    begin = time.monotonic()
    with d.connect() as client:
        assert drip(client, b"\n") == b""
        within(begin, 1)


def test_a_question_renews_the_idle_time(daemon, model):
    d = daemon(model, timeouts__idle="1500ms")
    with d.connect() as client:
        for _ in range(3):
            time.sleep(0.8)
            begin = time.monotonic()
            assert client.ask(b"Simple is better than?") == b"Complex."
        assert client.everything() == b""
        within(begin, 1.5)


def test_a_client_that_takes_nothing_is_dropped(daemon, model):
    """It holds the only place; the next one gets it when the time is up."""
    d = daemon(model, table=LONG, timeouts__write="1s", timeouts__idle="50s", max_connections=1)
    begin = time.monotonic()
    with d.connect(receive_buffer=4096) as deaf, d.connect() as next_one:
        sender = send_all(deaf, b"Long is better than?" * 20000)
        assert next_one.ask(b"Simple is better than?") == b"Complex."
        within(begin, 1)
        sender.join(LIMIT)


def test_a_client_that_takes_its_time_is_not_dropped(daemon, model):
    d = daemon(model, table=LONG, timeouts__write="1s")
    with d.connect(receive_buffer=65536) as client:
        sender = send_all(client, b"Long is better than?" * 10000)
        for _ in range(10):
            time.sleep(0.3)
            client.rest += client.socket.recv(65536)
        assert client.take(1001 * 10000) == LONG[b"Long is better than?"] * 10000
        sender.join(LIMIT)


def test_the_last_word_lingers_a_second_at_most(daemon, model):
    """A client that got its last answer and does not leave holds the only place no longer than that."""
    d = daemon(model, max_questions_per_connection=1, max_connections=1)
    with d.connect() as staying:
        begin = time.monotonic()
        staying.send(b"Simple is better than?")
        assert staying.everything() == b"Complex."
        assert d.ask() == b"Ugly."
        within(begin, 0, 1)


def test_a_client_that_talks_on_after_the_last_word(daemon, model):
    d = daemon(model, max_connections=1)
    with d.connect() as client:
        begin = time.monotonic()
        sender = send_all(client, b"x" * (64 << 20))
        assert d.ask() == b"Ugly."
        within(begin, 0, 1)
        sender.join(LIMIT)


def test_sixty_kilobytes_behind_a_question_too_long(daemon, model):
    """They are dropped, and the last word still arrives."""
    d = daemon(model)
    with d.connect() as client:
        client.send(b"Simple is better than?" + b"x" * 4097)
        client.send(b"y" * 60000)
        client.half_close()
        assert client.everything() == b"Complex." + TOO_LONG


def test_a_drain_has_a_hard_end(daemon, model):
    d = daemon(model, table=LONG, timeouts__drain="1s", timeouts__write="50s")
    with d.connect(receive_buffer=4096) as deaf, d.connect(receive_buffer=4096) as deaf_too:
        for client in (deaf, deaf_too):
            send_all(client, b"Long is better than?" * 20000)
        assert client_has_data(deaf)
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
        within(begin, 0, 1)


def test_the_drain_of_a_reload_has_a_hard_end(daemon, model):
    d = daemon(model, table=LONG, timeouts__drain="1s", timeouts__write="50s")
    with d.connect(receive_buffer=4096) as deaf:
        send_all(deaf, b"Long is better than?" * 20000)
        assert client_has_data(deaf)
        [old] = owners(deaf)
        begin = time.monotonic()
        d.reloaded()
        until("the end of the old worker", lambda: old.pid not in [p.pid for p in d.processes()])
        within(begin, 0, 1)
        assert d.ask() == b"Ugly."


def test_who_is_taken_in_during_a_drain_obeys_its_end(daemon, model):
    """The client waited for the only place; it never takes its answers."""
    d = daemon(model, table=LONG, max_connections=1, timeouts__drain="1s", timeouts__write="50s")
    with d.connect() as first, d.connect(receive_buffer=4096) as deaf:
        assert first.ask(b"Simple is better than?") == b"Complex."
        send_all(deaf, b"Long is better than?" * 20000)
        until("questions", lambda: unread(deaf) > 0)
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        assert client_has_data(deaf)
        assert d.wait() == 0
        within(begin, 0, 1)
    d.wait_for("the drain's time was over")
    assert not d.matches("killed")


def client_has_data(client):
    return not client.silent(LIMIT)


def test_echo_knows_no_deadline_of_questions(daemon, model):
    d = daemon(model, listen=({"address": "127.0.0.1:0", "protocol": "echo"},),
               timeouts__question="500ms", timeouts__idle="2s")
    with d.connect() as client:
        for _ in range(3):
            assert client.ask(b"no question mark.") == b"no question mark."
            time.sleep(0.8)
        begin = time.monotonic()
        assert client.ask(b"x.") == b"x."
        assert client.everything() == b""
        within(begin, 2)
