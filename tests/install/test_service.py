"""The service under systemd: models and reloads, deaths, the watchdog, the stop, and what it says in the journal."""

import re
import socket
import time
from pathlib import Path

import pytest

from harness import Client, descendants, models, talk, until
from installed import ADDRESS, CONF, another_main_process, answers, drop_in, edit, edit_model, is_active
from load import Load


def test_every_model_by_edit_and_reload_under_load(machine):
    load = Load(ADDRESS, 8)
    for model in [*models(), "prefork"]:
        edit_model(machine, model)
        machine.systemctl("reload", "aphorismd")
        assert f"model {model}\n" in machine.do("aphorismctl", "status")
        assert f"model {model}," in machine.show("aphorismd", "StatusText")
        before = load.answered
        until(f"answers under {model}", lambda: load.answered > before + 100)
    load.finish()
    assert machine.show("aphorismd", "NRestarts") == "0"


def test_broken_edit_fails_the_reload_and_the_service_serves_on(machine):
    with Client(ADDRESS) as client:
        edit_model(machine, "perfork")
        line = machine.do("grep", "-n", "perfork", CONF).split(":")[0]
        assert machine.run("systemctl", "reload", "aphorismd").returncode != 0
        reason = f'{CONF}:{line}: model: '
        assert reason in machine.do("systemctl", "status", "aphorismd")
        assert reason in machine.journal()
        assert client.ask(b"Simple is better than?") == b"Complex."
    assert answers()
    assert is_active(machine)
    edit_model(machine, "event")
    machine.systemctl("reload", "aphorismd")
    assert "model event\n" in machine.do("aphorismctl", "status")


def test_reload_without_a_control_socket(machine):
    """By a signal for the supervisor, as the manual says: to all, it would end the loader."""
    edit(machine, "control.socket", '""')
    machine.systemctl("restart", "aphorismd")
    assert machine.run("systemctl", "reload", "aphorismd").returncode != 0
    edit_model(machine, "event")
    with Client(ADDRESS) as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
        machine.systemctl("kill", "--kill-whom=main", "-s", "HUP", "aphorismd")
        assert client.everything() == b""
    until("the new model", lambda: "model event, generation 2" in machine.show("aphorismd", "StatusText"))
    assert answers()
    assert machine.show("aphorismd", "NRestarts") == "0"


def test_upgrade_under_load_and_systemd_follows(machine):
    """Under the walls of the unit, too: the new main process is watched, reloaded and started again like the first."""
    drop_in(machine, "aphorismd.service",
            "[Service]\nEnvironment=APHORISMD_PROCESS_SANDBOX=required\nWatchdogSec=2\n")
    machine.systemctl("restart", "aphorismd")
    load = Load(ADDRESS, 8, per_connection=5)
    for number in range(3):
        old, before = machine.show("aphorismd", "MainPID"), load.answered
        machine.do("cp", "/usr/sbin/aphorismd", "/usr/sbin/aphorismd.new")      # as dpkg does: another file
        machine.do("mv", "/usr/sbin/aphorismd.new", "/usr/sbin/aphorismd")
        pid = machine.do("aphorismctl", "upgrade").split()[1]
        until("the new main process", lambda: machine.show("aphorismd", "MainPID") == pid)
        assert pid != old
        until("more answers", lambda: load.answered > before + 100)
        until("the end of the old process", lambda: machine.journal().count("aphorismd: left") == number + 1)
        until("the new one's status", lambda: machine.show("aphorismd", "StatusText").startswith("model "))
        assert is_active(machine)
        assert f"Main PID: {pid} " in machine.systemctl("status", "aphorismd")
    load.finish()
    machine.do("sleep", "3")                # longer than the watchdog's time
    assert machine.show("aphorismd", "NRestarts") == "0"
    assert machine.show("aphorismd", "MainPID") == pid
    machine.systemctl("reload", "aphorismd")
    machine.kill("KILL", pid)
    another_main_process(machine, pid)
    assert machine.show("aphorismd", "NRestarts") == "1"
    assert answers()


def test_upgrade_that_fails(machine):
    pid = machine.show("aphorismd", "MainPID")
    edit_model(machine, "perfork")
    result = machine.run("aphorismctl", "upgrade")
    assert result.returncode == 78 and f"{CONF}:" in result.output
    assert machine.show("aphorismd", "MainPID") == pid
    until("the status", lambda: machine.show("aphorismd", "StatusText").startswith("upgrade failed: "))
    assert "upgrade failed: " in machine.journal()
    assert answers() and is_active(machine)


