"""`with channel:` closes the channel at its end, and wakes those who wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.scheduling import queued
from support.threads import Worker
from support.waiting import TIMEOUT

KINDS: dict[str, Callable[[], Any]] = {
    "channel": scheduler.channel,
    "buffered": lambda: scheduler.buffered(3),
    "QueueChannel": scheduler.QueueChannel,
}


@pytest.mark.spec("C-40")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_over_the_channel_ends_with_the_block(kind: str) -> None:
    channel = KINDS[kind]()
    got: list[list[int]] = []
    consumer = queued(lambda: got.append(list(channel)))
    with channel as entered:
        assert entered is channel
        channel.send(1)
        channel.send(2)
        assert not channel.closing
    assert channel.closing
    scheduler.run()
    assert got == [[1, 2]]
    assert not consumer.alive


@pytest.mark.spec("C-40")
def test_an_exception_closes_the_channel_and_goes_on() -> None:
    channel = scheduler.channel()
    waiting = queued(channel.receive)
    scheduler.run()
    with pytest.raises(KeyError), channel:
        raise KeyError
    assert channel.closed
    with pytest.raises(scheduler.ChannelClosed):
        scheduler.run()
    assert not waiting.alive
    with channel:  # closed before: nothing more to do
        pass
    assert channel.closed


@pytest.mark.spec("C-40")
def test_a_tasklet_killed_in_the_block_closes_the_channel() -> None:
    def produce() -> None:
        with channel:
            channel.send(1)

    channel = scheduler.channel()
    producer = queued(produce)
    scheduler.run()
    producer.kill()
    assert channel.closed


@pytest.mark.spec("C-40", "H-03")
def test_the_consumer_may_be_of_another_thread() -> None:
    def consume() -> list[int]:
        with scheduler.timeout(TIMEOUT):
            return list(channel)

    channel = scheduler.channel()
    worker = Worker(consume)
    with channel:
        channel.send(1, timeout=TIMEOUT)
    assert worker.join() == [1]


@pytest.mark.spec("C-40")
def test_a_close_of_ones_own_is_called() -> None:
    class Own(scheduler.channel[int]):
        closed_by: list[object]

        def close(self, *, wake: bool = False) -> None:
            self.closed_by = [wake]
            super().close(wake=wake)

    own = Own()
    with own:
        pass
    assert own.closed_by == [True]
    assert own.closed


@pytest.mark.spec("M-10")
def test_what_makes_no_sense_is_refused() -> None:
    class Raw(scheduler.channel[int]):
        def __init__(self) -> None:
            pass

    with pytest.raises(RuntimeError, match="__init__"), Raw():
        pass
    channel = scheduler.channel()
    for arguments in ((), (None,), (None, None), (None,) * 4):
        with pytest.raises(TypeError):
            channel.__exit__(*arguments)
    with pytest.raises(TypeError):
        channel.__enter__(1)  # type: ignore[call-arg]
    assert not channel.closing
