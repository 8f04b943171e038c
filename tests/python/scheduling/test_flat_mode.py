"""Flat mode: immediate operations put the target behind the caller instead of nesting (section 6).

The orders of P-02 to P-05 in both modes are in test_scenarios.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import scheduler
from support.scheduling import queue, queued, started, state, trapped

DEAD = (False, False, False, False)
READY = (True, False, True, False)

pytestmark = pytest.mark.spec("D-60")


@pytest.fixture(autouse=True)
def flat() -> Iterator[None]:
    scheduler.set_use_nested_tasklets(False)
    yield
    scheduler.set_use_nested_tasklets(True)


@pytest.mark.spec("F-06", "P-01")
@pytest.mark.parametrize("make", ["queued", "paused"])
def test_run_from_main_runs_the_tasklet_first_then_the_whole_queue(make: str) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in (1, 2, 3)]
    if make == "paused":
        tasks[1].remove()
    assert tasks[1].run() is None
    assert log == [2, 1, 3]
    assert scheduler.getruncount() == 1


@pytest.mark.spec("F-06", "F-01", "F-02")
def test_order_of_six_tasklets(drain: Callable) -> None:
    def bar() -> None:
        d, _, _ = (queued(log.append, name) for name in "dcm")
        d.run()
        log.append("end")

    log: list[str] = []
    queued(log.append, "r")
    queued(bar)
    queued(log.append, "k")
    drain()
    assert log == ["r", "d", "end", "k", "c", "m"]


@pytest.mark.spec("F-01", "F-02", "F-04")
def test_the_driver_becomes_the_parent_of_both(drain: Callable) -> None:
    def child() -> None:
        pairs.append(("child", child_task.prev.is_main, caller.prev is child_task))
        scheduler.schedule()
        pairs.append(("child again", child_task.prev.is_main))

    def job() -> None:
        child_task.run()
        pairs.append(("caller", caller.prev.is_main))

    pairs: list[Any] = []
    caller = queued(job)
    child_task = scheduler.tasklet(child).bind(None, ())
    before = scheduler.getmain().times_switched_to
    drain()
    assert pairs == [("child", True, True), ("caller", True), ("child again", True)]
    # Both suspensions, the caller's and the child's, went to main.
    assert scheduler.getmain().times_switched_to - before == 2
    assert (caller.times_switched_to, child_task.times_switched_to) == (2, 2)


@pytest.mark.spec("F-02")
def test_caller_goes_right_behind_the_driver_when_nothing_stands_there(drain: Callable) -> None:
    def child() -> None:
        log.append("child")

    def job() -> None:
        # The target leaves the queue again before the caller's turn has ended.
        scheduler.set_schedule_callback(lambda before, after: child_task.remove())
        child_task.run()
        scheduler.set_schedule_callback(None)
        log.append("caller")

    log: list[str] = []
    child_task = scheduler.tasklet(child).bind(None, ())
    queued(job)
    drain()
    assert log == ["caller"]
    assert child_task.paused
    child_task.run()
    assert log == ["caller", "child"]


@pytest.mark.spec("F-02", "S-05")
def test_the_target_is_taken_from_where_it_stands(drain: Callable) -> None:
    def job() -> None:
        target.run()
        log.append("caller")

    log: list[str] = []
    queued(log.append, "first")
    queued(job)
    queued(log.append, "between")
    target = queued(log.append, "target")
    queued(log.append, "last")
    drain()
    assert log == ["first", "target", "caller", "between", "last"]


@pytest.mark.spec("F-02")
def test_a_target_that_yields_is_behind_everybody_again(drain: Callable) -> None:
    def target() -> None:
        log.append("target")
        scheduler.schedule()
        log.append("target again")

    def job() -> None:
        queued(target).run()
        log.append("caller")

    log: list[str] = []
    queued(job)
    queued(log.append, "other")
    drain()
    assert log == ["target", "caller", "other", "target again"]


@pytest.mark.spec("F-03")
def test_nested_scheduler_run_still_nests() -> None:
    def broken() -> None:
        raise LookupError("from below")

    def job() -> None:
        queued(broken)
        with pytest.raises(LookupError, match="from below"):
            scheduler.run()
        log.append("caught")

    log: list[str] = []
    queued(log.append, "before")
    queued(job)
    scheduler.run()
    assert log == ["before", "caught"]


@pytest.mark.spec("F-03")
def test_switch_still_nests() -> None:
    def broken() -> None:
        raise LookupError

    def job() -> None:
        task = scheduler.tasklet(broken).bind(None, ())
        with pytest.raises(LookupError):
            task.switch()
        log.append("caught")

    log: list[str] = []
    queued(job)
    scheduler.run()
    assert log == ["caught"]


@pytest.mark.spec("F-04")
def test_an_error_of_the_target_goes_to_main_and_the_caller_stays_queued(drain: Callable) -> None:
    def broken() -> None:
        raise LookupError("gone")

    def job() -> None:
        queued(broken).run()
        log.append("caller never saw it")

    log: list[str] = []
    caller = queued(job)
    with pytest.raises(LookupError, match="gone"):
        drain()
    assert log == []
    assert state(caller) == READY
    assert queue() == [caller]
    drain()
    assert log == ["caller never saw it"]


@pytest.mark.spec("F-05")
@pytest.mark.parametrize("operation", ["kill", "throw", "raise_exception"])
def test_the_victim_has_its_turn_before_the_caller_goes_on(operation: str, drain: Callable) -> None:
    def victim() -> None:
        try:
            scheduler.schedule_remove()
        except (ValueError, scheduler.TaskletExit) as error:
            log.append(type(error).__name__)

    def job() -> None:
        getattr(task, operation)(*(() if operation == "kill" else (ValueError,)))
        log.append(task.alive)

    log: list[Any] = []
    task = started(victim)
    queued(job)
    queued(log.append, "bystander")
    drain()
    name = "TaskletExit" if operation == "kill" else "ValueError"
    assert log == [name, False, "bystander"]


@pytest.mark.spec("F-05", "C-50")
def test_kill_of_a_blocked_tasklet_from_main_empties_the_queue() -> None:
    log: list[str] = []
    channel = scheduler.channel()
    task = started(channel.receive)
    queued(log.append, "queued")
    task.kill()
    assert log == ["queued"]
    assert (channel.balance, state(task)) == (0, DEAD)


@pytest.mark.spec("F-07", "D-06", "D-54")
@pytest.mark.parametrize("operation", ["kill", "throw", "raise_exception", "run"])
def test_operations_on_a_driver_in_progress_are_refused(operation: str) -> None:
    arguments = (ValueError,) if operation in ("throw", "raise_exception") else ()

    def child() -> None:
        with pytest.raises(RuntimeError):
            getattr(driver, operation)(*arguments)
        log.append(state(driver))

    def job() -> None:
        queued(child)
        scheduler.run()
        scheduler.schedule()
        log.append("driver went on")

    log: list[Any] = []
    driver = queued(job)
    scheduler.run()
    assert log == [READY, "driver went on"]
    assert state(driver) == DEAD


@pytest.mark.spec("F-07", "E-10", "E-15", "E-22")
@pytest.mark.parametrize(
    "operation, error",
    [("kill", scheduler.TaskletExit), ("throw", ValueError), ("raise_exception", ValueError)],
)
def test_kill_and_throw_on_the_current_tasklet_raise_out_of_the_call(
    operation: str, error: type[BaseException]
) -> None:
    def job() -> None:
        with pytest.raises(error):
            getattr(scheduler.getcurrent(), operation)(*(() if operation == "kill" else (error,)))
        log.append("went on")

    log: list[str] = []
    queued(job)
    scheduler.run()
    job()
    assert log == ["went on"] * 2


@pytest.mark.spec("F-01", "B-21", "B-22", "D-43")
@pytest.mark.parametrize("operation", ["run", "kill", "throw"])
def test_a_refused_operation_changes_nothing(operation: str) -> None:
    def victim() -> None:
        scheduler.schedule_remove()
        log.append("resumed")

    def attempt() -> None:
        before = queue(), state(task)
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            getattr(task, operation)(*((ValueError,) if operation == "throw" else ()))
        assert (queue(), state(task)) == before

    log: list[str] = []
    task = started(victim)
    other = queued(len, "")
    attempt()
    queued(attempt)
    scheduler.run()
    assert state(other) == DEAD
    assert log == []
    task.run()
    assert log == ["resumed"]
