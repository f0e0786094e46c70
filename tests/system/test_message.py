"""Messages of a JSON header and a body, in every model, over TCP and UNIX sockets: one of a connection or many."""

import json
import random
import struct
import sys
import threading
import time

import pytest

from harness import LIMIT, holds, talk, until
from test_control import outgoing
from test_cost import STEADY
from test_operate import stats
from tracing import without_sanitizers

FOUND = {"morpheus": "Follow the white rabbit \U0001f430.", "\U0001f436": "\U0001f43e Playing ball! \U0001f3d0.",
         "quote": '"' * 65534 + "."}
TABLE = b"".join(b"%s? %s\n" % (asked.encode(), answer.encode()) for asked, answer in FOUND.items())
TABLE += b"odd? \x01\x7f\xff\xf0\x9f\x92\"\\.\n"
MANY, ONE = (0, 1), (2, 3)             # by their numbers: listeners without and with once


def message(body, kind="text/json", encoding="utf-8", **over):
    """The bytes of a message; ... leaves a member of its header out."""
    header = {"byteorder": "little", "content-type": kind, "content-encoding": encoding, "content-length": len(body)}
    header.update({key.replace("_", "-"): value for key, value in over.items()})
    header = json.dumps({key: value for key, value in header.items() if value is not ...}).encode()
    return struct.pack(">H", len(header)) + header + body


def request(**members):
    return message(json.dumps(members, ensure_ascii=False).encode())


def search(value):
    return request(action="search", value=value)


def binary(body):
    return message(body, "binary/x", "binary")


def answer(body, kind, encoding):
    header = json.dumps({"byteorder": sys.byteorder, "content-type": kind, "content-encoding": encoding,
                         "content-length": len(body)}).encode()
    return struct.pack(">H", len(header)) + header + body


def result(text):
    return answer(json.dumps({"result": text}, ensure_ascii=False).encode(), "text/json", "utf-8")


def missed(value):
    return result(f"No match for '{value}'.")


def first(body):
    return answer(b"First 10 bytes of request: " + body[:10], "binary/custom-server-binary-type", "binary")


ANSWERED = [
    *((search(asked), result(text)) for asked, text in FOUND.items()),
    (search("morpheus?"), result(FOUND["morpheus"])),
    *((search(value), missed(value))
      for value in ("needle", "Morpheus", "", "it's", "a\"b\\c\n\x1f\x7f", "morpheus??", "?")),
    (search("odd"), result("\x01\x7f" + "\ufffd" * 4 + "\"\\.")),
    (message(b'{"value":"\\ud83d\\udc36", "action":"s\\u0065arch"}'), result(FOUND["\U0001f436"])),
    (message(b'{"action":"search","value":"morpheus"}', x="more", nested={"a": [1]}, byteorder=None),
     result(FOUND["morpheus"])),
    (request(action="destroy", value="x"), result("Error: invalid action 'destroy'.")),
    (request(), result("Error: no action.")),
    (request(action=7), result("Error: no action.")),
    (request(action="search"), result("Error: no value.")),
    (request(action="search", value=7), result("Error: no value.")),
    *((binary(body), first(body)) for body in (b"", b"x", b"0123456789", b"0123456789abc", bytes(range(256)))),
    (message(b"[" * 100, "text/plain", None), first(b"[" * 10)),
    (message(b'{"action":"search","value":"morpheus","x":' + b"[" * 31 + b"]" * 31 + b"}"), result(FOUND["morpheus"])),
    (search("x" * 16000), missed("x" * 16000)),
]

