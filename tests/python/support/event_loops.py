"""Event loops that tests of `scheduler.aio` run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

try:
    import uvloop
except ImportError:  # no wheel for this interpreter
    uvloop = None


def plain() -> Any:
    return asyncio.new_event_loop()


def careful() -> Any:
    """With asyncio's debug mode; where there are eager tasks, all are."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60.0
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


PLAIN_AND_UVLOOP: list[Callable[[], Any]] = [plain]
if uvloop is not None:
    PLAIN_AND_UVLOOP.append(uvloop.new_event_loop)
FACTORIES = [*PLAIN_AND_UVLOOP, careful]


class Complaints:
    """What the loop's exception handler has been told, as text, so that it keeps nothing alive."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def listen(self) -> None:
        """In the loop."""
        asyncio.get_running_loop().set_exception_handler(self._note)

    def _note(self, loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.log.append(context["message"] + (f": {error!r}" if error is not None else ""))
