"""What aphorism-bench writes: JSON, CSV and the table; and what it says to files that it cannot read or write."""

import csv
import errno
import io
import json
import math
import os
import pty
import re
import resource
import signal
import stat
import struct
import subprocess
import termios
from fcntl import ioctl

import pytest

import harness
import sample
import tracing
from instrument import BENCH, bench, start

MANUAL = harness.TOP / "man/aphorism-bench.1"


@pytest.fixture
def written(place):
    """Writes a record to a file of the test's own folder."""
    def write(record, name="record.json"):
        (place / name).write_text(json.dumps(record) if isinstance(record, dict) else record)
        return place / name
    return write


def shown(file, width=80):
    """The table of a record, without the verdict after it."""
    result = bench("report", "--csv", file.with_suffix(".csv"), file, env=harness.environment(COLUMNS=str(width)))
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.split("\nWhich model")[0]


def same(one, other):
    """Equal, but for the last digits of a number."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other and type(one) is type(other)


def members(record):
    """All names of members, of the record and of its cells."""
    return set(record) | set(record["cells"][0]) | set(record["cells"][0]["errors"])


# JSON

@pytest.fixture
def measured_run(daemon, place):
    """The files of a short `run`."""
    result = bench("run", "--no-progress", "-c", 4, "-n", 400, "--seed", 7, "--json", place / "run.json",
                   "--csv", "-", daemon("threadpool").address)
    assert result.returncode == 0, result.stderr
    return json.loads((place / "run.json").read_text()), result


def test_a_run_gives_a_whole_record(measured_run):
    record, _ = measured_run
    assert members(record) == members(sample.record())
    assert record["schema_version"] == 1 and record["complete"] is True and record["seed"] == 7
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["date"])
    assert record["percentiles"] == sample.PERCENTILES
    cell, = record["cells"]
    assert cell["answers"] == 400 and cell["connections"] == 4 and cell["rounds"] == 1
    assert cell["errors"] == dict.fromkeys(sample.ERRORS, 0)
    assert 0 < cell["p50_us"] <= cell["p90_us"] <= cell["p99_us"] <= cell["p999_us"] <= cell["max_us"]
    assert cell["curve_us"] == sorted(cell["curve_us"]) and len(cell["curve_us"]) == len(record["percentiles"])


def test_what_could_not_be_read_is_null(measured_run):
    record, result = measured_run
    cell, = record["cells"]
    unknown = ["cpu_us_per_answer", "system_share", "context_switches_per_answer", "processes", "threads", "rss_bytes",
               "pss_bytes", "bytes_per_connection", "answers_per_second_low", "answers_per_second_high"]
    assert cell["has_cost"] is False
    assert {name: cell[name] for name in unknown} == dict.fromkeys(unknown)
    row, = csv.DictReader(io.StringIO(result.stdout))
    assert {name: row[name] for name in unknown} == dict.fromkeys(unknown, "")


def test_the_manual_names_every_member(measured_run):
    text = MANUAL.read_text()
    for name in members(measured_run[0]):
        assert re.search(rf"^\.It Cm (.* )?{name}\b", text, re.M), name


def test_the_manual_names_every_scenario():
    text = MANUAL.read_text()
    for line in bench("compare", "--list-scenarios").stdout.splitlines():
        assert f"\n.It Cm {line.split()[0]}\n" in text


def test_standard_output_is_the_files_alone(daemon):
    result = bench("run", "--no-progress", "-c", 1, "-n", 10, "--json", "-", daemon("iterative").address)
    assert json.loads(result.stdout)["cells"]
    assert "answers/s" in result.stderr


@pytest.mark.parametrize("name, kept", [("\u202e\x9b", "?????"), ("é\n\udcff", "é??")])
def test_a_record_can_be_read_again(name, kept, stub, place):
    """Whatever stands on the command line: it turns the direction of writing, or is no text."""
    stub("none", "--unix", place / "plain")
    (place / name).symlink_to("plain")
    result = bench("run", "--no-progress", "-n", 10, "--json", place / "run.json", f"unix:{place}/{name}")
    assert result.returncode == 0, result.stderr
    assert json.loads((place / "run.json").read_text())["command"].endswith(f"unix:{place}/{kept}")
    again = bench("report", "--json", "-", place / "run.json")
    assert (again.returncode, again.stdout) == (0, (place / "run.json").read_text()), again.stderr


def test_a_record_is_written_as_it_was_read(written, place):
    record = sample.record(scenarios=["steady", "kill"])
    record["cells"][1].update(p50_us=None, pss_bytes=None, processes=None, fairness=None)
    record["cells"][2]["curve_us"][3] = None
    record["machine"] = 'Größe "8"\\, <µ>'
    result = bench("report", "--json", place / "again.json", written(record))
    assert (result.returncode, result.stderr) == (0, "")
    assert same(json.loads((place / "again.json").read_text()), record)


def without(name, inside=None):
    record = sample.record(scenarios=["connect"])
    del (record if inside is None else record["cells"][inside])[name]
    return record


def with_cell(**more):
    record = sample.record(scenarios=["connect"])
    record["cells"][2].update(more)
    return record


BAD = {
    "of another schema": (sample.record(schema_version=2), "schema_version is 2, only 1 can be read"),
    "of no schema": (without("schema_version"), "it has no schema_version"),
    "of something else": ("[1, 2]", "it has no schema_version"),
    "cut off": (json.dumps(sample.record())[:5000], "json:1: "),
    "empty": ("", "json:1: "),
    "not text": ("\x1b[31m\x00", "json:1: "),
    "twice the same member": ('{"schema_version": 1, "schema_version": 1}', "duplicate"),
    "without cells": (without("cells"), "cells is missing"),
    "cells no array": (sample.record(cells={}), "cells is not an array"),
    "a cell no object": (sample.record(cells=[7]), "cells[0].model is missing"),
    "without a figure": (without("p99_us", 3), "cells[3].p99_us is missing"),
    "without a kind of error": (with_cell(errors={"late": 0}), "cells[2].errors does not count every kind"),
    "a text for a number": (with_cell(p99_us="12"), "cells[2].p99_us is neither a number nor null"),
    "a fraction for a count": (with_cell(answers=1.5), "cells[2].answers is not an integer"),
    "a count of null": (with_cell(answers=None), "cells[2].answers is not an integer"),
    "a number for a truth": (with_cell(saturated=0), "cells[2].saturated is neither true nor false"),
    "below nothing": (with_cell(never_served=-1), "cells[2].never_served is out of range"),
    "beyond 32 bits": (with_cell(connections=2**32), "cells[2].connections is out of range"),
    "smaller than any": (with_cell(cpu_us_per_answer=5e-324), "cells[2].cpu_us_per_answer is out of range"),
    "larger than any": (with_cell(answers_per_second=1e308), "cells[2].answers_per_second is out of range"),
    "a curve beyond all": (with_cell(curve_us=[1e300] * 24), "cells[2].curve_us is out of range"),
    "a backward interval": (with_cell(tail_us_low=9.0, tail_us_high=8.0),
                            "tail_us has an interval that ends before it begins"),
    "nobody connected": (with_cell(connections=0), "cells[2].connections is out of range"),
    "the same twice": (with_cell(model="fork"), "cells[2] is of the same model, scenario and connections as another"),
    "too many cells": (sample.record(cells=[{}] * 4097), "cells are more than 4096"),
    "too many models": (sample.record(cells=[{**with_cell()["cells"][0], "model": str(i)} for i in range(33)]),
                        "cells have more than 32 models or scenarios"),
    "too many values": ('{"cells": [' + "{}," * 600000 + "{}]}", "holds more than 524288 values"),
    "too large": (" " * (16 << 20) + "{}", "is larger than 16 MiB"),
    "fairer than fair": (with_cell(fairness=1.5), "cells[2].fairness is out of range"),
    "a nameless model": (with_cell(model=""), "cells[2].model is empty"),
    "a long name": (with_cell(scenario="x" * 32), "cells[2].scenario is too long"),
    "a name that paints": (with_cell(model="\x1b[31m"), "cells[2].model holds a control character"),
    "a name that paints, too": (with_cell(model="\x9b31m"), "cells[2].model holds a control character"),
    "a short curve": (with_cell(curve_us=[1, 2]), "cells[2].curve_us is not an array"),
    "other percentiles": (sample.record(percentiles=[i for i in range(24)]), "percentiles are not those"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_wrong(what, written):
    record, reason = BAD[what]
    file = written(record)
    result = bench("report", file)
    assert result.returncode == 65 and result.stdout == ""
    assert result.stderr.startswith(f"aphorism-bench: {file}") and reason in result.stderr
    assert result.stderr.count("\n") == 1 and "\x1b" not in result.stderr
    assert os.listdir(file.parent) == [file.name]


def test_a_file_that_cannot_be_read(place):
    for file, number in ((place / "none.json", errno.ENOENT), (place, errno.EISDIR)):
        result = bench("report", file)
        assert result.returncode == 66
        assert result.stderr == f"aphorism-bench: {file}: {os.strerror(number)}\n"


def test_a_file_of_an_earlier_version(written, place):
    record = without("unasked", 1)
    result = bench("report", "--json", place / "again.json", written(record))
    assert (result.returncode, result.stderr) == (0, "")
    record["cells"][1]["unasked"] = 0
    assert same(json.loads((place / "again.json").read_text()), record)


def test_a_large_file_takes_little_memory(written):
    """Of the largest numbers of values, and of cells."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))

    tracing.without_sanitizers()
    values = written('{"schema_version": 1, "cells": [' + "{}," * 262000 + "{}]}")
    assert "version is missing" in bench("report", values, preexec_fn=limit).stderr
    one = with_cell()["cells"][0]
    cells = written(sample.record(cells=[{**one, "connections": i + 1} for i in range(4096)]), "cells.json")
    result = bench("report", "--csv", values.with_name("out"), cells, preexec_fn=limit)
    assert (result.returncode, result.stderr) == (0, "")


