"""aio.await_(): plain code on a tasklet waits for asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
import traceback

import pytest

import scheduler
from scheduler import aio
from support.scheduling import queued

LATE = 30.0
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


async def cancelled_slowly(log, last):
    try:
        await asyncio.sleep(LATE)
    except asyncio.CancelledError:
        log.append("cancelled")
        await asyncio.sleep(0.001)
        log.append(last)
        raise


async def immediate(value):
    return value


async def delayed(value, seconds=0.0):
    await asyncio.sleep(seconds)
    return value


async def failing():
    await asyncio.sleep(0)
    raise KeyError("inner")


def on_plain_tasklet(function, *args):
    """Runs it on a tasklet that no call() has bound, while the caller waits."""
    box = []

    def work():
        try:
            box.append((True, function(*args)))
        except BaseException as error:
            box.append((False, error))

    queued(work).join()
    ok, value = box.pop()
    if ok:
        return value
    try:
        raise value
    finally:
        del value


BOTH = pytest.mark.parametrize("where", [lambda f, *a: f(*a), on_plain_tasklet], ids=["bound", "unbound"])


@BOTH
def test_results_and_exceptions(host, where):
    def work():
        assert where(aio.await_, immediate(1)) == 1
        assert where(aio.await_, delayed(2)) == 2
        with pytest.raises(KeyError, match="inner") as caught:
            where(aio.await_, failing())
        return [entry.name for entry in traceback.extract_tb(caught.tb)]

    names = host(work)
    assert names[-1] == "failing"


@BOTH
def test_futures_and_tasks_and_other_awaitables(host, where):
    class Awaitable:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "awaitable"

    def work():
        loop = asyncio.get_running_loop()
        done, later, failed = loop.create_future(), loop.create_future(), loop.create_future()
        done.set_result("done")
        failed.set_exception(KeyError("failed"))
        loop.call_soon(later.set_result, "later")
        with pytest.raises(KeyError, match="failed"):
            where(aio.await_, failed)
        task = loop.create_task(delayed("task"))
        gathered = asyncio.gather(delayed("a"), delayed("b"))
        return [where(aio.await_, one) for one in (done, later, task, Awaitable(), gathered)]

    assert host(work) == ["done", "later", "task", "awaitable", ["a", "b"]]


@pytest.mark.spec("AIO-01")
def test_what_does_not_suspend_makes_no_task_and_no_switch(factory):
    made = []

    def task_factory(loop, coro, **kwargs):
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop, **kwargs)

    def work():
        asyncio.get_running_loop().set_task_factory(task_factory)
        before = asyncio.all_tasks()
        turns = scheduler.getcurrent().times_switched_to
        for number in range(10):
            assert aio.await_(immediate(number)) == number
        assert scheduler.getcurrent().times_switched_to == turns
        assert asyncio.all_tasks() == before and made == []
        # One that suspends makes none either: the tasklet has that of call().
        aio.await_(delayed(1))
        assert asyncio.all_tasks() == before and made == []

    aio.run(work, loop_factory=factory)


@pytest.mark.spec("AIO-01")
def test_a_tasklet_without_a_task_gets_one_for_as_long_as_it_only_awaits(host):
    def current_and_count():
        async def inner():
            await asyncio.sleep(0)
            return asyncio.current_task()

        first = aio.await_(inner())
        second = aio.await_(inner())
        scheduler.sleep(0.001)
        return first is second, aio.await_(inner()) is first, first.done(), first.get_name()

    def work():
        task = queued(current_and_count)
        task.join()
        return task.result()

    assert host(work) == (True, False, True, "current_and_count")


@BOTH
def test_current_task_timeouts_and_groups_inside(host, where):
    async def inner():
        before = asyncio.current_task()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(LATE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(delayed(number)) for number in range(3)]
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())
                await asyncio.sleep(LATE)
        assert asyncio.current_task() is before is not None
        return [task.result() for task in tasks]

    assert host(lambda: where(aio.await_, inner())) == [0, 1, 2]


@BOTH
def test_context_variables_are_the_tasklets_own(host, where):
    async def inner():
        assert variable.get() == "outer"
        await asyncio.sleep(0)
        variable.set("inner")

    def work():
        variable.set("outer")
        aio.await_(inner())
        return variable.get()

    assert host(where, work) == "inner"


@pytest.mark.spec("AIO-03")
@BOTH
def test_a_time_limit_cancels_and_waits_for_the_end(host, where):
    log = []

    async def stubborn():
        try:
            await asyncio.sleep(LATE)
        except asyncio.CancelledError:
            return "result all the same"

    def work():
        with pytest.raises(TimeoutError, match="the awaitable was not done within 0.01 s"):
            where(aio.await_, cancelled_slowly(log, "cleaned up"), 0.01)
        assert log == ["cancelled", "cleaned up"]
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            where(aio.await_, future, 0.01)
        assert future.cancelled()
        assert where(aio.await_, delayed(5), LATE) == 5
        return where(aio.await_, stubborn(), 0.01)

    assert host(work) == "result all the same"


@BOTH
def test_a_timeout_scope_ends_it(host, where):
    log = []

    async def slow():
        log.append("begun")
        try:
            await asyncio.sleep(LATE)
        finally:
            await asyncio.sleep(0.001)
            log.append("cleaned up")

    def work():
        seconds = 0.01
        while not log:  # the time may be over before it has begun
            message = re.escape(f"the time of scheduler.timeout({seconds}) is over")
            with pytest.raises(TimeoutError, match=message), scheduler.timeout(seconds):
                aio.await_(slow())
            seconds *= 2
        with scheduler.timeout(LATE):
            assert aio.await_(delayed(1)) == 1
        return log

    assert host(where, work) == ["begun", "cleaned up"]


@pytest.mark.spec("AIO-03")
@pytest.mark.parametrize("how", ["pending", "now"])
def test_kill_cancels_waits_and_goes_on_with_tasklet_exit(host, how):
    log = []

    def victim():
        try:
            aio.await_(cancelled_slowly(log, "inner end"))
        except scheduler.TaskletExit:
            log.append("TaskletExit")
            aio.await_(delayed(None))  # it can still wait, as on channels
            raise
        finally:
            log.append("end")

    def work():
        task = queued(victim)
        aio.await_(asyncio.sleep(0.002))
        task.kill(pending=how == "pending")
        task.join()

    host(work)
    assert log == ["cancelled", "inner end", "TaskletExit", "end"]


@pytest.mark.spec("AIO-03")
def test_kill_cancels_a_task_that_is_awaited(host):
    def work():
        inner = asyncio.get_running_loop().create_task(asyncio.sleep(LATE))
        for awaitable in (inner, asyncio.shield(asyncio.get_running_loop().create_future())):
            task = queued(aio.await_, awaitable)
            scheduler.schedule()
            task.kill()
            task.join()
            assert awaitable.cancelled()

    host(work)


@pytest.mark.spec("AIO-03")
def test_kill_that_races_with_success(host):
    """The future is done, the tasklet has not had its turn: who is killed may drop what it has."""

    def work():
        loop = asyncio.get_running_loop()
        for done_first in (True, False):
            for bound, timeout in ((True, None), (False, None), (True, LATE), (False, LATE)):
                future = loop.create_future()
                log = []

                async def inner(future=future):
                    return await future

                def victim(future=future, log=log, bound=bound, inner=inner, timeout=timeout):
                    try:
                        log.append(aio.await_(inner() if bound else future, timeout))
                    except BaseException as error:
                        log.append(type(error))
                        raise

                task = queued(victim)
                aio.await_(asyncio.sleep(0.001))
                if done_first:
                    future.set_result(1)
                task.kill(pending=True)
                if not done_first:
                    future.set_result(1)
                task.join()
                assert log == [scheduler.TaskletExit]

    host(work)


@BOTH
def test_what_is_thrown_at_it_is_raised_after_the_end(host, where):
    log = []

    async def slow(current):
        asyncio.get_running_loop().call_soon(throw, lambda: current or box[0])  # when this waits
        try:
            await asyncio.sleep(LATE)
        finally:
            log.append("cleaned up")

    def victim(current):
        with pytest.raises(KeyError, match="thrown"):
            aio.await_(slow(current))
        log.append("caught")
        return aio.await_(delayed(7))

    def work():
        current = scheduler.getcurrent() if where is not on_plain_tasklet else None
        return victim(current)

    def throw(find):
        find().throw(KeyError("thrown"), pending=True)

    box = []

    def remembered():
        box.append(scheduler.getcurrent())
        return work()

    assert host(where, remembered) == 7
    assert log == ["cleaned up", "caught"]
    box.clear()


def test_killing_a_group_whose_members_await(host):
    def work():
        with pytest.raises(ExceptionGroup):
            with scheduler.TaskletGroup() as group:
                members = [group.start(aio.await_, asyncio.sleep(LATE)) for _ in range(3)]
                group.start(lambda: 1 / 0)
        assert not any(member.alive for member in members)

    host(work)


@pytest.mark.spec("AIO-02")
def test_nested_fifty_deep(host):
    task = []

    def plain(depth):
        return depth if depth == 0 else 1 + aio.await_(asynchronous(depth - 1))

    async def asynchronous(depth):
        await asyncio.sleep(0)
        task.append(asyncio.current_task())
        value = await aio.call(plain, depth)
        await asyncio.sleep(0)
        return value

    assert host(plain, 50) == 50
    assert len(set(task)) == 1


@pytest.mark.spec("AIO-02")
def test_plain_code_inside_a_coroutine_inside_plain_code(host):
    """The coroutine runs on the tasklet's stack, so what it calls can wait again."""

    def sync(depth):
        return 0 if depth == 0 else 1 + aio.await_(coroutine(depth - 1))

    async def coroutine(depth):
        await asyncio.sleep(0)
        return sync(depth)

    assert host(sync, 50) == 50