def test_stop_right_after_an_upgrade(machine):
    """By systemd, which knows the new one: that ends as it should, and so does the unit."""
    machine.do("aphorismctl", "upgrade")
    machine.systemctl("stop", "aphorismd")
    assert machine.show("aphorismd", "Result") == "success"
    assert not machine.path("/run/aphorismd").exists()
    machine.systemctl("start", "aphorismd")
    assert answers()


def test_journal_tells_the_story(machine):
    machine.systemctl("reload", "aphorismd")
    edit_model(machine, "perfork")
    machine.run("systemctl", "reload", "aphorismd")
    edit_model(machine, "thread")
    machine.systemctl("restart", "aphorismd")
    story = machine.journal()
    at = -1
    for part in ("listening on 127.0.0.1:1060", "Started aphorismd.service", "Reloaded aphorismd.service",
                 f"{CONF}:", "Reload failed for aphorismd.service", "Stopped aphorismd.service",
                 "listening on 127.0.0.1:1060", "Started aphorismd.service"):
        at = story.find(part, at + 1)
        assert at >= 0, f"no {part!r} in its place of\n{story}"
    errors = machine.do("journalctl", "--no-pager", "--output=cat", "--priority=err", "--unit=aphorismd")
    assert f"{CONF}:" in errors and "listening on" not in errors


@pytest.mark.parametrize("strike", ["KILL", "SEGV", "STOP"])       # the last: until the watchdog
def test_killed_main_process_comes_back(machine, strike):
    """And its workers answer what they have received, however the service manager cleans up behind it."""
    edit_model(machine, "thread")
    edit(machine, "work.delay", '"600ms"')
    drop_in(machine, "aphorismd.service", "[Service]\nWatchdogSec=2\n")
    machine.systemctl("restart", "aphorismd")
    pid = machine.show("aphorismd", "MainPID")
    supervisor, = (p for p in descendants(machine.leader) if p.title() == "aphorismd: supervisor")
    clients, asked = [Client(ADDRESS) for _ in range(50)], []
    for client in clients:
        client.send(b"Simple is better than?")
    assert [client.take(8) for client in clients] == [b"Complex."] * len(clients)
    while True:
        client = clients.pop()
        client.send(b"Simple is better than?")
        if not supervisor.title():
            break                               # it is dead: this one may have come too late
        asked.append(client)
        if len(asked) == 3:
            machine.kill(strike, pid)
        time.sleep(0.1)
    assert [client.everything() for client in asked] == [b"Complex."] * len(asked)
    another_main_process(machine, pid)
    assert answers()
    assert machine.show("aphorismd", "NRestarts") == "1"
    assert strike != "STOP" or "Watchdog timeout" in machine.journal()


def test_an_idle_daemon_keeps_the_watchdog_content(machine):
    """Nothing happens for three of its times, and a reload takes its time."""
    drop_in(machine, "aphorismd.service", "[Service]\nWatchdogSec=1\n")
    machine.systemctl("restart", "aphorismd")
    machine.do("sleep", "3")
    assert machine.show("aphorismd", "NRestarts") == "0"
    assert answers()


@pytest.mark.parametrize("model", models())
def test_stop_drains(machine, model):
    edit_model(machine, model)
    machine.systemctl("restart", "aphorismd")
    load = Load(ADDRESS, 1 if model == "iterative" else 8)
    until("answers", lambda: load.answered > 100)
    load.stop_server(lambda: machine.systemctl("stop", "aphorismd"))
    assert machine.show("aphorismd", "Result") == "success"
    assert machine.show("aphorismd", "ExecMainStatus") == "0"
    assert not machine.path("/run/aphorismd").exists()


def test_sandbox_enters_within_the_walls_of_the_unit(machine):
    drop_in(machine, "aphorismd.service", "[Service]\nEnvironment=APHORISMD_PROCESS_SANDBOX=required\n")
    machine.systemctl("restart", "aphorismd")
    for model in models():
        edit_model(machine, model)
        machine.systemctl("reload", "aphorismd")
        assert answers()
    story = machine.journal()
    assert "process.sandbox" not in story and "can't" not in story
    for process in descendants(machine.leader):
        if process.title().startswith("aphorismd:"):
            assert process.status("Seccomp") == ["2"] and process.status("CapBnd") == ["0000000000000000"]


