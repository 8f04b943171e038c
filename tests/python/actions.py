"""Small tools for tests of channels and exceptions: switch trap, preference, tracebacks."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import scheduler


@contextlib.contextmanager
def trapped() -> Iterator[None]:
    """Sets the switch trap of this thread for the length of a `with` block."""
    scheduler.switch_trap(1)
    try:
        yield
    finally:
        scheduler.switch_trap(-1)


def channel(preference: int = -1) -> Any:
    """A new channel with this preference."""
    made = scheduler.channel()
    made.preference = preference
    return made


@dataclasses.dataclass(frozen=True)
class Instance:
    """Stands for an exception instance in a table of a test.

    Each test makes its own by `make()`: one that stays in the table would keep the traceback of
    every raise, and with it what the frames refer to.
    """

    kind: type[BaseException]
    text: str


def make(value: Any) -> Any:
    """The exception that an `Instance` stands for; anything else as it is."""
    return value.kind(value.text) if isinstance(value, Instance) else value


def functions_in(trace: types.TracebackType | None) -> list[str]:
    """Names of the functions that a traceback passes through, outermost first."""
    return [frame.name for frame in traceback.extract_tb(trace)]


def raised_in(function: Callable[[], Any]) -> tuple[type, BaseException, types.TracebackType]:
    """Calls `function`, which must raise, and returns what `sys.exc_info()` says about it."""
    try:
        function()
    except BaseException:
        kind, error, trace = sys.exc_info()
        assert kind is not None and error is not None and trace is not None
        return kind, error, trace
    raise AssertionError(f"{function} did not raise")
