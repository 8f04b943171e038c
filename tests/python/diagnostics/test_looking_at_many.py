"""tasklets(), channel.waiting(), dump_tasklets(filter=, group=): looking at thousands."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.object_counts import counters
from support.scheduling import channel, queued, started
from support.threads import RemoteThread, Worker, in_thread, other  # noqa: F401 (`other` is a fixture)


def dump(**options: Any) -> str:
    text = io.StringIO()
    scheduler.dump_tasklets(text, **options)
    return text.getvalue()


# ---------------------------------------------------------------------------------- tasklets()


@pytest.mark.spec("T-01", "S-02")
def test_all_that_are_alive_are_there_and_no_others() -> None:
    ch = scheduler.channel()
    waits = started(ch.receive)
    pauses = started(scheduler.schedule_remove)
    bound = scheduler.tasklet().bind(len, ("",))
    new = queued(len, "")
    ended = started(len, "")
    unbound, never_called = scheduler.tasklet(), scheduler.tasklet(len)
    found = scheduler.tasklets()
    assert isinstance(found, list)
    assert found == [waits, pauses, bound, new]
    for gone in (ended, unbound, never_called, scheduler.getmain()):
        assert gone not in found
    inside: list[Any] = []
    queued(lambda: inside.extend([scheduler.getcurrent(), *scheduler.tasklets()]))
    scheduler.run()
    assert inside[0] in inside[1:]
    for task in (waits, pauses, bound):
        task.kill()
    assert scheduler.tasklets() == []


@pytest.mark.spec("H-01", "S-03")
def test_none_is_left_out_while_threads_begin_and_end() -> None:
    waits = started(scheduler.channel().receive)
    ended: list[None] = []

    def begin_and_end() -> None:
        try:
            for _ in range(100):
                in_thread(scheduler.getcurrent)
        finally:
            ended.append(None)

    workers = [Worker(begin_and_end) for _ in range(4)]
    while len(ended) < len(workers):
        assert waits in scheduler.tasklets()
    for worker in workers:
        worker.join()
    waits.kill()


@pytest.mark.spec("H-01", "S-03")
def test_those_of_other_threads_only_if_asked(other: RemoteThread) -> None:  # noqa: F811
    ch = scheduler.channel()
    there = other.call(started, ch.receive)
    here = started(ch.receive)
    assert scheduler.tasklets() == [here]
    assert scheduler.tasklets(every_thread=True) == [here, there]
    assert scheduler.tasklets(True) == [here, there]
    assert other.call(scheduler.tasklets) == [there]
    here.kill()
    other.call(there.kill)


@pytest.mark.spec("S-01", "N-01")
def test_it_makes_no_manager() -> None:
    found: list[Any] = []

    def look() -> None:
        before = counters()
        found.extend((scheduler.tasklets(), counters() == before))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(60)
    assert found == [[], True]


@pytest.mark.spec("M-08")
@pytest.mark.parametrize("args", [(1, 2), (True, None)])
def test_tasklets_takes_one_argument(args: Any) -> None:
    with pytest.raises(TypeError):
        scheduler.tasklets(*args)


# ----------------------------------------------------------------------------------- waiting()


@pytest.mark.spec("C-02", "C-03", "G-02")
@pytest.mark.parametrize("sending", [True, False])
def test_who_waits_in_the_order_of_the_line(sending: bool) -> None:
    ch = channel(0)
    tasks = [started(ch.send, 1) if sending else started(ch.receive) for _ in range(3)]
    assert ch.waiting() == tasks
    assert ch.waiting()[0] is ch.queue
    tasks[1].kill()
    assert ch.waiting() == [tasks[0], tasks[2]]
    ch.clear()
    assert ch.waiting() == []


@pytest.mark.spec("C-02")
def test_one_that_selects_is_there_once() -> None:
    ch = scheduler.channel()
    task = started(scheduler.select, ch, ch.sending(1), ch)
    assert ch.waiting() == [task]
    task.kill()


@pytest.mark.spec("C-02", "S-02", "H-02")
def test_main_tasklets_and_other_threads_are_there(other: RemoteThread) -> None:  # noqa: F811
    ch = scheduler.channel()
    there = other.call(started, ch.receive)
    found: list[Any] = []

    def look() -> None:
        found.extend(ch.waiting())
        for _ in range(2):
            ch.send(None)

    queued(look)
    ch.receive()
    scheduler.run()
    assert found == [there, scheduler.getmain()]
    other.call(scheduler.run)


@pytest.mark.spec("C-05", "M-10")
def test_waiting_takes_no_arguments() -> None:
    for args, kwargs in (((1,), {}), ((), {"now": True})):
        with pytest.raises(TypeError):
            scheduler.channel().waiting(*args, **kwargs)
    for empty in (scheduler.channel(), scheduler.buffered(1), scheduler.QueueChannel()):
        empty.close()
        assert empty.waiting() == []


# ------------------------------------------------------------------------------- the filter


def wait_here(ch: Any) -> None:
    ch.receive()


def wait_there(ch: Any) -> None:
    ch.receive()


def test_the_filter_chooses() -> None:
    ch = scheduler.channel()
    tasks = [started(wait_here, ch), started(wait_there, ch)]
    text = dump(filter=lambda task: task.name == "wait_there")
    assert "'wait_there'" in text and "'wait_here'" not in text and "'main'" not in text
    assert dump(filter=lambda task: False) == "No tasklet passes the filter.\n"
    assert dump(filter=None) == dump()
    for task in tasks:
        task.kill()


def test_what_the_filter_raises_comes_out_and_nothing_is_written() -> None:
    def broken(task: Any) -> bool:
        raise LookupError("broken filter")

    task = queued(len, "")
    text = io.StringIO()
    with pytest.raises(LookupError, match="broken filter"):
        scheduler.dump_tasklets(text, filter=broken)
    assert text.getvalue() == ""
    task.remove()


@pytest.mark.parametrize("value", [1, "name", ()])
def test_the_filter_is_callable(value: Any) -> None:
    with pytest.raises(TypeError, match="filter must be callable or None"):
        dump(filter=value)
    with pytest.raises(TypeError):
        scheduler.dump_tasklets(io.StringIO(), len)  # a keyword


# ------------------------------------------------------------------------------------ groups


def agents(count: int, wait: Callable[[Any], None] = wait_here) -> list[Any]:
    made = []
    for number in range(count):
        task = scheduler.tasklet(wait, name=f"agent {number}")(scheduler.channel())
        made.append(task)
    scheduler.run()
    return made


def test_thousands_that_stand_at_the_same_place_are_a_page() -> None:
    tasks = agents(3000) + agents(10, wait_there) + [queued(len, "")]
    text = dump(group=True, filter=lambda task: not task.is_main)
    assert len(text) < 4_000 < len(dump(filter=lambda task: task in tasks[:50]))
    assert "3000 tasklets alike ('agent 0', 'agent 1', 'agent 2', 'agent 3', 'agent 4', ...)" in text
    assert "10 tasklets alike" in text
    assert text.index("3000 tasklets") < text.index("10 tasklets") < text.index("'len' new")
    assert text.count("in wait_here") == text.count("in wait_there") == 1
    assert "'main' running" in dump(group=True)
    for task in tasks:
        task.kill()


def test_what_differs_is_apart() -> None:
    ch, full = scheduler.channel(), channel(0)
    receives, paused = started(ch.receive), started(scheduler.schedule_remove)
    sends, joins = started(full.send, 1), started(receives.join)
    sleeps = [started(scheduler.sleep, seconds) for seconds in (60, 3600)]
    text = dump(group=True, filter=lambda task: not task.is_main)
    assert text.count("alike") == 1 and "2 tasklets alike ('sleep')" in text
    for task in (receives, paused, sends, joins):
        assert repr(task) in text
    for task in (joins, receives, paused, sends, *sleeps):
        task.kill()


def test_names_do_not_confuse_the_groups() -> None:
    tasks = agents(4)
    for task, name in zip(tasks, ("a new thread=1", " paused", "", "x\ny"), strict=True):
        task.name = name
    assert "4 tasklets alike" in dump(group=True)
    for task in tasks:
        task.kill()


def test_each_thread_has_its_own_groups(other: RemoteThread) -> None:  # noqa: F811
    ch = scheduler.channel()
    here = [started(wait_here, ch) for _ in range(3)]
    there = other.call(lambda: [started(wait_here, ch) for _ in range(2)])
    text = dump(group=True)
    assert text.index("3 tasklets alike") < text.index("2 tasklets alike")
    assert text.count("Thread ") == 2
    for task in here:
        task.kill()
    other.call(lambda: [task.kill() for task in there])


def test_groups_in_a_signal_handler() -> None:
    texts: list[str] = []
    tasks = agents(3)
    before = signal.signal(signal.SIGUSR1, lambda *_: texts.append(dump(group=True)))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert "3 tasklets alike" in texts[0]
    for task in tasks:
        task.kill()
