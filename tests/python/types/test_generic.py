"""`channel[int]` and `tasklet[[int]]`: what annotations need at run time."""

from __future__ import annotations

import pickle
from types import GenericAlias
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import pytest

import scheduler

T = TypeVar("T")
# typing puts the list of parameters into a tuple of its own for ParamSpecs; the alias keeps it.
SUBSCRIPTED = [
    (scheduler.channel, int),
    (scheduler.QueueChannel, str),
    (scheduler.tasklet, [int, str]),
    (scheduler.tasklet, ...),
]


@pytest.mark.parametrize(("kind", "item"), SUBSCRIPTED)
def test_a_subscripted_class_is_an_alias_of_it(kind: Any, item: Any) -> None:
    alias = kind[item]
    assert isinstance(alias, GenericAlias)
    assert get_origin(alias) is kind
    assert get_args(alias) == (item,)
    assert alias == kind[item] != kind[bytes]


@pytest.mark.parametrize("kind", [scheduler.channel, scheduler.QueueChannel, scheduler.tasklet])
def test_calling_the_alias_makes_an_ordinary_instance(kind: Any) -> None:
    assert type(kind[int]()) is kind


def test_the_channel_of_an_alias_passes_anything() -> None:
    channel = scheduler.channel[int]()
    scheduler.tasklet(channel.send)("no int")
    assert channel.receive() == "no int"
    scheduler.run()


def test_the_callable_reaches_a_tasklet_made_by_an_alias() -> None:
    got: list[int] = []
    task = scheduler.tasklet[[int]](got.append)(3)
    scheduler.run()
    assert (got, task.alive) == ([3], False)


def test_a_subscripted_class_can_be_a_base() -> None:
    class Numbers(scheduler.channel[int]):
        pass

    class Box(scheduler.QueueChannel[T], Generic[T]):
        pass

    assert Numbers.__mro__[1] is scheduler.channel
    assert get_args(Box[str]) == (str,)
    box = Box[str]()
    box.send("x")
    assert box.receive() == "x"


def test_the_alias_of_a_subclass_names_the_subclass() -> None:
    class Own(scheduler.tasklet):
        pass

    assert get_origin(Own[[int]]) is Own


def test_type_variables_are_filled_in() -> None:
    assert scheduler.channel[T].__parameters__ == (T,)
    assert scheduler.channel[T][int] == scheduler.channel[int]


def test_annotations_can_be_evaluated() -> None:
    def serve(inbox: scheduler.channel[int]) -> scheduler.tasklet[[int]]:
        raise NotImplementedError

    hints = get_type_hints(serve)
    assert hints == {"inbox": scheduler.channel[int], "return": scheduler.tasklet[[int]]}


def test_an_alias_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(scheduler.QueueChannel[int])) == scheduler.QueueChannel[int]
