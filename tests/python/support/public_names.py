"""The methods and attributes that tasklets and channels have."""

from __future__ import annotations

TASKLET_METHODS = (
    "bind",
    "insert",
    "join",
    "kill",
    "raise_exception",
    "remove",
    "result",
    "run",
    "set_context",
    "setup",
    "switch",
    "throw",
    "__call__",
)
TASKLET_ATTRIBUTES = (
    "alive",
    "block_trap",
    "blocked",
    "context",
    "context_manager_getter",
    "dont_raise",
    "endTime",
    "exception_handler",
    "file_name",
    "frame",
    "highlighted",
    "is_current",
    "is_main",
    "line_number",
    "method_name",
    "module_name",
    "name",
    "next",
    "parent_callsite",
    "paused",
    "prev",
    "runTime",
    "scheduled",
    "startTime",
    "thread_id",
    "times_switched_to",
)
CHANNEL_METHODS = (
    "clear",
    "close",
    "open",
    "receive",
    "send",
    "send_exception",
    "send_throw",
    "sending",
    "__next__",
)
CHANNEL_ATTRIBUTES = ("balance", "closed", "closing", "preference", "queue")
