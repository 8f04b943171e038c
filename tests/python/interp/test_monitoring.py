"""Tracers, profilers and monitoring tools that come and go while tasklets are suspended (S-08).

The measure is an ordinary stack: its functions are in a call while the tool comes or goes, and must see
of the tool what a suspended tasklet sees that goes on afterwards, and a thread that was blocked.
"""

from __future__ import annotations

import bdb
import cProfile
import functools
import operator
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import pytest

import scheduler
from support.interpreter import HAS_GIL
from support.scheduling import queued
from support.threads import Worker
from support.waiting import TIMEOUT

HAS_MONITORING = hasattr(sys, "monitoring")


# ------------------------------------------------------------------------- where a tasklet stands
# `wait(argument)` is a call of a built-in function: during it the tool comes or goes.


def leaf():
    return 1


def plain(wait, argument):
    wait(argument)
    total = leaf()
    for _ in range(2):
        total += 1
    return total


def nested(wait, argument):
    total = plain(wait, argument)
    return total + leaf()


def generating(wait, argument):
    yield leaf()
    wait(argument)
    yield leaf()


def in_a_generator(wait, argument):
    total = 0
    for number in generating(wait, argument):
        total += number
    return total


def below_a_sort(wait, argument):
    numbers = sorted([2, 1], key=lambda number: plain(wait, argument) if number == 2 else number)
    return len(numbers)


def catching(wait, argument):
    try:
        plain(wait, argument)
        raise LookupError
    except LookupError:
        return leaf()


SHAPES = [plain, nested, in_a_generator, below_a_sort, catching]
CODES = {shape.__code__ for shape in [*SHAPES, leaf, generating]}


# ---------------------------------------------------------------------------------------- the tools
# `come(frames)` begins to note what happens in CODES, `go()` ends it. `everywhere`: in all threads.


class Tool:
    def __init__(self, everywhere: bool) -> None:
        self.everywhere = everywhere
        self.seen: list[Any] = []

    def note(self, code: CodeType, *what: Any) -> None:
        if code in CODES:
            self.seen.append((code.co_name, *what))

    def come(self, frames: list[FrameType]) -> None:
        raise NotImplementedError

    def go(self) -> None:
        raise NotImplementedError


class Tracer(Tool):
    attaches = False
    opcodes = False

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code not in CODES:
            return None
        frame.f_trace_opcodes = self.opcodes
        self.note(frame.f_code, event, frame.f_lineno, frame.f_lasti if self.opcodes else None)
        return self.trace

    def come(self, frames: list[FrameType]) -> None:
        for frame in frames if self.attaches else ():
            frame.f_trace_opcodes = self.opcodes
            frame.f_trace = self.trace
        self._set(self.trace)

    def go(self) -> None:
        self._set(None)

    def _set(self, function: Any) -> None:
        if self.everywhere:
            threading.settrace_all_threads(function)
        else:
            sys.settrace(function)


class AttachingTracer(Tracer):  # as debuggers do
    attaches = True


class OpcodeTracer(AttachingTracer):
    opcodes = True


class Profiler(Tool):
    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        self.note(frame.f_code, event)

    def come(self, frames: list[FrameType]) -> None:
        self._set(self.profile)

    def go(self) -> None:
        self._set(None)

    def _set(self, function: Any) -> None:
        if self.everywhere:
            threading.setprofile_all_threads(function)
        else:
            sys.setprofile(function)


class CProfiler(Tool):
    def come(self, frames: list[FrameType]) -> None:
        self.profile = cProfile.Profile()
        self.profile.enable()

    def go(self) -> None:
        self.profile.disable()
        for entry in self.profile.getstats():
            if isinstance(entry.code, CodeType):
                self.note(entry.code, entry.callcount)
        self.seen.sort()


