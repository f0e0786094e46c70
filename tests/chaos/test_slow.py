"""Slow clients hold up nobody, and cost little."""

import resource
import statistics
import time

import pytest

from flood import drip, many_files, never_read, white_space
from harness import HOLDS, LIMIT, until
from oracle import TOO_SLOW, wrong
from protocol_model import THREE

pytestmark = pytest.mark.alone

DRIPPING = 10000
NEVER_READ = 1000
OURS = 80 << 10      # bytes of our memory that a client may cost who never reads
A_PROCESS = 64 << 10
KERNELS = 1 << 20    # the same of the kernel's, both ends and what else the machine does included
LONG = {**THREE, b"Long is better than?": b"y" * 1000 + b"."}


def fresh(d):
    """Seconds that a fresh client waits for its answer, its connection included."""
    begin = time.monotonic()
    assert d.ask_once(b"Beautiful is better than?") == b"Ugly."
    return time.monotonic() - begin


def test_dripping_clients_of_the_event_model(daemon, flooding):
    """Among ten thousand of them, fresh ones are answered at once."""
    if not many_files(DRIPPING + 100):
        pytest.skip(f"the machine allows fewer than {DRIPPING} open files")
    d = daemon("event", max_connections=DRIPPING + 500, backlog=2000, timeouts__question="10m", log__level="notice")
    flood = flooding(drip, d.address, DRIPPING, 10)
    assert flood.wait(3 * LIMIT) == "dripping"
    times = [fresh(d) for _ in range(100)]
    median = statistics.median(times)
    assert flood.stop(LIMIT) == DRIPPING
    print(f"median {median * 1000:.2f} ms, longest {max(times) * 1000:.1f} ms")
    assert median < 0.05, f"{median * 1000:.1f} ms"


@pytest.mark.models(without=("event",))
def test_dripping_clients_of_the_blocking_models(daemon, model):
    """At the question's deadline their places are free: whoever waited is served then, within a second."""
    deadline = 2
    d = daemon(model, timeouts__question=f"{deadline}s", max_connections=4, log__level="notice")
    slow = [d.connect() for _ in range(1 if model in HOLDS else 4)]
    begin = time.monotonic()
    for client in slow:
        client.send(b"Simple is better th")
    with d.connect() as fresh_one:
        fresh_one.send(b"Beautiful is better than?")
        while fresh_one.silent(0.1):
            for client in slow:
                try:
                    client.send(b"x")
                except OSError:
                    pass
            assert time.monotonic() < begin + LIMIT, "they may drip for ever"
        took = time.monotonic() - begin
        assert fresh_one.answer() == b"Ugly."
    for client in slow:
        assert not wrong(b"Simple is better th", client.everything(), THREE, last_words=(TOO_SLOW,))
        client.close()
    print(f"freed after {took:.2f} s")
    assert deadline - 0.1 <= took < deadline + 1 + 1       # the last is for a busy machine


def in_sockets():
    """Bytes that the kernel holds in all TCP sockets of the machine."""
    words = next(line for line in open("/proc/net/sockstat") if line.startswith("TCP:")).split()
    return int(words[words.index("mem") + 1]) * resource.getpagesize()


@pytest.mark.models(without=HOLDS)
def test_clients_that_never_read(daemon, model, some, flooding):
    """They cost little while they are there, and are dropped at the write time-out.  What the kernel keeps for them in
    sockets is not ours, but it must not be megabytes either: the machine's memory for TCP is limited."""
    count = NEVER_READ if model in ("event", "thread", "threadpool") else some(NEVER_READ, 200)
    d = daemon(model, table=LONG, max_connections=count + 10, timeouts__write="4s", log__level="notice", backlog=2000,
               **{"threadpool.threads": count + 10} if model == "threadpool" else {},
               **{"prefork.max_workers": count + 10} if model == "prefork" else {})
    assert d.ask() == b"Ugly."
    before, kernel_before, most, kernel, begin = d.memory(), in_sockets(), 0, 0, time.monotonic()
    flood = flooding(never_read, d.address, count, b"Long is better than?")
    assert flood.wait(2 * LIMIT) == "asking"
    while not flood.ours.poll(0.5):
        most, kernel = max(most, d.memory()), max(kernel, in_sockets())
        assert time.monotonic() < begin + 4 * LIMIT, "they are not dropped"
    assert flood.wait(1) == 0
    flood.process.join()
    each, kernel_each = (most - before) / count, (kernel - kernel_before) / count
    took = time.monotonic() - begin
    print(f"{each / 1024:.1f} KiB each, {kernel_each / 1024:.0f} in the kernel; all dropped {took:.1f} s later")
    # a process for each client is the price of these models, whatever the client does
    assert 0 < each < OURS + (A_PROCESS if model in ("fork", "prefork") else 0), f"{each / 1024:.1f} KiB each"
    assert kernel_each < KERNELS, f"{kernel_each / 1024:.0f} KiB each in the kernel"
    until("the end of all connections", lambda: "connections_open 0" in d.ctl("status").stdout)
    assert d.ask() == b"Ugly."


def test_white_space_without_end(daemon, model, flooding):
    """It does not renew the idle time, and nobody is held up by those who send it."""
    d = daemon(model, timeouts__idle="1s", max_connections=100, log__level="notice", **{"event.workers": 1},
               **{"threadpool.threads": 30, "prefork.max_workers": 30})
    count = 1 if model in HOLDS else 10
    floods = [flooding(white_space, d.address, count, LIMIT) for _ in range(2)]
    for flood in floods:
        assert flood.wait(LIMIT) == "sending"
    times = [fresh(d)]
    took = [flood.wait(2 * LIMIT) for flood in floods]
    for flood in floods:
        flood.process.join()
    print(f"gone after {took} s, a fresh one waited {times[0]:.2f} s")
    assert None not in took and max(took) < 1 + 1 + 1 + (1 if model in HOLDS else 0)
    assert times[0] < (2 if model in HOLDS else 1) + 1
