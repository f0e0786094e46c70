"""What a test takes away from the daemon, or puts it into; and an honest word where the machine can't do it."""

import shutil

import pytest


def tool(name):
    """Where a program is that a test can't do without."""
    return shutil.which(name) or pytest.skip(f"no program {name}")
