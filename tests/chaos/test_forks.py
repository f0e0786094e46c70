"""No fork bomb: whatever keeps workers from starting, they are not tried again and again at full speed.

What keeps them from it here is a limit of the address space, set on the running supervisor as prlimit(1) or a unit's
LimitAS does: forking still works, but no worker gets the memory that it needs to begin.  Exit status 77, which means
'not again' at a start, is what a worker says that can't become the user it should; strace makes that system call fail.
"""

import resource
import signal
import time
from pathlib import Path

import pytest

from deaths import children, dead
from harness import LIMIT, ROOT, run, strike, until
from shortage import served
from tracing import compiled, straced, tool

NO_USER = Path(__file__).with_name("no_user.c")
WATCH_S = 30
DIED = r"died before it was ready"


def size(pid):
    """The size of a process's address space."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def starve(d):
    """From now on no worker of this daemon can start: less than its buffers need is left."""
    resource.prlimit(d.pid, resource.RLIMIT_AS, (size(d.pid) + (32 << 10), resource.RLIM_INFINITY))


def feed(d):
    resource.prlimit(d.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def kill_all(d):
    """So that the supervisor sees all of them die at once."""
    d.signal(signal.SIGSTOP)
    for pid in children(d.pid):
        strike(pid, signal.SIGKILL)
    until("their deaths", lambda: all(dead(pid) for pid in children(d.pid)))
    d.signal(signal.SIGCONT)


@pytest.mark.parametrize("spare", [pytest.param(5, marks=pytest.mark.long), 100])
def test_workers_that_die_before_they_are_ready(daemon, spare):
    """At most 12 forks in 30 s however many workers are missing, and a line of the log for each step."""
    d = daemon("prefork", prefork__start_workers=spare, prefork__min_spare=spare, prefork__max_spare=spare)
    until("all workers", lambda: d.ask() == b"Ugly." and len(children(d.pid)) >= spare)
    starve(d)
    since = len(d.lines)
    kill_all(d)
    time.sleep(WATCH_S)
    deaths = d.matches(DIED + ": status", since)      # and not of one that we killed before it was ready
    assert d.process.poll() is None
    tried = len(d.matches(r"can't reserve", since))          # each says so that was forked
    assert 5 <= tried <= 12, f"{tried} forks"
    assert 5 <= len(deaths) <= tried, [m.string for m in deaths]
    assert len({m.string.split("started in")[1] for m in deaths}) == len(deaths), "more than a line for a step"
    print(f"{tried} forks, {len(deaths)} lines")
    feed(d)
    until("service, at the latest after the longest pause", lambda: served(d), 30 + LIMIT)


def test_none_can_start_at_all(daemon, model):
    """The daemon ends with the reason, at once: descriptors for twenty are enough for it, but not for its workers."""
    begin = time.monotonic()
    d = daemon(model, launch_only=True, listen=("127.0.0.1:0",) * 10, under=(tool("prlimit"), "--nofile=20"))
    assert d.wait() == 71
    d.wait_for(r"can't prepare to serve: Too many open files")
    d.wait_for(r"workers can't start \(status 71\)")
    assert 1 <= len(d.matches(DIED)) <= 2
    assert time.monotonic() - begin < 10
    assert not d.matches("killed, it did not leave in time")


def test_none_can_become_the_user(daemon, model):
    """As in a container that has only one user: not tried again, and ended with the reason."""
    if not ROOT or run(tool("unshare"), "-U", "-r", "true").returncode:
        pytest.skip("no user namespaces, or not root")
    d = daemon(model, launch_only=True, under=("unshare", "-U", "-r"))
    assert d.wait() == 77
    d.wait_for(r"can't become user")
    assert len(d.matches(r"not tried again")) == 1


def test_a_right_that_is_missing_later_on_is_tried_again(daemon):
    """Those who serve go on, and when it is back, so is their number."""
    d = daemon("prefork", prefork__start_workers=5, prefork__min_spare=5, prefork__max_spare=5)
    until("all workers", lambda: d.ask() == b"Ugly." and len(children(d.pid)) >= 5)
    with straced([d.pid], "-e", "inject=setresuid:error=EPERM"):
        since = len(d.lines)
        for pid in children(d.pid)[:2]:         # there may be one more than must be
            strike(pid, signal.SIGKILL)
        d.wait_for(r"status 77; the next is started in", since)
        assert d.ask() == b"Ugly."
    until("all workers again", lambda: len(children(d.pid)) == 5)


@pytest.mark.skipif(not ROOT, reason="only root changes its user")
def test_status_78_is_not_tried_again(daemon, place):
    """Those who serve go on, and when the last has gone, the daemon ends with that status."""
    exits = place / "exits"
    d = daemon("prefork", prefork__start_workers=3, prefork__min_spare=3, prefork__max_spare=10,
               env={"LD_PRELOAD": str(compiled(place, NO_USER)), "EXIT_FILE": str(exits)})
    until("all workers", lambda: d.ask() == b"Ugly." and len(children(d.pid)) >= 3)
    exits.write_text("78")
    since = len(d.lines)
    for pid in children(d.pid)[:2]:         # there may be one more than must be, which stays
        strike(pid, signal.SIGKILL)
    d.wait_for(r"status 78; it is not tried again", since)
    time.sleep(3)
    assert len(d.matches(DIED + ": status", since)) == 1
    assert 1 <= len(children(d.pid)) <= 2 and d.ask() == b"Ugly."
    kill_all(d)
    assert d.wait() == 78
    d.wait_for(r"no worker is left", since)


@pytest.mark.skipif(not ROOT, reason="only root changes its user")
def test_status_78_ends_a_start(daemon, model, place):
    (place / "exits").write_text("78")
    d = daemon(model, launch_only=True,
               env={"LD_PRELOAD": str(compiled(place, NO_USER)), "EXIT_FILE": str(place / "exits")})
    assert d.wait() == 78
    assert len(d.matches(DIED)) == len(d.matches("not tried again")) == 1
