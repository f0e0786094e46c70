"""Stops and reloads amid clients: no answer that is owed is lost, nobody is refused, reset or answered wrongly."""

import contextlib
import itertools
import os
import random
import signal
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import protocol_model
from harness import (ROOT, SLACK, Client, descendants, holds, models, nothing_left, owners, parse, queued, says, strays,
                     strike, talk, unread, until)
from load import Load
from protocol_model import THREE, UNKNOWN
from tracing import compiled, without_sanitizers

WHICH = b"Which table?"


def numbered(number):
    """A table that tells which one it is."""
    return {**THREE, WHICH: b"%d." % number}


# Stop

def test_stop_amid_many_clients(daemon, model):
    """200 that ask, 200 that are idle, 50 with half a question: everything asked before is answered."""
    d = daemon(model, log__level="notice")
    load = Load(d.address, 200)
    idle = [d.connect() for _ in range(200)]
    half = [d.connect() for _ in range(50)]
    for client in half:
        client.send(b"Simple is bet")
    until("all connections", load.connected)
    until("some answers", lambda: load.answered > 100 or load.answered and holds(model, 2) == 1)
    load.stop_server(lambda: d.signal(signal.SIGTERM))
    for client in idle + half:
        assert client.everything() == b""
        client.close()
    assert d.wait() == 0
    nothing_left()


def test_stop_with_long_pipelines(daemon, model):
    """What was received is answered to the last question, however many they are, and to slow readers."""
    d = daemon(model, table={**THREE, b"Long is better than?": b"y" * 1000 + b"."})
    clients = [d.connect() for _ in range(8)]
    for client in clients:
        client.send(b"Long is better than?" * 300 + b"Simple is bet")
    d.signal(signal.SIGTERM)
    time.sleep(0.3)
    for client in clients:
        assert client.everything() == (b"y" * 1000 + b".") * 300
        client.close()
    assert d.wait() == 0


def test_stop_amid_clients_who_read_late_and_talk_on(daemon, model):
    """What is still unread makes a close a reset: by then all answers have arrived."""
    d = daemon(model, table={**THREE, b"Long is better than?": b"y" * 1000 + b"."})
    clients = [d.connect(receive_buffer=4096) for _ in range(holds(model, 4))]
    for client in clients:
        client.send(b"Long is better than?" * 100)
        until("the questions' arrival", lambda: unread(client) == 0)
    stop = threading.Event()

    def talk_on(client):
        try:
            while not stop.is_set():
                client.send(b" ")
        except OSError:
            pass

    with ThreadPoolExecutor(len(clients)) as pool:
        try:
            talking = [pool.submit(talk_on, client) for client in clients]
            d.signal(signal.SIGTERM)
            time.sleep(0.3)
        finally:
            stop.set()
        for client in clients:
            assert client.everything() == (b"y" * 1000 + b".") * 100
            client.close()
        assert all(one.exception() is None for one in talking)
    assert d.wait() == 0


def test_stop_while_clients_wait_for_a_place(daemon, model):
    """They have connected and asked, and nobody else will take them."""
    d = daemon(model, max_connections=1)
    with d.connect() as first:
        assert first.ask(b"Simple is better than?") == b"Complex."
        waiting = [d.connect() for _ in range(5)]
        for client in waiting:
            client.send(b"Beautiful is better than?")
        d.signal(signal.SIGTERM)
        for client in waiting:
            assert client.everything() == b"Ugly."
            client.close()
        assert first.everything() == b""
    assert d.wait() == 0


def test_stop_serves_all_who_were_in_the_queue(daemon, model):
    """However long that takes, within the drain's time: a second is granted to newcomers."""
    d = daemon(model, max_connections=1, work__delay="600ms", timeouts__drain="12s")
    with contextlib.ExitStack() as ends:
        clients = [ends.enter_context(d.connect()) for _ in range(5)]
        for client in clients:
            client.send(b"Simple is better than?")
        until("the turn of the first", lambda: unread(clients[0]) == 0)
        d.signal(signal.SIGTERM)
        for client in clients:
            assert client.everything() == b"Complex."
    assert d.wait() == 0


