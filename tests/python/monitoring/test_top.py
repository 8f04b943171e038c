"""`python -m scheduler top`: which program it finds, and what it shows (MON-06, MON-07)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.monitoring import _top
from support.waiting import TIMEOUT

TOP = "import runpy; runpy.run_module('scheduler', run_name='__main__')"
BODY = """
channel = scheduler.channel()
keep = [scheduler.tasklet(channel.receive, name=f"waiter {number}")() for number in range(3)]
scheduler.run()
"""


@pytest.fixture
def top(run_script: Callable, sockets: Path) -> Callable[..., Any]:
    return lambda *arguments: run_script(TOP, "top", *arguments, check=False)


def state_of(**entries: Any) -> dict[str, Any]:
    """A state as it is sent, of one tasklet."""
    tasklet = {
        "number": 1,
        "name": "smith",
        "thread": 1,
        "main": False,
        "state": "blocked",
        "wait": "receives on <scheduler.Channel balance=-1 preference=-1 open at 0x7f00>",
        "since": 12.34,
        "processor": 0.5,
        "share": 0.25,
        "turns": 7,
        "turns_a_second": 3.0,
        "place": "/home/me/project/game.py:12",
    }
    return {
        "name": "game",
        "pid": 42,
        "seconds": 1.0,
        "threads": [{"ident": 1, "name": "MainThread", "processor": 1.5}],
        "counts": {"blocked": 1},
        "left_out": 0,
        "tasklets": [tasklet | entries],
    }


@pytest.mark.spec("MON-06")
@pytest.mark.parametrize("by", ["number", "name", "nothing"])
def test_a_program_is_found(program: Callable, top: Callable, by: str) -> None:
    process = program(BODY, name="game")
    wanted = {"number": [str(process.pid)], "name": ["game"], "nothing": []}[by]
    done = top(*wanted, "--once")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"game, process {process.pid}: 3 blocked, 1 running; ")
    assert lines[1] == "1 thread: MainThread"
    assert [number for number in range(3) if f"waiter {number}" not in done.stdout] == []
    assert "receives on Channel balance=-3" in done.stdout


@pytest.mark.spec("MON-06")
def test_once_in_json(program: Callable, top: Callable) -> None:
    process = program(BODY, name="game")
    state = json.loads(top("game", "--once", "--json").stdout)
    assert state["pid"] == process.pid
    names = sorted(entry["name"] for entry in state["tasklets"])
    assert names == ["main", "waiter 0", "waiter 1", "waiter 2"]
    assert state["seconds"] > 0


@pytest.mark.spec("MON-06")
def test_it_ends_with_the_program(program: Callable, sockets: Path) -> None:
    process = program(BODY, name="game")
    command = [sys.executable, "-c", TOP, "top", "game", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert json.loads(reader.stdout.readline())["name"] == "game"
        process.communicate(timeout=TIMEOUT)
        for line in reader.stdout:
            assert json.loads(line)["name"] == "game"
        assert reader.wait(TIMEOUT) == 0


@pytest.mark.spec("MON-06")
def test_of_two_programs_of_a_name_it_asks_for_the_number(program: Callable, top: Callable) -> None:
    one, other = program(BODY, name="game"), program(BODY, name="game")
    first, second = sorted((one.pid, other.pid))
    done = top("game")
    assert done.returncode == 1
    assert f"several programs: {first} (game), {second} (game). Give the number" in done.stderr
    assert top(str(second), "--once").stdout.startswith(f"game, process {second}: ")


@pytest.mark.spec("MON-06")
def test_who_is_not_there_is_not_found(program: Callable, top: Callable, sockets: Path) -> None:
    done = top()
    assert (done.returncode, done.stdout) == (1, "")
    assert "no program of yours is monitored: it has to call scheduler.monitor()" in done.stderr
    dead = program(BODY, name="game")
    dead.send_signal(signal.SIGKILL)
    dead.wait(TIMEOUT)
    for wanted, message in {
        str(dead.pid): f"there is no process {dead.pid}",
        "game": "no program game of yours is monitored",
        str(os.getpid()): f"no program {os.getpid()} of yours is monitored",
    }.items():
        done = top(wanted)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
    assert list(sockets.iterdir()) == []


@pytest.mark.spec("MON-06")
def test_it_does_not_find_itself(
    top: Callable, monkeypatch: pytest.MonkeyPatch, program: Callable
) -> None:
    monkeypatch.setenv("SCHEDULER_MONITOR", "game")
    process = program(BODY)
    assert top("game", "--once").stdout.startswith(f"game, process {process.pid}: ")


@pytest.mark.spec("MON-06")
def test_a_directory_that_is_open_to_others_is_not_trusted(top: Callable, sockets: Path) -> None:
    sockets.mkdir()
    sockets.chmod(0o755)
    done = top()
    assert done.returncode == 1
    assert "nobody else may enter" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.spec("MON-07")
def test_a_row_says_what_a_tasklet_does() -> None:
    *_, row = _top.table(state_of(), "processor", 160, None)
    assert row.split() == [
        *("25.0", "0.50", "s", "3", "12.34", "s", "blocked", "smith"),
        *("receives", "on", "Channel", "balance=-1", "preference=-1", "open", "project/game.py:12"),
    ]


@pytest.mark.spec("MON-07")
def test_names_do_not_command_the_terminal() -> None:
    evil = "\x1b[2J\x9b1m\n\rX\x00\u202e"
    for line in _top.table(state_of(name=evil, wait=evil, place=evil), "processor", 200, None):
        assert line.isprintable()


@pytest.mark.spec("MON-07")
def test_it_fits_the_terminal() -> None:
    state = state_of(name="x" * 100)
    state["tasklets"] *= 50
    lines = _top.table(state, "processor", 60, 20)
    assert len(lines) == 20
    assert max(map(len, lines)) <= 60
    assert lines[-1] == "... 35 lines more"


@pytest.mark.spec("MON-07")
def test_it_is_sorted_by_processor_time_or_by_wait() -> None:
    def names(by: str) -> list[str]:
        return [row.split()[7] for row in _top.table(state, by, 160, None)[4:]]

    state = state_of()
    base = state["tasklets"][0]
    state["tasklets"] = [
        base | {"name": "a", "share": 0.1, "since": 3.0},
        base | {"name": "b", "share": 0.3, "since": 2.0},
        base | {"name": "c", "share": 0.2, "since": 9.0},
        base | {"name": "d", "share": 0.9, "since": 99.0, "state": "running"},
    ]
    assert names("processor") == ["d", "b", "c", "a"]
    assert names("wait") == ["c", "a", "b"]


@pytest.mark.spec("MON-07")
@pytest.mark.parametrize(
    "seconds, text", [(0.004, "0.00 s"), (99.9, "99.90 s"), (150, "2.5 min"), (7200, "2.0 h")]
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert _top.seconds_text(seconds) == text


@pytest.mark.spec("MON-07")
def test_in_a_terminal_it_is_drawn_again_and_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _top.refresh(iter([state_of(), state_of(name="other")]), "processor")
    shown = capsys.readouterr().out
    assert shown.count("\x1b[H") == 3
    assert "smith" in shown and "other" in shown
    assert shown.endswith("\x1b[?25hThe program has ended.\n")
