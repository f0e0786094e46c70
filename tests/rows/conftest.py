"""Where the tests of tests/check-rows find the harness of the system tests."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
pytest.register_assert_rewrite("harness")

from fixtures import daemon, place  # noqa: E402, F401
