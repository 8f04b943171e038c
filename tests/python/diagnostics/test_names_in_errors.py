"""Names of tasklets in exceptions, handlers, and of callables that have none; names of types."""

from __future__ import annotations

import functools
import importlib
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.scheduling import queued, started
from support.threads import in_thread


def fail(error: BaseException) -> None:
    raise error


def notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


# ---------------------------------------------------------------------------------- the note


@pytest.mark.spec("E-20")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, ExceptionGroup])
def test_an_exception_that_leaves_a_tasklet_has_its_name(drain: Callable, kind: Any) -> None:
    error = kind("broken", [KeyError()]) if kind is ExceptionGroup else kind("broken")
    scheduler.tasklet(fail, name="bob's")(error)
    with pytest.raises(kind) as caught:
        drain()
    assert caught.value is error
    assert notes(error) == ['raised in tasklet "bob\'s"']
    assert notes(error)[0] in "".join(traceback.format_exception(error))


@pytest.mark.spec("E-20")
def test_it_is_noted_once_by_the_innermost() -> None:
    error = ValueError("broken")

    def outer() -> None:
        scheduler.tasklet(fail, name="inner")(error).run()

    for _ in range(2):
        scheduler.tasklet(outer, name="outer")()
        with pytest.raises(ValueError, match="broken"):
            scheduler.run()
    assert notes(error) == ["raised in tasklet 'inner'"]


@pytest.mark.spec("E-20")
def test_notes_of_others_stay() -> None:
    error = ValueError("broken")
    error.add_note("one of the program's")
    scheduler.tasklet(fail)(error)
    with pytest.raises(ValueError, match="broken"):
        scheduler.run()
    assert notes(error) == ["one of the program's", "raised in tasklet 'fail'"]


@pytest.mark.spec("E-21", "E-22")
def test_what_ends_a_tasklet_silently_has_none() -> None:
    error = scheduler.TaskletExit("enough")
    scheduler.tasklet(fail)(error)
    scheduler.run()
    assert notes(error) == []
    with pytest.raises(KeyError) as caught:  # main has no need of it
        scheduler.getcurrent().throw(KeyError)
    assert notes(caught.value) == []


@pytest.mark.spec("E-15", "X-10")
def test_what_never_ran_has_raised_nothing() -> None:
    task = queued(fail, ValueError())
    with pytest.raises(KeyError) as caught:
        task.throw(KeyError)
    assert notes(caught.value) == []


@pytest.mark.spec("E-20")
def test_results_and_groups_have_it_too() -> None:
    task = scheduler.tasklet(fail, name="asked")(ValueError("broken"))
    with pytest.raises(ValueError, match="broken") as caught:
        task.result()
    assert notes(caught.value) == ["raised in tasklet 'asked'"]
    with pytest.raises(ExceptionGroup) as group, scheduler.TaskletGroup() as members:
        members.start(fail, KeyError()).name = "member"
    assert [notes(error) for error in group.value.exceptions] == [["raised in tasklet 'member'"]]
    assert notes(group.value) == []


class TakesNoNotes(Exception):
    def add_note(self, note: str) -> None:
        raise LookupError("no")


class OddNotes(Exception):
    __notes__ = 17


