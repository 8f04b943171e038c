"""What a player does that the model does not know: waits that end after a time, for the first of several,
for groups and results, and at what `sync` has. What is sent is in a ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import queue
import random
from collections.abc import Callable
from typing import Any

import scheduler
from model.player import Player
from model.programs import MAIN, Program
from scheduler import sync
from storm.book import Carrier, Case, Ledger

from .climate import Climate
from .failures import Failures

STORE = -1  # the number of the store in the books


@dataclasses.dataclass
class Shared:
    """What the players of all threads have in common."""

    channels: list[Any]
    store: sync.Queue[Any] = dataclasses.field(default_factory=lambda: sync.Queue(2))
    lock: sync.Lock = dataclasses.field(default_factory=sync.RLock)
    event: sync.Event = dataclasses.field(default_factory=sync.Event)
    holder: Any = None  # who is between acquire() and release()


class WaitingPlayer(Player):
    """`wrong` is what went wrong."""

    def __init__(self, program: Program, climate: Climate, shared: Shared, ledger: Ledger) -> None:
        super().__init__(program, scheduler, [])
        self._channels = shared.channels
        self._shared = shared
        self._ledger = ledger
        self._rng = random.Random(f"{program.seed}/events")
        self._failures = Failures(climate.failing, self._rng) if climate.failing else None
        self.wrong: list[str] = []

    def _may_fail(self, call: Any) -> Any:
        if self._failures is None:
            return call
        return self._failures.during(call)

    def _draw_limit(self) -> float:
        return self._rng.choice((0, 0.0002, 0.001, 0.005))

    def _judge(self, problem: str | None) -> None:
        if problem is not None:
            self.wrong.append(problem)

    # ------------------------------------------------------------- operations of programs

    def _do_send(self, number: int, value: int) -> None:
        self._hand_over(number, self._channels[number].send)

    def _do_send_exception(self, number: int, kind: str) -> None:
        send = self._channels[number].send_exception
        if kind == "Boom":
            self._ledger.hand_over(number, functools.partial(send, Carrier))
        else:
            self._ledger.hand_over(number, lambda token: send(Carrier(token)))

    def _do_receive(self, number: int) -> None:
        self._take(number, self._channels[number].receive)

    def _do_receive_next(self, number: int) -> None:
        self._take(number, functools.partial(next, self._channels[number]))

    def _hand_over(self, number: int, send: Callable[..., Any]) -> None:
        self._ledger.hand_over(number, self._may_fail(send))

    def _take(self, number: int, receive: Callable[[], Any], *, passes_on: bool = False) -> None:
        self._judge(self._ledger.take(number, self._may_fail(receive), passes_on=passes_on))

    # ----------------------------------------------------------------------- other waits

    def _wait(self) -> None:
        waits = [
            self._send_in_time,
            self._receive_in_time,
            self._select,
            self._select,
            self._put,
            self._get,
            self._visit,
            self._use_event,
            self._may_fail(self._do_sleep),
            self._may_fail(self._do_result),
            self._do_group,
        ]
        self._rng.choice(waits)()

    def _in_scope(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        def scoped(*args: Any) -> Any:
            with scheduler.timeout(self._draw_limit()):
                return execute(*args)

        return scoped

    def _pick(self) -> tuple[int, Any]:
        return self._rng.choice(list(enumerate(self._channels)))

    def _send_in_time(self) -> None:
        number, channel = self._pick()
        self._hand_over(number, functools.partial(channel.send, timeout=self._draw_limit()))

    def _receive_in_time(self) -> None:
        number, channel = self._pick()
        self._take(number, functools.partial(channel.receive, timeout=self._draw_limit()))

    def _select(self) -> None:
        select = functools.partial(
            scheduler.select,
            timeout=self._rng.choice((None, self._draw_limit())),
            ordered=self._rng.random() < 0.2,
        )
        cases = [self._draw_case() for _ in range(self._rng.randrange(1, 5))]
        self._judge(self._ledger.choose(cases, self._may_fail(select)))

    def _draw_case(self) -> Case:
        chance = self._rng.random()
        if chance < 0.8:
            number, channel = self._pick()
            return Case(channel, number, sends=chance < 0.4)
        return Case(self._shared.event if chance < 0.9 else self._rng.choice(self._tasklets))

    def _do_sleep(self) -> None:
        scheduler.sleep(self._draw_limit())

    def _do_result(self) -> None:
        self._rng.choice(self._tasklets).result(self._draw_limit())

    def _do_group(self) -> None:
        """Members are killed when one fails: see KILLS."""
        if self._failures is not None:
            return
        with scheduler.TaskletGroup() as group:
            for _ in range(2):
                script = self._rng.randrange(len(self._program.scripts))
                self._tasklets.append(group.start(self._run_script, MAIN + 1, script))
            scheduler.schedule()

    # ----------------------------------------------------------------- what `sync` has

    def _put(self) -> None:
        put = functools.partial(self._shared.store.put, timeout=self._draw_limit())
        with contextlib.suppress(queue.Full):
            self._hand_over(STORE, put)

    def _get(self) -> None:
        get = functools.partial(self._shared.store.get, timeout=self._draw_limit())
        with contextlib.suppress(queue.Empty):
            self._take(STORE, get, passes_on=True)

    def _visit(self) -> None:
        shared, me = self._shared, scheduler.getcurrent()
        if not self._may_fail(shared.lock.acquire)(timeout=self._draw_limit()):
            return
        before, shared.holder = shared.holder, me
        try:
            scheduler.schedule()
            if before not in (None, me) or shared.holder is not me:
                self.wrong.append(f"{before!r} and {me!r} have the same lock")
        finally:
            shared.holder = before
            shared.lock.release()

    def _use_event(self) -> None:
        event = self._shared.event
        use = self._rng.choice(
            (event.set, event.clear, functools.partial(event.wait, self._draw_limit()))
        )
        self._may_fail(use)()
