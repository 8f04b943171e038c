"""A round: a few seconds of storm in a given weather, and the reckoning afterwards."""

from __future__ import annotations

import dataclasses
import gc
import random
import sys
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import scheduler
from scheduler import sync

from . import actions, book, waits, weather
from .actor import Actor
from .crew import Crew, Order
from .deck import Deck
from .watchdog import Watchdog

PACE = 0.01  # seconds between two looks at the threads


@dataclasses.dataclass(frozen=True)
class Line:
    """A channel, or a queue of `sync`, and the number that the books know it by."""

    number: int
    channel: Any


class Section:
    """What one tasklet at a time may be in."""

    def __init__(self, lock: sync.Lock) -> None:
        self.lock = lock
        self.holder: str | None = None

    def may_enter(self, name: str) -> bool:
        is_theirs = self.holder == name and isinstance(self.lock, sync.RLock)
        return self.holder is None or is_theirs


class Field:
    """What all threads of a round share."""

    SEATS = 32  # of each thread
    LINES = 36
    QUEUES = 6

    def __init__(self, seed: str, weather_today: weather.Weather, watchdog: Watchdog) -> None:
        self.watchdog = watchdog
        self.weather = weather_today
        self.draining = False
        self.failures: list[str] = []
        # For many tasklets the only reference, unless they are queued or wait.
        self.seats: list[scheduler.tasklet | None] = [None] * self.SEATS * weather_today.threads
        self._deck = Deck(actions.CHOICES + waits.CHOICES, rough=weather_today.rough)
        self._channels: list[tuple[int, weakref.ref[scheduler.channel]]] = []
        # Where nobody may be disturbed: who waits on a channel that is lost may be collected.
        self._kept: list[scheduler.channel] = []
        rng = random.Random(seed)
        self._queues = [self._new_line(rng, scheduler.QueueChannel) for _ in range(self.QUEUES)]
        self.lines = [self._new_line(rng, scheduler.channel) for _ in range(self.LINES)]
        self.lines[: self.QUEUES] = self._queues
        self.stores = [Line(rng.getrandbits(48), sync.Queue(size)) for size in (0, 1, 5)]
        self.sections = [Section(sync.Lock()), Section(sync.RLock())]
        self.event = sync.Event()

    def fail(self, what: str) -> None:
        self.failures.append(what)

    def draw_action(self, rng: random.Random) -> Callable[[Actor], None]:
        return self._deck.draw(rng)

    def replace_line(self, rng: random.Random) -> None:
        """But not a QueueChannel, which would take what is queued along."""
        self.lines[rng.randrange(self.QUEUES, self.LINES)] = self._new_line(rng, scheduler.channel)

    def existing_channels(self) -> list[tuple[int, scheduler.channel]]:
        """All, also those that only those who wait there still know."""
        pairs = [(number, reference()) for number, reference in list(self._channels)]
        return [(number, channel) for number, channel in pairs if channel is not None]

    def queued_tokens(self) -> set[int]:
        queued = book.queued_tokens(item for line in self._queues for item in line.channel.data_queue)
        return queued | {id(token.entry) for store in self.stores for token in store.channel.queue}

    def _new_line(self, rng: random.Random, kind: type[scheduler.channel]) -> Line:
        channel = kind()
        channel.preference = rng.choice((-1, 0, 1))
        number = rng.getrandbits(48)  # so large that no two are the same
        self._channels.append((number, weakref.ref(channel)))
        if not self.weather.rough:
            self._kept.append(channel)
        return Line(number, channel)


