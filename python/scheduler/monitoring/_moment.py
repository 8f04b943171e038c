"""A moment at which a monitored program is seen at what it mostly does.

With the GIL, a thread that wakes gets control where others let go of the GIL by themselves: in a sleep, say,
at the end of a frame. Looks would find every program asleep. So a look comes after a random time, and for
that time others have to let go of the GIL earlier than usual, in the middle of what they are at.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator

SPREAD = 0.01  # seconds: the longest random time
MOMENT = 0.0002  # seconds in which a thread's use of the processor is measured
MICROSECOND = 1e-6
HASTE = 0.0002  # seconds after which others let go of the GIL

_dice = random.Random()  # its own: the program may have seeded the other one
_usual: float | None = None  # what sys.getswitchinterval() was, while it is changed


@contextlib.contextmanager
def moment() -> Iterator[None]:
    """Runs the block at a random time from now, in haste."""
    global _usual
    if sys.getswitchinterval() > HASTE:
        _usual = sys.getswitchinterval()
        sys.setswitchinterval(HASTE)
    try:
        time.sleep(_dice.uniform(0, SPREAD))
        yield
    finally:
        restore()


def restore() -> None:
    """Puts the program's own interval back, unless it has set another one. Also in a fork's child."""
    global _usual
    usual, _usual = _usual, None
    if usual is not None and abs(sys.getswitchinterval() - HASTE) < MICROSECOND:
        sys.setswitchinterval(usual + MICROSECOND / 2)  # CPython cuts off what is less than one
