"""What a call returns or raises, and exceptions for the tables of tests."""

from __future__ import annotations

import dataclasses
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any


def outcome(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `call` returns, or the type of the exception that it raises."""
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        return type(error)


def message(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The text of the exception that `call` must raise."""
    try:
        call(*args, **kwargs)
    except BaseException as error:
        return str(error)
    raise AssertionError("nothing was raised")


def raised_in(function: Callable[[], Any]) -> tuple[type, BaseException, types.TracebackType]:
    """Calls `function`, which must raise, and returns what `sys.exc_info()` says about it."""
    try:
        function()
    except BaseException:
        kind, error, trace = sys.exc_info()
        assert kind is not None and error is not None and trace is not None
        return kind, error, trace
    raise AssertionError(f"{function} did not raise")


def functions_in(trace: types.TracebackType | None) -> list[str]:
    """Names of the functions that a traceback passes through, outermost first."""
    return [frame.name for frame in traceback.extract_tb(trace)]


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
