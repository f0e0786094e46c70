"""Whom the file of a UNIX listener belongs to, under every way of starting; and nothing is done to a path for it."""

import grp
import os
import pwd
import re
import socket
import stat

import pytest

import harness
from fixtures import TRACED
from harness import APHORISMD, ROOT, Daemon, nobody, process, run, talk, until
from test_upgrade import Program
from tracing import tool, under_strace, without_sanitizers

as_root = pytest.mark.skipif(not ROOT, reason="only root can give a file to somebody else")
QUESTION, ANSWER = b"Simple is better than?", b"Complex."
DAEMON = pwd.getpwnam("daemon").pw_uid, grp.getgrnam("daemon").gr_gid
OTHER = 4242                          # who has no name
ME = os.geteuid(), os.getegid()


def is_nobody():
    return nobody().pw_uid, nobody().pw_gid


def owner(path):
    st = os.lstat(path)
    return st.st_uid, st.st_gid


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def at(path, **more):
    """An entry of the list."""
    return {"address": f"unix:{path}", **more}


def serves(*paths):
    return all(talk(f"unix:{path}", [QUESTION]) == ANSWER for path in paths)


def left(place):
    return [path for path in place.rglob("*") if path.is_socket()]


FOLDERS = {                           # whose it is, and its mode; "other" is neither root nor whom the workers become
    "root's alone": ((0, 0), 0o755),
    "root's and closed": ((0, 0), 0o700),
    "theirs": (is_nobody(), 0o755),
    "theirs and closed": (is_nobody(), 0o700),
    "their group's": ((OTHER, is_nobody()[1]), 0o775),
    "another one's": ((OTHER, OTHER), 0o755),
    "everybody's": ((0, 0), 0o1777),
    "everybody's and another one's": ((OTHER, OTHER), 0o1777),
}


def made(folder, name):
    who, bits = FOLDERS[name]
    folder.mkdir()
    os.chown(folder, *who)
    folder.chmod(bits)
    return folder


@as_root
@pytest.mark.parametrize("name", FOLDERS)
def test_by_root(daemon, place, name):
    """The workers' user and group, at the start, at a reload without most of root's rights, and gone at the end."""
    folder = made(place / "folder", name)
    d = daemon("event", listen=(f"unix:{folder}/a", at(folder / "b", mode="0600")))
    assert owner(folder / "a") == owner(folder / "b") == is_nobody() and serves(folder / "a", folder / "b")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "c"))
        os.chown(folder / "c", *is_nobody())
        os.chmod(folder / "c", 0o600)
    d.reloaded(listen=(f"unix:{folder}/a", at(folder / "b", mode="0660"), at(folder / "c", mode="0640")))
    assert [(owner(folder / name), mode(folder / name)) for name in "abc"] == [
        (is_nobody(), 0o666), (is_nobody(), 0o660), (is_nobody(), 0o640)]
    assert serves(folder / "a", folder / "b", folder / "c") and d.ctl("doctor").returncode == 0
    assert not d.matches("can't")
    d.stop()
    assert not left(folder)


@as_root
def test_behind_a_folder_that_is_closed_to_its_owner(daemon, place):
    (place / "closed").mkdir(mode=0o700)
    folder = made(place / "closed" / "folder", "theirs")
    d = daemon("event", listen=(f"unix:{folder}/a",))
    d.reloaded(listen=(f"unix:{folder}/a", f"unix:{folder}/b"))
    d.upgraded()
    assert owner(folder / "a") == owner(folder / "b") == is_nobody() and serves(folder / "a", folder / "b")
    d.stop()
    assert not left(folder)


@as_root
@pytest.mark.parametrize("name, user", [("theirs", None), ("another one's", None), ("another one's", OTHER)])
def test_a_third_ones_socket_at_its_name(daemon, place, name, user):
    """Put there by the folder's owner before we could look: it is neither given away nor changed nor removed."""
    folder = made(place / "folder", name)
    with socket.socket(socket.AF_UNIX) as third:
        third.bind(str(folder / "third"))
        os.chmod(folder / "third", 0o600)
        slowly = under_strace("/dev/null", "-e", "trace=bind", "-e", "inject=bind:delay_exit=500000")
        d = daemon("event", under=slowly, env=TRACED, launch_only=True,
                   listen=(at(folder / "s", **({"user": user} if user else {})),))
        until("the socket", (folder / "s").exists)
        inode = os.lstat(folder / "third").st_ino
        os.rename(folder / "third", folder / "s")
        assert d.wait() == 77 and d.matches(f"can't listen on unix:{folder}/s: Operation not permitted")
        assert (os.lstat(folder / "s").st_ino, owner(folder / "s"), mode(folder / "s")) == (inode, (0, 0), 0o600)


