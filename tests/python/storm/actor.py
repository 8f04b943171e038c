"""An actor: what a tasklet of the storm is. It draws one action after the other and does it."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import scheduler

from .book import Case, Life, Token

if TYPE_CHECKING:
    from .crew import Crew
    from .round import Line

# How the module refuses what cannot be done just now. Subclasses are no refusals.
REFUSALS = (RuntimeError, ValueError, scheduler.ChannelClosed, StopIteration)


class Thrown(Exception):
    """What actors throw at each other."""


class Stop(BaseException):
    """Raised in a thread to make it end at once. Nobody catches it on the way to its main loop."""


class Actor:
    """Belongs to one tasklet: an ordinary one, which calls live(), or a main one, which steps."""

    def __init__(self, crew: Crew, name: str, seed: int) -> None:
        self.crew = crew
        self.field = crew.field
        self.ledger = crew.ledger
        self.name = name
        self.rng = random.Random(seed)

    def live(self, life: Life, steps: int, *, patient: bool = True) -> str:
        """The code of a tasklet. Where it is rough, some survive an exception that ends others: but not
        those that a group may wait for, which kills only once."""
        life.started = True
        patient = patient and self.field.weather.rough
        patience = self.rng.choice((0, 0, 1, 2)) if patient else 0
        try:
            while steps > 0 and not self.field.draining:
                steps -= 1
                try:
                    self.step()
                except (scheduler.TaskletExit, Thrown):
                    patience -= 1
                    if patience < 0:
                        raise
        finally:
            life.ended = True
        return self.name

    def live_once(self, life: Life, action: Callable[[Actor], None]) -> None:
        """The code of a tasklet that does one thing."""
        life.started = True
        try:
            self.do(action)
        finally:
            life.ended = True

    def step(self) -> None:
        self.do(self.field.draw_action(self.rng))

    def do(self, action: Callable[[Actor], None]) -> None:
        """Does something. A refusal is all right, anything unforeseen is a failure."""
        name = getattr(action, "__name__", "serve")
        try:
            action(self)
        except (scheduler.TaskletExit, Thrown) as error:
            self.ledger.tally[f"{name}: {type(error).__name__}"] += 1
            raise
        except Exception as error:
            if type(error) not in REFUSALS:
                self.field.fail(f"{self.name}, {name}:\n{traceback.format_exc()}")
            self.ledger.tally[f"{name}: {type(error).__name__}"] += 1
        else:
            self.ledger.tally[name] += 1

    def check(self, is_right: bool, what: str) -> None:
        if not is_right:
            self.field.fail(f"{self.name}: {what}")

    # ---- whom and where

    def pick_line(self) -> Line:
        return self.rng.choice(self.field.lines)

    def pick_task(self) -> scheduler.tasklet | None:
        """Somebody, alive or dead: of the own thread, or of any."""
        index = self.rng.randrange(len(self.field.seats))
        if self.rng.random() < 0.5:
            index = self.crew.own_seat(index)
        return self.field.seats[index]

    def draw_limit(self) -> float | None:
        """Where all must end, nobody waits without a time-out: two might wait for each other."""
        endless = () if self.field.weather.drained else (None,)
        return self.rng.choice((0, 0.0001, 0.001, 0.01, 0.05, *endless))

    # ---- transfers

    def hand_over(self, number: int, send: Callable[[Token], Any]) -> None:
        self.ledger.hand_over(number, send)

    def take(self, number: int, receive: Callable[[], Any], *, passes_on: bool = False) -> None:
        problem = self.ledger.take(number, receive, passes_on=passes_on)
        self.check(problem is None, str(problem))

    def choose(self, cases: list[Case], select: Callable[..., tuple[int, Any]]) -> None:
        problem = self.ledger.choose(cases, select)
        self.check(problem is None, str(problem))
