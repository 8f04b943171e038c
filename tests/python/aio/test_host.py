"""aio.host() and aio.run(): the life of a host, and what is left over."""

from __future__ import annotations

import asyncio
import gc
import signal

import pytest

import scheduler
from scheduler import aio
from support.event_loops import Complaints
from support.scheduling import queued
from support.threads import in_thread

LATE = 30.0


def test_run_returns_raises_and_closes_its_loop(factory):
    loops = []

    def work(value):
        loops.append(asyncio.get_running_loop())
        aio.await_(asyncio.sleep(0))
        return value

    assert aio.run(work, 5, loop_factory=factory) == 5
    assert loops[0].is_closed()
    with pytest.raises(ZeroDivisionError):
        aio.run(divmod, 1, 0, loop_factory=factory)


@pytest.mark.spec("AIO-11")
def test_places_where_there_can_be_no_host(factory):
    async def twice():
        async with aio.host():
            with pytest.raises(RuntimeError, match="has a host already"):
                async with aio.host():
                    pass
            with pytest.raises(RuntimeError, match="one runs in this thread already"):
                aio.run(len, "")
        async with aio.host():  # again is right
            pass

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(twice())

    async def enter():
        async with aio.host():
            pass

    def on_a_tasklet():
        with pytest.raises(RuntimeError, match="it must run on the main tasklet"):
            asyncio.run(enter())
        with pytest.raises(RuntimeError, match="is for the main tasklet"):
            aio.run(len, "")

    task = queued(on_a_tasklet)
    task.run()
    task.result()


@pytest.mark.spec("AIO-11")
def test_an_entered_host_is_not_entered_again(factory):
    async def main():
        host = aio.host()
        async with host:
            pass
        with pytest.raises(RuntimeError, match="has a host already"):
            async with host:
                pass
        with pytest.raises(RuntimeError, match="left without having been entered"):
            await aio.host().__aexit__(None, None, None)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("steps", range(4))
def test_a_task_that_begins_as_run_ends_has_a_host_still_or_is_cancelled(steps):
    """As that of a server's connection may."""
    outcomes = []

    async def late():
        try:
            outcomes.append(await aio.call(lambda: "served"))
        except RuntimeError as error:
            outcomes.append(error)

    def make(loop, left):
        if left == 0:
            loop.create_task(late())
        else:
            loop.call_soon(make, loop, left - 1)

    aio.run(lambda: make(asyncio.get_running_loop(), steps))
    assert set(outcomes) <= {"served"}


@pytest.mark.spec("AIO-07")
def test_leftovers_are_killed_waited_for_and_reported(factory):
    complaints = Complaints()
    log = []

    async def inner():
        try:
            await asyncio.sleep(LATE)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)  # longer than it is waited for those who do not await
            log.append("inner")
            raise

    def awaits():
        try:
            aio.await_(inner())
        finally:
            log.append("awaits")

    def blocked():
        try:
            scheduler.channel().receive()
        finally:
            log.append("blocked")

    def stubborn():
        for _ in range(3):
            try:
                scheduler.channel().receive()
            except scheduler.TaskletExit:
                log.append("stubborn")

    before = queued(scheduler.channel().receive)
    before.run()

    def work():
        complaints.listen()
        for function in (awaits, blocked, stubborn):
            queued(function)
        scheduler.tasklet(print).bind(print, ("never",))
        aio.await_(asyncio.sleep(0.001))
        return "result"

    assert aio.run(work, loop_factory=factory) == "result"
    assert sorted(log) == ["awaits", "blocked", "inner", "stubborn", "stubborn", "stubborn"]
    assert len(complaints.log) == 1
    assert complaints.log[0].startswith("tasklets were left over at the end of their host, and have been ")
    for name in ("awaits", "blocked", "stubborn"):
        assert f"'{name}'" in complaints.log[0]
    assert before.alive  # it was there before
    before.kill()


