"""A player to whom nothing happens that the model would see."""

from __future__ import annotations

import gc
import random
from typing import Any

import scheduler
from model.player import Player
from model.programs import Op

from . import tools
from .climate import Climate


class QuietPlayer(Player):
    def __init__(self, *args: Any, climate: Climate) -> None:
        super().__init__(*args)
        self._climate = climate
        self._rng = random.Random(f"{self._program.seed}/events")

    def _execute(self, op: Op) -> Any:
        if self._rng.random() < 0.2:
            self._disturb()
        return super()._execute(op)

    def _disturb(self) -> None:
        if self._climate.tools and self._rng.random() < 0.5:
            tools.toggle(self._rng)
            return
        match self._rng.randrange(5):
            case 0:
                gc.collect(self._rng.randrange(3))
            case 1:
                repr((self._tasklets, self._channels))
            case 2:
                scheduler.trim_stacks()
            case 3:
                for tasklet in self._tasklets:
                    frame = tasklet.frame
                    while frame is not None:
                        frame = frame.f_back
            case 4:
                scheduler.set_stack_size(self._rng.choice((1, 2, 8)) << 20)
