"""The recipe of the container, built and run by buildah."""

import shutil
import subprocess

import pytest

from harness import TOP
from installed import answers
from machine import DEB, ROOT, SCRATCH, Machine

BUILDAH = ["buildah", "--storage-driver", "overlay", "--root", SCRATCH / "buildah", "--runroot", SCRATCH / "buildah-run"]
ISOLATED = {"BUILDAH_ISOLATION": "chroot", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def buildah(*words):
    result = subprocess.run([str(word) for word in (*BUILDAH, *words)], env=ISOLATED, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


@pytest.fixture
def image():
    """Built on the root that is kept; the network is that of a machine, where there is nothing else."""
    if not shutil.which("buildah"):
        pytest.skip("buildah is not installed")
    machine = Machine().boot("sleep", "infinity")
    try:
        with machine.network():
            base = buildah("from", "scratch")
            buildah("add", "--quiet", base, ROOT, "/")
            buildah("commit", "--quiet", "--rm", base, "localhost/base")
            buildah("build", "--quiet", "--format", "docker", "--build-arg", "BASE=localhost/base", "--tag", "aphorismd",
                    "--file", TOP / "packaging/container/Containerfile", DEB)
            yield "aphorismd"
            buildah("rm", "--all")
            buildah("rmi", "--all", "--force")
    finally:
        machine.remove()


def configured(image, what):
    return buildah("inspect", "--type", "image", "--format", "{{%s}}" % what, image)


def test_it_serves_in_the_foreground_without_root(image):
    assert configured(image, ".Docker.Config.User") == "aphorismd"
    entry = configured(image, ".Docker.Config.Entrypoint").strip("[]").split()
    health = configured(image, "index .Docker.Config.Healthcheck.Test 1")
    container = buildah("from", image)
    daemon = subprocess.Popen([str(word) for word in (*BUILDAH, "run", "--env", "APHORISMD_MODEL=event", container, "--",
                                                      *entry)],
                              env=ISOLATED, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert b"listening on *:1060" in next(line for line in daemon.stdout if b"listening" in line)
        assert answers()
        buildah("run", container, "--", "sh", "-c", health)
        assert "model event\n" in buildah("run", container, "--", "aphorismctl", "status") + "\n"
        buildah("run", container, "--", "aphorismctl", "stop")
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.wait()
    with pytest.raises(AssertionError):
        buildah("run", container, "--", "sh", "-c", health)
