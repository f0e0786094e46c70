"""Where the comparison of two builds finds the harness of the system tests, and what runs for each model and engine."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
pytest.register_assert_rewrite("harness")

import harness  # noqa: E402
from fixtures import place, uring  # noqa: E402, F401

for program in harness.APHORISMD, os.environ.get("TEST_OLD", ""):
    if not os.access(program, os.X_OK):
        pytest.exit(f"no program {program!r}: run tests/check-same OLD-APHORISMD", 2)


def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model, engine", [(m, e) for m in harness.models()
                                               for e in (harness.engines() if m == "event" else (None,))])
