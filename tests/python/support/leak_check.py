"""Does repeating something leave objects behind? Used by test_leaks.py and by `--leaks`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import scheduler

_clear_type_cache = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
WARM_UP = 5  # repetitions that may fill caches and free lists


def _live_objects() -> dict[str, int]:
    gc.collect()
    _clear_type_cache()  # it keeps the names that were looked up in types
    counts = {
        "objects seen by the collector": len(gc.get_objects()),
        "allocated memory blocks": sys.getallocatedblocks(),
        "tasklets": scheduler.get_active_tasklet_count(),
        "channels": scheduler.get_number_of_active_channels(),
        "managers": scheduler.get_number_of_active_schedule_managers(),
    }
    if hasattr(sys, "gettotalrefcount"):  # debug builds of CPython
        counts["references"] = sys.gettotalrefcount()
    return counts


def _growth(function: Callable[[], object], rounds: int) -> dict[str, int]:
    start = _live_objects()
    before = _live_objects()  # counts what counting itself adds
    for _ in range(rounds):
        function()
    after = _live_objects()
    return {name: after[name] - 2 * before[name] + start[name] for name in before}


def assert_no_growth(function: Callable[[], object], rounds: int = 50) -> None:
    """Fails when calling `function` `rounds` times leaves one object or more behind per call.

    A cache that fills once may grow a count for a while, so growth counts as a leak only when three
    batches in a row show it; a real leak shows in every one.
    """
    for _ in range(WARM_UP):
        function()
    leaking: dict[str, int] = {}
    for _ in range(3):
        growth = _growth(function, rounds)
        leaking = {name: count for name, count in growth.items() if count >= rounds}
        if not leaking:
            return
    raise AssertionError(f"growth in {rounds} repetitions: {leaking}")
