"""How the programs are used: what they say of it, and of a wrong command line."""

import os
import re

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, TOP, run

APHORISM_BENCH = os.environ.get("TEST_APHORISM_BENCH") or str(TOP / "aphorism-bench")
PROGRAMS = [APHORISM, APHORISM_BENCH, APHORISMCTL, APHORISMD]


def helps(program):
    """--help of the program and of each command."""
    text = run(program, "--help").stdout
    names = re.findall(r"^  ([a-z]+)", text.partition("\nCommands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert bool(names) == (program in (APHORISM_BENCH, APHORISMCTL))
    return {"": text, **{name: run(program, name, "--help").stdout for name in names}}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_fits_a_terminal(program):
    for command, text in helps(program).items():
        assert text.startswith("usage: "), command
        for line in text.splitlines():
            assert line == line.rstrip()
            assert len(line) <= 80 or " " not in line.strip()          # a path alone may be longer
        assert "\n  -h, --help              print this text\n" in text


@pytest.mark.parametrize("program", [APHORISM_BENCH, APHORISMCTL])
def test_each_command_has_its_own_help(program):
    texts = helps(program)
    assert run(program, "help").stdout == run(program, "-h").stdout == texts[""] == texts["help"]
    for command, text in texts.items():
        result = run(program, "help", *command.split())
        assert (result.returncode, result.stdout, result.stderr) == (0, text, "")
        if command not in ("", "help"):
            assert text.startswith(f"usage: {os.path.basename(program)} {command} [OPTION...]")


def test_help_where_there_are_no_operands():
    result = run(APHORISMD, "help")
    assert (result.returncode, result.stdout, result.stderr) == (0, run(APHORISMD, "--help").stdout, "")


@pytest.mark.parametrize("words", [["--now", "stop"], ["stop", "--now"], ["--no", "stop"]])
def test_options_stand_anywhere(words, daemon):
    d = daemon()
    result = d.ctl(*words)
    assert (result.returncode, result.stdout) == (0, "stopping\nstopped\n")


@pytest.mark.parametrize("program, words, reason", [
    (APHORISM, ["--prot", "3"], "unknown option --prot, did you mean --port?"),
    (APHORISM, ["-p"], "--port needs a value: PORT"),
    (APHORISM, ["-p", "70000"], "--port 70000: not a number from 1 to 65535"),
    (APHORISM, ["--json=3"], "--json takes no value"),
    (APHORISMCTL, [], "no command, see aphorismctl --help"),
    (APHORISMCTL, ["stauts"], "unknown command stauts, did you mean status?"),
    (APHORISMCTL, ["help", "stauts"], "unknown command stauts, did you mean status?"),
    (APHORISMCTL, ["ping", "--now"], "--now is no option of ping, but of stop"),
    (APHORISMCTL, ["--now", "ping"], "--now is no option of ping, but of stop"),
    (APHORISMCTL, ["stauts", "--help"], "unknown command stauts, did you mean status?"),
    (APHORISMCTL, ["help", "--stauts"], "unknown option --stauts, see aphorismctl --help"),
    (APHORISMCTL, ["log", "debgu"], "LEVEL debgu: did you mean debug?"),
    (APHORISMCTL, ["log", "loud"], "LEVEL loud: none of error|warning|notice|info|debug"),
    (APHORISM_BENCH, ["run", "--arrivals", "unifrom"], "--arrivals unifrom: did you mean uniform?"),
    (APHORISMCTL, ["drain"], "WORKER: not given"),
    (APHORISMCTL, ["ping", "pong"], "pong: one operand too many"),
    (APHORISMCTL, ["-w", "0", "ping"], "--timeout 0: no time at all"),
    (APHORISMD, ["--modle", "fork"], "unknown option --modle, did you mean --model?"),
    (APHORISMD, ["-o", "backlog"], "--set backlog: not KEY=VALUE"),
    (APHORISMD, ["-tz"], "unknown option -z, see aphorismd --help"),
    (APHORISMD, ["--lis", "*:0"], "option --lis may be --listen or --list-models"),
    (APHORISMD, ["fork"], "fork: one operand too many"),
])
def test_a_wrong_command_line(program, words, reason):
    result = run(program, *words)
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == f"{os.path.basename(program)}: {reason}\n"
