"""The init script, in a system without systemd."""

import socket

import pytest

from harness import Client, until
from installed import ADDRESS, CONF, answers, edit
from load import Load
from machine import Machine, package

SCRIPT = "/etc/init.d/aphorismd"


@pytest.fixture
def bare(layer):
    """The installed packages, and nobody who runs them: its first process only waits."""
    machine = Machine([layer]).boot("sleep", "infinity")
    try:
        with machine.network():
            yield machine
    finally:
        machine.remove()


def init(machine, action):
    result = machine.run(SCRIPT, action)
    return result.returncode, result.output


def test_start_status_reload_stop(bare):
    assert init(bare, "status")[0] == 3
    assert init(bare, "start") == (0, "")
    assert answers()
    assert init(bare, "status")[0] == 0
    assert init(bare, "start")[0] == 0                          # it runs already
    edit(bare, "model", '"event"')
    assert init(bare, "reload")[0] == 0
    assert "model event\n" in bare.do("aphorismctl", "status")
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text()
    assert init(bare, "restart")[0] == 0
    assert bare.path("/run/aphorismd/aphorismd.pid").read_text() != pid
    assert answers()
    assert init(bare, "force-reload")[0] == 0
    assert init(bare, "try-restart")[0] == 0
    assert answers()
    assert init(bare, "stop")[0] == 0
    with pytest.raises(ConnectionRefusedError):
        Client(ADDRESS)
    assert init(bare, "status")[0] == 3
    assert init(bare, "stop")[0] == 0                           # it does not run
    assert init(bare, "reload")[0] == 7
    assert init(bare, "try-restart")[0] == 0
    assert init(bare, "status")[0] == 3
    assert init(bare, "frobnicate")[0] == 2


def test_a_unix_listener_belongs_to_the_workers(bare):
    """In a folder of root's, at the start and when a reload adds it; or to whom it names."""
    def owner(path):
        return bare.do("stat", "--format=%U:%G %a", path)

    edit(bare, "listen", '( "127.0.0.1:1060", "unix:/run/aphorismd/s" )')
    assert init(bare, "start") == (0, "")
    assert owner("/run/aphorismd/s") == "aphorismd:aphorismd 666\n"
    edit(bare, "listen", '( "127.0.0.1:1060", "unix:/run/aphorismd/s", "unix:/run/t", '
                         '{ address = "unix:/run/u"; group = "www-data"; mode = "0660"; } )')
    assert init(bare, "reload")[0] == 0
    assert owner("/run/aphorismd/s") == owner("/run/t") == "aphorismd:aphorismd 666\n"
    assert owner("/run/u") == "aphorismd:www-data 660\n"
    assert init(bare, "stop")[0] == 0
    assert not [path for path in ("aphorismd/s", "t", "u") if bare.path(f"/run/{path}").exists()]


def test_upgrade(bare):
    assert init(bare, "upgrade")[0] == 7
    assert init(bare, "start")[0] == 0
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text()
    with Client(ADDRESS) as client:
        client.send(b"Simple is better than?" * 100)
        assert init(bare, "upgrade")[0] == 0
        assert client.everything() == b"Complex." * 100
    assert bare.path("/run/aphorismd/aphorismd.pid").read_text() != pid
    assert init(bare, "status")[0] == 0
    assert answers()
    edit(bare, "model", '"perfork"')
    status, said = init(bare, "upgrade")
    assert status == 6 and f"{CONF}:" in said
    assert answers()
    assert init(bare, "stop")[0] == 0
    with pytest.raises(ConnectionRefusedError):
        Client(ADDRESS)


def test_stop_lets_clients_finish(bare):
    init(bare, "start")
    with Client(ADDRESS) as client:
        client.send(b"Simple is better than?" * 100)
        assert init(bare, "stop")[0] == 0
        assert client.everything() == b"Complex." * 100


def test_pidfile_of_a_dead_daemon(bare):
    init(bare, "start")
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text().strip()
    bare.kill("KILL", pid)
    until("the end of the workers", lambda: init(bare, "status")[0] == 1)
    assert init(bare, "start")[0] == 0
    assert init(bare, "status")[0] == 0
    assert answers()
    assert init(bare, "stop")[0] == 0


def test_another_process_with_the_number_in_the_pidfile(bare):
    bare.do("mkdir", "-p", "/run/aphorismd")
    bare.path("/run/aphorismd/aphorismd.pid").write_text("1\n")
    assert init(bare, "status")[0] == 1
    assert init(bare, "stop")[0] == 0
    assert init(bare, "reload")[0] == 7
    assert bare.nspawn.poll() is None                           # its first process is as it was


def test_another_daemon_with_the_number_in_the_pidfile(bare):
    """Which is an aphorismd, but not ours."""
    bare.do("aphorismd", "-p", "/run/other.pid", "-l", "127.0.0.1:1061", "-o", "control.socket=")
    bare.do("mkdir", "-p", "/run/aphorismd")
    bare.do("cp", "/run/other.pid", "/run/aphorismd/aphorismd.pid")
    assert init(bare, "status")[0] == 1
    assert init(bare, "stop")[0] == 0
    with Client("127.0.0.1:1061") as client:
        assert client.ask(b"Simple is better than?") == b"Complex."