MALFORMED = [
    b"\0\0", b"\0\4nope", b"\0\2[]", b"\0\4null", b"\0\0017", b"\0\2\xff\xfe", b"\x10\1", b"\xff\xff{",
    *(message(body) for body in (b"", b"nope", b"[1]", b'"search"', b'{"\xff":1}',
                                 b'{"action":"search","value":"\\u0000"}', b'{"action":"search","action":"search"}',
                                 b'{"x":' + b"[" * 32 + b"]" * 32 + b"}",
                                 b'{"x":' * 2000 + b"1" + b"}" * 2000, b"[" * 16384)),
    message(b"{}", encoding="klingon"), message(b"{}" + b" " * 16383), message(b"[" * 20000),
    *(message(b"xx", "binary/x", "binary", content_length=length)
      for length in ("2", None, -1, 1e3, 2.0, True, [2], (1 << 20) + 1, 1 << 40, 1 << 64)),
    *(message(b"{}", **{key: ...}) for key in ("byteorder", "content_length", "content_type", "content_encoding")),
    message(b"xx", "binary/x", "binary", x=json.loads("[" * 32 + "]" * 32)),
]


@pytest.fixture
def served(daemon, model, place):
    """A daemon whose listeners speak it: two without once, two with it."""
    def start(**more):
        listen = [{"address": f"unix:{place}/{number}" if number % 2 else "127.0.0.1:0", "protocol": "message",
                   "once": number in ONE} for number in range(4)]
        return daemon(model, table=TABLE, listen=listen, **more)
    return start


def test_what_is_answered(served):
    d = served()
    for number in MANY:
        with d.connect(number) as client:
            for sent, answered in ANSWERED:
                client.send(sent)
                assert client.take(len(answered)) == answered
            client.half_close()
            assert client.everything() == b""
    for number in ONE:
        for sent, answered in ANSWERED:
            with d.connect(number) as client:
                client.send(sent)
                assert client.everything() == answered
    unknown = sum(b"No match" in answered for _, answered in ANSWERED)
    stats(d, questions=4 * len(ANSWERED), questions_unknown=4 * unknown, questions_malformed=0)


def test_many_at_once(served):
    """In order, to the last one; of a connection for one message the first is answered, whatever came behind it."""
    d = served()
    sent, answered = b"".join(pair[0] for pair in ANSWERED * 10), b"".join(pair[1] for pair in ANSWERED * 10)
    for number in MANY:
        with d.connect(number, receive_buffer=4096) as client:
            sender = threading.Thread(target=lambda: (client.send(sent), client.half_close()))
            sender.start()
            assert client.everything() == answered
            sender.join(LIMIT)
    for number in ONE:
        with d.connect(number) as client:
            client.send(search("morpheus") + search("\U0001f436") * 50)
            assert client.everything() == result(FOUND["morpheus"])


def test_texts_of_any_kind(served):
    """As a writer of JSON in another language has them: what it escapes is escaped, and nothing else."""
    rng = random.Random(1060)

    def character():
        return chr(rng.choice([rng.randrange(1, 128), rng.randrange(128, 0xd800), rng.randrange(0xe000, 0x110000)]))

    texts = ["".join(character() for _ in range(rng.randrange(100))) for _ in range(200)]
    d = served()
    got = talk(d.address, [b"".join(map(search, texts))])
    assert got == b"".join(map(missed, texts))


def heard(client):
    """Waits until the server has taken all that was sent to its UNIX socket."""
    until("that it is heard", lambda: not outgoing(client.socket))


def test_cut_at_every_byte(served):
    d = served()
    sent, answered = search("morpheus") + binary(b"x" * 20), result(FOUND["morpheus"]) + first(b"x" * 20)
    with d.connect(1) as client:
        for at in range(1, len(sent)):
            client.send(sent[:at])
            heard(client)
            client.send(sent[at:])
            assert client.take(len(answered)) == answered


def test_a_byte_at_a_time(served):
    d = served()
    for number in range(4):
        with d.connect(number) as client:
            for byte in search("morpheus"):
                client.send(bytes([byte]))
                if number % 2:
                    heard(client)
            assert client.take(len(result(FOUND["morpheus"]))) == result(FOUND["morpheus"])


def test_nothing_is_said_before_the_last_byte(served):
    d = served()
    for sent, answered in ((search("morpheus"), result(FOUND["morpheus"])), (binary(b"y" * 1000), first(b"y" * 10))):
        with d.connect(1) as client:
            client.send(sent[:-1])
            heard(client)
            assert client.silent(0.1)
            client.send(sent[-1:])
            assert client.take(len(answered)) == answered