def test_stop_pays_the_cost_of_what_is_owed(daemon, model):
    d = daemon(model, work__delay="300ms")
    with d.connect() as client, d.connect() as other:
        client.send(b"Simple is better than?Explicit is better than?")
        assert client.answer() == b"Complex."
        other.send(b"Beautiful is better than?")
        d.signal(signal.SIGTERM)
        assert client.everything() == b"Implicit."
        assert other.everything() == b"Ugly."
    assert d.wait() == 0


def test_a_client_that_has_left_holds_up_no_stop(daemon, model):
    """Nobody waits for the arrival of an answer whose client is gone."""
    d = daemon(model, work__delay="300ms")
    for _ in range(3):
        with d.connect() as client:
            client.send(b"Simple is better than?")
    begin = time.monotonic()
    d.signal(signal.SIGTERM)
    assert d.wait() == 0
    assert time.monotonic() - begin < SLACK


def test_who_comes_during_a_drain_is_refused(daemon, model):
    """Nobody is connected by the kernel alone, to be reset when the last worker has left."""
    d = daemon(model, work__delay="2s")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        until("the question's arrival", lambda: unread(client) == 0)
        d.signal(signal.SIGTERM)
        until("a refusal", lambda: refused(d.address))
        # where the only worker is busy, the queue stays open until it looks again
        assert d.process.poll() is None or holds(model, 2) == 1
        assert client.everything() == b"Complex."
    assert d.wait() == 0


