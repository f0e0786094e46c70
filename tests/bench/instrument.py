"""aphorism-bench as its tests use it, and the stub server that it is held against."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import harness

BENCH = os.environ.get("TEST_APHORISM_BENCH") or str(harness.TOP / "aphorism-bench")
STUB = Path(__file__).with_name("stub.py")


def eager():
    """In a child: before other work of the machine, where we may.  What is held to milliseconds must get the CPU in time."""
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)          # though the tests be run by nohup


class Stub:
    """A running stub.py."""

    def __init__(self, fault, *options):
        self.process = subprocess.Popen([sys.executable, str(STUB), *map(str, options), fault],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=eager)
        self.address = self.wait_for("listening on ").split()[-1]

    def wait_for(self, begin):
        for line in self.process.stdout:
            if line.startswith(begin):
                return line
        raise AssertionError(f"the stub ended without a line {begin!r}")

    @property
    def port(self):
        return harness.port(self.address)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def end(self):
        """What it has seen."""
        if self.process.returncode is not None:
            return None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=harness.LIMIT)
        return json.loads(said.splitlines()[-1])

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.communicate(timeout=harness.LIMIT)


def bench(*words, **more):
    """aphorism-bench to its end."""
    more.setdefault("preexec_fn", eager)
    return harness.run(BENCH, *words, **more)


def start(*words, **more):
    """aphorism-bench that goes on while the test does something else."""
    more.setdefault("env", harness.environment())
    more.setdefault("preexec_fn", eager)
    return subprocess.Popen([BENCH, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def measured(address, *options, status=0):
    """The one cell of a `run`."""
    result = bench("run", "--no-progress", "--json", "-", *options, address)
    assert result.returncode == status, result.stdout + result.stderr
    return cell(result.stdout)


def cell(text):
    record = json.loads(text)
    assert len(record["cells"]) == 1
    return record["cells"][0]


def errors(cell):
    """The kinds that occurred."""
    return {kind: count for kind, count in cell["errors"].items() if count}