@BOTH
def test_channels_inside_a_coroutine_on_a_tasklet(host, where):
    channel = scheduler.channel()

    async def coroutine():
        first = channel.receive()
        await asyncio.sleep(0)
        return first, channel.receive(), asyncio.current_task() is not None

    def work():
        queued(lambda: (channel.send(1), aio.await_(delayed(0)), channel.send(2)))
        return aio.await_(coroutine())

    assert host(where, work) == (1, 2, True)


def test_async_generators_and_their_finalisation(host):
    log = []

    async def numbers():
        try:
            for number in range(10):
                await asyncio.sleep(0)
                yield number
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    def work():
        generator = numbers()
        first = [aio.await_(generator.__anext__()) for _ in range(2)]
        aio.await_(generator.aclose())
        assert log == ["closed"]
        other = numbers()
        aio.await_(anext(other))
        del other  # the loop closes it
        while len(log) < 2:
            aio.await_(asyncio.sleep(0))
        return first

    assert host(work) == [0, 1]


@pytest.mark.spec("AIO-11")
@BOTH
def test_bad_input(host, where):
    def work():
        with pytest.raises(TypeError) as caught:
            where(aio.await_, 7)
        assert str(caught.value) == "await_() takes an awaitable (a coroutine, a future, a Task), not int"
        for wrong, kind in (("soon", TypeError), (-1, ValueError), (float("nan"), ValueError)):
            with pytest.raises(kind, match="timeout"):
                where(aio.await_, delayed(1), wrong)
        other = asyncio.new_event_loop()
        future = other.create_future()
        with pytest.raises(RuntimeError, match="this future belongs to another event loop"):
            where(aio.await_, future)
        other.close()
        coro = immediate(1)
        where(aio.await_, coro)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            where(aio.await_, coro)

    host(work)


