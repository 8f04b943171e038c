"""Ends a process that hangs, and tells what everybody was at.

Whoever waits for something says so with expect(), and whoever brings it about with met(). What is
still expected after the limit has passed is a hang. The dog is a plain thread; when it cannot run
either, because a thread that hangs holds the GIL, faulthandler's own thread ends the process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from typing import Any

EXIT_CODE = 70


class Watchdog:
    def __init__(self, limit: float, tasklets: Callable[[], list[Any]], heading: str) -> None:
        """Expects things within `limit` seconds; dumps what `tasklets()` returns."""
        self._limit = limit
        self._tasklets = tasklets
        self._heading = heading
        self._expected: dict[Hashable, tuple[float, str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def expect(self, key: Hashable, what: str) -> None:
        self._expected[key] = (time.monotonic(), what)

    def met(self, key: Hashable) -> None:
        self._expected.pop(key, None)

    @contextlib.contextmanager
    def expecting(self, key: Hashable, what: str) -> Iterator[None]:
        """What the block does is expected to end in time."""
        self.expect(key, what)
        yield
        self.met(key)

    def _watch(self) -> None:
        while True:
            faulthandler.dump_traceback_later(3 * self._limit, exit=True)
            if self._stop.wait(min(1.0, self._limit / 4)):
                return
            late = [
                what
                for since, what in list(self._expected.values())
                if time.monotonic() - since > self._limit
            ]
            if late:
                self._bark(late)

    def _bark(self, late: list[str]) -> None:
        sys.setswitchinterval(5e-3)  # shorter ones would leave little time for this
        lines = [f"storm: hangs: {self._heading}"]
        lines += [f"no {what} for {self._limit} s" for what in late]
        lines += [describe(task) for task in self._tasklets()]
        faulthandler.dump_traceback(all_threads=True)
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
        os._exit(EXIT_CODE)


def describe(task: Any) -> str:
    """A tasklet and its stack."""
    frame = task.frame
    stack = "".join(traceback.format_stack(frame)) if frame is not None else "  no frame\n"
    place = f"next {task.next!r}, previous {task.prev!r}, {task.times_switched_to} turns"
    return f"\n{task!r}\n  {place}\n{stack}"
