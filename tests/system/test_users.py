"""Whom the workers become: by name, by number, and in a namespace of users where there is nobody else."""

import pytest

from harness import APHORISMD, ROOT, Daemon, nobody, run, until
from tracing import tool

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
NOBODYS = 1 << 30, (1 << 30) + 1           # numbers without an entry
only_root = pytest.mark.skipif(not ROOT, reason="only root becomes somebody else")


def identities(d):
    """Of each worker: real, effective, saved and the file system's user and group; and its other groups."""
    assert d.ask(QUESTION) == ANSWER
    until("workers that serve, all of them", lambda: all(" answered" in p.title() for p in d.workers()))
    return [(set(map(int, p.status("Uid"))), set(map(int, p.status("Gid"))), p.status("Groups")) for p in d.workers()]


@only_root
@pytest.mark.parametrize("user, group, becomes", [
    (NOBODYS[0], None, (NOBODYS[0], NOBODYS[0])),           # never root's group
    (str(NOBODYS[0]), str(NOBODYS[1]), NOBODYS),
    (NOBODYS[0], 0, (NOBODYS[0], 0)),                       # but if it was asked for
    (str(nobody().pw_uid), None, (nobody().pw_uid, nobody().pw_gid)),
    ("nobody", NOBODYS[1], (nobody().pw_uid, NOBODYS[1])),
])
def test_numbers(daemon, user, group, becomes):
    """As in a container, whose passwd does not know who it is run by."""
    d = daemon("prefork", process__user=user, process__group=group)
    for uid, gid, groups in identities(d):
        assert (uid, gid, groups) == ({becomes[0]}, {becomes[1]}, [])


@only_root
def test_an_ordinary_user_without_an_entry(daemon):
    """Who it is already, it need not become; neither need the group be one that an entry has."""
    words = [tool("setpriv"), f"--reuid={NOBODYS[0]}", "--regid=0", "--clear-groups"]
    for user in None, str(NOBODYS[0]), NOBODYS[0]:
        d = daemon("prefork", under=words, process__user=user, control__socket="")
        assert identities(d)[0] == ({NOBODYS[0]}, {0}, [])
    words[1] = "--reuid=nobody"
    d = daemon("prefork", under=words, process__user="nobody", control__socket="")
    assert identities(d)[0] == ({nobody().pw_uid}, {0}, [])


@pytest.mark.parametrize("number", ["4294967295", "4294967296", "99999999999999999999", "-1", "0x10", "1e3"])
def test_no_numbers(place, number):
    for key in ("user", "group") if ROOT else ("user",):
        d = Daemon(place, **{f"process__{key}": number})
        result = run(APHORISMD, "-f", "-c", d.config)
        assert result.returncode == 78 and f"process.{key}: {number}: no such {key}\n" in result.stderr


def mapped(groups="--clear-groups"):
    """The words in front of a command that is to be root in a namespace where there is nobody else."""
    words = [tool("unshare"), "--map-root-user"]
    if ROOT:
        words[:0] = [tool("setpriv"), f"--reuid={NOBODYS[0]}", f"--regid={NOBODYS[0]}", groups]
    if run(*words, "true").returncode:
        pytest.skip("no namespace of users")
    return words


@pytest.mark.parametrize("groups", ["--clear-groups", f"--groups={NOBODYS[1]}"])
def test_root_that_can_be_nobody_else(daemon, groups):
    """It is whom it is to become, though the kernel lets nobody in there change groups."""
    d = daemon("prefork", under=mapped(groups), process__user="root", control__socket="")
    assert d.ask(QUESTION) == ANSWER
    d.wait_for("process.user is root: workers keep the rights of root")


@only_root
@pytest.mark.parametrize("groups, reason", [
    ("--clear-groups", "setresgid: Invalid argument: not in this user namespace"),
    (f"--groups={NOBODYS[1]}", "setgroups: Operation not permitted"),
])
def test_a_user_that_is_not_there(daemon, groups, reason):
    d = daemon("event", launch_only=True, under=mapped(groups), control__socket="", event__workers=1)
    assert d.wait() == 77
    who = f"user {nobody().pw_uid}, group {nobody().pw_gid}"
    d.wait_for(f"event 0: can't become {who}: {reason}$")
