"""Readers copy what the documentation and the examples show, and then things go wrong.

So each program comes to its end also if one of its tasklets is killed where it waits, or if its time is
over there, and two threads can run it at the same time. `support/disturbed.py` tells what is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support import code_blocks, disturbed
from support.code_blocks import Block
from support.places import ROOT

RUNNER = Path(disturbed.__file__)
PATIENCE = 600  # of all rounds of a program, each of which has a patience of its own
EXAMPLES = [
    Block(path.relative_to(ROOT).as_posix(), 1, "python", path.read_text())
    for path in sorted((ROOT / "examples").glob("*.py"))
]
# What needs a NATS server tells of several processes: tests/python/aio/test_machines.py disturbs those.
PROGRAMS = [
    block for block in code_blocks.blocks_in("python") + EXAMPLES if "import nats" not in block.text
]

# Programs that show what the calls of the second column do to one tasklet, and say so: without it they have
# nothing to show. What comes out of them then, by their page and a line of theirs.
NEED_THEIR_TASKLET = {
    ("docs/guides/closing.md", 'scheduler.tasklet(channel.send)("last one")'): "the channel is closed",
    ("docs/guides/debugging.md", "task.frame.f_trace = trace "): "AttributeError: 'NoneType' object",
    ("docs/guides/killing.md", 'task.throw(ValueError, "a hint")'): "cannot be thrown at a dead tasklet",
    ("docs/guides/traps.md", 'channel.send("news")             # has not to wait'): "block_trap is set",
    ("docs/guides/yielding.md", "sleeping.insert()"): "the tasklet is dead",
    ("docs/tutorial.md", 'task.throw(ValueError, "closing time")'): "cannot be thrown at a dead tasklet",
}
# How long programs wait for somebody who has been killed: nobody comes in ten seconds who has not come in
# one. A guest of the chat waits for what is said after two. And there is a round for each tasklet.
SHORTER = {
    "timeout=10)": "timeout=1)",
    "PATIENCE = 5.0": "PATIENCE = 2.0",
    "PATIENCE = 10.0": "PATIENCE = 2.0",
    "AGENTS = 5_000": "AGENTS = 20",
    "range(1, 51)": "range(1, 6)",
    "agent, number) for number in range(100)": "agent, number) for number in range(10)",
}
# What is about the whole process, or about all threads.
PROCESS_WIDE = re.compile(
    r"set_use_nested_tasklets|unblock_all_channels|_callback\(|settrace|setprofile|cProfile|faulthandler"
    r"|get_(active|all_time)_|get_number_of|gc\.collect|dump_tasklets|set_deadlock_timeout|set_stack_size"
    r"|stack_stats|signal\.|_trace\(|scheduler\.trace\(file|flight"
)


def name_of(block: Block) -> str:
    return block.name


@pytest.fixture
def disturb(tmp_path: Path, run_script: Callable) -> Callable[[str, Block], str]:
    def run(kind: str, block: Block) -> str:
        program = tmp_path / "program.py"
        text = block.text
        if kind != "threads":
            for long, short in SHORTER.items():
                text = text.replace(long, short)
        program.write_text(text)
        done = run_script(RUNNER, kind, str(program), timeout=PATIENCE)
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.mark.heavy
@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize("kind", ["kill", "timeout"])
@pytest.mark.parametrize("block", PROGRAMS, ids=name_of)
def test_it_ends_whatever_happens_to_a_tasklet(block: Block, kind: str, disturb: Callable) -> None:
    found = disturb(kind, block)
    reasons = [
        reason
        for (page, line), reason in NEED_THEIR_TASKLET.items()
        if page == block.page and line in block.text
    ]
    if kind == "kill" and reasons:
        (reason,) = reasons
        assert found.count("\nkill ") + found.startswith("kill ") == 1
        assert reason in found.splitlines()[0]
    elif kind == "kill" and "aio." in block.text:
        # What aio.run() waits for has been killed: it raises that.
        endings = re.split(r"^kill \d+: ", found, flags=re.MULTILINE)
        assert endings[0] == ""
        assert all("CancelledError: the tasklet has been killed" in ending for ending in endings[1:])
    else:
        assert found == ""


@pytest.mark.heavy
@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize(
    "block", [block for block in PROGRAMS if not PROCESS_WIDE.search(block.text)], ids=name_of
)
def test_two_threads_can_run_it_at_the_same_time(block: Block, disturb: Callable) -> None:
    once = block.output or ""
    if block in EXAMPLES:
        once = (ROOT / "examples" / "expected" / f"{Path(block.page).stem}.txt").read_text()
    assert disturb("threads", block) == f"{once}\0{once}\0"


# The home-made event that a reader might write: see docs/guides/yielding.md.
LIST_OF_PAUSED = """
import scheduler

waiting = []

def guest():
    waiting.append(scheduler.getcurrent())
    scheduler.schedule_remove()

for _ in range(3):
    scheduler.tasklet(guest)()
scheduler.run()
for task in waiting:
    try:
        task.insert()
    except RuntimeError:
        {handling}
scheduler.run()
"""


@pytest.mark.parametrize(
    "handling, problem", [("raise", "the tasklet is dead"), ("break", "left paused: guest")]
)
def test_a_tasklet_that_nobody_wakes_is_found(handling: str, problem: str, disturb: Callable) -> None:
    text = LIST_OF_PAUSED.format(handling=handling)
    assert problem in disturb("kill", Block("home-made", 1, "python", text))


CATCHES_ALL = """
import os
import scheduler

def work():
    try:
        scheduler.schedule()
    except TimeoutError:
        {reaction}

scheduler.tasklet(work)()
scheduler.run()
"""


@pytest.mark.parametrize(
    "reaction, problem", [("os.abort()", "died of SIGABRT"), ("raise KeyError(1)", "KeyError: 1")]
)
def test_a_program_that_ends_otherwise_is_found(reaction: str, problem: str, disturb: Callable) -> None:
    text = CATCHES_ALL.format(reaction=reaction)
    assert problem in disturb("timeout", Block("broken", 1, "python", text))


def test_the_lists_are_up_to_date() -> None:
    for page, line in NEED_THEIR_TASKLET:
        assert sum(line in block.text for block in PROGRAMS if block.page == page) == 1, (page, line)
    for long in SHORTER:
        assert any(long in block.text for block in PROGRAMS), long
