"""The flight recorder: what it keeps, and when it is written."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import scheduler
from support import recorded
from support.interpreter import HAS_GIL
from support.threads import Worker


@pytest.fixture(autouse=True)
def _ended():
    yield
    scheduler.flight_recorder(None)


def begin(**options: Any) -> None:
    """A test may be run again before the one that it has left on is ended."""
    scheduler.flight_recorder(None)
    scheduler.flight_recorder(**options)


def yields(count: int) -> None:
    for _ in range(count):
        scheduler.schedule()


def fails() -> None:
    raise KeyError("lost")


def run_some(count: int = 10) -> None:
    for _ in range(2):
        scheduler.tasklet(yields)(count)
    scheduler.run()


def dumped(directory: Path) -> recorded.Trace:
    path = directory / "last.raw"
    scheduler.dump_flight(path)
    trace = recorded.read(path)
    recorded.check(trace)
    return trace


@pytest.mark.spec("TRC-08")
def test_the_newest_events_are_kept(tmp_path: Path) -> None:
    begin(bytes_per_thread=4096)
    waits = scheduler.tasklet(scheduler.channel().receive)()
    waits.name = "it waits since long ago"
    run_some(1000)
    trace = dumped(tmp_path)
    assert trace.lost > 3000
    assert 40 < sum(part.state == "running" for part in trace.slices) <= 128
    # All that it did has been overwritten.
    name = "it waits since long ago"
    if HAS_GIL:
        assert name in {task.name for task in trace.tasklets}
    waits.kill()
    assert name in {task.name for task in dumped(tmp_path).tasklets}


@pytest.mark.spec("TRC-08")
def test_it_goes_on_after_a_dump(tmp_path: Path) -> None:
    begin()
    for count in range(1, 4):
        run_some(0)
        assert sum(task.name == "yields" for task in dumped(tmp_path).tasklets) == 2 * count


@pytest.mark.spec("TRC-08")
def test_threads_that_have_ended_are_kept(tmp_path: Path) -> None:
    begin()
    for _ in range(20):
        Worker(run_some).join()
    assert len(dumped(tmp_path).threads) == 9  # the last eight, and this one


@pytest.mark.spec("TRC-08")
def test_the_last_seconds_alone_are_written(tmp_path: Path) -> None:
    begin(seconds=0)
    run_some()
    path = tmp_path / "last.json"
    scheduler.dump_flight(path)
    written = json.loads(path.read_text())["traceEvents"]
    assert sum(event["ph"] == "X" for event in written) <= 4  # what went on when it was dumped


@pytest.mark.spec("TRC-08", "TRC-15")
def test_dumps_while_threads_run(tmp_path: Path) -> None:
    begin(bytes_per_thread=8192)
    workers = [Worker(run_some, 20_000) for _ in range(4)]
    for _ in range(10):
        dumped(tmp_path)
    for worker in workers:
        worker.join()


@pytest.mark.spec("TRC-09")
def test_a_failure_writes_it_once(tmp_path: Path) -> None:
    path = tmp_path / "failure.json"
    begin(on_failure=path)
    scheduler.tasklet(fails)()
    with pytest.raises(KeyError, match="lost"):
        scheduler.run()
    assert any("fails" in str(event) for event in json.loads(path.read_text())["traceEvents"])
    path.unlink()
    scheduler.tasklet(fails)()
    with pytest.raises(KeyError):
        scheduler.run()
    assert not path.exists()


@pytest.mark.spec("TRC-09")
def test_a_deadlock_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "deadlock.json"
    begin(on_failure=path)
    channel = scheduler.channel()
    other = scheduler.tasklet(scheduler.channel().receive)()
    with pytest.raises(RuntimeError, match="Deadlock"):
        channel.receive()
    events = json.loads(path.read_text())["traceEvents"]
    assert any("receive" in str(event) for event in events)
    other.kill()


@pytest.mark.spec("TRC-09")
def test_a_failure_that_main_waits_for_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "failure.json"
    begin(on_failure=path)
    scheduler.tasklet(fails)()
    with pytest.raises(KeyError, match="lost"):
        scheduler.channel().receive()
    assert path.exists()


@pytest.mark.spec("TRC-09")
def test_a_dump_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    directory = tmp_path / "gone"
    directory.mkdir()
    begin(on_failure=directory / "failure.json")
    directory.rmdir()
    with pytest.raises(RuntimeError, match="Deadlock"):
        scheduler.channel().receive()
    assert [type(one.exc_value) for one in reported] == [FileNotFoundError]


@pytest.mark.spec("TRC-09")
def test_a_signal_writes_it_each_time(tmp_path: Path) -> None:
    path = tmp_path / "signal.json"
    before = signal.getsignal(signal.SIGUSR2)
    begin(on_failure=path, signal=signal.SIGUSR2)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR2)
        run_some()
        path.unlink()
    scheduler.flight_recorder(None)
    assert signal.getsignal(signal.SIGUSR2) == before


@pytest.mark.spec("TRC-12")
def test_what_is_refused(tmp_path: Path) -> None:
    scheduler.flight_recorder(None)
    with pytest.raises(RuntimeError, match="flight_recorder"):
        scheduler.dump_flight(tmp_path / "last.json")
    scheduler.flight_recorder(None)  # there is none
    for wrong in ("10", b"", [1]):
        with pytest.raises(TypeError, match="seconds must be a number"):
            scheduler.flight_recorder(wrong)  # type: ignore[arg-type]
    for bad in (-1, float("nan")):
        with pytest.raises(ValueError, match="seconds must be 0 or more"):
            scheduler.flight_recorder(bad)
    with pytest.raises(TypeError, match="bytes_per_thread must be an int"):
        scheduler.flight_recorder(bytes_per_thread=1e6)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="4096 or more"):
        scheduler.flight_recorder(bytes_per_thread=4095)
    with pytest.raises(ValueError, match="signal= needs on_failure="):
        scheduler.flight_recorder(signal=signal.SIGUSR2)
    with pytest.raises(ValueError, match=r"ends in \.json"):
        scheduler.flight_recorder(on_failure=tmp_path / "last.txt")
    with pytest.raises(ValueError):
        Worker(
            scheduler.flight_recorder, on_failure=tmp_path / "last.json", signal=signal.SIGUSR2
        ).join()
    with pytest.raises((OSError, ValueError)):
        scheduler.flight_recorder(on_failure=tmp_path / "last.json", signal=signal.SIGKILL)
    scheduler.flight_recorder()  # none of them has left one behind
    with pytest.raises(RuntimeError, match="is on already"):
        scheduler.flight_recorder()
    with pytest.raises(RuntimeError, match="is on already"):
        scheduler.start_trace(tmp_path / "run.json")
    with pytest.raises(TypeError):
        scheduler.dump_flight(1)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
