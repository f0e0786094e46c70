"""The elastic pool: it grows with the load and shrinks after it, and it stays within its limits."""

import time

from harness import until
from test_limits import hold, leave


def count(d):
    return len(d.workers())


def test_it_starts_with_as_many_as_it_is_told(daemon):
    d = daemon("prefork", prefork__start_workers=7, prefork__min_spare=2, prefork__max_spare=9)
    until("seven workers", lambda: count(d) == 7)


def test_it_grows_and_shrinks(daemon):
    d = daemon("prefork", prefork__start_workers=2, prefork__min_spare=2, prefork__max_spare=4)
    until("two workers", lambda: count(d) >= 2)
    clients = hold(d, 12)
    until("two to spare", lambda: count(d) >= 14)
    assert count(d) <= 20
    until("no more than four to spare", lambda: 14 <= count(d) <= 16)
    leave(clients)
    until("no more than four", lambda: 2 <= count(d) <= 4)
    assert d.ask() == b"Ugly."


def test_it_never_exceeds_its_most(daemon):
    d = daemon("prefork", prefork__start_workers=1, prefork__min_spare=1, prefork__max_spare=3,
               prefork__max_workers=6)
    clients = hold(d, 6)
    extra = [d.connect() for _ in range(4)]
    for client in extra:
        client.send(b"Beautiful is better than?")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        assert count(d) <= 6
    assert all(client.silent(0.05) for client in extra)
    leave(clients)
    for client in extra:
        assert client.answer() == b"Ugly."
        client.close()


def test_spare_workers_who_go_cut_nobody(daemon):
    """While the pool shrinks and grows, every client is served."""
    d = daemon("prefork", prefork__start_workers=10, prefork__min_spare=1, prefork__max_spare=2)
    for _ in range(8):
        clients = hold(d, 10)
        leave(clients)
        for _ in range(20):
            assert d.ask() == b"Ugly."
    until("no more than two", lambda: count(d) <= 2)


def test_workers_are_replaced_after_a_number_of_connections(daemon):
    d = daemon("prefork", prefork__start_workers=3, prefork__min_spare=2, prefork__max_spare=4,
               prefork__max_connections_per_worker=10)
    until("three workers", lambda: count(d) >= 3)
    seen = {worker.pid for worker in d.workers()}
    first = set(seen)
    for _ in range(120):
        assert d.ask() == b"Ugly."
        seen |= {worker.pid for worker in d.workers()}
    until("the end of the first ones", lambda: not first & {worker.pid for worker in d.workers()})
    assert 120 / 10 <= len(seen) <= 120
    assert 2 <= until("workers", lambda: count(d)) <= 5


def test_workers_do_not_all_leave_after_the_same_number(daemon):
    """Those that began together would leave together: some go up to an eighth earlier."""
    d = daemon("prefork", prefork__start_workers=1, prefork__min_spare=1, prefork__max_spare=1,
               prefork__max_workers=1, prefork__max_connections_per_worker=32)
    served, lives = {}, []
    while len(set(lives)) < 2:
        assert len(lives) < 12, lives
        with d.connect() as client:
            assert client.ask(b"Beautiful is better than?") == b"Ugly."
            [worker] = d.workers()
        if served and worker.pid not in served:
            lives.extend(served.values())
            served = {}
        served[worker.pid] = served.get(worker.pid, 0) + 1
    assert all(28 <= count <= 32 for count in lives), lives


def test_its_limits_change_at_a_reload(daemon):
    d = daemon("prefork", prefork__start_workers=2, prefork__min_spare=1, prefork__max_spare=2)
    d.reloaded(prefork__start_workers=8, prefork__min_spare=8, prefork__max_spare=9)
    until("eight workers", lambda: 8 <= count(d) <= 9)
    d.reloaded(prefork__start_workers=1, prefork__min_spare=1, prefork__max_spare=1)
    until("one worker", lambda: count(d) == 1)
    assert d.ask() == b"Ugly."