@as_root
@pytest.mark.parametrize("user, group, who", [("", "", ME), ("", "daemon", (0, DAEMON[1])),
                                              ("nobody", "daemon", (is_nobody()[0], DAEMON[1])),
                                              ("daemon", "", DAEMON)])
def test_by_root_as(daemon, place, user, group, who):
    d = daemon("event", process__user=user, process__group=group, listen=(f"unix:{place}/s",))
    assert owner(place / "s") == who and mode(place / "s") == 0o666
    assert owner(d.control) == (0, who[1]) and mode(d.control) == 0o660


@pytest.mark.parametrize("start", ["launched", "upgraded"])
def test_by_an_ordinary_user(daemon, place, start):
    place.chmod(0o777)
    who = is_nobody() if ROOT else ME
    d = daemon("event", as_nobody=True, listen=(f"unix:{place}/s", at(place / "t", user=who[0], group=str(who[1]))))
    if start == "upgraded":
        d.upgraded()
    assert owner(place / "s") == owner(place / "t") == owner(d.control) == who
    assert serves(place / "s", place / "t") and not d.matches("can't")
    d.stop()
    assert not left(place)


@as_root
@pytest.mark.parametrize("as_nobody", [False, True])
def test_a_folder_that_gives_its_group(daemon, place, as_nobody):
    """Where no other one is named: the way for who may give nothing away.  It stays so."""
    place.chmod(0o777)
    folder = place / "folder"
    folder.mkdir()
    os.chown(folder, is_nobody()[0], OTHER)
    folder.chmod(0o2755)
    d = daemon("event", as_nobody=as_nobody, listen=(f"unix:{folder}/s",))
    for again in (None, d.reloaded, d.upgraded):
        if again:
            again()
        assert owner(folder / "s") == (is_nobody()[0], OTHER)
    if not as_nobody:
        d.reloaded(listen=(at(folder / "s"), at(folder / "t", group="daemon")))
        assert owner(folder / "t") == (is_nobody()[0], DAEMON[1])
        d.reloaded(listen=(at(folder / "s", group="daemon"), at(folder / "t")))
        assert owner(folder / "s") == (is_nobody()[0], DAEMON[1])
        assert owner(folder / "t") == (is_nobody()[0], OTHER)
    assert not d.matches("can't")


@as_root
@pytest.mark.parametrize("name", ["root's alone", "theirs", "everybody's"])
def test_who_is_named(daemon, place, name):
    """By names and by numbers; a reload changes it, and an upgrade keeps it, of the same file."""
    folder = made(place / "folder", name)
    d = daemon("event", listen=(at(folder / "a", user="daemon", mode="0640"), at(folder / "b", group=OTHER),
                                at(folder / "c", user=str(OTHER), group="daemon")))
    paths, them = [folder / "a", folder / "b", folder / "c"], is_nobody()
    before = [os.lstat(path).st_ino for path in paths]
    assert [owner(path) for path in paths] == [(DAEMON[0], them[1]), (them[0], OTHER), (OTHER, DAEMON[1])]
    assert mode(paths[0]) == 0o640
    d.reloaded(listen=(at(paths[0], group="daemon", mode="0604"), at(paths[1], user=OTHER), at(paths[2])))
    now = [(them[0], DAEMON[1]), (OTHER, them[1]), them]
    for again in (None, d.upgraded, d.reloaded):
        if again:
            again()
        assert [owner(path) for path in paths] == now
        assert [mode(path) for path in paths] == [0o604, 0o666, 0o666]
    d.write(listen=(at(paths[0], user="daemon", group=OTHER), *map(at, paths[1:])))
    d.upgraded()
    assert [owner(path) for path in paths] == [(DAEMON[0], OTHER), them, them]
    assert [os.lstat(path).st_ino for path in paths] == before and serves(*paths)
    assert not d.matches("can't")
    d.stop()
    assert not left(folder)


@as_root
def test_after_an_upgrade_that_failed(daemon, place):
    """It had come so far as to give the file away."""
    program = Program(place / "aphorismd")
    d = daemon("event", program=program.path, listen=(f"unix:{place}/s",))
    program.become(f'exec setpriv --securebits=+no_setuid_fixup {APHORISMD} "$@"\n')
    d.write(listen=(at(place / "s", group="daemon", mode="0600"),))
    result = d.upgrade()
    assert result.returncode == 77 and "workers can't start" in result.stderr
    until("the old state", lambda: (owner(place / "s"), mode(place / "s")) == (is_nobody(), 0o666))
    assert serves(place / "s")


