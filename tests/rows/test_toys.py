"""What a user meets of the rows that tests/check-rows has added: of all this nothing but the rows knows."""

import json

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, ETC, engines, environment, models, run, talk
from test_completion import APHORISM_BENCH, offered

QUESTION, ANSWER = b"Simple is better than?", b"Complex."


def dumped(*settings, status=0, **variables):
    words = [word for setting in settings for word in ("-o", setting)]
    result = run(APHORISMD, "--dump", "-c", ETC / "aphorismd.conf", *words, env=environment(**variables))
    assert result.returncode == status, result
    return result.stdout or result.stderr


def test_the_model(daemon):
    assert "toy" in models() and "toy" in offered(APHORISMD, "-m", "t")
    assert 'model = "toy";  # option' in dumped("model=toy")
    d = daemon("toy", toy__threads=2, max_connections=100)
    assert talk(d.address, [QUESTION]) == ANSWER
    assert "\nmodel toy\n" in d.ctl("status").stdout
    assert "toy serves 2 at once, not 100" in d.ctl("doctor").stdout


def test_the_engine(daemon):
    assert "toy" in engines()
    d = daemon("event", event__engine="toy")
    assert talk(d.address, [QUESTION]) == ANSWER


def test_the_protocol(daemon, place):
    listen = {"address": f"unix:{place}/s", "protocol": "toy"}
    d = daemon(listen=(listen,))
    assert talk(d.address, [b"no question"]) == b"no question"
    assert 'protocol = "toy"; }' in dumped('listen={ address = "*:1"; protocol = "toy"; }')
    assert 'did you mean "toy"?' in dumped('listen={ address = "*:1"; protocol = "tory"; }', status=78)


@pytest.mark.parametrize("key, good, bad", [("toys", "7", "70000"), ("toy.threads", "8", "0"),
                                            ("threadpool.toy", "9", "x")])
def test_a_key(daemon, key, good, bad):
    name = key.split(".")[-1]
    assert f"{name} = {good};  # option" in dumped(f"{key}={good}")
    assert f"{key}: " in dumped(f"{key}={bad}", status=78)
    assert f"{key}=" in offered(APHORISMD, "-o", key)
    variable = "APHORISMD_" + key.upper().replace(".", "_")
    assert f"{name} = {good};  # environment {variable}" in dumped(**{variable: good})
    assert f"changed {key}: " in daemon().reload(**{key.replace(".", "__"): int(good)}).stdout


def test_the_key_of_a_listener(daemon, place):
    listen = {"address": f"unix:{place}/s", "toy": True}
    assert "toy = true; }" in dumped('listen={ address = "unix:/s"; toy = true; }')
    assert "toy must be true or false" in dumped('listen={ address = "unix:/s"; toy = 7; }', status=78)
    d = daemon(listen=(listen,))
    assert talk(d.address, [QUESTION]) == ANSWER
    assert "toy = true; }" in d.reload(listen=({**listen, "toy": False},)).stdout


def test_the_figure(daemon):
    d = daemon()
    assert "\ntoy 0\n" in d.ctl("status").stdout and "\ntoy 0\n" in d.ctl("stats").stdout
    assert "\naphorismd_toy_total 0\n" in d.ctl("metrics").stdout


def test_the_command(daemon):
    d = daemon()
    assert d.ctl("toy").stdout == "toyed\n"
    assert json.loads(d.ctl("--json", "toy").stdout)["toyed"] is True
    assert "\n  toy " in run(APHORISMCTL, "help").stdout and "toy" in offered(APHORISMCTL, "t")
    assert "did you mean toy?" in d.ctl("toyy").stderr


@pytest.mark.parametrize("program", [APHORISMD, APHORISMCTL, APHORISM, APHORISM_BENCH])
def test_an_option(program):
    command = ["compare"] if program == APHORISM_BENCH else []
    assert " --toy " in run(program, *command, "--help").stdout
    assert "--toy" in offered(program, *command, "--t")
    assert "did you mean --toy?" in run(program, *command, "--toyy").stderr


def test_what_an_option_does(daemon):
    assert run(APHORISMD, "--toy").stdout == run(APHORISMD, "--list-models").stdout
    assert json.loads(daemon().ctl("ping", "--toy").stdout)
