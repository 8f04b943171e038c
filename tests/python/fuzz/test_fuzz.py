"""The fuzz (see the package `fuzz`) for some seconds, and whether it would notice what it looks for.

`make fuzz` runs it for longer.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from fuzz import driver
from fuzz.climate import draw
from support.places import PYTHON_TESTS, PYTHONPATH
from support.waiting import TIMEOUT

SECONDS = 5
SEEDS = 300  # of which one must show what is broken


@pytest.mark.timeout(10 * TIMEOUT)
@pytest.mark.spec("DEC-10", "H-01", "H-02", "C-53")
def test_random_programs_survive_random_events():
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", str(SECONDS)],
        cwd=PYTHON_TESTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=9 * TIMEOUT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("fuzz: ok")


def test_each_climate_is_repeatable_and_all_kinds_occur():
    climates = [draw(seed) for seed in range(SEEDS)]
    assert climates == [draw(seed) for seed in range(SEEDS)]
    for name in ("quiet", "tools", "collecting", "signals", "in_thread", "abandoned", "company"):
        assert {getattr(climate, name) for climate in climates} == {False, True}
    assert {climate.failing for climate in climates} > {"new", "mmap"}


# ---- would it notice? ------------------------------------------------------------------------------

BROKEN = """
    import sys
    import scheduler
    from fuzz.climate import draw
    from fuzz import session as sessions

    class Broken(scheduler.channel):
        {method}

    session = sessions.Session()
    scheduler.channel = Broken
    sessions.transfer = lambda: None  # which needs one that works
    for seed in range({seeds}):
        if not draw(seed).quiet and not draw(seed).failing and (wrong := session.play(seed)):
            print(*wrong, sep="\\n")
            break
"""

DROPS = """
        def send(self, value, timeout=None):
            if self.balance >= 0:
                super().send(value, timeout)"""
DOUBLES = """
        def send(self, value, timeout=None):
            for _ in range(1 - min(0, self.balance)):
                super().send(value, timeout)"""
RAISES_LATE = """
        def send(self, value, timeout=None):
            super().send(value, timeout)
            raise RuntimeError"""
KEEPS = """
        kept = []
        def send(self, value, timeout=None):
            self.kept.append(value)
            super().send(value, timeout)"""


@pytest.mark.timeout(5 * TIMEOUT)
@pytest.mark.parametrize(
    "method, complaint",
    [
        pytest.param(DROPS, "were lost", id="drops"),
        pytest.param(DOUBLES, "received by", id="doubles"),
        pytest.param(RAISES_LATE, "refused", id="raises late"),
        pytest.param(KEEPS, "still referred to", id="keeps"),
    ],
)
def test_the_books_notice_a_broken_channel(run_script, method, complaint):
    program = BROKEN.format(method=method, seeds=SEEDS)
    done = run_script(program, env={"PYTHONPATH": PYTHONPATH}, timeout=4 * TIMEOUT)
    assert complaint in done.stdout


CRASHING = "import os, sys; print(sys.argv[1], int(sys.argv[1]) + 1, flush=True); os.abort()"
HANGING = "import sys, threading; print(sys.argv[1], flush=True); threading.Event().wait(600)"


@pytest.mark.parametrize(
    "code, seed, why", [(CRASHING, 8, "ended with -6"), (HANGING, 7, "ended with -9")]
)
def test_a_crash_and_a_hang_name_their_seed(monkeypatch, code, seed, why):
    monkeypatch.setattr(driver, "LONGEST", 2.0)
    outcome = driver.run(7, count=5, seconds=1.0, worker=(sys.executable, "-c", code))
    assert f"repeat: python -m fuzz --seed {seed} --programs 1" in outcome.failure
    assert why in outcome.failure


def test_what_a_worker_says_is_a_failure():
    code = "import sys; print(7); sys.exit('lost')"
    outcome = driver.run(7, count=1, worker=(sys.executable, "-c", code))
    assert outcome.programs == 1
    assert "lost" in outcome.failure


def test_the_seeds_are_played_to_the_end():
    assert driver.run(1000, count=3, worker=(sys.executable, "-c", "print(*range(3))")).programs == 3
