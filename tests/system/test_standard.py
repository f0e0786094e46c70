"""What a program prints and nobody can read is a failure, with a status and the reason; what is closed stays unused."""

import errno
import os
import signal
import subprocess

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, ROOT, environment, run, talk, until

NOWHERE = {">/dev/full": errno.ENOSPC, ">&-": errno.EBADF, "<&- >/dev/full": errno.ENOSPC, "<&- >&-": errno.EBADF}
ALONE = [(program, option) for program in (APHORISM, APHORISMCTL, APHORISMD) for option in ("--help", "--version")]
COMMANDS = ["status", "workers", "metrics", "histogram", "--json status", "--json top", "--json drain 99999"]


def to(where, *command):
    """Runs it with its standard descriptors as a shell redirects them."""
    return run("sh", "-c", f'exec "$0" "$@" {where}', *command)


def without_level(text):
    """The last line; what checks a configuration says of each how bad it is."""
    return text.splitlines()[-1].removesuffix(" [error]")


def check(where, *command):
    result = to(where, *command)
    name = os.path.basename(command[0])
    assert result.returncode == 74, result
    assert without_level(result.stderr) == f"{name}: standard output: {os.strerror(NOWHERE[where])}", result
    assert result.stderr.count("standard output") == 1
    assert to(f"{where} 2>&-", *command).returncode == 74


@pytest.mark.parametrize("where", NOWHERE)
def test_programs_that_only_tell_of_themselves(where, place):
    (place / "empty.conf").write_text("")
    for command in (*ALONE, (APHORISMD, "--list-models"), (APHORISMD, "--dump", "-c", place / "empty.conf")):
        check(where, *command)


@pytest.mark.parametrize("where", NOWHERE)
def test_answers(where, daemon):
    """The client, which does not go on to the last question, and the control program."""
    d = daemon("event")
    host, port = d.address.rsplit(":", 1)
    for options in ([], ["--json"], ["-n", "1000000000"]):
        check(where, APHORISM, *options, "-p", port, host)
    for command in COMMANDS:
        check(where, APHORISMCTL, "-s", d.control, *command.split())


def test_a_reader_who_has_gone(place):
    """By SIGPIPE, quietly, or where that is ignored or somebody else prints, with the reason; never with status 0."""
    (place / "empty.conf").write_text("")
    dump = (APHORISMD, "--dump", "-c", str(place / "empty.conf"))
    for command in (*ALONE, dump):
        for ignored in (False, True):
            reads, writes = os.pipe()
            os.close(reads)
            trap = "trap '' PIPE;" if ignored else ""       # which a shell hands on
            result = subprocess.run(["sh", "-c", f'{trap} exec "$0" "$@"', *command], stdout=writes,
                                    stderr=subprocess.PIPE, text=True, env=environment(), check=False)
            os.close(writes)
            if ignored or command is dump:
                assert result.returncode == 74, result
                assert without_level(result.stderr).endswith(": standard output: Broken pipe"), result
            else:
                assert result.returncode == -signal.SIGPIPE and not result.stderr, result


def test_nothing_to_read(daemon):
    d = daemon("prefork")
    host, port = d.address.rsplit(":", 1)
    result = to("<&-", APHORISM, "-p", port, host, "-")
    assert result.returncode == 74 and "standard input: " in result.stderr and not result.stdout, result


def test_a_daemon_whose_errors_go_nowhere(place):
    """It is there to answer: no room for what it says, or nobody who reads it, are no reason to end."""
    (place / "empty.conf").write_text("")
    user = ["-o", "process.user=nobody"] if ROOT else []
    for number, where in enumerate(("2>/dev/full", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full")):
        address = f"unix:{place}/listens{number}"
        d = subprocess.Popen(["sh", "-c", f'exec "$0" "$@" {where}', APHORISMD, "-f", "-c", place / "empty.conf",
                              "-l", address, "-o", "control.socket=", *user], env=environment())
        until("its socket", lambda: os.path.exists(address[5:]))
        assert talk(address, [b"Simple is better than?"]) == b"Complex."
        os.kill(d.pid, signal.SIGHUP)
        assert talk(address, [b"Simple is better than?"]) == b"Complex."
        d.terminate()
        assert d.wait(30) == 0
