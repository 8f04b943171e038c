"""aio.call() and what else async code awaits: join(), receive(), send(), iterate()."""

from __future__ import annotations

import asyncio
import contextvars
import gc

import pytest

import scheduler
from scheduler import aio
from support.event_loops import Complaints
from support.scheduling import queued

LATE = 30.0
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


@pytest.fixture
def in_loop(factory):
    """Runs a coroutine function in a loop that is a host; what the loop complains of is a failure."""

    def run(function, *args, expected=None):
        complaints = Complaints()

        async def main():
            complaints.listen()
            async with aio.host():
                return await function(*args)

        with asyncio.Runner(loop_factory=factory) as runner:
            result = runner.run(main())
        if expected is None:
            assert complaints.log == []
        else:
            expected += complaints.log
        return result

    return run


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


def test_results_exceptions_and_arguments(in_loop):
    def plain(*args, **kwargs):
        return args, kwargs

    async def main():
        assert await aio.call(plain, 1, 2, name=3) == ((1, 2), {"name": 3})
        with pytest.raises(ZeroDivisionError):
            await aio.call(lambda: 1 / 0)
        with pytest.raises(RuntimeError):  # as a coroutine that raises it
            await aio.call(next, iter(()))

    in_loop(main)


@pytest.mark.spec("AIO-02")
def test_it_belongs_to_the_running_task_and_context(in_loop):
    channel = scheduler.channel()

    def plain():
        assert variable.get() == "before"
        variable.set("plain")
        seen = [asyncio.current_task()]
        aio.await_(asyncio.sleep(0))
        seen.append(asyncio.current_task())
        assert channel.receive() == "item"
        seen.append(asyncio.current_task())
        scheduler.schedule()
        seen.append(asyncio.current_task())
        scheduler.sleep(0.001)
        seen.append(asyncio.current_task())
        return seen

    async def main():
        variable.set("before")
        queued(lambda: (scheduler.schedule(), channel.send("item")))
        seen = await aio.call(plain)
        assert seen == [asyncio.current_task()] * 5
        assert variable.get() == "plain"

    in_loop(main)


@pytest.mark.spec("AIO-02")
@pytest.mark.parametrize("place", ["await", "channel", "sleep", "queue"])
def test_cancelling_the_task_ends_its_wait(in_loop, place):
    channel = scheduler.channel()
    log = []

    async def inner():
        try:
            await asyncio.sleep(LATE)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            log.append("inner")
            raise

    def plain():
        log.append("begins")
        try:
            if place == "await":
                aio.await_(inner())
            elif place == "channel":
                channel.receive()
            elif place == "sleep":
                scheduler.sleep(LATE)
            else:
                while True:
                    scheduler.schedule()
        except asyncio.CancelledError:
            log.append("cancelled")
            aio.await_(asyncio.sleep(0))
            raise

    async def main():
        task = asyncio.create_task(aio.call(plain))
        await until(lambda: log)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled() and channel.balance == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await aio.call(plain)

    in_loop(main)
    once = ["begins", *(["inner"] if place == "await" else []), "cancelled"]
    assert log == once * 2


def test_a_cancellation_can_be_taken_back(in_loop):
    def plain():
        try:
            aio.await_(asyncio.sleep(LATE))
        except asyncio.CancelledError:
            return aio.await_(asyncio.sleep(0, "went on"))

    async def main():
        task = asyncio.create_task(aio.call(plain))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "went on"

    in_loop(main)


@pytest.mark.spec("AIO-04")
@pytest.mark.parametrize("place", ["await", "channel", "self", "raise"])
def test_tasklet_exit_becomes_cancelled_error(in_loop, place):
    found = []

    def plain():
        found.append(scheduler.getcurrent())
        if place == "await":
            aio.await_(asyncio.sleep(LATE))
        elif place == "channel":
            scheduler.channel().receive()
        elif place == "self":
            scheduler.getcurrent().kill()
        else:
            raise scheduler.TaskletExit

    async def main():
        task = asyncio.create_task(aio.call(plain))
        await until(lambda: found)
        found[0].kill()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncio.CancelledError, match="the tasklet has been killed"):
            await aio.call(raise_exit)
        found.clear()

    def raise_exit():
        raise scheduler.TaskletExit

    in_loop(main)


@pytest.mark.spec("AIO-04")
def test_tasklet_exit_of_a_plain_tasklet_stays_in_it(in_loop):
    async def main():
        tasks = [
            queued(aio.await_, asyncio.sleep(LATE)),
            queued(aio.await_, asyncio.get_running_loop().create_future()),
            queued(scheduler.channel().receive),
        ]
        await asyncio.sleep(0.001)
        for task in tasks:
            task.kill(pending=True)
            await aio.join(task)

    in_loop(main)


