"""Answers that are computed, of any length: served by a daemon of the tests' own, with the protocol count.

See tests/count/count.c: a line with a number is answered by so many bytes; "5@20" costs 20 ms; it greets.
"""

import os
import random
import re
import select
import signal
import threading
import time
from pathlib import Path

import pytest

import harness
from harness import HOLDS, LIMIT, SLACK, models, until
from test_cost import STEADY
from test_event import WAITS
from test_operate import asked, stats
from test_proxy import v1, v2
from tracing import straced, without_sanitizers

SEED = 5170
PROGRAM = Path(harness.APHORISMD).parent / "tests" / "count" / "aphorismd"
GREETING = b"how many?\n"
PERIOD = 1000003
PATTERN = bytes((n * 2654435761 & 0xffffffff) >> 24 for n in range(PERIOD))
ENDLESS = 9999999999          # bytes: more than a test waits for
MB = 1000000
CALLS = "epoll_wait,epoll_pwait,epoll_pwait2,io_uring_enter"      # of those who wait for events


def answer(count, begin=0):
    """So many bytes of one, from a place in it on."""
    begin %= PERIOD
    return (PATTERN * ((begin + count) // PERIOD + 1))[begin:begin + count]


def pytest_generate_tests(metafunc):
    """Each model, and the second engine of the event model."""
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", models() + ["event-io_uring"] * ("event" in models()))


@pytest.fixture(params=["tcp", "unix"])
def counting(request, daemon, place, way):
    """Starts a daemon that counts, at one address."""
    if not os.access(PROGRAM, os.X_OK):
        pytest.skip(f"no program {PROGRAM}: make check builds it")
    address = "127.0.0.1:0" if request.param == "tcp" else f"unix:{place}/s"
    model, _, engine = way.partition("-")
    if engine:
        request.getfixturevalue("uring")
        engine = {"event.engine": engine}

    def start(proxy=False, once=False, **more):
        entry = {"address": address, "protocol": "count", "proxy": proxy, "once": once}
        return daemon(model, listen=(entry,), program=PROGRAM, **STEADY, **dict(engine or {}), **more)

    return start


@pytest.fixture
def many(way):
    """For what takes several clients at once."""
    if way in HOLDS:
        pytest.skip("one client after another")


def greeted(d, **more):
    client = d.connect(**more)
    assert client.take(len(GREETING)) == GREETING
    return client


def ask(client, count):
    client.send(b"%d\n" % count)
    assert client.take(count) == answer(count)


def within(begin, least, most=None):
    """Whether it took at least, and not much more than, so many seconds since then."""
    took = time.monotonic() - begin
    assert least <= took <= (most or least) + SLACK, f"{took:.3f} s instead of {least} s"


# The greeting

def test_a_greeting_comes_unasked(counting):
    d = counting()
    with d.connect() as client:
        assert client.take(len(GREETING)) == GREETING
        assert client.silent(0.1), "once"
        for count in (3, 0, 1):
            ask(client, count)
        client.half_close()
        assert client.everything() == b""
    with d.connect() as client:
        client.half_close()
        assert client.everything() == GREETING


@pytest.mark.parametrize("header", [v1("192.0.2.7"), v2("192.0.2.7")], ids=["v1", "v2"])
def test_behind_a_header_and_not_before(counting, header):
    d = counting(proxy=True)
    with d.connect() as client:
        assert client.silent(0.2)
        for at in range(len(header) - 1):
            client.send(header[at:at + 1])
        assert client.silent(0.1)
        client.send(header[-1:])
        assert client.take(len(GREETING)) == GREETING
        ask(client, 100000)
    with d.connect() as client:
        client.send(header + b"3\n5\n")
        client.half_close()
        assert client.everything() == GREETING + answer(3) + answer(5)
    with d.connect() as client:
        client.send(b"3\n")
        assert client.everything() == b""


@pytest.mark.parametrize("proxy", [False, True], ids=["", "proxied"])
def test_a_greeting_is_no_request(counting, proxy):
    d = counting(proxy=proxy, once=True)
    with d.connect() as client:
        client.send(v1("192.0.2.7") if proxy else b"")
        assert client.take(len(GREETING)) == GREETING
        assert client.silent(0.1)
        client.send(b"100000\n5\n")
        assert client.everything() == answer(100000)
    assert stats(d, questions=1)


def test_who_says_nothing_is_idle_after_the_greeting(counting):
    d = counting(timeouts__idle="1s")
    begin = time.monotonic()
    with greeted(d) as client:
        assert client.everything() == b""
        within(begin, 0.95)
    stats(d, timeouts_idle=1)


# Length

LENGTHS = [0, 1, 2047, 2048, 2049, 32767, 32768, 32769, 5 * MB, 7, 100000, 0, 1]


def test_answers_of_any_length_in_order(counting):
    """The requests' end is there before most of the answers."""
    d = counting()
    with greeted(d) as client:
        client.send(b"".join(b"%d\n" % count for count in LENGTHS))
        client.half_close()
        assert client.everything() == b"".join(map(answer, LENGTHS))
    stats(d, questions=len(LENGTHS), questions_unknown=0, questions_unfinished=0)


def test_requests_in_pieces(counting):
    d = counting()
    for cut in range(1, 8):
        with greeted(d) as client:
            text = b"70000\n@5\n"[:6] + b"5@1\n"
            for at in range(0, len(text), cut):
                client.send(text[at:at + cut])
            client.half_close()
            assert client.everything() == answer(70000) + answer(5)


def test_random_requests(counting):
    d, dice = counting(), random.Random(SEED)
    counts = [dice.choice((0, 3, 500, 20000, 40000, 300000)) + dice.randrange(100) for _ in range(60)]
    with greeted(d) as client:
        sender = threading.Thread(target=lambda: [client.send(b"%d\n" % count) for count in counts], daemon=True)
        sender.start()
        for count in counts:
            assert client.take(count) == answer(count)
        sender.join(LIMIT)


def test_a_slow_reader_of_a_long_answer(counting, way):
    """1 MiB a second: right to the byte, for little memory; meanwhile another is answered, wherever two are served."""
    d = counting(timeouts__write="2s")
    other = greeted(d) if way not in HOLDS else None
    with greeted(d, receive_buffer=65536) as client:
        ask(client, 100000)
        before, grown, count, step = d.memory(), [], 5 * MB, 65536
        client.send(b"%d\n" % count)
        begin = time.monotonic()
        for place in range(0, count, step):
            left = min(step, count - place)
            assert client.take(left) == answer(left, place)
            if other:
                ask(other, 1000)
            if place // step % 16 == 8:
                grown.append(d.memory() - before)
            time.sleep(max(0, begin + place / (1 << 20) - time.monotonic()))
        ask(client, 5)
    if other:
        other.close()
    without_sanitizers("a sanitizer's own memory would be counted; all else was right")
    assert max(grown) < 1 << 20


# Turns

def drain(client, count):
    """Takes so many bytes at least, as fast as they come, whatever they are."""
    buffer = bytearray(1 << 20)
    while count > 0:
        took = client.socket.recv_into(buffer)
        assert took > 0
        count -= took


@pytest.mark.parametrize("request_line", [b"%d\n" % ENDLESS, b"32000\n" * 3000], ids=["long", "far ahead"])
def test_a_fast_reader_keeps_nobody_waiting(counting, many, request_line):
    d = counting()
    with greeted(d) as other, greeted(d) as big:
        big.send(request_line)
        for _ in range(4):
            drain(big, 16 * MB)
            other.send(b"1\n")
            while other.socket not in select.select([big.socket, other.socket], [], [], LIMIT)[0]:
                drain(big, 1)
            assert other.take(1) == answer(1)
        big.reset()


def most_sent_between_waits(trace):
    """Bytes."""
    most = now = 0
    for line in trace.read_text().splitlines():
        sent = re.search(r"sendto\(.* = (\d+)$", line)
        now = 0 if WAITS.search(line) else now + int(sent[1]) if sent else now
        most = max(most, now)
    return most


@pytest.mark.parametrize("request_line", [b"%d\n" % ENDLESS, b"32000\n" * 3000], ids=["long", "far ahead"])
def test_an_event_worker_looks_after_all_in_turn(counting, place, way, request_line):
    """However much one client takes; what comes next of one that asks far ahead fits the room that there is."""
    if not way.startswith("event"):
        pytest.skip("a worker, or a thread, is one client's alone")
    d, trace = counting(), place / "trace"
    with greeted(d) as big, straced([d.workers()[0].pid], "-s", "0", "-e", f"trace=sendto,{CALLS}", log=trace):
        big.send(request_line)
        drain(big, 64 * MB)
        big.reset()
    assert trace.read_text() and most_sent_between_waits(trace) < MB      # without those of a ring


def test_much_at_full_speed(counting):
    d = counting()
    with greeted(d) as client:
        client.send(b"%d\n" % (200 * MB))
        for place in range(0, 200 * MB, MB):
            assert client.take(MB) == answer(MB, place)
        ask(client, 1)


# Prices

def test_no_answer_before_its_price(counting):
    d = counting()
    with greeted(d) as client:
        for price, count in ((300, 5), (0, 5), (500, MB)):
            begin = time.monotonic()
            client.send(b"%d@%d\n" % (count, price))
            assert client.take(count) == answer(count)
            within(begin, price / 1000)       # once, however many parts it has
        begin = time.monotonic()
        client.send(b"1@200\n1\n1@200\n")
        client.half_close()
        assert client.everything() == answer(1) * 3
        within(begin, 0.4)


def test_the_cheaper_one_comes_first(counting, many):
    """Even if it is asked for later."""
    d, prices = counting(), [2000, 400, 1200, 0]
    clients = {greeted(d): price for price in prices}
    asked_at = {}
    for client, price in clients.items():
        asked_at[client] = time.monotonic()
        client.send(b"1000@%d\n" % price)
    came = []
    while len(came) < len(prices):
        waiting = {client.socket: client for client in clients if client not in came}
        ready = [waiting[one] for one in select.select(waiting, [], [], LIMIT)[0]]
        for client in sorted(ready, key=clients.get):     # who looks late can't tell these apart
            within(asked_at[client], clients[client] / 1000)
            assert client.take(1000) == answer(1000)
            came.append(client)
    assert [clients[client] for client in came] == sorted(prices)
    for client in clients:
        client.close()


def test_many_prices_at_once(counting, many):
    d, dice = counting(), random.Random(SEED)
    clients = [greeted(d) for _ in range(8)]
    due, open_ones = {}, {client.socket: client for client in clients}

    def ask_again(client):
        price = dice.randrange(300)
        due[client] = time.monotonic() + price / 1000
        client.send(b"70000@%d\n" % price)

    for client in clients:
        ask_again(client)
    for _ in range(50):
        ready = select.select(open_ones, [], [], LIMIT)[0]
        assert ready
        client = open_ones[ready[0]]
        assert due[client] <= time.monotonic() <= due[client] + SLACK
        assert client.take(70000) == answer(70000)
        ask_again(client)
    for client in clients:
        client.reset()
    stats(d, connections_open=0)


def test_a_price_beside_a_delay(counting):
    d = counting(work__delay="300ms")
    with greeted(d) as client:
        for price in (300, 0):
            begin = time.monotonic()
            client.send(b"100000@%d\n" % price)
            assert client.take(100000) == answer(100000)
            within(begin, 0.3 + price / 1000)


# No requests

def test_what_is_no_request_is_the_end(counting):
    """Behind what is owed; a word is in the log alone."""
    d, lines = counting(), [b"", b"x", b"5@", b"@5", b" 5", b"5 ", b"5\r", b"5@1@2", b"12345678901"]
    for line in lines:
        with greeted(d) as client:
            client.send(b"100000\n" + line + b"\n5\n")
            assert client.everything() == answer(100000)
    for line in lines:
        d.wait_for('malformed request: "%s' % re.escape(line.decode().strip("\r")))
    stats(d, questions=len(lines), questions_malformed=len(lines), questions_unfinished=0, timeouts_idle=0)


def test_a_request_that_is_too_long(counting):
    d = counting()
    with greeted(d) as client:
        client.send(b"100000\n" + b"1" * 5000)
        assert client.everything() == answer(100000)
    d.wait_for('question too long: "1')
    stats(d, questions=1, questions_too_long=1, timeouts_idle=0)


def test_a_request_that_is_too_slow(counting):
    d = counting(timeouts__question="1s")
    with greeted(d) as client:
        begin = time.monotonic()
        client.send(b"100000\n1")
        assert client.everything() == answer(100000)
        within(begin, 0.95)
    d.wait_for("question too slow")
    stats(d, questions=1, questions_too_slow=1, timeouts_idle=0)


# Ends in the middle of an answer

def begun(d, count, **more):
    """One who has read the first part of an answer; the worker can't be done with it."""
    client = greeted(d, **more)
    client.send(b"%d\n" % count)
    assert client.take(100000) == answer(100000)
    return client


def rest_is_right(client, count, more=b""):
    """A part now and then, and then all."""
    for place in range(100000, 2 * MB, 100000):
        assert client.take(100000) == answer(100000, place)
        time.sleep(0.01)
    assert client.take(count - 2 * MB) == answer(count - 2 * MB, 2 * MB)
    assert client.everything() == more


@pytest.mark.parametrize("rest", [b"", b"70000\n1@100\n"], ids=["", "pipelined"])
def test_a_stop_lets_it_be_finished(counting, rest):
    d = counting()
    with begun(d, 30 * MB) as client:
        client.send(rest)
        d.signal(signal.SIGTERM)
        d.wait_for("stopping")
        rest_is_right(client, 30 * MB, (answer(70000) + answer(1)) if rest else b"")
    assert d.wait() == 0
    d.wait_for("stopped")


def is_served(d):
    """One whom a leaving worker had taken at the last moment may see the end instead."""
    try:
        with greeted(d) as client:
            ask(client, 100000)
            return True
    except (ConnectionError, AssertionError):
        return False


def test_so_does_a_reload(counting):
    d = counting()
    with begun(d, 30 * MB) as client:
        d.reloaded()
        until("the new generation", lambda: is_served(d))
        rest_is_right(client, 30 * MB)
    d.settled()


def test_a_drain_ends_it_when_its_time_is_up(counting):
    d = counting(timeouts__drain="1s")
    with begun(d, ENDLESS):
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
        within(begin, 0.9, 2)


def test_a_reset_gives_the_place_back(counting):
    d = counting(max_connections=1)
    for _ in range(3):
        begun(d, ENDLESS).reset()
        with greeted(d) as client:
            ask(client, 5)
    stats(d, connections_open=0)


def test_who_takes_nothing_is_cut(counting):
    d = counting(max_connections=1, timeouts__write="1s", timeouts__idle="50s")
    with begun(d, ENDLESS, receive_buffer=4096):
        begin = time.monotonic()
        with greeted(d) as client:
            within(begin, 0.9, 2)
            ask(client, 5)
    stats(d, timeouts_write=1)
    assert asked(d, "stats")["questions"] == 1
