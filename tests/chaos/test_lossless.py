"""Stop and reload lose nothing, at whatever moment they come."""

import os
import signal
import time

import pytest

from crowd import COMPLETE, REFUSED, RESET, Crowd, small_talk
from deaths import children, clients_of, dead, halted, state
from harness import models, nothing_left, open_files, process, talk, until
from load import Load
from protocol_model import THREE
from tracing import straced

pytestmark = pytest.mark.alone

WHICH = b"Which table?"
FLAT = 512 << 10     # bytes by which the supervisor's memory may differ after all


def numbered(number):
    return {**THREE, WHICH: b"%d." % number}


def talk_about_tables(rng):
    return small_talk(rng, 10) + [WHICH] + small_talk(rng, 10) + [WHICH]


def tasks(d):
    """All threads of all workers."""
    return sum(int(*p.status("Threads") or "0") for p in d.processes())


def test_reloads_amid_a_crowd(daemon, rng, some):
    """200 clients, another model and another table each time: none refused, none reset, none answered wrongly."""
    rounds, number, latest = some(1000, 60), [0], {}
    d = daemon("prefork", table=numbered(0), log__level="notice", max_connections=2000,
               prefork__max_workers=20)
    crowd = Crowd(d.address, 200, rng, lambda begun: [numbered(n) for n in range(max(0, begun - 1), number[0] + 1)],
                  lambda: number[0], talk_about_tables)
    before = None
    for n in range(1, rounds + 1):
        number[0] = n
        d.reloaded(table=numbered(n), model=rng.choice(models()) if n % 10 else "prefork")
        alive = set(children(d.pid))
        latest = {pid: latest.get(pid, n) for pid in alive}
        older = [pid for pid, since in latest.items() if since < n - 1 and state(pid) not in "ZX"]
        assert not older, f"{len(older)} workers of the generation before last"
        if n % 10 == 0 and (n == 10 or n == rounds):
            d.settled()
            before, after = before or (process(d.pid).memory(), len(open_files(d.pid))), (
                process(d.pid).memory(), len(open_files(d.pid)))
    crowd.finish()
    until("calm", lambda: tasks(d) == len(d.processes()) <= 10 + 1)
    assert before[1] == after[1] and abs(before[0] - after[0]) < FLAT, f"{before}, then {after}"
    assert not crowd.how_many(REFUSED, RESET), f"{crowd.count}: {crowd.ends[:3]}"
    assert crowd.count[COMPLETE] > 0 and crowd.answers > 10 * rounds
    print(f"{crowd.count}, {crowd.answers} answers, the longest wait {crowd.longest:.2f} s")


def test_a_drain_that_is_slow_to_let_go_of_listeners(daemon, model):
    """Threads see the end before the handler has put the listeners out of their reach; others serve on there."""
    d = daemon(model, listen=("127.0.0.1:0", "127.0.0.1:0"), log__level="notice")
    loads = [Load(address, 6, per_connection=2) for address in d.addresses]
    with straced(children(d.pid)[:1], "-e", "inject=dup2:delay_enter=100000"):
        d.reloaded()
        d.settled()
    for address in d.addresses:
        assert talk(address, [b"Simple is better than?"]) == b"Complex."
    for load in loads:
        load.finish()


@pytest.mark.models(only=("prefork", "threadpool"))
def test_a_worker_that_leaves_takes_one_more(daemon, model):
    """It was blocked in accept, and was given a connection at the moment of the reload: the client speaks, and is heard."""
    d = daemon(model, prefork__start_workers=1, prefork__min_spare=1, prefork__max_spare=1, prefork__max_workers=1)
    with straced(children(d.pid)[:1], "-e", "inject=accept4:delay_exit=2000000"), d.connect() as client:
        begin = time.monotonic()
        d.reloaded()
        time.sleep(max(0, begin + 2.4 - time.monotonic()))
        assert client.ask(b"Simple is better than?") == b"Complex."
        assert client.everything() == b""


# Moments of a stop.  Each brings the daemon there, a random time later the stop comes.

def serving(d, rng):
    pass


def reloading(d, rng):
    d.write(table=numbered(rng.randrange(100)), model=rng.choice(models()))
    d.signal(signal.SIGHUP)


def reloading_twice(d, rng):
    reloading(d, rng)
    reloading(d, rng)


def respawning(d, rng):
    """The death of a worker who serves nobody."""
    for pid in children(d.pid):
        if halted(pid):
            idle = not clients_of(pid)
            os.kill(pid, signal.SIGKILL if idle else signal.SIGCONT)


@pytest.mark.parametrize("moment", [serving, reloading, reloading_twice, respawning])
def test_stops(daemon, rng, some, moment):
    """What was asked before the stop is answered, and nobody is reset."""
    for number in range(some(50, 6)):
        d = daemon(models()[number % len(models())], table=numbered(0), log__level="notice")
        load = Load(d.address, rng.choice((1, 10, 50)), numbered(0), lambda question, answer: answer[-1:] == b".",
                    per_connection=rng.choice((None, 1, 5)), seed=rng.random())
        idle = d.connect()
        until("answers", lambda: load.answered > 0)
        time.sleep(rng.random() * 0.05)
        moment(d, rng)
        time.sleep(rng.choice((0, 0.005, 0.05)) * rng.random())
        load.stop_server(lambda: d.signal(rng.choice((signal.SIGTERM, signal.SIGINT))),
                         owed=moment in (serving, respawning))
        assert idle.everything() == b""
        idle.close()
        assert d.wait() == 0
        nothing_left()


def test_stops_during_the_start(daemon, rng, some):
    """It ends, whole and soon, however far it has come."""
    for number in range(some(50, 12)):
        d = daemon(models()[number % len(models())], launch_only=True)
        time.sleep(rng.random() * 0.03)
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        assert d.wait() in (0, -signal.SIGTERM)      # the latter before the program has come to its first line
        assert time.monotonic() - begin < 5
        nothing_left()


def test_a_stop_while_no_worker_lives(daemon, model, some):
    """Those who are in the queue are served by a worker that is made for them alone."""
    for _ in range(some(10, 2)):
        d = daemon(model, log__level="notice")
        os.kill(d.pid, signal.SIGSTOP)
        for pid in children(d.pid):
            os.kill(pid, signal.SIGKILL)
        until("their deaths", lambda: all(dead(pid) for pid in children(d.pid)))
        clients = [d.connect() for _ in range(5)]
        for client in clients:
            client.send(b"Simple is better than?")
        d.signal(signal.SIGTERM)
        d.signal(signal.SIGCONT)
        for client in clients:
            assert client.everything() == b"Complex."
            client.close()
        assert d.wait() == 0
