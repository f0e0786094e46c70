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


def until_it_listens(lines):
    for line in lines:
        yield line.decode()
        if b"listening on" in line:
            break


def lives(image, port, *options):
    """With these options it serves there, is in health and does as it is told, until it is stopped."""
    container = buildah("from", image)
    entry = configured(image, ".Docker.Config.Entrypoint").strip("[]").split()
    health = "sh", "-c", configured(image, "index .Docker.Config.Healthcheck.Test 1")
    command = [str(word) for word in (*BUILDAH, "run", *options, container, "--", *entry)]
    daemon = subprocess.Popen(command, env=ISOLATED, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    try:
        said = list(until_it_listens(daemon.stdout))
        assert f"listening on *:{port}" in said[-1], said
        assert answers(f"127.0.0.1:{port}")
        buildah("run", *options, container, "--", *health)
        # without a control socket it goes by the variable
        buildah("run", *options, "--env", "XDG_RUNTIME_DIR=/nowhere", container, "--", *health)
        status = buildah("run", *options, container, "--", "aphorismctl", "status")
        assert {"model event", f"listening *:{port}"} <= set(status.splitlines())
        buildah("run", *options, container, "--", "aphorismctl", "stop")
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.wait()
    with pytest.raises(AssertionError):
        buildah("run", *options, container, "--", *health)


def test_it_serves_in_the_foreground_without_root(image):
    """Whoever runs it, and wherever it listens."""
    assert configured(image, ".Docker.Config.User") == "aphorismd"
    lives(image, 1060, "--env", "APHORISMD_MODEL=event")
    for user in "1000650000:0", "12345:12345":
        lives(image, 8107, "--env", "APHORISMD_MODEL=event", "--user", user, "--env", "APHORISMD_LISTEN=*:8107")
