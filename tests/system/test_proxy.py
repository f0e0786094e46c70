"""The PROXY protocol: behind a proxy the daemon sees the client, and nobody else is let in there."""

import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import harness
from harness import APHORISMD, HOLDS, LIMIT, SLACK, Client, environment, owners, run, until
from protocol_model import THREE, TOO_BUSY, UNKNOWN

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
PROXIED = {"address": "127.0.0.1:0", "proxy": True}
LIST = (PROXIED,)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NAME = r"(127\.0\.0\.1:\d+)"       # the proxy's own, which are these tests


def v1(source, to="203.0.113.9", port=56324):
    return b"PROXY TCP%d %s %s %d 1060\r\n" % (6 if ":" in source else 4, source.encode(), to.encode(), port)


def v2(source=None, port=56324, family=None, more=b"", command=1):
    """A binary header; without a source one whose addresses are `more` alone."""
    kind = 0
    if source:
        kind = 2 if ":" in source else 1
        packed = socket.inet_pton(socket.AF_INET6 if kind == 2 else socket.AF_INET, source)
        more = packed + packed + struct.pack(">HH", port, 1060) + more
    family = kind << 4 | 1 if family is None else family
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(more)) + more


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def summed(source, wrong=0):
    """A binary header with a checksum."""
    whole = v2(source, more=b"\x03\0\4\0\0\0\0")
    return whole[:-4] + struct.pack(">I", crc32c(whole) ^ wrong)