class Monitor(Tool):
    names = ["PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "CALL", "LINE", "JUMP"]
    names += ["STOP_ITERATION", "C_RETURN", "C_RAISE", "RAISE", "EXCEPTION_HANDLED", "PY_UNWIND"]
    number = 3

    def come(self, frames: list[FrameType]) -> None:
        monitoring = sys.monitoring
        monitoring.use_tool_id(self.number, "tests")
        for name in self.names:
            callback = functools.partial(self._called, name)
            monitoring.register_callback(self.number, getattr(monitoring.events, name), callback)
        self._set(sum(getattr(monitoring.events, name) for name in self.names))

    def go(self) -> None:
        monitoring = sys.monitoring
        self._set(0)
        for name in self.names:
            monitoring.register_callback(self.number, getattr(monitoring.events, name), None)
        monitoring.free_tool_id(self.number)

    def _called(self, name: str, code: CodeType, where: int, *others: Any) -> None:
        self.note(code, name, where)

    def _set(self, events: int) -> None:
        sys.monitoring.set_events(self.number, events)


class LineMonitor(Monitor):
    names = ["LINE", "PY_RETURN"]
    number = 2


class OtherMonitor(LineMonitor):
    number = 4


class InstructionMonitor(Monitor):
    names = ["INSTRUCTION"]


class LocalMonitor(Monitor):
    names = ["PY_START", "PY_RETURN", "CALL", "LINE"]

    def _set(self, events: int) -> None:
        for code in CODES:
            sys.monitoring.set_local_events(self.number, code, events)


TOOLS: list[type[Tool]] = [Tracer, AttachingTracer, OpcodeTracer, Profiler, CProfiler]
if HAS_MONITORING:
    TOOLS += [Monitor, LineMonitor, InstructionMonitor, LocalMonitor]


# --------------------------------------------------------------------------------------- the stacks
# Each lets `shape` run until it waits, calls `meanwhile(frames)`, and lets it run to its end.


def frames_from(frame: FrameType | None) -> list[FrameType]:
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return [frame for frame in frames if frame.f_code in CODES]


def on_an_ordinary_stack(shape: Callable, meanwhile: Callable) -> Any:
    return shape(operator.call, lambda: meanwhile(frames_from(sys._getframe())))


def in_a_tasklet(shape: Callable, meanwhile: Callable) -> Any:
    channel = scheduler.channel()
    results: list[Any] = []
    task = queued(lambda: results.append(shape(channel.send, None)))
    scheduler.run()
    meanwhile(frames_from(task.frame))
    channel.receive()
    scheduler.run()
    assert not task.alive
    return results.pop()


def in_the_main_tasklet(shape: Callable, meanwhile: Callable) -> Any:
    def drive() -> None:
        queued(meanwhile, frames_from(sys._getframe()))
        scheduler.run()

    return shape(operator.call, drive)


class Meeting:
    """`come` tells the main thread that somebody is there, and waits for its leave."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.leave = threading.Event()

    def come(self) -> None:
        self.there.set()
        assert self.leave.wait(TIMEOUT)


def in_a_thread(shape: Callable, meanwhile: Callable) -> Any:
    meeting = Meeting()
    idents: list[int] = []
    worker = Worker(
        lambda: (idents.append(threading.get_ident()), shape(operator.call, meeting.come))[1]
    )
    assert meeting.there.wait(TIMEOUT)
    meanwhile(frames_from(sys._current_frames()[idents[0]]))
    meeting.leave.set()
    return worker.join()


def in_a_tasklet_of_another_thread(shape: Callable, meanwhile: Callable) -> Any:
    meeting = Meeting()
    tasks: list[Any] = []

    def work() -> Any:
        return in_a_tasklet(shape, lambda frames: (tasks.append(frames), meeting.come()))

    worker = Worker(work)
    assert meeting.there.wait(TIMEOUT)
    meanwhile(tasks.pop())
    meeting.leave.set()
    return worker.join()


STACKS = [in_a_tasklet, in_the_main_tasklet]
ELSEWHERE = [in_a_thread, in_a_tasklet_of_another_thread]
if HAS_MONITORING:  # with it came ways to trace other threads
    STACKS += ELSEWHERE
# Also without tasklets: cProfile has one stack of calls for all threads, so that what it counts hangs on
# when the GIL changes hands (and without a GIL two threads destroy it).
NOT_ELSEWHERE: tuple[type[Tool], ...] = (CProfiler,)
if not HAS_GIL:
    # Also without tasklets: settrace_all_threads() changes the tracer of a thread that is calling it.
    NOT_ELSEWHERE += (Tracer, Profiler)
PLACES = [
    (stack, tool)
    for stack in STACKS
    for tool in TOOLS
    if stack not in ELSEWHERE or not issubclass(tool, NOT_ELSEWHERE)
]


# -------------------------------------------------------------------------------------- the events
# What `tool` sees of a stack, and `other` of another one, if it takes part.


def comes(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    stack(shape, tool.come)
    tool.go()
    return [tool.seen]


def goes(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    tool.come([])
    stack(shape, lambda frames: tool.go())
    return [tool.seen]


def comes_and_goes(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    stack(shape, lambda frames: (tool.come(frames), tool.go(), tool.come(frames), tool.go()))
    return [tool.seen]


def comes_again(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    tool.come([])
    stack(shape, lambda frames: (tool.go(), tool.come(frames)))
    tool.go()
    return [tool.seen]


def another_comes(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    tool.come([])
    stack(shape, other.come)
    other.go()
    tool.go()
    return [tool.seen, other.seen]


def another_goes(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    other.come([])
    tool.come([])
    stack(shape, lambda frames: other.go())
    tool.go()
    return [tool.seen, other.seen]


def another_replaces_it(stack: Callable, shape: Callable, tool: Tool, other: Tool) -> list[Any]:
    tool.come([])
    stack(shape, lambda frames: (tool.go(), other.come(frames)))
    other.go()
    return [tool.seen, other.seen]


SCENARIOS = [comes, goes, comes_and_goes, comes_again]
if HAS_MONITORING:
    SCENARIOS += [another_comes, another_goes, another_replaces_it]


@pytest.fixture
def tidy():
    """Puts back the trace and profile functions of the thread, and that no tool has been forgotten."""
    before = sys.gettrace(), sys.getprofile()
    numbers = used_numbers()
    yield
    sys.settrace(before[0])
    sys.setprofile(before[1])
    left = used_numbers()
    for number in range(len(left)):
        if left[number] == "tests":
            sys.monitoring.set_events(number, 0)
            sys.monitoring.free_tool_id(number)
    assert left == numbers


def used_numbers() -> list[Any]:
    return [sys.monitoring.get_tool(number) for number in range(6)] if HAS_MONITORING else []


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize(("stack", "tool"), PLACES)
def test_a_suspended_stack_sees_of_a_tool_what_a_running_one_sees(
    stack: Callable, scenario: Callable, tool: type[Tool]
) -> None:
    def events(where: Callable, shape: Callable) -> list[Any]:
        everywhere = where in (in_a_thread, in_a_tasklet_of_another_thread)
        other = OtherMonitor if HAS_MONITORING else Tool
        return scenario(where, shape, tool(everywhere), other(everywhere))

    for shape in SHAPES:
        # From 3.13 on code in which opcodes have been traced keeps something of it.
        events(on_an_ordinary_stack, shape)
        assert events(stack, shape) == events(on_an_ordinary_stack, shape), shape


# ------------------------------------------------------------------------------------- in particular


class LineDebugger(bdb.Bdb):
    """Notes the lines at which it stops, and steps on."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Any] = []

    def user_line(self, frame: FrameType) -> None:
        if frame.f_code in CODES:
            self.lines.append((frame.f_code.co_name, frame.f_lineno))


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tidy")
def test_a_debugger_attaches_to_a_suspended_tasklet() -> None:
    def lines(stack: Callable) -> list[Any]:
        debugger = LineDebugger()
        stack(nested, lambda frames: debugger.set_trace(frames[0]))
        sys.settrace(None)
        return debugger.lines

    first = plain.__code__.co_firstlineno
    assert lines(in_a_tasklet) == lines(on_an_ordinary_stack)
    assert ("plain", first + 2) in lines(in_a_tasklet)


@pytest.mark.spec("S-08")
@pytest.mark.usefixtures("tidy")
def test_a_tool_comes_for_many_tasklets_at_many_places() -> None:
    channel = scheduler.channel()
    for number in range(100):
        queued(SHAPES[number % len(SHAPES)], channel.send, None)
    scheduler.run()
    tool = (Monitor if HAS_MONITORING else Profiler)(everywhere=False)
    tool.come([])
    while channel.balance:
        channel.receive()
    scheduler.run()
    tool.go()
    reference = (Monitor if HAS_MONITORING else Profiler)(everywhere=False)
    for shape in SHAPES:
        on_an_ordinary_stack(shape, reference.come)
        reference.go()
    assert sorted(tool.seen) == sorted(20 * reference.seen)


if HAS_MONITORING:

    @pytest.mark.spec("S-08")
    @pytest.mark.usefixtures("tidy")
    def test_events_that_are_restarted_come_again_in_suspended_tasklets() -> None:
        class Once(LineMonitor):
            def _called(self, name: str, code: CodeType, where: int, *others: Any) -> Any:
                super()._called(name, code, where)
                return sys.monitoring.DISABLE

        def events(stack: Callable, meanwhile: Callable) -> list[Any]:
            tool = Once(everywhere=False)
            tool.come([])
            nested(operator.call, lambda: None)  # every line once
            tool.seen.clear()
            stack(nested, meanwhile)
            tool.go()
            return tool.seen

        assert events(in_a_tasklet, lambda frames: None) == []
        again = events(in_a_tasklet, lambda frames: sys.monitoring.restart_events())
        assert again == events(
            on_an_ordinary_stack, lambda frames: sys.monitoring.restart_events()
        )
        assert again

    @pytest.mark.spec("S-08")
    @pytest.mark.usefixtures("tidy")
    def test_all_numbers_of_tools_may_be_in_use() -> None:
        monitoring = sys.monitoring
        free = [number for number in range(6) if monitoring.get_tool(number) is None]
        free.remove(Monitor.number)
        for number in free:
            monitoring.use_tool_id(number, "tests")
        try:
            seen = []
            for stack in in_a_tasklet, on_an_ordinary_stack:
                tool = Monitor(everywhere=False)
                seen.append(comes(stack, nested, tool, tool))
                tool = Monitor(everywhere=False)
                seen.append(goes(stack, nested, tool, tool))
            assert seen[:2] == seen[2:]
        finally:
            for number in free:
                monitoring.free_tool_id(number)

    @pytest.mark.spec("S-08")
    @pytest.mark.usefixtures("tidy")
    def test_catching_up_with_a_tool_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
        # What one stack has to do for it must not make others begin again.
        taken: list[int] = []
        take = sys.monitoring.use_tool_id

        def take_and_note(number: int, name: str) -> None:
            taken.append(number)
            take(number, name)

        def turns() -> None:
            for _ in range(20):
                scheduler.schedule()

        def work(rounds: threading.Barrier) -> None:
            for shape in SHAPES:
                queued(shape, operator.call, turns)
            scheduler.run_n_tasklets(len(SHAPES))
            for _ in range(40):
                rounds.wait(TIMEOUT)
                scheduler.run_n_tasklets(1)
            scheduler.run()

        threads = 3
        rounds = threading.Barrier(threads + 1)
        workers = [Worker(work, rounds) for _ in range(threads)]
        rounds.wait(TIMEOUT)
        tool = (Tracer if HAS_GIL else Monitor)(everywhere=True)  # see PLACES
        tool.come([])
        monkeypatch.setattr(sys.monitoring, "use_tool_id", take_and_note)
        for _ in range(39):
            rounds.wait(TIMEOUT)
        for worker in workers:
            worker.join()
        tool.go()
        assert len(taken) <= 2 * threads * (len(SHAPES) + 1)  # as many as there are stacks, twice
