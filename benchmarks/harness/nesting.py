"""Calls that go through C code, as sort keys, `map` and `__getattr__` do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


def call(inner: Callable[[], Any]) -> None:
    inner()


def nested(levels: int, work: Callable[[], Any]) -> Callable[[], Any]:
    """Calls `work` below so many C functions, each of which has called Python.

    All who are below them can share what it returns: no objects of ours add to anybody's memory.
    """
    for _ in range(levels):
        work = partial(call, work)
    return work
