"""`compare` and `explain`: real daemons under all models, what they cost, and that none of them is left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import unicodedata
from pathlib import Path

import harness
import instrument
import pytest

MODELS = harness.models()
CLIENTS = 8


def environment(place, **more):
    return harness.environment(XDG_STATE_HOME=str(place / "state"), TMPDIR=str(place), **more)


def compare(place, *options, status=0, server=harness.APHORISMD, **more):
    """The record, and what was printed."""
    result = instrument.bench("compare", "--no-progress", "--aphorismd", server, "--json", place / "figures.json",
                              *options, env=environment(place, **more), limit=120)
    assert result.returncode == status, result.stdout + result.stderr
    return json.loads((place / "figures.json").read_text()), result.stdout


def cells(record, **wanted):
    return [c for c in record["cells"] if all(c[name] == value for name, value in wanted.items())]


def one(record, **wanted):
    found = cells(record, **wanted)
    assert len(found) == 1, wanted
    return found[0]


def script(place, name, body):
    """A program that stands in for aphorismd."""
    path = place / name
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


def nothing_left(place):
    harness.nothing_left()
    assert not list(place.glob("aphorism-bench-*")), "its folder is still there"


@pytest.fixture(scope="module")
def whole():
    """All models: figures, text, and what is kept for `explain`."""
    place = harness.make_place()
    try:
        record, text = compare(place, "--scenarios", "steady,connect", "--connections", CLIENTS, "--rounds", 2,
                               "--duration", "250ms")
        nothing_left(place)
        yield record, text, (place / "state/aphorism-bench/last.json").read_text(), place
    finally:
        harness.end_all()
        harness.remove(place)


def test_every_model_is_measured_in_every_scenario(whole):
    record, text, last, _ = whole
    assert [(c["scenario"], c["model"]) for c in record["cells"]] == [
        (scenario, model) for scenario in ("steady", "connect") for model in MODELS]
    assert record["complete"] and record["server"].startswith("aphorismd ")
    assert json.loads(last) == record
    for cell in record["cells"]:
        assert cell["rounds"] == 2 and cell["answers"] > 0 and not instrument.errors(cell), cell
        assert 0 < cell["seconds"] < 2
        assert cell["cpu_us_per_answer"] > 0 and cell["context_switches_per_answer"] > 0
        assert 0 < cell["system_share"] < 1
        assert 0 < cell["pss_bytes"] <= cell["rss_bytes"]
        assert re.search(rf"\b{cell['model']}\b", text)


def test_who_starves_clients_is_marked_and_never_advised(whole):
    record, text, _, _ = whole
    assert one(record, scenario="steady", model="iterative")["never_served"] == CLIENTS - 1
    assert f"never served {CLIENTS - 1} of {CLIENTS}" in text
    for cell in cells(record, scenario="steady"):
        assert cell["model"] == "iterative" or cell["never_served"] == 0
    advice = text[text.index("Which model for which workload"):]
    assert not re.search(r"^[^ ].*: iterative$", advice, re.MULTILINE)
    assert 'model = "' in advice


def test_processes_and_threads_are_those_of_the_model(whole):
    record = whole[0]
    seen = {c["model"]: (c["processes"], c["threads"]) for c in cells(record, scenario="steady")}
    assert seen["iterative"] == (3, 3)              # with supervisor and starter
    assert seen["fork"] == (3 + CLIENTS, 3 + CLIENTS)
    assert seen["thread"] == (3, 3 + CLIENTS)
    assert seen["threadpool"] == (3, 18)
    assert seen["prefork"][0] > CLIENTS and seen["prefork"][0] == seen["prefork"][1]


def test_order_of_unix_network_programming_chapter_30(whole):
    """A connection for each question: CPU time of the server, and not the clock's, which a busy machine stretches."""
    cpu = {c["model"]: c["cpu_us_per_answer"] for c in cells(whole[0], scenario="connect")}
    assert cpu["fork"] > 2 * cpu["prefork"], cpu
    assert cpu["fork"] > 2 * cpu["threadpool"], cpu
    assert cpu["fork"] > 1.5 * cpu["thread"], cpu
    assert 0.35 < cpu["prefork"] / cpu["threadpool"] < 3, cpu


