"""The programs under examples/, each in a fresh interpreter, and what it must print.

`examples/NAME.py` prints `examples/expected/NAME.txt`, whatever the machine is busy with. The C++
host under examples/embedding is built and run with the tests of the C table (cmake/Tests.cmake).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support import nats_server
from support.places import ROOT

EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))


def expected(program: Path) -> str:
    return (EXAMPLES / "expected" / f"{program.stem}.txt").read_text()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program(program: Path, run_script: Callable) -> None:
    if "nats-server" in program.read_text():
        nats_server.program()
    done = run_script(program)
    assert (done.stdout, done.stderr) == (expected(program), "")


def test_each_program_has_its_output_and_is_in_the_list() -> None:
    names = [program.stem for program in PROGRAMS]
    assert names == sorted(path.stem for path in (EXAMPLES / "expected").glob("*.txt"))
    listed = (EXAMPLES / "README.md").read_text()
    assert [name for name in names if f"({name}.py)" not in listed] == []


def test_a_trace_of_the_game_loop_shows_the_slow_character(
    tmp_path: Path, run_script: Callable
) -> None:
    program, file = EXAMPLES / "game_loop.py", tmp_path / "game.json"
    done = run_script(program, "--trace", str(file))
    assert done.stdout == expected(program) + "oracle: prophecy 1, prophecy 2, prophecy 3\n"
    events = json.loads(file.read_text())["traceEvents"]
    used: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "turn":
            used.setdefault(event["name"], []).append(event["dur"])
    # It computes in three turns, of ten milliseconds each, what find_path() does in 60.
    assert len([turn for turn in used["prophesy"] if turn > 9000]) == 3
    assert len(used["find_path"]) > 50
    assert [event for event in events if event["name"] == "frame 3"]


def test_game_loop_plots_its_frames_or_says_what_is_missing(
    tmp_path: Path, run_script: Callable
) -> None:
    program, plot = EXAMPLES / "game_loop.py", tmp_path / "frames.svg"
    drawn = importlib.util.find_spec("matplotlib") is not None
    done = run_script(program, "--plot", str(plot), check=False)
    assert done.stdout == expected(program)
    assert (done.returncode, plot.is_file()) == ((0, True) if drawn else (1, False))
    if not drawn:
        assert done.stderr == "--plot needs matplotlib: pip install matplotlib\n"
