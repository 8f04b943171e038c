"""Tracing, profiling and monitoring that come and go."""

from __future__ import annotations

import random
import sys
import threading
from types import FrameType
from typing import Any

from support.interpreter import HAS_GIL

TOOL = 3  # a number of sys.monitoring that nobody has reserved

# A free-threaded 3.13 walks the threads' states without a lock that keeps them: setting functions for
# all threads crashes it, without tasklets too, when another thread ends or does the same.
CAN_SET_FOR_ALL = sys.version_info >= (3, 12) and HAS_GIL


def toggle(rng: random.Random) -> None:
    """Turns something on or off, for this thread or for all."""
    rng.choice(TOGGLES)(rng)


def stop() -> None:
    """Turns everything off."""
    sys.settrace(None)
    sys.setprofile(None)
    if CAN_SET_FOR_ALL:
        threading.settrace_all_threads(None)
        threading.setprofile_all_threads(None)
        threading.settrace(None)
        threading.setprofile(None)
    if sys.version_info >= (3, 12):
        _stop_monitoring()


def _trace(frame: FrameType, event: str, arg: Any) -> Any:
    line = frame.f_lineno or 0  # None for instructions of no line
    # Before 3.13 a frame that wants these crashes in a thread without a trace function, once another
    # thread has one.
    if sys.version_info >= (3, 13):
        frame.f_trace_opcodes = line % 5 == 0
    return _trace if line % 3 else None


def _profile(frame: FrameType, event: str, arg: Any) -> None:
    pass


def _trace_here(rng: random.Random) -> None:
    sys.settrace(_trace if sys.gettrace() is None else None)


def _profile_here(rng: random.Random) -> None:
    sys.setprofile(_profile if sys.getprofile() is None else None)


TOGGLES = [_trace_here, _profile_here]

if sys.version_info >= (3, 12):
    monitoring = sys.monitoring
    EVENTS = (
        "PY_START", "PY_RETURN", "PY_RESUME", "PY_YIELD", "CALL", "LINE", "INSTRUCTION", "JUMP",
        "BRANCH", "RAISE", "PY_UNWIND", "PY_THROW", "RERAISE",
    )  # fmt: skip

    def _stop_monitoring() -> None:
        if monitoring.get_tool(TOOL):
            monitoring.set_events(TOOL, 0)
            monitoring.free_tool_id(TOOL)

    def _on_event(code: Any, *args: Any) -> Any:
        return monitoring.DISABLE if len(code.co_name) % 2 else None

    def _on_exception(code: Any, *args: Any) -> Any:
        return None  # these may not be disabled

    def _monitor(rng: random.Random) -> None:
        """Another set of events, none at all, or disabled ones again."""
        if not monitoring.get_tool(TOOL):
            try:
                monitoring.use_tool_id(TOOL, "fuzz")
            except ValueError:  # another thread was quicker
                return
        if rng.random() < 0.2:
            _stop_monitoring()
            return
        wanted = 0
        for name in rng.sample(EVENTS, rng.randrange(1, 5)):
            event = getattr(monitoring.events, name)
            wanted |= event
            local = event <= monitoring.events.STOP_ITERATION
            monitoring.register_callback(TOOL, event, _on_event if local else _on_exception)
        monitoring.set_events(TOOL, wanted)
        if rng.random() < 0.3:
            monitoring.restart_events()

    def _trace_all(rng: random.Random) -> None:
        threading.settrace_all_threads(rng.choice((_trace, None)))

    def _profile_all(rng: random.Random) -> None:
        threading.setprofile_all_threads(rng.choice((_profile, None)))

    TOGGLES += [_monitor, _monitor]
    if CAN_SET_FOR_ALL:
        TOGGLES += [_trace_all, _profile_all]
