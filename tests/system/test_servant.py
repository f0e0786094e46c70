"""aphorismd --test asks as whom the daemon will serve: what it meets then is told before, with its level and a verdict.

Where a unit of systemd is installed that is the unit's user.  Here one is put in place within a namespace of mounts.
"""

import os
import pwd
import re
import shutil
from pathlib import Path

import pytest

from harness import APHORISMD, ROOT, Daemon, run
from tracing import tool

root_only = pytest.mark.skipif(not ROOT, reason="only root becomes another user")
UNIT = """[Unit]
Description=User=root
[Service]
ExecStart=/usr/sbin/aphorismd -f -c /mnt/aphorismd.conf
User=nobody
RuntimeDirectory=aphorismd
"""
HIDES = "ProtectHome=yes\nPrivateTmp=yes\n"

# what lies in the test's folders is put in place, and enabled is what is linked
WORLD = """set -e
mount -t tmpfs none /run
mount -t tmpfs none /home
mount -t tmpfs none /mnt
mount -t tmpfs none /etc/systemd/system
mkdir -p /run/systemd/system /etc/systemd/system/multi-user.target.wants
cp -a "$1/unit/." /etc/systemd/system
cp -a "$1/mnt/." /mnt
cp -a "$1/home/." /home
cp -a "$1/run/." /run
test -e "$1/disabled" || ln -s ../aphorismd.service /etc/systemd/system/multi-user.target.wants
shift
exec "$@"
"""
CONFIG = 'aphorisms = "zen.aphorisms";\nlisten = ("127.0.0.1:0");\ncontrol = { socket = ""; };\n'
TABLE = "a? b.\n"


class World:
    """A machine with a unit, as far as --test looks at it."""

    def __init__(self, place):
        self.place, self.config = place, "/mnt/aphorismd.conf"
        for name in ("unit/aphorismd.service.d", "mnt", "home", "run"):
            (place / name).mkdir(parents=True)
        place.chmod(0o755)
        self.unit(HIDES)
        self.write("mnt/aphorismd.conf", CONFIG)
        self.write("mnt/zen.aphorisms", TABLE)

    def unit(self, more):
        self.write("unit/aphorismd.service", UNIT + more)

    def write(self, name, text, mode=0o644):
        (self.place / name).write_text(text)
        (self.place / name).chmod(mode)

    def tried(self, *options, status=0, config="/mnt/aphorismd.conf", by=()):
        result = run(tool("unshare"), "--mount", "--propagation=private", "sh", "-c", WORLD, "sh", self.place,
                     *by, APHORISMD, "-t", "-c", config, *options)
        assert result.returncode == status, result
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert lines[-1].startswith(f"aphorismd: {config}: ")
        return lines


@pytest.fixture
def world(place):
    if not Path("/etc/systemd/system").is_dir() or run(tool("unshare"), "--mount", "mount", "-t", "tmpfs", "none",
                                                       "/mnt").returncode:
        pytest.skip("no namespaces of mounts, or no folder for units")
    return World(place)


def test_each_line_has_its_level_and_the_last_is_a_verdict(place):
    d = Daemon(place)
    good = d.config.read_text()
    d.config.write_text(good + 'backlog = "many";\nmax_conections = 3;\n')
    first = good.count("\n") + 1
    result = run(APHORISMD, "-t", "-c", d.config, env={**os.environ, "APHORISMD_UNHEARD_OF": "1"})
    lines = result.stderr.splitlines()
    assert result.returncode == 78
    for line, key in ((first, "backlog"), (first + 1, "max_conections")):
        assert any(re.fullmatch(rf"{re.escape(str(d.config))}:{line}: {key}: .* \[error\]", said) for said in lines)
    assert any(re.fullmatch(r".*APHORISMD_UNHEARD_OF.* \[note\]", said) for said in lines)
    assert lines[-1] == f"aphorismd: {d.config}: 2 errors, 1 note: a start or a reload would fail"
    d.config.write_text(good + "backlog = 65535;\n")
    result = run(APHORISMD, "-t", "-c", d.config)
    lines = result.stderr.splitlines()
    assert result.returncode == 0 and all(re.search(r" \[(warning|note)\]$", said) for said in lines[:-1])
    assert lines[-1].startswith(f"aphorismd: {d.config}: ") and lines[-1].endswith(": good")


