"""The packages themselves: how they are built, and what those who check packages say."""

import filecmp
import os
import re
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import APHORISMD, TOP
from machine import DEB, SCRATCH, Machine, package


def said(*words, **more):
    result = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            **more)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture
def tarball():
    found, = DEB.glob("aphorismd-*.tar.gz")
    return found


@pytest.fixture
def place(request):
    folder = SCRATCH / request.node.name
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def test_another_build_elsewhere_is_the_same(tarball, place):
    """With another umask, time zone and language."""
    there = place / "somewhere/quite/different"
    said("sh", "-c", 'umask 027; exec "$@"', "sh", TOP / "packaging/make-deb", tarball, there,
         env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8",
              "DEB_BUILD_OPTIONS": "nocheck parallel=2"})
    names = sorted(path.name for path in DEB.glob("*.deb"))
    assert names == sorted(path.name for path in there.glob("*.deb")) and len(names) == 4
    for name in names + [path.name for path in DEB.glob("*.tar.xz")]:
        assert filecmp.cmp(DEB / name, there / name, shallow=False), name


def test_another_tarball_is_the_same(tarball, place):
    """Of its own files, which are of another time and another owner's, with another umask, time zone and language."""
    there = place / "quite/different"
    there.mkdir(parents=True)
    said("tar", "-C", there, "--strip-components=1", "-xf", tarball)
    said("sh", "-c", 'chmod -R g+w,o= . && find . -exec touch -d 2001-01-01 {} + && chown -R nobody .', cwd=there)
    env = {"PATH": "/usr/bin:/bin", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8"}
    said("sh", "-c", "umask 077; ./configure --quiet && make -s dist", cwd=there, env=env, user="nobody")
    assert filecmp.cmp(tarball, there / tarball.name, shallow=False)
    said("make", "-s", "dist", cwd=there, env={**env, "SOURCE_DATE_EPOCH": "86400"}, user="nobody")
    with tarfile.open(there / tarball.name) as dated:
        assert {member.mtime for member in dated} == {86400}


def test_installed_folders_are_for_everybody(place):
    """Whatever the umask; but those that were there are as they were."""
    for umask in ("077", "000"):
        root = place / umask
        (root / "usr/local/bin").mkdir(parents=True)
        (root / "usr/local/bin").chmod(0o2775)
        said("sh", "-c", f"umask {umask}; exec make -s install prefix=/usr/local DESTDIR={root}",
             cwd=Path(APHORISMD).parent, env={"PATH": os.environ["PATH"]})
        assert stat.S_IMODE((root / "usr/local/bin").stat().st_mode) == 0o2775
        made = {path: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
        wrong = {str(path): oct(mode) for path, mode in made.items() if path != root / "usr/local/bin" and mode != (
            0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)}
        assert {"man8", "examples", "aphorismd"} <= {path.name for path in made if path.is_dir()} and not wrong


def test_lintian_has_neither_errors_nor_warnings():
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    changes, = DEB.glob("*.changes")
    complaints = said("lintian", "--allow-root", "--fail-on", "error,warning", changes)
    assert not re.search("^[EWO]:", complaints, re.MULTILINE), complaints       # O: overridden


def test_units_give_up_what_they_can(place):
    said("dpkg-deb", "--extract", package("aphorismd"), place)
    limits = {"aphorismd.service": 1.5, "aphorismd-activated.service": 0.5}
    units = [place / "lib/systemd/system" / name for name in limits]
    examples = place / "usr/share/doc/aphorismd/examples"
    for unit, limit in [*zip(units, limits.values()), (examples / "aphorismd-inetd@.service", 0.5)]:
        exposure = said("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
        assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", exposure).group(1)) <= limit, exposure


@pytest.fixture
def rpms(tarball, place):
    """The daemon's and the tools'."""
    if not shutil.which("rpmbuild"):
        pytest.skip("rpmbuild is not installed")
    said("rpmbuild", "-tb", "--nodeps", "--define", f"_topdir {place}", "--define", "debug_package %{nil}",
         "--define", "optflags -O0", tarball)
    return sorted(place.glob("RPMS/*/*.rpm"), key=lambda path: "tools" in path.name)


def test_rpm(rpms):
    daemon, tools = rpms
    files = [name.removesuffix(".gz") for name in said("rpm", "-qpl", daemon).split()]
    for name in ("/usr/sbin/aphorismd", "/usr/sbin/aphorismctl", "/usr/share/man/man5/aphorismd.conf.5",
                 "/usr/lib/systemd/system/aphorismd.service", "/usr/lib/systemd/system/aphorismd.socket",
                 "/usr/lib/sysusers.d/aphorismd.conf", "/etc/aphorismd/aphorismd.conf"):
        assert name in files
    assert "/etc/aphorismd/aphorismd.conf" in said("rpm", "-qpc", daemon).split()
    assert "/usr/bin/aphorism" in said("rpm", "-qpl", tools).split()
    assert "aphorismd" in said("rpm", "-qp", "--scripts", daemon)
    assert "shadow-utils" in said("rpm", "-qp", "--requires", daemon).split()
    for policy in ("enable", "disable"):
        check_image(daemon, policy)


def check_image(daemon, policy):
    """Where no systemd runs, what is installed starts at the first boot if the preset says so; removed it does not."""
    image = Machine()
    rpm = ["rpm", "--root", image.root, "--force-debian", "--nodeps"]
    wanted = image.root / "etc/systemd/system/multi-user.target.wants/aphorismd.service"
    try:
        presets = image.root / "etc/systemd/system-preset"
        presets.mkdir(parents=True, exist_ok=True)
        (presets / "00-test.preset").write_text(f"{policy} aphorismd.*\n")
        said(*rpm, "--install", daemon)
        assert wanted.is_symlink() == (policy == "enable")
        said(*rpm, "--erase", "aphorismd")
        assert not wanted.is_symlink()
    finally:
        image.remove()
