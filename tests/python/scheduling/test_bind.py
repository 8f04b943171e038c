"""`bind` in all its forms, unbinding, re-binding (spec section 3.2)."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queue, queued, started, state

DEAD = (False, False, False, False)
NEW_PAUSED = (True, False, False, True)
READY = (True, False, True, False)


def recorder() -> tuple[list[Any], Callable[..., None]]:
    """A list, and a function that appends to it what it is called with."""

    def echo(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))

    calls: list[Any] = []
    return calls, echo


# (how it is bound, the arguments that `echo` gets)
WITH_ARGUMENTS = {
    "callable, args": (lambda t, echo: t.bind(echo, (1, 2)), ((1, 2), {})),
    "callable, args, kwargs": (lambda t, echo: t.bind(echo, (1,), {"a": 2}), ((1,), {"a": 2})),
    "callable, None, kwargs": (lambda t, echo: t.bind(echo, None, {"a": 2}), ((), {"a": 2})),
    "callable, kwargs=": (lambda t, echo: t.bind(echo, kwargs={"a": 2}), ((), {"a": 2})),
    "callable, empty args": (lambda t, echo: t.bind(echo, ()), ((), {})),
    "callable, empty kwargs": (lambda t, echo: t.bind(echo, kwargs={}), ((), {})),
    "keywords": (
        lambda t, echo: t.bind(callable=echo, args=(1,), kwargs={"a": 2}),
        ((1,), {"a": 2}),
    ),
    "earlier callable, None, args": (lambda t, echo: t.bind(echo).bind(None, (1,)), ((1,), {})),
    "earlier callable, None, args, kwargs": (
        lambda t, echo: t.bind(echo).bind(None, (1,), {"a": 2}),
        ((1,), {"a": 2}),
    ),
    "earlier callable, args=": (lambda t, echo: t.bind(echo).bind(args=(1,)), ((1,), {})),
    "earlier callable, kwargs=": (
        lambda t, echo: t.bind(echo).bind(kwargs={"a": 2}),
        ((), {"a": 2}),
    ),
    "earlier callable, args=, kwargs=": (
        lambda t, echo: t.bind(echo).bind(args=(1,), kwargs={"a": 2}),
        ((1,), {"a": 2}),
    ),
    "last callable counts": (lambda t, echo: t.bind(len).bind(echo).bind(args=(1,)), ((1,), {})),
}


@pytest.mark.spec("T-12", "T-13", "T-14")
@pytest.mark.parametrize("form", WITH_ARGUMENTS)
@pytest.mark.parametrize("start", ["run", "switch", "insert"])
def test_bind_with_arguments(form: str, start: str) -> None:
    calls, echo = recorder()
    bind, received = WITH_ARGUMENTS[form]
    task = scheduler.tasklet()
    assert bind(task, echo) is task
    assert state(task) == NEW_PAUSED
    assert scheduler.getruncount() == 1
    getattr(task, start)()
    scheduler.run()
    assert calls == [received]
    assert state(task) == DEAD
    assert scheduler.getruncount() == 1


@pytest.mark.spec("T-12", "T-13", "T-14")
@pytest.mark.parametrize(
    "bind",
    [lambda t, echo: t.bind(echo), lambda t, echo: t.bind(callable=echo)],
    ids=["plain", "keyword"],
)
def test_bind_without_arguments_leaves_the_tasklet_dead(bind: Callable[..., Any]) -> None:
    calls, echo = recorder()
    task = scheduler.tasklet()
    assert bind(task, echo) is task
    assert state(task) == DEAD
    for operation in (task.run, task.switch, task.insert):
        with pytest.raises(RuntimeError, match="dead"):
            operation()
    assert state(task) == DEAD
    task(1, a=2)
    scheduler.run()
    assert calls == [((1,), {"a": 2})]


@pytest.mark.spec("T-13", "T-16")
def test_bind_of_nothing_only_resets_the_count() -> None:
    calls, echo = recorder()
    task = queued(echo)
    scheduler.run()
    assert task.times_switched_to == 1
    assert task.bind() is task
    assert task.times_switched_to == 0
    assert state(task) == DEAD
    task.bind(echo)
    assert task.bind() is task  # does not forget the callable
    task("set up")
    scheduler.run()
    assert calls == [((), {}), (("set up",), {})]
    assert scheduler.tasklet().bind().method_name == ""


@pytest.mark.spec("T-16", "A-06")
def test_bind_resets_times_switched_to_but_unbind_does_not() -> None:
    _, echo = recorder()
    task = queued(echo)
    scheduler.run()
    assert task.bind(None).times_switched_to == 1
    assert task.bind(echo).times_switched_to == 0
    task()
    scheduler.run()
    assert task.times_switched_to == 1
    assert task.bind(echo, ()).times_switched_to == 0
    task.kill()


@pytest.mark.spec("T-12")
@pytest.mark.parametrize(
    "args, kwargs",
    [
        ((len, (), {}, None), {}),
        ((), {"func": len}),
        ((len,), {"callable": len}),
        ((len,), {"arguments": ()}),
    ],
)
def test_bind_with_unknown_or_too_many_arguments(args: Any, kwargs: Any) -> None:
    task = scheduler.tasklet()
    with pytest.raises(TypeError):
        task.bind(*args, **kwargs)
    assert state(task) == DEAD
    assert outcome(task) is RuntimeError  # nothing was bound


@pytest.mark.spec("T-15")
@pytest.mark.parametrize("bad", [17, "name", (), object()])
def test_bind_of_something_not_callable(bad: Any) -> None:
    _, echo = recorder()

    def check(task: Any) -> None:
        before = state(task), task.times_switched_to, task.method_name
        for args in ((bad,), (bad, ()), (bad, (), {})):
            with pytest.raises(TypeError, match="callable"):
                task.bind(*args)
        assert (state(task), task.times_switched_to, task.method_name) == before

    check(scheduler.tasklet(echo))
    check(scheduler.getmain())
    task = queued(lambda: check(scheduler.getcurrent()))
    check(task)
    scheduler.run()


@pytest.mark.spec("T-21", "D-21")
@pytest.mark.parametrize("is_queued", [False, True])
def test_wrong_types_of_args_and_kwargs_are_found_at_once(is_queued: bool) -> None:
    calls, echo = recorder()
    task = queued(echo, "first") if is_queued else scheduler.tasklet()
    before = state(task), queue(), task.method_name
    for args in ([1], "text", 1, {}):
        with pytest.raises(TypeError, match="tuple"):
            task.bind(echo, args)
        with pytest.raises(TypeError, match="tuple"):
            task.bind(echo, args=args, kwargs={})
    for kwargs in ([1], "text", 1, ()):
        with pytest.raises(TypeError, match="dict"):
            task.bind(echo, (), kwargs)
        with pytest.raises(TypeError, match="dict"):
            task.bind(echo, kwargs=kwargs)
    assert (state(task), queue(), task.method_name) == before
    scheduler.run()
    assert calls == ([(("first",), {})] if is_queued else [])


@pytest.mark.spec("D-21")
@pytest.mark.parametrize(
    "bind",
    [
        lambda t: t.bind(None, ()),
        lambda t: t.bind(None, (), {}),
        lambda t: t.bind(args=()),
        lambda t: t.bind(kwargs={}),
    ],
)
def test_bind_of_arguments_without_any_callable(bind: Callable[[Any], Any]) -> None:
    task = scheduler.tasklet()
    assert outcome(bind, task) in (RuntimeError, TypeError)
    assert state(task) == DEAD
    assert scheduler.getruncount() == 1


@pytest.mark.spec("G-04")
def test_args_and_kwargs_are_taken_as_they_are_at_bind() -> None:
    calls, echo = recorder()
    kwargs = {"a": 1}
    task = scheduler.tasklet().bind(echo, (1,), kwargs)
    before = sys.getrefcount(kwargs)
    task.run()
    assert calls == [((1,), {"a": 1})]
    assert calls[0][1] is not kwargs
    assert sys.getrefcount(kwargs) <= before
    assert kwargs == {"a": 1}


# ----------------------------------------------------------------------------------------- unbind


@pytest.mark.spec("T-17")
def test_unbind_makes_dead_and_forgets() -> None:
    calls, echo = recorder()
    task = scheduler.tasklet(echo)
    assert task.bind(None) is task
    assert outcome(task) is RuntimeError
    task.bind(echo, (1,))
    assert task.bind(None) is task
    assert state(task) == (False, False, False, True)  # paused as before
    with pytest.raises(RuntimeError, match="dead"):
        task.run()
    assert task.bind(callable=None) is task  # nothing to unbind: no error
    assert scheduler.tasklet().bind(None).alive is False
    assert calls == []


@pytest.mark.spec("T-17", "T-01", "G-05")
def test_unbind_drops_callable_and_arguments() -> None:
    class Token:
        def __call__(self, *args: Any) -> None:
            pass

    tokens = [Token(), Token(), Token()]
    references = [weakref.ref(token) for token in tokens]
    task = scheduler.tasklet().bind(tokens[0], (tokens[1],), {"a": tokens[2]})
    tokens.clear()
    assert [reference() is None for reference in references] == [False] * 3
    task.bind(None)
    assert [reference() is None for reference in references] == [True] * 3


@pytest.mark.spec("T-17")
def test_unbind_refuses_the_current_tasklet() -> None:
    calls: list[Any] = []

    def job() -> None:
        with pytest.raises(RuntimeError, match="current tasklet"):
            scheduler.getcurrent().bind(None)
        calls.append("went on")

    task = queued(job)
    scheduler.run()
    assert calls == ["went on"]
    assert state(task) == DEAD
    with pytest.raises(RuntimeError, match="current tasklet"):
        scheduler.getcurrent().bind(None)


@pytest.mark.spec("T-17")
def test_unbind_refuses_scheduled_tasklets() -> None:
    calls, echo = recorder()

    def child() -> None:
        with pytest.raises(RuntimeError, match="scheduled"):
            driver.bind(None)

    def job() -> None:
        queued(child).run()
        calls.append("driver done")

    new = queued(echo, "new")
    yielded = started(scheduler.schedule)
    for task in (new, yielded):
        with pytest.raises(RuntimeError, match="scheduled"):
            task.bind(None)
        assert state(task) == READY
    driver = queued(job)
    scheduler.run()
    assert calls == [(("new",), {}), "driver done"]


@pytest.mark.spec("T-17", "T-18", "DEC-8")
def test_unbind_unwinds_a_paused_tasklet() -> None:
    calls: list[Any] = []

    def job() -> None:
        try:
            scheduler.schedule_remove()
        finally:
            calls.append(sys.exc_info()[0])

    task = started(job)
    assert task.bind(None) is task
    assert calls == [scheduler.TaskletExit]
    assert state(task) == (False, False, False, True)
    reference = weakref.ref(task)
    del task
    assert reference() is None


@pytest.mark.spec("T-17", "C-50")
@pytest.mark.parametrize("direction", ["send", "receive"])
def test_unbind_withdraws_a_blocked_tasklet(direction: str) -> None:
    channel = scheduler.channel()
    operation = (lambda: channel.send(1)) if direction == "send" else channel.receive
    first, task, last = (started(operation) for _ in range(3))
    balance = channel.balance
    assert abs(balance) == 3
    task.bind(None)
    assert abs(channel.balance) == 2
    assert state(task) == DEAD
    assert channel.queue is first
    channel.clear()
    assert state(first) == state(last) == DEAD


# ---------------------------------------------------------------------------------------- re-bind


@pytest.mark.spec("T-19")
@pytest.mark.parametrize("drain_with", ["run", "steps"])
def test_rebinding_a_new_queued_tasklet_keeps_its_place(drain_with: str) -> None:
    calls, echo = recorder()
    task = queued(echo, "old")
    last = queued(echo, "last")
    assert task.bind(echo, ("new",)) is task
    assert queue() == [task, last]
    assert task.scheduled
    if drain_with == "run":
        scheduler.run()
    else:
        while scheduler.getruncount() > 1:
            scheduler.run_n_tasklets(1)
    assert calls == [(("new",), {}), (("last",), {})]


@pytest.mark.spec("T-18", "T-19", "DEC-8")
@pytest.mark.parametrize("how", ["bind", "setup"])
@pytest.mark.parametrize("where", ["paused", "blocked"])
def test_rebinding_a_suspended_tasklet_unwinds_it_first(how: str, where: str) -> None:
    calls, echo = recorder()

    def job() -> None:
        try:
            channel.receive() if where == "blocked" else scheduler.schedule_remove()
        finally:
            calls.append(sys.exc_info()[0])

    channel = scheduler.channel()
    task = started(job)
    assert task.blocked is (where == "blocked")
    if how == "bind":
        assert task.bind(echo, ("again",)) is task
        assert state(task) == NEW_PAUSED
    else:
        task.bind(echo)
        assert calls == []
        assert task.setup("again") is task
        assert state(task) == READY
    assert calls == [scheduler.TaskletExit]
    assert channel.balance == 0
    task.run()
    assert calls[1:] == [(("again",), {})]
    assert state(task) == DEAD


@pytest.mark.spec("T-19")
def test_bind_without_arguments_waits_for_the_next_setup() -> None:
    calls, echo = recorder()

    def job() -> None:
        scheduler.schedule_remove()
        calls.append("old life")

    task = started(job)
    task.bind(echo)
    assert task.method_name == "echo"
    assert state(task) == NEW_PAUSED
    task.run()
    assert calls == ["old life"]
    task("new life")
    task.run()
    assert calls[1:] == [(("new life",), {})]


@pytest.mark.spec("T-19", "D-20")
@pytest.mark.parametrize("target", ["current", "ancestor"])
def test_a_tasklet_having_its_turn_cannot_be_rebound(target: str) -> None:
    calls, echo = recorder()

    def child() -> None:
        task = driver if target == "ancestor" else scheduler.getcurrent()
        for args in ((echo, ()), (echo, (), {})):
            with pytest.raises(RuntimeError):
                task.bind(*args)
        task.bind(echo)  # remembered for the next set-up only
        with pytest.raises(RuntimeError):
            task.setup()
        with pytest.raises(RuntimeError):
            task()
        assert state(task) == READY

    def job() -> None:
        task = queued(child)
        task.run()
        calls.append(state(task))

    driver = queued(job)
    scheduler.run()
    assert calls == [DEAD]
    assert state(driver) == DEAD
    assert scheduler.getruncount() == 1


@pytest.mark.spec("T-15", "D-05")
def test_main_cannot_be_bound() -> None:
    _, echo = recorder()

    def check() -> None:
        for args in ((echo,), (echo, ()), (None, ()), (None,)):
            assert outcome(main.bind, *args) is RuntimeError
        assert outcome(main.setup) is RuntimeError
        assert outcome(main) is RuntimeError

    main = scheduler.getmain()
    check()
    queued(check)
    scheduler.run()
    assert state(main) == READY
