"""How many may come, from where, and what an answer costs."""

import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from harness import (APHORISMD, HOLDS, LIMIT, ROOT, SLACK, Client, has_32_bits, holds, open_files, owners, parse, process,
                     run, talk, unread, until)
from protocol_model import TOO_BUSY
from tracing import compiled, tool, without_sanitizers

ABSENCE = 0.5      # how long to look for something that must not come


def hold(d, count, **more):
    """So many clients that have been served and stay."""
    clients = [d.connect(**more) for _ in range(count)]
    for client in clients:
        assert client.ask(b"Simple is better than?") == b"Complex."
    return clients


def leave(clients):
    for client in clients:
        client.close()


@pytest.mark.parametrize("limit", [1, 4])
def test_beyond_the_limit_clients_wait(daemon, model, limit):
    d = daemon(model, max_connections=limit)
    clients = hold(d, holds(model, limit))
    with d.connect() as extra:
        extra.send(b"Beautiful is better than?")
        assert extra.silent(ABSENCE)
        clients.pop().close()
        assert extra.answer() == b"Ugly."
        leave(clients)


def test_who_waits_gets_a_turn_at_once(daemon, model):
    """When a place is left, and not when somebody happens to look: that is every 100 ms."""
    d = daemon(model, max_connections=1, **{"event.workers": 1} if model == "event" else {})
    first = hold(d, 1)
    clients = [d.connect() for _ in range(40)]
    for client in clients:
        client.send(b"Simple is better than?")
        client.half_close()
    begin = time.monotonic()
    leave(first)
    for client in clients:
        assert client.everything() == b"Complex."
    took = time.monotonic() - begin
    assert took < 0.75 * 0.1 * len(clients), f"{took:.3f} s for {len(clients)} turns"
    leave(clients)


@pytest.mark.parametrize("limit", [1, 4])
def test_beyond_the_limit_clients_are_refused(daemon, model, limit):
    """Where a worker is free to say so."""
    d = daemon(model, max_connections=limit, over_limit="refuse")
    clients = hold(d, holds(model, limit))
    with d.connect() as extra:
        if model in HOLDS:
            assert extra.silent(ABSENCE)
        else:
            assert extra.everything() == TOO_BUSY
            for client in clients:
                assert client.ask(b"Simple is better than?") == b"Complex."
        leave(clients)
    until("a place that is free again", lambda: served(d))


def served(d):
    """Whether a client gets its answer; it says nothing before it is welcome, so that a refusal is no reset."""
    with d.connect() as client:
        if not client.silent(0.2):
            assert client.everything() == TOO_BUSY
            return False
        return client.ask(b"Simple is better than?") == b"Complex."


def test_an_echo_listener_refuses_without_a_word(daemon, model):
    if model in HOLDS:
        limit = {"max_connections_per_source": 1}
    else:
        limit = {"max_connections": 1, "over_limit": "refuse"}
    d = daemon(model, listen=({"address": "127.0.0.1:0", "protocol": "echo"},), **limit)
    with d.connect() as client:
        assert client.ask(b"x.") == b"x."
        if model not in HOLDS:
            with d.connect() as extra:
                assert extra.everything() == b""
        assert client.ask(b"y.") == b"y."


def come_rudely(d):
    """Clients that reset their connections at every stage of a conversation."""
    question, since = b"Simple is better than?", len(d.lines)
    for words, wait in ((b"", None), (b"Simple", None), (question, None), (question * 3, b"Complex."),
                        (question * 2000, None), (b"x" * 5000, b"long.")):
        client = d.connect()
        client.send(words)
        if wait:
            assert client.answer().endswith(wait)
        else:
            until("that it is heard", lambda: holds_more(client) or not unread(client))
        client.reset()
    until("the end of all", lambda: "connections_open 0\n" in d.ctl("status").stdout)
    assert d.lines[since:] == []


def holds_more(client):
    """Input that the server does not take before the client takes something, or at all."""
    return unread(client) > 1000


def test_no_client_can_have_anything_but_an_information_logged(daemon, model):
    come_rudely(daemon(model, log__level="notice", work__delay="200ms"))


def test_places_are_free_after_every_kind_of_end(daemon, model):
    d = daemon(model, max_connections=1, timeouts__question="60s")
    for round in range(30):
        client = d.connect()
        if round % 3:
            assert client.ask(b"Simple is better than?") == b"Complex."
        if round % 2:
            client.send(b"Simple is")
        if round % 5 < 2:
            client.reset()
        else:
            client.close()
    assert d.ask() == b"Ugly."


