"""The packages: installation, upgrade, removal."""

import os
import re
import signal

import pytest

from harness import Client, descendants, until
from installed import ADDRESS, CONF, answers, edit, edit_model, is_active
from load import Load
from machine import package

# what apt, dpkg and the journal write about every package
BOOKS = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/root", "/run", "/tmp", "/proc", "/sys", "/dev",
         "/var/lib/systemd/deb-systemd-helper-enabled", "/etc/ld.so.cache")


def everything(machine):
    """All files with owner and mode, outside of the books; the content of what installations edit; what runs."""
    pruned = [word for folder in BOOKS for word in ("-path", folder, "-prune", "-o")]
    lines = machine.do("find", "/", *pruned, "!", "-name", "*-", "-printf", "%p %u:%g %m %y %l\n")
    lines += machine.do("find", "/etc", "-type", "f", "!", "-name", "*-", "!", "-name", "ld.so.cache", "-exec",
                        "md5sum", "{}", "+")
    lines += machine.do("find", "/run", "/var/lib/systemd", "-name", "*aphorism*")
    return set(lines.splitlines())


def version(machine):
    return machine.do("dpkg-query", "--show", "--showformat=${Version}", "aphorismd")


def upgrade(machine):
    assert version(machine) == "0.0.9"
    said = machine.install(*machine.bring(package("aphorismd")))
    assert version(machine) != "0.0.9"
    return said


def test_installs_and_answers_at_once(fresh):
    fresh.install(*fresh.bring(package("aphorismd"), package("aphorismd-tools")))
    assert answers()
    assert is_active(fresh)
    assert fresh.systemctl("is-enabled", "aphorismd.service") == "enabled\n"
    assert fresh.run("systemctl", "is-enabled", "aphorismd.socket").output == "disabled\n"
    assert len(fresh.do("aphorism", "127.0.0.1").splitlines()) == 3
    assert "state serving" in fresh.do("aphorismctl", "status")
    assert fresh.do("aphorismctl", "doctor") == "nothing to mend\n"
    assert fresh.do("aphorismd", "--test") == f"aphorismd: {CONF}: good\n"
    assert "listening on 127.0.0.1:1060" in fresh.systemctl("status", "aphorismd")


def test_comes_up_with_the_machine(machine):
    """Which was installed before it was booted this time."""
    until("the service", lambda: is_active(machine))
    assert answers()
    assert "can't" not in machine.journal(), "what the unit leaves it is not enough"


def test_upgrade_keeps_edits_and_takes_what_is_new(older):
    edit_model(older, "threadpool")
    edited = older.path(CONF).read_bytes()
    assert "Configuration file" not in upgrade(older)       # no question: the package's file has not changed
    assert older.path(CONF).read_bytes() == edited
    assert older.path("/etc/aphorismd/zen.aphorisms").read_text().startswith("# The table of aphorismd")
    assert "model threadpool\n" in older.do("aphorismctl", "status")
    assert answers()


def runs_what_is_installed(machine, unit="aphorismd.service"):
    """And systemd knows it."""
    pid = machine.show(unit, "MainPID")
    assert f"pid {pid}\n" in machine.do("aphorismctl", "status")
    assert machine.do("readlink", f"/proc/{pid}/exe") == "/usr/sbin/aphorismd\n"       # and not: (deleted)
    assert machine.show(unit, "NeedDaemonReload") == "no"
    assert machine.show(unit, "NRestarts") == "0"
    assert f"Main PID: {pid} " in machine.systemctl("status", unit)
    assert not machine.path("/run/aphorismd.before").exists()


def test_upgrade_refuses_nobody(older):
    """Nor resets: the daemon leaves its place to the new program.  Another comment in the unit does not matter."""
    pid = older.show("aphorismd", "MainPID")
    short, lasting = Load(ADDRESS, 5, per_connection=1), Load(ADDRESS, 5)
    until("answers", lambda: short.answered > 100)
    said = upgrade(older)
    before = short.answered
    until("answers of the new daemon", lambda: short.answered > before + 100)
    short.finish()
    lasting.finish()
    now = older.show("aphorismd", "MainPID")
    assert now != pid
    assert f"\naphorismd.service: upgraded without a restart, process {now} serves\n" in said
    runs_what_is_installed(older)


