"""A suspended tasklet that is discarded is unwound (spec T-18, design decision DEC-8).

Unwinding by `bind` and `setup` is in test_bind.py, by the end of a thread in test_thread_end.py.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.interpreter import HAS_GIL
from support.object_counts import counters
from support.scheduling import started
from support.threads import in_thread


@pytest.mark.spec("T-18", "G-08", "DEC-8")
def test_a_suspended_tasklet_that_dies_is_unwound() -> None:
    def job() -> None:
        try:
            scheduler.schedule_remove()
            log.append("not reached")
        except BaseException as error:
            log.append(type(error))
            raise
        finally:
            log.append("finally")

    log: list[Any] = []
    switches: list[Any] = []
    task = started(job)
    reference = weakref.ref(task)
    scheduler.set_schedule_callback(lambda *pair: switches.append(pair))
    del task
    scheduler.set_schedule_callback(None)
    assert reference() is None
    assert log == [scheduler.TaskletExit, "finally"]
    assert switches == []


@pytest.mark.spec("T-18", "DEC-8")
def test_a_tasklet_that_never_started_is_dropped_silently() -> None:
    log: list[str] = []
    before = counters()["tasklets"]
    task = scheduler.tasklet(log.append).bind(None, ("ran",))
    del task
    assert scheduler.get_active_tasklet_count() == before
    assert log == []


@pytest.mark.spec("T-18", "DEC-8")
def test_errors_while_unwinding_are_unraisable(unraisable: list[Any]) -> None:
    def job() -> None:
        try:
            scheduler.schedule_remove()
        finally:
            raise OSError("while unwinding")

    task = started(job)
    assert unraisable == []
    del task
    assert [(entry.exc_type, entry.message) for entry in unraisable] == [
        (OSError, "while unwinding")
    ]


@pytest.mark.spec("T-18", "DEC-8")
def test_a_tasklet_may_catch_the_exit_and_return() -> None:
    def job() -> None:
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            log.append(scheduler.getcurrent() is not main)
            log.append(outcome(scheduler.schedule))
            log.append(outcome(channel.receive))

    log: list[Any] = []
    main = scheduler.getmain()
    channel = scheduler.channel()
    task = started(job)
    del task
    assert log == [True, scheduler.TaskletExit, scheduler.TaskletExit]
    assert scheduler.getcurrent() is main
    assert channel.balance == 0


@pytest.mark.spec("T-18", "DEC-8")
def test_unwinding_gives_up_on_a_tasklet_that_will_not_end(run_script: Callable) -> None:
    done = run_script(
        """
        import scheduler, sys
        def stubborn():
            global tries
            while True:
                try:
                    scheduler.schedule_remove()
                except scheduler.TaskletExit:
                    tries += 1
        tries = 0
        reports = []
        sys.unraisablehook = lambda args: reports.append(args.exc_type.__name__)
        task = scheduler.tasklet(stubborn)()
        task.run()
        del task
        print(100 <= tries <= 101, reports, scheduler.getruncount())
        """
    )
    assert done.stdout == "True ['RuntimeError'] 1\n"


@pytest.mark.spec("T-18", "DEC-8")
def test_last_reference_dropped_on_another_thread() -> None:
    def job() -> None:
        try:
            scheduler.schedule_remove()
        finally:
            idents.append(threading.get_ident())

    idents: list[int] = []
    tasks = [started(job)]
    in_thread(tasks.clear)
    if HAS_GIL:  # without it the last reference may come home before the tasklet is destroyed
        assert idents == []
    scheduler.run()
    assert idents == [threading.get_ident()]


@pytest.mark.spec("T-18", "DEC-8", "D-52")
def test_a_cycle_collected_by_another_thread_is_unwound_whole_on_its_own() -> None:
    class Box:
        log: list[str]
        task: Any

    def job(box: Box) -> None:
        task = box.task  # the cycle: frame, box, tasklet
        try:
            scheduler.schedule_remove()
        finally:
            seen.append((threading.get_ident(), box.log, box.task is task))

    seen: list[tuple[int, list[str], bool]] = []
    gc.collect()
    gc.disable()
    try:
        box = Box()
        box.log = ["untouched"]
        box.task = scheduler.tasklet(job)
        box.task(box)
        scheduler.run()
        alive = weakref.ref(box.task)
        del box
        for _ in range(2):
            in_thread(gc.collect)
            scheduler.run()
        assert seen == [(threading.get_ident(), ["untouched"], True)]
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.spec("T-18", "DEC-8")
@pytest.mark.skipif(not HAS_GIL, reason="without the GIL it is unwound though it has been queued")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_tasklet_queued_by_the_unwinding_of_its_cycle_can_become_garbage_again(elsewhere) -> None:
    """It is unwound before what it still needs is cleared."""

    class Node:
        value: str
        tasks: dict[Callable[..., None], scheduler.tasklet]

    def collect() -> None:
        if elsewhere:
            in_thread(gc.collect)
        else:
            gc.collect()

    def first(node: Node) -> None:
        try:
            scheduler.schedule_remove()
        finally:
            node.tasks[second].insert()

    def second(node: Node) -> None:
        needed = None
        try:
            scheduler.schedule_remove()
            needed = older.pop()
            needed.tasks = node.tasks
            log.append("on again")
            scheduler.schedule_remove()
        finally:
            log.append(needed.value if needed is not None else "unwound too early")

    def make() -> None:
        node = Node()
        # The one that is unwound first: the one found first, or the one posted last.
        jobs = (second, first) if elsewhere else (first, second)
        node.tasks = {job: scheduler.tasklet(job)(node) for job in jobs}
        scheduler.run()

    log: list[str] = []
    older = [Node()]  # the collector comes to it first
    older[0].value = "untouched"
    gc.collect()
    gc.disable()
    try:
        make()
        collect()
        assert log == []
        scheduler.run()
        assert log == ["on again"]
        collect()
        scheduler.run()
        assert log == ["on again", "untouched"]
    finally:
        gc.enable()
