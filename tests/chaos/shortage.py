"""What a test takes away from the daemon, and an honest word where the machine can't do it."""

import os
from pathlib import Path

import pytest

from harness import process, until

CGROUPS = Path("/sys/fs/cgroup")
V2 = (CGROUPS / "cgroup.controllers").exists()
LIMITS = {
    "memory": ("memory.max", "memory.swap.max") if V2 else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "pids": ("pids.max",),
}


def served(d):
    """Whether a fresh client gets its answer soon."""
    try:
        with d.connect(limit=0.5) as client:
            return client.ask(b"Simple is better than?") == b"Complex."
    except (OSError, AssertionError):
        return False


class Cgroup:
    """A control group with one limit; the daemon starts in it as what it runs `under`."""

    def __init__(self, controller, limit):
        self.path = CGROUPS / ("" if V2 else controller) / f"aphorismd-test-{os.getpid()}"
        self.controller = controller
        try:
            if V2:
                (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")
            self.path.mkdir()
        except OSError as failed:
            pytest.skip(f"no control group for {controller}: {failed}")
        self.limit(limit)
        enter = 'echo $$ > "$0" && exec "$@"'
        self.under = ("sh", "-c", enter, self.path / "cgroup.procs")

    def limit(self, value):
        """Sets it; the one of memory and swap together is left out where the kernel does not count swap."""
        first, *others = (self.path / name for name in LIMITS[self.controller])
        first.write_text(str(value))
        for other in filter(Path.exists, others):
            other.write_text("0" if V2 else str(value))

    def kills(self):
        """How many of its processes were killed for want of memory."""
        text = (self.path / ("memory.events" if V2 else "memory.oom_control")).read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def processes(self):
        return [int(word) for word in (self.path / "cgroup.procs").read_text().split()]

    def remove(self):
        until("an empty control group", lambda: not any(process(pid) for pid in self.processes()))
        until("its end", self.gone)

    def gone(self):
        try:
            self.path.rmdir()
        except OSError:
            return False     # the kernel is not done with its last process yet
        return True