def test_upgrade_without_the_usual_control_socket(older):
    edit(older, "control.socket", '""')
    older.systemctl("restart", "aphorismd")
    load = Load(ADDRESS, 5, per_connection=10)
    until("answers", lambda: load.answered > 100)
    assert "\naphorismd.service: upgraded without a restart, " in upgrade(older)
    load.finish()
    assert older.do("readlink", f"/proc/{older.show('aphorismd', 'MainPID')}/exe") == "/usr/sbin/aphorismd\n"


def test_upgrade_to_another_unit_restarts(older):
    older.do("sed", "-i", "/^User=/a Environment=OLDER=yes", "/lib/systemd/system/aphorismd.service")
    older.systemctl("daemon-reload")
    older.systemctl("restart", "aphorismd")
    said = upgrade(older)
    assert "\naphorismd.service: restarted, as the unit has changed\n" in said
    assert answers()
    runs_what_is_installed(older)
    assert "OLDER" not in older.do("cat", f"/proc/{older.show('aphorismd', 'MainPID')}/environ")


def test_upgrade_that_fails_restarts_and_drains(older):
    """Whoever has asked gets the answer, and the new daemon serves as soon as apt returns."""
    starter, = (p for p in descendants(older.leader) if p.title() == "aphorismd: starter")
    os.kill(starter.pid, signal.SIGKILL)
    pid = older.show("aphorismd", "MainPID")
    load = Load(ADDRESS, 5)
    until("answers", lambda: load.answered > 100)
    apt = older.start("apt-get", "install", "--yes", *older.bring(package("aphorismd")))
    load.stop_server(lambda: until("the old daemon's stop",
                                   lambda: older.show("aphorismd", "MainPID") != pid))
    said, _ = apt.communicate(timeout=60)
    assert apt.returncode == 0, said
    assert answers()
    assert "only a restart helps" in said
    assert "\naphorismd.service: restarted, as the upgrade failed\n" in said
    runs_what_is_installed(older)


def test_upgrade_of_what_is_masked(older):
    """Systemd would not follow it, and never start it again: so it serves on as it is."""
    older.systemctl("mask", "aphorismd")
    pid = older.show("aphorismd", "MainPID")
    assert "\naphorismd.service: not upgraded, as it is masked; the old version serves on\n" in upgrade(older)
    assert older.show("aphorismd", "MainPID") == pid
    assert answers() and is_active(older)


def test_upgrade_under_a_unit_that_can_not_follow(older):
    """Somebody's own, not even enabled: systemd would end the new daemon with the old one, and not start it."""
    own = "/etc/systemd/system/aphorismd.service"
    older.do("cp", "/lib/systemd/system/aphorismd.service", own)
    older.do("sed", "-i", "s/^Type=.*/Type=simple/; /^Watchdog/d", own)
    older.systemctl("disable", "aphorismd")
    older.systemctl("daemon-reload")
    older.systemctl("restart", "aphorismd")
    until("the service", lambda: "state serving" in older.run("aphorismctl", "status").output)
    assert "\naphorismd.service: restarted, as the upgrade failed\n" in upgrade(older)
    until("the service", lambda: "state serving" in older.run("aphorismctl", "status").output)
    assert answers()
    assert older.show("aphorismd", "NRestarts") == "0"


def test_upgrade_with_a_broken_configuration_succeeds(older):
    """The old version serves on and the new one says why; the package system is not stuck."""
    pid = older.show("aphorismd", "MainPID")
    edit_model(older, "perfork")
    said = upgrade(older)
    assert f"{CONF}:" in said
    assert "\naphorismd.service: not upgraded, see aphorismd --test; the old version serves on\n" in said
    assert older.do("dpkg-query", "--show", "--showformat=${Status}", "aphorismd") == "install ok installed"
    assert older.show("aphorismd", "MainPID") == pid
    assert answers() and is_active(older)
    edit_model(older, "prefork")
    older.do("aphorismctl", "upgrade")
    assert answers()


