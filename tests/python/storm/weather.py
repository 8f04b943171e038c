"""What a round is made of: how rough it is, and how often threads take turns."""

from __future__ import annotations

import dataclasses
import random
import sys

import scheduler

DEADLOCK_TIMEOUT = 1.0  # unless another one is set


@dataclasses.dataclass(frozen=True)
class Weather:
    threads: int  # at the same time
    rough: bool  # tasklets are killed, thrown at, unwound; threads end and are replaced
    drained: bool  # at the end all tasklets are served, rather than left to their threads' ends
    flat: bool  # not nested
    callbacks: bool  # Python code runs at each switch and each transfer
    parking: bool  # a thread with nothing to do waits, rather than to look again and again
    deadlock_timeout: float | None
    switch_interval: float

    def __str__(self) -> str:
        words = [
            f"{self.threads} threads",
            "rough" if self.rough else "calm",
            "drained" if self.drained else "abandoned",
            "flat" if self.flat else "nested",
            "parking" if self.parking else "spinning",
            *(["callbacks"] if self.callbacks else []),
            f"switch interval {self.switch_interval:g} s",
            f"deadlock timeout {self.deadlock_timeout}",
        ]
        return ", ".join(words)


def draw(rng: random.Random, number: int) -> Weather:
    """The weather of a round. Any four in a row have rough and calm, drained and abandoned ones."""
    rough = number % 4 != 3
    return Weather(
        threads=rng.choice((2, 8)),
        rough=rough,
        drained=not rough or number % 2 == 0,
        flat=rng.random() < 0.25,
        callbacks=rng.random() < 0.25,
        parking=rng.random() < 0.6,
        deadlock_timeout=rng.choice((0.0, 0.01, 0.3, None)),
        switch_interval=rng.choice((5e-3, 1e-5, 1e-5)),
    )


def start(weather: Weather) -> None:
    """Sets what is set for the whole process. The callbacks only make trouble: they run Python."""
    sys.setswitchinterval(weather.switch_interval)
    scheduler.set_use_nested_tasklets(not weather.flat)
    scheduler.set_deadlock_timeout(weather.deadlock_timeout)
    if weather.callbacks:
        scheduler.set_schedule_callback(lambda left, entered: left.alive and entered.alive)
        scheduler.set_channel_callback(lambda channel, task, sending, blocks: channel.balance)


def stop() -> None:
    """Sets all that back."""
    sys.setswitchinterval(5e-3)
    scheduler.set_use_nested_tasklets(True)
    scheduler.set_deadlock_timeout(DEADLOCK_TIMEOUT)
    scheduler.set_schedule_callback(None)
    scheduler.set_channel_callback(None)