def test_what_leaves_a_tasklet_goes_to_the_exception_handler(in_loop):
    complaints = []

    def plain():
        aio.await_(asyncio.sleep(0))
        raise KeyError("after await_()")

    async def main():
        for function in (plain, lambda: {}["in the pump"]):
            await aio.join(queued(function))

    in_loop(main, expected=complaints)
    assert len(complaints) == 2
    assert "KeyError('after await_()')" in complaints[0]
    assert complaints[1] == "Unhandled exception in a tasklet: KeyError('in the pump')"


def test_system_exit_leaves_the_loop(factory):
    def plain():
        aio.await_(asyncio.sleep(0))
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        aio.run(plain, loop_factory=factory)
    assert caught.value.code == 7


@pytest.mark.spec("AIO-11")
def test_bad_input(in_loop):
    async def coroutine():
        pass

    async def outside():
        with pytest.raises(RuntimeError, match=r"needs a host for tasklets: enter `async with aio.host"):
            await aio.call(len, "")

    async def main():
        with pytest.raises(TypeError, match="is an async one: await what it returns"):
            await aio.call(coroutine)
        with pytest.raises(TypeError, match="runs a function on a tasklet, not int"):
            await aio.call(7)
        with pytest.raises(RuntimeError, match="a tasklet cannot join itself"):
            await aio.join(scheduler.getmain())

    in_loop(main)
    asyncio.run(outside())
    with pytest.raises(TypeError, match="is an async one: asyncio.run"):
        aio.run(coroutine)


def test_join_waits_and_can_be_cancelled(in_loop):
    channel = scheduler.channel()

    async def main():
        task = queued(channel.receive)
        waiting = asyncio.create_task(aio.join(task))
        await asyncio.sleep(0.001)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert task.alive
        waiting = asyncio.create_task(aio.join(task))
        await asyncio.sleep(0)
        await aio.send(channel, "item")
        await waiting
        assert not task.alive
        await aio.join(task)

    in_loop(main)


def test_channels_between_tasks_and_tasklets(in_loop):
    there, back = scheduler.channel(), scheduler.QueueChannel()

    def double():
        for item in there:
            back.send(2 * item)
            if item == 19:
                return

    async def produce():
        for number in range(20):
            await aio.send(there, number)

    async def main():
        queued(double)
        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            got = []
            async for item in aio.iterate(back):
                got.append(item)
                if item == 38:
                    return got

    assert in_loop(main) == [2 * number for number in range(20)]


def test_exceptions_that_are_sent_and_closed_channels(in_loop):
    channel = scheduler.channel()

    async def main():
        queued(channel.send_exception, KeyError, "sent")
        with pytest.raises(KeyError, match="sent"):
            await aio.receive(channel)
        channel.close()
        with pytest.raises(ValueError, match="closed"):
            await aio.receive(channel)
        with pytest.raises(ValueError, match="closed"):
            await aio.send(channel, 1)
        assert [item async for item in aio.iterate(channel)] == []

    in_loop(main)


