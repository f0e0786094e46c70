"""What an operator sees of a daemon that serves: counts, workers, connections, latencies, metrics; and what it obeys."""

import json
import os
import re
import signal
import socket
import stat

import pytest

from harness import LIMIT, POOLS, ROOT, SEES_WAITS, holds, process, run, strike, until
from tracing import straced

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
UNKNOWN = b"What is your quest?"


def asked(d, *words):
    """The answer to a command, as JSON."""
    result = d.ctl("--json", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def stats(d, **wanted):
    """The statistics, as soon as they say this: what follows an answer is counted behind it."""
    def said():
        found = asked(d, "stats")
        return found if all(found[key] == value for key, value in wanted.items()) else None
    try:
        return until("counts", said)
    except AssertionError:
        found = asked(d, "stats")
        assert {key: found[key] for key in wanted} == wanted
        raise


def crowd(d, model, count):
    clients = [d.connect() for _ in range(holds(model, count))]
    for client in clients:
        assert client.ask(QUESTION) == ANSWER
    return clients


def kill_workers(d):
    """Until the last has gone: a client that one of them takes meanwhile is lost with it."""
    killed = d.workers()
    for worker in killed:
        strike(worker.pid, signal.SIGKILL)
    until("their ends", lambda: not any(process(worker.pid) for worker in killed))


def leave(clients):
    for client in clients:
        client.close()


def test_questions_by_outcome(daemon, model):
    d = daemon(model, max_question_length=100, timeouts__question="300ms")
    with d.connect() as client:
        client.send(QUESTION * 3 + UNKNOWN)
        assert client.take(len(ANSWER) * 3 + 24) == ANSWER * 3 + b"Error: unknown aphorism."
    found = stats(d, questions=4, questions_unknown=1, connections_open=0)
    assert found["bytes_in"] == len(QUESTION) * 3 + len(UNKNOWN)
    assert found["bytes_out"] == len(ANSWER) * 3 + 24
    with d.connect() as client:
        client.send(b"x" * 101)
        assert client.everything() == b"Error: question too long."
    with d.connect() as client:
        client.send(b"Simple is")
        client.half_close()
        assert client.everything() == b""
    with d.connect() as client:
        client.send(b"Simple is")
        assert client.everything() == b"Error: too slow."
    found = stats(d, connections_open=0)
    assert (found["questions_too_long"], found["questions_unfinished"], found["questions_too_slow"]) == (1, 1, 1)
    assert (found["timeouts"], found["timeouts_question"], found["connections"]) == (1, 1, 4)


def test_time_outs_by_kind(daemon, model):
    d = daemon(model, timeouts__idle="200ms", timeouts__question="10s")
    with d.connect() as client:
        assert client.everything() == b""
    found = stats(d, timeouts=1)
    assert found["timeouts_idle"] == 1 and found["timeouts_question"] == 0


def test_refusals_and_waits(daemon, model):
    """Of who waits for a slot as well."""
    d = daemon(model, max_connections=1, over_limit="wait", access__deny=["127.0.0.2/32"])
    with d.connect() as first:
        assert first.ask(QUESTION) == ANSWER
        with d.connect() as second:
            second.send(QUESTION)
            if model not in POOLS:       # which have no worker that would have to wait for another
                until("a wait", lambda: asked(d, "stats")["accept_waits"] >= 1)
            until("the queue", lambda: asked(d, "status")["queued"] == 1)
            first.close()
            assert second.answer() == ANSWER
    denied = socket.create_connection(("127.0.0.1", int(d.address.rsplit(":", 1)[1])), LIMIT, ("127.0.0.2", 0))
    assert denied.recv(1) == b""
    denied.close()
    stats(d, denied=1, refused=0, connections_open=0, queued=0)


def test_latencies_are_of_every_question(daemon, model):
    d = daemon(model, work__delay="30ms")
    with d.connect() as client:
        client.send(QUESTION * 4)
        assert client.take(len(ANSWER) * 4) == ANSWER * 4
    stats(d, connections_open=0)
    buckets = asked(d, "histogram")["bucket"]
    waits = [b for b in buckets if b["of"] == "wait"]
    services = [b for b in buckets if b["of"] == "service"]
    assert sum(b["count"] for b in services) == 4
    assert all(b["to_ns"] > 30e6 for b in services), services
    drawn = d.ctl("histogram").stdout
    assert "service time of 4 questions" in drawn and "#" in drawn
    if model in SEES_WAITS:
        # each waits for those before it on its connection
        assert sum(b["count"] for b in waits) == 4 and "wait time of 4 questions" in drawn
        assert max(b["to_ns"] for b in waits) > 90e6 and min(b["from_ns"] for b in waits) < 30e6
    else:
        assert waits == [] and "wait" not in drawn


def views_of_waits(d):
    """Which views tell how long questions waited, with how many figures."""
    words = {"stats": asked(d, "stats"), "status": asked(d, "status"), "metrics": asked(d, "metrics")}
    found = {view: len([word for word in said if re.match("wait_|aphorismd_question_wait_", word)])
             for view, said in words.items()}
    found["histogram"] = len([b for b in asked(d, "histogram")["bucket"] if b["of"] == "wait"])
    return {view: count for view, count in found.items() if count > 0}


def test_a_wait_that_nobody_has_seen_is_told_by_no_view(daemon, model):
    """Not as 0, and not as it was of the model before."""
    d = daemon("event")
    for one in ("event", model):
        if one != "event":
            d.reloaded(model=one)
            d.settled()
        assert d.ask(QUESTION) == ANSWER
        until("its service time", lambda: sum(b["count"] for b in asked(d, "histogram")["bucket"]
                                              if b["of"] == "service") == asked(d, "stats")["questions"])
        assert "service_p99_us" in asked(d, "stats")
        if one in SEES_WAITS:
            assert list(views_of_waits(d)) == ["stats", "metrics", "histogram"]
        else:
            assert views_of_waits(d) == {}
            assert "question_wait" not in d.ctl("metrics").stdout
    d.reloaded(model="event")
    d.settled()
    assert list(views_of_waits(d)) == ["stats", "metrics", "histogram"]


def test_a_queue_that_the_kernel_does_not_tell_of_is_told_by_no_view(daemon, place):
    d = daemon("event", listen=(f"unix:{place}/s",))
    assert "queued" not in asked(d, "status") and "queued" not in asked(d, "stats")
    assert "queued_clients" not in d.ctl("metrics").stdout
    d.reloaded(listen=(f"unix:{place}/s", "127.0.0.1:0"))
    assert asked(d, "status")["queued"] == asked(d, "stats")["queued"] == 0
    assert asked(d, "metrics")["aphorismd_queued_clients"] == 0


def test_workers(daemon, model):
    d = daemon(model)
    clients = crowd(d, model, 3)
    # an elastic pool makes new ones meanwhile
    until("all of them", lambda: {(w["pid"], w["state"] == "starting") for w in asked(d, "workers")["worker"]}
          == {(p.pid, False) for p in d.workers()})
    workers = asked(d, "workers")["worker"]
    assert sum(w["open"] for w in workers) == len(clients) == sum(w["questions"] for w in workers)
    names = {"{}:{}".format(*c.socket.getsockname()) for c in clients}
    assert {w["client"] for w in workers if w["open"]} <= names
    assert all(w["state"] == ("busy" if w["open"] else "idle") for w in workers), workers
    # ps shows the same
    for client in clients:
        client.close()
    until("their ends", lambda: asked(d, "status")["connections_open"] == 0)
    until("their titles", lambda: {w["pid"]: f"idle, {w['questions']} answered" for w in asked(d, "workers")["worker"]}
          == {p.pid: p.title().split(": ")[-1] for p in d.workers()})
    table = d.ctl("workers").stdout.splitlines()
    assert table[0].split()[:3] == ["number", "pid", "generation"] and len(table) == 1 + len(workers)
    leave(clients)


def test_connections(daemon, model, place):
    d = daemon(model, listen=("127.0.0.1:0", f"unix:{place}/s"))
    assert asked(d, "connections")["connection"] == []
    clients = crowd(d, model, 3)
    if holds(model, 2) > 1:
        clients.append(d.connect(1))
        clients[-1].ask(UNKNOWN)
    found = asked(d, "connections")["connection"]
    wanted = {"{}:{}".format(*c.socket.getsockname()) for c in clients[:3]} | ({"unix:"} if len(clients) > 3 else set())
    assert {c["client"] for c in found} == wanted
    assert all(c["questions"] == 1 and c["idle_seconds"] <= LIMIT for c in found)
    leave(clients)
    until("their ends", lambda: asked(d, "connections")["connection"] == [])
    with d.connect() as client:         # nothing is left of who was there before
        client.ask(QUESTION)
        assert [c["questions"] for c in asked(d, "connections")["connection"]] == [1]


def test_many_connections_are_listed_in_part(daemon):
    """What is more than a socket holds at once arrives nevertheless."""
    d = daemon("event", max_connections=2500, backlog=2500)
    clients = []
    for _ in range(2100):
        clients.append(d.connect())
        if len(clients) % 100 == 0:
            clients[-1].ask(QUESTION)
    until("all of them", lambda: asked(d, "status")["connections_open"] == 2100)
    found = asked(d, "connections")
    assert len(found["connection"]) == 2000 and found["more"] == 100
    for client in clients:
        client.reset()


def test_counts_outlive_workers_and_generations(daemon, model):
    d = daemon(model)
    for client in crowd(d, model, 1):
        client.close()
    stats(d, questions=1, connections_open=0)
    kill_workers(d)
    assert d.ask(QUESTION) == ANSWER
    d.reloaded()
    d.settled()
    assert d.ask(QUESTION) == ANSWER
    stats(d, questions=3, connections=3)


def test_drain_a_worker(daemon, model):
    """It finishes what it was asked, and another takes its place meanwhile."""
    d = daemon(model, work__delay="200ms", event__workers=1, prefork__max_workers=1, prefork__start_workers=1,
               prefork__min_spare=1, prefork__max_spare=1)
    asks = 20
    with d.connect() as client:
        client.send(QUESTION * asks)
        busy = until("a busy worker", lambda: [w for w in asked(d, "workers")["worker"] if w["open"]])[0]
        count = asked(d, "status")["workers"]
        assert asked(d, "drain", str(busy["number"]))["draining"] == busy["number"]
        assert d.ctl("drain", str(busy["number"])).returncode == 64
        assert d.ask(QUESTION) == ANSWER
        assert {w["pid"]: w["state"] for w in asked(d, "workers")["worker"]}[busy["pid"]] == "draining"
        assert client.everything() == ANSWER * asks
    until("its end", lambda: process(busy["pid"]) is None)
    assert d.ask(QUESTION) == ANSWER
    until("another", lambda: asked(d, "status")["workers"] == count)
    assert busy["pid"] not in {w["pid"] for w in asked(d, "workers")["worker"]}


@pytest.mark.parametrize("name", ["77", "x", "-1", "", "0x0", "1 2", "99999999999999999999"])
def test_drain_no_worker(daemon, name):
    d = daemon("event", event__workers=1)
    assert d.ctl("drain", name).returncode == 64
    assert d.ask() == b"Ugly."


def test_drain_of_one_that_hangs(daemon):
    d = daemon("iterative", timeouts__drain="100ms")
    worker, = d.workers()
    os.kill(worker.pid, signal.SIGSTOP)
    assert d.ctl("drain", "0").returncode == 0
    until("its end", lambda: process(worker.pid) is None)
    assert d.ask() == b"Ugly."
    d.wait_for("killed, it did not leave in time")


def test_log_level(daemon, model):
    """At once for supervisor and workers, those that are there and those to come; a reload ends it."""
    d = daemon(model, log__level="error")

    def noted():
        before = len(d.lines)
        with d.connect() as client:
            client.send(b"Simple is")
            client.half_close()
            client.everything()
        stats(d, connections_open=0)
        return bool(d.matches("unfinished question dropped", before))

    assert not noted()
    assert asked(d, "log", "info")["level"] == "info"
    assert until("a note", noted)
    kill_workers(d)
    d.ask()
    assert until("a note", noted)
    d.reloaded()
    d.settled()
    assert not noted()
    assert d.ctl("log", "loud").returncode == d.ctl("log").returncode == 64


def test_a_reload_tells_what_is_another(daemon):
    d = daemon("prefork")
    assert asked(d, "reload")["changed"] == []
    result = d.reload(table={b"Is it?": b"It is."}, model="event", prefork__max_spare=9, access__deny=["10.0.0.0/8"],
                      timeouts__idle="7s", listen=("127.0.0.1:0", f"unix:{d.place}/s"))
    said = result.stdout.splitlines()
    assert result.returncode == 0 and said[-1] == "reloaded"
    for line in ('changed model: "prefork" -> "event"', "changed prefork.max_spare: 10 -> 9",
                 'changed timeouts.idle: "1m" -> "7s"', 'changed access.deny: [] -> [ "10.0.0.0/8" ]',
                 "changed the table: 3 -> 1 aphorisms"):
        assert line in said
    assert any(line.startswith("changed listen: ") and f"unix:{d.place}/s" in line for line in said)
    assert len(said) == 7


def parsed(text):
    """Metric families by name, from the text format of Prometheus; test_monitor.py has its own programs read it."""
    prometheus = pytest.importorskip("prometheus_client.parser")
    return {family.name: family for family in prometheus.text_string_to_metric_families(text)}


def value(families, name, **labels):
    family = families["aphorismd_" + name]
    found = [s.value for s in family.samples if s.labels == labels and not s.name.endswith("_created")]
    assert len(found) == 1, family
    return found[0]


def test_metrics(daemon, model):
    d = daemon(model)
    clients = crowd(d, model, 3)
    assert clients[0].ask(UNKNOWN) == b"Error: unknown aphorism."
    result = d.ctl("metrics")
    families = parsed(result.stdout)
    assert value(families, "questions") == len(clients) + 1
    assert value(families, "questions_failed", reason="unknown") == 1
    assert value(families, "connections_open") == len(clients)
    assert value(families, "build_info", version="0.1.0", model=model) == 1
    assert {family.type for family in families.values()} <= {"counter", "gauge", "histogram"}
    service = families["aphorismd_question_service_seconds"]
    until("their latencies", lambda: [s.value for s in parsed(d.ctl("metrics").stdout)[service.name].samples
                                      if s.name.endswith("_count")] == [len(clients) + 1])
    found = asked(d, "metrics")
    assert found["aphorismd_questions_total"] == len(clients) + 1 and "#" not in found
    leave(clients)
    # the same numbers everywhere
    until("their ends", lambda: asked(d, "status")["connections_open"] == 0)
    families, status = parsed(d.ctl("metrics").stdout), asked(d, "status")
    d.signal(signal.SIGUSR1)
    line = d.wait_for("statistics: (.*)").group(1)
    for key, words in (("questions", "questions"), ("connections", "served"), ("denied", "denied")):
        assert value(families, key) == status[key]
        assert f", {status[key]} {words}" in line


def test_metrics_file(daemon, place):
    """Replaced as a whole, again and again, from the start on; whoever reads it never sees a part."""
    folder = place / "metrics"
    folder.mkdir()
    file = folder / "aphorismd.prom"
    d = daemon("event", metrics__file=str(file), metrics__interval="1s")
    until("the file", file.exists)
    assert value(parsed(file.read_text()), "questions") == 0
    first, seen = file.stat().st_ino, set()
    assert d.ask(QUESTION) == ANSWER

    def counted():
        seen.add(file.stat().st_ino)
        return value(parsed(file.read_text()), "questions") == 1
    until("the next", counted)
    assert seen - {first} and file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(folder) == [file.name]
    # elsewhere after a reload, at once
    d.reloaded(metrics__file=str(folder / "b.prom"), metrics__interval="1h")
    until("the other file", (folder / "b.prom").exists)
    assert value(parsed((folder / "b.prom").read_text()), "generation") == 2


def test_a_drain_is_not_spent_on_metrics_that_are_due(daemon, place):
    """No more are written then, so nothing is to be waited for."""
    d = daemon("prefork", metrics__file=str(place / "a.prom"), metrics__interval="1s", work__delay="3s",
               timeouts__drain="12s")
    with d.connect() as client:
        client.send(QUESTION * 2)
        stats(d, connections_open=1)
        d.signal(signal.SIGTERM)
        d.wait_for("stopping")
        before = process(d.pid).cpu
        assert client.answer() == ANSWER          # the second one takes as long
        assert process(d.pid).cpu - before < 0.25
        assert client.answer() == ANSWER


def test_a_metrics_file_that_can_not_be_written(daemon, place):
    d = daemon("event", metrics__file=str(place / "missing/a.prom"), metrics__interval="1s")
    d.wait_for("metrics.file: can't write .*missing/a.prom: No such file")
    assert d.ask() == b"Ugly."
    assert any(f["about"] == "metrics.file" for f in asked(d, "doctor")["finding"])
    d.reloaded(metrics__file="")
    assert not any(f["about"] == "metrics.file" for f in asked(d, "doctor")["finding"])
    assert d.ask() == b"Ugly."


@pytest.mark.parametrize("make", [lambda path: os.mkfifo(path), lambda path: os.mknod(path, 0o666 | stat.S_IFSOCK)],
                         ids=["fifo", "socket"])
def test_what_is_no_file_is_not_replaced(daemon, place, make):
    """As /dev/null would be, if root asked for it."""
    make(place / "a.prom")
    before = (place / "a.prom").lstat()
    d = daemon("event", metrics__file="a.prom", metrics__interval="1s")
    d.wait_for("metrics.file: can't write .*a.prom: File exists")
    assert (place / "a.prom").lstat() == before


def test_a_reload_while_metrics_are_written(daemon, place):
    """They go elsewhere at once, not at the end of an interval that has just begun."""
    d = daemon("event", metrics__file="a.prom", metrics__interval="1s")
    until("the file", (place / "a.prom").exists)
    with straced([d.pid], "-e", "trace=/^rename", "-e", "inject=/^rename:delay_enter=1000000"):
        until("another", (place / "a.prom.tmp").exists)
        d.reloaded(metrics__file="b.prom", metrics__interval="1h")
        until("the other file", (place / "b.prom").exists)


@pytest.mark.skipif(not ROOT, reason="only root can mount")
def test_metrics_on_a_full_disk(daemon, place):
    """What was there stays, whole, and is replaced as soon as there is room."""
    folder = place / "small"
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=64k", "none", folder).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        d = daemon("event", metrics__file=str(folder / "a.prom"), metrics__interval="1s")
        until("the file", (folder / "a.prom").exists)
        with open(folder / "full", "wb", buffering=0) as full:
            with pytest.raises(OSError):
                while True:
                    full.write(b"x" * 4096)
        d.wait_for("metrics.file: can't write .*a.prom: No space left")
        assert sorted(os.listdir(folder)) == ["a.prom", "full"]
        assert value(parsed((folder / "a.prom").read_text()), "questions") == 0
        assert d.ask(QUESTION) == ANSWER
        assert "\troom in its file system\n" in d.ctl("doctor").stdout
        (folder / "full").unlink()
        until("the next", lambda: value(parsed((folder / "a.prom").read_text()), "questions") == 1)
        d.stop()
    finally:
        run("umount", folder)


def test_a_metrics_file_is_no_way_to_another_file(daemon, place):
    """A link in its place is replaced, not followed."""
    (place / "precious").write_text("precious")
    (place / "a.prom.tmp").symlink_to("precious")
    (place / "a.prom").symlink_to("precious")
    daemon("event", metrics__file="a.prom")
    until("the file", lambda: not (place / "a.prom").is_symlink())
    assert (place / "precious").read_text() == "precious"
    parsed((place / "a.prom").read_text())