def test_places_are_free_after_a_thousand_short_connections(daemon, model):
    """However short: one may be over before whoever took it has noted who serves it."""
    d = daemon(model, max_connections=10, log__level="notice")
    for _ in range(1000):
        d.connect().reset()
    until("an empty daemon", lambda: "connections_open 0\n" in d.ctl("status").stdout)
    leave(hold(d, holds(model, 10)))


def test_the_limit_holds_over_all_workers_and_listeners(daemon, model):
    d = daemon(model, max_connections=3, listen=("127.0.0.1:0", "127.0.0.1:0"))
    some = holds(model, 3)
    clients = [d.connect(number % 2) for number in range(some)]
    for client in clients:
        assert client.ask(b"Simple is better than?") == b"Complex."
    extra = [d.connect(number) for number in (0, 1)]
    for client in extra:
        client.send(b"Beautiful is better than?")
    assert all(client.silent(ABSENCE) for client in extra)
    for client in clients:
        client.close()
    if model in HOLDS:
        answered = []
        while extra:
            answered.append(until("either", lambda: next((c for c in extra if not c.silent(0.05)), None)))
            assert answered[-1].answer() == b"Ugly."
            extra.remove(answered[-1])
            answered[-1].close()
    for client in extra:
        assert client.answer() == b"Ugly."
        client.close()


def test_a_limit_for_each_source(daemon, model):
    d = daemon(model, max_connections_per_source=2)
    if model in HOLDS:
        for _ in range(5):
            assert d.ask(source="127.0.0.2") == b"Ugly."
        return
    clients = hold(d, 2, source="127.0.0.2")
    with d.connect(source="127.0.0.2") as extra:
        assert extra.everything() == TOO_BUSY
    others = hold(d, 2, source="127.0.0.3")
    clients.pop().close()

    def free_again():
        with d.connect(source="127.0.0.2") as client:
            return client.silent(0.3) and client.ask(b"Beautiful is better than?") == b"Ugly."
    until("a place that is free again", free_again)
    leave(clients + others)


def test_the_limit_for_each_source_counts_mapped_addresses_as_ipv4(daemon, model):
    d = daemon(model, max_connections_per_source=1, listen=("*:0", "127.0.0.1:0"))
    if model in HOLDS:
        assert d.ask(source="127.0.0.2") == b"Ugly."
        return
    with d.connect(0, source="127.0.0.2") as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        with d.connect(1, source="127.0.0.2") as extra:
            assert extra.everything() == TOO_BUSY
        with d.connect(1, source="127.0.0.3") as other:
            assert other.ask(b"Simple is better than?") == b"Complex."


def test_a_limit_for_each_source_looks_at_nobody_else(daemon, model):
    """Nor does whoever shows the status: a look at each of a million slots would cost their memory, 64 MB."""
    without_sanitizers()
    slots = 20000 if has_32_bits() else 1000000       # there is no room for a million threads' buffers
    d = daemon(model, max_connections=slots, max_connections_per_source=slots)
    before = d.memory() + process(d.pid).memory()
    for number in range(50):
        assert d.ask(source=f"127.0.1.{number + 1}") == b"Ugly."
    assert "connections 50\n" in d.ctl("status").stdout
    assert d.ctl("connections").returncode == d.ctl("workers").returncode == 0
    grown = d.memory() + process(d.pid).memory() - before
    assert grown < 16 << 20, f"{grown} bytes more"


LINKS = ("ip link set lo up && ip link add left type veth peer name right && for link in left right; do "
         "ip link set $link up && for n in 1 2 3; do ip -6 addr add fe80::$n/64 dev $link nodad || exit; done; done && "
         "exec \"$@\"")
LINK_CLIENTS = """
import ctypes, socket, sys
with open(f"/proc/{sys.argv[1]}/ns/net") as ns:
    assert ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0) == 0
clients = []
for link, number in ("left", 1), ("left", 2), ("right", 1), ("right", 2), ("left", 1):
    scope = socket.if_nametoindex(link)
    client = socket.socket(socket.AF_INET6)
    client.settimeout(10)
    client.bind((f"fe80::{number}", 0, 0, scope))
    client.connect(("fe80::3", int(sys.argv[2]), 0, scope))
    clients.append(client)
    if len(clients) < 5:          # the last is refused without a question
        client.send(b"Simple is better than?")
    print(client.recv(99).decode())
"""