class HidesNotes(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__notes__":
            raise OSError("hidden")
        return super().__getattribute__(name)


@pytest.mark.spec("E-20", "DEC-4")
@pytest.mark.parametrize("kind", [TakesNoNotes, OddNotes, HidesNotes])
def test_an_exception_that_takes_no_notes_goes_without(kind: type[Exception]) -> None:
    error = kind("broken")
    scheduler.tasklet(fail)(error)
    with pytest.raises(kind) as caught:
        scheduler.run()
    assert caught.value is error
    assert caught.value.__context__ is None


class Interrupts(Exception):
    def add_note(self, note: str) -> None:
        raise KeyboardInterrupt


@pytest.mark.spec("DEC-4")
def test_an_interrupt_meanwhile_is_told_of(unraisable: list[Any]) -> None:
    scheduler.tasklet(fail)(Interrupts())
    with pytest.raises(Interrupts):
        scheduler.run()
    assert [entry.exc_type for entry in unraisable] == [KeyboardInterrupt]


@pytest.mark.spec("DEC-4")
def test_a_signal_that_comes_with_the_failure_is_raised() -> None:
    def handler(*_: Any) -> None:
        raise OSError("signal")

    def fail_with_signal() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        queued(fail_with_signal)
        with pytest.raises(OSError, match="signal") as caught:
            scheduler.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert notes(caught.value) == ["raised in tasklet 'fail_with_signal'"]


# -------------------------------------------------------------------------------- the handlers


def contained(function: Callable[..., Any], *args: Any, **attributes: Any) -> Any:
    task = scheduler.tasklet(name="kept")
    task.dont_raise = True
    for name, value in attributes.items():
        setattr(task, name, value)
    return task.bind(function)(*args)


@pytest.mark.spec("X-07", "X-02")
def test_the_failure_handler_gets_tasklet_and_exception() -> None:
    seen: list[Any] = []

    def handler(failed: Any, error: BaseException) -> None:
        seen.append((failed, error, sys.exc_info()[1]))

    error = ValueError("broken")
    task = contained(fail, error, failure_handler=handler)
    scheduler.run()
    assert seen == [(task, error, error)]
    assert sys.exc_info() == (None, None, None)
    assert notes(error) == ["raised in tasklet 'kept'"]


@pytest.mark.spec("X-07", "X-08")
@pytest.mark.parametrize("raises", ["text", "failure", "both", "neither"])
def test_both_handlers_are_called_whatever_they_raise(raises: str, capsys: Any) -> None:
    order: list[str] = []

    def text_handler(text: str) -> None:
        order.append("text")
        if raises in ("text", "both"):
            raise KeyError("in the text handler")

    def failure_handler(failed: Any, error: BaseException) -> None:
        order.append("failure")
        if raises in ("failure", "both"):
            raise KeyError("in the failure handler")

    contained(
        fail, ValueError(), exception_handler=text_handler, failure_handler=failure_handler
    )
    scheduler.run()
    assert order == ["text", "failure"]
    printed = capsys.readouterr().err
    for name in ("text", "failure"):
        assert (f"in the {name} handler" in printed) == (raises in (name, "both"))


@pytest.mark.spec("X-07")
def test_the_failure_handler_is_called_for_contained_failures_only() -> None:
    seen: list[Any] = []
    task = scheduler.tasklet(fail)
    task.failure_handler = lambda *args: seen.append(args)
    task(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011
        scheduler.run()
    contained(len, "", failure_handler=lambda *args: seen.append(args))
    contained(fail, scheduler.TaskletExit(), failure_handler=lambda *args: seen.append(args))
    scheduler.run()
    assert seen == []


@pytest.mark.spec("X-07")
@pytest.mark.parametrize("value", [1, "text", ()])
def test_the_failure_handler_is_callable_or_none(value: Any) -> None:
    task = scheduler.tasklet()
    assert task.failure_handler is None
    with pytest.raises(TypeError, match="failure_handler must be callable or None"):
        task.failure_handler = value
    with pytest.raises(TypeError):
        del task.failure_handler
    task.failure_handler = print
    assert task.failure_handler is print
    task.failure_handler = None
    assert task.failure_handler is None


@pytest.mark.spec("X-07")
def test_a_failure_handler_that_takes_something_else_is_told_of(capsys: Any) -> None:
    contained(fail, ValueError("broken"), failure_handler=lambda text: None)
    scheduler.run()
    printed = capsys.readouterr().err
    assert "broken" in printed and "TypeError" in printed


# ---------------------------------------------------------------- callables without a name


class Machine:
    def __call__(self, *args: Any) -> None:
        pass


class Named(Machine):
    __name__ = "of its own"


class Hostile(Machine):
    def __getattribute__(self, name: str) -> Any:
        raise LookupError(name)


class PartialClass(functools.partial):
    pass


def circular() -> Any:
    partial = functools.partial(len)
    partial.__setstate__((partial, (), {}, {}))
    return partial


NAMES: dict[str, tuple[Any, str]] = {
    "partial": (functools.partial(fail, 1), "fail"),
    "partial of a partial": (functools.partial(functools.partial(fail), 1), "fail"),
    "partial of an object": (functools.partial(Machine()), "Machine"),
    "partial of a method": (functools.partial("".join), "join"),
    "derived from partial": (PartialClass(fail), "fail"),
    "partial of itself": (circular(), "partial"),
    "object": (Machine(), "Machine"),
    "object with a name": (Named(), "of its own"),
    "hostile object": (Hostile(), "Hostile"),
    "built-in object": (functools.cmp_to_key(max), "KeyWrapper"),
}


@pytest.mark.spec("A-10", "DEC-5")
@pytest.mark.parametrize("function, name", NAMES.values(), ids=NAMES)
def test_callables_without_a_name(function: Any, name: str) -> None:
    task = scheduler.tasklet(function)
    assert task.name == name
    assert f"'{name}'" in repr(task)
    has_own = name == "of its own"
    assert task.method_name == (name if has_own else "unknown_method")
    task.bind(len)
    assert (task.name, task.method_name) == ("len", "len")
    task.bind(function)
    task.name = "given"
    assert task.name == "given"
    task.bind(None)
    assert (task.name, task.method_name) == ("given", "")
    if type(function) is functools.partial:
        function.__setstate__((len, (), {}, {}))


# --------------------------------------------------------------------------------------- types


@pytest.mark.spec("M-04", "M-06")
@pytest.mark.parametrize(
    "kind",
    [
        *(scheduler.tasklet, scheduler.channel, scheduler.buffered, scheduler.QueueChannel),
        *(scheduler.TaskletGroup, scheduler.timeout, scheduler.schedule_manager),
        *(scheduler.callable_wrapper, scheduler.TaskletExit, scheduler.ChannelClosed),
        type(scheduler.channel().sending(1)),
    ],
)
def test_a_type_is_found_by_what_it_prints(kind: type) -> None:
    assert repr(kind) == f"<class '{kind.__module__}.{kind.__qualname__}'>"
    assert getattr(importlib.import_module(kind.__module__), kind.__qualname__) is kind
    assert pickle.loads(pickle.dumps(kind)) is kind


@pytest.mark.spec("M-06")
def test_exceptions_can_be_pickled() -> None:
    for error in (scheduler.ChannelClosed("text"), scheduler.TaskletExit("text")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.args) == (type(error), ("text",))


@pytest.mark.spec("E-20")
def test_a_note_of_another_thread() -> None:
    def there() -> None:
        started(fail, ValueError("there"))

    with pytest.raises(ValueError, match="there") as caught:
        in_thread(there)
    assert notes(caught.value) == ["raised in tasklet 'fail'"]
