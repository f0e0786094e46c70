"""Upgrades lose nothing, however often they come, and whatever becomes of the processes that take part."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crowd import COMPLETE, REFUSED, RESET, Crowd
from harness import Successor, is_starter, models, nothing_left, open_files, process, strays, strike, until
from load import Load
from test_lossless import FLAT, numbered, talk_about_tables

pytestmark = pytest.mark.alone


def supervisors():
    """Who has a starter: a worker that was just forked may have the title, too."""
    return [p.ppid for p in strays() if is_starter(p) and p.ppid != os.getpid() and not is_starter(process(p.ppid))]


def test_upgrades_amid_a_crowd(daemon, rng, some):
    """200 clients, another model and another table each time: none refused, none reset, none answered wrongly."""
    rounds, number = some(100, 12), [0]
    d = daemon("prefork", table=numbered(0), log__level="notice", max_connections=2000, prefork__max_workers=20,
               process__pidfile="pid")
    crowd = Crowd(d.address, 200, rng, lambda begun: [numbered(n) for n in range(max(0, begun - 1), number[0] + 1)],
                  lambda: number[0], talk_about_tables)
    before = None
    for n in range(1, rounds + 1):
        number[0] = n
        d.write(table=numbered(n), model=rng.choice(models()) if n % 10 else "prefork")
        d.upgraded()
        assert int((d.place / "pid").read_text()) == d.pid
        if n % 10 == 0:
            d.settled()
            after = process(d.pid).memory(), len(open_files(d.pid))
            before = before or after
    d.settled()
    crowd.finish()
    assert before[1] == after[1] and abs(before[0] - after[0]) < FLAT, f"{before}, then {after}"
    until("one daemon", lambda: supervisors() == [d.pid])
    assert not crowd.how_many(REFUSED, RESET), f"{crowd.count}: {crowd.ends[:3]}"
    assert crowd.count[COMPLETE] > 0 and crowd.answers > 10 * rounds
    print(f"{crowd.count}, {crowd.answers} answers, the longest wait {crowd.longest:.2f} s")


def test_upgrades_and_reloads_as_they_come(daemon, rng, some):
    """By signals, without waiting for what becomes of them: one daemon is there at the end, and nobody was lost."""
    d = daemon("event", log__level="notice", process__pidfile="pid")
    load = Load(d.address, 20, per_connection=3)
    for _ in range(some(100, 12)):
        pid = int((d.place / "pid").read_text())
        for number in rng.choices((signal.SIGUSR2, signal.SIGHUP), k=3):
            strike(pid, number)
        time.sleep(rng.random() * 0.1)
    until("one daemon", lambda: supervisors() == [int((d.place / "pid").read_text())])
    until("rest", lambda: "state serving" in d.ctl("status").stdout)
    if supervisors() != [d.pid]:
        assert d.wait() == 0
        d.process = Successor(supervisors()[0])
    load.finish()
    assert d.ask() == b"Ugly."


def at_a_moment(d, rng, victim):
    """An upgrade, and the death of somebody meanwhile: what aphorismctl said."""
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(d.upgrade)
        until("a process", lambda: victim() or outcome.done())
        time.sleep(rng.random() * 0.04)
        for pid in victim():
            strike(pid, signal.SIGKILL)
        return outcome.result()


def test_the_new_one_is_killed(daemon, rng, some):
    """At any moment: the old one serves on, unless it had left its place already."""
    for number in range(some(60, 12)):
        d = daemon(models()[number % len(models())], log__level="notice", process__pidfile="pid")
        load, old = Load(d.address, 4, per_connection=3), d.pid
        result = at_a_moment(d, rng, lambda: set(supervisors()) - {old})
        if result.returncode == 71:
            assert "ended by a signal: Killed" in result.stderr
            until("the old one alone", lambda: supervisors() == [old] and "state serving" in d.ctl("status").stdout)
            before = load.answered
            until("more answers", lambda: load.answered > before + 20)
            load.finish()
            assert pid_of(d) == old
            d.stop()
        else:
            assert result.returncode in (0, 69), result
            load.over = load.ending = True
            load.thread.join()
            assert d.wait() in (0, 69)
            for pid in supervisors():       # it was too late to find it
                strike(pid, signal.SIGTERM)
        nothing_left()


def test_the_old_one_is_killed(daemon, rng, some):
    """At any moment: the new one has all, if it was there; else that is a plain death."""
    for number in range(some(60, 12)):
        d = daemon(models()[number % len(models())], log__level="notice", process__pidfile="pid")
        old = d.pid
        result = at_a_moment(d, rng, lambda: {old} & set(supervisors()) if "upgrading" in "".join(d.lines) else set())
        assert result.returncode in (0, 69), result
        d.wait()
        # one that was just started may not be seen yet
        until("a successor, or nobody", lambda: not strays() or (supervisors() == [pid_of(d)] != [old]))
        if strays():
            d.process = Successor(pid_of(d))
            until("the control socket", lambda: f"\npid {d.pid}\n" in d.ctl("status").stdout)
            assert d.ask() == b"Ugly."
            d.stop()
        nothing_left()
        (d.place / "pid").unlink(missing_ok=True)


def pid_of(d):
    return int((d.place / "pid").read_text())