@pytest.mark.parametrize("name", ["thread", "event"])
def test_link_local_clients_are_told_apart(daemon, name):
    """By the whole address and the interface: on a link all of them have the same prefix."""
    if not ROOT or run(tool("unshare"), "-n", "sh", "-c", LINKS, "sh", "true").returncode:
        pytest.skip("no network namespaces, or not root")
    d = daemon(name, max_connections_per_source=1, listen=("*:0",), under=("unshare", "-n", "sh", "-c", LINKS, "sh"))
    said = run(sys.executable, "-c", LINK_CLIENTS, str(d.pid), str(parse(d.address)[1][1]))
    assert said.stdout == "Complex.\n" * 4 + "Error: too busy.\n", said


def test_unix_peers_are_exempt_from_the_limit_for_each_source(daemon, model, place):
    d = daemon(model, max_connections_per_source=1, listen=(f"unix:{place}/s",), access__allow=["10.0.0.0/8"])
    leave(hold(d, holds(model, 4)))


def test_who_may_connect(daemon, model):
    """The longest match wins, an allow list denies the rest, and nobody who is denied gets a byte."""
    d = daemon(model, listen=("*:0",), access__allow=["127.0.0.0/8", "127.0.1.7"], access__deny=["127.0.1.0/24"])
    with d.connect(source="127.0.0.9") as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
    with d.connect(source="127.0.1.7") as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
    for _ in range(3):
        with d.connect(source="127.0.1.1") as client:
            assert client.everything() == b""
    with Client("[::1]:%d" % parse(d.address)[1][1]) as client:
        assert client.everything() == b""


def test_a_deny_list_alone_admits_the_rest(daemon, model):
    d = daemon(model, access__deny=["127.0.0.2/32", "::/0"])
    with d.connect(source="127.0.0.2") as client:
        assert client.everything() == b""
    assert d.ask() == b"Ugly."


def test_those_who_are_denied_take_no_place(daemon, model):
    d = daemon(model, access__deny=["127.0.0.2/32"], max_connections=1)
    denied = [d.connect(source="127.0.0.2") for _ in range(20)]
    assert d.ask() == b"Ugly."
    for client in denied:
        assert client.everything() == b""
        client.close()


def test_the_cost_of_an_answer_is_serial_for_each_connection(daemon, model):
    d = daemon(model, work__delay="400ms")
    with d.connect() as client:
        begin = time.monotonic()
        client.send(b"Simple is better than?" * 3)
        came = []
        for _ in range(3):
            assert client.answer() == b"Complex."
            came.append(time.monotonic() - begin)
    assert all(at >= 0.4 * number - 0.02 for number, at in enumerate(came, 1)), came
    assert came[1] - came[0] > 0.1 and came[2] - came[1] > 0.1, f"not sent when due: {came}"


def test_a_client_that_leaves_while_its_answer_is_delayed_costs_nothing(daemon, model):
    d = daemon(model, work__delay="1200ms")
    client = d.connect()
    client.send(b"Simple is better than?")
    until("the question's arrival", lambda: unread(client) == 0)
    client.reset()
    before = d.cpu()
    time.sleep(1)
    assert d.cpu() - before < 0.15


def test_delays_of_different_connections_overlap(daemon, model):
    d = daemon(model, work__delay="500ms", **{"event.workers": 1} if model == "event" else {})
    clients = [d.connect() for _ in range(4)]
    begin = time.monotonic()
    for client in clients:
        client.send(b"Simple is better than?Beautiful is better than?")
        client.half_close()
    for client in clients:
        assert client.everything() == b"Complex.Ugly."
        client.close()
    took = time.monotonic() - begin
    assert took >= (4 if model in HOLDS else 1) - 0.02
    assert model in HOLDS or took < 3.5, f"{took:.3f} s: one after another"


def test_a_cost_counts_for_no_time_out(daemon, model):
    d = daemon(model, work__delay="1s", timeouts__question="600ms", timeouts__idle="600ms")
    assert talk(d.address, [b"Simple is better than?Simple is better than? Simple is"]) == b"Complex." * 2
    with d.connect() as client:
        client.send(b"Simple is better than?Simple is bet")
        assert client.answer() == b"Complex."
        client.send(b"ter than?")
        assert client.answer() == b"Complex."