def test_advised_lines_are_a_configuration(whole, place):
    text = whole[1]
    lines = re.findall(r"^      (\S.*;)$", text, re.MULTILINE)
    assert lines
    for line in lines:
        config = place / "advised.conf"
        config.write_text(line + "\n")
        user = ["-o", "process.user=nobody"] if harness.ROOT else []
        result = harness.run(harness.APHORISMD, "-t", "-c", config, *user)
        assert result.returncode == 0, line + result.stderr


def test_cpu_time_is_that_of_the_whole_tree(place):
    """Each answer computes for 20 ms more, in a child of a child that is reaped or in a thread that has ended: much, as
    against what connections may cost more or less on a busy machine."""
    models = ("fork", "thread", "prefork")
    server = script(place, "busier", f'exec {harness.APHORISMD} "${{@/work.cpu=1ms/work.cpu=20ms}}"')
    record, _ = compare(place, "--models", ",".join(models), "--scenarios", "connect,cpu", "--connections", 2,
                        "--rounds", 1, "--duration", "500ms", server=server)
    nothing_left(place)
    for model in models:
        idle = one(record, model=model, scenario="connect")["cpu_us_per_answer"]
        busy = one(record, model=model, scenario="cpu")["cpu_us_per_answer"]
        assert 15000 < busy - idle < 30000, (model, idle, busy)


def test_dripping_clients_shut_others_out_where_places_are_few(place):
    record, text = compare(place, "--models", "threadpool,event", "--scenarios", "slowloris", "--rounds", 1,
                           "--duration", "300ms")
    nothing_left(place)
    assert one(record, model="threadpool")["never_served"] == 16
    polite = one(record, model="event")
    assert polite["never_served"] == 0 and polite["answers"] > 0
    assert "clients that cannot be trusted: event\n  the only one that serves every client" in text


def test_a_killed_worker_shows(place):
    record, _ = compare(place, "--models", "fork,threadpool", "--scenarios", "kill", "--connections", 4, "--rounds", 1,
                        "--duration", "600ms")
    nothing_left(place)
    broken = instrument.errors(one(record, model="threadpool"))
    assert set(broken) <= {"lost", "reset"} and sum(broken.values()) >= 4
    assert sum(instrument.errors(one(record, model="fork")).values()) <= 4    # its children serve on


def test_reloads_happen_under_load(place):
    log = place / "log"
    server = script(place, "logged", f'exec {harness.APHORISMD} "$@" 2> >(tee -a {log} >&2)')
    record, _ = compare(place, "--models", "event", "--scenarios", "reload", "--rounds", 1, "--duration", "800ms",
                        server=server)
    nothing_left(place)
    assert log.read_text().count(": reloaded: ") == 3
    cell = one(record, model="event")
    assert cell["never_served"] == 0 and set(instrument.errors(cell)) <= {"lost", "reset"}


def test_turns_rotate_and_each_has_a_fresh_daemon(place):
    log = place / "log"
    server = script(place, "spy", f'[ "$1" != -f ] || {{ echo "${{*:5}}"; env | grep ^APHORISMD_; }} >>{log}\n'
                                  f'exec {harness.APHORISMD} "$@"')
    compare(place, "--models", "event,prefork,threadpool", "--scenarios", "delay", "--connections", 4, "--rounds", 3,
            "--duration", "50ms", "--warmup", "20ms", server=server, APHORISMD_MODEL="iterative", APHORISMD_BACKLOG="x")
    nothing_left(place)
    started = [line.split() for line in log.read_text().splitlines()]
    assert [words[0] for words in started] == ["prefork", "threadpool", "event", "threadpool", "event", "prefork",
                                               "event", "prefork", "threadpool"]
    assert all("work.delay=5ms" in words for words in started)