NOOP = b"\4\0\3abc"
NAMED = {
    "v1 IPv4": (v1("192.0.2.7"), "192.0.2.7:56324"),
    "v1 IPv6": (v1("2001:db8::7", "2001:db8::9"), "[2001:db8::7]:56324"),
    "v1 mapped": (v1("::ffff:192.0.2.7", "::1"), "192.0.2.7:56324"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", NAME),
    "v2 IPv4": (v2("192.0.2.7"), "192.0.2.7:56324"),
    "v2 IPv6": (v2("2001:db8::7"), "[2001:db8::7]:56324"),
    "v2 and more": (v2("192.0.2.7", more=NOOP * 600), "192.0.2.7:56324"),
    "v2 and a checksum": (summed("192.0.2.7"), "192.0.2.7:56324"),
    "v2 UNIX": (v2(family=0x31, more=b"/run/client".ljust(216, b"\0")), "unix:"),
    "v2 of another kind": (v2("192.0.2.7", family=0x12), NAME),
    "v2 local": (v2(command=0), NAME),
}


def status(d, key):
    return int(dict(line.split(" ", 1) for line in d.ctl("status").stdout.splitlines())[key])


def ask_as(d, source, question=QUESTION, **more):
    """What a client gets whom the proxy names so."""
    with d.connect(**more) as client:
        client.send(v2(source) + question)
        client.half_close()
        return client.everything()


@pytest.mark.parametrize("kind", NAMED)
def test_the_client_is_whom_the_header_names(daemon, model, kind):
    """With the first question behind it in one segment, and byte by byte."""
    header, name = NAMED[kind]
    d = daemon(model, listen=LIST)
    for number in range(2):
        with d.connect() as client:
            if number == 0:
                client.send(header + QUESTION + b"Half a")
            elif len(header) < 500:
                for at in range(len(header)):
                    client.send(header[at:at + 1])
                client.send(QUESTION + b"Half a")
            else:
                client.send(header[:100])
                client.send(header[100:])
                client.send(QUESTION + b"Half a")
            assert client.answer() == ANSWER
            if name == NAME:
                name = "%s:%d" % client.socket.getsockname()
            client.half_close()
            assert client.everything() == b""
        line = d.wait_for(r'(\S+): unfinished question dropped: "Half a"', number=number).group(1)
        assert line == name
        name = NAMED[kind][1]
    assert status(d, "bad_headers") == 0


BAD = {
    "a question": (QUESTION, "it begins otherwise"),
    "an address": (v1("192.0.2.256"), "an address that is none"),
    "a line without an end": (b"PROXY TCP4 " + b"1" * 200, "a line of more than 107 bytes"),
    "a single newline": (b"PROXY UNKNOWN\n", "a line that does not end in CR LF"),
    "another version": (v2("192.0.2.7").replace(b"\x21\x11", b"\x31\x11"), "an unknown version or command"),
    "another family": (v2("192.0.2.7", family=0x51), "an unknown family or transport"),
    "too short": (v2(family=0x11, more=b"1234"), "too short for its addresses"),
    "too long": (v2("192.0.2.7", more=bytes(4096)), "more than 4096 bytes"),
    "beyond its end": (v2("192.0.2.7", more=b"\4\1\0"), "a part beyond its end"),
    "a wrong checksum": (summed("192.0.2.7", wrong=1), "a wrong checksum"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_header_that_is_none(daemon, model, kind):
    """Closed without a word, though a question is behind it; the operator is told who sent what."""
    header, reason = BAD[kind]
    d = daemon(model, listen=LIST)
    with d.connect() as client:
        name = "%s:%d" % client.socket.getsockname()
        client.send(header)
        try:
            client.send(QUESTION)
            assert client.everything() == b""
        except ConnectionError:
            pass        # it left before it had read all
    line = d.wait_for(r"(\S+): closed for a bad PROXY header: (.*?): \"")
    assert line.groups() == (name, reason)
    assert ask_as(d, "192.0.2.7") == ANSWER
    assert status(d, "bad_headers") == 1
    assert status(d, "timeouts") == 0


def test_no_header_at_all(daemon, model):
    d = daemon(model, listen=LIST)
    d.connect().close()
    d.wait_for(r"closed for a bad PROXY header: the end came first: \"\"")
    with d.connect() as client:
        client.send(v1("192.0.2.7")[:-1])
        client.half_close()
        assert client.everything() == b""
    until("two of them", lambda: status(d, "bad_headers") == 2)


def test_many_bad_headers_are_one_line(daemon, model):
    d = daemon(model, listen=LIST)
    for _ in range(20):
        with d.connect() as client:
            client.send(QUESTION)
            assert client.everything() == b""
    assert status(d, "bad_headers") == 20
    assert len(d.matches("bad PROXY header")) == 1
    assert ask_as(d, "192.0.2.7") == ANSWER


def test_a_header_has_the_time_of_a_question(daemon, model):
    """A byte now and then does not renew it, and the only place is free again."""
    d = daemon(model, listen=LIST, timeouts__question="1s", timeouts__idle="50s", max_connections=1)
    begin, header = time.monotonic(), v1("192.0.2.7")
    with d.connect() as client, d.connect() as next_one:
        next_one.send(v1("192.0.2.8") + QUESTION)
        client.send(header[:10])
        try:
            for at in range(10, len(header)):
                client.send(header[at:at + 1])
                if not client.silent(0.2):
                    break
            assert client.everything() == b""
        except ConnectionError:
            pass        # a byte of ours crossed the end
        assert 0.95 <= time.monotonic() - begin <= 1 + SLACK
        assert next_one.answer() == ANSWER
    d.wait_for(r"closed for a bad PROXY header: time-out: \"PROXY TCP4")
    assert (status(d, "bad_headers"), status(d, "timeouts")) == (1, 1)


def test_the_first_question_has_its_own_time(daemon, model):
    """After the header the client may be idle as any other."""
    d = daemon(model, listen=LIST, timeouts__question="500ms", timeouts__idle="20s")
    with d.connect() as client:
        client.send(v1("192.0.2.7"))
        assert client.silent(1.5)
        assert client.ask(QUESTION) == ANSWER


def test_access_lists_judge_the_client(daemon, model):
    d = daemon(model, listen=LIST, access__allow=["192.0.2.0/24"])
    assert ask_as(d, "192.0.2.7") == ANSWER
    for header in (v1("198.51.100.7"), v2("198.51.100.7"), v2("2001:db8::7")):
        with d.connect() as client:
            client.send(header)
            assert client.everything() == b""
    assert (status(d, "denied"), status(d, "bad_headers")) == (3, 0)
    assert d.ask(v2(family=0x31, more=bytes(216)) + QUESTION) == ANSWER     # as any UNIX peer


def test_the_proxy_itself_needs_leave_for_its_checks_alone(daemon, model):
    """Access lists say nothing of a proxy, but where it speaks for nobody else."""
    d = daemon(model, listen=LIST, access__deny=["127.0.0.0/8"])
    assert ask_as(d, "192.0.2.7") == ANSWER
    for header in (v2(command=0), b"PROXY UNKNOWN\r\n"):
        with d.connect() as client:
            client.send(header)
            assert client.everything() == b""
    assert status(d, "denied") == 2


def test_the_limit_for_each_source_is_the_clients(daemon, model):
    d = daemon(model, listen=LIST, max_connections_per_source=1)
    with d.connect() as first:
        first.send(v2("192.0.2.7") + QUESTION)
        assert first.answer() == ANSWER
        if model not in HOLDS:
            waiting = [d.connect() for _ in range(3)]       # whose, nobody knows yet
            assert ask_as(d, "192.0.2.8") == ANSWER
            for header in (v1("192.0.2.7", port=1), v1("::ffff:192.0.2.7", "::1"), v2("192.0.2.7", port=2)):
                with d.connect() as second:
                    second.send(header)
                    assert second.everything() == TOO_BUSY
            d.wait_for(r"192\.0\.2\.7:1 refused: max_connections_per_source")
            assert status(d, "refused") == 3
            for one in waiting:
                one.close()
    until("a place for that client", lambda: ask_as(d, "192.0.2.7") == ANSWER)


def test_who_has_not_said_a_word_holds_a_place(daemon, model):
    """So max_connections bounds what headers may cost, too."""
    d = daemon(model, listen=LIST, max_connections=1, **{} if model in HOLDS else {"over_limit": "refuse"})
    with d.connect() as mute:
        until("a place that is taken", lambda: owners(mute))
        if model not in HOLDS:
            until("a refusal", lambda: refused(d))
        assert mute.ask(v1("192.0.2.7") + QUESTION) == ANSWER


def refused(d):
    with d.connect() as client:
        return not client.silent(0.3) and client.everything() == TOO_BUSY


def test_each_listener_has_its_own_rule(daemon, model, place):
    d = daemon(model, listen=(PROXIED, "127.0.0.1:0", {"address": f"unix:{place}/s", "proxy": True},
                              {**PROXIED, "protocol": "echo"}))
    assert ask_as(d, "192.0.2.7") == ANSWER
    assert d.ask(number=1) == b"Ugly."
    assert ask_as(d, "192.0.2.7", number=1) == UNKNOWN      # a header is a part of a question there
    assert ask_as(d, "192.0.2.7", number=2) == ANSWER
    assert ask_as(d, "192.0.2.7", number=3) == QUESTION
    with d.connect(2) as client:
        client.send(QUESTION)
        assert client.everything() == b""
    d.wait_for(r"unix:: closed for a bad PROXY header")


def test_a_reload_changes_the_rule(daemon, model):
    d = daemon(model)
    assert d.ask() == b"Ugly."
    d.reloaded(listen=LIST)
    d.settled()
    assert ask_as(d, "192.0.2.7") == ANSWER
    with d.connect() as client:
        client.send(QUESTION)
        assert client.everything() == b""
    dumped = run(APHORISMD, "--dump", "-c", d.config).stdout
    assert '{ address = "127.0.0.1:0"; protocol = "aphorism"; proxy = true; }' in dumped
    d.reloaded(listen=("127.0.0.1:0",))
    d.settled()
    assert d.ask() == b"Ugly."


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_what_was_received_behind_a_header_is_answered(daemon, model, stop):
    """At a stop and at a reload; who has not sent a whole header is let go, and nobody is blamed."""
    d = daemon(model, listen=LIST)
    with d.connect() as asks:
        until("a place that is taken", lambda: owners(asks))
        mute = [d.connect() for _ in range(2)] if model not in HOLDS else []
        for one in mute:
            until("a place that is taken", lambda: owners(one))
        held = [p.pid for p in d.processes()]
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        asks.send(v2("192.0.2.7") + QUESTION * 3)
        if mute:
            mute[1].send(v1("192.0.2.8")[:20])
        d.signal(stop)
        for pid in held:
            os.kill(pid, signal.SIGCONT)
        assert asks.everything() == ANSWER * 3
        for one in mute:
            assert one.everything() == b""
            one.close()
    if stop == signal.SIGHUP:
        until("the next generation", lambda: "state serving" in d.ctl("status").stdout)
        assert ask_as(d, "192.0.2.8") == ANSWER
    else:
        assert d.wait() == 0
    assert not d.matches("bad PROXY header")


def test_half_of_the_clients_without_a_header_do_not_hurt_the_others(daemon, model):
    d = daemon(model, listen=LIST, timeouts__question="300ms")
    stop = threading.Event()

    def annoy():
        while not stop.is_set():
            with d.connect() as client:
                try:
                    client.send(b"PROXY TCP4 ")
                    client.everything()
                except OSError:
                    pass

    annoyers = [threading.Thread(target=annoy) for _ in range(2)]
    for one in annoyers:
        one.start()
    try:
        for number in range(20):
            assert ask_as(d, f"192.0.2.{number}", b"".join(THREE)) == b"".join(THREE.values())
    finally:
        stop.set()
        for one in annoyers:
            one.join()


@pytest.mark.parametrize("named", [b"echo", b""])
def test_an_inherited_socket_has_the_rule_of_its_entry(daemon, named):
    """Whatever its name says of the protocol."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        d = daemon(sockets=[one, other], env={"LISTEN_FDNAMES": f"{named.decode()}:"},
                   listen=({"address": "*:%d" % one.getsockname()[1], "proxy": True},))
        assert ask_as(d, "192.0.2.7") == (QUESTION if named else ANSWER)
        assert ask_as(d, "192.0.2.7", number=1) == UNKNOWN


def inetd(place, stdin, listener, **settings):
    d = harness.Daemon(place, listen=(listener,), control__socket="", process__pidfile="", **settings)
    return subprocess.Popen([APHORISMD, "--inetd", "-c", d.config], env=environment(), stdin=stdin, stdout=stdin,
                            stderr=subprocess.PIPE)


@pytest.mark.parametrize("header,answer", [(v2("192.0.2.7"), ANSWER), (v2("198.51.100.7"), b""), (b"", b"")],
                         ids=["named", "denied", "missing"])
def test_a_connection_of_inetd_has_the_rule_of_its_entry(place, header, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "127.0.0.1:%d" % server.getsockname()[1]
        with Client(address) as client, server.accept()[0] as theirs:
            one = inetd(place, theirs, {"address": address, "proxy": True}, access__allow=["192.0.2.0/24"])
            theirs.close()
            client.send(header + QUESTION + b"half")
            try:
                client.half_close()
                assert client.everything() == answer
            except ConnectionError:
                assert not answer
            said = one.communicate(timeout=LIMIT)[1]
    assert one.returncode == 0
    assert (b'192.0.2.7:56324: unfinished question dropped: "half"' in said) == bool(answer)
    assert (b"bad PROXY header" in said) == (not header)
