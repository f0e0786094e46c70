"""What a question costs under each model, in what can be counted: system calls and allocations.

Nothing here is timed, so a busy machine changes nothing.
"""

import mmap
import os
import signal
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import holds
from protocol_model import THREE
from tracing import calls, compiled, straced, without_sanitizers

QUESTION, ANSWER = next(iter(THREE.items()))
ROUNDS = 20
AHEAD, FAR_AHEAD = 16, 500          # questions in flight on each connection
CROWD = {"event": 64}               # connections at once; where each keeps a process or a thread, 8
ONE_BY_ONE = 50                     # connections that ask one question each
STEADY = {                          # no worker and no thread comes or goes meanwhile
    "prefork.start_workers": 9, "prefork.min_spare": 1, "prefork.max_spare": 9, "threadpool.threads": 8,
    "event.workers": 1,
}

# System calls for each question: recv and send, and what tells an event loop of both, at best of many at once.
LONE_CALLS, CROWD_CALLS, AHEAD_CALLS = {"event": 3}, {"event": 2.2}, {"event": 2.08}     # the last over how many

RING_CALLS = 0.2                    # of a crowd

# And on a connection of its own: accept, recv, send, recv, close.  A bare server makes 14 with a thread and 10 with a
# process for each; which ones is the C library's to say.
ANEW_CALLS = {"thread": 14 + 3, "fork": 10 + 3, "event": 6.5}

# Beside these once for each connection: whoever begins to watch interrupts it.
ASIDE = 3


@pytest.fixture
def counted(place):
    """count(d, what): the system calls that workers make meanwhile, by their names."""
    without_sanitizers()

    def count(d, what):
        with straced([p.pid for p in d.processes()], log=place / "calls"):
            what()
        return calls(place / "calls")

    return count


@contextmanager
def at_once(d, model):
    """What is sent meanwhile is there when an event loop looks; other models are woken by the first byte anyway."""
    stopped = [p.pid for p in d.workers()] if model == "event" else []
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def settled(d, model):
    """Connections, as many as the model holds of a crowd, that have asked once."""
    clients = [d.connect() for _ in range(holds(model, CROWD.get(model, 8)))]
    for client in clients:
        assert client.ask(QUESTION) == ANSWER
    return clients


def converse(d, model, clients, ahead):
    for _ in range(ROUNDS):
        with at_once(d, model):
            for client in clients:
                client.send(QUESTION * ahead)
        for client in clients:
            assert client.take(len(ANSWER) * ahead) == ANSWER * ahead


def check(counts, questions, most, connections=0):
    """No more calls than that for each question."""
    assert counts, "nothing was watched"
    total = sum(counts.values())
    print(f"{total / questions:.3f} calls for each of {questions} questions: {dict(counts)}")
    assert total <= questions * most + connections * ASIDE, f"more than {most} for each question"


def test_calls_of_one_connection(daemon, counted, model):
    d = daemon(model, **STEADY)
    with d.connect() as client:
        assert client.ask(QUESTION) == ANSWER
        counts = counted(d, lambda: [client.ask(QUESTION) for _ in range(100)])
    check(counts, 100, LONE_CALLS.get(model, 2), 1)


@pytest.mark.parametrize("ahead", [1, AHEAD, FAR_AHEAD])
def test_calls_of_many_connections(daemon, counted, place, model, ahead):
    """On a UNIX socket what was sent has arrived."""
    d = daemon(model, listen=(f"unix:{place}/socket",), **STEADY)
    clients = settled(d, model)
    counts = counted(d, lambda: converse(d, model, clients, ahead))
    most = CROWD_CALLS.get(model, 2) if ahead == 1 else AHEAD_CALLS.get(model, 2) / ahead
    check(counts, len(clients) * ROUNDS * ahead, most, len(clients) if model != "event" else 0)
    for client in clients:
        client.close()


def test_calls_with_io_uring(daemon, counted, place, uring):
    """One call for many questions, where it can be had."""
    d = daemon("event", listen=(f"unix:{place}/socket",), event__engine="io_uring", **STEADY)
    clients = settled(d, "event")
    counts = counted(d, lambda: converse(d, "event", clients, 1))
    check(counts, len(clients) * ROUNDS, RING_CALLS)
    for client in clients:
        client.close()


def one_by_one(d, count):
    for _ in range(count):
        assert d.ask_once(QUESTION) == ANSWER


def in_crowds(d, model, count):
    for _ in range(count // CROWD[model]):
        with at_once(d, model):
            clients = [d.connect() for _ in range(CROWD[model])]
            for client in clients:
                client.send(QUESTION)
        for client in clients:
            assert client.answer() == ANSWER
        with at_once(d, model):
            for client in clients:
                client.close()
    one_by_one(d, 1)                # behind their ends


def test_calls_of_a_connection_for_each(daemon, counted, model):
    d = daemon(model, **STEADY)
    one_by_one(d, 3)
    if model in CROWD:
        questions = 2 * CROWD[model]
        counts = counted(d, lambda: in_crowds(d, model, questions))
    else:
        questions = ONE_BY_ONE
        counts = counted(d, lambda: one_by_one(d, questions))
    check(counts, questions, ANEW_CALLS.get(model, 5), 5)


class Allocations:
    """How often a daemon and all its processes have asked for memory."""

    def __init__(self, place):
        file = place / "allocations"
        file.write_bytes(bytes(8))
        library = compiled(place, Path(__file__).with_name("count_allocations.c"))
        self.env = {"LD_PRELOAD": str(library), "ALLOCATIONS": str(file)}
        with open(file, "rb") as opened:
            self.page = mmap.mmap(opened.fileno(), 8, prot=mmap.PROT_READ)

    def count(self):
        return struct.unpack("Q", self.page[:])[0]


@pytest.mark.parametrize("ahead", [1, AHEAD])
def test_no_allocation_for_a_question(daemon, place, model, ahead):
    """The first of a connection may make one, those after it none, unknown ones neither."""
    without_sanitizers()
    allocations = Allocations(place)
    d = daemon(model, env=allocations.env, **STEADY)
    assert allocations.count() > 0, "nothing is counted"
    clients = settled(d, model)
    before = allocations.count()
    converse(d, model, clients, ahead)
    for client in clients:
        assert client.ask(b"What is your quest?") == b"Error: unknown aphorism."
    assert allocations.count() == before
    for client in clients:
        client.close()