def refused(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # at the very moment
        return False


def pour(addresses, over):
    """Connects and is gone, without end, faster than somebody accepts who takes some ms for each."""
    while not over.is_set():
        for family, to in map(parse, addresses):
            with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.connect_ex(to)


def test_stop_under_a_flood(daemon, place, model):
    """Newcomers who never let the queue get empty hold it up for a second; and who is owed an answer gets it."""
    without_sanitizers()
    library = compiled(place, Path(__file__).with_name("odd_accept.c"))
    d = daemon(model, listen=("127.0.0.1:0", f"unix:{place}/s"), backlog=20, timeouts__drain="12s", log__level="notice",
               work__delay="1500ms", process__sandbox="off", env={"LD_PRELOAD": str(library), "PAUSE_US": "5000"},
               **{"event.workers": 1, "threadpool.threads": 2, "prefork.start_workers": 1, "prefork.min_spare": 1,
                  "prefork.max_spare": 1, "prefork.max_workers": 2})
    over = threading.Event()
    with d.connect() as client, ThreadPoolExecutor(1) as pool:
        try:
            client.send(b"Simple is better than?")
            until("the question's arrival", lambda: unread(client) == 0)
            flood = pool.submit(pour, d.addresses, over)
            until("a full queue", lambda: queued(d.address) >= 20)
            begin = time.monotonic()
            d.signal(signal.SIGTERM)
            assert client.everything() == b"Complex."
            assert d.wait() == 0
            took = time.monotonic() - begin
        finally:
            over.set()
        flood.result()
    assert took < 1.5 + 1 + SLACK and not d.matches("connections were cut"), f"{took:.1f} s"


def test_an_idle_daemon_stops_at_once(daemon, model):
    d = daemon(model)
    with d.connect() as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        assert client.everything() == b""
        assert d.wait() == 0
        assert time.monotonic() - begin < SLACK


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(daemon, model, first):
    d = daemon(model, work__delay="60s")
    with d.connect() as client:
        client.send(b"Simple is better than?Simple is better than?")
        until("the question's arrival", lambda: unread(client) == 0)
        d.signal(first)
        assert client.silent(0.5) and d.process.poll() is None
        begin = time.monotonic()
        d.signal(signal.SIGTERM)
        d.wait(SLACK)
        nothing_left()
        assert time.monotonic() - begin < SLACK


def test_quit_ends_at_once(daemon, model):
    d = daemon(model, work__delay="60s")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        until("the question's arrival", lambda: unread(client) == 0)
        d.signal(signal.SIGQUIT)
        d.wait(SLACK)
        nothing_left()


def test_interrupt_is_a_graceful_stop(daemon):
    d = daemon(work__delay="300ms")
    with d.connect() as client:
        client.send(b"Simple is better than?")
        until("the question's arrival", lambda: unread(client) == 0)
        d.signal(signal.SIGINT)
        assert client.everything() == b"Complex."
    assert d.wait() == 0


def test_a_unix_socket_is_removed_at_the_end(daemon, place):
    d = daemon(listen=(f"unix:{place}/s",))
    d.stop()
    assert not (place / "s").exists() and not d.control.exists()


# Reload

def test_a_hundred_reloads_under_load(daemon):
    """Models change at every one of them; 24 clients see nothing but right answers and orderly ends."""
    rng = random.Random(1060)
    pairs = list(itertools.permutations(models(), 2))
    order = [model for pair in rng.sample(pairs, len(pairs)) for model in pair][:101]
    order += rng.choices(models(), k=101 - len(order))
    d = daemon(order[0], table=numbered(0), log__level="notice")
    started = [0]

    def right(question, answer):
        if question == WHICH:
            return int(answer[:-1]) <= started[0]
        return THREE[question] == answer

    load = Load(d.address, 24, numbered(0), right, per_connection=20)
    for number, model in enumerate(order[1:], 1):
        started[0] = number
        d.reloaded(table=numbered(number), model=model)
        until("the new table", lambda: int(d.ask(WHICH)[:-1]) == number)
    assert load.answered > 100
    load.finish()


def test_reloads_keep_what_is_owed(daemon, model):
    """A connection of the old generation is answered, then ended; a new one sees the new table."""
    d = daemon(model, table=numbered(1), work__delay="200ms")
    with d.connect() as client:
        client.send(WHICH * 3 + b"Simple is")
        assert client.answer() == b"1."
        d.reloaded(table=numbered(2), work__delay="0ms")
        assert client.everything() == b"1.1."
    until("the new table", lambda: d.ask(WHICH) == b"2.")


def test_clients_in_the_queue_survive_a_reload(daemon):
    """They have connected to an iterative server, which is busy: the next generation serves them."""
    d = daemon("iterative", table=numbered(1))
    with d.connect() as first:
        assert first.ask(WHICH) == b"1."
        waiting = [d.connect() for _ in range(50)]
        for client in waiting:
            client.send(WHICH)
        d.reloaded(table=numbered(2), model="event")
        for client in waiting:
            assert client.answer() in (b"1.", b"2.")
            client.close()
        assert first.everything() == b""


def test_from_every_model_to_every_other(daemon, model):
    d = daemon(model, table=numbered(0))
    for number, other in enumerate(models(), 1):
        d.reloaded(table=numbered(number), model=other)
        until("the new table", lambda: d.ask(WHICH) == b"%d." % number)
        d.reloaded(model=model)
        assert d.ask(b"Simple is better than?") == b"Complex."


def test_listeners_change(daemon, model, place):
    """One stays and keeps the port that the kernel chose, one goes, one comes."""
    d = daemon(model, listen=("127.0.0.1:0", "[::1]:0"))
    kept, gone = d.addresses
    since = len(d.lines)
    d.reloaded(listen=("127.0.0.1:0", f"unix:{place}/new"))
    until("the old one", lambda: says(kept, b"Simple is better than?", b"Complex."))
    assert talk(f"unix:{place}/new", [b"Simple is better than?"]) == b"Complex."
    d.wait_for(r"listening on unix:\S+/new", since)

    def refused():
        try:
            Client(gone).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass              # it came just when the last worker let go of the listener
        return False
    until("the end of the listener", refused)
    d.reloaded(listen=("127.0.0.1:0", {"address": "[::1]:0", "protocol": "echo"}))
    added = d.wait_for(r"listening on (\[::1\]:\d+)", since).group(1)
    assert talk(added, [b"no question"]) == b"no question"
    d.settled()
    assert talk(kept, [b"Simple is better than?"]) == b"Complex."
    with pytest.raises(OSError):
        Client(f"unix:{place}/new")


def test_who_waits_at_a_listener_that_goes_is_served(daemon, model):
    """Nobody inherits that queue: the old generation takes it to its end."""
    d = daemon(model, table=numbered(1), listen=("127.0.0.1:0", "[::1]:0"))
    held = d.processes()
    for worker in held:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        waiting = [d.connect(1) for _ in range(10)]
        for client in waiting:
            client.send(WHICH)
        d.reloaded(table=numbered(2), listen=("127.0.0.1:0",))
    finally:
        for worker in held:
            os.kill(worker.pid, signal.SIGCONT)
    for client in waiting:
        assert client.everything() == b"1."
        client.close()
    until("the new table", lambda: d.ask(WHICH) == b"2.")


def test_idle_workers_sleep_after_a_reload(daemon, model):
    """The event model has had the listeners non-blocking; when it has left, nobody looks at them now and then."""
    d = daemon("event")
    old = {worker.pid for worker in d.workers()}
    d.reloaded(model=model)
    until("the end of the old generation", lambda: not old & {worker.pid for worker in d.workers()})

    def asleep():
        before = naps(d)
        time.sleep(1.2)
        return naps(d) == before

    until("sleep", asleep, 15)


def naps(d):
    """How often each thread of a worker has gone to sleep."""
    return {task.name: task.joinpath("status").read_text().split("voluntary_ctxt_switches:")[1].split()[0]
            for worker in d.workers() for task in Path(f"/proc/{worker.pid}/task").iterdir()}


def test_a_listener_changes_its_protocol(daemon, model):
    d = daemon(model)
    d.reloaded(listen=({"address": "127.0.0.1:0", "protocol": "echo"},))
    until("echo", lambda: says(d.address, b"no question", b"no question"))


def test_an_address_in_use_at_a_reload(daemon, model):
    """It is told as an error of the reload, and the old configuration stays."""
    d = daemon(model)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = "127.0.0.1:%d" % other.getsockname()[1]
        result = d.reload(listen=("127.0.0.1:0", taken))
        assert result.returncode == 69 or result.returncode == 78, result
        assert taken in result.stdout + result.stderr
        assert d.ask() == b"Ugly."
    d.reloaded()
    assert talk(taken, [b"Simple is better than?"]) == b"Complex."


def test_a_bad_reload_and_then_a_good_one(daemon, model):
    d = daemon(model, table=numbered(1))
    line = len(d.config.read_text().splitlines())
    with d.connect() as client:
        assert client.ask(WHICH) == b"1."
        since = len(d.lines)
        d.config.write_text(d.config.read_text() + "max_conections = 3;\n")
        result = d.ctl("reload")
        assert result.returncode == 78, result
        wanted = f"{d.config}:{line + 1}: max_conections: "
        assert wanted in result.stdout + result.stderr and "max_connections" in result.stdout + result.stderr
        d.wait_for(rf"aphorismd\.conf:{line + 1}: max_conections: ", since)
        assert client.ask(WHICH) == b"1."
    assert d.ask(WHICH) == b"1."
    d.reloaded(table=numbered(2))
    until("the new table", lambda: d.ask(WHICH) == b"2.")


def test_a_bad_hup_and_then_a_good_one(daemon):
    d = daemon(table=numbered(1))
    d.config.write_text("model = ;\n")
    d.signal(signal.SIGHUP)
    d.wait_for(r"aphorismd\.conf:1")
    assert d.ask(WHICH) == b"1."
    d.write(table=numbered(2))
    d.signal(signal.SIGHUP)
    until("the new table", lambda: d.ask(WHICH) == b"2.")


def test_a_bad_table_at_a_reload(daemon, model):
    """Three bad lines, three errors, and the old table stays."""
    d = daemon(model, table=numbered(1))
    good = protocol_model.text(THREE)
    first = good.count(b"\n") + 1
    result = d.reload(table=good + b"no question mark.\nno stop? here\nSimple is better than? Twice.\n")
    said = result.stdout + result.stderr
    assert result.returncode == 78, result
    for number in (0, 1, 2):
        assert f"{d.table}:{first + number}: " in said
    assert d.ask(WHICH) == b"1."
    d.reloaded(table=numbered(2))
    until("the new table", lambda: d.ask(WHICH) == b"2.")


@pytest.mark.parametrize("key,value", [
    ("process.user", "daemon"), ("process.group", "daemon"), ("process.pidfile", "{place}/other"),
    ("control.socket", "{place}/other"),
])
def test_what_changes_at_a_restart_only(daemon, place, key, value):
    if not ROOT and key == "process.user":
        value = "root"
    d = daemon(table=numbered(1))
    before = d.settings.get(key)
    result = d.reload(table=numbered(2), **{key: value.format(place=place)})
    said = result.stdout + result.stderr
    assert result.returncode == 78, result
    assert key in said
    assert d.ask(WHICH) == b"1."
    d.reloaded(**{key: before})
    until("the new table", lambda: d.ask(WHICH) == b"2.")


def test_many_hups_are_few_reloads(daemon, model):
    d = daemon(model, table=numbered(0))
    for number in range(1, 21):
        d.write(table=numbered(number))
        d.signal(signal.SIGHUP)
        d.signal(signal.SIGHUP)
        time.sleep(random.Random(number).uniform(0, 0.05))
        assert d.ask(b"Simple is better than?") == b"Complex."
    until("the last table", lambda: d.ask(WHICH) == b"20.")
    until("calm", lambda: "state serving" in d.ctl("status").stdout)
    calm = len(d.workers())
    d.reloaded()
    until("the end of old generations", lambda: len(d.workers()) <= calm)


def test_old_generations_leave(daemon, model):
    """Nothing grows with the number of reloads, in spite of clients who stay."""
    d = daemon(model, prefork__max_spare=5)
    until("all workers", lambda: d.ask() == b"Ugly.")
    time.sleep(0.5)
    before = len(d.processes())
    idle = [d.connect() for _ in range(3)]
    for _ in range(10):
        d.reloaded()
    for client in idle:
        assert client.everything() == b""
        client.close()
    until("the end of old generations", lambda: len(d.processes()) <= before)


def test_a_reload_over_unix_sockets_under_load(daemon, model, place):
    """There the end may show as EPIPE in a send, and nothing else."""
    d = daemon(model, listen=(f"unix:{place}/s",))
    stop = threading.Event()

    def body():
        """How many questions one client, or the next that takes its place, has had answered."""
        answered = 0
        while not stop.is_set():
            with d.connect() as client:
                for _ in range(50):
                    try:
                        client.send(b"Simple is better than?")
                    except BrokenPipeError:
                        break
                    got = client.socket.recv(100)
                    if not got:
                        break
                    assert got == b"Complex."
                    answered += 1
        return answered

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(body) for _ in range(4)]
        try:
            for _ in range(10):
                d.reloaded()
        finally:
            stop.set()
        assert all(client.result() for client in clients)


