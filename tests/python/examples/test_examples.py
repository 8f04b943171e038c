"""The example programs of the specification, each in a fresh interpreter, compared literally.

`examples/ex_NN.py` is the program, `examples/ex_NN.txt` what it must print, or, where the collector finds
blocked tasklets, `examples/ex_NN.collected.txt` if there is one. Nothing may go to stderr, except for
the words that `EXPECTED_ERRORS` lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.interpreter import FINDS_BLOCKED

EXAMPLES = Path(__file__).parent
PROGRAMS = sorted(EXAMPLES.glob("ex_*.py"))

# Words that a program must bring to stderr: contained exceptions are reported there.
EXPECTED_ERRORS = {"ex_25": ("ZeroDivisionError", "ValueError: lost")}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_example(program: Path, run_script: Callable) -> None:
    done = run_script(program)
    expected = program.with_suffix(".collected.txt")
    if not FINDS_BLOCKED or not expected.exists():
        expected = program.with_suffix(".txt")
    assert done.stdout == expected.read_text()
    words = EXPECTED_ERRORS.get(program.stem, ())
    assert [word for word in words if word not in done.stderr] == []
    if not words:
        assert done.stderr == ""


def test_all_examples_are_there() -> None:
    assert [path.stem for path in PROGRAMS] == [f"ex_{number:02}" for number in range(1, 41)]
    for program in PROGRAMS:
        first = program.read_text().splitlines()[0]
        assert re.match(rf'"""EX-{program.stem[3:]}: ', first)
