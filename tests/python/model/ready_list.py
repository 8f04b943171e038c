"""The ready list of a thread: its main tasklet first, then the runnables queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tasklet import Tasklet


class ReadyList:
    """S-02, S-05: an ordered list of tasklets; main is always the first entry."""

    def __init__(self, main: Tasklet) -> None:
        self._entries = [main]

    def __contains__(self, tasklet: Tasklet) -> bool:
        return tasklet in self._entries

    def __iter__(self) -> Iterator[Tasklet]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last(self) -> Tasklet:
        return self._entries[-1]

    def before(self, tasklet: Tasklet) -> Tasklet | None:
        """The neighbour in front of `tasklet`; None for main and for what is not in the list."""
        place = self._place(tasklet)
        return self._entries[place - 1] if place > 0 else None

    def after(self, tasklet: Tasklet) -> Tasklet | None:
        """The neighbour behind `tasklet`; None for the last and for what is not in the list."""
        place = self._place(tasklet)
        return self._entries[place + 1] if 0 <= place < len(self._entries) - 1 else None

    def append(self, tasklet: Tasklet) -> None:
        assert tasklet not in self._entries
        self._entries.append(tasklet)

    def put_behind(self, place: Tasklet, tasklet: Tasklet) -> None:
        assert tasklet not in self._entries
        self._entries.insert(self._entries.index(place) + 1, tasklet)

    def remove(self, tasklet: Tasklet) -> None:
        assert tasklet is not self._entries[0]
        self._entries.remove(tasklet)

    def _place(self, tasklet: Tasklet) -> int:
        return self._entries.index(tasklet) if tasklet in self._entries else -1