def test_names_that_nobody_has(place):
    """Each in its line."""
    d = Daemon(place)
    d.config.write_text(f'listen = ( {{ address = "unix:{place}/s";\n  user = "no such";\n  group = "none"; }},\n'
                        '  { address = "127.0.0.1:0"; user = "root"; } );\n')
    result = run(APHORISMD, "-t", "-c", d.config)
    assert result.returncode == 78
    for line, said in ((2, 'user "no such": no such user in /etc/passwd; a number is taken as it is'),
                       (3, 'group "none": no such group in /etc/group; a number is taken as it is'),
                       (4, "user is for UNIX sockets, and 127.0.0.1:0 is none")):
        assert f"{d.config}:{line}: listen: {said} [error]\n" in result.stderr


def test_what_is_in_force_is_printed(place):
    d = Daemon(place, listen=(at("/run/s", user="root", group=5, mode="0660"), at("/run/t", group="daemon")))
    result = run(APHORISMD, "--dump", "-c", d.config)
    assert ('listen = ( { address = "unix:/run/s"; protocol = "aphorism"; '
            'mode = "0660"; user = "root"; group = "5"; }, '
            '{ address = "unix:/run/t"; protocol = "aphorism"; group = "daemon"; } );') in result.stdout


REFUSED = [({"user": "root"}, "user: only root can give a socket to another user"),
           ({"group": OTHER}, "group: only root can give a socket to a group that the daemon is no member of")]


@pytest.mark.parametrize("named, why", REFUSED)
def test_what_an_ordinary_user_cant_give(daemon, place, named, why):
    """It does not start, and binds nothing before it says so; a reload leaves everything as it was."""
    place.chmod(0o777)
    listen = (f"unix:{place}/r", at(place / "s", **named))
    d = Daemon(place, as_nobody=True, listen=listen)
    result = run(APHORISMD, "-f", "-c", d.config, as_nobody=True)
    harness.nothing_left()
    assert result.returncode == 77 and f"can't listen on unix:{place}/s: {why}\n" in result.stderr
    assert "listening" not in result.stderr and left(place) in ([], [d.control])
    d = daemon("event", as_nobody=True, listen=(f"unix:{place}/s",))
    before = os.lstat(place / "s")
    result = d.reload(listen=listen)
    assert result.returncode == 77 and why in result.stderr
    assert os.lstat(place / "s") == before and serves(place / "s") and not (place / "r").exists()


@as_root
def test_a_group_of_an_ordinary_users(daemon, place):
    """He may give his files to each group that he is a member of."""
    place.chmod(0o777)
    d = daemon("event", process__user=None, listen=(at(place / "s", group="daemon", mode="0660"),),
               under=(tool("setpriv"), "--reuid=nobody", "--regid=nogroup", f"--groups={is_nobody()[1]},{DAEMON[1]}"))
    assert owner(place / "s") == (is_nobody()[0], DAEMON[1]) and mode(place / "s") == 0o660
    d.reloaded(listen=(f"unix:{place}/s", at(place / "t", group="daemon")))
    assert owner(place / "s") == is_nobody() and owner(place / "t") == (is_nobody()[0], DAEMON[1])
    d.upgraded()
    assert owner(place / "s") == is_nobody() and owner(place / "t") == (is_nobody()[0], DAEMON[1])


def without(*capabilities):
    """Root, but for some of its rights."""
    return tool("setpriv"), "--bounding-set=" + ",".join(f"-{name}" for name in capabilities)


@as_root
def test_root_that_may_give_nothing(daemon, place):
    """Where it can be done otherwise it is; else an error if it was asked for, a warning if not."""
    folder, under = made(place / "folder", "theirs"), without("chown", "dac_override", "fowner")
    d = daemon("event", under=under, listen=(f"unix:{folder}/a", at(folder / "b", user="daemon", group="daemon")),
               launch_only=True)
    assert d.wait() == 77 and d.wait_for(f"can't listen on unix:{folder}/b: Operation not permitted")
    assert not left(folder)
    d = daemon("event", under=under, listen=(f"unix:{folder}/a", f"unix:{place}/s", at(folder / "b", group="daemon"),
                                             at(place / "g", group="daemon")))
    assert owner(folder / "a") == is_nobody() and owner(folder / "b") == (is_nobody()[0], DAEMON[1])
    assert owner(place / "g") == (0, DAEMON[1]) and d.matches(f"can't give unix:{place}/g to the daemon's user")
    assert d.matches(f"can't give unix:{place}/s to the daemon's user and group: Operation not permitted")
    assert owner(place / "s") == (0, is_nobody()[1]) and serves(folder / "a", folder / "b", place / "s")
    assert d.reload(listen=(f"unix:{folder}/a", at(place / "t", user="nobody"))).returncode == 77
    assert not (place / "t").exists() and owner(folder / "a") == is_nobody()
    d.stop()
    assert not left(folder)


