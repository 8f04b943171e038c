"""What there is to draw from: the actions of a round, and how often each is drawn."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .actor import Actor

Action = Callable[["Actor"], None]


@dataclasses.dataclass(frozen=True)
class Choice:
    do: Action
    weight: float
    rough: bool  # somebody's send or receive may be interrupted by it


class Choices(list[Choice]):
    """The actions of one module, written down by a decorator."""

    def action(self, weight: float, *, rough: bool = False) -> Callable[[Action], Action]:
        def add(do: Action) -> Action:
            self.append(Choice(do, weight, rough))
            return do

        return add


class Deck:
    """The actions of a round, to draw from."""

    def __init__(self, choices: list[Choice], *, rough: bool) -> None:
        choices = [choice for choice in choices if rough or not choice.rough]
        self._actions = [choice.do for choice in choices]
        self._weights: list[float] = []
        for choice in choices:
            self._weights.append(choice.weight + (self._weights or [0.0])[-1])

    def draw(self, rng: random.Random) -> Action:
        return rng.choices(self._actions, cum_weights=self._weights)[0]
