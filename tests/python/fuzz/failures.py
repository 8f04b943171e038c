"""Memory that is refused: to C++'s `new`, or by the system.

Not the interpreter's own objects: where those fail in the middle of Python code, CPython 3.12 may lose
references or crash by itself. support/memory_sweep.py has that, for scenarios where it does not.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from typing import Any

from support.failing_memory import Calls

LONGEST = 40  # allocations that succeed before one fails


class Failures:
    """One at a time, in a call of the module; over when Python code goes on in whatever tasklet."""

    def __init__(self, kind: str, rng: random.Random) -> None:
        self._rng = rng
        calls = Calls(kind)
        self._begin = calls.fail_after
        self.end = calls.has_failed

    def during(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What calls `call`, half of the time with a failure to come.

        All that may switch is called so: it also ends a failure that another tasklet has begun.
        """
        after = self._rng.randrange(2 * LONGEST)

        def failing(*args: Any) -> Any:
            if after < LONGEST:
                self._begin(after)
            try:
                return call(*args)
            finally:
                self.end()

        return failing


def can_fail() -> bool:
    """Is the library there, which the driver preloads?"""
    return hasattr(ctypes.CDLL(None), "has_failed")