def test_what_is_malformed_ends_the_connection(served):
    """Without a word, behind what is owed, with a line in the log for each; others are served on."""
    d = served()
    for number in range(4):
        for sent in MALFORMED:
            with d.connect(number) as client:
                client.send(sent)
                assert client.everything() == b""
    for sent in MALFORMED:
        with d.connect() as client:
            client.send(search("morpheus") + sent + search("morpheus"))
            assert client.everything() == result(FOUND["morpheus"])
    stats(d, questions=len(MALFORMED), questions_malformed=5 * len(MALFORMED), questions_unfinished=0)
    assert talk(d.address, [search("morpheus")]) == result(FOUND["morpheus"])
    d.stop()
    assert len(d.matches("malformed request")) == 5 * len(MALFORMED)
    assert d.matches(r'malformed request: "\\x00\\x04nope"')


def test_the_clients_end(served):
    """It still gets its answer; half a message is none."""
    d = served()
    for number in range(4):
        assert talk(d.addresses[number], [search("morpheus")]) == result(FOUND["morpheus"])
        assert talk(d.addresses[number], []) == b""
    for number in MANY:
        for half in (search("morpheus")[:20], search("morpheus")[:-1], binary(b"z" * 100)[:-1]):
            assert talk(d.addresses[number], [search("morpheus") + half]) == result(FOUND["morpheus"])
    stats(d, questions_unfinished=6)


def test_a_number_as_long_as_a_message(served):
    """However little room a thread has."""
    body = b'{"action":"search","value":"morpheus","x":%s}' % (b"1." + b"7" * 16000 + b"e-300")
    d = served()
    assert talk(d.address, [message(body)]) == result(FOUND["morpheus"])
    assert talk(d.address, [message(body.replace(b"1.", b"17"))]) == b""
    assert talk(d.address, [search("morpheus")]) == result(FOUND["morpheus"])


def test_the_greatest_body_is_not_held(served):
    without_sanitizers()
    d = served(**STEADY)
    body = random.Random(1060).randbytes(1 << 20)
    with d.connect(1) as client:
        client.send(binary(body) + search("morpheus"))
        assert client.take(len(first(body) + result(FOUND["morpheus"]))) == first(body) + result(FOUND["morpheus"])
        before = d.memory()
        client.send(binary(body)[:-1])
        heard(client)
        assert d.memory() - before < 1 << 18
        client.send(body[-1:])
        assert client.take(len(first(body))) == first(body)


def test_a_limit_of_messages_for_each_connection(served):
    d = served(max_questions_per_connection=2)
    with d.connect() as client:
        client.send(search("morpheus") + binary(b"x" * 5000) + search("morpheus") * 100)
        assert client.everything() == result(FOUND["morpheus"]) + first(b"x" * 10)


def test_half_a_message_has_a_deadline(served):
    d = served(timeouts__question="300ms")
    for half in (b"\0", search("morpheus")[:-1], binary(b"x" * 5000)[:-1]):
        with d.connect() as client:
            begin = time.monotonic()
            client.send(search("morpheus") + half)
            assert client.everything() == result(FOUND["morpheus"])
            assert time.monotonic() - begin > 0.2


def test_nobody_waits_for_who_is_slow(served, model):
    if holds(model, 2) < 2:
        pytest.skip("it serves one after another")
    d = served()
    with d.connect() as slow, d.connect() as quick:
        slow.send(search("morpheus")[:30])
        quick.send(search("morpheus"))
        assert quick.take(len(result(FOUND["morpheus"]))) == result(FOUND["morpheus"])


def test_beside_aphorisms(daemon, model):
    """Of the same table, in the same workers; a reload takes it back."""
    d = daemon(model, listen=("127.0.0.1:0", {"address": "127.0.0.1:0", "protocol": "message"}))
    assert talk(d.addresses[1], [search("Simple is better than")]) == result("Complex.")
    assert talk(d.addresses[0], [b"Simple is better than?"]) == b"Complex."
    d.reloaded(listen=tuple(d.addresses))
    d.settled()
    assert talk(d.addresses[1], [b"Simple is better than?"]) == b"Complex."