@pytest.mark.spec("AIO-05")
def test_a_cancelled_receive_or_send_leaves_the_line(in_loop):
    channel = scheduler.channel()

    async def main():
        for operation in (aio.receive(channel), aio.send(channel, 1), anext(aio.iterate(channel))):
            task = asyncio.ensure_future(operation)
            await until(lambda: channel.balance != 0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert channel.balance == 0

    in_loop(main)


@pytest.mark.spec("AIO-05")
def test_a_cancelled_receive_never_loses_an_item(in_loop):
    """Cancelled at every moment between the hand-over and its return; somebody gets each item, once."""
    channel = scheduler.channel()
    got = []

    async def reader():
        got.append(await aio.receive(channel))

    async def main():
        for steps in range(6):
            for serve_first in (True, False):
                for iterates in (True, False):
                    task = asyncio.create_task(
                        anext_into(got, channel) if iterates else reader()
                    )
                    await until(lambda: channel.balance < 0)
                    sender = queued(channel.send, "item")
                    if serve_first:
                        scheduler.run()
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    is_cancelled = task.cancel()
                    await asyncio.wait([task])
                    assert task.cancelled() == is_cancelled
                    if is_cancelled:
                        got.append(await asyncio.wait_for(aio.receive(channel), LATE))
                    await aio.join(sender)
                    assert got == ["item"] and channel.balance == 0, (steps, serve_first)
                    got.clear()

    async def anext_into(got, channel):
        async for item in aio.iterate(channel):
            got.append(item)
            return

    in_loop(main)


CHANNELS = [scheduler.channel, scheduler.QueueChannel, lambda: scheduler.buffered(1)]


async def all_have_ended():
    await until(lambda: all(task.is_main for task in scheduler.tasklets()))


async def cancelled_with(channel, send, *then):
    """A receive() that is cancelled when it has been given something."""
    task = asyncio.create_task(aio.receive(channel))
    await until(lambda: channel.balance < 0)
    send()
    for call in then:
        call()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.spec("AIO-05")
@pytest.mark.parametrize("kind", CHANNELS, ids=["channel", "QueueChannel", "buffered"])
@pytest.mark.parametrize("wake", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_nor_does_one_whose_channel_is_closed_then(in_loop, kind, wake, again):
    channel = kind()

    def send():
        queued(channel.send, "item").resume()

    def close():
        channel.close(wake=wake)

    async def main():
        await cancelled_with(channel, send, close)
        if again:  # others may still do so
            close()
            await asyncio.sleep(0.001)
        assert [item async for item in channel] == ["item"]
        assert channel.closed
        with pytest.raises(ValueError, match="closed"):
            await aio.receive(channel)
        await all_have_ended()

    in_loop(main)


@pytest.mark.spec("AIO-05")
def test_nor_does_it_lose_an_exception(in_loop):
    channel, sent = scheduler.channel(), KeyError("sent")

    async def main():
        await cancelled_with(channel, lambda: queued(channel.send_exception, sent).resume())
        with pytest.raises(KeyError) as caught:
            await aio.receive(channel)
        assert caught.value is sent
        await all_have_ended()

    in_loop(main)


@pytest.mark.spec("AIO-05")
@pytest.mark.parametrize("end", ["close", "kill"])
def test_the_end_of_a_cancelled_receive_is_not_sent(in_loop, end):
    channel = scheduler.channel()

    async def main():
        def end_it():
            if end == "close":
                channel.close(wake=True)
            else:
                channel.clear()

        await cancelled_with(channel, end_it)
        await all_have_ended()
        assert channel.balance == 0

    in_loop(main)


@pytest.mark.spec("AIO-06")
def test_neither_tasklets_nor_callbacks_starve(in_loop):
    """Tasklets that yield for ever, and callbacks that call themselves for ever."""
    counts = {"tasklet": 0, "callback": 0, "call": 0}
    ended = []

    def spin(name):
        while not ended:
            counts[name] += 1
            scheduler.schedule()

    async def main():
        loop = asyncio.get_running_loop()

        def again():
            counts["callback"] += 1
            if not ended:
                loop.call_soon(again)

        again()
        tasks = [queued(spin, "tasklet") for _ in range(3)]
        call = asyncio.create_task(aio.call(spin, "call"))
        await until(lambda: all(count > 20 for count in counts.values()))
        ended.append(True)
        await call
        for task in tasks:
            await aio.join(task)

    in_loop(main)
    # A turn of the loop gives a bounded number of turns to tasklets.
    assert counts["tasklet"] <= 250 * counts["callback"]


@pytest.mark.spec("AIO-08")
def test_the_main_tasklet_must_not_wait(in_loop):
    channel = scheduler.channel()

    async def main():
        task = queued(scheduler.channel().receive)
        for wait in (
            channel.receive,
            lambda: channel.send(1),
            task.join,
            lambda: scheduler.select(channel),
            lambda: scheduler.sleep(1),
            scheduler.QueueChannel().receive,
            scheduler.sync.Event().wait,
            lambda: scheduler.run(threadblock=True),
        ):
            with pytest.raises(RuntimeError, match=r"in async code use `await aio.receive\(channel\)`"):
                wait()
        coro = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="in async code write `await`"):
            aio.await_(coro)
        with pytest.raises(RuntimeError, match="in async code write `await`"):
            aio.to_thread(len, "")
        with pytest.raises(RuntimeError, match="in async code write `await`"):
            aio.wait_readable(0)
        task.kill()

    in_loop(main)
    scheduler.sleep(0)  # it may again


def test_timers_and_other_threads_wake_the_loop(in_loop):
    channel = scheduler.channel()

    def sleep_a_bit():
        for _ in range(3):
            scheduler.sleep(0.002)
        with pytest.raises(TimeoutError):
            channel.receive(timeout=0.002)
        return "slept"

    async def main():
        task = queued(sleep_a_bit)
        await aio.join(task)
        assert task.result(0) == "slept"
        receiver = queued(channel.receive)
        await asyncio.sleep(0.001)
        await asyncio.to_thread(channel.send, "from a thread")
        await aio.join(receiver)
        assert receiver.result(0) == "from a thread"

    in_loop(main)


@pytest.mark.spec("AIO-02")
def test_a_cancellation_is_not_lost_when_the_function_ends_before_it_waits_again(in_loop):
    channel = scheduler.channel()

    async def main():
        task = asyncio.create_task(aio.call(channel.receive))
        await until(lambda: channel.balance < 0)
        queued(channel.send, "item")
        scheduler.run()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    in_loop(main)


def test_a_call_that_is_never_awaited_makes_no_tasklet(in_loop):
    async def main():
        coro = aio.call(print, "never")
        coro.close()
        del coro
        gc.collect()

    in_loop(main)
