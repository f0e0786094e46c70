"""Bad input to a reload: served on, the reason logged once, and the next good reload works."""

import signal
import socket

import protocol_model
from crowd import REFUSED, RESET, Crowd
from harness import open_files, process, until
from protocol_model import THREE
from test_badconfig import EVERY, settings

MARK = b"Which table?"
FLAT = 512 << 10     # bytes by which the supervisor's memory may differ after all


def unbindable(address):
    return settings(listen=("127.0.0.1:0", address))


def mend(d, good, table):
    for path in (d.config, d.table, d.place / "more.conf"):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    d.config.write_text(good)
    d.table.write_bytes(protocol_model.text(table))


def test_a_long_day_of_bad_reloads(daemon, place, rng):
    """One daemon meets every bad file there is, in any order, amid clients, and by a signal as people send it."""
    d = daemon("prefork", table={**THREE, MARK: b"0."}, log__level="notice")
    good, number, before = d.config.read_text(), 0, None
    crowd = Crowd(d.address, 20, rng)
    other = socket.create_server(("127.0.0.1", 0))
    inhabited = place / "inhabited"
    inhabited.mkdir()
    every = {
        **EVERY,
        "a port in use": unbindable("127.0.0.1:%d" % other.getsockname()[1]),
        "an address of somebody else": unbindable("192.0.2.1:0"),
        "a socket in a folder that is not there": unbindable(f"unix:{place}/no/such/s"),
        "a folder in the socket's place": unbindable(f"unix:{inhabited}"),
        "a file in the socket's place": unbindable(f"unix:{place}/table.aphorisms"),
    }
    assert len(every) >= 60
    cases = rng.sample(sorted(every), len(every))
    for name in cases:
        where = every[name](d)
        since = len(d.lines)
        d.signal(signal.SIGHUP)
        d.wait_for(r"reload failed", since)
        reasons = d.lines[since:]
        assert len(reasons) == len(set(reasons)), f"{name}: told twice: {reasons}"
        assert any(where in line or "can't listen on" in line for line in reasons), f"{name}: {reasons}"
        assert d.ask(MARK) == b"%d." % number, name
        number += 1
        mend(d, good, {**THREE, MARK: b"%d." % number})
        d.signal(signal.SIGHUP)
        until("the new table", lambda: d.ask(MARK) == b"%d." % number)
        until("the end of the old generation", lambda: "state serving" in d.ctl("status").stdout)
        after = process(d.pid).memory(), len(open_files(d.pid))
        before = before or after
    crowd.finish()
    other.close()
    assert not crowd.how_many(REFUSED, RESET), crowd.count
    assert abs(before[0] - after[0]) < FLAT, f"{before}, then {after}"
    # aphorismctl may have ended before the supervisor had closed its end: at the first look, or at the last
    until("no more descriptors than at the beginning", lambda: len(open_files(d.pid)) <= before[1])