@pytest.mark.spec("AIO-07")
def test_who_never_ends_is_given_up(factory, monkeypatch):
    from scheduler.aio import _host

    monkeypatch.setattr(_host, "KILLS", 2)
    complaints = Complaints()
    ending = []

    def endless():
        while not ending:
            try:
                scheduler.channel().receive()
            except scheduler.TaskletExit:
                pass

    def work():
        complaints.listen()
        tasks.append(queued(endless))
        scheduler.schedule()

    tasks = []
    aio.run(work, loop_factory=factory)
    assert "these go on all the same, and are given up: " in complaints.log[0]
    ending.append(True)
    tasks.pop().kill()


@pytest.mark.spec("AIO-11")
def test_a_loop_that_is_stopped_or_closed_while_tasklets_wait(factory):
    log = []

    def wait(awaitable):
        try:
            aio.await_(awaitable)
            log.append("done")
        except BaseException as error:
            log.append(type(error).__name__)
            raise

    loop = factory()
    host = aio.host()
    loop.run_until_complete(host.__aenter__())
    future = loop.create_future()
    task = queued(wait, future)
    other = queued(wait, asyncio.sleep(LATE))
    loop.run_until_complete(asyncio.sleep(0))  # it is stopped in between
    future.set_result(1)
    scheduler.run()
    assert log == []
    loop.run_until_complete(asyncio.sleep(0.001))
    assert log == ["done"] and not task.alive

    loop.set_exception_handler(lambda loop, context: log.append(context["message"]))
    loop.close()
    other.kill()
    assert log == ["done", "TaskletExit"] and not other.alive
    late = queued(wait, asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="is closed: leave `async with"):
        late.run()
    with pytest.raises(StopIteration):  # it can be left all the same
        host.__aexit__(None, None, None).send(None)
    del other
    gc.collect()
    assert log[2:] in (["RuntimeError"], ["RuntimeError", "Task was destroyed but it is pending!"])


def test_asyncio_run_inside_a_tasklet_without_a_host():
    async def main():
        await asyncio.sleep(0)
        coro = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="is no host for tasklets"):
            aio.await_(coro)
        return "ran"

    task = queued(lambda: asyncio.run(main()))
    task.run()
    assert task.result() == "ran"


@pytest.mark.spec("AIO-11")
def test_a_callback_that_raises_goes_to_the_exception_handler(factory):
    complaints = Complaints()

    def work():
        complaints.listen()
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        aio.await_(asyncio.sleep(0.001))
        return "went on"

    assert aio.run(work, loop_factory=factory) == "went on"
    assert len(complaints.log) == 1 and "ZeroDivisionError" in complaints.log[0]


@pytest.mark.parametrize("where", ["await", "channel", "computing"])
def test_ctrl_c_cancels_the_function(factory, where):
    log = []

    def work():
        loop = asyncio.get_running_loop()
        loop.call_later(0.002, signal.raise_signal, signal.SIGINT)
        try:
            if where == "await":
                aio.await_(asyncio.sleep(LATE))
            elif where == "channel":
                scheduler.channel().receive()
            else:
                signal.raise_signal(signal.SIGINT)
                log.append("not interrupted")
                aio.await_(asyncio.sleep(LATE))
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    with pytest.raises(KeyboardInterrupt):
        aio.run(work, loop_factory=factory)
    assert log[-1] == "cancelled"


def test_threads_have_hosts_of_their_own(factory):
    def work():
        return in_thread(aio.run, lambda: aio.await_(asyncio.sleep(0.001, "other")))

    assert aio.run(work, loop_factory=factory) == "other"


def test_a_host_inside_a_loop_of_somebody_else(factory):
    async def handler(number):
        return await aio.call(lambda: aio.await_(asyncio.sleep(0.001, number)))

    async def main():
        async with aio.host():
            first = await asyncio.gather(*map(handler, range(50)))
        with pytest.raises(RuntimeError, match="needs a host"):
            await handler(1)
        return first

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(main()) == list(range(50))
