"""Where the system tests find their harness and their fixtures."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("harness")

import harness  # noqa: E402
from fixtures import daemon, place, pytest_generate_tests, reserved, uring  # noqa: E402, F401

if not os.access(harness.APHORISMD, os.X_OK):
    pytest.exit(f"no program {harness.APHORISMD}: build it, or name it in TEST_APHORISMD", 2)
