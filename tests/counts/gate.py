"""Compares figures with the baseline."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# job -> kind -> number
Figures = dict[str, dict[str, float]]

TOLERANCE = 0.05
# kind -> (unit, decimals that are kept)
KINDS = {
    "instructions": ("instructions per operation", 1),
    "allocations": ("heap allocations per operation", 2),
    "memory_calls": ("calls of mmap and its like per 1000 operations", 1),
    "mappings": ("mappings more with 10,000 blocked tasklets", 0),
}
# Whether the kernel joins a new mapping with its neighbours depends on where they happen to be.
# What must not happen is that each stack, or each slab of stacks, adds one.
MAPPINGS_BY_CHANCE = 5
COMMENT = (
    "What was counted; 5% more is allowed. README.md explains the figures. Written by "
    "count.py --update; a commit that changes this file says why."
)


@dataclass(frozen=True)
class Change:
    """A figure that differs from the baseline by more than the tolerance."""

    job: str
    kind: str
    before: float
    now: float

    @property
    def is_rise(self) -> bool:
        return self.now > self.before

    def __str__(self) -> str:
        unit, decimals = KINDS[self.kind]
        before, now = (f"{number:,.{decimals}f}" for number in (self.before, self.now))
        percent = f" ({self.now / self.before - 1:+.1%})" if self.before else ""
        return f"{self.job}: {now} {unit}, {before} in the baseline{percent}"


def rounded(kind: str, number: float) -> float:
    """What is kept of a figure: less than that is no property of one operation."""
    # Adding 0.0 makes a zero of -0.0.
    return round(number, KINDS[kind][1]) + 0.0


def changes(now: Figures, baseline: Figures, kinds: Collection[str]) -> list[Change]:
    """What differs by more than the tolerance, among these kinds.

    A figure that the baseline does not have is a rise from 0.
    """
    found = []
    for job, numbers in now.items():
        for kind, number in numbers.items():
            before = baseline.get(job, {}).get(kind, 0.0)
            allowed = max(TOLERANCE * before, MAPPINGS_BY_CHANCE if kind == "mappings" else 0)
            if kind in kinds and abs(number - before) > allowed:
                found.append(Change(job, kind, before, number))
    return found


def comparable(now: dict[str, str], baseline: dict[str, str]) -> dict[str, str]:
    """{kind: why it cannot be compared, or ""}, from the facts of the two measurements."""

    def difference(*facts: str) -> str:
        return "; ".join(
            f"{fact} is {now[fact]}, in the baseline {baseline.get(fact, 'unknown')}"
            for fact in facts
            if now[fact] != baseline.get(fact)
        )

    code, system = difference("compiler", "machine"), difference("guard_pages")
    return {"instructions": code, "allocations": "", "memory_calls": system, "mappings": system}


def load(path: Path) -> dict[str, Any]:
    """{Python version: {"facts": ..., "figures": ...}}."""
    return dict(json.loads(path.read_text())["versions"]) if path.exists() else {}


def save(path: Path, versions: dict[str, Any]) -> None:
    content = {"comment": COMMENT, "versions": versions}
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
