"""anyio inside await_() and call(): task groups, cancel scopes and worker threads of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

import scheduler
from scheduler import aio

anyio = pytest.importorskip("anyio")
to_thread = pytest.importorskip("anyio.to_thread")

LATE = 60.0


async def cancelled_call(plain):
    """Whether a scope around call() has cancelled it."""
    with anyio.move_on_after(0.001) as scope:
        await aio.call(plain)
    return scope.cancelled_caught


def test_a_task_group_in_await_(host):
    def double(number):
        aio.await_(anyio.sleep(0))
        return 2 * number

    async def fan_out():
        results = []

        async def one(number):
            results.append(await aio.call(double, number))

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(one, number)
        return sorted(results)

    assert host(lambda: aio.await_(fan_out())) == [0, 2, 4, 6, 8]


def test_a_task_group_entered_and_left_by_a_tasklet(host):
    """Block and exit are several awaits, all in the one Task of the tasklet."""

    def work():
        log = []

        async def child():
            await anyio.sleep(0.001)
            log.append("child")

        group = anyio.create_task_group()
        aio.await_(group.__aenter__())
        group.start_soon(child)
        assert aio.await_(group.__aexit__(None, None, None)) is not True
        return log

    assert host(work) == ["child"]


def test_a_failure_in_a_task_group_is_raised_by_await_(host):
    def plain():
        raise KeyError("lost")

    async def fail():
        async with anyio.create_task_group() as group:
            group.start_soon(aio.call, plain)
            await anyio.sleep(LATE)

    with pytest.raises(BaseExceptionGroup) as caught:
        host(lambda: aio.await_(fail()))
    (error,) = caught.value.exceptions
    assert isinstance(error, KeyError)


@pytest.mark.parametrize("waits", ["for a channel", "for asyncio"])
def test_a_cancel_scope_around_call_ends_what_the_function_waits_for(host, waits):
    log = []

    def plain():
        try:
            if waits == "for a channel":
                scheduler.channel().receive()
            else:
                aio.await_(anyio.sleep(LATE))
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    assert host(lambda: aio.await_(cancelled_call(plain)))
    assert log == ["cancelled"]


def test_a_scope_in_the_tasklet_is_about_what_it_awaits(host):
    def work():
        with anyio.move_on_after(0.001) as scope:
            aio.await_(anyio.sleep(LATE))
        with anyio.CancelScope() as inner:
            inner.cancel()
            aio.await_(anyio.sleep(LATE))
        return scope.cancelled_caught, inner.cancelled_caught, aio.await_(asyncio.sleep(0, "on"))

    async def outside():
        return await aio.call(work)

    assert host(lambda: aio.await_(outside())) == (True, True, "on")


def test_fail_after_raises_timeout_error(host):
    async def late():
        with anyio.fail_after(0.001):
            await aio.call(lambda: aio.await_(anyio.sleep(LATE)))

    with pytest.raises(TimeoutError):
        host(lambda: aio.await_(late()))


def test_a_shielded_scope_in_the_function_outlives_a_cancelled_one_around_call(host):
    log = []

    def plain():
        with anyio.CancelScope(shield=True):
            aio.await_(anyio.sleep(0.01))
            log.append("shielded")
        aio.await_(anyio.sleep(LATE))

    assert host(lambda: aio.await_(cancelled_call(plain)))
    assert log == ["shielded"]


def test_worker_threads_of_anyio(host):
    def where():
        return threading.get_ident()

    def work():
        return aio.await_(to_thread.run_sync(where)), where()

    there, here = host(work)
    assert there != here


def test_a_worker_thread_of_anyio_calls_a_tasklets_function(host):
    from_thread = pytest.importorskip("anyio.from_thread")

    def plain():
        aio.await_(anyio.sleep(0))
        return threading.get_ident()

    def blocking():
        return from_thread.run(aio.call, plain), threading.get_ident()

    called, worker = host(lambda: aio.await_(to_thread.run_sync(blocking)))
    assert called == threading.get_ident() != worker


def test_anyio_run_makes_the_host():
    async def sleep_result():
        async with aio.host():
            return await aio.call(lambda: (aio.await_(anyio.sleep(0)), "done")[1])

    assert anyio.run(sleep_result) == "done"


def test_memory_streams_and_events_between_a_coroutine_and_a_tasklet(host):
    def work():
        sender, receiver = anyio.create_memory_object_stream(1)
        event = anyio.Event()

        def produce():
            with sender:
                for number in range(4):
                    aio.await_(sender.send(number))
            event.set()

        async def consume():
            async with receiver:
                return [number async for number in receiver]

        producer = scheduler.tasklet(produce)()
        numbers = aio.await_(consume())
        aio.await_(event.wait())
        producer.join()
        return numbers

    assert host(work) == [0, 1, 2, 3]
