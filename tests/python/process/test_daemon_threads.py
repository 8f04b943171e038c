"""Daemon threads that are at something when the interpreter ends (H-05, H-09).

CPython ends such a thread by force where it next wants to run Python code, in the middle of what it
is at: on a tasklet's stack, below a run loop, in an exchange, while it waits. The exit code stays
the program's own, nothing is said on stderr, and nothing hangs.
"""

from __future__ import annotations

import random

import pytest

from support.daemon_program import EXIT_CODE, WORK
from support.places import PYTHON_TESTS

PROGRAM = PYTHON_TESTS / "support" / "daemon_program.py"
ROUNDS = 30


@pytest.mark.spec("H-05", "H-09", "D-42", "DEC-3")
@pytest.mark.parametrize("name", WORK)
def test_a_program_ends_while_daemon_threads_go_on(run_script, name):
    rng = random.Random(name)  # the same numbers each time
    spins = [rng.choice([0, 1, rng.randrange(100), rng.randrange(20_000)]) for _ in range(ROUNDS)]
    done = run_script(PROGRAM, name, *map(str, spins), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_CODE, "", "")
