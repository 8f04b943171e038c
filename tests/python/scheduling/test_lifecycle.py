"""A tasklet's states, construction, set-up, insert and remove (spec section 3)."""

from __future__ import annotations

import re
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import queue, queued, started, state, trapped
from support.threads import in_thread

# (alive, blocked, scheduled, paused)
DEAD = (False, False, False, False)
NEW_PAUSED = (True, False, False, True)
READY = (True, False, True, False)
BLOCKED = (True, True, False, False)


# ------------------------------------------------------------------------------------ state table


@pytest.mark.spec("T-01", "T-10", "A-01", "A-02", "18-13")
def test_states_before_the_first_turn() -> None:
    task = scheduler.tasklet()
    assert state(task) == DEAD
    task.bind(len)
    assert state(task) == DEAD
    task.bind(None, ("",))
    assert state(task) == NEW_PAUSED
    assert (task.next, task.prev) == (None, None)
    task.insert()
    assert state(task) == READY
    assert (task.next, task.prev) == (None, scheduler.getmain())
    task.remove()
    assert state(task) == NEW_PAUSED
    task.kill()
    assert state(task) == (False, False, False, True)


@pytest.mark.spec("T-01", "18-16")
def test_states_after_the_end() -> None:
    finished = queued(len, "")
    broken = queued(lambda: 1 // 0)
    never_ran = queued(len, "")
    never_ran.kill()
    paused = scheduler.tasklet(len).bind(None, ("",))
    paused.kill()
    suspended = started(scheduler.schedule_remove)
    suspended.kill()
    with pytest.raises(ZeroDivisionError):
        scheduler.run()
    assert [state(task) for task in (finished, broken, never_ran, suspended)] == [DEAD] * 4
    assert state(paused) == (False, False, False, True)


@pytest.mark.spec("T-01", "A-02", "D-26")
def test_states_during_a_turn() -> None:
    def inner() -> None:
        states.append((state(driver), state(scheduler.getcurrent())))

    def outer() -> None:
        queued(inner).run()
        states.append((state(driver), None))

    states: list[Any] = []
    driver = queued(outer)
    scheduler.run()
    assert states == [(READY, READY), (READY, None)]


@pytest.mark.spec("T-01", "T-52", "D-46", "D-55")
def test_states_around_switch() -> None:
    def target() -> None:
        states.append(state(caller))

    def switcher() -> None:
        queued(target).switch()
        states.append(state(caller))

    states: list[Any] = []
    caller = queued(switcher)
    scheduler.run()
    assert states == [(True, False, True, True)]
    assert state(caller) == (True, False, False, True)
    caller.run()
    assert states == [(True, False, True, True), READY]
    caller = scheduler.getmain()
    queued(target).switch()
    assert states[2:] == [(True, False, True, True)]
    assert state(caller) == READY


@pytest.mark.spec("T-01", "A-05")
def test_states_of_suspended_tasklets() -> None:
    yielded = started(scheduler.schedule)
    assert state(yielded) == READY
    removed = started(scheduler.schedule_remove)
    assert state(removed) == NEW_PAUSED
    assert (removed.next, removed.prev) == (None, None)
    channel = scheduler.channel()
    sender = started(channel.send, 1)
    assert state(sender) == BLOCKED
    assert (sender.next, sender.prev) == (None, None)
    channel.receive()
    assert state(sender) == READY
    receiver = started(channel.receive)
    assert state(receiver) == BLOCKED
    receiver.kill(pending=True)
    assert state(receiver) == READY
    removed.kill(pending=True)
    assert state(removed) == (True, False, True, True)
    scheduler.run()
    assert [state(task) for task in (yielded, removed, sender, receiver)] == [DEAD] * 4


@pytest.mark.spec("T-01", "H-05", "H-06")
def test_states_after_the_thread_has_ended() -> None:
    def in_new_thread() -> list[Any]:
        channel = scheduler.channel()
        return [
            started(scheduler.schedule_remove),
            started(channel.receive),
            queued(len, ""),
            scheduler.tasklet(len).bind(None, ("",)),
        ]

    tasks = in_thread(in_new_thread)
    assert [state(task) for task in tasks] == [DEAD, DEAD, DEAD, (False, False, False, True)]
    assert [task.thread_id for task in tasks] == [-1] * 4


# ----------------------------------------------------------------------------------- construction


@pytest.mark.spec("T-10", "T-11")
def test_construction_forms() -> None:
    log: list[str] = []
    for make in (
        lambda: scheduler.tasklet(log.append),
        lambda: scheduler.tasklet().bind(log.append),
        lambda: scheduler.tasklet(None).bind(log.append),
        lambda: scheduler.tasklet(log.append, name="of its own"),
    ):
        task = make()
        assert state(task) == DEAD
        assert task.method_name == "append"
        assert task.times_switched_to == 0
        assert task.thread_id == threading.get_ident()
        assert scheduler.getruncount() == 1
        task("ran")
        scheduler.run()
    assert log == ["ran"] * 4


@pytest.mark.spec("T-10")
def test_construction_ignores_keywords() -> None:
    with pytest.warns(RuntimeWarning, match="ignores all keywords but name="):
        task = scheduler.tasklet(callable=len)
    assert task.method_name == ""
    assert outcome(task) is RuntimeError


@pytest.mark.spec("T-10", "D-01", "D-17")
@pytest.mark.parametrize("args", [(1,), ("f",), (len, len), (len, 0), (None, None), (len, 1, 2)])
def test_construction_with_wrong_arguments(args: tuple[Any, ...]) -> None:
    before = sys.getrefcount(args)
    for _ in range(50):
        with pytest.raises(TypeError):
            scheduler.tasklet(*args)
    assert sys.getrefcount(args) == before
    if len(args) == 1:
        assert "callable" in message(scheduler.tasklet, *args)


def generator() -> Iterator[None]:
    yield


async def coroutine() -> None:
    pass


async def async_generator() -> AsyncIterator[None]:
    yield


class Lazy:
    def method(self) -> Iterator[None]:
        yield


LAZY = {
    "generator": (generator, "Call scheduler.schedule() where it yields"),
    "method": (Lazy().method, "Call scheduler.schedule() where it yields"),
    "coroutine": (coroutine, "Leave out async and await"),
    "async generator": (async_generator, "Leave out async and await"),
}


@pytest.mark.spec("T-10", "T-11")
@pytest.mark.parametrize("function, cure", LAZY.values(), ids=LAZY)
@pytest.mark.parametrize("make", [scheduler.tasklet, lambda f: scheduler.tasklet().bind(f, ())])
def test_a_callable_of_which_nothing_would_run_is_warned_of(
    function: Callable, cure: str, make: Callable
) -> None:
    with pytest.warns(RuntimeWarning, match=re.escape(repr(function))) as warned:
        task = make(function)
    assert [cure in str(one.message) for one in warned] == [True]
    assert warned[0].filename == __file__
    assert task.method_name == function.__name__
    # As an error it comes before anything is done: the suite makes errors of all warnings.
    bound = scheduler.tasklet(len)
    with pytest.raises(RuntimeWarning):
        bound.bind(function)
    assert bound.method_name == "len"


@pytest.mark.spec("T-10", "D-51")
def test_init_called_twice() -> None:
    class Token:
        def __call__(self) -> None:
            pass

    tokens = [Token(), Token()]
    references = [weakref.ref(token) for token in tokens]
    task = scheduler.tasklet(tokens[0])
    task.__init__(tokens[1])
    assert task.method_name == "unknown_method"
    task()
    scheduler.run()
    assert state(task) == DEAD
    tokens.clear()
    del task
    assert [reference() for reference in references] == [None, None]


# ------------------------------------------------------------------------------------------ setup


@pytest.mark.spec("T-22")
@pytest.mark.parametrize("setup", ["setup", "call"])
def test_setup_and_call_are_the_same(setup: str, mode: str, drain: Callable) -> None:
    def job(*args: Any, **kwargs: Any) -> None:
        log.append((args, kwargs))

    log: list[Any] = []
    first = queued(log.append, "first")
    task = scheduler.tasklet(job)
    operation = task.setup if setup == "setup" else task
    assert operation(1, 2, key="word", self=None) is task
    assert state(task) == READY
    assert queue() == [first, task]
    drain()
    assert log == ["first", ((1, 2), {"key": "word", "self": None})]
    assert state(task) == DEAD


@pytest.mark.spec("T-22", "T-19")
def test_setup_of_a_queued_tasklet_keeps_its_place() -> None:
    log: list[str] = []
    task = queued(log.append, "old")
    last = queued(log.append, "last")
    task.bind(log.extend)
    assert task.setup(["new"]) is task
    assert queue() == [task, last]
    scheduler.run()
    assert log == ["new", "last"]


@pytest.mark.spec("T-23", "G-01")
@pytest.mark.parametrize("make", [scheduler.tasklet, lambda: queued(len, "")])
def test_setup_without_a_callable(make: Callable[[], Any]) -> None:
    task = make()
    waiting = queue()
    before = state(task), sys.getrefcount(task)
    for setup in (task.setup, task.__call__):
        assert "bind" in message(setup, "")
        with pytest.raises(RuntimeError):
            setup("")
    del setup
    after = state(task), sys.getrefcount(task)
    assert after == before
    assert queue() == waiting
    del waiting
    scheduler.run()


@pytest.mark.spec("T-23", "T-13")
def test_bind_with_arguments_uses_the_callable_up() -> None:
    task = scheduler.tasklet(len).bind(None, ("",))
    with pytest.raises(RuntimeError):
        task("")
    assert outcome(task.bind, None, ("",)) in (RuntimeError, TypeError)
    assert state(task) == NEW_PAUSED
    task.kill()


@pytest.mark.spec("T-20")
def test_a_dead_tasklet_can_live_again() -> None:
    log: list[Any] = []
    task = scheduler.tasklet()
    for life in range(5):
        task.bind(log.append)(life)
        scheduler.run()
        assert state(task) == DEAD
    task.bind(lambda: 1 // 0)()
    with pytest.raises(ZeroDivisionError):
        scheduler.run()
    task.bind(log.append, ("after an error",)).run()
    task.bind(scheduler.schedule_remove, ()).run()
    task.kill()
    task.bind(log.append, ("after a kill",)).run()
    assert log == [*range(5), "after an error", "after a kill"]


# --------------------------------------------------------------------------------- insert, remove


@pytest.mark.spec("T-24", "18-13")
def test_insert_appends_a_paused_tasklet() -> None:
    log: list[str] = []
    other = queued(log.append, "other")
    new = scheduler.tasklet(log.append).bind(None, ("new",))
    assert new.insert() is new
    assert state(new) == READY
    suspended = started(scheduler.schedule_remove)
    assert suspended.insert() is suspended
    assert queue() == [other, new, suspended]
    scheduler.run()
    assert log == ["other", "new"]


@pytest.mark.spec("T-24")
def test_insert_refuses_blocked_and_dead_tasklets() -> None:
    channel = scheduler.channel()
    blocked = started(channel.receive)
    with pytest.raises(RuntimeError, match="blocked"):
        blocked.insert()
    assert (channel.balance, channel.queue) == (-1, blocked)
    assert state(blocked) == BLOCKED
    blocked.kill()
    for dead in (blocked, scheduler.tasklet(), scheduler.tasklet(len)):
        with pytest.raises(RuntimeError, match="dead"):
            dead.insert()
    assert scheduler.getruncount() == 1


@pytest.mark.spec("T-25", "D-22")
def test_insert_of_a_waiting_tasklet_changes_nothing(mode: str, drain: Callable) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in range(3)]
    before = sys.getrefcount(tasks[0])
    for _ in range(3):
        tasks[0].insert()
    after = sys.getrefcount(tasks[0])
    assert after == before
    assert tasks[0].insert() is tasks[0]
    assert queue() == tasks
    drain()
    assert log == [0, 1, 2]
    assert [state(task) for task in tasks] == [DEAD] * 3
    assert [task.times_switched_to for task in tasks] == [1] * 3


@pytest.mark.spec("T-25", "D-22")
def test_insert_of_the_current_tasklet_lets_it_end_once(drain: Callable) -> None:
    def job() -> None:
        assert scheduler.getcurrent().insert() is task

    task = queued(job)
    drain()
    assert state(task) == DEAD
    assert task.times_switched_to == 1


@pytest.mark.spec("T-25")
def test_insert_during_a_turn_requeues_after_schedule_remove(drain: Callable) -> None:
    def job() -> None:
        scheduler.getcurrent().insert()
        log.append("before")
        scheduler.schedule_remove()
        log.append("after")
        scheduler.schedule_remove()
        log.append("killed before this")

    log: list[str] = []
    task = queued(job)
    queued(log.append, "other")
    drain()
    assert log == ["before", "other", "after"]
    assert state(task) == NEW_PAUSED
    task.kill()


@pytest.mark.spec("T-25", "T-53")
def test_insert_of_a_driver_requeues_it_after_its_turn() -> None:
    def child() -> None:
        driver.insert()

    def job() -> None:
        queued(child).run()
        log.append("child done")
        scheduler.schedule_remove()
        log.append("again")

    log: list[str] = []
    driver = queued(job)
    scheduler.run()
    assert log == ["child done", "again"]


@pytest.mark.spec("T-25")
def test_insert_of_main_has_no_effect() -> None:
    main = scheduler.getmain()
    assert main.insert() is main
    queued(main.insert)
    assert scheduler.getruncount() == 2
    scheduler.run()
    assert scheduler.getruncount() == 1
    assert state(main) == READY


@pytest.mark.spec("T-26")
@pytest.mark.parametrize("resume", ["run", "switch", "insert"])
def test_a_removed_tasklet_can_go_on(resume: str) -> None:
    log: list[str] = []
    first, task, last = (queued(log.append, name) for name in ("first", "task", "last"))
    assert task.remove() is task
    assert state(task) == NEW_PAUSED
    assert queue() == [first, last]
    assert getattr(task, resume)() is (task if resume == "insert" else None)
    scheduler.run()
    wanted = ["first", "last", "task"] if resume == "insert" else ["task", "first", "last"]
    assert log == wanted


@pytest.mark.spec("T-26", "D-02")
def test_remove_outside_the_list_does_nothing() -> None:
    channel = scheduler.channel()
    blocked = started(channel.receive)
    paused = started(scheduler.schedule_remove)
    for task in (blocked, paused, scheduler.tasklet(), scheduler.tasklet(len)):
        before = state(task), sys.getrefcount(task)
        for _ in range(100):
            assert task.remove() is task
        after = state(task), sys.getrefcount(task)
        assert after == before
    assert channel.balance == -1
    channel.send(1)
    assert state(blocked) == DEAD
    paused.kill()


@pytest.mark.spec("T-26", "D-03", "D-04", "D-48")
def test_remove_refuses_main_and_tasklets_having_their_turn(mode: str, drain: Callable) -> None:
    def child() -> None:
        for task in (main, driver, scheduler.getcurrent()):
            with pytest.raises(RuntimeError):
                task.remove()
        log.append(scheduler.getruncount())

    def job() -> None:
        queued(child)
        scheduler.run()
        assert state(scheduler.getcurrent()) == READY

    log: list[int] = []
    main = scheduler.getmain()
    with pytest.raises(RuntimeError):
        main.remove()
    driver = queued(job)
    with pytest.raises(RuntimeError):
        main.remove()
    queued(len, "")
    assert scheduler.getruncount() == 3
    drain()
    assert log == [3]
    assert state(main) == READY
    assert state(driver) == DEAD
    queued(len, "")
    assert scheduler.getruncount() == 2
    scheduler.run()


@pytest.mark.spec("T-26", "B-21")
def test_insert_and_remove_work_under_a_switch_trap() -> None:
    task = queued(len, "")
    with trapped():
        assert task.remove() is task
        assert state(task) == NEW_PAUSED
        assert task.insert() is task
        assert state(task) == READY
    scheduler.run()