@pytest.mark.parametrize("as_nobody", [False, True])
@pytest.mark.parametrize("key, about, level", [("process.pidfile", "process.pidfile", None),
                                               ("metrics.file", "metrics.file", "warning"),
                                               ("control.socket", "control.socket", None), ("listen", "listen", None)])
def test_a_folder_that_is_not_there(place, key, about, level, as_nobody):
    """By everybody's; where the daemon would not start without it, and it is root who asks, it is an error."""
    place.chmod(0o755)
    d = Daemon(place, as_nobody=as_nobody)
    path = f"{'unix:' if key == 'listen' else ''}{place}/missing/file"
    d.write(**{key.replace(".", "__"): (path,) if key == "listen" else path})
    result = run(APHORISMD, "-t", "-c", d.config, as_nobody=as_nobody)
    level = level or ("error" if ROOT and not as_nobody else "warning")
    assert f"\n{about}: {path}: its folder: No such file or directory; to mend it: mkdir {place}/missing, or another " \
           f"folder [{level}]\n" in "\n" + result.stderr
    assert result.returncode == (78 if level == "error" else 0)


@root_only
def test_what_a_daemon_of_root_can_not_read_at_a_reload(daemon):
    """It starts with all rights and gives them up."""
    d = daemon("event")
    assert run(APHORISMD, "-t", "-c", d.config).stderr.endswith(f"aphorismd: {d.config}: good\n")
    for path in (d.table, d.config):
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        path.chmod(0o600)
        result = run(APHORISMD, "-t", "-c", d.config)
        assert result.returncode == 0
        assert re.search(rf"(?m)^.*{path.name}: Permission denied, to a running daemon of root's.* \[warning\]$",
                         result.stderr), result
        assert d.reload().returncode == 66
        shutil.chown(path, "root")


@root_only
def test_where_a_daemon_of_root_can_not_write_metrics(place):
    """Which it does when it has given up what overrides permissions; its pidfile it writes before."""
    folder = place / "theirs"
    folder.mkdir(mode=0o755)
    shutil.chown(folder, "nobody")
    d = Daemon(place, metrics__file=folder / "a.prom", process__pidfile=folder / "pid")
    result = run(APHORISMD, "-t", "-c", d.config)
    said = [line for line in result.stderr.splitlines() if "its folder: " in line]
    assert result.returncode == 0 and len(said) == 1
    assert re.fullmatch(rf"metrics\.file: {folder}/a\.prom: its folder: Permission denied; .* \[warning\]", said[0])


# Under a unit

@root_only
def test_what_is_right_is_good(world):
    assert world.tried() == ["aphorismd: /mnt/aphorismd.conf: good"]


@root_only
def test_a_low_port(world):
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 1024:
        pytest.skip("here everybody may listen there")
    world.write("mnt/aphorismd.conf", CONFIG.replace("127.0.0.1:0", "127.0.0.1:1"))
    lines = world.tried(status=78)
    assert re.fullmatch(r"listen: 127\.0\.0\.1:1: a port under 1024 .*; aphorismd\.service runs as user nobody; .* "
                        r"\[error\]", lines[0])
    assert lines[1:] == ["aphorismd: /mnt/aphorismd.conf: 1 error: a start or a reload would fail"]
    granted = "[Service]\nAmbientCapabilities=CAP_KILL \\\n  CAP_NET_BIND_SERVICE\n"
    world.write("unit/aphorismd.service.d/a.conf", granted)
    assert world.tried()[-1].endswith(": good")
    # of a user namespace's own rights the machine's ports know nothing
    world.write("unit/aphorismd.service.d/b.conf", "[Service]\nPrivateUsers=true\n")
    assert world.tried(status=78)[0].endswith(" [error]")


