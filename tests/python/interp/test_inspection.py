"""Tools that look at tasklets from outside of the code that runs (S-08): faulthandler, asyncio's call
graph, sys.remote_exec() and the sampling profiler. They see the tasklet that has its turn."""

from __future__ import annotations

import asyncio
import faulthandler
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import _scheduler
import scheduler
from support.scheduling import queued
from support.threads import Worker
from support.waiting import TIMEOUT

HAS_C_DUMP = hasattr(faulthandler, "dump_c_stack")  # from 3.14 on, as the two that follow
HAS_CALL_GRAPH = hasattr(asyncio, "format_call_graph")
HAS_REMOTE_EXEC = hasattr(sys, "remote_exec")
HAS_SAMPLING = sys.version_info >= (3, 15)


def written(dump: Callable[..., None], *args: Any, **kwargs: Any) -> str:
    with tempfile.TemporaryFile("w+") as report:
        dump(report, *args, **kwargs)
        report.seek(0)
        return report.read()


@pytest.fixture
def suspended() -> Iterator[None]:
    """Tasklets that wait: in a function, below a sort and in a generator."""
    channel = scheduler.channel()

    def generating() -> Iterator[None]:
        yield channel.receive()

    def below_a_sort() -> None:
        sorted([1, 2], key=lambda number: channel.receive() or 0)

    def in_a_generator() -> None:
        list(generating())

    tasks = [queued(function) for function in (channel.receive, below_a_sort, in_a_generator)]
    scheduler.run()
    yield
    while tasks:
        tasks.pop().kill()


# ------------------------------------------------------------------------------------- faulthandler


def functions(dump: str) -> list[list[str]]:
    """The names that a dump of tracebacks shows for each thread, innermost first."""
    threads = re.split(r"^(?:Current thread|Thread) .*$", dump, flags=re.MULTILINE)[1:]
    return [re.findall(r"line \d+ in (\S+)", thread) for thread in threads]


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("suspended")
def test_a_dump_of_tracebacks_shows_the_tasklet_that_has_its_turn() -> None:
    dumps = []

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            dumps.append(written(faulthandler.dump_traceback, all_threads=True))

    queued(deep, 3)
    scheduler.run()
    assert functions(dumps[0])[-1] == ["written", "deep", "deep", "deep", "deep"]


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("suspended")
def test_a_dump_of_tracebacks_shows_no_suspended_tasklet() -> None:
    name = sys._getframe().f_code.co_name
    shown = functions(written(faulthandler.dump_traceback, all_threads=True))[-1]
    assert shown[:2] == ["written", name]
    assert not {"below_a_sort", "in_a_generator", "generating"} & set(shown)


@pytest.mark.spec("S-08")
def test_a_dump_of_tracebacks_shows_the_tasklets_of_other_threads() -> None:
    there, leave = threading.Event(), threading.Event()

    def waiting_for_leave() -> None:
        there.set()
        assert leave.wait(TIMEOUT)

    def work() -> None:
        queued(waiting_for_leave)
        scheduler.run()

    worker = Worker(work)
    assert there.wait(TIMEOUT)
    threads = functions(written(faulthandler.dump_traceback, all_threads=True))
    leave.set()
    worker.join()
    assert [shown[-1] for shown in threads if "waiting_for_leave" in shown] == ["waiting_for_leave"]


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not HAS_C_DUMP, reason="faulthandler.dump_c_stack() came with 3.14")
@pytest.mark.usefixtures("suspended")
def test_a_dump_of_the_c_stack_ends_where_the_tasklet_began() -> None:
    dumps = []
    queued(lambda: dumps.append(written(faulthandler.dump_c_stack)))
    scheduler.run()
    dumps.append(written(faulthandler.dump_c_stack))
    if "cannot" in dumps[1]:
        pytest.skip(dumps[1])
    bottom = [dump.splitlines()[-1] for dump in dumps]
    assert Path(_scheduler.__file__).name in bottom[0]
    assert Path(_scheduler.__file__).name not in bottom[1]