@pytest.mark.parametrize("socket", ['""', '"/run/elsewhere"'])
def test_reload_without_the_usual_control_socket(bare, socket):
    edit(bare, "control.socket", socket)
    assert init(bare, "start")[0] == 0
    edit(bare, "model", '"event"')
    status, said = init(bare, "reload")
    assert status == 0 and "log" in said
    until("the reload", lambda: "aphorismd: event" in bare.do("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null || :"))
    assert answers()


def give_runlevel(machine):
    machine.do("rm", "/sbin/runlevel")          # that of systemd, which is all of init that is missing here
    machine.path("/sbin/runlevel").write_text("#!/bin/sh\necho N 2\n")
    machine.do("chmod", "755", "/sbin/runlevel")


def upgrade_package(machine):
    return "\n" + machine.do("dpkg", "--install", *machine.bring(package("aphorismd")))


def test_upgrade_of_the_package_refuses_nobody(bare):
    assert "aphorismd: " not in upgrade_package(bare)
    assert init(bare, "status")[0] == 3                         # it is not started by that
    init(bare, "start")
    load = Load(ADDRESS, 5, per_connection=1)
    until("answers", lambda: load.answered > 100)
    assert "\naphorismd: upgraded without a restart\n" in upgrade_package(bare)
    load.finish()
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text().strip()
    assert bare.do("readlink", f"/proc/{pid}/exe") == "/usr/sbin/aphorismd\n"


def test_upgrade_of_the_package_to_another_init_script_restarts(bare):
    give_runlevel(bare)
    init(bare, "start")
    bare.do("mkdir", "/run/aphorismd.before")                   # as an upgrade leaves it that was cut off
    bare.path("/run/aphorismd.before/aphorismd").write_text("#!/bin/sh\naphorismd\n")
    assert "\naphorismd: restarted, as the init script has changed\n" in upgrade_package(bare)
    assert not bare.path("/run/aphorismd.before").exists()
    assert answers()


def test_upgrade_where_the_policy_is_to_start_nothing(bare):
    init(bare, "start")
    bare.path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    bare.do("chmod", "755", "/usr/sbin/policy-rc.d")
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text()
    assert "\naphorismd: not upgraded, as policy-rc.d says; an old version that runs serves on\n" in \
        upgrade_package(bare)
    assert bare.path("/run/aphorismd/aphorismd.pid").read_text() == pid
    assert answers()


def test_upgrade_with_a_broken_configuration_succeeds(bare):
    """The old daemon serves on, and the package system is not stuck."""
    give_runlevel(bare)
    init(bare, "start")
    pid = bare.path("/run/aphorismd/aphorismd.pid").read_text()
    edit(bare, "model", '"perfork"')
    said = upgrade_package(bare)
    assert f"{CONF}:" in said and "\naphorismd: not restarted, though the upgrade failed\n" in said
    assert bare.path("/run/aphorismd/aphorismd.pid").read_text() == pid
    assert bare.do("dpkg-query", "--show", "--showformat=${Status}", "aphorismd") == "install ok installed"
    assert answers()


def test_broken_configuration(bare):
    init(bare, "start")
    edit(bare, "model", '"perfork"')
    for action in ("reload", "restart"):
        status, said = init(bare, action)
        assert status == 6 and f"{CONF}:" in said
        assert answers()                                        # with the old configuration
    init(bare, "stop")
    status, said = init(bare, "start")
    assert status == 6 and f"{CONF}:" in said


def test_missing_configuration(bare):
    bare.do("rm", CONF)
    status, said = init(bare, "start")
    assert status == 6 and CONF in said and "No such file" in said


def test_missing_user(bare):
    bare.do("userdel", "aphorismd")
    status, said = init(bare, "start")
    assert status == 6 and "aphorismd: no such user" in said


def test_port_in_use(bare):
    with socket.create_server(("127.0.0.1", 1060)):
        status, said = init(bare, "start")
    assert status == 1 and "127.0.0.1:1060" in said and "in use" in said


def test_read_only_and_full_run(bare):
    bare.do("mkdir", "/run/aphorismd")
    bare.do("mount", "-t", "tmpfs", "-o", "ro", "nothing", "/run/aphorismd")
    status, said = init(bare, "start")
    assert status == 1 and "/run/aphorismd" in said and "Read-only file system" in said
    bare.do("umount", "/run/aphorismd")
    bare.do("mount", "-t", "tmpfs", "-o", "nr_inodes=1", "full", "/run/aphorismd")
    status, said = init(bare, "start")
    assert status == 1 and "/run/aphorismd" in said and "No space left on device" in said


def test_only_root(bare):
    for action in ("start", "stop", "reload"):
        result = bare.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", SCRIPT, action)
        assert result.returncode == 4 and "root" in result.output
