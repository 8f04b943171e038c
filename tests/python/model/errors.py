"""The exit exception, and how the arguments of throw and send_exception become an exception."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class TaskletExit(SystemExit):
    """M-06: ends a tasklet silently when it leaves the tasklet's callable."""


def is_exception_class(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseException)


def instantiate(cls: type[BaseException], value: Any) -> BaseException:
    """E-05, C-30, C-31: one instance of `cls`, described by `value`."""
    if value is None:
        return cls()
    if isinstance(value, cls):
        return value
    if isinstance(value, tuple):
        return cls(*value)
    return cls(value)


def exception_to_throw(
    exc: Any, value: Any = None, trace: TracebackType | None = None
) -> BaseException:
    """E-04, E-05: what throw and raise_exception raise for these arguments."""
    if isinstance(exc, BaseException):
        if value is not None:
            raise TypeError
        error = exc
    elif is_exception_class(exc):
        error = instantiate(exc, value)
    else:
        raise TypeError
    return error if trace is None else error.with_traceback(trace)


def exception_to_send(exc: Any, *args: Any) -> BaseException:
    """C-30: what send_exception delivers for these arguments."""
    if isinstance(exc, BaseException):
        if args:
            raise TypeError
        return exc
    if not is_exception_class(exc):
        raise RuntimeError
    return exc(*args) if len(args) > 1 else instantiate(exc, args[0] if args else None)


def exception_to_send_throw(
    exc: Any, value: Any = None, trace: TracebackType | None = None
) -> BaseException:
    """C-31: what send_throw delivers. Unlike `throw` it wraps an instance of a derived class."""
    if is_exception_class(exc) and isinstance(value, exc) and type(value) is not exc:
        value = (value,)
    return exception_to_throw(exc, value, trace)
