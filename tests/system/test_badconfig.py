"""Files that are wrong: each is told with its reason, and none can end or hang a daemon that runs."""

import os

import pytest

import protocol_model
from harness import APHORISMD, Daemon, libconfig, run, until
from protocol_model import THREE

MARK = b"Which table?"


def config(text, line=1):
    """A bad file made of the good one and more lines; the reason must hold FILE:LINE of one of them."""
    def write(d):
        good = libconfig(d.settings)
        d.config.write_bytes(good.encode() + text)
        return f"{d.config}:{good.count(chr(10)) + line}"
    return write


def included(text):
    """The bad lines stand in a file that the good one includes; they are told by that file's name."""
    def write(d):
        (d.place / "more.conf").write_bytes(text)
        d.config.write_text(libconfig(d.settings) + '@include "more.conf"\n')
        return "more.conf:1"
    return write


def whole(text):
    """The whole file is this, and its name is in the reason."""
    def write(d):
        d.config.write_bytes(text)
        return d.config.name
    return write


def instead(make):
    """Something that is no regular file stands in the configuration's place."""
    def write(d):
        d.config.unlink()
        make(d.config)
        return d.config.name
    return write


def table(text):
    def write(d):
        d.table.write_bytes(text)
        return d.table.name
    return write


def table_instead(make):
    def write(d):
        d.table.unlink()
        make(d.table)
        return d.table.name
    return write


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(100 << 20)


def include(make):
    """The good file includes something that is no regular file."""
    def write(d):
        make(d.place / "more.conf")
        d.config.write_text(libconfig(d.settings) + '@include "more.conf"\n')
        return "more.conf"
    return write


BAD = {
    # what ends or hangs libconfig
    "include of the folder": config(b'@include "."\n'),
    "include of another folder": config(b'@include "/etc"\n'),
    "include of a missing file": config(b'@include "missing.conf"\n'),
    "include of itself": config(b'@include "aphorismd.conf"\n'),
    "include of a pipe": include(os.mkfifo),
    "include of a device": config(b'@include "/dev/zero"\n'),
    "include of a folder by a name": include(os.mkdir),
    "include of 100 MiB": include(sparse),
    "include of a dangling link": include(lambda path: path.symlink_to("nowhere")),
    "a folder": instead(os.mkdir),
    "a pipe": instead(os.mkfifo),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "a link to a device": instead(lambda path: path.symlink_to("/dev/zero")),
    "nothing at all": instead(lambda path: None),
    "100 MiB of nothing": instead(sparse),

    # syntax
    "a syntax error": config(b"model = ;\n"),
    "an end for want of clients that comes too soon": config(b'activation = { idle_exit = "999ms"; };\n'),
    "an open string": config(b'model = "event\n'),
    "an open group": whole(b"timeouts = { idle = 5;\n"),
    "an open comment": whole(b'/* model = "event";\n'),
    "a trailing comma": config(b'access = { allow = ["10.0.0.0/8",]; };\n'),
    "a byte order mark in the middle": config(b'\xef\xbb\xbfmodel = "event";\n'),
    "NUL bytes": whole(b'model = "ev\0ent";\n\0\0'),
    "no text": whole(bytes(range(256)) * 40),
    "a key twice": config(b"backlog = 5;\nbacklog = 6;\n", line=2),
    "many brackets": whole(b"a = " + b"(" * 200000),
    "a long line": whole(b"a = " + b"x" * 900000),
    "a syntax error in an included file": included(b"model = ;\n"),

    # numbers that libconfig wraps
    "4294967376": config(b"backlog = 4294967376;\n"),
    "3000000000": config(b"max_connections = 3000000000;\n"),
    "3000000000 in an included file": included(b"max_connections = 3000000000;\n"),
    "0x100000050": config(b"backlog = 0x100000050;\n"),
    "a number of 30 digits": config(b"backlog = 100000000000000000000000000050;\n"),
    "a wrapped number in a group": config(b"prefork = { max_workers = 4294967376; };\n"),
    "a wrapped duration": config(b"timeouts = { idle = 4294967376; };\n"),
    "a wrapped duration in a string": config(b'timeouts = { idle = "99999999999999999999h"; };\n'),
    "a wrapped size": config(b'max_question_length = "99999999999999999999m";\n'),
    "a negative number": config(b"backlog = -5;\n"),

    # values
    "an unknown key": config(b"max_conections = 5;\n"),
    "an unknown group": config(b"timeoutz = { idle = 5; };\n"),
    "a wrong type": config(b"backlog = [5];\n"),
    "a fraction": config(b"backlog = 5.5;\n"),
    "a group instead of a value": config(b"backlog = { a = 5; };\n"),
    "a value instead of a group": config(b"timeouts = 5;\n"),
    "an unknown unit": config(b'timeouts = { idle = "5 parsecs"; };\n'),
    "a time-out of nothing": config(b'timeouts = { idle = "0s"; };\n'),
    "an unknown choice": config(b'over_limit = "shrug";\n'),
    "a contradiction": config(b"prefork = { min_spare = 9; max_spare = 3; };\n"),
    "a network with bits behind its prefix": config(b'access = { allow = ["10.0.0.1/8"]; };\n'),
    "no network": config(b'access = { deny = ["300.0.0.0/8"]; };\n'),
    "a string too long": config(b'process = { group = "' + b"x" * 5000 + b'"; };\n'),
}

