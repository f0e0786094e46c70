"""Completion in bash offers what the programs know."""

import os
import re

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, TOP, models, run

APHORISM_BENCH = os.environ.get("TEST_APHORISM_BENCH") or str(TOP / "aphorism-bench")
FOLDER = TOP / "packaging/completion"
DRIVER = '''
. "$1/${2##*/}"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
PATH=${1%/*}:$PATH
function=$(complete -p "${1##*/}")
function=${function#*-F }
${function% *} "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\\n' "${COMPREPLY[@]}"
'''


def offered(program, *words, **more):
    result = run("bash", "-c", DRIVER, "bash", FOLDER, program, *words, **more)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("program", [APHORISMD, APHORISMCTL, APHORISM])
def test_every_long_option_is_offered(program):
    options = {word for word in re.findall(r"^ +(?:-\w, +)?(--[a-z-]+)", run(program, "--help").stdout, re.MULTILINE)}
    assert len(options) > 3
    assert options <= offered(program, "--")


def test_options_of_the_client():
    assert {"-i", "--interactive", "--json"} <= offered(APHORISM, "-")
    assert offered(APHORISM, "--j") == {"--json"}


def test_models():
    assert offered(APHORISMD, "-m", "") == offered(APHORISMD, "-o", "model", "=") == set(models())
    assert offered(APHORISMD, "--model", "thr") == offered(APHORISMD, "-o", "model", "=", "thr")
    assert offered(APHORISMD, "--model", "thr") == offered(APHORISMD, "--model", "=", "thr") == {"thread", "threadpool"}
    assert offered(APHORISMD, "--model", "=") == offered(APHORISMD, "--set", "=", "model", "=", "") == set(models())
    assert offered(APHORISM_BENCH, "explain", "") == set(models())
    assert offered(APHORISM_BENCH, "compare", "--models", "fork,ev") == {"fork,event"}
    assert offered(APHORISM_BENCH, "compare", "--models", "=") == set(models())


def test_every_key_is_offered():
    lines = run(APHORISMD, "--dump").stdout.splitlines()
    names = [re.match(r"\s*(\w+) = (?!{)", line).group(1) for line in lines if re.match(r"\s*\w+ = (?!{)", line)]
    keys = offered(APHORISMD, "-o", "")
    assert sorted(names) == sorted(key.rstrip("=").split(".")[-1] for key in keys)
    assert offered(APHORISMD, "-o", "timeouts.q") == {"timeouts.question="}


def test_files(place):
    (place / "some.conf").touch()
    assert offered(APHORISMD, "--config", f"{place}/so") == {f"{place}/some.conf"}
    assert offered(APHORISMD, "-o", "aphorisms", "=", f"{place}/so") == {f"{place}/some.conf"}
    assert offered(APHORISMD, "--config", "=", f"{place}/so") == {f"{place}/some.conf"}
    assert offered(APHORISMCTL, "-s", f"{place}/so") == {f"{place}/some.conf"}
    assert offered(APHORISMCTL, "--socket", "=", f"{place}/so") == {f"{place}/some.conf"}
    assert offered(APHORISM_BENCH, "compare", "--json", "=", f"{place}/so") == {f"{place}/some.conf"}


def test_commands():
    commands = set(re.findall(r"^  ([a-z]+) ", run(APHORISMCTL, "--help").stdout, re.MULTILINE))
    assert {"status", "reload"} < commands == offered(APHORISMCTL, "") == offered(APHORISMCTL, "help", "")
    assert offered(APHORISMCTL, "stop", "") == {"--now"}
    assert offered(APHORISMCTL, "log", "") == {"error", "warning", "notice", "info", "debug"}
    assert offered(APHORISM, "--port", "=") == set()
    assert {"run", "compare", "report", "explain"} < offered(APHORISM_BENCH, "")


def test_options_and_scenarios_of_the_benchmark():
    assert "--rounds" in offered(APHORISM_BENCH, "compare", "--")
    assert "--rate" not in offered(APHORISM_BENCH, "compare", "--") and "--rate" in offered(APHORISM_BENCH, "run", "--")
    listed = run(APHORISM_BENCH, "compare", "--list-scenarios").stdout.splitlines()
    assert offered(APHORISM_BENCH, "compare", "--scenarios", "") == {line.split()[0] for line in listed}
