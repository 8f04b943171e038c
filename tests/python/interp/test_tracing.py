"""sys.settrace, sys.setprofile and sys.monitoring across switches (S-08).

Trace and profile functions belong to the thread: they see the code of whatever tasklet runs.
"""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from support.scheduling import queued


def first():
    scheduler.schedule()
    second_step = 1
    return second_step


def second():
    scheduler.schedule()
    third_step = 2
    return third_step


BODIES = {"first", "second"}


class Recorder:
    """Notes the events of `first` and `second`."""

    def __init__(self):
        self.events = []

    def trace(self, frame, event, arg):
        if frame.f_code.co_name in BODIES:
            line = frame.f_lineno - frame.f_code.co_firstlineno
            self.events.append((frame.f_code.co_name, event, line))
            return self.trace
        return None

    def profile(self, frame, event, arg):
        if frame.f_code.co_name in BODIES:
            self.events.append((frame.f_code.co_name, event))


@pytest.fixture
def tracing():
    """Puts back the trace and profile functions of the thread."""
    before = sys.gettrace(), sys.getprofile()
    yield
    sys.settrace(before[0])
    sys.setprofile(before[1])


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("mode", "tracing")
def test_a_trace_function_sees_every_line_of_every_tasklet(drain):
    recorder = Recorder()
    queued(first)
    queued(second)
    sys.settrace(recorder.trace)
    drain()
    sys.settrace(None)
    expected = []
    for name in ("first", "second"):
        expected += [(name, "call", 0), (name, "line", 1)]
    for name in ("first", "second"):
        expected += [(name, "line", 2), (name, "line", 3), (name, "return", 3)]
    assert recorder.events == expected


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tracing")
def test_a_profile_function_sees_calls_and_returns_of_every_tasklet(drain):
    recorder = Recorder()
    queued(first)
    queued(second)
    sys.setprofile(recorder.profile)
    drain()
    sys.setprofile(None)
    calls = [event for event in recorder.events if event[1] in ("call", "return")]
    assert calls == [
        ("first", "call"), ("second", "call"), ("first", "return"), ("second", "return"),
    ]  # fmt: skip
    c_events = [event for event in recorder.events if event[1].startswith("c_")]
    assert c_events == [
        ("first", "c_call"), ("second", "c_call"), ("first", "c_return"), ("second", "c_return"),
    ]  # fmt: skip


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tracing")
def test_tracing_switched_on_inside_one_tasklet_reaches_the_others(drain):
    recorder = Recorder()

    def switch_on():
        sys.settrace(recorder.trace)
        scheduler.schedule()

    queued(first)
    queued(switch_on)
    queued(second)
    scheduler.run_n_tasklets(1)
    drain()
    sys.settrace(None)
    # `first` was already running without a local trace function; `second` starts under the trace.
    assert [event for event in recorder.events if event[0] == "second"] == [
        ("second", "call", 0),
        ("second", "line", 1),
        ("second", "line", 2),
        ("second", "line", 3),
        ("second", "return", 3),
    ]
    assert [event for event in recorder.events if event[0] == "first"] == []


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tracing")
def test_tracing_switched_off_inside_one_tasklet_is_off_for_the_others(drain):
    recorder = Recorder()

    def switch_off():
        sys.settrace(None)

    queued(first)
    queued(switch_off)
    queued(second)
    sys.settrace(recorder.trace)
    drain()
    assert sys.gettrace() is None
    assert recorder.events == [("first", "call", 0), ("first", "line", 1)]


