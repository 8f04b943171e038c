"""aio.to_thread(), and tasklets of threads that have no loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import time

import pytest

import scheduler
from scheduler import aio
from scheduler.aio import _background
from scheduler.testing import virtual_time
from support.scheduling import queued
from support.threads import in_thread
from support.waiting import TIMEOUT, wait

LATE = 30.0
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


def test_a_blocking_call_keeps_only_its_tasklet_waiting(host):
    go, log = threading.Event(), []

    def blocking(value, *, name):
        wait(go)
        return value, name, variable.get(), threading.current_thread() is not threading.main_thread()

    def other():
        log.append("other")
        go.set()

    def work():
        variable.set("carried")
        queued(other)
        return aio.to_thread(blocking, 1, name="n")

    assert host(work) == (1, "n", "carried", True)
    with pytest.raises(ZeroDivisionError):
        host(aio.to_thread, divmod, 1, 0)
    with pytest.raises(TypeError, match=r"to_thread\(\) calls a function, not int"):
        host(aio.to_thread, 7)


@pytest.mark.spec("AIO-03")
def test_killed_in_to_thread_it_goes_on_at_once(host):
    go, log = threading.Event(), []

    def victim():
        try:
            aio.to_thread(wait, go)
        except scheduler.TaskletExit:
            log.append("killed")
            raise

    def work():
        task = queued(victim)
        aio.await_(asyncio.sleep(0.001))
        task.kill()
        task.join()
        assert not go.is_set()
        go.set()

    host(work)
    assert log == ["killed"]


async def delayed(value, seconds=0.001):
    await asyncio.sleep(seconds)
    return value, threading.current_thread().name, variable.get()


@pytest.mark.spec("AIO-10")
def test_without_a_loop_a_thread_of_its_own_runs_it(background):
    variable.set("carried")
    tasks = [queued(aio.await_, delayed(number)) for number in range(3)]
    scheduler.run(threadblock=True)
    assert [task.result() for task in tasks] == [(number, "scheduler.aio", "carried") for number in range(3)]
    # The main tasklet may wait as well where no loop runs.
    assert aio.await_(delayed(4))[0] == 4
    assert in_thread(lambda: aio.await_(delayed(5)))[0] == 5
    assert aio.to_thread(divmod, 17, 5) == (3, 2)
    assert [thread.name for thread in threading.enumerate()].count("scheduler.aio") == 1

    async def failing():
        raise KeyError("inner")

    with pytest.raises(KeyError, match="inner"):
        aio.await_(failing())


@pytest.mark.spec("AIO-10")
def test_no_wait_for_it_is_a_deadlock(background, deadlock_timeout):
    deadlock_timeout(0.01)
    assert aio.await_(delayed(1, 0.05))[0] == 1
    task = queued(aio.await_, delayed(2, 0.05))
    scheduler.run(threadblock=True)
    assert task.result()[0] == 2


@pytest.mark.spec("AIO-10")
def test_virtual_time_does_not_end_a_wait_for_it(background):
    with virtual_time() as clock:
        sleeper = queued(scheduler.sleep, 3600)
        assert aio.await_(delayed(1, 0.02))[0] == 1
        task = queued(aio.to_thread, time.sleep, 0.02)
        scheduler.run(threadblock=True)
        assert not sleeper.alive and task.result() is None
        with pytest.raises(TimeoutError, match="within 5 s"):
            aio.await_(delayed(2, LATE), 5)
        assert clock.now == 3605


@pytest.mark.spec("AIO-10")
def test_a_thread_that_cannot_be_started(background, monkeypatch, recwarn):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="start new thread"):
            aio.await_(delayed(1))
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
    assert aio.await_(delayed(2))[0] == 2


@pytest.mark.spec("AIO-10", "AIO-03")
def test_without_a_loop_kill_and_time_limits(background):
    log, entered = [], []
    begun = threading.Event()

    async def slow():  # it may be cancelled before that
        entered.append("inner")
        begun.set()
        try:
            await asyncio.sleep(LATE)
        finally:
            await asyncio.sleep(0.001)
            log.append("inner")

    def victim():
        try:
            aio.await_(slow())
        finally:
            log.append("end")

    with pytest.raises(TimeoutError, match="the awaitable was not done within 0.02 s"):
        aio.await_(slow(), 0.02)
    begun.clear()
    with pytest.raises(TimeoutError, match="scheduler.timeout"):
        with scheduler.timeout(0.02):
            aio.await_(slow())
    assert log == entered
    begun.clear()
    task = queued(victim)
    task.run()
    wait(begun)
    task.kill()
    assert task.alive
    task.join(TIMEOUT)
    assert log == [*entered, "end"]


def test_without_a_loop_a_coroutine_may_be_cancelled_before_it_begins(background):
    begin = threading.Event()
    log = []

    async def never():
        log.append("begun")

    _background.get().loop.call_soon_threadsafe(wait, begin)
    task = queued(lambda: aio.await_(never()))
    task.run()
    task.kill()
    begin.set()
    task.join(TIMEOUT)
    assert log == []


@pytest.mark.spec("AIO-10")
def test_without_a_loop_descriptors_can_be_waited_for(background):
    reading, writing = os.pipe()

    def reader():
        aio.wait_readable(reading, LATE)
        return os.read(reading, 10)

    task = queued(reader)
    task.run()
    os.write(writing, b"x")
    assert task.result(TIMEOUT) == b"x"
    with pytest.raises(TimeoutError):
        aio.wait_readable(reading, 0.01)
    caught = []

    def fails():
        try:
            aio.wait_readable(reading)
        except OSError as error:
            caught.append(error.strerror)

    task = queued(fails)
    task.run()
    aio.notify_closing(reading)
    task.join(TIMEOUT)
    assert "was closed while" in caught[0]
    os.close(reading)
    os.close(writing)


@pytest.mark.spec("AIO-11")
def test_without_a_loop_a_future_of_some_loop(background):
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    with pytest.raises(RuntimeError, match="belongs to an event loop that does not run in this thread"):
        aio.await_(future)
    loop.close()
    with scheduler.block_trap():
        with pytest.raises(RuntimeError, match="block_trap"):
            aio.await_(delayed(1))


@pytest.mark.spec("AIO-10")
def test_a_system_exit_in_it_reaches_who_waits(background):
    async def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        aio.await_(leave())
    assert aio.await_(delayed(1))[0] == 1


@pytest.mark.spec("AIO-10")
def test_at_exit_its_loop_ends_and_its_tasks_are_cancelled(run_script):
    finished = run_script("""
        import asyncio, scheduler
        from scheduler import aio

        async def slow():
            print("begins", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                print("inner end", flush=True)

        def work():
            try:
                aio.await_(slow())
            except BaseException as error:
                print(type(error).__name__, flush=True)
                raise

        task = scheduler.tasklet(work)()
        task.run()
        aio.await_(asyncio.sleep(0.05))
        print("main ends", flush=True)
    """)
    assert finished.stdout.split("\n")[:3] == ["begins", "main ends", "inner end"]
    assert finished.stderr == ""


@pytest.mark.spec("AIO-10")
def test_after_a_fork_the_child_gets_one_of_its_own(run_script):
    finished = run_script("""
        import asyncio, os, scheduler, warnings
        from scheduler import aio

        warnings.simplefilter("ignore")  # about forks with several threads
        print(aio.await_(asyncio.sleep(0, "parent")), flush=True)
        child = os.fork()
        if child == 0:
            print(aio.await_(asyncio.sleep(0, "child")), flush=True)
        else:
            print(os.waitpid(child, 0)[1], flush=True)
    """)
    assert finished.stdout.split() == ["parent", "child", "0"]


def test_the_background_ends_when_it_is_told_to(background):
    aio.await_(delayed(1))
    _background.end()
    begin = time.monotonic()
    assert aio.await_(delayed(2))[0] == 2  # with a new one
    assert time.monotonic() - begin < TIMEOUT