@root_only
@pytest.mark.parametrize("name", ["aphorismd.conf", "zen.aphorisms", "more.conf"])
def test_a_file_that_he_may_not_read(world, name):
    """Configuration, table, and what is included."""
    world.write("mnt/more.conf", "backlog = 7;\n")
    world.write("mnt/aphorismd.conf", CONFIG + '@include "more.conf"\n')
    assert world.tried()[-1].endswith(": good")
    (world.place / "mnt" / name).chmod(0o600)
    lines = world.tried(status=78)
    assert re.search(rf"{name}\"?: Permission denied, to user nobody of aphorismd\.service,.* \[error\]$", lines[0])
    assert lines[1:] == ["aphorismd: /mnt/aphorismd.conf: 1 error: a start or a reload would fail"]
    # by a group that the unit gives him
    os.chown(world.place / "mnt" / name, -1, 4)
    (world.place / "mnt" / name).chmod(0o640)
    world.unit(HIDES + "SupplementaryGroups=adm\n")
    assert world.tried()[-1].endswith(": good")


@root_only
@pytest.mark.parametrize("where, key, reason", [("/home", "ProtectHome", "Permission denied"),
                                                ("/tmp", "PrivateTmp", "No such file or directory")])
def test_a_table_that_the_unit_hides(world, where, key, reason):
    """Everybody may read it, but for who serves; over a link, too."""
    world.write("home/table", TABLE)
    world.write("table", TABLE)
    table = "/home/table" if where == "/home" else world.place / "table"
    (world.place / "mnt/link").symlink_to(table)
    for path in (table, "/mnt/link"):
        world.unit(HIDES)
        lines = world.tried("-o", f"aphorisms={path}", status=78)
        assert f"{path}: {reason}, to user nobody of aphorismd.service, which has ProtectHome and PrivateTmp " \
               "[error]" in lines[0]
        world.unit(f"{key}=no\n")
        assert world.tried("-o", f"aphorisms={path}")[-1].endswith(": good")


@root_only
def test_where_metrics_can_not_be_written(world):
    """The daemon serves without them."""
    folder = world.place / "mnt/metrics"
    folder.mkdir()
    world.write("mnt/aphorismd.conf", CONFIG + 'metrics = { file = "/mnt/metrics/a.prom"; };\n')
    lines = world.tried()
    assert re.fullmatch(r"metrics\.file: /mnt/metrics/a\.prom: its folder: Permission denied; aphorismd\.service runs "
                        r"as user nobody; to mend it: .*/run/aphorismd \[warning\]", lines[0])
    shutil.chown(folder, "nobody")
    assert len(world.tried()) == 1
    world.unit("ProtectSystem=strict\n")
    assert "its folder: Read-only file system" in world.tried()[0]
    world.unit("ProtectSystem=strict\nReadWritePaths=/srv -/mnt/metrics\n")
    assert len(world.tried()) == 1
    # which the unit makes
    assert len(world.tried("-o", "metrics.file=/run/aphorismd/a.prom")) == 1


HOME = ("-o", "aphorisms=/home/table")
LOW, OWN = ("-l", "127.0.0.1:1"), ("-l", "unix:/mnt/m/s")


@root_only
@pytest.mark.parametrize("more, options, error", [
    # words for yes and no; what is no choice, and nothing, changes nothing
    ("PrivateTmp=1\nProtectHome=No\n", HOME, None), ("ProtectHome=ON\n", HOME, "Permission denied"),
    ("ProtectHome=yes\nProtectHome=maybe\nProtectHome=\n", HOME, "Permission denied"),
    ("DynamicUser=no\nProtectHome=yes\n", HOME, "Permission denied"),
    # what is there to write to
    ("ProtectSystem=strict\n", OWN, "Read-only file system"),
    ("ProtectSystem=strict\nReadWritePaths=/srv\\\n# a comment \\\n /mnt//m/\n", OWN, None),
    ("ProtectSystem=strict\nReadWritePaths=/mnt\nReadWritePaths=\n", OWN, "Read-only file system"),
    ("ProtectSystem=strict\n", ("-l", "unix:/dev/shm/s"), None),
    ("ProtectSystem=strict\n", ("-l", "unix:/home/m/s"), None),
    ("ProtectHome=read-only\n", ("-l", "unix:/home/m/s"), "Read-only file system"),
    ("ProtectSystem=strict\nStateDirectory=ours:other\n", ("-l", "unix:/var/lib/ours/s"), None),
    ("ProtectSystem=strict\nRuntimeDirectory=made\n", ("-l", "unix:/run/made/m/s"), None),
    ("", ("-l", "unix:/var/run//aphorismd//s"), None),
    # who he is
    ("Group=65534\nSupplementaryGroups=4\n", ("-o", "aphorisms=/mnt/fours"), None),
    ("# a comment \\\nUser=daemon\n", ("-o", "process.user=nobody"), "only root can become another user"),
    ("User=65534\n", ("-o", "aphorisms=/mnt/roots"), "Permission denied, to user 65534"),
    # low ports
    ("AmbientCapabilities=cap_net_bind_service\n", LOW, None),
    ("AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=\n", LOW, "a port under 1024"),
    ("AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n", LOW, None),
])
def test_odd_but_legal_units(world, more, options, error):
    """As systemd takes them: an error where the service would fail, and none where it would not."""
    world.write("home/table", TABLE)
    for name, group, mode in (("fours", 4, 0o640), ("roots", 0, 0o600)):
        world.write(f"mnt/{name}", TABLE, mode)
        os.chown(world.place / "mnt" / name, 0, group)
    for name in ("mnt/m", "home/m", "run/made/m"):
        (world.place / name).mkdir(parents=True)
        (world.place / name).chmod(0o777)
    world.unit(more)
    lines = world.tried(*options, status=78 if error else 0)
    if error:
        assert error in lines[0] and lines[0].endswith(" [error]") and len(lines) == 2
    else:
        assert lines == ["aphorismd: /mnt/aphorismd.conf: good"]


