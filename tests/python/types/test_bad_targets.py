"""Every operation on tasklets that are dead, main, current, drivers or without their thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import queued, started, state
from support.threads import in_thread

DEAD = (False, False, False, False)
READY = (True, False, True, False)


def unbound() -> Any:
    return scheduler.tasklet()


def bound() -> Any:
    return scheduler.tasklet(len)


def finished() -> Any:
    return started(len, "")


def killed() -> Any:
    task = queued(len, "")
    task.kill()
    return task


def failed() -> Any:
    task = queued(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        task.run()
    return task


def unbound_again() -> Any:
    return started(scheduler.schedule_remove).bind(None)


SELF = object()  # stands for "returns the tasklet itself"

# operation -> what it does to a tasklet that is not alive
ON_DEAD: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "run": (lambda t: t.run(), RuntimeError),
    "switch": (lambda t: t.switch(), RuntimeError),
    "insert": (lambda t: t.insert(), RuntimeError),
    "remove": (lambda t: t.remove(), SELF),
    "kill": (lambda t: t.kill(), None),
    "kill pending": (lambda t: t.kill(pending=True), None),
    "throw": (lambda t: t.throw(ValueError), RuntimeError),
    "throw instance": (lambda t: t.throw(ValueError(1)), RuntimeError),
    "throw pending": (lambda t: t.throw(ValueError, pending=True), RuntimeError),
    "throw exit": (lambda t: t.throw(scheduler.TaskletExit), None),
    "throw exit pending": (lambda t: t.throw(scheduler.TaskletExit, pending=True), None),
    "raise_exception": (lambda t: t.raise_exception(ValueError), RuntimeError),
    "raise_exception exit": (lambda t: t.raise_exception(scheduler.TaskletExit), None),
    "unbind": (lambda t: t.bind(None), SELF),
}


@pytest.mark.spec("T-14", "T-17", "T-24", "T-26", "T-27", "T-50", "E-10", "E-15", "D-47")
@pytest.mark.parametrize("operation", ON_DEAD)
@pytest.mark.parametrize(
    "make",
    [unbound, bound, finished, killed, failed, unbound_again],
    ids=lambda function: function.__name__,
)
def test_operations_on_dead_tasklets(make: Callable[[], Any], operation: str, mode: str) -> None:
    task = make()
    before = state(task)
    call, wanted = ON_DEAD[operation]
    got = outcome(call, task)
    assert (got is task) if wanted is SELF else (got is wanted)
    assert state(task) == before
    assert scheduler.getruncount() == 1
    # Whatever was tried, the next life is an ordinary one.
    log: list[int] = []
    task.bind(log.append)(1)
    scheduler.run()
    assert log == [1]
    assert state(task) == DEAD


@pytest.mark.spec("T-27", "T-24", "T-50", "T-23", "18-10")
def test_messages_say_what_is_wrong() -> None:
    dead = scheduler.tasklet()
    for operation in (dead.run, dead.switch, dead.insert):
        assert "dead" in message(operation)
    assert "dead" in message(dead.throw, ValueError)
    assert "bind" in message(dead.setup)
    blocked = started(scheduler.channel().receive)
    for operation in (blocked.run, blocked.switch, blocked.insert):
        assert "blocked" in message(operation)
    blocked.kill()
    assert "callable" in message(scheduler.tasklet, 1)
    assert "tuple" in message(dead.bind, len, [1])
    assert "dict" in message(dead.bind, len, (), [1])
    assert "main" in message(scheduler.getmain().remove)


# operation -> outcome when a tasklet does it to the main tasklet
ON_MAIN: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "run": (lambda t: t.run(), RuntimeError),
    "switch": (lambda t: t.switch(), RuntimeError),
    "insert": (lambda t: t.insert(), SELF),
    "remove": (lambda t: t.remove(), RuntimeError),
    "kill": (lambda t: t.kill(), RuntimeError),
    "kill pending": (lambda t: t.kill(pending=True), RuntimeError),
    "throw": (lambda t: t.throw(ValueError), RuntimeError),
    "throw exit": (lambda t: t.throw(scheduler.TaskletExit), RuntimeError),
    "throw pending": (lambda t: t.throw(ValueError, pending=True), RuntimeError),
    "raise_exception": (lambda t: t.raise_exception(ValueError), RuntimeError),
    "bind": (lambda t: t.bind(len), RuntimeError),
    "bind with arguments": (lambda t: t.bind(len, ("",)), RuntimeError),
    "unbind": (lambda t: t.bind(None), RuntimeError),
    "setup": (lambda t: t.setup(), RuntimeError),
    "call": (lambda t: t(), RuntimeError),
}


@pytest.mark.spec("D-04", "D-05", "T-29", "T-26", "E-10", "E-15", "F-07")
@pytest.mark.parametrize("operation", ON_MAIN)
@pytest.mark.parametrize("main_is", ["driving", "blocked"])
def test_operations_on_main_by_a_tasklet(operation: str, main_is: str, mode: str) -> None:
    def job() -> None:
        call, wanted = ON_MAIN[operation]
        before = state(main)
        got = outcome(call, main)
        if wanted is SELF:  # a blocked one may be refused: nothing changes either way
            assert got is main or (main.blocked and got is RuntimeError)
        else:
            assert got is wanted
        assert state(main) == before
        log.append(channel.balance)
        if main_is == "blocked":
            channel.send("served")

    log: list[Any] = []
    main = scheduler.getmain()
    channel = scheduler.channel()
    channel.preference = 0
    queued(job)
    if main_is == "blocked":
        assert channel.receive() == "served"
        assert log == [-1]
    else:
        scheduler.run()
        assert log == [0]
    assert state(main) == READY
    assert scheduler.getruncount() == 1
    scheduler.run()


@pytest.mark.spec("E-22", "E-10", "E-15", "D-05")
def test_main_may_raise_in_itself(mode: str) -> None:
    main = scheduler.getmain()
    queued(len, "")
    for pending in (False, True):
        assert outcome(main.kill, pending) is scheduler.TaskletExit
        assert outcome(main.throw, ValueError, pending=pending) is ValueError
    assert outcome(main.raise_exception, ValueError, "text") is ValueError
    assert state(main) == READY
    assert scheduler.getruncount() == 2
    scheduler.run()


# operation -> outcome when a tasklet does it to a driver that waits for it: nested mode, flat mode
ON_ANCESTOR: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "run": (lambda t: t.run(), ValueError, RuntimeError),
    "insert": (lambda t: t.insert(), SELF, SELF),
    "remove": (lambda t: t.remove(), RuntimeError, RuntimeError),
    "kill": (lambda t: t.kill(), ValueError, RuntimeError),
    "throw": (lambda t: t.throw(LookupError), ValueError, RuntimeError),
    "raise_exception": (lambda t: t.raise_exception(LookupError), ValueError, RuntimeError),
    "unbind": (lambda t: t.bind(None), RuntimeError, RuntimeError),
    "bind with arguments": (lambda t: t.bind(len, ("",)), RuntimeError, RuntimeError),
}


@pytest.mark.spec("T-29", "F-07", "D-06", "D-20", "D-48", "D-54")
@pytest.mark.parametrize("operation", ON_ANCESTOR)
def test_operations_on_an_ancestor(operation: str, mode: str, drain: Callable) -> None:
    def child() -> None:
        call, nested, flat = ON_ANCESTOR[operation]
        wanted = nested if mode == "nested" else flat
        got = outcome(call, driver)
        assert (got is driver) if wanted is SELF else (got is wanted)
        assert state(driver) == READY
        log.append("child")

    def job() -> None:
        queued(child)
        scheduler.run()
        scheduler.schedule()  # nothing that was refused may arrive here
        log.append("driver")

    log: list[str] = []
    driver = queued(job)
    queued(log.append, "other")
    drain()
    assert log == ["other", "child", "driver"]
    assert state(driver) == DEAD
    assert scheduler.getruncount() == 1


@pytest.mark.spec("D-53", "E-15")
@pytest.mark.parametrize("exit_or_error", ["exit", "error"])
def test_a_pending_exception_waits_for_the_ancestors_own_resumption(exit_or_error: str) -> None:
    error = scheduler.TaskletExit if exit_or_error == "exit" else LookupError

    def child() -> None:
        assert driver.throw(error, pending=True) is None
        assert driver.alive
        scheduler.schedule()  # back to the driver: not the place to deliver it
        log.append("child")

    def job() -> None:
        queued(child)
        scheduler.run()
        log.append("drive done")
        try:
            scheduler.schedule()
        except error:
            log.append("delivered")

    log: list[str] = []
    driver = queued(job)
    scheduler.run()
    assert log == ["child", "drive done", "delivered"]
    assert state(driver) == DEAD


@pytest.mark.spec("E-10", "E-15", "E-13")
@pytest.mark.parametrize("pending", [False, True])
def test_kill_and_throw_on_the_current_tasklet(pending: bool, mode: str, drain: Callable) -> None:
    def job() -> None:
        me = scheduler.getcurrent()
        for operation, error in (
            (lambda: me.kill(pending), scheduler.TaskletExit),
            (lambda: me.kill(pending), scheduler.TaskletExit),
            (lambda: me.throw(LookupError, pending=pending), LookupError),
        ):
            with pytest.raises(error):
                operation()
        scheduler.schedule()
        log.append("went on")

    log: list[str] = []
    task = queued(job)
    drain()
    assert log == ["went on"]
    assert state(task) == DEAD


# operation -> outcome on a tasklet whose thread has ended
NEEDS_ITS_THREAD: dict[str, Callable[[Any], Any]] = {
    "run": lambda t: t.run(),
    "switch": lambda t: t.switch(),
    "insert": lambda t: t.insert(),
    "kill": lambda t: t.kill(),
    "throw": lambda t: t.throw(ValueError),
    "raise_exception": lambda t: t.raise_exception(ValueError),
    "bind": lambda t: t.bind(len),
    "bind with arguments": lambda t: t.bind(len, ("",)),
    "unbind": lambda t: t.bind(None),
    "setup": lambda t: t.setup(),
    "call": lambda t: t(),
}


@pytest.mark.spec("H-06", "D-18")
@pytest.mark.parametrize("operation", NEEDS_ITS_THREAD)
@pytest.mark.parametrize("was", ["new", "suspended", "blocked", "main"])
def test_operations_after_the_thread_has_ended(operation: str, was: str) -> None:
    def in_new_thread() -> Any:
        if was == "main":
            return scheduler.getmain()
        if was == "new":
            return queued(len, "")
        return started(channel.receive if was == "blocked" else scheduler.schedule_remove)

    channel = scheduler.channel()
    task = in_thread(in_new_thread)
    assert (channel.balance, task.thread_id) == (0, -1)
    before = state(task)
    for caller in (outcome, lambda call, t: in_thread(outcome, call, t)):
        assert caller(NEEDS_ITS_THREAD[operation], task) is RuntimeError
    assert state(task) == before
    assert scheduler.getruncount() == 1