def test_more_connections_than_the_defaults_hold(place):
    record, text = compare(place, "--models", "event,iterative", "--scenarios", "steady", "--connections", 1200,
                           "--rounds", 1, "--duration", "2s")
    nothing_left(place)
    cell = one(record, model="event")
    assert cell["never_served"] == 0 and cell["bytes_per_connection"] < 4096
    assert one(record, model="iterative")["bytes_per_connection"] is None
    assert "      max_connections = 1374;\n      backlog = 1200;\n" in text


def interrupt(place, number):
    """A comparison that is told to end while its second scenario runs."""
    process = subprocess.Popen([instrument.BENCH, "compare", "--aphorismd", harness.APHORISMD, "--models", "event",
                                "--scenarios", "steady,connect", "--connections", "2", "--rounds", "1",
                                "--duration", "2s", "--warmup", "10ms", "--json", str(place / "figures.json")],
                               env=environment(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "connect, 2" in line:
            break
    harness.until("the second daemon", harness.strays)
    process.send_signal(number)
    return process, *process.communicate(timeout=harness.LIMIT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_prints_what_is_done(place, number):
    process, text, _ = interrupt(place, number)
    assert process.returncode == 75
    nothing_left(place)
    record = json.loads((place / "figures.json").read_text())
    assert not record["complete"] and [c["scenario"] for c in record["cells"]] == ["steady"]
    assert "steady, 2 connections" in text
    assert not (place / "state/aphorism-bench/last.json").exists()


def test_killed_takes_its_daemon_along(place):
    process, _, _ = interrupt(place, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    harness.nothing_left()


def test_interrupted_while_it_draws(place):
    """The daemons' folder has gone by then, gnuplot goes along, and no part of the page is left."""
    (place / "bin").mkdir()
    script(place / "bin", "gnuplot", '[ "$1" = --version ] || exec sleep 1000')
    process = instrument.start("compare", "--no-progress", "--aphorismd", harness.APHORISMD, "--models", "event",
                               "--scenarios", "steady", "--connections", 2, "--rounds", 1, "--duration", "100ms",
                               "--report", place / "page.html", "--json", place / "figures.json",
                               env=environment(place, PATH=f"{place}/bin:{os.environ['PATH']}"))
    harness.until("gnuplot", lambda: any("sleep" in p.title() for p in harness.strays()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=harness.LIMIT)
    assert process.returncode == -signal.SIGINT
    nothing_left(place)
    assert sorted(os.listdir(place)) == ["bin", "figures.json"]
    assert json.loads((place / "figures.json").read_text())["complete"]


def complaint(place, *options, status, env=None, **more):
    """The one line that says what is wrong."""
    result = instrument.bench("compare", *options, env=env or environment(place), **more)
    assert result.returncode == status, result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("aphorism-bench: "), result.stderr
    nothing_left(place)
    return result.stderr


def test_unknown_names(place):
    server = "--aphorismd", harness.APHORISMD
    said = complaint(place, *server, "--models", "event,prefrok", status=64)
    assert "unknown model prefrok, did you mean prefork?" in said
    assert "did you mean steady?" in complaint(place, *server, "--scenarios", "stedy", status=64)
    assert "see aphorism-bench compare --list-scenarios" in complaint(place, *server, "--scenarios", "x", status=64)


def test_no_aphorismd(place):
    bench = shutil.copy(instrument.BENCH, place / "aphorism-bench")
    result = harness.run(bench, "compare", env=environment(place, PATH=str(place)))
    assert result.returncode == 69
    assert result.stderr == ("aphorism-bench: no aphorismd beside this program or on PATH: "
                             "install it, or name it with --aphorismd FILE\n")
    assert "No such file" in complaint(place, "--aphorismd", place / "none", status=69)
    assert "is it aphorismd?" in complaint(place, "--aphorismd", "/bin/true", status=69)


EVIL = r"\x1b]0;owned\x07\x9b2J\xc2\x9b2J\x7f\r\xe2\x80\xae\xff"


def plain(text):
    """That nothing in it commands a terminal, and that it is there nevertheless."""
    assert "\ufffd" not in text and "owned" in text, text
    assert all(unicodedata.category(c) != "Cc" or c == "\n" for c in text) and "\u202e" not in text, repr(text)


def test_what_a_server_says_commands_no_terminal(place):
    """Its models' names, its version, the last line before it ended."""
    listed = f'[ "$1" != --list-models ] || {{ printf \'event x\\n%s\\n\' "$(printf "{EVIL}")"; exit; }}\n'
    version = f'[ "$1" != --version ] || {{ printf \'{EVIL} grün\\n\'; exit; }}\n'
    server = script(place, "evil", listed + version + f"printf '{EVIL} grün\\n' >&2; exit 78")
    said = complaint(place, "--aphorismd", server, "--models", "event", "--scenarios", "steady", "--no-progress",
                     status=69)
    plain(said)
    assert "grün" in said and EVIL in said
    server = script(place, "old", listed + version + f'exec {harness.APHORISMD} "$@"')
    record, text = compare(place, "--models", "event", "--scenarios", "steady", "--connections", CLIENTS, "--rounds",
                           2, "--duration", "100ms", server=server)
    plain(text)
    assert record["server"] == EVIL + " grün" and {cell["model"] for cell in record["cells"]} == {"event"}
    assert "is it aphorismd?" in complaint(place, "--aphorismd", script(place, "painter", f"printf '{EVIL}'"), status=69)


def test_aphorismd_is_found_beside_and_on_path(place):
    bench, folder = shutil.copy(instrument.BENCH, place / "aphorism-bench"), place / "elsewhere"
    folder.mkdir()
    for where in folder, place:
        script(where, "aphorismd", f'echo "{where.name}"')
        result = harness.run(bench, "compare", "--models", where.name + "y",
                             env=environment(place, PATH=f"/none:{folder}:/bin"))
        assert result.returncode == 64 and f"did you mean {where.name}?" in result.stderr


def test_daemon_that_does_not_start(place):
    server = script(place, "broken", f'[ "$1" != -f ] || {{ echo "the reason" >&2; exit 78; }}\n'
                                     f'exec {harness.APHORISMD} "$@"')
    said = complaint(place, "--no-progress", "--aphorismd", server, "--models", "event", status=69)
    assert "does not start under the model event: the reason" in said


def test_too_few_descriptors(place):
    command = f'ulimit -n 200; exec "{instrument.BENCH}" compare --aphorismd "{harness.APHORISMD}" --scenarios steady'
    result = harness.run("bash", "-c", command, env=environment(place))
    assert result.returncode == 71
    assert "1000 connections need 1128 file descriptors, the hard limit is 200" in result.stderr
    nothing_left(place)


def explain(place, *words):
    """The manual's page from the sources, wherever the program was built."""
    (place / "man/man7").mkdir(parents=True, exist_ok=True)
    top = Path(os.environ.get("TEST_SRCDIR") or harness.TOP)
    shutil.copy(top / "man/aphorismd-models.7", place / "man/man7")
    return instrument.bench("explain", *words, env=environment(place, MANPATH=str(place / "man")))


def test_explain_tells_the_story_and_the_figures(whole, place):
    result = explain(place, "--from", whole[3] / "figures.json", "fork")
    assert result.returncode == 0 and not result.stderr
    assert result.stdout.startswith("fork\n") and "The worker only accepts." in result.stdout
    assert "accept, new thread" not in result.stdout
    figures = result.stdout[result.stdout.index("Measured on"):]
    assert re.findall(r"^  (\w+) +8 ", figures, re.MULTILINE) == ["steady", "connect"]


def test_explain_without_figures_and_without_such_a_model(place):
    result = explain(place, "event")
    assert result.returncode == 0
    assert result.stdout.endswith("\n\nNo figures yet: aphorism-bench compare --quick measures them.\n")
    result = explain(place, "evnt")
    assert result.returncode == 64 and result.stderr == "aphorism-bench: unknown model evnt, did you mean event?\n"
    result = explain(place, "--from", place / "none.json", "event")
    assert result.returncode == 66 and result.stderr.count("\n") == 1


def test_every_manual_section_is_that_of_a_model(place):
    for model in MODELS:
        assert "Overload" in explain(place, model).stdout
