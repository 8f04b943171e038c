"""Traces to a file: what they tell of a program, how they begin and end, and what is refused."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scheduler
from scheduler.tracing import _raw
from support import recorded
from support.threads import Worker


def pause() -> None:
    scheduler.schedule()


# ---- what is told


@pytest.mark.spec("TRC-04")
def test_why_turns_end(tmp_path: Path) -> None:
    channel = scheduler.channel()

    def fails() -> None:
        raise ValueError

    with recorded.recorded(tmp_path) as done:
        yields = scheduler.tasklet(pause)()
        scheduler.run()
        sleeps = scheduler.tasklet(scheduler.sleep)(0.0001)
        sleeps.name = "sleeps"
        joins = scheduler.tasklet(sleeps.join)()
        waits = scheduler.tasklet(channel.receive)()
        waits.name = "waits"
        selects = scheduler.tasklet(scheduler.select)(channel)
        leaves = scheduler.tasklet(scheduler.schedule_remove)()
        scheduler.run(threadblock=False, timeout=0)
        scheduler.run()
        while sleeps.alive or joins.alive:
            scheduler.sleep(0.0001)
        waits.kill()
        selects.kill()
        leaves.kill()
        failing = scheduler.tasklet(fails)()
        with pytest.raises(ValueError):
            scheduler.run()
    recorded.check(done.trace)
    assert not yields.alive and not failing.alive
    assert done.whys("pause") == ["yielded", "ended"]
    assert done.whys("sleeps") == ["sleeps", "ended"]
    assert done.whys("sleeps", "blocked") == ["timed out"]
    assert done.whys("join") == ["joins", "ended"]
    assert done.whys("waits") == ["blocked", "killed"]
    assert done.whys("waits", "blocked") == ["killed"]
    assert done.whys("select") == ["selects", "killed"]
    assert done.whys("schedule_remove") == ["removed", "killed"]
    assert done.whys("fails") == ["failed"]


@pytest.mark.spec("TRC-03")
@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("sender_waits", [False, True])
def test_a_transfer_is_an_arrow_from_the_sender(
    tmp_path: Path, preference: int, sender_waits: bool
) -> None:
    channel = scheduler.channel()
    channel.preference = preference
    with recorded.recorded(tmp_path) as done:
        jobs = [(channel.send, (1,)), (channel.receive, ())]
        for job, arguments in jobs if sender_waits else reversed(jobs):
            scheduler.tasklet(job)(*arguments)
        scheduler.run()
    recorded.check(done.trace)
    (sender,), (receiver,) = done.named("send"), done.named("receive")
    transfers = [arrow for arrow in done.trace.arrows if arrow.kind == "transfer"]
    assert [(arrow.source, arrow.target) for arrow in transfers] == [(sender, receiver)]
    first, last = (sender, receiver) if sender_waits else (receiver, sender)
    wakes = [arrow for arrow in done.trace.arrows if arrow.kind == "wake" and arrow.source == last]
    assert [arrow.target for arrow in wakes] == [first]
    waiting = done.slices("send" if sender_waits else "receive", "blocked")
    assert [part.channel for part in waiting] == [transfers[0].channel]
    assert transfers[0].channel != 0


@pytest.mark.spec("TRC-03")
def test_a_transfer_between_threads_is_an_arrow(tmp_path: Path) -> None:
    channel, back = scheduler.channel(), scheduler.channel()
    with recorded.recorded(tmp_path) as done:
        worker = Worker(lambda: back.send(channel.receive()))
        channel.send("there")
        assert back.receive() == "there"
        worker.join()
    recorded.check(done.trace)
    thread_of = {task.number: task.thread for task in done.trace.tasklets}
    ways = [
        (thread_of[arrow.source], thread_of[arrow.target])
        for arrow in done.trace.arrows
        if arrow.kind == "transfer"
    ]
    assert sorted(ways) == [(1, 2), (2, 1)]


@pytest.mark.spec("TRC-05")
def test_names_and_places(tmp_path: Path) -> None:
    before = scheduler.tasklet(pause)()
    before.name = "was there"
    with recorded.recorded(tmp_path) as done:
        task = scheduler.tasklet(pause)()
        task.name = "größe"
        scheduler.run()
        worker = Worker(lambda: (scheduler.tasklet(pause)(), scheduler.run()))
        worker.join()
        odd = scheduler.tasklet(pause)()
        odd.name = "\ud800 alone"
        scheduler.run()
        del odd
    named = {task.name: task for task in done.trace.tasklets}
    assert {"main", "was there", "größe", "pause"} <= set(named)
    place = f"{Path(__file__).name}:{pause.__code__.co_firstlineno}"
    assert named["größe"].location == named["was there"].location == place
    assert [thread.name for thread in done.trace.threads] == ["MainThread", "Thread-1 (_run)"] or (
        done.trace.threads[0].name == "MainThread" and done.trace.threads[1].name.startswith("Thread-")
    )
    assert done.trace.program


@pytest.mark.spec("TRC-05")
def test_one_address_is_not_one_tasklet(tmp_path: Path) -> None:
    """Nor one channel: those that are gone leave theirs to others."""
    with recorded.recorded(tmp_path) as done:
        for number in range(20):
            task = scheduler.tasklet(scheduler.channel().receive)()
            task.name = f"task {number}"
            scheduler.run()
            task.kill()
            del task
    names = [task.name for task in done.trace.tasklets if task.name.startswith("task ")]
    assert sorted(names) == sorted(f"task {number}" for number in range(20))
    channels = {part.channel for part in done.trace.slices if part.state == "blocked"}
    assert len(channels) == 20


@pytest.mark.spec("TRC-10")
def test_marks(tmp_path: Path) -> None:
    assert scheduler.trace_mark("nobody traces") is False
    with recorded.recorded(tmp_path) as done:
        assert scheduler.trace_mark("frame 1") is True
        scheduler.tasklet(scheduler.trace_mark)("in a tasklet")
        scheduler.run()
        assert Worker(scheduler.trace_mark, "elsewhere").join() is True
        scheduler.trace_mark("x" * 1000)
        scheduler.trace_mark("")
    assert scheduler.trace_mark("it is over") is False
    assert [(mark.thread, mark.name) for mark in done.trace.marks] == [
        (1, "frame 1"),
        (1, "in a tasklet"),
        (2, "elsewhere"),
        (1, "x" * 240),
        (1, ""),
    ]
    for wrong in (1, None, b"frame"):
        with pytest.raises(TypeError, match="name of a mark must be a str"):
            scheduler.trace_mark(wrong)  # type: ignore[arg-type]


@pytest.mark.spec("TRC-01", "TRC-10")
def test_in_a_schedule_callback(tmp_path: Path) -> None:
    """It marks, and ends the trace, in the middle of a switch."""
    path = tmp_path / "run.raw"
    calls = []

    def callback(previous: scheduler.tasklet, following: scheduler.tasklet) -> None:
        calls.append(scheduler.trace_mark("switch"))
        if len(calls) == 5:
            scheduler.stop_trace()

    scheduler.set_schedule_callback(callback)
    try:
        scheduler.start_trace(path)
        for _ in range(3):
            scheduler.tasklet(pause)()
        scheduler.run()
    finally:
        scheduler.set_schedule_callback(None)
    assert calls[:5] == [True] * 5 and len(calls) > 5 and not any(calls[5:])
    trace = recorded.read(path)
    recorded.check(trace)
    assert len(trace.marks) == 5


@pytest.mark.spec("TRC-01")
def test_the_callback_is_told_what_it_was_told_before(tmp_path: Path) -> None:
    def run() -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        scheduler.set_schedule_callback(lambda one, other: told.append((one.name, other.name)))
        try:
            for _ in range(3):
                scheduler.tasklet(pause)()
            scheduler.run()
        finally:
            scheduler.set_schedule_callback(None)
        return told

    before = run()
    with recorded.recorded(tmp_path):
        during = run()
    assert before == during == run()


# ---- how much


@pytest.mark.spec("TRC-06")
def test_no_more_is_written_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "run.raw"
    most = 200_000
    with scheduler.trace(path, max_bytes=most):

        def work() -> None:
            for _ in range(20_000):
                scheduler.schedule()

        tasks = [scheduler.tasklet(work)() for _ in range(2)]
        scheduler.run()
        assert [task.times_switched_to for task in tasks] == [20_001] * 2
    assert path.stat().st_size <= most + 1000  # the header and empty chunks
    trace = recorded.read(path)
    recorded.check(trace)
    turns = sum(part.state == "running" for part in trace.slices)
    assert turns > 2000
    assert trace.lost + 2 * turns == pytest.approx(80_000, abs=2100)


# ---- files


@pytest.mark.spec("TRC-11")
@pytest.mark.parametrize("name", ["run.json", "run.json.gz", "run.raw"])
def test_the_name_tells_the_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with scheduler.trace(str(path)):
        scheduler.tasklet(pause)()
        scheduler.run()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    if name.endswith(".raw"):
        recorded.check(recorded.read(path))
    else:
        assert json.loads(data)["traceEvents"]


@pytest.mark.spec("TRC-12")
def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for wrong in (1, None, b"run.json", ["run.json"]):
        with pytest.raises(TypeError):
            scheduler.start_trace(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ends in \.json or \.html"):
        scheduler.start_trace(tmp_path / "run.txt")
    with pytest.raises(FileNotFoundError, match="no directory"):
        scheduler.start_trace(tmp_path / "absent" / "run.json")
    (tmp_path / "taken.json").mkdir(exist_ok=True)
    with pytest.raises(IsADirectoryError):
        scheduler.start_trace(tmp_path / "taken.json")
    with pytest.raises(TypeError, match="max_bytes must be an int"):
        scheduler.start_trace(path, max_bytes=1e6)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="131072 or more"):
        scheduler.start_trace(path, max_bytes=131071)
    with pytest.raises(RuntimeError, match="start_trace"):
        scheduler.stop_trace()
    with scheduler.trace(path):
        with pytest.raises(RuntimeError, match="is on already"):
            scheduler.start_trace(tmp_path / "other.json")
        with pytest.raises(RuntimeError, match="is on already"):
            scheduler.flight_recorder()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run.json", "taken.json"]


@pytest.mark.spec("TRC-12")
def test_a_trace_is_written_though_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(KeyError):
        with scheduler.trace(path):
            raise KeyError
    assert json.loads(path.read_text())["traceEvents"]


@pytest.mark.spec("TRC-12")
def test_raw_files_that_are_none() -> None:
    for wrong in (b"", b"{}", b"SCHEDTRC", _raw.make_header("x", 0, 0) + b"y" * 100):
        with pytest.raises(ValueError, match="no raw trace"):
            _raw.parse(wrong)
    newer = bytearray(_raw.make_header("x", 0, 0))
    newer[8] = 99
    with pytest.raises(ValueError, match="version 99"):
        _raw.parse(bytes(newer))


# ---- the end of the process


CRASH = """
import os, scheduler, sys
scheduler.start_trace(sys.argv[1])
def work():
    for _ in range(3_000):
        scheduler.schedule()