def test_root_of_a_user_namespace(place):
    """Whom that doesn't know he can't give anything to; to wait would not help."""
    under = (tool("unshare"), "--user", "--map-root-user")
    if run(*under, "true").returncode != 0:
        pytest.skip("no user namespaces")
    d = Daemon(place, process__user="", process__group="", listen=(at(place / "s", group=OTHER),))
    result = run(*under, APHORISMD, "-f", "-c", d.config)
    assert result.returncode == 77 and f"can't listen on unix:{place}/s: Operation not permitted\n" in result.stderr
    assert left(place) in ([], [d.control])


@as_root
def test_a_socket_that_is_borrowed(daemon, place):
    """Its file is none of ours."""
    with socket.socket(socket.AF_UNIX) as borrowed:
        borrowed.bind(str(place / "s"))
        borrowed.listen()
        os.chown(place / "s", OTHER, OTHER)
        before = os.lstat(place / "s")
        d = daemon("event", sockets=[borrowed], listen=(at(place / "s", user="daemon", mode="0600"),))
        d.reloaded()
        assert os.lstat(place / "s") == before and serves(place / "s")


CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += \d+")          # as strace shows it: process, call, arguments
FCHMODAT2 = "syscall_0x1c4"           # which it may not know by name


@as_root
@pytest.mark.parametrize("name", ["theirs", "root's alone"])
def test_nothing_is_done_to_a_path(daemon, place, name):
    """It is bound as whom it is to belong to; what is changed afterwards is so by a descriptor, before listen(2)."""
    without_sanitizers("its calls are others")
    folder, log = made(place / "folder", name), place / "calls"
    d = daemon("iterative", listen=(at(folder / "s", mode="0600"),), under=under_strace(log), env=TRACED)
    d.reloaded(listen=(at(folder / "s", mode="0660", group="daemon"),))
    assert (owner(folder / "s"), mode(folder / "s")) == ((is_nobody()[0], DAEMON[1]), 0o660)
    d.stop()
    found = [match.groups() for match in map(CALL.match, log.read_text().splitlines()) if match]
    calls = [(call, said) for pid, call, said in found if int(pid) == d.pid]
    names = [call for call, _ in calls]
    assert not {"chmod", "fchmodat", "chown", "lchown"} & set(names)
    assert {said.split(", ")[1] for call, said in calls if call in ("fchownat", "fchmodat2")} == {'""'}
    assert "fchmodat2" in names or FCHMODAT2 in names
    bound = next(n for n, (call, said) in enumerate(calls) if call == "bind" and f"{folder}/s" in said)
    before = [call for call in calls[:bound] if call[0] in ("setfsuid", "setfsgid", "umask")]
    users = [said for call, said in before if call == "setfsuid" and said.isdigit()]
    assert before[-1] == ("umask", "0177") and users[-1] == (str(is_nobody()[0]) if name == "theirs" else "0")
    listens = names.index("listen", bound)
    assert ("fchownat" in names[bound:listens]) == (name == "root's alone")


@as_root
def test_the_supervisor_stays_as_it_was(daemon, place):
    """Who is somebody else for a moment must not come back with rights that it had given up, or without being root."""
    d = daemon("event", listen=(f"unix:{place}/s",))
    kinds = ("Uid", "Gid", "CapPrm", "CapEff", "CapInh", "CapAmb")
    until("few capabilities", lambda: bin(int(process(d.pid).status("CapEff")[0], 16)).count("1") == 4)
    status = {kind: process(d.pid).status(kind) for kind in kinds}
    folder = made(place / "folder", "theirs")
    d.reloaded(listen=(f"unix:{folder}/s", at(place / "s", group="daemon", user="daemon", mode="0640")))
    assert {kind: process(d.pid).status(kind) for kind in kinds} == status
    assert status["Uid"] == status["Gid"] == ["0"] * 4
    assert os.stat(f"/proc/{d.pid}/fd").st_uid == 0