# CSV

def test_csv_holds_what_json_holds(written):
    record = sample.record(scenarios=["steady", "kill"])
    record["cells"][0]["pss_bytes"] = None
    for cell in record["cells"]:
        cell["model"] = cell["model"].replace("thread", 'thr"e,ad')
    result = bench("report", "--csv", "-", written(record))
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == len(record["cells"])
    for row, cell in zip(rows, record["cells"]):
        for kind, count in cell["errors"].items():
            assert row.pop("errors_" + kind) == str(count)
        assert row.keys() == cell.keys() - {"errors", "curve_us"}
        for name, text in row.items():
            value = cell[name]
            if isinstance(value, float):
                assert math.isclose(float(text), value, rel_tol=1e-9), name
            else:
                assert text == ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))


# The table

def rows(table, heading):
    """Model -> its line in the block with that heading."""
    block = table.split(f"\n{heading}\n")[1].split("\n\n")[0].splitlines()
    assert block[0].split()[0] == "model"
    return {line[2:].split()[0]: line for line in block[1:] if not line.startswith("   ")}


def test_the_best_and_those_that_starve(written):
    lines = rows(shown(written(sample.record())), "steady, 64 connections")
    assert list(lines) == sample.MODELS
    assert lines["event"].startswith("* event") and lines["event"].endswith("  best")
    assert lines["iterative"].startswith("! iterative") and lines["iterative"].endswith("never served 63 of 64")
    assert lines["fork"].startswith("  fork") and not lines["fork"].endswith("best")