def test_everything_runs_as_its_user_which_owns_nothing(machine):
    users = machine.do("sh", "-c", "stat -c %U /proc/$(systemctl show --value -p MainPID aphorismd)").split()
    assert users == ["aphorismd"]
    owned = machine.do("find", "/", "-xdev", "(", "-user", "aphorismd", "-o", "-group", "aphorismd", ")")
    assert owned == ""
    owned = machine.do("find", "/run", "-user", "aphorismd").split()
    assert sorted(owned) == ["/run/aphorismd", "/run/aphorismd/control"]
    fields = machine.do("getent", "passwd", "aphorismd").strip().split(":")
    assert fields[5] == "/" and fields[6].endswith("nologin")


def test_folder_in_run_belongs_to_the_service_while_it_runs(machine):
    """What systemd-tmpfiles makes at boot is for a daemon that init starts as root."""
    def owner():
        return machine.do("stat", "--format=%U:%G %a", "/run/aphorismd")

    assert owner() == "aphorismd:aphorismd 755\n"
    machine.do("systemd-tmpfiles", "--create", "aphorismd.conf")
    assert owner() == "aphorismd:aphorismd 755\n"
    machine.systemctl("stop", "aphorismd")
    assert not machine.path("/run/aphorismd").exists()
    machine.do("systemd-tmpfiles", "--create", "aphorismd.conf")
    assert owner() == "root:root 755\n"
    machine.systemctl("start", "aphorismd")
    assert owner() == "aphorismd:aphorismd 755\n"


def test_metrics_go_where_the_unit_may_write(machine):
    """Where manual and doctor say; nowhere else, and of a daemon that is stopped nothing is left to be read."""
    file = "/run/aphorismd/aphorismd.prom"
    machine.do("mkdir", "-p", "/var/lib/prometheus/node-exporter")
    edit(machine, "metrics.file", '"/var/lib/prometheus/node-exporter/aphorismd.prom"')
    machine.systemctl("reload", "aphorismd")
    until("the doctor's word", lambda: "\nmetrics.file: " in "\n" + machine.do("aphorismctl", "doctor"))
    assert f'metrics.file: it can\'t be written: Read-only file system [error]\n\tmetrics = {{ file = "{file}"; }};\n' in \
        machine.do("aphorismctl", "doctor")
    edit(machine, "metrics.file", f'"{file}"')
    machine.systemctl("reload", "aphorismd")
    until("the file", machine.path(file).exists)
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    assert "\naphorismd_generation 3\n" in machine.do(*nobody, "cat", file)
    assert "metrics.file: " not in machine.do("aphorismctl", "doctor")
    machine.systemctl("stop", "aphorismd")
    assert not machine.path(file).exists()


def test_a_unix_listener_belongs_to_the_service(machine):
    """To no other group, but by a folder that gives its own, as the manual says; also within the walls of the unit."""
    def owner(path):
        return machine.do("stat", "--format=%U:%G %a", path)

    drop_in(machine, "aphorismd.service",
            "[Service]\nExecStartPre=+install -d -o aphorismd -g www-data -m 2750 /run/aphorismd/www\n")
    edit(machine, "listen", '( "127.0.0.1:1060", "unix:/run/aphorismd/s", '
                            '{ address = "unix:/run/aphorismd/www/s"; mode = "0660"; } )')
    machine.systemctl("restart", "aphorismd")
    for again in ([], ["reload"], ["upgrade"]):
        if again:
            machine.do("aphorismctl", *again)
        assert owner("/run/aphorismd/s") == "aphorismd:aphorismd 666\n"
        assert owner("/run/aphorismd/www/s") == "aphorismd:www-data 660\n"
        ask = ["aphorism", "unix:/run/aphorismd/www/s", "Simple is better than?"]
        said = machine.do("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", *ask)
        assert said == "Simple is better than? Complex.\n"
        assert machine.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *ask).returncode != 0
    assert "can't" not in machine.journal()
    edit(machine, "listen", '( { address = "unix:/run/aphorismd/t"; group = "www-data"; } )')
    result = machine.run("aphorismctl", "reload")
    assert result.returncode == 77 and "group: only root can give a socket to a group" in result.output
    assert answers()


def test_a_low_port(machine):
    """By the drop-in of the manual, as it stands there, and again at a reload."""
    manual = Path(__file__).parents[2].joinpath("man/aphorismd.8").read_text()
    edit(machine, "listen", '("127.0.0.1:60")')
    result = machine.run("systemctl", "reload", "aphorismd")
    assert result.returncode != 0 and "needs the capability CAP_NET_BIND_SERVICE" in machine.journal()
    drop_in(machine, "aphorismd.service", re.search(r"\[Service\]\nAmbient[^.]*", manual)[0])
    machine.systemctl("restart", "aphorismd")
    assert "listening 127.0.0.1:60\n" in machine.do("aphorismctl", "status")
    edit(machine, "listen", '("127.0.0.1:61")')
    machine.systemctl("reload", "aphorismd")
    assert talk("127.0.0.1:61", [b"Simple is better than?"]) == b"Complex."


