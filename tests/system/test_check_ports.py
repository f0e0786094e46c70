"""The driver of other platforms tells what was tried, and what was not."""

import os
import shutil
import signal
import subprocess

import pytest

from harness import LIMIT, TOP, run, until

PORTS = TOP / "tests/ports"


@pytest.fixture
def driver(place):
    """A driver with parts of its own: call it with the text of each."""
    (place / "tests/ports").mkdir(parents=True)
    shutil.copy(TOP / "tests/check-ports", place / "tests")

    def made(**parts):
        for name, text in parts.items():
            part = place / "tests/ports" / name
            part.write_text(f"#!/bin/bash\n{text}\n")
            part.chmod(0o755)
        return place / "tests/check-ports"
    return made


def test_what_was_tried_and_what_was_not(driver, place):
    check = driver(good="echo left out: a thing", bad="exit 3", lacking="echo there is no qemu; exit 77")
    result = run(check, cwd=place)
    assert result.returncode == 1
    for line in "good, 0 s: passed", "bad, 0 s: FAILED, status 3", "lacking, 0 s: SKIPPED: there is no qemu":
        assert f"check-ports: {line}\n" in result.stdout.replace(", 1 s:", ", 0 s:")
    assert "\ncheck-ports: left out: good: a thing\n" in result.stdout
    assert run(check, "lacking", cwd=place).returncode == 77


def test_whoever_waits_for_another_run_is_told(driver, place):
    check = driver(slow="touch began; sleep 300")
    environ = {"PATH": os.environ["PATH"], "PORTS_LIMIT": "10"}        # the end of a wait in silence
    first = subprocess.Popen([check], cwd=place, stdout=subprocess.DEVNULL, env=environ)
    until("the part's begin", (place / "began").exists)
    second = subprocess.Popen([check], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env=environ)
    try:
        assert second.stderr.readline() == "check-ports: another run in this folder has to end first\n"
    finally:
        for process in second, first:
            process.send_signal(signal.SIGTERM)
            process.wait(LIMIT)
        second.stderr.close()
    assert first.returncode == 143


@pytest.mark.parametrize("sample, machines", [("0", {"aarch64", "s390x"}), ("1", {"aarch64"})])
def test_machines_of_the_cross_builds(place, sample, machines):
    """Only a sample leaves one out; where there is no compiler, the reason names each."""
    tools = place / "tools"
    tools.mkdir()
    for name in "bash", "dirname", "getconf", "mktemp", "rm":
        (tools / name).symlink_to(shutil.which(name))
    for name in "make", "apt-get", "dpkg-deb", "pkg-config":
        (tools / name).symlink_to(shutil.which("true"))
    result = run(PORTS / "cross", cwd=place, env={"PATH": str(tools), "PORTS_SAMPLE": sample})
    assert result.returncode == 77, result
    last = result.stdout.splitlines()[-1]
    assert {name for name in ("aarch64", "s390x") if f"{name}: gcc-" in last} == machines
