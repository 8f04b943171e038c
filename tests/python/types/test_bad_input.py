"""Wrong types and counts for every call: errors, never crashes or disorder.

Wrong targets are in test_bad_targets.py, objects without their base in test_uninitialised.py.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.public_names import CHANNEL_METHODS, TASKLET_METHODS
from support.scheduling import queued, started, state
from support.threads import in_thread

DEAD = (False, False, False, False)
READY = (True, False, True, False)
# -------------------------------------------------------------------------- types and counts

# (kind, method, arguments, keywords, error)
WRONG_ARGUMENTS: list[tuple[str, str, tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    *(
        ("tasklet", method, args, kwargs, TypeError)
        for method in ("insert", "remove", "resume", "run", "switch")
        for args, kwargs in (((1,), {}), ((None,), {}), ((), {"now": True}))
    ),
    ("tasklet", "kill", (True, True), {}, TypeError),
    ("tasklet", "kill", (), {"now": True}, TypeError),
    ("tasklet", "kill", (True,), {"pending": True}, TypeError),
    ("tasklet", "kill", (True,), {"alone": True}, ValueError),
    ("tasklet", "throw", (KeyError,), {"pending": True, "alone": True}, ValueError),
    ("tasklet", "raise_exception", (KeyError, 1, True), {}, TypeError),
    ("tasklet", "raise_exception", (KeyError,), {"now": True}, TypeError),
    ("tasklet", "throw", (), {}, TypeError),
    ("tasklet", "throw", (None,), {}, TypeError),
    ("tasklet", "throw", ("text",), {}, TypeError),
    ("tasklet", "throw", (int,), {}, TypeError),
    ("tasklet", "throw", (17,), {}, TypeError),
    ("tasklet", "throw", (ValueError(1), 2), {}, TypeError),
    ("tasklet", "throw", (ValueError, None, "no traceback"), {}, TypeError),
    ("tasklet", "throw", (ValueError, None, None, False, 1), {}, TypeError),
    ("tasklet", "throw", (ValueError,), {"when": 1}, TypeError),
    ("tasklet", "throw", (), {"pending": True}, TypeError),
    ("tasklet", "raise_exception", (), {}, TypeError),
    ("tasklet", "raise_exception", (None,), {}, TypeError),
    ("tasklet", "raise_exception", ("text",), {}, TypeError),
    ("tasklet", "raise_exception", (int,), {}, TypeError),
    ("tasklet", "raise_exception", (ValueError(1), 2), {}, TypeError),
    ("tasklet", "raise_exception", (ValueError, 1, 2), {}, TypeError),
    ("tasklet", "raise_exception", (), {"exc": ValueError}, TypeError),
    ("tasklet", "bind", (17,), {}, TypeError),
    ("tasklet", "bind", (len, [1]), {}, TypeError),
    ("tasklet", "bind", (len, (), [1]), {}, TypeError),
    ("tasklet", "bind", (len, (), {}, 1), {}, TypeError),
    ("tasklet", "bind", (len,), {"arguments": ()}, TypeError),
    ("tasklet", "set_context", (), {}, TypeError),
    ("tasklet", "set_context", (None,), {}, TypeError),
    *(
        ("channel", method, args, kwargs, TypeError)
        for method in ("clear", "close", "open")
        for args, kwargs in (((1,), {}), ((None,), {}), ((), {"now": True}))
    ),
    ("channel", "receive", (1, 2), {}, TypeError),
    ("channel", "receive", ("1",), {}, TypeError),
    ("channel", "receive", (1,), {"timeout": 1}, TypeError),
    ("channel", "receive", (), {"now": True}, TypeError),
    ("channel", "send", (), {}, TypeError),
    ("channel", "send", (1, 2, 3), {}, TypeError),
    ("channel", "send", (1, "2"), {}, TypeError),
    ("channel", "send", (1, 2), {"timeout": 2}, TypeError),
    ("channel", "send", (), {"timeout": 1}, TypeError),
    ("channel", "sending", (), {}, TypeError),
    ("channel", "sending", (1, 2), {}, TypeError),
    ("channel", "sending", (), {"value": 1}, TypeError),
    ("channel", "send", (), {"value": 1}, TypeError),
    ("channel", "send_exception", (), {}, RuntimeError),
    ("channel", "send_exception", ("text",), {}, RuntimeError),
    ("channel", "send_exception", (None,), {}, RuntimeError),
    ("channel", "send_exception", (int,), {}, RuntimeError),
    ("channel", "send_exception", (ValueError("instance"), 1), {}, TypeError),
    ("channel", "send_exception", (), {"exc": ValueError}, TypeError),
    ("channel", "send_throw", (), {}, TypeError),
    ("channel", "send_throw", ("text",), {}, TypeError),
    ("channel", "send_throw", (None,), {}, TypeError),
    ("channel", "send_throw", (int,), {}, TypeError),
    ("channel", "send_throw", (ValueError, None, "no traceback"), {}, TypeError),
    ("channel", "send_throw", (ValueError, None, None, None), {}, TypeError),
    ("channel", "send_throw", (ValueError,), {"when": 1}, TypeError),
]


@pytest.mark.spec("E-01", "E-03", "E-04", "C-05", "C-30", "C-31", "D-30", "D-38", "M-08")
@pytest.mark.parametrize("kind, method, args, kwargs, error", WRONG_ARGUMENTS, ids=repr)
def test_wrong_arguments(
    kind: str, method: str, args: Any, kwargs: Any, error: type[Exception]
) -> None:
    if kind == "tasklet":
        thing: Any = queued(len, "")
        before: Any = state(thing), thing.method_name
    else:
        thing = scheduler.channel()
        before = thing.balance, thing.queue, thing.closing
    with pytest.raises(error) as caught:
        getattr(thing, method)(*args, **kwargs)
    assert caught.type is error
    assert str(caught.value)
    if kind == "tasklet":
        assert (state(thing), thing.method_name) == before
    else:
        assert (thing.balance, thing.queue, thing.closing) == before
    scheduler.run()


@pytest.mark.spec("C-30", "C-31", "C-12")
def test_wrong_arguments_do_not_wake_a_waiting_receiver() -> None:
    channel = scheduler.channel()
    receiver = started(channel.receive)
    for method, args, error in (
        ("send", (), TypeError),
        ("send_exception", (), RuntimeError),
        ("send_exception", ("text",), RuntimeError),
        ("send_exception", (ValueError("instance"), 1), TypeError),
        ("send_throw", ("text",), TypeError),
        ("send_throw", (ValueError, None, "no traceback"), TypeError),
    ):
        with pytest.raises(error):
            getattr(channel, method)(*args)
        assert (channel.balance, channel.queue) == (-1, receiver)
        assert state(receiver) == (True, True, False, False)
    receiver.kill()


class Untruthful:
    """An object whose truth value cannot be told."""

    def __bool__(self) -> bool:
        raise LookupError("neither true nor false")


@pytest.mark.spec("E-01", "E-02")
def test_pending_is_a_truth_value() -> None:
    task = queued(len, "")
    for operation in (task.kill, lambda pending: task.throw(ValueError, pending=pending)):
        with pytest.raises(LookupError, match="neither"):
            operation(pending=Untruthful())
        assert state(task) == READY
    assert task.kill(pending="yes") is None
    assert state(task) == READY
    scheduler.run()
    assert state(task) == DEAD


@pytest.mark.spec("E-05", "D-33")
def test_an_exception_class_that_cannot_be_made() -> None:
    class Picky(Exception):
        def __init__(self, one: Any, two: Any) -> None:
            super().__init__(one, two)

    task = started(scheduler.schedule_remove)
    for operation in (task.throw, task.raise_exception):
        with pytest.raises(TypeError):
            operation(Picky)
    assert outcome(task.throw, Picky, (1, 2)) is Picky
    assert state(task) == DEAD


@pytest.mark.spec("T-14", "E-20")
@pytest.mark.parametrize("args, kwargs", [((1, 2), {}), ((), {1: 2}), ((), {"unknown": 1})])
def test_arguments_that_the_callable_refuses(args: Any, kwargs: Any) -> None:
    def job() -> None:
        raise AssertionError("not called")

    task = scheduler.tasklet().bind(job, args, kwargs)
    task.insert()
    with pytest.raises(TypeError):
        scheduler.run()
    assert state(task) == DEAD
    assert scheduler.getruncount() == 1


# ------------------------------------------------------------------- anything with anything

JUNK: tuple[Any, ...] = (None, 0.001, -1, 2**70, "x", (), {}, int, ValueError, ValueError("v"), len)


def junk_arguments(most: int) -> Any:
    return itertools.chain.from_iterable(
        itertools.product(JUNK, repeat=count) for count in range(most + 1)
    )


def must_not_be_internal(call: Callable[..., Any], args: Any) -> None:
    try:
        call(*args)
    except (SystemError, AttributeError, MemoryError) as error:
        raise AssertionError(f"{call}{args} raised {error!r}") from error
    except BaseException as error:
        error.__traceback__ = error.__context__ = None  # an instance of JUNK lives on
        assert type(error) in (
            TypeError,
            ValueError,
            RuntimeError,
            OverflowError,
            TimeoutError,
            StopIteration,
            scheduler.TaskletExit,
        )


@pytest.mark.spec("M-08", "D-36", "D-38", "D-59")
def test_no_arguments_bring_a_method_into_disorder(capfd: pytest.CaptureFixture[str]) -> None:
    for method in TASKLET_METHODS:
        for args in junk_arguments(3):
            task = queued(len, "")
            must_not_be_internal(getattr(task, method), args)
            task.kill()
            scheduler.run()  # for those that were killed with `pending` set
            assert not task.alive
    for method in CHANNEL_METHODS:
        if method.startswith("__"):
            continue
        for args in junk_arguments(3):
            channel = scheduler.channel()
            must_not_be_internal(getattr(channel, method), args)
            assert channel.balance == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.spec("M-08", "D-36", "D-59")
def test_no_arguments_bring_a_function_into_disorder(capfd: pytest.CaptureFixture[str]) -> None:
    functions = [
        function
        for name in dir(scheduler)
        if not name.startswith("_")
        and callable(function := getattr(scheduler, name))
        and not isinstance(function, type)
        # Functions of the package, in test_queue_channel.py, test_dump.py and test_monitor.py: the last one
        # would start a thread that stays.
        and name not in ("block_trap", "blocked_tasklets", "dump_tasklets", "monitor")
    ]
    assert len(functions) >= 26
    stack_size = scheduler.get_stack_size()
    for function in functions:
        for args in junk_arguments(2):
            must_not_be_internal(function, args)
            scheduler.forbid_main_waits(None)
            scheduler.set_deadlock_timeout(1.0)
            scheduler.set_stack_size(stack_size)
            scheduler.set_channel_callback(None)
            scheduler.set_schedule_callback(None)
            scheduler.set_use_nested_tasklets(True)
            scheduler.switch_trap(-scheduler.switch_trap(0))
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------- the rest


@pytest.mark.spec("C-43", "C-40", "H-02")
def test_iteration_while_another_thread_closes_the_channel() -> None:
    def consumer() -> None:
        received.extend(channel)
        received.append("end")

    received: list[Any] = []
    channel = scheduler.channel()
    task = started(consumer)
    in_thread(channel.close)
    assert (channel.closing, channel.closed, task.blocked) == (True, False, True)
    in_thread(channel.send, "last item")  # somebody waits, so that closing does not matter
    assert (channel.closed, received) == (True, [])
    scheduler.run()
    assert received == ["last item", "end"]
    assert state(task) == DEAD


@pytest.mark.spec("T-18", "E-20", "DEC-4")
def test_errors_in_del_and_weakref_callbacks(unraisable: list[Any], drain: Callable) -> None:
    class Noisy:
        def __del__(self) -> None:
            raise OSError("from __del__")

    def broken_callback(reference: Any) -> None:
        raise LookupError("from a weakref callback")

    def job() -> None:
        mine = Noisy()
        assert mine
        log.append("job")

    log: list[str] = []
    task = queued(job)
    reference = weakref.ref(task, broken_callback)
    queued(log.append, "next")
    del task
    drain()
    assert reference() is None
    assert log == ["job", "next"]
    assert sorted(entry.message for entry in unraisable) == [
        "from __del__",
        "from a weakref callback",
    ]
