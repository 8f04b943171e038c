"""The two helper functions of the package."""

import contextlib
import os
from collections.abc import Iterator

from _scheduler import getcurrent


@contextlib.contextmanager
def block_trap(trap: bool = True) -> Iterator[None]:
    """Sets `block_trap` of the current tasklet for the time of a `with` block.

    A channel operation that would have to wait then raises RuntimeError instead. The old value
    comes back at the end of the block, also after an exception. A `trap` that is no bool is refused
    with RuntimeError.

    Example:
        >>> import scheduler
        >>> channel = scheduler.channel()
        >>> with scheduler.block_trap():
        ...     try:
        ...         channel.send("news")
        ...     except RuntimeError:
        ...         print("nobody receives")
        nobody receives
    """
    tasklet = getcurrent()
    before = tasklet.block_trap
    tasklet.block_trap = trap
    try:
        yield
    finally:
        tasklet.block_trap = before


def get_include() -> str:
    """The directory that holds `Scheduler.h`, for compilers of programs that use the C table.

    Raises FileNotFoundError when the header was not shipped.

    Example:
        >>> import os, scheduler
        >>> sorted(os.listdir(scheduler.get_include()))
        ['Scheduler.h']
    """
    package = os.path.dirname(os.path.abspath(__file__))
    places = (
        os.path.join(package, "include"),  # an installed package
        os.path.join(package, "..", "..", "include"),  # a checkout, also one installed with -e
    )
    for place in places:
        if os.path.isfile(os.path.join(place, "Scheduler.h")):
            return os.path.normpath(place)
    raise FileNotFoundError(f"Scheduler.h is in none of {', '.join(map(os.path.normpath, places))}")
