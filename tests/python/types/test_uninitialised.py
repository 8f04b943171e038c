"""Objects whose subclass skipped `__init__` or `__new__`, and methods called on something else."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.public_names import CHANNEL_ATTRIBUTES, CHANNEL_METHODS, TASKLET_ATTRIBUTES, TASKLET_METHODS

OUR_KINDS = {"tasklet": scheduler.tasklet, "channel": scheduler.channel}


class BareTasklet(scheduler.tasklet):
    """Skips the base's `__init__`."""

    def __init__(self, *args: Any) -> None:
        pass


class BareChannel(scheduler.channel):
    """Skips the base's `__init__`."""

    def __init__(self, *args: Any) -> None:
        pass


@pytest.mark.spec("M-10", "D-15")
@pytest.mark.parametrize(
    "make, name",
    [(BareTasklet, name) for name in TASKLET_METHODS]
    + [(BareChannel, name) for name in CHANNEL_METHODS],
)
def test_methods_of_an_uninitialised_object(make: Callable[[], Any], name: str) -> None:
    method = getattr(make(), name)
    with pytest.raises(RuntimeError, match="__init__"):
        method()


@pytest.mark.spec("M-10")
@pytest.mark.parametrize(
    "make, name, args",
    [
        (BareTasklet, "bind", (17,)),
        (BareTasklet, "bind", (1, 2, 3, 4)),
        (BareTasklet, "kill", (1, 2)),
        (BareTasklet, "throw", ("text",)),
        (BareTasklet, "raise_exception", ("text",)),
        (BareTasklet, "setup", (1,)),
        (BareTasklet, "__call__", (1,)),
        (BareChannel, "send", (1,)),
        (BareChannel, "send", (1, 2)),
        (BareChannel, "send_exception", ("text",)),
        (BareChannel, "send_throw", ("text",)),
    ],
)
def test_arguments_do_not_matter_to_an_uninitialised_object(
    make: Callable[[], Any], name: str, args: tuple[Any, ...]
) -> None:
    method = getattr(make(), name)
    with pytest.raises(RuntimeError, match="__init__"):
        method(*args)


@pytest.mark.spec("M-10")
@pytest.mark.parametrize(
    "make, name",
    [(BareTasklet, name) for name in TASKLET_ATTRIBUTES]
    + [(BareChannel, name) for name in CHANNEL_ATTRIBUTES],
)
def test_attributes_of_an_uninitialised_object(make: Callable[[], Any], name: str) -> None:
    thing = make()
    with pytest.raises(RuntimeError, match="__init__"):
        getattr(thing, name)
    assert outcome(setattr, thing, name, True) in (RuntimeError, AttributeError)
    assert outcome(repr, thing) is RuntimeError or isinstance(repr(thing), str)


@pytest.mark.spec("M-10")
def test_an_uninitialised_object_can_be_initialised_later() -> None:
    log: list[int] = []
    task = BareTasklet()
    scheduler.tasklet.__init__(task, log.append)
    task(1)
    scheduler.run()
    assert log == [1]
    channel = BareChannel()
    scheduler.channel.__init__(channel)
    assert channel.balance == 0


@pytest.mark.spec("M-10", "N-02", "N-04")
def test_uninitialised_objects_are_not_used_elsewhere() -> None:
    things = [BareTasklet(), BareChannel()]
    references = [weakref.ref(thing) for thing in things]
    assert scheduler.unblock_all_channels() == 0
    scheduler.run()
    things.clear()
    assert [reference() for reference in references] == [None, None]


@pytest.mark.spec("M-04", "M-10")
@pytest.mark.parametrize("kind", OUR_KINDS.values(), ids=OUR_KINDS)
def test_new_cannot_be_skipped(kind: Any) -> None:
    class Skips(kind):
        def __new__(cls) -> Any:
            return object.__new__(cls)

    with pytest.raises(TypeError):
        Skips()
    for args in ((), (int,), (object,), (kind(),)):
        with pytest.raises(TypeError):
            kind.__new__(*args)


@pytest.mark.spec("M-04")
@pytest.mark.parametrize("kind", OUR_KINDS)
def test_methods_refuse_other_kinds_of_self(kind: str) -> None:
    methods = TASKLET_METHODS if kind == "tasklet" else CHANNEL_METHODS
    for name, thing in itertools.product(methods, (None, 1, object(), scheduler.QueueChannel)):
        with pytest.raises(TypeError):
            getattr(OUR_KINDS[kind], name)(thing)
    attributes = TASKLET_ATTRIBUTES if kind == "tasklet" else CHANNEL_ATTRIBUTES
    for name in attributes:
        with pytest.raises(TypeError):
            getattr(OUR_KINDS[kind], name).__get__(object())


@pytest.mark.spec("M-04")
def test_the_tables_above_are_complete() -> None:
    def names(kind: type, callables: bool) -> set[str]:
        return {
            name
            for name in dir(kind)
            if not name.startswith("_") and callable(getattr(kind, name)) is callables
        }

    for kind, methods, attributes in (
        (scheduler.tasklet, TASKLET_METHODS, TASKLET_ATTRIBUTES),
        (scheduler.channel, CHANNEL_METHODS, CHANNEL_ATTRIBUTES),
    ):
        assert names(kind, True) == {name for name in methods if not name.startswith("_")}
        assert names(kind, False) == set(attributes)
