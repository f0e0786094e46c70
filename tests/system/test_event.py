"""The event model's own promises, each under each of its engines; all others hold under TEST_ENGINE=io_uring, too."""

import os
import re
import resource
import signal
import socket
import time

import pytest

from fixtures import TRACED, check_uring
from harness import LIMIT, ROOT, SLACK, engines, open_files, parse, process, queued, unread, until
from protocol_model import THREE, TOO_SLOW
from test_limits import come_rudely
from test_operate import stats
from test_protocol import check_cost_of_a_byte
from tracing import straced, under_strace

QUESTION, ANSWER = b"Simple is better than?", b"Complex."


@pytest.fixture(params=engines())
def engine(request):
    if request.param == "io_uring":
        request.getfixturevalue("uring")
    return request.param


# Workers that share listeners

def held(d):
    """How many sockets each worker holds beside its listener and those that all have."""
    return sorted(sum(what.startswith("socket:") for what in open_files(p.pid).values()) for p in d.workers())


def one_after_the_other(d):
    clients = []
    for _ in range(1000):
        clients.append(d.connect())
        clients[-1].send(QUESTION)
        assert clients[-1].answer() == ANSWER
    return clients


def in_a_burst(d):
    """And one of the workers has a CPU long before the other."""
    before, workers = held(d)[-1], [p.pid for p in d.workers()]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    family, to = parse(d.address)
    sockets = [socket.socket(family, socket.SOCK_STREAM) for _ in range(1000)]
    for one in sockets:
        one.setblocking(False)
        one.connect_ex(to)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
        until("its beginning", lambda: held(d)[-1] - before >= 100)
    return sockets