def test_a_starving_model_never_wins(written):
    record = sample.record(scenarios=["steady"])
    for cell in record["cells"]:
        if cell["model"] == "iterative" and cell["connections"] > 1:
            cell.update(sample.figure("answers_per_second", 9e6, 0.01), p99_us=1.0)
    table = shown(written(record))
    for connections in ("16 connections", "64 connections", "1,000 connections"):
        lines = rows(table, f"steady, {connections}")
        assert lines["iterative"][0] == "!" and lines["event"][0] == "*"


def test_differences_within_the_noise_are_a_tie(written):
    record = sample.record(scenarios=["connect"])
    for cell in record["cells"]:
        rate = {"event": 1000, "prefork": 985}.get(cell["model"], 500)
        cell.update(sample.figure("answers_per_second", rate, 0.01))
    lines = rows(shown(written(record)), "connect, 64 connections")
    assert {model for model, line in lines.items() if line[0] == "=" and line.endswith("tie")} == {"event", "prefork"}
    assert not any(line[0] == "*" for line in lines.values())


def test_errors_are_told_in_words(written):
    record = sample.record(scenarios=["connect"])
    record["cells"][1]["errors"].update(late=1234, turned_away=5)
    table = shown(written(record), 120)
    assert rows(table, "connect, 64 connections")["fork"].endswith("5 turned away; 1,234 late")
    assert re.search(r"^  late: no answer ", table, re.M) and re.search(r"^  turned away: ", table, re.M)
    assert "refused:" not in table


def test_a_saturated_generator_voids_the_figures(written):
    record = sample.record(scenarios=["connect"])
    record["cells"][5]["saturated"] = True
    table = shown(written(record))
    assert rows(table, "connect, 64 connections")["event"][0] == "!"
    assert re.search(r"^! event .*\n    generator saturated, figures void$", table, re.M)


