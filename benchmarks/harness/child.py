"""One measurement, in the process that bench.py starts for it."""

from __future__ import annotations

import gc
import importlib
from functools import partial
from typing import Any

from . import measure


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`question` names a tool and one of `timed`, `yields` and `blocked`."""
    tool = importlib.import_module(f"{__package__}.with_{question['tool']}")
    if question.get("stack_bytes") is not None:
        import scheduler

        if not hasattr(scheduler, "set_stack_size"):
            return {"skipped": "needs set_stack_size"}
        scheduler.set_stack_size(question["stack_bytes"])
    # What is loaded by now is none of the job's business when the collector runs.
    gc.collect()
    gc.freeze()
    if "blocked" in question:
        count = min(question["blocked"], getattr(tool, "MAX_BLOCKED", question["blocked"]))
        return {**measure.blocked(tool.block, count, question["levels"]), "count": count}
    operations = tool.OPERATIONS // question["divisor"]
    if "timed" in question:
        job = tool.TIMED[question["timed"]]
    else:
        job = partial(tool.yields, question["yields"])
        operations = max(operations, 5 * question["yields"])
    return measure.beside_floor(job, operations, question["runs"])