# Deaths

def test_a_worker_is_killed(daemon, model):
    """Only its own connections end; another takes its place; and its places are free again."""
    d = daemon(model, max_connections=holds(model, 4), **{"event.workers": 2} if model == "event" else {})
    for _ in range(3):
        clients = [d.connect() for _ in range(holds(model, 4))]
        for client in clients:
            assert client.ask(b"Simple is better than?") == b"Complex."
        served_by = [until("an owner", lambda: owners(client))[0].pid for client in clients]
        os.kill(served_by[0], signal.SIGKILL)
        until("its end", lambda: served_by[0] not in [p.pid for p in d.processes()])
        for client, pid in zip(clients, served_by):
            if pid != served_by[0]:
                assert client.ask(b"Simple is better than?") == b"Complex."
            client.close()
        again = [d.connect() for _ in range(holds(model, 4))]
        for client in again:
            assert client.ask(b"Beautiful is better than?") == b"Ugly."
        for client in again:
            client.close()
    assert d.process.poll() is None


def test_all_workers_are_killed_again_and_again(daemon, model):
    d = daemon(model)
    for _ in range(3):
        for worker in d.workers():
            strike(worker.pid, signal.SIGKILL)
        until("service", lambda: answers(d))
    assert d.process.poll() is None


def test_workers_that_die_again_and_again_are_not_forked_without_end(daemon):
    """A few dozen at once, then so many a second; and when that is over, there is service."""
    d = daemon("prefork", log__level="notice", prefork__start_workers=40, prefork__min_spare=40,
               prefork__max_spare=40, prefork__max_workers=40)
    killed, begin = set(), time.monotonic()
    while time.monotonic() - begin < 2:
        ready = {worker.pid for worker in d.workers() if "idle" in worker.title()} - killed
        time.sleep(0.02)          # until the supervisor knows that they are: else it waits after their deaths
        for worker in d.workers():
            if worker.pid in ready:
                strike(worker.pid, signal.SIGKILL)
        killed |= ready
    assert len(killed) <= 40 + 64 + 64 * (time.monotonic() - begin), len(killed)
    until("service", lambda: answers(d))


