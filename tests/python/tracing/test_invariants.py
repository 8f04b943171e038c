"""What holds of every trace, on random programs: of one thread and of eight."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import scheduler
from support import recorded
from support.recorded import Recorded, check, turns
from support.threads import Worker
from support.waiting import TIMEOUT

serials = itertools.count()
KINDS = ("yield", "send", "receive", "spawn", "join", "select", "kill", "throw", "time", "run", "pause")


class Program:
    """Tasklets that do this and that. What happens depends on the seed alone, but for times."""

    def __init__(self, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        self.random = random.Random(seed)
        self.serial = next(serials)
        self.kinds = kinds
        self.channels = [scheduler.channel() for _ in range(3)]
        for channel in self.channels:
            channel.preference = self.random.choice((-1, 0, 1))
        self.tasks: list[scheduler.tasklet] = []
        self.drivers: set[scheduler.tasklet] = set()

    def run(self) -> None:
        for _ in range(6):
            self.spawn(2)
        for _ in range(200):
            with suppress(ValueError):  # of one that was thrown at
                scheduler.run()
            waiting = [task for task in self.tasks if task.alive]
            if not waiting:
                return
            self.serve(waiting)

    def serve(self, waiting: list[scheduler.tasklet]) -> None:
        """Those that wait for what does not come any more."""
        for channel in self.channels:
            while channel.balance != 0:
                with suppress(ValueError):
                    channel.receive() if channel.balance > 0 else channel.send(None)
        for task in waiting[:2]:
            if task.alive:
                with suppress(ValueError):
                    task.kill()

    def spawn(self, depth: int) -> scheduler.tasklet:
        task = scheduler.tasklet(self.work)(depth)
        task.name = f"{self.serial}-{len(self.tasks)}"
        self.tasks.append(task)
        return task

    def work(self, depth: int) -> None:
        for _ in range(self.random.randrange(1, 7)):
            kind = self.random.choice(self.kinds)
            try:
                getattr(self, "do_" + kind)(depth)
            except (ValueError, RuntimeError, TimeoutError):
                pass

    def any_task(self) -> scheduler.tasklet:
        return self.random.choice(self.tasks)

    def do_yield(self, depth: int) -> None:
        scheduler.schedule()

    def do_send(self, depth: int) -> None:
        self.random.choice(self.channels).send(depth)

    def do_receive(self, depth: int) -> None:
        self.random.choice(self.channels).receive()

    def do_spawn(self, depth: int) -> None:
        if depth > 0:
            self.spawn(depth - 1)

    def do_join(self, depth: int) -> None:
        self.any_task().join(timeout=0.0005)

    def do_select(self, depth: int) -> None:
        first, second, _ = self.random.sample(self.channels, 3)
        scheduler.select(first, second.sending(1))

    def do_kill(self, depth: int) -> None:
        self.any_task().kill(pending=True)

    def do_throw(self, depth: int) -> None:
        self.drivers.add(scheduler.getcurrent())
        self.any_task().throw(ValueError)

    def do_time(self, depth: int) -> None:
        self.random.choice(self.channels).receive(timeout=0.0005)

    def do_run(self, depth: int) -> None:
        self.drivers.add(scheduler.getcurrent())
        scheduler.run()

    def do_pause(self, depth: int) -> None:
        task = self.any_task()
        task.remove()
        if task.alive and not task.blocked:
            task.insert()


def check_counts(done: Recorded, program: Program) -> None:
    """As many turns as its tasklet counts, of each that does not run others itself."""
    numbers = {task.number: task.name for task in done.trace.tasklets}
    counts = Counter(numbers[part.tasklet] for part in done.trace.slices if part.state == "running")
    for task in program.tasks:
        if task not in program.drivers:
            assert counts[task.name] == task.times_switched_to, task


@pytest.mark.spec("TRC-01", "TRC-02", "TRC-03")
@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed: int, tmp_path: Path, mode: object) -> None:
    program = Program(seed)
    with recorded.recorded(tmp_path) as done:
        program.run()
    check(done.trace)
    assert done.trace.lost == 0
    check_counts(done, program)


@pytest.mark.spec("TRC-01", "TRC-02", "TRC-03", "TRC-15")
@pytest.mark.parametrize("seed", range(3))
def test_eight_threads_at_once(seed: int, tmp_path: Path) -> None:
    """Each with a program of its own, and all with transfers between them."""
    programs: list[Program] = []
    across = scheduler.channel()
    across.preference = 0

    def work(number: int) -> int:
        program = Program(seed * 8 + number)
        programs.append(program)
        program.run()
        for _ in range(20):
            across.send(number) if number % 2 else across.receive()
        return threading.get_ident()

    with recorded.recorded(tmp_path) as done:
        for worker in [Worker(work, number) for number in range(8)]:
            worker.join()
    check(done.trace)
    for program in programs:
        check_counts(done, program)
    remote = [arrow for arrow in done.trace.arrows if arrow.kind == "transfer"]
    thread_of = {task.number: task.thread for task in done.trace.tasklets}
    assert any(thread_of[arrow.source] != thread_of[arrow.target] for arrow in remote)
    assert len(done.trace.threads) == 9


@pytest.mark.spec("TRC-01")
def test_turns_fill_what_run_takes(tmp_path: Path) -> None:
    """From the first turn until the main tasklet goes on there is no time between two turns."""
    program = Program(1, ("yield", "send", "receive", "spawn"))
    with recorded.recorded(tmp_path) as done:
        program.run()
    everything = turns(done.trace, 1)
    assert len(everything) > 50
    for before, after in zip(everything, everything[1:]):
        if "main" not in (_name(done, before.tasklet), _name(done, after.tasklet)):
            assert before.end == after.begin


def _name(done: Recorded, number: int) -> str:
    return next(task.name for task in done.trace.tasklets if task.number == number)


@pytest.mark.spec("TRC-15")
def test_traces_begin_and_end_while_threads_run(tmp_path: Path) -> None:
    stop = threading.Event()
    leave = threading.Semaphore(0)  # so that all that is sent has room in the file

    def work() -> None:
        channel = scheduler.channel()

        def send() -> None:
            while leave.acquire(timeout=TIMEOUT) and not stop.is_set():
                for _ in range(4):
                    channel.send(None)
            channel.close()

        def receive() -> None:
            for _ in channel:
                scheduler.schedule()

        scheduler.tasklet(send)()
        scheduler.tasklet(receive)()
        scheduler.run()

    workers = [Worker(work) for _ in range(4)]
    try:
        for _ in range(10):
            with recorded.recorded(tmp_path, max_bytes=8 << 20) as done:
                for _ in range(200):
                    leave.release(len(workers))
                    task = scheduler.tasklet(scheduler.schedule)()
                    scheduler.run()
                    assert not task.alive
            check(done.trace)
            assert len(done.named("schedule")) == 200
    finally:
        stop.set()
        leave.release(len(workers))
        for worker in workers:
            worker.join()
