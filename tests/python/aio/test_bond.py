"""The iterator that a Task awaits while a tasklet has its turns inside the Task's steps."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from contextlib import nullcontext

import pytest

import scheduler
from scheduler import aio


@pytest.fixture
def in_task(factory):
    """Runs a coroutine function in a Task of a loop that is a host."""

    def run(function):
        async def main():
            async with aio.host():
                return await function()

        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main())

    return run


class Awaited:
    """Yields itself, as often as it is asked to, and notes what comes of that."""

    def __init__(self, times=1):
        self.times = times
        self.log = []

    def __await__(self):
        for _ in range(self.times):
            try:
                yield self
                self.log.append("went on")
            except BaseException as error:
                self.log.append(type(error))
                raise
        return "done"

    async def coroutine(self):
        return await self


def test_what_is_yielded_goes_to_the_task_and_the_answer_back(in_task):
    awaited = Awaited(3)

    async def main():
        call = aio.call(lambda: aio.await_(awaited.coroutine()))
        assert [call.send(None) for _ in range(3)] == [awaited] * 3
        with pytest.raises(StopIteration) as stop:
            call.send(None)
        assert stop.value.value == "done"
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            call.send(None)

    in_task(main)
    assert awaited.log == ["went on"] * 3


@pytest.mark.parametrize("form", ["class", "instance", "three arguments"])
@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError])
def test_an_error_is_raised_in_what_the_tasklet_awaits(in_task, kind, form):
    awaited = Awaited()

    def plain():
        with pytest.raises(kind):
            aio.await_(awaited.coroutine())
        return "caught"

    async def main():
        call = aio.call(plain)
        assert call.send(None) is awaited
        with pytest.raises(StopIteration) as stop:
            if form == "three arguments":
                with pytest.warns(DeprecationWarning) if sys.version_info >= (3, 12) else nullcontext():
                    call.throw(kind, kind(), None)
            else:
                call.throw(kind if form == "class" else kind())
        assert stop.value.value == "caught"

    in_task(main)
    assert awaited.log == [kind]


def test_it_goes_on_after_an_error_as_before(in_task):
    first, second = Awaited(), Awaited(2)

    async def both():
        try:
            await first
        except ValueError:
            return await second

    async def main():
        call = aio.call(lambda: aio.await_(both()))
        assert call.send(None) is first
        assert call.throw(ValueError()) is second
        assert call.send(None) is second
        with pytest.raises(StopIteration) as stop:
            call.send(None)
        assert stop.value.value == "done"

    in_task(main)


@pytest.mark.parametrize("how", ["close", "throw"])
@pytest.mark.parametrize("place", ["coroutine", "channel"])
def test_closing_kills_the_tasklet(in_task, how, place):
    awaited = Awaited()
    log = []

    def plain():
        try:
            aio.await_(awaited.coroutine()) if place == "coroutine" else scheduler.channel().receive()
        except scheduler.TaskletExit:
            log.append("killed")
            raise

    async def main():
        call = aio.call(plain)
        assert (call.send(None) is awaited) == (place == "coroutine")
        if how == "close":
            call.close()
        else:
            with pytest.raises(GeneratorExit):
                call.throw(GeneratorExit)
        call.close()

    in_task(main)
    assert log == ["killed"]


def test_nothing_is_left_to_the_collector(in_task):
    class Thing:
        pass

    def plain(thing):
        aio.await_(asyncio.sleep(0))
        with pytest.raises(ZeroDivisionError):
            aio.await_(divide())
        return weakref.ref(thing)

    async def divide():
        await asyncio.sleep(0)
        return 1 / 0

    async def main():
        found = await aio.call(plain, Thing())
        return found()

    gc.collect()
    gc.disable()
    try:
        assert in_task(main) is None
    finally:
        gc.enable()


def test_bad_input():
    with pytest.raises(TypeError, match="must be scheduler.Tasklet, not int"):
        scheduler._Bond(None, 7, False)
    unready = scheduler.tasklet.__new__(scheduler.tasklet)
    with pytest.raises(RuntimeError, match="__init__"):
        scheduler._Bond(None, unready, False)
    with pytest.raises(TypeError, match="must be a tasklet"):
        scheduler._get_bond(7)
    with pytest.raises(TypeError, match="takes exactly 3 arguments"):
        scheduler._await(7)


def test_the_iterator_by_itself():
    task = scheduler.tasklet()
    bond = scheduler._Bond(None, task, True)
    assert scheduler._get_bond(task) is bond
    assert iter(bond) is bond
    with pytest.raises(AttributeError):
        print(bond.wanted)
    bond.wanted = None
    assert bond.wanted is None
    for _ in range(2):  # to forget nothing is no error
        del bond.wanted
    with pytest.raises(TypeError):
        bond.throw(7)
    with pytest.raises(AttributeError, match="leave"):  # that is of the class derived from it
        bond.throw(ValueError)
    assert bond.close() is None
    assert list(bond) == []
    with pytest.raises(ValueError, match="late"):
        bond.throw(ValueError("late"))
    bond.unbind()
    bond.unbind()
    assert scheduler._get_bond(task) is None