ADDRESSES = {
    "an unknown model": {"model": "perfork"},
    "no address": {"listen": ()},
    "a port too high": {"listen": ("127.0.0.1:70000",)},
    "a host name": {"listen": ("localhost:0",)},
    "an address without a port": {"listen": ("127.0.0.1",)},
    "a relative path": {"listen": ("unix:relative",)},
    "a path too long": {"listen": ("unix:/" + "x" * 200,)},
    "an address twice": {"listen": ("127.0.0.1:1061", "127.0.0.1:1061")},
    "an unknown protocol": {"listen": ({"address": "127.0.0.1:0", "protocol": "eccho"},)},
    "an unknown key of a listener": {"listen": ({"address": "127.0.0.1:0", "protokoll": "echo"},)},
    "a mode for TCP": {"listen": ({"address": "127.0.0.1:0", "mode": "0600"},)},
    "too many listeners": {"listen": ("127.0.0.1:0",) * 65},
}

TABLES = {
    "a table that is a folder": table_instead(os.mkdir),
    "a table that is a pipe": table_instead(os.mkfifo),
    "a table that is a device": table_instead(lambda path: path.symlink_to("/dev/zero")),
    "no table": table_instead(lambda path: None),
    "a line without a question mark": table(b"Simple is better than. Complex.\n"),
    "two question marks": table(b"Simple? is better than? Complex.\n"),
    "no full stop": table(b"Simple is better than? Complex\n"),
    "two full stops": table(b"Simple is better than? Com.plex.\n"),
    "a question twice": table(b"a? b.\n\n# c\na? d.\n"),
    "a question too long": table(b"x" * 4096 + b"? long.\n"),
    "an answer too long": table(b"a? " + b"x" * 70000 + b".\n"),
    "100 MiB of zeros": table_instead(sparse),
    "no text at all": table(bytes(range(256)) * 40),
}


def output(result):
    return result.stdout + result.stderr


def settings(**more):
    def write(d):
        d.config.write_text(libconfig({**d.settings, **more}))
        return d.config.name
    return write


EVERY = {**BAD, **{name: settings(**more) for name, more in ADDRESSES.items()}, **TABLES}


@pytest.mark.parametrize("name", EVERY)
def test_it_is_told_by_the_test_option(place, name):
    d = Daemon(place)
    where = EVERY[name](d)
    result = run(APHORISMD, "--test", "-c", d.config)
    assert result.returncode in (66, 78), output(result)
    assert where in output(result)
    assert result.stderr.count("\n") < 300


@pytest.mark.parametrize("name", EVERY)
def test_it_does_not_harm_a_running_daemon(daemon, name):
    d = daemon(table={**THREE, MARK: b"the old one."})
    good = d.config.read_text()
    with d.connect() as client:
        assert client.ask(MARK) == b"the old one."
        where = EVERY[name](d)
        result = d.ctl("reload")
        assert result.returncode in (66, 78), output(result)
        assert where in output(result)
        assert client.ask(MARK) == b"the old one."
    assert d.ask(MARK) == b"the old one."
    for path in (d.config, d.table):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    d.config.write_text(good)
    d.table.write_bytes(protocol_model.text({**THREE, MARK: b"the new one."}))
    result = d.ctl("reload")
    assert result.returncode == 0, output(result)
    until("the new table", lambda: d.ask(MARK) == b"the new one.")


def test_a_double_names_both_lines(place):
    d = Daemon(place, table=b"a? b.\n\n# c\na? d.\n")
    result = run(APHORISMD, "--test", "-c", d.config)
    reason = next(line for line in output(result).splitlines() if "table.aphorisms:4: " in line)
    assert "1" in reason.split("table.aphorisms:4: ")[1]


@pytest.mark.parametrize("wrong,right", [("max_conections = 5;", "max_connections"), ('model = "perfork";', "prefork"),
                                         ("timeouts = { idel = 5; };", "timeouts.idle")])
def test_the_nearest_name_is_told(place, wrong, right):
    (place / "short.conf").write_text(wrong + "\n")
    result = run(APHORISMD, "--test", "-c", place / "short.conf")
    assert result.returncode == 78 and f"{place}/short.conf:1: " in output(result) and right in output(result)


def test_odd_but_good_files(place):
    """White space, comments of every kind, CR LF, includes of files in folders, numbers with every spelling."""
    (place / "sub").mkdir()
    (place / "sub" / "more.conf").write_text("backlog = 0x10;\n")
    d = Daemon(place)
    d.config.write_bytes(libconfig(d.settings).replace("\n", "\r\n").encode() +
                         b"# 4294967376\r\n// 4294967376\r\n/* backlog = 4294967376;\r\n*/\r\n"
                         b'timeouts : { idle : "5 s" ; write = 7 }\r\n@include "sub/more.conf"\r\n'
                         b'max_question_length = "8k";')
    result = run(APHORISMD, "--test", "-c", d.config)
    assert result.returncode == 0, output(result)


def test_files_of_the_year_2040(place):
    """Whose time does not fit into 32 bits."""
    d = Daemon(place)
    for path in (d.config, d.table):
        os.utime(path, (2208988800, 2208988800))
    result = run(APHORISMD, "--test", "-c", d.config)
    assert result.returncode == 0, output(result)


def test_a_reload_with_options_and_environment_told_wrong_at_the_start(place):
    for env, options in (({"APHORISMD_BACKLOG": "many"}, []), ({}, ["-o", "backlog=many"])):
        d = Daemon(place)
        result = run(APHORISMD, "--test", "-c", d.config, *options, env={**os.environ, **env})
        assert result.returncode == 78 and "backlog" in output(result).lower()
