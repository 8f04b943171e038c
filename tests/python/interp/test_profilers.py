"""Profilers of others see a tasklet's stack: those that have a wheel for this interpreter."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scheduler
from support.scheduling import queued
from support.waiting import TIMEOUT

PY_SPY = Path(sys.prefix, "bin", "py-spy")
# Three functions deep, for as long as somebody looks.
PROGRAM = """
import sys
import scheduler

def innermost():
    print("there", flush=True)
    while True:
        pass

def between():
    innermost()

def outermost():
    between()

channel = scheduler.channel()
scheduler.tasklet(channel.receive)()
scheduler.run()
scheduler.tasklet(outermost)()
scheduler.run()
"""


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not PY_SPY.exists(), reason="py-spy does not know this interpreter")
def test_py_spy_sees_the_tasklet_that_has_its_turn(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "there\n"
            command = [str(PY_SPY), "dump", "--pid", str(process.pid)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
        finally:
            process.kill()
    if "Permission denied" in done.stderr:
        pytest.skip(f"the system refuses it: {done.stderr}")
    assert done.returncode == 0, done.stderr
    seen = [line.split()[0] for line in done.stdout.splitlines() if "program.py:" in line]
    assert seen == ["innermost", "between", "outermost"]


@pytest.mark.spec("S-08")
@pytest.mark.skipif(
    importlib.util.find_spec("pyinstrument") is None, reason="pyinstrument has no wheel for this interpreter"
)
def test_pyinstrument_gives_each_tasklet_its_time() -> None:
    from pyinstrument import Profiler

    def compute(seconds: float) -> None:
        for _ in range(5):
            end = time.thread_time() + seconds
            while time.thread_time() < end:
                pass
            scheduler.schedule()

    def short() -> None:
        compute(0.01)

    def long() -> None:
        compute(0.05)

    for function in (short, long):
        queued(function)
    profiler = Profiler(interval=0.001, async_mode="disabled", use_timing_thread=False)
    profiler.start()
    scheduler.run()
    session = profiler.stop()
    root = session.root_frame()
    assert root is not None
    pending, found = [root], {}
    while pending:
        frame = pending.pop()
        found[frame.function] = frame
        pending += frame.children
    # Neither stands below the other, as it would if a stack were taken for that of another tasklet.
    assert {child.function for child in found["long"].children} == {"compute"}
    assert found["long"].parent is found["short"].parent
    assert found["long"].time > found["short"].time
