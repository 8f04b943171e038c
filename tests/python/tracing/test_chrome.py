"""The JSON for Chrome's tracing and Perfetto."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import Any

import pytest

from scheduler.tracing._chrome import write_chrome
from scheduler.tracing._model import Arrow, Mark, Park, Sample, Slice, Tasklet, Thread, Trace

TRACE = Trace(
    duration=10_000,
    program="größe.py",
    threads=[Thread(1, "MainThread")],
    tasklets=[Tasklet(1, "main", "", 1), Tasklet(2, 'a "name"', "agents.py:3", 1)],
    slices=[
        Slice(1, 1, "running", 0, 1000, "runs others"),
        Slice(2, 1, "ready", 500, 1000, "turn"),
        Slice(2, 1, "running", 1000, 3001, "blocked"),
        Slice(2, 1, "blocked", 3001, 10_000, "trace over", 4),
    ],
    arrows=[Arrow("wake", 1, 500, 2, 500), Arrow("transfer", 1, 500, 2, 500, 4)],
    marks=[Mark(1, 700, "frame 1")],
    samples=[Sample(1, 1000, 0, 1, 1)],
    parks=[Park(1, 4000, 9000)],
    lost=3,
)


def written(trace: Trace) -> dict[str, Any]:
    file = io.StringIO()
    write_chrome(trace, file)
    assert file.getvalue().isascii()
    return json.loads(file.getvalue())


@pytest.mark.spec("TRC-11")
def test_tracks_slices_arrows_and_counters() -> None:
    document = written(TRACE)
    assert document["otherData"] == {"program": "größe.py", "lost events": 3}
    of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in document["traceEvents"]:
        of[event["ph"]].append(event)
    names = [event["args"].get("name") for event in of["M"]]
    assert names[0] == "größe.py"
    assert {"MainThread: turns", "main 1", 'a "name" 2 (agents.py:3)'} <= set(names)
    # Each slice in the track of its tasklet, each turn in that of its thread as well, and the sleep.
    assert len(of["X"]) == 4 + 2 + 1
    turns = [event["name"] for event in of["X"] if event["cat"] == "turn"]
    assert turns == ["main", 'a "name"']
    (blocked,) = (event for event in of["X"] if event["cat"] == "blocked")
    assert (blocked["ts"], blocked["dur"]) == (3.001, 6.999)
    assert blocked["name"] == "blocked on channel 4"
    assert [event["id"] for event in of["s"]] == [event["id"] for event in of["f"]] == [0, 1]
    assert all(event["bp"] == "e" for event in of["f"])
    assert of["i"][0]["name"] == "frame 1"
    assert {event["name"]: event["args"] for event in of["C"]} == {
        "runnable: MainThread": {"runnable": 0},
        "blocked: MainThread": {"blocked": 1},
        "stacks in use: MainThread": {"stacks in use": 1},
    }


@pytest.mark.spec("TRC-11")
def test_an_empty_trace() -> None:
    assert len(written(Trace(0, "nothing.py"))["traceEvents"]) == 1