@pytest.mark.parametrize("come", [one_after_the_other, in_a_burst])
def test_connections_are_spread_evenly(daemon, engine, come):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("this host gives a process fewer than 4096 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    try:
        d = daemon("event", event__engine=engine, event__workers=2, max_connections=1100, backlog=1100,
                   log__level="notice")
        before = held(d)
        clients = come(d)
        until("all of them", lambda: sum(held(d)) - sum(before) == 1000)
        assert held(d)[-1] - before[-1] <= 600
        for client in clients:
            client.close()
        d.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def await_sleep(pids):
    """It is microseconds away: so this looks again at once."""
    end = time.monotonic() + LIMIT
    while any(process(pid).state != "S" for pid in pids):
        assert time.monotonic() < end, "the workers never sleep"


def test_those_who_do_not_stay_are_spread_evenly(daemon, engine):
    """Nobody holds more than the other, and still each has its turn: with all asleep, the kernel alone says whose it is."""
    d = daemon("event", event__engine=engine, event__workers=2, log__level="notice")
    workers = [p.pid for p in d.workers()]
    for _ in range(320):
        await_sleep(workers)
        assert d.ask_once(QUESTION) == ANSWER

    def answered():
        return sorted(int(re.search(r"(\d+) answered", p.title())[1]) for p in d.workers())

    until("their ends", lambda: sum(answered()) == 320)
    assert answered()[-1] <= 192


def test_nobody_waits_for_a_worker_that_holds_less(daemon, engine):
    """The share of one that is stuck is served by the other."""
    d = daemon("event", event__engine=engine, event__workers=2)
    stuck = d.workers()[0].pid
    os.kill(stuck, signal.SIGSTOP)
    try:
        clients = [d.connect() for _ in range(200)]
        for client in clients:
            client.send(QUESTION)
        # one of them at least had been given to the one that is stuck, before it was known to be
        answered = until("most of the answers", lambda: sum(not c.silent(0.001) for c in clients) >= 190)
        assert answered
    finally:
        os.kill(stuck, signal.SIGCONT)
    for client in clients:
        assert client.answer() == ANSWER
        client.close()


def test_an_idle_worker_takes_who_comes_while_another_is_stopped(daemon, engine):
    d = daemon("event", event__engine=engine, event__workers=4)
    for stuck in [p.pid for p in d.workers()]:
        os.kill(stuck, signal.SIGSTOP)
        until("its halt", lambda: process(stuck).state == "T")
        try:
            for _ in range(4):
                with d.connect(limit=10) as client:
                    assert client.ask(QUESTION) == ANSWER
        finally:
            os.kill(stuck, signal.SIGCONT)


def test_an_idle_worker_takes_who_comes_while_another_computes(daemon, engine):
    d = daemon("event", event__engine=engine, event__workers=4, work__cpu="1s")
    with d.connect() as client:
        client.send(QUESTION)
        until("its beginning", lambda: unread(client) == 0)
        others = []
        for _ in range(4):
            others.append(d.connect())
            until("somebody to take it", lambda: queued(d.address) == 0)
            assert client.silent(0.001), "only when it had computed"
        assert client.answer() == ANSWER
        for other in others:
            other.close()


# Many who are turned away

TURNED_AWAY = {
    "denied": {"access__deny": ["127.0.0.3/32"]},
    "too many": {"max_connections": 1, "over_limit": "refuse"},
    "too many from there": {"max_connections_per_source": 1},
}
AT_ONCE = 64
WAITS = re.compile(r"epoll_p?wait2?\b|io_uring_enter\b")


def most_between_waits(trace):
    """How often a worker accepts, at most, before it looks after its connections again."""
    most = now = 0
    for line in trace.read_text().splitlines():
        now = 0 if WAITS.search(line) else now + ("accept4(" in line)
        most = max(most, now)
    return most


@pytest.mark.parametrize("limit", TURNED_AWAY)
def test_who_is_turned_away_holds_up_nobody(daemon, place, engine, limit):
    """However many they are: a connection that is open has its turn among them."""
    d = daemon("event", event__engine=engine, event__workers=1, listen=("127.0.0.1:0", "127.0.0.1:0"),
               log__level="notice", **TURNED_AWAY[limit])
    trace, worker = place / "trace", d.workers()[0].pid
    with d.connect(source="127.0.0.3" if limit == "too many from there" else None) as client:
        assert client.ask(QUESTION) == ANSWER
        with straced([worker], log=trace):
            os.kill(worker, signal.SIGSTOP)
            refused = [d.connect(number % 2, source="127.0.0.3") for number in range(300)]
            client.send(QUESTION)
            os.kill(worker, signal.SIGWINCH)          # to recheck its listeners, of which it is told as well
            os.kill(worker, signal.SIGCONT)
            assert client.answer() == ANSWER
            for one in refused:
                one.everything()
                one.close()
    assert 1 < most_between_waits(trace) <= AT_ONCE


# Much to send at once

def test_the_longest_answers_to_all_at_once(daemon, place, engine):
    """More than an engine can put off until it waits; each gets its own, whole and in order."""
    answers = [b"%d" % n + b"x" * 65533 + b"." for n in range(10)]
    d = daemon("event", table={b"%d?" % n: answer for n, answer in enumerate(answers)}, event__engine=engine,
               event__workers=1, listen=(f"unix:{place}/socket",), timeouts__write=int(LIMIT))
    clients = [d.connect() for _ in range(10)]
    worker = d.workers()[0].pid
    for turn in range(10):
        os.kill(worker, signal.SIGSTOP)
        for number, client in enumerate(clients):
            client.send(b"%d?" % number)
        os.kill(worker, signal.SIGCONT)
        for client, answer in zip(clients, answers):
            assert client.take(len(answer)) == answer
        for client, answer in list(zip(clients, answers))[:turn]:     # of what is put off, more or less is left
            assert client.ask(answer[:1] + b"?") == answer
    for client in clients:
        client.close()


# Deadlines

def test_half_a_question_behind_a_whole_one_has_its_deadline(daemon, engine):
    """Though nothing else comes that would wake the worker."""
    d = daemon("event", event__engine=engine, event__workers=1, timeouts__question="1s", timeouts__idle="50s")
    with d.connect() as client:
        client.send(QUESTION + b"Simple is")
        assert client.answer() == ANSWER
        begin = time.monotonic()
        assert client.everything() == TOO_SLOW
        assert time.monotonic() - begin < 1 + SLACK


# Stopping

def start_again(d):
    d.wait_for(r"\(end of log\)")
    del d.addresses[:], d.lines[:]
    d.start()


def test_a_byte_costs_the_same_however_much_of_its_question_has_come(daemon, place, engine):
    check_cost_of_a_byte(daemon("event", listen=(f"unix:{place}/s",), max_question_length=1 << 20,
                                event__engine=engine))


@pytest.mark.parametrize("delay", ["0s", "200ms"])
def test_no_client_can_have_anything_but_an_information_logged(daemon, engine, delay):
    come_rudely(daemon("event", log__level="notice", work__delay=delay, event__engine=engine))


def test_the_port_is_free_at_once(daemon, engine):
    """Nothing that was asked of the kernel outlives the daemon, and holds its sockets."""
    d = daemon("event", event__engine=engine)
    for _ in range(10):
        with d.connect() as client:
            assert client.ask(QUESTION) == ANSWER
            d.stop()
        family, to = parse(d.address)
        with socket.socket(family, socket.SOCK_STREAM) as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(to)
            successor.listen()
        d.write(listen=(d.address,))
        start_again(d)


# Busy polling

# A call that sleeps until there is an event, as strace shows it.
SLEEPS = re.compile(r"epoll_wait\(.*, (-1|[1-9]\d*)\)|epoll_pwait\(.*, (-1|[1-9]\d*), NULL, |epoll_pwait2\(|"
                    r"io_uring_enter\(\d+, \d+, 1,|(epoll_wait|epoll_pwait2?|io_uring_enter)\(.*unfinished")


def sleeps_between_questions(daemon, place, engine, busy):
    """The sleeping waits between a question and the next, which follows at once."""
    d = daemon("event", event__engine=engine, event__workers=1, event__busy_poll=busy)
    trace = place / "trace"
    with straced([d.workers()[0].pid], "-s", "64", log=trace), d.connect() as client:
        assert client.ask(QUESTION) == ANSWER
        first = len(trace.read_text().splitlines())
        for _ in range(20):
            assert client.ask(QUESTION) == ANSWER
        lines = trace.read_text().splitlines()[first:]
    assert lines
    return [line for line in lines if SLEEPS.search(line)]


def test_a_busy_worker_does_not_sleep_between_questions(daemon, place, engine):
    assert not sleeps_between_questions(daemon, place, engine, "1s")


def test_otherwise_it_does(daemon, place, engine):
    assert sleeps_between_questions(daemon, place, engine, "0s")


def test_a_busy_worker_sleeps_in_the_end(daemon, engine):
    d = daemon("event", event__engine=engine, event__workers=1, event__busy_poll="10ms")
    assert d.ask(QUESTION) == ANSWER
    until("sleep", lambda: d.workers()[0].state == "S" and d.cpu() == (time.sleep(0.5), d.cpu())[1])


def is_ever_quick(d, leave):
    """Whether a worker that has just answered leaves before the second is over for which it looks for events."""
    for _ in range(10):
        assert d.ask(QUESTION) == ANSWER
        begin = time.monotonic()
        leave()
        if time.monotonic() - begin < 0.9:
            return True
    return False


def test_a_busy_worker_leaves_at_once(daemon, engine):
    d = daemon("event", event__engine=engine, event__busy_poll="1s")

    def reload():
        d.reloaded()
        d.settled()

    def stop():
        d.stop()
        start_again(d)

    assert is_ever_quick(d, reload)
    assert is_ever_quick(d, stop)


# Clients that take nothing

def test_who_has_ended_and_takes_nothing_costs_nothing(daemon, engine):
    """To be told of its end again and again would cost a CPU for as long as timeouts.write."""
    question = b"Long?"
    d = daemon("event", event__engine=engine, event__workers=1, timeouts__write="2s",
               table={**THREE, question: b"y" * 60000 + b"."})
    [worker] = d.workers()
    with d.connect(receive_buffer=4096) as deaf:
        deaf.send(question * 400)
        deaf.half_close()
        stats(d, bytes_in=len(question) * 400)
        before = process(worker.pid).cpu
        stats(d, timeouts_write=1)
        assert process(worker.pid).cpu - before < 0.5


# Where io_uring can't be had

def failing(error):
    return under_strace("/dev/null", "-e", f"inject=io_uring_setup:error={error}")


def test_what_the_system_lacks_is_told(daemon, place, uring):
    for error, reason in (("ENOSYS", "no io_uring"), ("EPERM", "kernel.io_uring_disabled"), ("EINVAL", "Linux 6.1")):
        tried = check_uring(place, *failing(error))
        assert tried.returncode == 78, tried.stderr
        assert re.search(f"^event.engine: .*{reason}", tried.stderr), tried.stderr
    d = daemon("event", under=failing("EINVAL"), event__engine="epoll", process__sandbox="off", env=TRACED)
    result = d.reload(event__engine="io_uring")
    assert result.returncode != 0
    assert "event.engine: this kernel's io_uring is older" in result.stdout + result.stderr
    assert d.ask(QUESTION) == ANSWER
    d.reloaded(event__engine="epoll")


def test_a_start_without_io_uring_ends(daemon, uring):
    d = daemon("event", launch_only=True, event__engine="io_uring", process__sandbox="off", env=TRACED,
               under=failing("ENOSYS"))
    assert d.wait() == 78
    d.wait_for("event.engine: this kernel has no io_uring")


def test_memory_that_may_not_be_locked_is_told(daemon, place, uring):
    if not ROOT:
        pytest.skip("needs root, to become somebody who may not lock memory")
    limited = ("prlimit", "--memlock=0")
    tried = check_uring(place, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--bounding-set=-all",
                        *limited)
    if tried.returncode == 0:
        pytest.skip("this kernel does not count a ring as locked memory")
    assert tried.returncode == 78 and "event.engine: " in tried.stderr and "RLIMIT_MEMLOCK" in tried.stderr
    d = daemon("event", launch_only=True, event__engine="io_uring", under=limited)
    assert d.wait() == 71
    d.wait_for("event.engine: .*RLIMIT_MEMLOCK")


# A worker that is killed

def test_who_comes_when_a_worker_has_died_is_served(daemon, engine):
    """The kernel may still give a connection to one that has gone, and would wake nobody else for it."""
    d = daemon("event", event__engine=engine, event__workers=2)
    for _ in range(10):
        victim = d.workers()[0].pid
        os.kill(victim, signal.SIGKILL)
        until("its end", lambda: victim not in (p.pid for p in d.workers()))
        with d.connect(limit=5) as client:
            assert client.ask(QUESTION) == ANSWER
