"""What the first mistakes that one makes are answered with: the message names the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import message
from support.scheduling import queued, started
from support.threads import in_thread


def function(*_: Any) -> None:
    """Does nothing."""


def ended() -> scheduler.tasklet:
    return started(function)


def called_once() -> scheduler.tasklet:
    task = queued(function)
    scheduler.run()
    return task


DEAD = {
    "not called": (lambda: scheduler.tasklet(function), "has not been given its arguments"),
    "without a callable": (scheduler.tasklet, "has nothing to run"),
    "unbound": (lambda: scheduler.tasklet(function).bind(None), "has nothing to run"),
    "ended": (ended, "has ended: to use it again, bind(callable)"),
}


@pytest.mark.parametrize("make, reason", DEAD.values(), ids=DEAD)
@pytest.mark.parametrize("operation", ["run", "switch", "insert"])
def test_why_a_tasklet_is_dead(make: Callable, reason: str, operation: str) -> None:
    text = message(getattr(make(), operation))
    assert "dead" in text
    assert reason in text


@pytest.mark.parametrize("call", [lambda t: t(), lambda t: t.setup(), lambda t: t.bind(None, ())])
def test_why_a_tasklet_has_no_callable(call: Callable) -> None:
    assert "not tasklet(f())" in message(call, scheduler.tasklet(function()))
    assert "used up: bind(callable)" in message(call, called_once())


@pytest.mark.parametrize("make", [ended, lambda: scheduler.tasklet(len), lambda: queued(function)])
@pytest.mark.parametrize("operation", ["run", "switch", "insert", "kill", "bind"])
def test_that_the_thread_has_ended(make: Callable, operation: str) -> None:
    """Also one that was dead by then: it has not got into the hands of another thread."""
    task = in_thread(make)
    assert "thread that this tasklet belongs to has ended" in message(getattr(task, operation))


MISTAKES = {
    "callable": (lambda: scheduler.tasklet(5), "callable or None, not int"),
    "callable of bind": (lambda: scheduler.tasklet().bind("f"), "callable or None, not str"),
    "arguments at once": (lambda: scheduler.tasklet(function, 1), "as in tasklet(f)(x, y)"),
    "arguments of bind": (
        lambda: scheduler.tasklet().bind(function, 1),
        "must be a tuple, as in bind(f, (x, y)), or None, not int",
    ),
    "keywords of bind": (
        lambda: scheduler.tasklet().bind(function, (), [1]),
        "{'name': z}), or None, not list",
    ),
}


@pytest.mark.parametrize("call, hint", MISTAKES.values(), ids=MISTAKES)
def test_an_argument_of_a_wrong_kind(call: Callable, hint: str) -> None:
    assert hint in message(call)


class Job(scheduler.tasklet):
    """A subclass: its construction goes another way."""


def test_arguments_at_once_for_a_subclass() -> None:
    assert "got 3: what its callable" in message(lambda: Job(function, 1, 2))