# ------------------------------------------------------------------------------------------ asyncio


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not HAS_CALL_GRAPH, reason="the call graph of asyncio came with 3.14")
@pytest.mark.usefixtures("suspended")
def test_the_call_graph_of_a_task_that_runs_in_a_tasklet() -> None:
    graphs: dict[str, Any] = {}

    async def inner() -> None:
        await asyncio.sleep(0)
        scheduler.schedule()  # another tasklet comes and goes
        graphs["running"] = asyncio.capture_call_graph()

    async def outer() -> None:
        task = asyncio.create_task(inner())
        await asyncio.sleep(0)
        graphs["waiting"] = asyncio.capture_call_graph(task)
        graphs["text"] = asyncio.format_call_graph(task)
        await task

    queued(asyncio.run, outer())
    queued(lambda: None)
    scheduler.run()

    def names(graph: Any) -> list[str]:
        return [entry.frame.f_code.co_name for entry in graph.call_stack]

    assert names(graphs["running"])[-1] == "inner"
    assert [names(graph) for graph in graphs["running"].awaited_by] == [["outer"]]
    assert names(graphs["waiting"]) == ["sleep", "inner"]
    assert "<locals>.inner()" in graphs["text"]
    graphs.clear()


# ------------------------------------------------------------------------------------ other processes

PROGRAM = """
    import sys, time
    import scheduler

    end = time.monotonic() + 60
    seen = []

    def spin():
        return sum(range(1000))

    def first():
        spin()

    def second():
        spin()

    def turns(function):
        while time.monotonic() < end and not seen:
            function()
            scheduler.schedule()

    def generating():
        while time.monotonic() < end and not seen:
            scheduler.schedule()
            yield spin()

    def third():
        for _ in generating():
            pass

    waiting = scheduler.tasklet(scheduler.channel().receive)()
    scheduler.run()
    scheduler.tasklet(turns)(first)
    scheduler.tasklet(turns)(second)
    scheduler.tasklet(third)()
    scheduler.tasklet(print)("ready", flush=True)
"""


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """A process whose tasklets take turns until somebody puts something into its list `seen`."""
    source = textwrap.dedent(PROGRAM) + "scheduler.run()\nprint(*seen)\nwaiting.kill()\n"
    command = [sys.executable, "-X", "faulthandler", "-c", source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


# It gives other tasklets turns in the middle of it.
REMOTE = """
    import __main__, scheduler, sys, traceback
    stack = [entry.name for entry in traceback.extract_stack()]
    me = scheduler.getcurrent()
    scheduler.schedule()
    assert scheduler.getcurrent() is me
    __main__.seen += [me.method_name, stack[0]]
"""


@pytest.fixture
def remote_script(tmp_path: Path) -> Path:
    if not sys.is_remote_debug_enabled():
        pytest.skip("remote debugging is switched off in this interpreter")
    script = tmp_path / "remote.py"
    script.write_text(textwrap.dedent(REMOTE))
    return script


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not HAS_REMOTE_EXEC, reason="sys.remote_exec() came with 3.14")
def test_a_script_from_another_process_runs_in_the_tasklet_that_has_its_turn(
    program: subprocess.Popen[str], remote_script: Path
) -> None:
    try:
        sys.remote_exec(program.pid, remote_script)
    except PermissionError as error:
        pytest.skip(f"the system refuses it: {error}")
    output, _ = program.communicate(timeout=TIMEOUT)
    assert output in ("turns turns\n", "third third\n")
    assert program.returncode == 0


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not HAS_REMOTE_EXEC, reason="sys.remote_exec() came with 3.14")
def test_a_script_of_the_process_itself_runs_in_the_tasklet_that_has_its_turn(
    run_script: Callable, remote_script: Path
) -> None:
    source = PROGRAM + """
    import os
    scheduler.tasklet(sys.remote_exec)(os.getpid(), sys.argv[1])
    scheduler.run()
    waiting.kill()
    print(*seen)
    """
    done = run_script(source, str(remote_script))
    assert done.stdout in ("ready\nturns turns\n", "ready\nthird third\n")


@pytest.mark.spec("S-08")
@pytest.mark.skipif(not HAS_SAMPLING, reason="the sampling profiler came with 3.15")
def test_a_sampling_profiler_sees_the_tasklets_that_have_their_turns(
    program: subprocess.Popen[str], tmp_path: Path
) -> None:
    result = tmp_path / "stacks"
    command = [sys.executable, "-m", "profiling.sampling", "attach", "--blocking", "-d", "1"]
    done = subprocess.run(
        [*command, "--collapsed", "-o", result, str(program.pid)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if "Permission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip(f"the system refuses it: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert program.poll() is None
    lines = result.read_text().splitlines()
    stacks = {tuple(re.findall(r":(\w+):\d+", line)) for line in lines}
    whole = {("turns", name, "spin") for name in ("first", "second")}
    whole.add(("third", "generating", "spin"))
    assert whole <= stacks
    # No sample mixes two tasklets.
    assert all(any(stack == chain[: len(stack)] for chain in whole) for stack in stacks)
