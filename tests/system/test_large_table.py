"""A large table is held once, takes little beside its text, and its reload goes behind the answers."""

import os
import re
import threading

import pytest

from harness import APHORISMD, has_32_bits, open_files, process, run, until
from protocol_model import THREE
from tracing import tool, under_strace, without_sanitizers

BESIDE = 100        # bytes for each aphorism beside the text, at most


def aphorisms(count):
    """So many: the protocol's three, then numbered ones."""
    numbered = "".join(f"What is better than {i}? Number {i + 1} is.\n" for i in range(3, count))
    return b"".join(q + b" " + a + b"\n" for q, a in THREE.items()) + numbered.encode()


LARGE = aphorisms(50000)            # 2 MB; what is smaller than 1 MB is reloaded at once
SNAPSHOT = re.compile(r"^(\w+)-(\w+) (....) \S+ \S+ (\d+) +/memfd:aphorismd", re.MULTILINE)


def snapshots(d):
    """Inode -> bytes of each table that the daemon's processes can reach."""
    found = {}
    for p in [process(d.pid), *d.processes()]:
        for begin, end, rights, inode in SNAPSHOT.findall(p.text("maps")):
            assert rights == "r--s", "not shared, or to be written"
            found[inode] = int(end, 16) - int(begin, 16)
        assert not [to for to in open_files(p.pid).values() if "memfd:aphorismd" in to], "held twice"
    return found


def test_a_million(daemon):
    """Each process of the daemon reaches the same one."""
    table = aphorisms(1000000)
    d = daemon("prefork", table=table)
    (size,) = snapshots(d).values()
    assert size <= len(table) + 1000000 * BESIDE + (1 << 16), f"{(size - len(table)) / 1000000:.1f} bytes each"
    for number in (3, 4711, 999999):
        assert d.ask(b"What is better than %d?" % number) == b"Number %d is." % (number + 1)
    assert d.ask(b"What is better than 1000000?") == b"Error: unknown aphorism."


def test_one_copy_after_reloads(daemon, model):
    d = daemon(model, table=LARGE)
    (before,) = snapshots(d).items()
    for _ in range(3):
        d.reloaded()
    d.settled()
    (after,) = snapshots(d).items()
    assert after[1] == before[1] and after[0] != before[0]


def loader(d):
    return next((p for p in d.workers() if p.title() == "aphorismd: loader"), None)


def is_idle(p):
    """Whether it takes only what others leave of CPU and disk; None when it has gone."""
    io = run(tool("ionice"), "-p", p.pid).stdout.strip()
    try:
        return os.sched_getscheduler(p.pid) == os.SCHED_IDLE and io == "idle"
    except ProcessLookupError:
        return None


def test_a_reload_goes_behind_the_answers(daemon):
    """Seen from outside, while it works."""
    d = daemon(table=LARGE)
    over, results = threading.Event(), []

    def reload_on_and_on():
        while not over.is_set():
            results.append(d.reload().returncode)

    reloads = threading.Thread(target=reload_on_and_on)
    reloads.start()
    try:
        until("a loader at idle priority", lambda: (lambda p: p and is_idle(p))(loader(d)))
    finally:
        over.set()
        reloads.join()
    assert not any(results)


def test_who_does_not_wait(daemon, place):
    """A start, when there is nobody to be served yet, and a small table, which is read in no time."""
    without_sanitizers()
    log = place / "calls"
    d = daemon(table=LARGE, under=under_strace(log, "-e", "trace=sched_setscheduler,ioprio_set"))
    d.reloaded(table=THREE)
    assert not log.read_text()
    d.reloaded(table=LARGE)
    assert re.search(r"sched_setscheduler\(0, SCHED_IDLE, \[0\]\) += 0\n.*ioprio_set\(.*IDLE.* += 0\n", log.read_text())


@pytest.mark.skipif(not has_32_bits(), reason="more can be held than a file is long")
@pytest.mark.parametrize("size", [2 << 30, 4 << 30, (4 << 30) + 64])
def test_larger_than_an_address_space(place, size):
    """A length of 4 GiB and 64 bytes is not one of 64 bytes."""
    path = place / "large.aphorisms"
    path.write_bytes(aphorisms(3))
    os.truncate(path, size)
    result = run(APHORISMD, "-t", "-o", f"aphorisms={path}")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (71, f"{path}: File too large")