def answers(d):
    return says(d.address, b"Simple is better than?", b"Complex.")


def test_the_worker_of_the_fork_model_dies(daemon):
    """Its children converse on, and their places stay counted."""
    d = daemon("fork", max_connections=4)
    clients = [d.connect() for _ in range(2)]
    for client in clients:
        assert client.ask(b"Simple is better than?") == b"Complex."
    children = [owners(client)[0] for client in clients]
    [worker] = d.workers()
    assert {child.ppid for child in children} == {worker.pid}
    os.kill(worker.pid, signal.SIGKILL)
    until("its end", lambda: worker.pid not in [p.pid for p in d.processes()])
    until("a new worker", lambda: d.ask(b"Simple is better than?") == b"Complex.")
    for client in clients:
        client.close()
    until("the end of the children", lambda: not {c.pid for c in children} & {p.pid for p in strays()})


def test_what_a_service_manager_signals_to_all_is_for_the_supervisor(daemon, model):
    """A stop, a reload, the end of one that hangs: workers wait for the supervisor's word."""
    d = daemon(model, work__delay="200ms")
    with d.connect() as client:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT):
            client.send(b"Simple is better than?")
            [owner] = until("an owner", lambda: [p for p in owners(client) if p.pid != d.pid])
            below = {p.pid for p in d.processes()}
            assert owner.pid in below
            for pid in below:
                os.kill(pid, number)
            assert client.answer() == b"Complex."
            assert below <= {p.pid for p in d.processes()}


