"""`async for value in channel:` is that over scheduler.aio.iterate(channel)."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

import scheduler
from scheduler import aio
from support.event_loops import Complaints
from support.scheduling import queued


@pytest.fixture
def in_loop(factory):
    """Runs a coroutine in a loop that is a host; what the loop complains of is a failure."""

    def run(coroutine):
        complaints = Complaints()

        async def main():
            complaints.listen()
            async with aio.host():
                return await coroutine

        with asyncio.Runner(loop_factory=factory) as runner:
            result = runner.run(main())
        assert complaints.log == []
        return result

    return run


@pytest.mark.parametrize("kind", ["channel", "buffered", "QueueChannel"])
def test_it_receives_until_the_channel_is_closed(in_loop, kind):
    channel = {
        "channel": scheduler.channel,
        "buffered": lambda: scheduler.buffered(2),
        "QueueChannel": scheduler.QueueChannel,
    }[kind]()

    def produce():
        with channel:
            for number in range(4):
                channel.send(number)

    async def consume():
        queued(produce)
        return [value async for value in channel]

    assert in_loop(consume()) == [0, 1, 2, 3]


def test_what_is_sent_as_an_exception_is_raised(in_loop):
    channel = scheduler.channel()

    async def consume():
        queued(channel.send_exception, LookupError, "sent")
        with pytest.raises(LookupError, match="sent"):
            async for _ in channel:
                raise AssertionError
        queued(channel.send, "news")
        async for value in channel:
            return value

    assert in_loop(consume()) == "news"


def test_a_cancelled_loop_leaves_the_channel(in_loop):
    channel = scheduler.channel()

    async def consume():
        async for _ in channel:
            raise AssertionError

    async def main():
        task = asyncio.create_task(consume())
        while channel.balance == 0:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return channel.balance

    assert in_loop(main()) == 0


def test_without_a_host_it_says_what_to_do(factory):
    channel = scheduler.channel()

    async def consume():
        async for _ in channel:
            raise AssertionError

    with asyncio.Runner(loop_factory=factory) as runner:
        with pytest.raises(RuntimeError, match=r"needs a host.*async with aio\.host\(\)"):
            runner.run(consume())
    with pytest.raises(RuntimeError, match=r"needs a host.*async with aio\.host\(\)"):
        consume().send(None)  # no loop at all
    assert channel.balance == 0


def test_a_channel_whose_init_was_skipped_is_refused():
    class Raw(scheduler.channel):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match="__init__"):
        aiter(Raw())


def test_asyncio_is_not_imported_before_it_is_asked_for():
    program = (
        "import scheduler, sys; scheduler.channel(); assert 'asyncio' not in sys.modules\n"
        "aiter(scheduler.channel()); assert 'scheduler.aio' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