@root_only
@pytest.mark.parametrize("command", ["--config=/mnt/aphorismd.conf", "-fc /mnt/aphorismd.conf",
                                     "-l 127.0.0.1:0 -c/mnt/../mnt/link"])
def test_how_the_unit_names_its_file(world, command):
    world.write("mnt/zen.aphorisms", TABLE, 0o600)
    (world.place / "mnt/link").symlink_to("aphorismd.conf")
    world.unit(f"ExecStart=\nExecStart=/usr/sbin/aphorismd {command}\n")
    assert "Permission denied, to user nobody" in world.tried(status=78)[0]


@root_only
def test_which_drop_ins_count(world):
    """By their names, whatever folder they are in; in /etc one takes the place of the others with its name."""
    (world.place / "unit/service.d").mkdir()
    for name, user in (("service.d/b.conf", "root"), ("service.d/z.conf", "daemon"),
                       ("aphorismd.service.d/y.conf", "root")):
        world.write(f"unit/{name}", f"[Service]\nUser={user}\n")
    os.symlink("/dev/null", world.place / "unit/aphorismd.service.d/b.conf")
    world.write("mnt/zen.aphorisms", TABLE, 0o600)
    assert "to user daemon of aphorismd.service" in world.tried(status=78)[0]
    os.symlink("/dev/null", world.place / "unit/aphorismd.service.d/z.conf")
    (world.place / "unit/aphorismd.service.d/y.conf").unlink()
    assert "to user nobody of aphorismd.service" in world.tried(status=78)[0]


@root_only
def test_another_user(world):
    lines = world.tried("-o", "process.user=daemon", status=78)
    assert lines[0].startswith("process.user: daemon: only root can become another user; ")


@root_only
@pytest.mark.parametrize("doubt, reason", [("disabled", "it is not enabled"), ("file", "it reads another file"),
                                           ("beyond", "what its BindPaths makes of it is not followed here"),
                                           ("user", "its user nosuch, or its group, does not exist"),
                                           ("User=root\nProtectHome=yes", "it is root's, and what it takes"),
                                           ("User=%p", "its user %p, or its group, does not exist"),
                                           ("ReadWritePaths=%t/x", "what its ReadWritePaths makes of it"),
                                           ("SupplementaryGroups='adm'", "what its SupplementaryGroups makes of it"),
                                           ("CacheDirectory=" + 300 * "a ", "what its CacheDirectory makes of it"),
                                           ("AmbientCapabilities=~CAP_KILL", "what its AmbientCapabilities makes"),
                                           ("ExecStart=\nExecStart=!/sbin/aphorismd -c /mnt/aphorismd.conf",
                                            "what its ExecStart makes of it"),
                                           ("LoadCredential=x:/y", "what its LoadCredential makes of it"),
                                           ("Environment=APHORISMD_LISTEN=*:1", "what its Environment makes of it"),
                                           ("User=\nDynamicUser=yes", "what its DynamicUser makes of it")])
