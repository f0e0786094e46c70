"""The timestamp protocol: bytes come back with the time of day in front."""

import random
import re
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from fixtures import TRACED
from harness import HOLDS, LIMIT, SLACK, talk
from test_cost import STEADY
from tracing import under_strace

SEED = 2016
ZONE, AHEAD = "XXX-5:30", timezone(timedelta(hours=5, minutes=30))      # of the daemon, and of no machine
STAMP = re.compile(rb"\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ")
LEN, MOST = 27, 1024
KINDS = ["tcp", "unix"]


def without_stamps(data):
    """The bytes behind the stamps, and how many stamps there are: all of them of now, in the daemon's zone."""
    assert not data or STAMP.match(data), data[:40]
    stamps = STAMP.findall(data)
    for stamp in stamps:
        moment = datetime.strptime(stamp.decode(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=AHEAD)
        assert abs(moment.timestamp() - time.time()) <= SLACK + 1, stamp
        assert moment.strftime("%a %b %e %H:%M:%S %Y").encode() == stamp
    return STAMP.sub(b"", data), len(stamps)


def bytes_without_stamps(count):
    """Of all values but the one that begins a stamp."""
    return bytes(b for b in random.Random(SEED).randbytes(count) if b != ord("["))


@pytest.fixture(params=KINDS)
def stamping(request, daemon, place):
    """Starts a daemon that speaks it."""
    address = "127.0.0.1:0" if request.param == "tcp" else f"unix:{place}/s"

    def start(model, env=(), once=False, **more):
        entry = {"address": address, "protocol": "timestamp", "once": once}
        return daemon(model, listen=(entry,), env={"TZ": ZONE, **dict(env)}, **more)

    return start


def test_a_stamp_for_what_comes(stamping, model):
    d = stamping(model)
    with d.connect() as client:
        assert client.silent(0.2), "not before it is spoken to"
        for said in (b"hi", b"lines stay\r\n", "π".encode(), b"\0", b"x" * MOST):
            client.send(said)
            assert without_stamps(client.take(LEN + len(said))) == (said, 1)
        assert client.silent(0.05)
        client.half_close()
        assert client.everything() == b""
    assert talk(d.address, []) == b""
    assert without_stamps(talk(d.address, [b"bye"])) == (b"bye", 1)


def test_any_bytes_in_any_pieces(stamping, model):
    """Each once, in order, however they are cut; a stamp before 1024 of them at the most."""
    d = stamping(model)
    data, cut = bytes_without_stamps(300000), random.Random(SEED)
    with d.connect() as client:
        def send():
            at = 0
            while at < len(data):
                end = at + cut.choice((1, 100, MOST, 5000, 50000))
                client.send(data[at:end])
                at = end
            client.half_close()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        answer = client.everything()
        sender.join(LIMIT)
    assert all(len(piece) <= MOST for piece in STAMP.split(answer)[::2])
    back, stamps = without_stamps(answer)
    assert back == data and stamps >= len(data) / MOST


def test_the_first_bytes_alone(stamping, model):
    d = stamping(model, once=True)
    for said in (b"hi", b"x" * 5000):
        with d.connect() as client:
            client.send(said)
            assert without_stamps(client.everything()) == (said[:MOST], 1)


def test_two_at_once(stamping, model):
    if model in HOLDS:
        pytest.skip("one after another")
    d = stamping(model)
    with d.connect() as a, d.connect() as b:
        a.send(b"a")
        b.send(b"b")
        assert without_stamps(b.take(LEN + 1)) == (b"b", 1)
        assert without_stamps(a.take(LEN + 1)) == (b"a", 1)


def test_it_has_no_limits_of_questions(stamping, model):
    d = stamping(model, max_question_length=64, max_questions_per_connection=1)
    with d.connect() as client:
        for said in (b"one", b"x" * MOST, b"two"):
            client.send(said)
            assert without_stamps(client.take(LEN + len(said))) == (said, 1)


def test_one_who_does_not_read_is_not_read_from(stamping, model):
    d = stamping(model)
    with d.connect() as client:
        client.socket.setblocking(False)
        sent, last = 0, time.monotonic()
        while time.monotonic() - last < 1:      # a second in which nothing was taken
            try:
                sent += client.socket.send(b"w" * 65536)
                last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
            assert sent < 64 << 20
        client.socket.settimeout(LIMIT)
        client.half_close()
        assert without_stamps(client.everything())[0] == b"w" * sent


def test_a_reset_hurts_nobody(stamping, model):
    d = stamping(model, max_connections=1)
    client = d.connect()
    client.send(b"x" * 100000)
    client.reset()
    assert without_stamps(talk(d.address, [b"alive"])) == (b"alive", 1)


def test_the_zone_is_the_same_in_each_generation(daemon, model):
    """Of the environment that the daemon was started in."""
    aphorism = {"address": "127.0.0.1:0", "protocol": "aphorism"}
    d = daemon(model, listen=(aphorism,), env={"TZ": ZONE})
    d.reloaded(listen=({"address": d.address, "protocol": "timestamp"},))
    d.settled()
    for _ in range(2):
        assert without_stamps(talk(d.address, [b"x"])) == (b"x", 1)
        d.reloaded()
        d.settled()


OPENS = re.compile(r"\b(open|openat|openat2|stat|lstat|newfstatat|statx|access|faccessat2?|readlink)\(")


def test_no_answer_opens_a_file(daemon, place, model):
    """Nor asks whether the zone has changed since; both would be denied in the sandbox."""
    trace = place / "trace"
    d = daemon(model, listen=({"address": "127.0.0.1:0", "protocol": "timestamp"},), process__sandbox="off",
               env={"TZ": f":{place}/zone", **TRACED}, **STEADY,
               under=under_strace(trace, "-e", "trace=file,recvfrom,sendto"))
    assert "/zone" in trace.read_text(), "read at the start"
    before = len(trace.read_text().splitlines())
    with d.connect() as client:
        for _ in range(20):
            client.send(b"x")
            client.take(LEN + 1)
        # while all threads wait: a sanitizer loses what one is told that just ends
        d.stop()
    served = trace.read_text().splitlines()[before:]
    assert any("sendto(" in line for line in served)
    assert not [line for line in served if OPENS.search(line) and "zone" in line]
