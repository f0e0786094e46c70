"""aphorismctl doctor and aphorismd --test: what will hurt, and the line that mends it."""

import grp
import json
import os
import pwd
import shutil

import pytest

from harness import APHORISMD, ETC, POOLS, ROOT, run, talk, until

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
WELL = {"max_connections": 100, "event__workers": 1}      # nothing is wrong with this
MACHINE = {"backlog", "descriptors", "tasks", "memory", "process.sandbox"}      # what this very one may lack


def findings(d):
    """What it says, by what it is about."""
    result = d.ctl("--json", "doctor")
    assert result.returncode == 0, result.stderr
    return {f["about"]: (f["what"], f["mend"]) for f in json.loads(result.stdout)["finding"]}


def tried(d, *options, under=()):
    """What --test says of a daemon's configuration."""
    result = run(*under, APHORISMD, "-t", "-c", d.config, *options)
    assert result.returncode == 0, result.stderr
    return result.stderr


def test_nothing(daemon):
    d = daemon("event", **WELL)
    if "process.sandbox" in findings(d):
        pytest.skip("not all of the sandbox can be had here")
    assert d.ctl("doctor").stdout == "nothing to mend\n"
    assert tried(d) == f"aphorismd: {d.config}: good\n"


def test_what_is_shipped_is_clean(place):
    config = place / "aphorismd.conf"
    shutil.copyfile(ETC / "aphorismd.conf", config)
    more = ["-o", f'aphorisms="{ETC}/zen.aphorisms"', *(["-o", "process.user=nobody"] if ROOT else [])]
    result = run(APHORISMD, "-t", "-c", config, *more)
    found = {line.split(": ")[0] for line in result.stderr.splitlines() if "; to mend it: " in line}
    assert result.returncode == 0 and found <= MACHINE, result.stderr


def test_a_limit_that_nobody_has_written(daemon, model):
    """What a model holds by its own keys is all that was asked for, until max_connections asks for more."""
    d = daemon(model)
    assert findings(d).keys() <= MACHINE
    assert "max_connections: " not in tried(d)
    d.reloaded(max_connections=1024)
    assert ("max_connections" in findings(d), "max_connections: " in tried(d)) == (model in POOLS,) * 2


def test_the_backlog(daemon):
    d = daemon("event", backlog=65535, **WELL)
    what, mend = findings(d)["backlog"]
    assert what.startswith("65535 is cut to ") and mend == "sysctl -w net.core.somaxconn=65535"
    assert f"backlog: {what}; to mend it: {mend} [warning]\n" in tried(d)
    assert f"backlog: {what} [warning]\n\t{mend}\n" in d.ctl("doctor").stdout
    found = json.loads(d.ctl("--json", "doctor").stdout)["finding"]
    assert [f["level"] for f in found if f["about"] == "backlog"] == ["warning"]


def test_more_connections_than_the_model_serves(daemon):
    d = daemon("threadpool", threadpool__threads=3, max_connections=100)
    what, mend = findings(d)["max_connections"]
    assert "threadpool serves 3 at once, not 100" in what and mend == "max_connections = 3;"
    assert what in tried(d)
    d.reloaded(max_connections=3)
    assert "max_connections" not in findings(d)


def test_descriptors(daemon):
    d = daemon("event", under=["prlimit", "--nofile=80"], **WELL)
    what, mend = findings(d)["descriptors"]
    assert "the limit is 80" in what and "LimitNOFILE=118" in mend
    assert "descriptors: " in tried(d, under=["prlimit", "--nofile=117"])
    assert "descriptors: " not in tried(d, under=["prlimit", "--nofile=118"])
    # nobody holds more than one there
    assert "descriptors: " not in tried(d, "-m", "prefork", under=["prlimit", "--nofile=80"])


@pytest.mark.parametrize("name, needed", [("fork", 2 * 101 + 6), ("thread", 2 * 101 + 6), ("threadpool", 2 * 17 + 6),
                                           ("event", 2 * 1 + 6)])
