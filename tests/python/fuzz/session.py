"""Plays the program of a seed in its climate, and says what is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import scheduler
from model import compare, make_program
from storm import book
from support.memory_sweep import spawn, transfer
from support.object_counts import counters
from support.threads import Worker

from . import failures, tools
from .alarms import Alarms, Interrupted
from .climate import Climate, draw
from .quiet import QuietPlayer
from .rough import REFUSALS, RoughPlayer, is_foreseen
from .waits import Shared

PATIENCE = 120.0  # seconds until what should happen soon never will


def _comes_true(condition: Callable[[], bool]) -> bool:
    """Waits for it; False: it does not come true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


class Session:
    """Keeps what one process needs to judge one program after the other."""

    def __init__(self) -> None:
        scheduler.getmain()
        self._unraisable: list[str] = []
        self._may_fail = False
        sys.unraisablehook = self._note_unraisable
        self._stack_size = scheduler.get_stack_size()
        self._play_quietly(0, draw(0))  # what is made once for ever is made
        gc.collect()
        gc.freeze()
        self._counters = counters()

    def play(self, seed: int) -> list[str]:
        """What is wrong with the program of this seed, and with the module after it."""
        climate = draw(seed)
        if climate.failing and not failures.can_fail():
            climate = dataclasses.replace(climate, failing="")
        self._may_fail = bool(climate.failing)
        with self._weather(climate):
            wrong = (self._play_quietly if climate.quiet else self._play_roughly)(seed, climate)
        wrong += self._unraisable
        self._unraisable.clear()
        wrong += self._leftovers()
        spawn()
        transfer()
        return [str(climate), *wrong] if wrong else []

    @contextlib.contextmanager
    def _weather(self, climate: Climate) -> Iterator[None]:
        """What is set for the whole process."""
        threshold = gc.get_threshold()
        scheduler.set_deadlock_timeout(climate.deadlock_timeout)
        sys.setswitchinterval(climate.switch_interval)
        if climate.collecting:
            gc.set_threshold(1)
        try:
            yield
        finally:
            gc.set_threshold(*threshold)
            sys.setswitchinterval(5e-3)
            tools.stop()
            scheduler.set_stack_size(self._stack_size)
            scheduler.set_deadlock_timeout(1.0)

    def _alarms(self, seed: int, climate: Climate) -> Any:
        if not climate.signals:
            return contextlib.nullcontext()
        return Alarms(random.Random(f"{seed}/alarms"), raising=not climate.quiet)

    def _play_quietly(self, seed: int, climate: Climate) -> list[str]:
        make_player = functools.partial(QuietPlayer, climate=climate)
        with self._alarms(seed, climate):
            report = compare(make_program(seed), scheduler, make_player)
        return [] if report is None else [report]

    def _play_roughly(self, seed: int, climate: Climate) -> list[str]:
        play = _RoughPlay(seed, climate)
        if climate.in_thread:
            Worker(play.first, contextlib.nullcontext()).join(PATIENCE)
        else:
            play.first(self._alarms(seed, climate))
        return play.reckon()

    def _leftovers(self) -> list[str]:
        """What a thread held goes some time after its end."""
        if _comes_true(lambda: counters() == self._counters):
            return []
        before, self._counters = self._counters, counters()
        return [f"left over: {self._counters} instead of {before}"]

    def _note_unraisable(self, args: Any) -> None:
        """Not what a program raised or let out while it was unwound."""
        is_refusal = args.exc_type in REFUSALS
        names = {frame.name for frame in traceback.extract_tb(args.exc_traceback)}
        let_out = is_refusal and "_execute" in names
        out_of_memory = args.exc_type is MemoryError and self._may_fail
        raised = args.exc_type is book.Carrier or (is_foreseen(args.exc_value) and not is_refusal)
        if not (let_out or out_of_memory or raised):
            self._unraisable += traceback.format_exception(
                args.exc_type, args.exc_value, args.exc_traceback
            )


class _RoughPlay:
    """One or two threads with a program each, and their books."""

    def __init__(self, seed: int, climate: Climate) -> None:
        self._seed = seed
        self._climate = climate
        channels = max(make_program(one).profile.channels for one in self._seeds())
        self._shared = Shared([scheduler.channel() for _ in range(channels)])
        self._ledgers = [book.Ledger(f"thread {number}") for number, _ in enumerate(self._seeds())]
        self._players: list[RoughPlayer] = []
        self._met = threading.Event()

    def _seeds(self) -> list[int]:
        """The other program is one that no `seed` of usual size is for."""
        return [self._seed, self._seed + 10**9 + 1][: 1 + self._climate.company]

    def first(self, alarms: Any) -> None:
        """The thread that plays the first program."""
        player = self._make_player(0)
        company = Worker(self._second) if self._climate.company else None
        if company is not None:
            self._met.wait(PATIENCE)
        player.others = [task for one in self._players if one is not player for task in one.tasklets]
        self._play(player, alarms)
        if company is not None:
            company.join(PATIENCE)

    def _second(self) -> None:
        player = self._make_player(1)
        player.others = self._players[0].tasklets
        self._met.set()
        self._play(player, contextlib.nullcontext())

    def _make_player(self, number: int) -> RoughPlayer:
        program = make_program(self._seeds()[number])
        player = RoughPlayer(program, self._climate, self._shared, self._ledgers[number])
        self._players.append(player)
        return player

    def _play(self, player: RoughPlayer, alarms: Any) -> None:
        try:
            with contextlib.suppress(Interrupted), alarms:
                player.play_main()
            player.calm_down()
            if not self._climate.abandoned:
                player.end()
        finally:
            player.reset()
            tools.stop()

    def reckon(self) -> list[str]:
        wrong = [text for player in self._players for text in player.wrong]
        wrong += self._survivors()
        queued = {id(token.entry) for token in self._shared.store.queue}
        wrong += book.check_tokens(self._ledgers, queued)
        self._players.clear()
        del self._shared
        gc.collect()
        wrong += book.check_forgotten(self._ledgers)
        return wrong

    def _survivors(self) -> list[str]:
        """Those of an abandoned thread end with it, which is some time after its function."""
        main = scheduler.getmain()
        tasks = [task for player in self._players for task in player.tasklets if task is not main]
        _comes_true(lambda: not any(task.alive for task in tasks))
        return [f"alive: {task!r}" for task in tasks if task.alive]
