"""What a daemon costs that has nothing to do: the memory of idle connections, and no time at all."""

import re
import resource
import time
from pathlib import Path

import pytest

import harness
from harness import holds, open_files, process, until
from protocol_model import THREE
from tracing import without_sanitizers

QUESTION, ANSWER = next(iter(THREE.items()))
WATCH_S = 3
RING = 40           # bytes of a connection that has orders in a ring


def everybody(d):
    return [process(d.pid), *d.processes()]


def own_memory(d):
    """Bytes that the daemon has written; not its share of libraries, which changes with whoever else uses them."""
    lines = [line.split() for p in everybody(d) for line in p.text("smaps_rollup").splitlines()]
    return sum(int(words[1]) << 10 for words in lines if words[0] in ("Pss_Anon:", "Pss_Shmem:"))


@pytest.fixture
def many_files():
    """many_files(n): so many may be open here and in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def raise_to(wanted):
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"no more than {hard} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))

    yield raise_to
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(d, count):
    """Connections that have asked once."""
    clients = []
    while len(clients) < count:
        batch = [d.connect() for _ in range(min(100, count - len(clients)))]
        for client in batch:
            client.send(QUESTION)
        for client in batch:
            assert client.answer() == ANSWER
        clients += batch
    return clients


def have_touched_all(d):
    """Asks more, and tells whether each worker has answered as often as a ring has buffers."""
    with d.connect() as client:
        for _ in range(100):
            assert client.ask(QUESTION) == ANSWER
    return all(int(re.search(r"(\d+) answered", p.title())[1]) >= 600 for p in d.workers())


# With the defaults otherwise.  Two workers share the connections whatever the machine.
@pytest.mark.parametrize("name, count, most", [("event", 10000, 128), ("thread", 1000, 13 << 10)])
def test_memory_of_an_idle_connection(daemon, many_files, name, count, most):
    """Ours, not the kernel's."""
    without_sanitizers()
    many_files(count + 100)
    d = daemon(name, max_connections=count + 100, backlog=1000, log__level="notice", event__workers=2)
    until("what is touched once and for all", lambda: have_touched_all(d))
    until("their ends", lambda: all("idle" in p.title() for p in d.workers()))
    before = own_memory(d)
    clients = connected(d, count)
    each = (own_memory(d) - before) / count
    held = [sum("socket:" in to for to in open_files(p.pid).values()) for p in d.workers()]
    for client in clients:
        client.reset()                  # no port is left to wait
    print(f"{each:.1f} bytes; workers hold {held}")
    if harness.ENGINE == "io_uring" and name == "event":
        most += RING
    assert each <= most, f"{each:.1f} bytes"


def woken(d):
    """How often all threads of all processes were put on a CPU."""
    tasks = [task for p in everybody(d) for task in Path(f"/proc/{p.pid}/task").iterdir()]
    lines = [line for task in tasks for line in task.joinpath("status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def test_an_idle_daemon_sleeps(daemon, model):
    """All of it, with idle connections, after a reload too: it is woken at most once a second."""
    without_sanitizers()
    d = daemon(model)
    d.reloaded()
    d.settled()
    clients = connected(d, holds(model, 3))

    def asleep():
        before = woken(d)
        time.sleep(WATCH_S)
        return woken(d) - before <= WATCH_S

    until("sleep", asleep)
    for client in clients:
        client.close()