@pytest.mark.spec("S-08", "R-01")
@pytest.mark.usefixtures("tracing")
def test_a_trace_function_may_switch(drain):
    log = []

    def trace(frame, event, arg):
        if frame.f_code.co_name == "first":
            scheduler.schedule()
            log.append((event, frame.f_lineno - frame.f_code.co_firstlineno))
            return trace
        return None

    queued(first)
    for number in range(3):
        queued(log.append, number)
    sys.settrace(trace)
    drain()
    sys.settrace(None)
    assert [entry for entry in log if not isinstance(entry, tuple)] == [0, 1, 2]
    assert log[:3] == [0, 1, 2]
    assert [entry for entry in log if isinstance(entry, tuple)] == [
        ("call", 0), ("line", 1), ("line", 2), ("line", 3), ("return", 3),
    ]  # fmt: skip


@pytest.mark.spec("S-08", "R-01")
@pytest.mark.usefixtures("tracing")
def test_others_are_traced_while_a_trace_function_is_switched_away(drain):
    recorder = Recorder()

    def trace(frame, event, arg):
        name = frame.f_code.co_name
        if name == "first" and event == "call":
            scheduler.schedule()
            return None
        return recorder.trace(frame, event, arg) if name == "second" else None

    queued(first)
    queued(second)
    sys.settrace(trace)
    drain()
    sys.settrace(None)
    assert recorder.events[0] == ("second", "call", 0)
    assert recorder.events[-1] == ("second", "return", 3)


@pytest.mark.spec("S-08", "E-20")
@pytest.mark.usefixtures("tracing")
def test_an_error_of_the_trace_function_ends_tracing_and_the_tasklet(drain):
    def trace(frame, event, arg):
        if frame.f_code.co_name == "first":
            raise LookupError("from the trace function")
        return None

    task = queued(first)
    sys.settrace(trace)
    with pytest.raises(LookupError, match="from the trace function"):
        drain()
    assert sys.gettrace() is None
    assert task.alive is False


@pytest.mark.spec("S-08", "H-04")
@pytest.mark.usefixtures("tracing")
def test_tracing_belongs_to_a_thread():
    recorder = Recorder()

    def work():
        queued(first)
        scheduler.run()

    thread = threading.Thread(target=work)
    sys.settrace(recorder.trace)
    thread.start()
    thread.join(60)
    sys.settrace(None)
    assert recorder.events == []
    queued(second)
    scheduler.run()
    assert recorder.events == []


# ---- sys.monitoring (3.12 and later) -------------------------------------------------------------

TOOL = 3


def monitored(drain, events):
    """Events of `first` and `second` that `sys.monitoring` reports during a drain."""
    monitoring = sys.monitoring
    seen = []

    def note(name):
        def callback(code, *_):
            if code.co_name in BODIES:
                seen.append((code.co_name, name))

        return callback

    monitoring.use_tool_id(TOOL, "scheduler tests")
    try:
        for name in events:
            monitoring.register_callback(TOOL, getattr(monitoring.events, name), note(name))
        monitoring.set_events(TOOL, sum(getattr(monitoring.events, name) for name in events))
        drain()
    finally:
        monitoring.set_events(TOOL, 0)
        for name in events:
            monitoring.register_callback(TOOL, getattr(monitoring.events, name), None)
        monitoring.free_tool_id(TOOL)
    return seen


if hasattr(sys, "monitoring"):

    @pytest.mark.spec("S-08")
    def test_monitoring_sees_starts_lines_and_returns_of_every_tasklet(drain):
        queued(first)
        queued(second)
        seen = monitored(drain, ["PY_START", "LINE", "PY_RETURN"])
        expected = []
        for name in ("first", "second"):
            expected += [(name, "PY_START"), (name, "LINE")]
        for name in ("first", "second"):
            expected += [(name, "LINE"), (name, "LINE"), (name, "PY_RETURN")]
        assert seen == expected

    @pytest.mark.spec("S-08", "E-20", "E-21")
    def test_monitoring_sees_a_tasklet_being_unwound(drain):
        task = queued(first)
        scheduler.run_n_tasklets(1)
        seen = monitored(task.kill, ["PY_START", "RAISE", "PY_UNWIND", "PY_RETURN"])
        assert seen == [("first", "RAISE"), ("first", "PY_UNWIND")]
