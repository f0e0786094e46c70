"""What two builds say to the same clients, and what they log of it."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import protocol_model
from harness import APHORISMD, Client, Daemon, holds, unread, until

OLD, SEEDS = os.environ["TEST_OLD"], Path(__file__).resolve().parent.parent / "fuzz" / "seeds"
LONGEST, TRANSCRIPTS = 300, 60
KINDS = {                                        # what the conversations are held on
    "aphorism": {}, "echo": {"protocol": "echo"}, "proxy": {"proxy": True}, "unix": {"address": "unix:{place}/s"},
}


def messages():
    """Seeds of conversations and headers, and what the protocol's model makes up, in pieces."""
    rng = random.Random(1)
    for kind in "conversation", "proxy":
        for file in sorted((SEEDS / kind).iterdir()):
            data = file.read_bytes()
            yield [data]
            yield [data[6:]]                     # without the fuzz target's own bytes
            yield [data[i:i + 40] for i in range(0, len(data), 40)]
    for data in protocol_model.transcripts(2, TRANSCRIPTS, protocol_model.THREE, LONGEST):
        yield list(protocol_model.cuts(rng, data))[rng.choice((2, 3, 4)) if data else 3][1]


def end_of(client, pieces):
    """All that comes back, and how it ends."""
    said = b""
    with contextlib.suppress(OSError):           # the server may have had enough by then
        for piece in pieces:
            client.send(piece)
        client.socket.shutdown(socket.SHUT_WR)
    try:
        while more := client.socket.recv(65536):
            said += more
        return said, "end"
    except ConnectionResetError:
        return said, "reset"


@contextlib.contextmanager
def served(program, place, model, engine, **settings):
    """A daemon, at the end of which `d.lines` is its whole log."""
    place.mkdir()
    place.chmod(0o777)
    d = Daemon(place, model, program=program, event__engine=engine, log__level="debug", **settings)
    try:
        yield d.start()
        d.stop()
        d.wait_for(r"\(end of log\)")
    finally:
        if d.process and d.process.poll() is None:
            d.process.kill()


def log_of(d):
    """Without what differs from run to run."""
    return sorted(re.sub(r"\b\d+\b", "N", line.replace(str(d.place), "PLACE")) for line in d.lines)


def conversations(program, place, model, engine, limit):
    """Everything that is said on each kind of listener; then the log."""
    listeners = [{"address": "127.0.0.1:0", **{k: v.format(place=place) if k == "address" else v
                                               for k, v in more.items()}} for more in KINDS.values()]
    said = []
    with served(program, place, model, engine, listen=listeners, max_questions_per_connection=limit,
                max_question_length=LONGEST) as d:
        for number, kind in enumerate(KINDS):
            for pieces in messages():
                with Client(d.addresses[number]) as client:
                    said.append((kind, pieces, *end_of(client, pieces)))
    return said, log_of(d)


def excused(was, is_now):
    """What is still on its way to a server that has had enough resets the connection, and may destroy the last words."""
    said = was[2], is_now[2]
    return "reset" in (was[3], is_now[3]) and (said[0].startswith(said[1]) or said[1].startswith(said[0]))


def resets(said):
    return sum(each[3] == "reset" for each in said)


def test_conversations(place, model, engine):
    for limit in 0, 3:
        old, new = (conversations(program, place / f"{name}-{limit}", model, engine, limit)
                    for name, program in (("old", OLD), ("new", APHORISMD)))
        for was, is_now in zip(old[0], new[0]):
            assert was == is_now or excused(was, is_now)
        assert abs(resets(old[0]) - resets(new[0])) < len(old[0]) / 20
        assert old[1] == new[1]


def waits(client, *pieces):
    """Sends, and waits for what the server makes of it."""
    for piece in pieces:
        client.send(piece)
    with contextlib.suppress(ConnectionResetError):
        return client.everything()


def takes_late(client):
    sender = threading.Thread(target=client.send, args=(MANY,))
    sender.start()
    until("back-pressure", lambda: unread(client) > 0)
    said = client.take(len(ANSWERS))
    sender.join()
    client.half_close()
    return said == ANSWERS, client.everything()


def takes_nothing(client):
    with contextlib.suppress(ConnectionError):
        while True:
            client.send(MANY)


def proxy(source):
    return b"PROXY TCP4 %s 203.0.113.9 1 1060\r\n" % source