def test_upgrade_under_socket_activation_refuses_nobody(older):
    older.systemctl("disable", "--now", "aphorismd.service")
    older.systemctl("enable", "--now", "aphorismd.socket")
    load = Load(ADDRESS, 5, per_connection=10)
    until("answers", lambda: load.answered > 100)
    pid = older.show("aphorismd-activated", "MainPID")
    assert "\naphorismd-activated.service: upgraded without a restart, " in upgrade(older)
    assert older.show("aphorismd-activated", "MainPID") not in (pid, "0")
    before = load.answered
    until("answers of the new daemon", lambda: load.answered > before + 100)
    load.finish()
    runs_what_is_installed(older, "aphorismd-activated.service")
    assert not is_active(older)
    assert older.run("systemctl", "is-enabled", "aphorismd.service").output == "disabled\n"


def test_upgrade_does_not_start_what_was_stopped(older):
    """And does not disable it."""
    older.systemctl("stop", "aphorismd.service")
    upgrade(older)
    assert not is_active(older)
    assert older.systemctl("is-enabled", "aphorismd.service") == "enabled\n"


def test_upgrade_where_the_policy_is_to_start_nothing(older):
    older.path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    older.do("chmod", "755", "/usr/sbin/policy-rc.d")
    pid = older.show("aphorismd", "MainPID")
    assert "not upgraded, as policy-rc.d says" in upgrade(older)
    assert older.show("aphorismd", "MainPID") == pid
    assert answers()


def test_removal_keeps_configuration_and_purge_leaves_nothing(fresh):
    before = everything(fresh)
    fresh.install(*fresh.bring(package("aphorismd"), package("aphorismd-tools")))
    assert answers()
    edit_model(fresh, "event")
    fresh.do("usermod", "--append", "--groups", "aphorismd", "games")

    fresh.do("apt-get", "remove", "--yes", "aphorismd")
    with pytest.raises(ConnectionRefusedError):
        Client(ADDRESS)
    assert 'model = "event";' in fresh.path(CONF).read_text()
    assert not fresh.path("/usr/sbin/aphorismd").exists()

    fresh.install(*fresh.bring(package("aphorismd")))
    assert "model event\n" in fresh.do("aphorismctl", "status")

    fresh.do("apt-get", "purge", "--auto-remove", "--yes", "aphorismd", "aphorismd-tools")
    left = everything(fresh)
    assert left - before == set() and before - left == set()


def test_purge_leaves_what_others_made(machine):
    """Also when it was the socket that served."""
    machine.path("/etc/aphorismd/own.aphorisms").write_text("Mine is better than? Yours.\n")
    machine.do("usermod", "--comment", "somebody else", "aphorismd")
    machine.systemctl("disable", "--now", "aphorismd.service")
    machine.systemctl("enable", "--now", "aphorismd.socket")
    assert answers()
    machine.do("apt-get", "purge", "--yes", "aphorismd")
    with pytest.raises(ConnectionRefusedError):
        Client(ADDRESS)
    assert machine.do("find", "/etc/aphorismd").split() == ["/etc/aphorismd", "/etc/aphorismd/own.aphorisms"]
    assert "somebody else" in machine.do("getent", "passwd", "aphorismd")
    assert "aphorismd" not in machine.systemctl("list-units", "--all", "--plain", "--no-legend")
    assert machine.do("find", "/etc/systemd", "-name", "aphorismd*") == ""


def test_examples_are_valid_and_there_is_one_for_each_model(machine):
    models = [line.split()[0] for line in machine.do("aphorismd", "--list-models").splitlines()]
    for model in models:
        example = f"/usr/share/doc/aphorismd/examples/{model}.conf"
        checked = machine.do("aphorismd", "--test", "--config", example, "-o",
                             'aphorisms="/etc/aphorismd/zen.aphorisms"')
        # the machine that runs the tests may not open as many files as the example is for
        said = [line for line in checked.splitlines() if not line.startswith("descriptors: ")]
        assert said[:-1] == ["service: whether aphorismd.service is to serve this can't be known: it reads another "
                             "file; aphorismd.service runs as user aphorismd [note]"]
        assert said[-1].startswith(f"aphorismd: {example}: ") and said[-1].endswith(": good")
        machine.do("cp", example, CONF)
        machine.systemctl("reload", "aphorismd")
        assert f"model {model}\n" in machine.do("aphorismctl", "status")
        assert answers()