def test_tasks(daemon, name, needed):
    d = daemon("event", **WELL)
    said = tried(d, "-m", name, under=["prlimit", f"--nproc={needed - 1}"])
    assert f"model {name} may need {needed} " in said and f"to mend it: LimitNPROC={needed} in the unit" in said
    assert "tasks: " not in tried(d, "-m", name, under=["prlimit", f"--nproc={needed}"])


def test_memory(daemon):
    d = daemon("event", **WELL)
    said = tried(d, "-m", "fork", "-o", "max_connections=1000000")
    assert "memory: model fork takes about " in said
    mend = int(said.split("to mend it: max_connections = ")[-1].split(";")[0])
    assert "memory: " not in tried(d, "-m", "fork", "-o", f"max_connections={mend}")


def test_cpus(daemon):
    d = daemon("event", max_connections=100, event__workers=1000)
    what, mend = findings(d)["cpus"]
    assert what.startswith("1000 loops share ") and mend == "event = { workers = 0; };"


def test_files_that_others_may_change(daemon):
    d = daemon("event", **WELL)
    d.config.chmod(0o666)
    d.table.chmod(0o646)
    for about, path in (("configuration", d.config), ("aphorisms", d.table)):
        assert f"{about}: {path} may be changed by others" in tried(d)
    d.reloaded()
    found = findings(d)
    assert str(d.config) in found["configuration"][0] and str(d.table) in found["aphorisms"][0]
    run("sh", "-c", found["configuration"][1])
    run("sh", "-c", found["aphorisms"][1])
    d.reloaded()
    assert not {"configuration", "aphorisms"} & set(findings(d))


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_files_of_a_group_or_of_another_user(daemon):
    """The loader tells from within its sandbox who it is."""
    d = daemon("event", **WELL)
    d.config.chmod(0o664)
    assert "configuration: " not in tried(d)
    os.chown(d.config, 0, grp.getgrnam("nogroup").gr_gid)
    assert f"configuration: {d.config} may be changed by others" in tried(d)
    os.chown(d.config, pwd.getpwnam("nobody").pw_uid, 0)
    assert "configuration: " in tried(d)


@pytest.mark.skipif(not ROOT, reason="only root becomes another user")
def test_files_of_an_ordinary_user(daemon):
    """Who starts the daemon may change them."""
    d, nobody = daemon("event", **WELL), ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    for path in (d.config, d.table):
        shutil.chown(path, "nobody")
    said = tried(d, "-o", "process.user=", under=nobody)
    assert "configuration: " not in said and "aphorisms: " not in said
    d.table.chmod(0o646)
    assert "aphorisms: " in tried(d, "-o", "process.user=", under=nobody)


def test_a_line_that_is_too_long_is_not_cut(daemon, place):
    """A command that ended inside a name would name another file."""
    folder = place / ("x" * 200)
    folder.mkdir()
    (folder / "table").write_text("Simple is better than? Complex.\n")
    (folder / "table").chmod(0o646)
    d = daemon("event", aphorisms=str(folder / "table"), **WELL)
    assert findings(d)["aphorisms"][1] == "(a line too long to be shown)"


def test_without_a_sandbox(daemon):
    d = daemon("event", process__sandbox="off", **WELL)
    assert findings(d)["process.sandbox"][1] == 'process = { sandbox = "auto"; };'
    assert "process.sandbox: off" in tried(d)


@pytest.mark.skipif(not ROOT, reason="only root can stay root")
def test_workers_that_are_root(daemon):
    d = daemon("event", process__user="", **WELL)
    assert "root" in findings(d)["process.user"][0]


def test_a_pidfile_that_is_another(daemon, place):
    """Of a daemon that runs, and of one that has died."""
    d = daemon("event", process__pidfile=place / "pid", **WELL)
    assert "process.pidfile" not in findings(d)
    assert "pidfile" not in tried(d)
    (place / "pid").unlink()
    (place / "pid").write_text("4711\n")
    assert "not the file of this daemon" in findings(d)["process.pidfile"][0]
    assert f"process.pidfile: {place}/pid was left by a daemon that is gone" in tried(d)