def test_computing_takes_the_processor(daemon, model):
    d = daemon(model, work__cpu="20ms")
    with d.connect() as client:
        begin, before = time.monotonic(), d.cpu()
        client.send(b"Simple is better than?" * 20)
        assert client.take(8 * 20) == b"Complex." * 20
        assert time.monotonic() - begin >= 0.4
        assert d.cpu() - before >= 0.3
        assert time.monotonic() - begin < LIMIT


def test_a_refusal_does_not_linger(daemon, model):
    """Clients that are refused and stay do not take the workers' time."""
    if model in HOLDS:
        limit = {"max_connections": 1}
    else:
        limit = {"max_connections": 1, "over_limit": "refuse"}
    d = daemon(model, **limit)
    clients = hold(d, 1)
    begin = time.monotonic()
    extras = [d.connect() for _ in range(40)]
    if model not in HOLDS:
        for extra in extras:
            assert extra.everything() == TOO_BUSY
        assert time.monotonic() - begin < 1 + SLACK
    leave(extras + clients)
    until("a place that is free again", lambda: served(d))


def test_a_worker_that_serves_is_the_only_one_that_holds_the_connection(daemon, model):
    """Whoever has handed a connection on has closed it: else its end would never be seen."""
    d = daemon(model)
    with d.connect() as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        until("one owner", lambda: len(owners(client)) == 1)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.everything() == b""


def test_event_workers_take_turns(daemon):
    """The kernel would wake the same one for nearly all."""
    d = daemon("event", event__workers=2)
    clients = [client for _ in range(320) for client in hold(d, 1)]
    held = [sum(link.startswith("socket:") for link in open_files(worker.pid).values()) for worker in d.workers()]
    assert len(held) == 2 and sum(held) >= 320
    assert max(held) <= 0.65 * sum(held), held
    leave(clients)


def test_a_listener_that_may_not_accept(daemon, place, model):
    """Something beside us forbids it, for ever: clients of another one are served, and it costs no time."""
    without_sanitizers()
    library = compiled(place, Path(__file__).with_name("odd_accept.c"))
    d = daemon(model, listen=("127.0.0.2:0", "127.0.0.1:0"), process__sandbox="off",
               env={"LD_PRELOAD": str(library), "FORBIDDEN": "127.0.0.2"})
    with d.connect(0):
        d.wait_for("can't accept connections: Operation not permitted")
        before, begin = d.cpu(), time.monotonic()
        for _ in range(5):
            assert d.ask_once(b"Simple is better than?", number=1) == b"Complex."
            time.sleep(0.2)
        assert d.cpu() - before < 0.25 * (time.monotonic() - begin)
        assert len(d.matches("can't accept connections")) == 1
        begin = time.monotonic()
        d.stop()
        assert time.monotonic() - begin < 1 + SLACK, "until the drain's time was over"


@pytest.mark.skipif(not has_32_bits(), reason="there is room for all")
def test_more_than_an_address_space(place):
    """Buffers for so many threads need more than 4 GiB, not what is left of that in 32 bits."""
    result = run(APHORISMD, "-f", "-m", "thread", "-l", f"unix:{place}/socket", "-o", "max_connections=100000",
                 "-o", "control.socket=", "-o", "process.user=")
    assert result.returncode == 71, result
    assert re.search(r": can't reserve 100000 times \d{5} bytes: Cannot allocate memory\n", result.stderr), result


def test_the_only_listener_may_not_accept(daemon, place, model):
    """Nor does that cost time, also where a worker would sleep in accept itself, or at a stop; it is told once."""
    without_sanitizers()
    library = compiled(place, Path(__file__).with_name("odd_accept.c"))
    d = daemon(model, process__sandbox="off", env={"LD_PRELOAD": str(library), "FORBIDDEN": "127.0.0.1"})
    with d.connect():
        d.wait_for("can't accept connections: Operation not permitted")
        before, begin = d.cpu(), time.monotonic()
        time.sleep(0.5)
        d.signal(signal.SIGTERM)
        until("the end of the workers", lambda: not d.workers() or d.cpu() - before > 0.5)
        assert d.cpu() - before < 0.25 * (time.monotonic() - begin)
        assert d.wait() == 0
        took = time.monotonic() - begin
    assert took < 1.5 + SLACK, "until the drain's time was over"
    assert len(d.matches("can't accept connections")) == 1
