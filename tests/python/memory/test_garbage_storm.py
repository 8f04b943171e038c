"""Tasklets that nobody can reach go on in the middle of collections (see support/garbage_storm.py)."""

from __future__ import annotations

import pytest

from support.places import PYTHON_TESTS, PYTHONPATH
from support.waiting import TIMEOUT

PROGRAM = PYTHON_TESTS / "support" / "garbage_storm.py"
SECONDS = 3


@pytest.mark.timeout(4 * TIMEOUT)
@pytest.mark.spec("DEC-16", "DEC-8", "T-18", "D-52")
def test_whoever_still_runs_finds_what_it_needs(run_script):
    done = run_script(PROGRAM, str(SECONDS), timeout=3 * TIMEOUT, env={"PYTHONPATH": PYTHONPATH})
    assert done.stderr == ""