SAID = b"Simple is better than?"
LONG = {**protocol_model.THREE, b"Long is better than?": b"x" * 1000 + b"."}
MANY, ANSWERS = b"Long is better than?" * 20000, LONG[b"Long is better than?"] * 20000
ENDS = {                                         # listener, what its client does
    "half a question": (0, lambda c: waits(c, b"Simple is")),
    "one and a half": (0, lambda c: waits(c, SAID + b" Simple is")),
    "nothing": (0, waits),
    "white space": (0, lambda c: waits(c, b" \n")),
    "a question, then nothing": (0, lambda c: waits(c, SAID)),
    "too long, and no end": (0, lambda c: waits(c, SAID + b"x" * 2 * LONGEST)),
    "more than is allowed": (0, lambda c: waits(c, SAID * 20005)),
    "echo, then nothing": (1, lambda c: waits(c, b"So")),
    "late": (0, takes_late),
    "deaf": (0, takes_nothing),
    "half a header": (2, lambda c: waits(c, b"PROXY TCP4 192")),
    "no header": (2, waits),
    "a header, then nothing": (2, lambda c: waits(c, proxy(b"192.0.2.7"))),
    "a header and half a question": (2, lambda c: waits(c, proxy(b"192.0.2.7") + b"Simple is")),
    "denied": (2, lambda c: waits(c, proxy(b"198.51.100.1") + SAID)),
}
COUNTED = re.compile(r"^(aphorismd_(?:connections|questions_failed|timeouts|refused|denied|bad_headers)\w*_total\S*) (\d+)$", re.M)


def ends(program, place, model, engine):
    """All ways in which the server has enough, then a drain with half a question and half a header."""
    said = []
    with served(program, place, model, engine, table=LONG, max_question_length=LONGEST, max_questions_per_connection=20001,
                listen=[{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "protocol": "echo"},
                        {"address": "127.0.0.1:0", "proxy": True}],
                timeouts__question="400ms", timeouts__idle="600ms", timeouts__write="1s", work__delay="1us",
                access__deny=["198.51.100.0/24"], max_connections_per_source=1 if holds(model, 2) > 1 else 0) as d:
        for name, (listener, act) in ENDS.items():
            with Client(d.addresses[listener], receive_buffer=4096 if name in ("late", "deaf") else None) as client:
                said.append((name, act(client)))
            until("the end", lambda: re.search(r"_open 0$", d.ctl("metrics").stdout, re.M))
        if holds(model, 2) > 1:
            with Client(d.addresses[2]) as first, Client(d.addresses[2]) as second:
                first.send(proxy(b"192.0.2.7") + SAID)
                said.append((first.answer(), waits(second, proxy(b"192.0.2.7") + SAID)))
        until("the end", lambda: re.search(r"_open 0$", d.ctl("metrics").stdout, re.M))
        counts = dict(COUNTED.findall(d.ctl("metrics").stdout))
        d.reloaded(timeouts__question="20s")
        d.settled()
        with Client(d.addresses[0]) as client, Client(d.addresses[2]) as other:
            said.append(client.ask(SAID + b"Simple is"))
            other.send(b"PROXY TCP4 192")
            if holds(model, 2) > 1:
                until("the header", lambda: unread(other) == 0)
            d.signal(signal.SIGTERM)
            said.append((waits(client), waits(other)))
    return said, counts, log_of(d)


def test_ends(place, model, engine):
    was, is_now = (ends(program, place / name, model, engine) for name, program in (("old", OLD), ("new", APHORISMD)))
    assert {name: is_now[1].get(name) for name in was[1]} == was[1]       # there may be more counts now
    assert (was[0], was[2]) == (is_now[0], is_now[2])


def output(program, place, *words):
    done = subprocess.run([program, *words], cwd=place, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_configurations(place):
    """What is wrong with them, and what they amount to."""
    (place / "table.aphorisms").write_bytes(protocol_model.text(protocol_model.THREE))
    for file in sorted((SEEDS / "config").iterdir()):
        (place / "conf").write_bytes(file.read_bytes())
        for option in "--test", "--dump":
            words = option, "-c", "conf", "-o", "aphorisms=table.aphorisms"
            assert output(OLD, place, *words) == output(APHORISMD, place, *words), file.name


def test_tables(place):
    (place / "conf").write_text("")
    for file in sorted((SEEDS / "table").iterdir()):
        (place / "table").write_bytes(file.read_bytes())
        words = "--test", "-c", "conf", "-o", "aphorisms=table"
        assert output(OLD, place, *words) == output(APHORISMD, place, *words), file.name


def test_addresses(place):
    (place / "conf").write_text("")
    (place / "table").write_bytes(b"Why? So.\n")
    for file in sorted((SEEDS / "address").iterdir()):
        for line in file.read_bytes().replace(b"\0", b"\n").split(b"\n")[:200]:
            words = "--test", "-c", "conf", "-o", "aphorisms=table", "-l", line
            assert output(OLD, place, *words) == output(APHORISMD, place, *words), line
