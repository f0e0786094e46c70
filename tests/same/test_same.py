"""What two builds say to the same clients, and what they log of it."""

import contextlib
import os
import random
import re
import socket
import subprocess
from pathlib import Path

import protocol_model
from harness import APHORISMD, Client, Daemon

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


def conversations(program, place, model, engine, limit):
    """Everything that is said on each kind of listener; then the log, without what differs from run to run."""
    place.mkdir()
    place.chmod(0o777)
    listeners = [{"address": "127.0.0.1:0", **{k: v.format(place=place) if k == "address" else v
                                               for k, v in more.items()}} for more in KINDS.values()]
    d = Daemon(place, model, program=program, listen=listeners, max_questions_per_connection=limit, max_question_length=LONGEST,
               event__engine=engine, log__level="debug")
    try:
        d.start()
        said = []
        for number, kind in enumerate(KINDS):
            for pieces in messages():
                with Client(d.addresses[number]) as client:
                    said.append((kind, pieces, *end_of(client, pieces)))
        d.stop()
        d.wait_for(r"\(end of log\)")
    finally:
        if d.process and d.process.poll() is None:
            d.process.kill()
    return said, sorted(re.sub(r"\b\d+\b", "N", line.replace(str(place), "PLACE")) for line in d.lines)


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


def told(program, place, *words):
    done = subprocess.run([program, *words], cwd=place, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_configurations(place):
    """What is wrong with them, and what they amount to."""
    (place / "table.aphorisms").write_bytes(protocol_model.text(protocol_model.THREE))
    for file in sorted((SEEDS / "config").iterdir()):
        (place / "conf").write_bytes(file.read_bytes())
        for option in "--test", "--dump":
            words = option, "-c", "conf", "-o", "aphorisms=table.aphorisms"
            assert told(OLD, place, *words) == told(APHORISMD, place, *words), file.name


def test_tables(place):
    (place / "conf").write_text("")
    for file in sorted((SEEDS / "table").iterdir()):
        (place / "table").write_bytes(file.read_bytes())
        words = "--test", "-c", "conf", "-o", "aphorisms=table"
        assert told(OLD, place, *words) == told(APHORISMD, place, *words), file.name


def test_addresses(place):
    (place / "conf").write_text("")
    (place / "table").write_bytes(b"Why? So.\n")
    for file in sorted((SEEDS / "address").iterdir()):
        for line in file.read_bytes().replace(b"\0", b"\n").split(b"\n")[:200]:
            words = "--test", "-c", "conf", "-o", "aphorisms=table", "-l", line
            assert told(OLD, place, *words) == told(APHORISMD, place, *words), line
