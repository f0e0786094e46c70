"""A worker's death hurts only its own connections."""

import os
import signal
import time

import pytest

from crowd import COMPLETE, CUT, REFUSED, RESET, Crowd, small_talk
from deaths import DEADLY, Zombies, children, kill
from harness import HOLDS, open_files, process, strike, until

pytestmark = pytest.mark.alone

FLAT = 512 << 10     # bytes by which a supervisor's memory may differ between two looks


def long_talk(rng):
    """Long enough for a death to come in the middle of it."""
    return small_talk(rng, 100)


def weight(pid):
    """A supervisor's own memory and descriptors."""
    return process(pid).memory(), len(open_files(pid))


def flat(before, after):
    return abs(after[0] - before[0]) < FLAT and after[1] == before[1]


def test_a_dying_pool_of_processes(daemon, rng, some):
    """16 workers, 200 clients, and every 100 ms one of the workers dies."""
    d = daemon("prefork", log__level="notice", prefork__start_workers=16, prefork__max_workers=16, work__delay="5ms")
    seconds, lost, deaths = some(60, 10), set(), 0
    crowd = Crowd(d.address, 200, rng, script=long_talk)
    until("all workers", lambda: len(children(d.pid)) == 16)
    until("some answers", lambda: crowd.answers > 200)
    zombies, before, begin = Zombies(d.pid), None, time.monotonic()
    while time.monotonic() < begin + seconds:
        held = kill(rng.choice(children(d.pid)), rng.choice(DEADLY))
        lost |= {(held_port, time.monotonic()) for held_port in held or ()}
        deaths += held is not None
        if before is None and time.monotonic() > begin + seconds / 4:
            before = weight(d.pid)
        time.sleep(0.1)
    until("16 workers again", lambda: len(children(d.pid)) == 16, 1 + 1)
    after, oldest = weight(d.pid), zombies.finish()
    crowd.finish()
    assert deaths >= seconds * 3, f"only {deaths} deaths: the machine is too busy for this test"
    assert oldest < 1, f"a dead process stayed {oldest:.2f} s"
    assert flat(before, after), f"memory and descriptors of the supervisor: {before}, then {after}"
    assert crowd.how_many(COMPLETE) > deaths
    assert not crowd.how_many(REFUSED)
    hurt = [end for end in crowd.ends if end.how in (RESET, CUT)]
    innocent = [end for end in hurt if not any(end.port == p and abs(end.at - at) < 5 for p, at in lost)]
    assert not innocent, f"{len(innocent)} of {len(hurt)} had another worker, or none: {innocent[:3]}"
    print(f"{deaths} deaths, {crowd.count}, the longest wait {crowd.longest:.2f} s, dead for {oldest:.2f} s")


@pytest.mark.parametrize("number", DEADLY)
def test_another_worker_within_a_second(daemon, rng, some, model, number):
    """Whoever comes meanwhile waits in the queue, and is not refused."""
    d = daemon(model, log__level="notice", **{"event.workers": 2} if model == "event" else {})
    crowd = Crowd(d.address, 20, rng)
    for _ in range(some(10, 2)):
        workers = {worker.pid for worker in d.workers()}
        answers = crowd.answers
        for pid in workers:
            strike(pid, number)
        begin = time.monotonic()
        until("new workers", lambda: {worker.pid for worker in d.workers()} - workers, 1 + 1)
        until("answers", lambda: crowd.answers > answers + 20, 1 + 1)
        print(f"served again after {time.monotonic() - begin:.3f} s")
        until("all workers", lambda: not workers & {worker.pid for worker in d.workers()}, 1 + 1)
    crowd.finish()
    assert not crowd.how_many(REFUSED), crowd.count


def test_a_child_of_the_fork_model_dies(daemon, rng, some):
    """One client loses its connection, the others and the worker do not notice."""
    d = daemon("fork", log__level="notice", work__delay="5ms")
    crowd = Crowd(d.address, 30, rng, script=long_talk)
    [worker], lost, deaths = d.workers(), set(), 0
    end = time.monotonic() + some(20, 5)
    while time.monotonic() < end:
        serving = children(worker.pid)
        held = kill(rng.choice(serving), rng.choice(DEADLY)) if serving else None
        lost |= held or set()
        deaths += held is not None
        time.sleep(0.05)
    crowd.finish()
    assert deaths > 10
    assert process(worker.pid) and not crowd.how_many(REFUSED)
    assert {e.port for e in crowd.ends} <= lost
    d.wait_for(r"child processes died")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_somebody_sends_to_workers(daemon, model, number):
    """What only the supervisor may tell them: as killall(1) or a killer of greedy processes would, to one or to all."""
    d = daemon(model, log__level="notice")
    pids = children(d.pid)
    held = None if model in HOLDS else d.connect()
    assert not held or held.ask(b"Simple is better than?") == b"Complex."
    for some_of_them in (pids[:1], pids):
        for pid in some_of_them:
            os.kill(pid, number)
        time.sleep(0.2)          # what must not happen has no event
        for _ in range(10):
            assert d.ask_once(b"Beautiful is better than?") == b"Ugly."
    assert not held or held.ask(b"Explicit is better than?") == b"Implicit."
    assert set(pids) <= set(children(d.pid))
    d.reloaded()
    assert d.ask() == b"Ugly."
    if held:
        held.close()