class Round:
    """play() it once; afterwards `complaints` says what is wrong and `tally` what happened."""

    def __init__(self, seed: str, weather_today: weather.Weather, limit: float) -> None:
        self.complaints: list[str] = []
        self.tally: Counter[str] = Counter()  # actions
        self.ways: Counter[str] = Counter()  # of the tokens
        self.threads = 0
        self._seed = seed
        self._weather = weather_today
        self._rng = random.Random(seed)
        self._counters = _counters()
        self._watchdog = Watchdog(limit, self._tasklets, f"round {seed} ({weather_today})")
        self._field: Field | None = Field(f"{seed}/field", weather_today, self._watchdog)
        self._crews: list[Crew] = []  # of each index
        self._ledgers: list[book.Ledger] = []  # of all there have been

    def play(self, seconds: float) -> None:
        weather.start(self._weather)
        try:
            with self._watchdog:
                self._storm(seconds)
                self._end()
        finally:
            weather.stop()
        self._reckon()

    def _storm(self, seconds: float) -> None:
        self._crews = [self._hire(index, 0) for index in range(self._weather.threads)]
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._field.failures:
            for crew in self._crews:
                # In a rough round each thread ends, and is replaced, after about a second.
                if self._weather.rough and self._rng.random() < PACE:
                    self._order(crew, Order.ABANDON)
            self._patrol()

    def _end(self) -> None:
        """Ends all threads, after their tasklets or with them."""
        if self._weather.drained:
            while any(crew.order is not Order.NONE for crew in self._crews):
                self._patrol()
            self._field.draining = True
            with self._watchdog.expecting("drain", "end of all tasklets"):
                while not all(crew.idle for crew in self._crews):
                    self._patrol()
        for crew in self._crews:
            self._order(crew, Order.END if self._weather.drained else Order.ABANDON)
        while not all(crew.has_ended() for crew in self._crews):
            self._ring_all()
        for crew in self._crews:
            self._dismiss(crew)

    def _patrol(self) -> None:
        """Replaces threads that have ended and sees whether the others are well."""
        for index, crew in enumerate(self._crews):
            if crew.has_ended():
                self._dismiss(crew)
                self._crews[index] = self._hire(index, crew.generation + 1)
        self._ring_all()

    def _ring_all(self) -> None:
        for crew in self._crews:
            if not crew.has_ended():
                crew.ring()
        time.sleep(PACE)

    def _order(self, crew: Crew, order: Order) -> None:
        if crew.order is Order.NONE:
            crew.order = order
            self._watchdog.expect((crew.name, "end"), f"end of {crew.name}")

    def _hire(self, index: int, generation: int) -> Crew:
        crew = Crew(self._field, index, generation, f"{self._seed}/{index}.{generation}")
        self._ledgers.append(crew.ledger)
        crew.start()
        return crew

    def _dismiss(self, crew: Crew) -> None:
        self._watchdog.met((crew.name, "end"))
        self.threads += 1
        self.complaints += book.check_lives([crew.ledger])

    def _tasklets(self) -> list[Any]:
        return [task for crew in list(self._crews) for task in crew.tasklets()]

    def _reckon(self) -> None:
        """Balances the books. Afterwards nothing of the round may be left but them."""
        ledgers = self._ledgers
        queued = self._field.queued_tokens()
        self.complaints += self._field.failures
        self.complaints += book.check_tokens(ledgers, queued)
        self.ways = book.summarise(ledgers, queued)
        if not self._weather.rough:
            self.complaints += book.check_undisturbed(ledgers, queued)
        for ledger in ledgers:
            self.tally += ledger.tally
        self._crews.clear()
        self._field = None
        counters = _counters()
        self.complaints += book.check_forgotten(ledgers)
        if counters != self._counters:
            self.complaints.append(f"{self._counters} at the beginning, {counters} at the end")
            self.complaints += map(_describe, _tasklets_and_channels())


def _tasklets_and_channels() -> list[Any]:
    kinds = (scheduler.tasklet, scheduler.channel)
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]


def _describe(thing: Any) -> str:
    holders = [type(holder).__name__ for holder in gc.get_referrers(thing)]
    return f"left: {thing!r}, {sys.getrefcount(thing)} references, held by {holders}"


def _counters() -> dict[str, int]:
    scheduler.getmain()
    for _ in range(2):  # what the first one unwinds may leave more to collect
        gc.collect()
    return {
        "tasklets": scheduler.get_active_tasklet_count(),
        "channels": scheduler.get_number_of_active_channels(),
        "managers": scheduler.get_number_of_active_schedule_managers(),
    }
