"""How many tasklets, channels and managers there are, and references to one thing."""

from __future__ import annotations

import gc
import sys

import scheduler


def counters() -> dict[str, int]:
    """The module's counts of living objects, after a collection."""
    gc.collect()
    return uncollected_counters()


def uncollected_counters() -> dict[str, int]:
    """These, with what a collection would remove."""
    return {
        "tasklets": scheduler.get_active_tasklet_count(),
        "channels": scheduler.get_number_of_active_channels(),
        "managers": scheduler.get_number_of_active_schedule_managers(),
    }


def references(thing: object) -> int:
    """How many references there are to `thing`, of which a variable of the caller's is one.

    The plain sys.getrefcount() also counts what lies on evaluation stacks, which since CPython 3.14 may
    borrow from the variable instead.
    """
    box = [thing]
    del thing
    return sys.getrefcount(box[0]) - 2  # the box, and the argument