@pytest.mark.spec("AIO-11")
def test_a_coroutine_that_somebody_else_awaits(host):
    def work():
        coro = delayed(1, 0.005)
        task = queued(aio.await_, coro)
        aio.await_(asyncio.sleep(0.001))
        with pytest.raises(RuntimeError, match="the coroutine is being awaited already"):
            aio.await_(coro)
        task.join()
        return task.result()

    assert host(work) == 1


@pytest.mark.spec("AIO-11")
@BOTH
def test_under_a_block_trap_only_what_is_done_goes(host, where):
    log = []

    async def slow():
        try:
            await asyncio.sleep(0)
        finally:
            log.append("closed")

    def work():
        with scheduler.block_trap():
            assert aio.await_(immediate(3)) == 3
            with pytest.raises(RuntimeError, match="block_trap is set on the current tasklet"):
                aio.await_(slow())
            future = asyncio.get_running_loop().create_future()
            with pytest.raises(RuntimeError, match="block_trap is set on the current tasklet"):
                aio.await_(future)
            assert not future.cancelled()
        return aio.await_(delayed(4))

    def started_before():
        aio.await_(delayed(0))  # with a Task
        return work()

    assert host(where, started_before) == 4
    assert log == ["closed"]


@pytest.mark.spec("AIO-11")
def test_under_a_switch_trap(host):
    def work():
        scheduler.switch_trap(1)
        try:
            with pytest.raises(RuntimeError, match="switch_trap is set"):
                aio.await_(delayed(1))
        finally:
            scheduler.switch_trap(-1)
        return aio.await_(delayed(2))

    assert host(work) == 2


@pytest.mark.spec("AIO-11")
def test_eager_tasks_must_not_wait_on_the_tasklet_that_starts_them(host):
    if not hasattr(asyncio, "eager_task_factory"):
        return

    async def started_eagerly():
        with pytest.raises(RuntimeError, match="first step of an eager Task"):
            aio.await_(asyncio.sleep(0))
        await asyncio.sleep(0)
        return "went on"

    def work():
        loop = asyncio.get_running_loop()
        task = asyncio.Task(started_eagerly(), loop=loop, eager_start=True)
        return aio.await_(task)

    assert host(work) == "went on"
    assert host(on_plain_tasklet, work) == "went on"


def test_two_threads_with_a_loop_each_exchange_over_channels(factory):
    ping, pong = scheduler.channel(), scheduler.channel()
    results = []

    def here():
        for number in range(50):
            ping.send(number)
            assert pong.receive() == number
            aio.await_(asyncio.sleep(0))

    async def there_too():
        for _ in range(50):
            await aio.send(pong, await aio.receive(ping))

    def there():
        aio.run(lambda: aio.await_(there_too()), loop_factory=factory)
        results.append("there")

    thread = threading.Thread(target=there)
    thread.start()
    aio.run(here, loop_factory=factory)
    thread.join(LATE)
    assert results == ["there"]
