"""Calls that go through C code, as sort keys, `map` and `__getattr__` do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def below(levels: int, work: Callable[[], Any]) -> None:
    """Calls `work` below so many C functions, each of which has called Python."""
    if levels == 0:
        work()
        return

    def callback(left: int) -> None:
        if left == 1:
            work()
        else:
            next(map(callback, (left - 1,)))

    next(map(callback, (levels,)))
