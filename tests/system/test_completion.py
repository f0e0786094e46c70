"""Completion in each shell offers what the programs know."""

import os
import re
import shutil
from pathlib import Path

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, TOP, environment, models, run

APHORISM_BENCH = os.environ.get("TEST_APHORISM_BENCH") or str(TOP / "aphorism-bench")
FOLDER = TOP / "packaging/completion"
DRIVER = '''
. "$1/aphorism.bash"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
PATH=${1%/*}:$PATH
function=$(complete -p "${1##*/}")
function=${function#*-F }
${function% *} "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\\n' "${COMPREPLY[@]}"
'''
# what it would add it writes to a file, and then says that it is done
ZSH = r'''
zmodload zsh/zpty
cat >$1/setup <<SETUP
PS1= fpath=(${(q)1} \$fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
	local -a hits
	if [[ " \${@[1,(i)(-|--)]} " != *" -"[a-zA-Z]#[OAD]" "* ]]; then
		builtin compadd -O hits "\$@"
		print -rl -- \$hits >>${(q)1}/offered
	fi
	builtin compadd "\$@"
}
finish() { print @END@ }
zle -N finish
bindkey '^I' complete-word '^F' finish
SETUP
: >$1/offered
zpty shell zsh -f -i
zpty -w shell "setopt extended_glob; . ${(q)1}/setup; print @BE''GUN@"
zpty -r shell said '*@BEGUN@*'
zpty -w -n shell "$2"$'\t\x06'
zpty -r shell said '*@END@*'
zpty -d shell
cat $1/offered
'''


def offered(program, *words, **more):
    result = run("bash", "-c", DRIVER, "bash", FOLDER, program, *words, **more)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return set(result.stdout.split())


def offered_by(shell, place, program, *words):
    """The same in any shell, with the programs of this build in front."""
    if shell == "bash":
        return offered(program, *words)
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    name, line = Path(program).name, " ".join([Path(program).name, *words])
    path = os.pathsep.join([*(str(Path(each).parent) for each in (APHORISM, APHORISMCTL, APHORISMD, APHORISM_BENCH)),
                            os.environ["PATH"]])
    env = environment(PATH=path, HOME=str(place))
    if shell == "zsh":
        shutil.copy(FOLDER / "aphorism.zsh", place / "_aphorism")
        result = run("zsh", "-f", "-c", ZSH, "zsh", place, line, env=env)
    else:
        shutil.copy(FOLDER / "aphorism.fish", place / f"{name}.fish")
        result = run("fish", "--no-config", "-c", "set fish_complete_path $argv[1]; complete -C $argv[2]", place, line,
                     env=env)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return {line.split("\t")[0] for line in result.stdout.splitlines() if line}


def long_options(program, *command):
    """The long options in a --help."""
    return set(re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", run(program, *command, "--help").stdout, re.MULTILINE))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program, command", [(APHORISMD, []), (APHORISM, []), (APHORISMCTL, []),
                                              (APHORISMCTL, ["stop"]), (APHORISMCTL, ["ping"]), (APHORISM_BENCH, []),
                                              (APHORISM_BENCH, ["run"]), (APHORISM_BENCH, ["compare"])])
def test_every_long_option_is_offered(shell, program, command, place):
    options = long_options(program, *command)
    assert "--help" in options
    assert {word for word in offered_by(shell, place, program, *command, "--") if word[:2] == "--"} == options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program, words, choices", [
    (APHORISMCTL, ["sto"], {"stop"}), (APHORISMCTL, ["help", "sto"], {"stop"}),
    (APHORISMCTL, ["log", ""], {"error", "warning", "notice", "info", "debug"}),
    (APHORISMD, ["-o", "timeouts.q"], {"timeouts.question="}), (APHORISMD, ["-m", "thr"], {"thread", "threadpool"}),
    (APHORISM_BENCH, ["explain", "thr"], {"thread", "threadpool"}),
    (APHORISM_BENCH, ["run", "--arrivals", ""], {"uniform", "poisson"}),
])
def test_choices(shell, program, words, choices, place):
    assert offered_by(shell, place, program, *words) == choices


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
    assert {"status", "reload", "help"} < commands == offered(APHORISMCTL, "") == offered(APHORISMCTL, "help", "")
    assert "--now" in offered(APHORISMCTL, "stop", "") - offered(APHORISMCTL, "ping", "")
    assert offered(APHORISM, "--port", "=") == set()
    assert {"run", "compare", "report", "explain"} < offered(APHORISM_BENCH, "")


def test_options_and_scenarios_of_the_benchmark():
    assert "--rounds" in offered(APHORISM_BENCH, "compare", "--")
    assert "--rate" not in offered(APHORISM_BENCH, "compare", "--") and "--rate" in offered(APHORISM_BENCH, "run", "--")
    listed = run(APHORISM_BENCH, "compare", "--list-scenarios").stdout.splitlines()
    assert offered(APHORISM_BENCH, "compare", "--scenarios", "") == {line.split()[0] for line in listed}
