"""What type checkers must understand. Only `make types` reads this file: nothing runs it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Generic, Literal, TypeVar, assert_type

import scheduler
from scheduler import testing

T = TypeVar("T")


def greet(name: str, times: int = 1, *, loud: bool = False) -> str:
    return name * times


def tasklets_know_the_parameters_of_their_callable() -> None:
    task = scheduler.tasklet(greet)
    task("smith", 2, loud=True)
    task.setup("smith", loud=True).run()
    assert_type(scheduler.tasklet(print)("any", "thing").alive, bool)

    def nothing() -> None: ...

    assert_type(scheduler.tasklet(nothing), scheduler.tasklet[[]])
    assert_type(scheduler.tasklet(nothing)(), scheduler.tasklet[[]])
    assert_type(scheduler.tasklet(nothing).insert().remove(), scheduler.tasklet[[]])


def unbound_tasklets_take_anything() -> None:
    task = scheduler.tasklet()
    assert_type(task, scheduler.tasklet[...])
    task.bind(greet)
    task("smith")
    task.bind(greet, ("smith",), {"loud": True}).insert()
    task.bind(None)
    scheduler.tasklet(None)


def binding_anew_changes_the_parameters() -> None:
    def number(value: int, /) -> None: ...

    task = scheduler.tasklet(number)
    again = task.bind(greet)
    again("smith", times=3)
    assert_type(task.bind(args=(1,)), scheduler.tasklet[[int]])
    assert_type(task.bind(number), scheduler.tasklet[[int]])


def subclasses_stay_what_they_are() -> None:
    class Numbered(scheduler.tasklet[[int]]):
        number = 0

    def work(value: int, /) -> None: ...

    assert_type(Numbered(work)(1), Numbered)
    assert_type(Numbered(work).bind(work).number, int)


def a_mixed_list_of_tasklets() -> list[scheduler.tasklet]:
    return [scheduler.tasklet(greet)("smith"), scheduler.getmain(), scheduler.tasklet(len)([])]


def channels_know_what_they_carry() -> None:
    names: scheduler.channel[str] = scheduler.channel()
    names.send("smith")
    assert_type(names.receive(), str)
    for name in names:
        assert_type(name, str)
    assert_type(next(names), str)
    assert_type(scheduler.channel[int](), scheduler.channel[int])
    scheduler.tasklet(names.send)("potter")
    assert_type(list(names), list[str])


def plain_channels_carry_anything() -> None:
    anything = scheduler.channel()
    anything.send(1)
    anything.send("one")
    assert_type(anything, scheduler.channel[Any])
    assert_type(scheduler.QueueChannel().receive(), Any)


def queue_channels_are_channels() -> None:
    queue = scheduler.QueueChannel[float]()
    queue.send(0.5)
    queue.send_sequence([1.5, 2.5])
    assert_type(queue.receive(), float)
    assert_type(len(queue), int)
    assert_type(queue.data_queue, deque[tuple[bool, Any]])
    as_channel: scheduler.channel[float] = queue
    as_channel.close()


def buffered_channels_are_channels() -> None:
    words = scheduler.buffered[str](capacity=2)
    words.send("one", timeout=1)
    assert_type(words.receive(), str)
    assert_type((len(words), words.capacity), tuple[int, int])
    as_channel: scheduler.channel[str] = words
    scheduler.select(as_channel, words.sending("two"))


def time_may_be_virtual() -> None:
    with testing.virtual_time(patience=0.5) as clock:
        assert_type(clock.now, float)
        clock.advance(1)


class Mailbox(scheduler.QueueChannel[T], Generic[T]):
    """A generic subclass."""

    def latest(self) -> T:
        return self.receive()


def generic_subclasses() -> None:
    mailbox: Mailbox[bytes] = Mailbox()
    mailbox.send(b"letter")
    assert_type(mailbox.latest(), bytes)


def exceptions_are_classes_or_instances() -> None:
    channel = scheduler.channel[int]()
    channel.send_exception(ValueError, "bad", 1)
    channel.send_exception(ValueError("bad"))
    try:
        channel.receive()
    except ValueError:
        channel.send_throw(*exc_info())
    task = scheduler.tasklet(greet)("smith")
    task.throw(ValueError("bad"), pending=True)
    task.raise_exception(KeyError, ("key",))
    task.kill(pending=True)
    assert issubclass(scheduler.TaskletExit, SystemExit)


def exc_info() -> tuple[type[BaseException], Any, Any]:
    kind, value, traceback = sys.exc_info()
    assert kind is not None
    return kind, value, traceback


def callbacks() -> None:
    def on_channel(
        channel: scheduler.channel, task: scheduler.tasklet, sending: bool, will_block: bool
    ) -> None:
        print(channel.balance, task.method_name, sending, will_block)

    def on_switch(previous: scheduler.tasklet, following: scheduler.tasklet) -> None:
        print(previous.times_switched_to, following.context)

    scheduler.set_channel_callback(on_channel)
    scheduler.set_schedule_callback(on_switch)
    before = scheduler.set_schedule_callback(None)
    assert before is not None
    before(scheduler.getmain(), scheduler.getcurrent())


def handlers() -> None:
    @contextmanager
    def logged(task: scheduler.tasklet) -> Iterator[None]:
        yield

    task = scheduler.tasklet()
    task.dont_raise = True
    task.exception_handler = print
    task.failure_handler = lambda failed, error: print(failed.name, error.args)
    task.context_manager_getter = logged
    task.context = "kitchen"
    task.block_trap = task.highlighted = False
    with scheduler.block_trap():
        task.run()


def what_functions_return() -> None:
    assert_type(scheduler.getcurrent(), scheduler.tasklet[...])
    assert_type(scheduler.getmain().frame, FrameType | None)
    assert_type(scheduler.getmain().next, scheduler.tasklet[...] | None)
    assert_type(scheduler.get_thread_info()[2], int)
    assert_type(scheduler.get_deadlock_timeout(), float | None)
    assert_type(scheduler.get_include(), str)
    assert_type(scheduler.enable_softswitch(None), Literal[False])
    assert_type(scheduler.switch_trap(1), int)
    assert_type(scheduler.getmain().join(timeout=0.5), bool)
    assert_type(scheduler.getmain().result(timeout=0.5), Any)
    with scheduler.TaskletGroup() as group:
        assert_type(group, scheduler.TaskletGroup)
        assert_type(group.start(greet, "smith", loud=True).alive, bool)
        group.kill()
    scheduler.run(threadblock=True, timeout=0.5)


async def async_code(numbers: scheduler.channel[int]) -> None:
    with numbers as entered:
        assert_type(entered, scheduler.channel[int])
    async for number in numbers:
        assert_type(number, int)
    with scheduler.QueueChannel[str]() as words:
        assert_type(words, scheduler.QueueChannel[str])
    assert_type(scheduler.getmain().start_time, float | None)
    assert_type(scheduler.getmain().end_time, float | None)
