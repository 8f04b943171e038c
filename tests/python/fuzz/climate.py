"""What happens to a program. It depends on the seed alone."""

from __future__ import annotations

import dataclasses
import random

from support.failing_memory import KINDS


@dataclasses.dataclass(frozen=True)
class Climate:
    quiet: bool  # nothing that the model would see
    tools: bool  # tracing and the like come and go
    collecting: bool  # a collection at every allocation, nearly
    signals: bool  # handlers run; where it is not quiet, they raise
    in_thread: bool  # not in the process's main thread
    abandoned: bool  # the thread ends whoever is alive
    company: bool  # a second thread plays another program with the same channels
    failing: str  # which calls of the module fail now and then: one of KINDS, or ""
    deadlock_timeout: float
    switch_interval: float

    def __str__(self) -> str:
        flags = [field.name for field in dataclasses.fields(self) if field.type == "bool"]
        words = [name for name in flags if getattr(self, name)]
        words += [f"failing {self.failing}"] if self.failing else []
        words += [f"deadlock timeout {self.deadlock_timeout}"]
        return ", ".join([*words, f"switch interval {self.switch_interval:g}"])


def draw(seed: int) -> Climate:
    rng = random.Random(f"{seed}/climate")
    quiet = rng.random() < 0.3
    failing = ""
    if not quiet and rng.random() < 0.3:
        failing = rng.choice(KINDS)
    in_thread = not quiet and rng.random() < 0.4
    return Climate(
        quiet=quiet,
        tools=rng.random() < 0.5,
        collecting=rng.random() < 0.4,
        signals=not in_thread and not failing and rng.random() < 0.6,
        in_thread=in_thread,
        abandoned=in_thread and rng.random() < 0.5,
        company=not quiet and not failing and rng.random() < 0.6,
        failing=failing,
        # The model's threads could not serve the module's tasklets.
        deadlock_timeout=0.0 if quiet else rng.choice((0.0, 0.002, 0.02)),
        switch_interval=rng.choice((5e-3, 1e-5)),
    )
