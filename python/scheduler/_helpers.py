"""The two helper functions of the package, and what else finds its files."""

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
    """The directory that holds `Scheduler.h` and `SchedulerCpp.hpp`, for compilers of programs in C and C++.

    Raises FileNotFoundError when the header was not shipped.

    Example:
        >>> import os, scheduler
        >>> sorted(os.listdir(scheduler.get_include()))[:2]
        ['Scheduler.h', 'SchedulerCpp.hpp']
    """
    return find_directory("include", ("..", "..", "include"), "Scheduler.h")


def find_cmake_package() -> str:
    """The directory where `find_package(scheduler)` of CMake finds the package of host programs."""
    return find_directory("cmake", ("..", "..", "cmake", "package"), "scheduler-config.cmake")


def find_directory(installed: str, checkout: tuple[str, ...], file: str) -> str:
    package = os.path.dirname(os.path.abspath(__file__))
    places = (
        os.path.join(package, installed),
        os.path.join(package, *checkout),  # also one installed with -e
    )
    for place in places:
        if os.path.isfile(os.path.join(place, file)):
            return os.path.normpath(place)
    raise FileNotFoundError(f"{file} is in none of {', '.join(map(os.path.normpath, places))}")