def test_what_can_not_be_known(world, doubt, reason):
    """Then it warns, and says why it is not sure."""
    config = "/mnt/aphorismd.conf"
    world.write("mnt/zen.aphorisms", TABLE, 0o600)
    if doubt == "disabled":
        world.write("disabled", "")
    elif doubt == "file":
        config = "/mnt/new.conf"
        world.write("mnt/new.conf", CONFIG, 0o600)
    elif doubt == "beyond":
        world.write("unit/aphorismd.service.d/a.conf", "[Service]\nBindPaths=/srv:/mnt\n")
    else:
        world.unit(f"{'User=nosuch' if doubt == 'user' else doubt}\n")
    # a start by root would be another one: there need not be the default user, but whoever is named
    assert " no such user " in world.tried("-o", "process.user=nosuch", config=config, status=78)[-2]
    lines = world.tried(config=config)
    notes = [line for line in lines if line.endswith(" [note]")]
    assert len(notes) == 1 and notes[0].startswith(
        f"service: whether aphorismd.service is to serve this can't be known: {reason}")
    assert any("zen.aphorisms: Permission denied" in line and line.endswith(" [warning]")
               for line in lines) == ("User=" not in doubt and doubt != "user")


@root_only
@pytest.mark.parametrize("owner, groups, reason", [
    ('user = "daemon"', "", "user: only root can give a socket to another user"),
    ('group = "adm"', "", "group: only root can give a socket to a group that the daemon is no member of"),
    ('group = "adm"', "SupplementaryGroups=adm\n", None), ('user = "nobody"', "", None)])
def test_whom_a_socket_is_to_belong_to(world, owner, groups, reason):
    listen = f'{{ address = "unix:/run/aphorismd/s"; {owner}; }}'
    world.write("mnt/aphorismd.conf", CONFIG.replace('"127.0.0.1:0"', listen))
    world.unit(groups)
    lines = world.tried(status=78 if reason else 0)
    assert len(lines) == (2 if reason else 1)
    assert not reason or (f"listen: unix:/run/aphorismd/s: {reason}; " in lines[0] and lines[0].endswith(" [error]"))


@root_only
def test_the_same_socket_by_two_names(world):
    (world.place / "home/link").symlink_to("/run/aphorismd")
    (world.place / "run/aphorismd").mkdir()
    shutil.chown(world.place / "run/aphorismd", "nobody")
    world.unit("")
    for other in ("/var/run/./aphorismd/s", "/home/link//s"):
        lines = world.tried("-l", "unix:/run/aphorismd/s", "-l", f"unix:{other}", status=78)
        assert lines[:-1] == [f"listen: unix:{other} is the same file as unix:/run/aphorismd/s [error]"]
    assert len(world.tried("-l", "unix:/run/aphorismd/s", "-l", "unix:/run/aphorismd/t")) == 1


@root_only
def test_by_a_root_who_can_not_become_him(world):
    """As in some containers: what can't be looked at is no error."""
    world.write("mnt/zen.aphorisms", TABLE, 0o600)
    by = (tool("setpriv"), "--bounding-set=-setuid,-setgid")
    assert world.tried(by=by) == [
        "service: user nobody of aphorismd.service: what he meets can't be known here: Operation not permitted [note]",
        "aphorismd: /mnt/aphorismd.conf: 1 note: good"]


@root_only
def test_a_unit_that_is_masked(world):
    """Nobody serves by it."""
    (world.place / "unit/aphorismd.service").unlink()
    (world.place / "unit/aphorismd.service").symlink_to("/dev/null")
    world.write("mnt/zen.aphorisms", TABLE, 0o600)
    assert world.tried("-o", "process.user=nobody") == ["aphorismd: /mnt/aphorismd.conf: good"]
    # what init's script makes is no fault
    lines = world.tried("-o", "process.user=nobody", "-p", "/run/aphorismd/aphorismd.pid")
    assert re.fullmatch(r"process\.pidfile: /run/aphorismd/\S+: its folder isn't there now; .* \[note\]", lines[0])
    assert lines[1:] == ["aphorismd: /mnt/aphorismd.conf: 1 note: good"]


@root_only
def test_it_does_not_wait_for_a_pipe(world):
    os.mkfifo(world.place / "mnt/pipe")
    assert any("not a regular file" in line for line in world.tried("-o", "aphorisms=/mnt/pipe", status=66))
