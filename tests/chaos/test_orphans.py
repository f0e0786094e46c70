"""No orphan: when the supervisor is killed, its workers answer what they hold and are gone."""

import os
import signal
import time

import pytest

from crowd import REFUSED, Crowd
from harness import descendants, models, process, reap, until
from oracle import answers
from protocol_model import THREE

pytestmark = pytest.mark.alone

GONE_S = 1 + 1       # promised within 1 s; the other is for a busy machine
PIPELINE = b"Simple is better than?" * 20 + b"What?" + b"Beautiful is better than?"


def round_of(daemon, model, rng, address):
    """One life: clients of every kind, a sudden death, nothing left, and a new life on the same port."""
    d = daemon(model, listen=(address,), log__level="notice")
    crowd = Crowd(d.address, 4, rng)
    until("answers", lambda: crowd.answers > rng.choice((1, 20, 100)))
    idle, owed, half = d.connect(), d.connect(), d.connect()
    owed.send(PIPELINE)
    half.send(b"Simple is bet")
    served = model != "iterative"
    if served:
        until("its first answer", lambda: owed.answer() == b"Complex.")
    below = [p.pid for p in descendants(d.pid)]
    crowd.ending = True
    begin = time.monotonic()
    os.kill(d.pid, signal.SIGKILL)
    d.wait()
    until("the end of all workers", lambda: not any(alive(pid) for pid in below), GONE_S)
    took = time.monotonic() - begin
    reap([d.pid])
    got = owed.everything()
    whole = answers(PIPELINE, THREE)[len(b"Complex.") if served else 0:]
    assert got == whole or not served and whole.startswith(got), got
    assert half.everything() == b"" and idle.everything() == b""
    for client in (idle, owed, half):
        client.close()
    crowd.finish()
    assert not crowd.how_many(REFUSED)
    return d.address, took


def alive(pid):
    p = process(pid)
    return p and p.state not in "ZX"


def test_the_supervisor_is_killed(daemon, rng, some):
    """Each model in turn, and each start on the port of the one before, at once."""
    address, longest = "127.0.0.1:0", 0.0
    for number in range(some(100, 12)):
        address, took = round_of(daemon, models()[number % len(models())], rng, address)
        longest = max(longest, took)
    print(f"gone after {longest:.2f} s at the latest")


def test_a_start_does_not_wait_for_the_orphans(daemon, model):
    """The old workers may still be at it when a service manager starts the next daemon."""
    d = daemon(model, table={b"Long?": b"y" * 1000 + b"."}, log__level="notice")
    deaf = d.connect(receive_buffer=4096)
    deaf.socket.setblocking(False)
    try:
        while True:
            deaf.socket.send(b"Long?" * 1000)
    except BlockingIOError:
        pass
    until("a worker that can't send", lambda: not deaf.silent(1))
    below, begin = [p.pid for p in descendants(d.pid)], time.monotonic()
    d.kill()
    again = daemon(model, listen=(d.address,), log__level="notice")
    assert again.ask() == b"Ugly."
    until("the end of all workers", lambda: not any(alive(pid) for pid in below), begin + GONE_S - time.monotonic())
    deaf.close()
