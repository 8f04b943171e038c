"""Waits for events and threads that fail when the time is up."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Iterator

# Longest time a test waits for another thread or process. Reaching it is a failure.
TIMEOUT = 60.0


def wait(event: threading.Event) -> None:
    """Waits for an event; fails when it does not come."""
    assert event.wait(TIMEOUT), "the other thread gave no sign"


def join(*threads: threading.Thread) -> None:
    """Waits for threads and fails if one is still running when the time is up."""
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive(), f"{thread.name} did not end"


@contextlib.contextmanager
def most_of_memory() -> Iterator[None]:
    """For a test that takes most of the machine's memory: other interpreters' suites wait with theirs."""
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
