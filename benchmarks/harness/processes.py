"""Measures the rows of the table, with one process for each measurement."""

from __future__ import annotations

import datetime
import importlib
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import measure
from .rows import BYTES, GIGABYTES, MAPPINGS, MICROSECONDS, OWN, Blocked, Row

RUNS = 7
QUICK_DIVISOR = 50  # of the usual number of operations
QUICK_COUNT = 1_000
TIMEOUT = 900  # seconds, of one process

# What a measurement of many who wait calls the figures.
FIELDS = {
    BYTES: "bytes_each",
    GIGABYTES: "gigabytes",
    MAPPINGS: "mappings",
    MICROSECONDS: "us_each",
}
WAIT_BELOW_C = (OWN, "greenlet", "gevent")

Result = dict[str, Any]


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class MeasurementFailed(Exception):
    """A process ended with an error; the message has what it printed."""


@dataclass
class Harness:
    script: Path  # answers a question when it is called with --child
    tools: list[str]
    quick: bool = False
    skipped: dict[str, str] = field(default_factory=dict)  # tool or row: why
    _timed: dict[str, list[str]] = field(default_factory=dict)  # jobs of each tool
    _blocked: dict[tuple[str, Blocked], Result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for tool in self.tools:
            try:
                jobs = importlib.import_module(f"{__package__}.with_{tool}").TIMED
            except ImportError as error:
                if tool == OWN:
                    raise
                self.skip(tool, f"cannot be imported: {error}")
            else:
                self._timed[tool] = list(jobs)
        self.tools = list(self._timed)

    def skip(self, what: str, why: str) -> None:
        if what not in self.skipped:
            self.skipped[what] = why
            progress(f"{what}: left out, {why}")

    def measure(self, rows: list[Row]) -> Result:
        machine = measure.machine()  # the load before we begin
        jobs: dict[str, dict[str, Result]] = {}
        for row in rows:
            for tool in self.tools:
                result = self._row(row, tool)
                if result is not None:
                    jobs.setdefault(row.name, {})[tool] = result
                    progress(f"{row.name}: {tool}: {result['figure']:.5g} {row.unit}")
        return {
            "date": datetime.date.today().isoformat(),
            "machine": machine,
            "versions": measure.versions(self.tools),
            "quick": self.quick,
            "jobs": jobs,
            "skipped": self.skipped,
        }

    def timed(self, tool: str, runs: int = RUNS, **what: Any) -> Result:
        divisor, runs = (QUICK_DIVISOR, 1) if self.quick else (1, runs)
        return self.ask(tool, divisor=divisor, runs=runs, **what)

    def blocked(self, tool: str, what: Blocked) -> Result:
        """Medians of several processes. Rows share what was measured."""
        if (tool, what) not in self._blocked:
            count, runs = (QUICK_COUNT, 1) if self.quick else (what.count, what.runs)
            question = {"levels": what.levels, "stack_bytes": what.stack_bytes}
            found = [self.ask(tool, blocked=count, **question)]
            if "skipped" in found[0]:
                return found[0]
            found += [self.ask(tool, blocked=count, **question) for _ in range(runs - 1)]
            medians = {key: statistics.median(one[key] for one in found) for key in found[0]}
            self._blocked[tool, what] = {**medians, "runs": runs}
        return self._blocked[tool, what]

    def ask(self, tool: str, **question: Any) -> Result:
        words = json.dumps({"tool": tool, **question})
        command = [sys.executable, str(self.script), "--child", words]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
        )
        if done.returncode != 0:
            raise MeasurementFailed(f"{words}: exit code {done.returncode}\n{done.stderr}")
        result: Result = json.loads(done.stdout)
        return result

    def _row(self, row: Row, tool: str) -> Result | None:
        """None: the tool has nothing like it, or it is left out."""
        if row.blocked is None:
            return self.timed(tool, timed=row.name) if row.name in self._timed[tool] else None
        # Only our stacks have a size to choose.
        if tool != OWN and row.blocked.stack_bytes is not None:
            return None
        if tool not in WAIT_BELOW_C and row.blocked.levels != 0:
            return None
        found = self.blocked(tool, row.blocked)
        if "skipped" in found:
            self.skip(row.name, found["skipped"])
            return None
        return {key: found[key] for key in ("count", "runs")} | {"figure": found[FIELDS[row.unit]]}