def test_a_run_that_ended_early_says_so(written):
    assert "ended early" not in shown(written(sample.record()))
    assert "ended early: this is what was done by then" in shown(written(sample.record(complete=False)))


@pytest.mark.parametrize("width", [40, 60, 80, 132, 200])
def test_the_table_fits(width, written):
    file = written(sample.record())
    table = shown(file, width)
    assert max(map(len, table.splitlines())) <= width
    names = set(table.split("steady, 1 connection\n")[1].splitlines()[0].split())
    wider = set(shown(file, width + 40).split("steady, 1 connection\n")[1].splitlines()[0].split())
    assert names <= wider and {"model", "answers/s", "p99"} <= names


def test_the_table_is_as_wide_as_its_terminal(written, place):
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    process = subprocess.Popen([BENCH, "report", "--csv", place / "out.csv", written(sample.record(scenarios=["connect"]))],
                               stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    text = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:       # the other end is closed
            break
        text += more
    os.close(ours)
    assert process.wait(harness.LIMIT) == 0 and process.communicate()[1] == b""
    table = text.decode().replace("\r\n", "\n").split("\nWhich model")[0]
    assert max(map(len, table.splitlines())) <= 50


def test_figures_have_three_digits(written):
    record = sample.record(models=["event"], scenarios=["connect"])
    cell, = record["cells"]
    cell.update(sample.figure("answers_per_second", 1234567.8, 0.034), p50_us=9.996, p90_us=999.6, p99_us=9996.0,
                p999_us=0.2144, max_us=99.96e6, pss_bytes=1024 * 1000, bytes_per_connection=128.0, fairness=None)
    header, line = shown(written(record), 200).split("connect, 64 connections\n")[1].splitlines()[:2]
    found = dict(zip(header.split(), line.split()))
    assert {"answers/s": "1,234,568", "p50": "10us", "p90": "1.00ms", "p99": "10.0ms", "p99.9": "0.214us",
            "max": "100s", "PSS": "1000K", "/conn": "128", "fair": "-"}.items() <= found.items()


# Files

def test_a_new_file_replaces_the_old_one_at_once(written, place):
    target = place / "out.csv"
    target.write_text("old")
    link = place / "link.csv"
    link.symlink_to("out.csv")
    assert bench("report", "--csv", link, written(sample.record())).returncode == 0
    assert link.is_symlink() and target.read_text().startswith("model,")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask
    assert sorted(os.listdir(place)) == ["link.csv", "out.csv", "record.json"]


# As root a program that is wrong here could replace a device: it never gets a path below /dev.

def test_a_pipe_stays_a_pipe(written, place):
    pipe = place / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    assert bench("report", "--csv", pipe, written(sample.record(scenarios=["connect"]))).returncode == 0
    if not pipe.is_fifo():
        reader.kill()
    assert reader.communicate(timeout=harness.LIMIT)[0].startswith("model,")
    assert pipe.is_fifo()


@pytest.mark.parametrize("option", ["--json", "--csv", "--report"])
def test_a_full_disk(option, written):
    file = written(sample.record(scenarios=["connect"]))
    with open("/dev/full", "w") as full:
        result = subprocess.run([BENCH, "report", option, "-", file], stdout=full, stderr=subprocess.PIPE, text=True,
                                timeout=harness.LIMIT, check=False)
    assert result.returncode == 74
    assert result.stderr.splitlines()[-1] == f"aphorism-bench: standard output: {os.strerror(errno.ENOSPC)}"


@pytest.mark.parametrize("where, reason", [(">/dev/full", errno.ENOSPC), (">&-", errno.EBADF)])
def test_nobody_sees_it(where, reason, stub, written):
    """Whatever it prints: the table of a run, a list, a page, a file; a line says why, and the status is not 0."""
    file = written(sample.record(scenarios=["connect"]))
    for words in (("run", "-c", "2", "-d", "100ms", "--warmup", "0", stub().address), ("--help",), ("--version",),
                  ("run", "--help"), ("help", "run"), ("run", "--version"), ("compare", "--list-scenarios"),
                  ("explain", "--from", file, "event"), ("report", "--csv", file.with_suffix(".csv"), file),
                  ("report", "--json", "-", file)):
        result = harness.run("sh", "-c", f'exec "$0" "$@" {where}', BENCH, *words)
        assert result.returncode == 74, result
        assert result.stderr.splitlines()[-1] == f"aphorism-bench: standard output: {os.strerror(reason)}"
        assert result.stderr.count("standard output") == 1


def test_nobody_sees_the_table_beside_a_file(written):
    """It goes to standard error then, which can't tell of itself."""
    file = written(sample.record(scenarios=["connect"]))
    result = harness.run("sh", "-c", 'exec "$0" "$@" 2>/dev/full', BENCH, "report", "--json", "-", file)
    assert result.returncode == 74 and json.loads(result.stdout)


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_what_is_cut_off_does_not_replace_what_is_whole(option, written, place):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    file, target = written(sample.record(scenarios=["connect"])), place / "out"
    target.write_text("old")
    result = bench("report", option, target, file, preexec_fn=limit)
    assert (result.returncode, result.stderr) == (74, f"aphorism-bench: {target}: {os.strerror(errno.EFBIG)}\n")
    assert target.read_text() == "old" and sorted(os.listdir(place)) == ["out", file.name]


@pytest.mark.parametrize("option", ["--json", "--csv", "--report"])
def test_a_file_that_cannot_be_created(option, written, place):
    file = written(sample.record(scenarios=["connect"]))
    result = bench("report", option, place / "none/out", file)
    assert (result.returncode, result.stderr) == (73, f"aphorism-bench: {place}/none/out: {os.strerror(errno.ENOENT)}\n")
    assert os.listdir(place) == [file.name]


def test_what_cannot_be_written_is_told_before_the_measuring(place):
    """Not ten minutes later."""
    for command in (["compare"], ["run", "127.0.0.1:1"]):
        result = bench(*command, "--no-progress", "--csv", place / "none/out.csv", limit=10)
        assert result.returncode == 73
        assert result.stderr == f"aphorism-bench: {place}/none/out.csv: {os.strerror(errno.ENOENT)}\n"


@pytest.mark.parametrize("option", ["--json", "--csv", "--report"])
def test_a_signal_while_a_file_is_made(option, written, place):
    """Each time that there is a temporary file it is held up there, and the signal comes."""
    file = written(sample.record(models=["event"], scenarios=["connect"]))
    (place / "out").write_text("old")
    for nth in (1, 2):
        strace = [tracing.tool("strace"), "-qq", "-f", "-o", "/dev/null", "-e", "trace=fchmod", "-e",
                  f"inject=fchmod:delay_enter=500000:when={nth}"]
        process = subprocess.Popen([*strace, BENCH, "report", option, place / "out", file], env=harness.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        harness.until("a temporary file", lambda: len(os.listdir(place)) == 3 or process.poll() is not None)
        for p in harness.descendants(process.pid):
            if p.name == "aphorism-bench":
                os.kill(p.pid, signal.SIGINT)
        process.communicate(timeout=harness.LIMIT)
        assert sorted(os.listdir(place)) == ["out", file.name]


def test_an_interrupted_report_leaves_nothing(written, place):
    """Neither a part of the page nor gnuplot, at which it is kept waiting; and the old page stays."""
    def interrupted(number):
        process = start("report", "--report", place / "out.html", file, env=env)
        harness.until("gnuplot", lambda: any("sleep" in p.title() for p in harness.strays()))
        assert sorted(os.listdir(place)) == files, "a part of the page can be seen"
        process.send_signal(number)
        process.communicate(timeout=harness.LIMIT)
        assert process.returncode == -number
        harness.nothing_left()
        assert sorted(os.listdir(place)) == files and (place / "out.html").read_text() == "old"

    file, old = written(sample.record(scenarios=["connect"])), place / "out.html"
    (place / "bin").mkdir()
    gnuplot = place / "bin/gnuplot"
    gnuplot.write_text('#!/bin/sh\nexec sleep 1000\n')
    gnuplot.chmod(0o755)
    old.write_text("old")
    env = harness.environment(PATH=f"{place}/bin:{os.environ['PATH']}")
    files = sorted(os.listdir(place))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        interrupted(number)


def test_an_interrupted_run_leaves_whole_files(daemon, place):
    run = start("run", "--no-progress", "-c", 2, "-d", "60s", "--warmup", "0s", "--json", place / "out.json", "--csv",
                place / "out.csv", daemon("event").address)
    harness.until("questions", lambda: daemon_is_busy(run.pid))
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=harness.LIMIT)
    assert run.returncode == 75
    record = json.loads((place / "out.json").read_text())
    assert record["complete"] is False and record["cells"][0]["answers"] > 0
    assert len((place / "out.csv").read_text().splitlines()) == 2


def daemon_is_busy(pid):
    """Whether the generator has worked for a while: it catches signals by then."""
    found = harness.process(pid)
    return found is not None and found.cpu > 0.1
