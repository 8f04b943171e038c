"""pump() and next_deadline(): a loop of the program's has some of the queue run, and comes back."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import pytest

import scheduler
from scheduler import testing
from support.exceptions import message
from support.scheduling import queue, queued, trapped
from support.threads import Worker, in_thread
from support.waiting import wait

pytestmark = pytest.mark.spec("DEC-20")

both_modes = pytest.mark.usefixtures("mode")


def yielding(log: list[str], name: str, turns: int = 2) -> None:
    for _ in range(turns):
        log.append(name)
        scheduler.schedule()


def for_ever(log: list[str], name: str) -> None:
    while True:
        log.append(name)
        scheduler.schedule()


def kill_all(*tasks: scheduler.tasklet) -> None:
    for task in tasks:
        task.kill(alone=True)


# ---- how much it runs ----------------------------------------------------------------------------


@both_modes
def test_without_limits_each_that_is_queued_has_a_turn() -> None:
    log: list[str] = []
    for name in "abc":
        queued(yielding, log, name)
    results = []
    while not results or results[-1]:
        results.append(scheduler.pump())
        log.append("|")
    assert "".join(log) == "abc|abc||"
    assert results == [True, True, False]


@both_modes
def test_it_comes_back_though_tasklets_queue_themselves_again() -> None:
    log: list[str] = []
    tasks = [queued(for_ever, log, name) for name in "ab"]
    assert [scheduler.pump(), scheduler.pump(turns=3), scheduler.pump()] == [True] * 3
    assert "".join(log) == "ab" + "aba" + "ba"
    kill_all(*tasks)


def test_it_comes_back_though_tasklets_run_each_other() -> None:
    scheduler.set_use_nested_tasklets(False)
    log: list[str] = []
    tasks: list[scheduler.tasklet] = []

    def pass_on(name: str, other: int) -> None:
        while True:
            log.append(name)
            tasks[other].run()  # that one goes first, and this one right behind it

    tasks += [queued(pass_on, "a", 1), queued(pass_on, "b", 0)]
    last = queued(for_ever, log, "c")
    for _ in range(20):
        assert scheduler.pump()
    assert len(log) == 60
    scheduler.set_use_nested_tasklets(True)
    kill_all(*tasks, last)


@both_modes
def test_who_is_made_runnable_meanwhile_waits_for_the_next_round() -> None:
    log: list[str] = []

    def spawning() -> None:
        log.append("parent")
        queued(yielding, log, "child", 1)

    queued(spawning)
    queued(yielding, log, "other", 1)
    assert scheduler.pump()
    assert log == ["parent", "other"]
    assert scheduler.pump()
    assert log == ["parent", "other", "child"]
    assert not scheduler.pump()


@both_modes
def test_those_who_are_let_go_first_use_up_turns_and_nobody_starves() -> None:
    line = scheduler.channel()
    log: list[Any] = []
    receiver = queued(lambda: [log.append(line.receive()) for _ in range(3)])
    scheduler.pump()
    sender = queued(lambda: [line.send(number) for number in range(3)])
    behind = queued(yielding, log, "behind", 1)
    assert scheduler.pump()
    assert (log, queue()) == ([0], [behind, sender])
    while scheduler.pump():
        pass
    assert (log, receiver.alive, sender.alive) == ([0, "behind", 1, 2], False, False)


@both_modes
@pytest.mark.parametrize("turns", [1, 2, 5, 2**70])
def test_no_more_turns_than_that(turns: int) -> None:
    log: list[str] = []
    for name in "ab":
        queued(yielding, log, name)
    assert scheduler.pump(turns=turns) is (turns < 6)
    assert "".join(log) == "abab"[:turns]
    scheduler.run()


def test_no_turn_at_all_and_what_it_tells() -> None:
    log: list[str] = []
    assert scheduler.pump(turns=0) is False
    queued(yielding, log, "a", 1)
    assert scheduler.pump(turns=0) is True
    assert scheduler.pump(0, 10) is True
    assert log == []
    scheduler.run()


@both_modes
def test_one_turn_at_least_however_short_the_time() -> None:
    log: list[str] = []
    task = queued(for_ever, log, "a")
    assert scheduler.pump(seconds=0)
    assert scheduler.pump(None, 0.0)
    assert log == ["a", "a"]
    kill_all(task)


@both_modes
def test_no_turn_begins_when_the_time_is_over() -> None:
    log: list[str] = []
    task = queued(for_ever, log, "a")
    assert scheduler.pump(seconds=0.005)
    assert len(log) > 1
    assert scheduler.pump(turns=10, seconds=60)  # whichever comes first
    log.clear()
    assert scheduler.pump(turns=2**62, seconds=0.005)
    assert 1 < len(log)
    kill_all(task)


def test_a_run_inside_a_tasklet_is_not_limited() -> None:
    log: list[str] = []
    queued(scheduler.run)
    queued(yielding, log, "a", 3)
    scheduler.pump(turns=1)
    assert log == ["a"] * 3
    scheduler.run()


def test_a_limit_does_not_outlast_the_pump() -> None:
    log: list[str] = []
    queued(yielding, log, "a", 50)
    scheduler.pump(turns=1, seconds=0)
    scheduler.run()
    assert len(log) == 50


# ---- mail and time -------------------------------------------------------------------------------


def test_what_other_threads_have_sent_is_received() -> None:
    line = scheduler.channel()
    got: list[int] = []
    queued(lambda: [got.append(line.receive()) for _ in range(2)])
    assert not scheduler.pump()
    in_thread(line.send, 1)
    assert scheduler.pump(turns=0)
    in_thread(lambda: None)
    assert not scheduler.pump()
    assert got == [1]
    in_thread(line.send, 2)
    assert not scheduler.pump()
    assert got == [1, 2]


def test_it_does_not_wait() -> None:
    line = scheduler.channel()
    queued(line.receive)
    ended = threading.Event()
    worker = Worker(wait, ended)  # another thread, which could send something
    assert scheduler.pump(seconds=3600) is False
    assert scheduler.pump(turns=5) is False
    ended.set()
    worker.join()
    line.clear()


def test_timers() -> None:
    with testing.virtual_time() as clock:
        assert scheduler.next_deadline() is None
        log: list[str] = []
        for name, seconds in (("late", 2.5), ("soon", 1.0)):
            queued(lambda name=name, seconds=seconds: (scheduler.sleep(seconds), log.append(name)))
        assert scheduler.next_deadline() is None
        assert not scheduler.pump()
        assert scheduler.next_deadline() == 1.0
        clock.advance(0.25)
        assert (scheduler.next_deadline(), scheduler.pump(), log) == (0.75, False, [])
        clock.advance(1)
        assert scheduler.next_deadline() == 0.0
        assert (scheduler.pump(turns=0), scheduler.next_deadline()) == (True, 1.25)
        assert (scheduler.pump(), log) == (False, ["soon"])
        clock.advance(1.25)
        assert (scheduler.pump(), log) == (False, ["soon", "late"])
        assert scheduler.next_deadline() is None


def test_one_whose_time_comes_during_the_pump_is_runnable() -> None:
    with testing.virtual_time() as clock:
        sleeper = queued(scheduler.sleep, 1)
        scheduler.pump()
        queued(clock.advance, 1)
        scheduler.pump(turns=1)
        assert (sleeper.alive, scheduler.pump(), sleeper.alive) == (True, False, False)
        sleeper.bind(scheduler.sleep)(1)
        scheduler.pump()
        queued(clock.advance, 5)
        while scheduler.pump():
            pass
        assert not sleeper.alive


def test_deadlines_of_timeouts_and_scopes_count() -> None:
    def receiving() -> None:
        with scheduler.timeout(3), pytest.raises(TimeoutError):
            scheduler.channel().receive(timeout=2)

    with testing.virtual_time() as clock:
        task = queued(receiving)
        scheduler.pump()
        assert scheduler.next_deadline() == 2.0
        clock.advance(2)
        scheduler.pump()
        assert (task.alive, scheduler.next_deadline()) == (False, None)


def test_a_tasklet_may_ask_for_the_deadline() -> None:
    answers: list[float | None] = []
    with testing.virtual_time():
        sleeper = queued(scheduler.sleep, 4)
        queued(lambda: answers.append(scheduler.next_deadline()))
        scheduler.pump()
        sleeper.kill()
    assert answers == [4.0]
    assert in_thread(scheduler.next_deadline) is None


# ---- exceptions ----------------------------------------------------------------------------------


@both_modes
def test_what_a_tasklet_does_not_catch_comes_out() -> None:
    def fail() -> None:
        raise KeyError("mine")

    log: list[str] = []
    queued(fail)
    queued(yielding, log, "behind", 1)
    with pytest.raises(KeyError, match="mine"):
        scheduler.pump()
    assert log == []
    assert scheduler.pump()
    assert log == ["behind"]
    assert not scheduler.pump()


def test_it_is_for_the_main_tasklet() -> None:
    texts: list[str] = []
    queued(lambda: texts.append(message(scheduler.pump)))
    scheduler.pump()
    assert "on its main tasklet" in texts[0]


def test_traps_and_callbacks_refuse_it() -> None:
    task = queued(yielding, [], "a")
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        scheduler.pump()
    texts: list[str] = []
    scheduler.set_schedule_callback(lambda *_pair: texts.append(message(scheduler.pump, turns=3)))
    task.resume()
    scheduler.set_schedule_callback(None)
    # The second switch is back to main, which is current by then.
    assert ["on its main tasklet" in text or "callback" in text for text in texts] == [True, True]
    task.kill()


def test_a_pump_at_the_end_of_a_pump() -> None:
    """The last tasklet is destroyed when the loop is over, by main."""
    log: list[object] = []

    def pump(_reference: object) -> None:
        log.append(scheduler.pump(turns=1))

    queued(yielding, log, "other", 3)
    reference = weakref.ref(queued(len, ""), pump)
    assert scheduler.pump()
    assert (reference(), log) == (None, ["other", "other", True])
    assert scheduler.pump()
    assert log == ["other", "other", True, "other"]
    assert not scheduler.pump()


@pytest.mark.parametrize(
    "args, keywords, error, text",
    [
        ((), {"turns": -1}, ValueError, "turns must be 0 or more, or None"),
        ((-(2**70),), {}, ValueError, "turns must be 0 or more, or None"),
        ((1.5,), {}, TypeError, "turns must be a number of turns or None, not float"),
        (("3",), {}, TypeError, "turns must be a number of turns or None, not str"),
        ((), {"seconds": -0.1}, ValueError, "seconds must be 0 or more"),
        ((), {"seconds": float("nan")}, ValueError, "seconds must be 0 or more"),
        ((), {"seconds": "1"}, TypeError, "seconds must be a number of seconds or None, not str"),
        ((1, 2, 3), {}, TypeError, "pump"),
        ((1,), {"turns": 1}, TypeError, "multiple values"),
        ((), {"timeout": 1}, TypeError, "unexpected keyword argument 'timeout'"),
    ],
)
def test_wrong_arguments(args: Any, keywords: Any, error: type[Exception], text: str) -> None:
    log: list[str] = []
    queued(yielding, log, "a", 1)
    with pytest.raises(error, match=text):
        scheduler.pump(*args, **keywords)
    with pytest.raises(TypeError):
        scheduler.next_deadline(1)  # type: ignore[call-arg]
    assert log == []
    scheduler.run()
