"""What clients are answered, in every model: the table of the protocol, and whatever else they may send."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import ETC, LIMIT, holds, talk, until
from protocol_model import THREE, TOO_LONG, UNKNOWN, converse, cuts, transcripts
from test_control import outgoing

SEED = int(os.environ.get("TEST_SEED", 1060))
TRANSCRIPTS = 400
LONGEST = 256

ODD = {
    **THREE,
    b"a?": b"b.",
    b"aa?": b"!.",
    b"tab\tand  two spaces?": b"kept  as\tthey are.",
    b"\x80\xff\x00\x01\x7f?": b"\xff\x00\xfe.",
    b"L" * (LONGEST - 1) + b"?": b"long.",
    b"What is long?": b"x" * 3000 + b".",
}

ROWS = [
    (b"Beautiful is better than?", b"Ugly."),
    (b"Explicit is better than?", b"Implicit."),
    (b"Simple is better than?", b"Complex."),
    (b"Beautiful is better than?Explicit is better than?", b"Ugly.Implicit."),
    (b"\r\n Simple is better than?\n", b"Complex."),
    (b"What is your quest?", UNKNOWN),
    (b"?", UNKNOWN),
    (b"Simple is better th", b""),
]


def test_each_row_of_the_protocols_table(daemon, model):
    d = daemon(model)
    for sent, answered in ROWS:
        assert talk(d.address, [sent]) == answered


def test_answers_come_without_an_end_of_input(daemon, model):
    d = daemon(model)
    with d.connect() as client:
        for sent, answered in ROWS[:-1]:
            client.send(sent)
            assert client.take(len(answered)) == answered
        client.half_close()
        assert client.everything() == b""


def test_an_unknown_question_does_not_end_the_conversation(daemon, model):
    d = daemon(model)
    with d.connect() as client:
        assert client.ask(b"beautiful is better than?") == UNKNOWN
        assert client.ask(b"Beautiful is better than?") == b"Ugly."


def test_half_a_question_is_dropped_with_one_line_of_log(daemon, model):
    d = daemon(model)
    assert talk(d.address, [b"Simple \x1b[31m is better th"]) == b""
    d.wait_for(r"Simple \\x1b\[31m is better th")
    assert talk(d.address, [b"Simple is better than? \r\n\t "]) == b"Complex."
    d.stop()
    assert len(d.matches("is better th")) == 1


def test_transcripts_however_they_are_cut(daemon, model):
    d = daemon(model, table=ODD, max_question_length=LONGEST, log__level="notice")
    rng = random.Random(SEED)

    def check(number, data):
        expected, _ = converse(data, ODD, LONGEST)
        for cut, pieces in cuts(random.Random(SEED + number), data):
            got = talk(d.address, pieces)
            assert got == expected, f"seed {SEED}, transcript {number} cut in {cut}: {data!r}"

    everything = transcripts(SEED, TRANSCRIPTS, ODD, LONGEST)
    order = rng.sample(range(TRANSCRIPTS), TRANSCRIPTS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: check(number, everything[number]), order))


def test_transcripts_at_once_on_one_connection(daemon, model):
    """Whatever came before, the answers stay in step; and the order of connections plays no part."""
    d = daemon(model, table=ODD, max_question_length=LONGEST, log__level="notice")
    whole = b""
    for data in transcripts(SEED + 1, 100, ODD, LONGEST):
        if not converse(data, ODD, LONGEST)[1]:
            whole += data + b"? "
    expected, ended = converse(whole, ODD, LONGEST)
    assert not ended
    for piece in (1, 13, 1000, len(whole)):
        pieces = [whole[i:i + piece] for i in range(0, len(whole), piece)]
        assert talk(d.address, pieces) == expected


def test_long_questions_in_pieces(daemon, model):
    """Among short ones, and so many that they are held back for a client that takes its answers late."""
    long = b"L" * 5000 + b"?"
    d = daemon(model, table={**THREE, long: b"l" * 3000 + b"."}, max_question_length=8192)
    whole = (long + b"Simple is better than?" + b"M" * 3000 + b"? " + long) * 100
    expected = (b"l" * 3000 + b"." + b"Complex." + UNKNOWN + b"l" * 3000 + b".") * 100
    for piece in (700, 1500, 4999, len(whole)):
        with d.connect(receive_buffer=4096) as client:
            def send():
                for at in range(0, len(whole), piece):
                    client.send(whole[at:at + piece])
                client.half_close()
            sender = threading.Thread(target=send)
            sender.start()
            assert client.everything() == expected
            sender.join(LIMIT)


def cpu_ns(d):
    """Of all threads of its processes; in ticks of 10 ms little would be to be seen."""
    files = [task / "schedstat" for p in d.processes() for task in Path(f"/proc/{p.pid}/task").iterdir()]
    return sum(int(file.read_text().split()[0]) for file in files)


def cost_of_a_byte(d, held):
    """CPU time for each byte of a question of which so many bytes have come before."""
    with d.connect() as client:
        client.send(b"x" * held)
        until("that it is heard", lambda: not outgoing(client.socket))
        before = cpu_ns(d)
        for _ in range(2000):
            client.send(b"x")
            while outgoing(client.socket):
                pass
        spent = cpu_ns(d) - before
        assert client.ask(b"?") == UNKNOWN
        return spent / 2000


def check_cost_of_a_byte(d):
    little, much = (min(cost_of_a_byte(d, held) for _ in range(2)) for held in (1000, 1000000))
    assert much < 3 * little, (little, much)


def test_a_byte_costs_the_same_however_much_of_its_question_has_come(daemon, place, model):
    check_cost_of_a_byte(daemon(model, listen=(f"unix:{place}/s",), max_question_length=1 << 20))


def test_a_long_pipeline_with_a_slow_reader(daemon, model):
    """10,000 questions are owed 10 MB: they must not pile up in the server."""
    table = {**THREE, b"Long is better than?": b"y" * 1000 + b"."}
    questions = list(table) * 2500
    expected = b"".join(table[q] for q in questions)
    d = daemon(model, table=table)
    with d.connect() as warm:
        assert warm.ask(b"Simple is better than?") == b"Complex."
    before = d.memory()
    with d.connect(receive_buffer=4096) as client:
        sender = threading.Thread(target=lambda: (client.send(b"".join(questions)), client.half_close()))
        sender.start()
        got, begin = b"", time.monotonic()
        while time.monotonic() < begin + 3:
            got += client.socket.recv(256)
            time.sleep(0.25)
        grown = d.memory() - before
        client.rest = got
        got = client.everything()
        sender.join(LIMIT)
    assert got == expected
    assert grown < 4 << 20, f"{grown} bytes more"


def test_many_pipelines_at_once(daemon, model):
    d = daemon(model)
    data, answers = b"".join(THREE) * 2000, b"".join(THREE.values()) * 2000

    def check(_):
        with d.connect() as client:
            sender = threading.Thread(target=client.send, args=(data,))
            sender.start()
            assert client.take(len(answers)) == answers
            sender.join(LIMIT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(16)))


@pytest.mark.parametrize("length", [4097, 4098, 10000, 60000])
def test_a_question_too_long_after_others(daemon, model, length):
    """The answers before it arrive, its own too, then the end: no reset overtakes them."""
    d = daemon(model)
    for tail in (b"", b"?", b"?Simple is better than?"):
        with d.connect() as client:
            client.send(b"Beautiful is better than?" * 100 + b"x" * length + tail)
            assert client.everything() == b"Ugly." * 100 + TOO_LONG
    assert d.ask() == b"Ugly."


def test_a_question_as_long_as_may_be(daemon, model):
    longest = b"x" * 4095 + b"?"
    d = daemon(model, table={**THREE, longest: b"long."})
    assert talk(d.address, [longest, b" " * 5000, longest, b"y" * 4095 + b"?"]) == b"long.long." + UNKNOWN


@pytest.mark.parametrize("length", [1000, 100000])
def test_another_longest_question(daemon, model, length):
    longest = b"x" * (length - 1) + b"?"
    d = daemon(model, table={**THREE, longest: b"long."}, max_question_length=length)
    assert talk(d.address, [longest, longest, b"x" + longest]) == b"long.long." + TOO_LONG


def test_bytes_of_every_kind(daemon, model):
    d = daemon(model, table=ODD)
    every = bytes(set(range(256)) - set(b"?"))
    sent = every + b"?" + b"\0?" + b"\x80\xff\x00\x01\x7f?" + b"a?"
    assert talk(d.address, [sent]) == UNKNOWN * 2 + b"\xff\x00\xfe." + b"b."


def test_a_reset_ends_only_its_own_connection(daemon, model):
    d = daemon(model)
    others = [d.connect() for _ in range(holds(model, 2) - 1)]
    for sent in (b"", b"Simple is", b"Simple is better than?" * 3000):
        client = d.connect()
        client.send(sent)
        client.reset()
    for client in others + [d.connect()]:
        assert client.ask(b"Simple is better than?") == b"Complex."
        client.close()


def test_a_limit_of_questions_for_each_connection(daemon, model):
    d = daemon(model, max_questions_per_connection=3)
    for pieces in ([b"".join(THREE), b"a?b?"], list(THREE) + [b"Simple is better than?"]):
        with d.connect() as client:
            for piece in pieces:
                client.send(piece)
            assert client.everything() == b"Ugly.Implicit.Complex."


def test_one_request_of_a_connection(daemon, model, place):
    """Where a listener has once, of any protocol, whatever else limits their number; a reload takes it back."""
    listen = [{"address": "127.0.0.1:0", "once": True},
              {"address": f"unix:{place}/s", "protocol": "echo", "once": True}]
    d = daemon(model, listen=listen, max_questions_per_connection=3)
    for number, sent, answer in ((0, b"".join(THREE), b"Ugly."), (1, b"Simple is", b"Simple is"),
                                 (1, b"x" * 5000, b"x" * 2048)):
        with d.connect(number) as client:
            client.send(sent)
            assert client.everything() == answer
    d.reloaded(listen=(d.addresses[0], {**listen[1], "once": False}))
    d.settled()
    assert talk(d.addresses[0], [b"".join(THREE)]) == b"Ugly.Implicit.Complex."
    with d.connect(1) as client:
        for word in (b"one.", b"two.", b"three.", b"four."):
            assert client.ask(word) == word


def test_a_unix_socket(daemon, model, place):
    path = place / "s"
    d = daemon(model, listen=(f"unix:{path}",))
    for sent, answered in ROWS:
        assert talk(f"unix:{path}", [sent]) == answered
    with d.connect() as client:
        client.send(b"Simple is better than?" + b"x" * 5000)
        assert client.everything() == b"Complex." + TOO_LONG


def test_the_mode_of_a_unix_socket(daemon, place):
    daemon(listen=({"address": f"unix:{place}/a", "mode": "0600"}, {"address": f"unix:{place}/b", "mode": "0666"}))
    assert (place / "a").stat().st_mode & 0o777 == 0o600
    assert (place / "b").stat().st_mode & 0o777 == 0o666


def test_ipv6(daemon, model):
    d = daemon(model, listen=("[::1]:0",))
    assert d.address.startswith("[::1]:")
    for sent, answered in ROWS:
        assert talk(d.address, [sent]) == answered


def test_every_address_takes_both_families(daemon, model):
    d = daemon(model, listen=("*:0",))
    number = d.address.rsplit(":", 1)[1]
    for address in (f"127.0.0.1:{number}", f"[::1]:{number}"):
        assert talk(address, [b"Simple is better than?"]) == b"Complex."


def test_the_ipv6_any_address_is_not_every_address(daemon, reserved):
    """One reload apart: what is told is what is bound, and the wider one takes what the other did not."""
    number = reserved
    d = daemon(listen=(f"[::]:{number}",))
    assert d.address == f"[::]:{number}"
    assert talk(f"[::1]:{number}", [b"Simple is better than?"]) == b"Complex."
    with pytest.raises(ConnectionRefusedError):
        talk(f"127.0.0.1:{number}", [b"Simple is better than?"])
    d.reloaded(listen=(f"*:{number}",))
    for host in ("127.0.0.1", "[::1]"):
        assert talk(f"{host}:{number}", [b"Simple is better than?"]) == b"Complex."


def test_several_listeners(daemon, model, place):
    """Each is served while the others are, and at once when they come together."""
    d = daemon(model, listen=("127.0.0.1:0", "[::1]:0", f"unix:{place}/s", "127.0.0.1:0"))
    assert len(set(d.addresses)) == 4
    with ThreadPoolExecutor(12) as pool:
        def check(number):
            return talk(d.addresses[number % 4], [b"Simple is better than?"]) == b"Complex."
        assert all(pool.map(check, range(200)))


def test_echo_beside_aphorisms(daemon, model):
    d = daemon(model, listen=("127.0.0.1:0", {"address": "127.0.0.1:0", "protocol": "echo"}))
    aphorism, echo = d.addresses
    data = random.Random(SEED).randbytes(300000)
    with d.connect(1) as client:
        sender = threading.Thread(target=lambda: (client.send(data), client.half_close()))
        sender.start()
        assert client.everything() == data
        sender.join(LIMIT)
    with d.connect(1) as client:
        for piece in (b"?", b"x" * 5000, b" ", b"Simple is better than?"):
            client.send(piece)
            assert client.take(len(piece)) == piece
    assert talk(aphorism, [b"Simple is better than?"]) == b"Complex."
    assert talk(echo, []) == b""


def test_a_connection_that_says_nothing(daemon, model):
    d = daemon(model)
    assert talk(d.address, []) == b""
    assert talk(d.address, [b" \r\n"]) == b""
    d.stop()
    assert not d.matches(r"unfinished|incomplete")


def test_answers_come_while_the_table_is_large(daemon, model):
    table = {b"Question %d?" % n: b"Answer %d." % n for n in range(100000)}
    d = daemon(model, table=table)
    asked = random.Random(SEED).sample(range(100000), 500)
    expected = b"".join(b"Answer %d." % n for n in asked)
    assert talk(d.address, [b"Question %d?" % n for n in asked] + [b"Question 100000?"]) == expected + UNKNOWN


def test_the_sample_tables(daemon, place):
    d = daemon(aphorisms=ETC / "zen.aphorisms")
    assert talk(d.address, ROWS[0][:1]) == b"Ugly."
    assert talk(d.address, [b"What is your quest?"]) == UNKNOWN
    d.reloaded(aphorisms=str(ETC / "lancelot.aphorisms"))
    d.settled()
    assert d.ask(b"What is your quest?") == b"To seek the Holy Grail."
    assert d.ask(b"What is your name?") == b"My name is Sir Lancelot of Camelot."
    assert d.ask(b"What is your favorite color?") == b"Blue."