for number in range(3):
    scheduler.tasklet(work)().name = f"worker {number}"
scheduler.run()
os.abort()
"""


@pytest.mark.spec("TRC-07", "TRC-14")
def test_a_crash_leaves_all_but_the_last_events(tmp_path: Path, run_python: Callable[..., Any]) -> None:
    path = tmp_path / "run.json"
    done = run_python("-c", CRASH, str(path))
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert not path.exists()
    raw = path.with_name("run.json.raw")
    trace = recorded.read(raw)
    recorded.check(trace)
    assert {task.name for task in trace.tasklets} == {"main", "worker 0", "worker 1", "worker 2"}
    assert 2 * sum(part.state == "running" for part in trace.slices) > 18_000 - 2 * 2048
    # Of a chunk that was not written to its end, what there is.
    raw.write_bytes(raw.read_bytes()[:-1001])
    recorded.check(recorded.read(raw))
    convert = run_python("-m", "scheduler", "trace", "--convert", str(raw), str(path))
    assert convert.returncode == 0, convert.stderr
    assert "in the middle" in convert.stderr
    assert json.loads(path.read_text())["traceEvents"]


FORK = """
import os, scheduler, sys
scheduler.start_trace(sys.argv[1])
scheduler.tasklet(scheduler.schedule)()
child = os.fork()
if child == 0:
    assert scheduler.trace_mark("in the child") is False
    for _ in range(5000):
        scheduler.tasklet(scheduler.schedule)()
        scheduler.run()
    try:
        scheduler.stop_trace()
    except RuntimeError:
        scheduler.start_trace(sys.argv[2])
        scheduler.tasklet(scheduler.schedule)()
        scheduler.run()
        scheduler.stop_trace()
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
scheduler.run()
"""


@pytest.mark.spec("TRC-13")
def test_a_child_has_no_part_in_the_trace(tmp_path: Path, run_python: Callable[..., Any]) -> None:
    parent, child = tmp_path / "parent.raw", tmp_path / "child.raw"
    done = run_python("-c", FORK, str(parent), str(child))
    assert done.returncode == 0, done.stderr
    for path in (parent, child):
        trace = recorded.read(path)  # the parent's was stopped at its end
        recorded.check(trace)
        assert sum(task.name == "schedule" for task in trace.tasklets) in (1, 2)


PROGRAM = """
import scheduler, sys
print(sys.argv[1:], __name__)
scheduler.tasklet(scheduler.schedule)().name = "worker"
scheduler.run()
"""


@pytest.mark.spec("TRC-14")
@pytest.mark.parametrize("as_module", [False, True])
def test_the_command_runs_a_program(tmp_path: Path, run_python: Callable[..., Any], as_module: bool) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    what = ["-m", "program"] if as_module else ["program.py"]
    done = run_python("-m", "scheduler", "trace", "-o", "out.json", *what, "-o", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['-o', 'x'] __main__\n"
    assert "trace written to" in done.stderr
    trace = json.loads((tmp_path / "out.json").read_text())
    assert any("worker" in str(event) for event in trace["traceEvents"])


@pytest.mark.spec("TRC-14")
@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "which program?"),
        (["absent.py"], "no program 'absent.py'"),
        (["-o", "out.txt", __file__], "ends in .json or .html"),
        (["--convert", "absent.raw"], "--convert takes"),
        (["--convert", "absent.raw", "out.json"], "absent.raw"),
        (["--convert", __file__, "out.json"], "no raw trace"),
        (["--convert", __file__, "out.raw"], "a raw file is what is converted"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, run_python: Callable[..., Any], arguments: list[str], message: str
) -> None:
    done = run_python("-m", "scheduler", "trace", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
