"""The example programs of the specification, each in a fresh interpreter, compared literally.

`examples/ex_NN.py` is the program, `examples/ex_NN.txt` what it must print. Nothing may go to
stderr, except for the words that `EXPECTED_ERRORS` lists.

The Python blocks of the pages in `PAGES` are programs as well; what one prints is in the block of
text that follows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent / "examples"
PROGRAMS = sorted(EXAMPLES.glob("ex_*.py"))

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["threads.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)

# Words that a program must bring to stderr: contained exceptions are reported there.
EXPECTED_ERRORS = {"ex_25": ("ZeroDivisionError", "ValueError: lost")}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_example(program: Path, run_script: Callable) -> None:
    done = run_script(program)
    assert done.stdout == program.with_suffix(".txt").read_text()
    words = EXPECTED_ERRORS.get(program.stem, ())
    assert [word for word in words if word not in done.stderr] == []
    if not words:
        assert done.stderr == ""


def test_all_examples_are_there() -> None:
    assert [path.stem for path in PROGRAMS] == [f"ex_{number:02}" for number in range(1, 41)]
    for program in PROGRAMS:
        first = program.read_text().splitlines()[0]
        assert re.match(rf'"""EX-{program.stem[3:]}: ', first)


def blocks_of_pages() -> list:
    """The programs of the pages, each with what it must print."""
    found = []
    for page in PAGES:
        text = (DOCS / page).read_text()
        for number, block in enumerate(BLOCK.finditer(text), start=1):
            found.append(pytest.param(block[1], block[2] or "", id=f"{page}-{number}"))
    return found


@pytest.mark.parametrize(("program", "printed"), blocks_of_pages())
def test_program_of_a_page(program: str, printed: str, run_script: Callable) -> None:
    done = run_script(program)
    assert (done.stdout, done.stderr) == (printed, "")


def test_each_page_has_programs_and_the_pattern_finds_all() -> None:
    for page in PAGES:
        text = (DOCS / page).read_text()
        assert text.count("```python\n") == len(BLOCK.findall(text)) > 0