def test_control_socket_obeys_the_group(machine):
    """Also through the user namespace of PrivateUsers."""
    machine.do("useradd", "--groups", "aphorismd", "operator1")
    machine.do("useradd", "stranger")
    assert machine.do("setpriv", "--reuid=operator1", "--init-groups", "--regid=operator1", "aphorismctl", "-s",
                      "/run/aphorismd/control", "ping") == "pong\n"
    refused = machine.run("setpriv", "--reuid=stranger", "--init-groups", "--regid=stranger", "aphorismctl", "-s",
                          "/run/aphorismd/control", "ping")
    assert refused.returncode == 77


# What no restart mends

def fails(machine, status, *reasons):
    """The unit's start fails for good, and its status tells why."""
    assert machine.run("systemctl", "restart", "aphorismd").returncode != 0
    until("the unit's failure", lambda: machine.show("aphorismd", "ActiveState") == "failed")
    machine.do("journalctl", "--sync")
    shown = machine.run("systemctl", "status", "aphorismd").output
    for reason in reasons:
        assert reason in shown, shown
    assert machine.show("aphorismd", "ExecMainStatus") == str(status)
    machine.do("sleep", "0.5")          # longer than RestartSec
    assert machine.show("aphorismd", "ActiveState") == "failed"
    assert machine.show("aphorismd", "NRestarts") == "0"


def everything_said(machine):
    """What systemd says before it starts the daemon is not always told to be of the unit."""
    return machine.do("journalctl", "--no-pager", "--output=cat")


def works_again(machine):
    machine.systemctl("reset-failed", "aphorismd")
    machine.systemctl("restart", "aphorismd")
    assert answers()


def test_missing_configuration(machine):
    machine.do("mv", CONF, "/root/kept")
    fails(machine, 66, CONF, "No such file")
    machine.do("mv", "/root/kept", CONF)
    works_again(machine)


def test_unreadable_configuration(machine):
    machine.do("chmod", "600", CONF)
    fails(machine, 66, CONF, "Permission denied")
    machine.do("chmod", "644", CONF)
    works_again(machine)


def test_wrong_configuration(machine):
    machine.do("sh", "-c", f"echo 'timeouts.idle = 1' >> {CONF}")
    fails(machine, 78, f"{CONF}:")


def test_port_in_use(machine):
    machine.systemctl("stop", "aphorismd")
    with socket.create_server(("127.0.0.1", 1060)):
        fails(machine, 69, "127.0.0.1:1060", "in use")
    works_again(machine)


def test_privileged_port(machine):
    edit(machine, "listen", '( "127.0.0.1:60" )')
    fails(machine, 77, "127.0.0.1:60", "Permission denied")


def test_missing_user(machine):
    machine.systemctl("stop", "aphorismd")
    machine.do("userdel", "aphorismd")
    fails(machine, 217, "217/USER")
    assert "determine user credentials" in everything_said(machine)


def test_read_only_run(machine):
    machine.systemctl("stop", "aphorismd")
    machine.do("mount", "--rbind", "/run", "/run")
    machine.do("mount", "-o", "remount,bind,ro", "/run")
    fails(machine, 233, "233/RUNTIME_DIRECTORY")
    assert "in /run: Read-only file system" in everything_said(machine)
    machine.do("umount", "--lazy", "/run")
    works_again(machine)


def test_full_run(machine):
    machine.systemctl("stop", "aphorismd")
    machine.do("mkdir", "/run/aphorismd")
    machine.do("mount", "-t", "tmpfs", "-o", "nr_inodes=1", "full", "/run/aphorismd")
    fails(machine, 73, "/run/aphorismd/control", "No space left on device")
    machine.do("umount", "/run/aphorismd")
    works_again(machine)


def test_systemd_has_nothing_to_say_about_the_units(machine):
    examples = "/usr/share/doc/aphorismd/examples"
    machine.do("cp", f"{examples}/aphorismd-inetd.socket", f"{examples}/aphorismd-inetd@.service",
               "/etc/systemd/system")
    assert machine.do("systemd-analyze", "verify", "--man=no", "aphorismd.service", "aphorismd.socket",
                      "aphorismd-activated.service", "aphorismd-inetd.socket", "aphorismd-inetd@1.service") == ""