def test_a_socket_file_that_is_gone_or_another(daemon, place):
    """What it names makes them anew."""
    path = place / "s"
    d = daemon("event", listen=("127.0.0.1:0", f"unix:{path}"), **WELL)
    assert "listen" not in findings(d)
    for what, other in (("has been removed: nobody finds it", False),
                        ("is not the socket of this daemon any more", True)):
        path.unlink()
        if other:
            path.write_text("a file")
        found = findings(d)["listen"]
        assert found[0] == f"unix:{path} {what}"
        assert found[1].endswith("aphorismctl upgrade")
        run("sh", "-c", found[1].replace("aphorismctl upgrade", "true"))
        d.upgraded()
        assert "listen" not in findings(d)
        assert talk(f"unix:{path}", [QUESTION]) == ANSWER


def test_metrics_that_can_not_be_written(daemon, place):
    d = daemon("event", metrics__file=place / "missing/a.prom", **WELL)
    until("the failure", lambda: "metrics.file" in findings(d))
    what, mend = findings(d)["metrics.file"]
    assert "No such file" in what and mend == f'metrics = {{ file = "{d.control.parent}/aphorismd.prom"; }};'
    d.reloaded(metrics__file=mend.split('"')[1])
    until("the file", (d.control.parent / "aphorismd.prom").exists)
    assert "metrics.file" not in findings(d)
    # where that would mend nothing it is not said
    (d.control.parent / "folder").mkdir()
    d.reloaded(metrics__file=d.control.parent / "folder")
    until("the failure", lambda: "metrics.file" in findings(d))
    assert findings(d)["metrics.file"][1] == "a folder that whoever starts the daemon may write to"


def test_a_model_that_does_not_fit_the_load(daemon):
    d = daemon("iterative", max_connections=100)
    clients = [d.connect() for _ in range(3)]
    assert clients[0].ask(QUESTION) == ANSWER
    until("the queue", lambda: "load" in findings(d))
    what, mend = findings(d)["load"]
    assert what == "2 of 3 clients wait: iterative serves 1 at a time; event would serve all"
    assert mend == 'model = "event";'
    for client in clients:
        client.reset()
    d.reloaded(model="event")
    d.settled()
    clients = [d.connect() for _ in range(3)]
    for client in clients:
        assert client.ask(QUESTION) == ANSWER
    assert "load" not in findings(d)
    for client in clients:
        client.close()


def test_a_limit_that_is_the_models(daemon):
    """A higher one would not help."""
    d = daemon("iterative", max_connections=1)
    clients = [d.connect() for _ in range(3)]
    assert clients[0].ask(QUESTION) == ANSWER
    until("the queue", lambda: findings(d).get("load", [""])[0].startswith("2 of 3 clients wait"))
    assert findings(d)["load"][1] == 'model = "event"; max_connections = 6;'
    for client in clients:
        client.reset()
    d.reloaded(model="prefork", prefork__max_workers=2, prefork__start_workers=1, prefork__min_spare=1,
               prefork__max_spare=1)
    d.settled()
    clients = [d.connect() for _ in range(3)]
    until("the queue", lambda: findings(d).get("load", [""])[0] == "2 of 3 clients wait: prefork serves 1 at a time")
    assert findings(d)["load"][1] == 'model = "event"; max_connections = 6;'
    d.reloaded(model="event", max_connections=6)
    d.settled()
    assert clients[-1].ask(QUESTION) == ANSWER
    for client in clients:
        client.reset()


def test_a_limit_that_was_reached(daemon):
    d = daemon("event", max_connections=1, over_limit="refuse")
    with d.connect() as client:
        client.ask(QUESTION)
        with d.connect() as second:
            assert second.everything() == b"Error: too busy."
    assert findings(d)["max_connections"] == ("was reached; clients refused so far: 1", "max_connections = 2;")
