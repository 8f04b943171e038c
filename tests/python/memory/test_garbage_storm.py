"""Tasklets that nobody can reach go on in the middle of collections (see support/garbage_storm.py)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.places import PYTHON_TESTS
from support.waiting import TIMEOUT

SECONDS = 3


@pytest.mark.timeout(4 * TIMEOUT)
@pytest.mark.spec("DEC-16", "DEC-8", "T-18", "D-52")
def test_whoever_still_runs_finds_what_it_needs():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "support.garbage_storm", str(SECONDS)],
        cwd=PYTHON_TESTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3 * TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