# --test tells what the service will meet

def is_foreseen(machine, *said):
    """An error of --test, and then one of the reload; and what was in force serves on."""
    tried = machine.run("aphorismd", "--test")
    assert tried.returncode == 78
    assert tried.output.endswith(f"aphorismd: {CONF}: 1 error: a start or a reload would fail\n")
    for words in said:
        assert words in tried.output
    assert machine.run("systemctl", "reload", "aphorismd").returncode != 0
    assert answers()


def test_what_a_reload_would_fail_at_is_an_error_before(machine):
    """A low port; a table that only root reads, in /home, in /tmp; and a configuration that only root reads."""
    original, table = machine.path(CONF).read_text(), "/etc/aphorismd/zen.aphorisms"
    edit(machine, "listen", '("127.0.0.1:1060", "127.0.0.1:79")')
    is_foreseen(machine, "listen: 127.0.0.1:79: a port under 1024", "aphorismd.service runs as user aphorismd")
    machine.path(CONF).write_text(original)
    machine.do("chmod", "600", table)
    is_foreseen(machine, f"{table}: Permission denied, to user aphorismd of aphorismd.service")
    machine.do("chmod", "644", table)
    for folder, key in (("/home", "ProtectHome"), ("/tmp", "PrivateTmp")):
        machine.do("cp", table, f"{folder}/table")
        edit(machine, "aphorisms", f'"{folder}/table"')
        is_foreseen(machine, f"{folder}/table: ", key)
        machine.path(CONF).write_text(original)
    machine.do("chmod", "600", CONF)
    is_foreseen(machine, f"{CONF}: Permission denied, to user aphorismd")
    machine.do("chmod", "644", CONF)
    assert machine.do("aphorismd", "--test") == f"aphorismd: {CONF}: good\n"
    machine.systemctl("reload", "aphorismd")


def test_odd_but_legal_units_get_the_verdict_of_a_start(machine):
    low = "AmbientCapabilities=cap_net_bind_service\nSystemCallFilter=capset\nPrivateUsers=FALSE\n"
    table = "/etc/aphorismd/of-adm"
    for copy in ("/home/table", table):
        machine.do("cp", "/etc/aphorismd/zen.aphorisms", copy)
    machine.do("chown", "root:adm", table)
    machine.do("chmod", "640", table)
    original = machine.path(CONF).read_text()
    for key, value, more, works in (("listen", '"unix:/var/run/aphorismd/s"', "", True),
                                    ("listen", '"unix:/dev/shm/s"', "", True),
                                    ("listen", '"unix:/var/lib/ours/s"', "StateDirectory=ours\n", True),
                                    ("listen", '"127.0.0.1:79"', low, False),
                                    ("listen", '"127.0.0.1:79"',
                                     low + "CapabilityBoundingSet=cap_net_bind_service\n", True),
                                    ("aphorisms", '"/home/table"', "ProtectHome=No\n", True),
                                    ("aphorisms", '"/home/table"', "ProtectHome=\nProtectHome=maybe\n", False),
                                    ("aphorisms", f'"{table}"', "", False),
                                    ("aphorisms", f'"{table}"', "SupplementaryGroups=4\n", True)):
        machine.systemctl("stop", "aphorismd")
        edit(machine, key, f"({value})" if key == "listen" else value)
        drop_in(machine, "aphorismd.service", "[Service]\n" + more)
        said = machine.run("aphorismd", "--test")
        assert (said.returncode == 0) == works, said.output
        assert (machine.run("systemctl", "restart", "aphorismd").returncode == 0) == works, (value, more)
        machine.path(CONF).write_text(original)


def test_a_right_to_low_ports_is_seen(machine):
    """As the manual says it is given: --test says the same as the start."""
    edit(machine, "listen", '("127.0.0.1:1060", "127.0.0.1:79")')
    given = "[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" \
            "SystemCallFilter=capset\n"
    drop_in(machine, "aphorismd.service", given)
    # one of a user namespace of its own says nothing about the machine's ports
    assert machine.run("aphorismd", "--test").returncode == 78
    assert machine.run("systemctl", "restart", "aphorismd").returncode != 0
    drop_in(machine, "aphorismd.service", given + "PrivateUsers=no\n")
    assert machine.do("aphorismd", "--test") == f"aphorismd: {CONF}: good\n"
    machine.systemctl("restart", "aphorismd")
    assert "listening on 127.0.0.1:79" in machine.journal()