def test_the_supervisor_is_killed(daemon, model):
    """Nothing is left a moment later, and the port is free."""
    d = daemon(model, table={**THREE, b"Long is better than?": b"y" * 1000 + b"."})
    clients = [d.connect() for _ in range(3)]
    assert clients[0].ask(b"Simple is better than?") == b"Complex."
    deaf = d.connect(receive_buffer=4096)
    try:
        deaf.socket.setblocking(False)
        deaf.socket.send(b"Long is better than?" * 5000)
    except BlockingIOError:
        pass
    begin = time.monotonic()
    d.kill()
    until("the end of all workers", lambda: not descendants(os.getpid()), SLACK / 2)
    assert time.monotonic() - begin < SLACK / 2
    for client in clients + [deaf]:
        client.close()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(parse(d.address)[1])
        again.listen()


def test_a_daemon_starts_where_one_was_killed(daemon, place):
    """Stale sockets and a stale pidfile are no hindrance."""
    more = {"listen": (f"unix:{place}/s",), "process__pidfile": f"{place}/pid"}
    first = daemon(**more)
    assert first.ask() == b"Ugly."
    first.kill()
    nothing_left()
    assert (place / "s").exists()
    assert daemon(**more).ask() == b"Ugly."


def test_unknown_stays_unknown_after_all(daemon, model):
    """The table of a generation is its own: nothing of the one before shines through."""
    d = daemon(model, table=numbered(1))
    assert d.ask(WHICH) == b"1."
    d.reloaded(table=THREE)
    d.settled()
    assert d.ask(WHICH) == UNKNOWN
