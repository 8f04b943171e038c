"""scheduler.timeout(): a time for all that a tasklet waits for in a `with` block."""

from __future__ import annotations

import math
import time

import pytest

import scheduler
from support.exceptions import message
from support.scheduling import queued, started
from support.threads import in_thread

SOON = 0.02
LATE = 30.0


def never_served():
    """One call for each way to wait."""
    ch = scheduler.channel()
    paused = started(scheduler.schedule_remove)
    yield lambda: ch.receive()
    yield lambda: ch.send(1)
    yield lambda: ch.receive(timeout=LATE)
    yield lambda: scheduler.QueueChannel().receive()
    yield lambda: scheduler.select(ch, ch.sending(1))
    yield lambda: scheduler.select(ch, timeout=LATE)
    yield lambda: scheduler.sleep(LATE)
    yield lambda: scheduler.sleep(math.inf)
    yield lambda: paused.join()
    yield lambda: paused.join(LATE)
    paused.kill()


def test_the_time_ends_every_kind_of_wait():
    for wait in never_served():
        begin = time.monotonic()
        with pytest.raises(TimeoutError, match=r"the time of scheduler.timeout\(0.02\) is over"):
            with scheduler.timeout(SOON) as scope:
                wait()
        assert scope.expired and time.monotonic() - begin < LATE / 2


def test_it_ends_them_in_tasklets_too():
    for wait in never_served():
        log = []

        def work(wait=wait, log=log):
            try:
                with scheduler.timeout(SOON):
                    wait()
            except TimeoutError:
                log.append("late")

        task = queued(work)
        task.join(LATE)
        assert log == ["late"]


def test_a_time_of_the_operation_that_comes_first_is_its_own():
    ch = scheduler.channel()
    with scheduler.timeout(LATE) as scope:
        assert "receive() on" in message(ch.receive, timeout=SOON)
        assert started(scheduler.schedule_remove).join(SOON) is False
    assert not scope.expired
    scheduler.unblock_all_channels()


def test_what_can_be_done_without_waiting_is_done_after_the_time():
    ch = scheduler.QueueChannel()
    ch.send_sequence([1, 2])
    with pytest.raises(TimeoutError):
        with scheduler.timeout(0):
            assert ch.receive() == 1
            assert scheduler.select(ch) == (0, 2)
            scheduler.schedule()
            ch.receive()


def test_a_block_that_does_not_wait_is_not_interrupted():
    with scheduler.timeout(0) as scope:
        sum(range(1000))
    assert not scope.expired


def test_waiting_again_in_the_block_ends_at_once():
    ch = scheduler.channel()
    caught = 0
    with pytest.raises(TimeoutError):
        with scheduler.timeout(SOON):
            for _ in range(3):
                try:
                    ch.receive()
                except BaseException:
                    caught += 1
            ch.receive()
    assert caught == 3


def test_inside_of_the_block_it_is_no_timeout_error():
    ch = scheduler.channel()
    with pytest.raises(TimeoutError):
        with scheduler.timeout(SOON):
            try:
                ch.receive(timeout=LATE)
            except Exception:
                pytest.fail("a handler for another time has taken it")


# ---- nesting -------------------------------------------------------------------------------------


def test_the_outer_ones_time_passes_through_the_inner_one():
    ch = scheduler.channel()
    with pytest.raises(TimeoutError, match="0.02"):
        with scheduler.timeout(SOON) as outer:
            try:
                with scheduler.timeout(LATE) as inner:
                    ch.receive()
            except TimeoutError:
                pytest.fail("the inner scope's handler has taken it")
    assert outer.expired and not inner.expired


def test_the_inner_ones_time_is_its_own_and_the_outer_one_goes_on():
    ch = scheduler.channel()
    with scheduler.timeout(LATE) as outer:
        with pytest.raises(TimeoutError):
            with scheduler.timeout(SOON) as inner:
                ch.receive()
        scheduler.sleep(SOON)
    assert inner.expired and not outer.expired


def test_of_two_that_are_over_the_inner_one_raises_first():
    ch = scheduler.channel()
    with pytest.raises(TimeoutError):
        with scheduler.timeout(0) as outer:
            with pytest.raises(TimeoutError):
                with scheduler.timeout(0) as inner:
                    scheduler.schedule()
                    ch.receive()
            assert inner.expired and not outer.expired
            ch.receive()
    assert outer.expired


def test_a_tasklet_that_is_started_in_the_block_is_not_in_the_scope():
    log = []

    def work():
        scheduler.sleep(2 * SOON)
        log.append("done")

    with pytest.raises(TimeoutError):
        with scheduler.timeout(SOON):
            task = queued(work)
            scheduler.channel().receive()
    assert task.join(LATE) and log == ["done"]


def test_kill_and_throw_pass_through():
    log = []

    def work():
        try:
            with scheduler.timeout(LATE) as scope:
                scheduler.sleep(LATE)
        except BaseException as error:
            log.append((type(error), scope.expired))

    started(work).kill()
    started(work).throw(KeyError)
    assert log == [(scheduler.TaskletExit, False), (KeyError, False)]


def test_a_tasklet_that_is_set_up_again_is_in_no_scope():
    scopes = []

    def leave_it_open():
        scopes.append(scheduler.timeout(0).__enter__())

    task = scheduler.tasklet(leave_it_open)
    task()
    scheduler.run()
    task.bind(lambda: scheduler.sleep(SOON))
    task()
    assert task.join(LATE)
    assert not scopes[0].expired


# ---- another time --------------------------------------------------------------------------------


@pytest.mark.parametrize("by_another", [False, True])
def test_it_can_be_given_another_time(by_another):
    log = []
    scopes = []

    def work():
        try:
            with scheduler.timeout(None) as scope:
                scopes.append(scope)
                if not by_another:
                    scope.reschedule(SOON)
                scheduler.sleep(LATE)
        except TimeoutError as error:
            log.append(str(error))

    task = started(work)
    if by_another:
        scopes[0].reschedule(SOON)
    assert task.join(LATE)
    assert log == ["the time of scheduler.timeout(0.02) is over"]


def test_more_time_in_the_middle_of_a_wait():
    ch = scheduler.channel()
    log = []
    scopes = []

    def work():
        with scheduler.timeout(SOON) as scope:
            scopes.append(scope)
            log.append(ch.receive())

    task = started(work)
    scopes[0].reschedule(None)
    scheduler.sleep(2 * SOON)
    ch.send(7)
    assert task.join(LATE) and log == [7]


# ---- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1, math.nan, -math.inf])
def test_a_time_that_makes_no_sense_is_a_value_error(seconds):
    with pytest.raises(ValueError, match="0 or more seconds"):
        scheduler.timeout(seconds)
    with scheduler.timeout(None) as scope, pytest.raises(ValueError):
        scope.reschedule(seconds)


@pytest.mark.parametrize("seconds", ["1", [], object()])
def test_a_time_that_is_no_number_is_a_type_error(seconds):
    with pytest.raises(TypeError, match="must be a number of seconds or None"):
        scheduler.timeout(seconds)


@pytest.mark.parametrize("seconds", [math.inf, 1e18, None])
def test_no_limit(seconds):
    with scheduler.timeout(seconds):
        scheduler.sleep(SOON)


def test_entered_twice():
    scope = scheduler.timeout(LATE)
    assert repr(scope).endswith("new>")
    with scope, pytest.raises(RuntimeError, match="only once"):
        assert repr(scope).endswith("entered>")
        scope.__enter__()
    assert repr(scope).endswith("left>")
    with pytest.raises(RuntimeError, match="only once"):
        scope.__enter__()


def test_rescheduled_outside_of_the_block():
    with pytest.raises(RuntimeError, match="not entered"):
        scheduler.timeout(1).reschedule(1)


@pytest.mark.parametrize("call", [lambda f, *args: f(*args), in_thread])
def test_left_by_another_tasklet(call):
    scopes = []

    def work():
        with scheduler.timeout(LATE) as scope:
            scopes.append(scope)
            scheduler.schedule_remove()

    task = started(work)
    with pytest.raises(RuntimeError, match="by the tasklet that has entered it"):
        call(scopes[0].__exit__, None, None, None)
    task.run()
    assert not task.alive


def test_left_out_of_order():
    outer, inner = scheduler.timeout(LATE), scheduler.timeout(SOON)
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="before one that was entered after it"):
        outer.__exit__(None, None, None)
    with pytest.raises(RuntimeError):
        inner.__exit__(None, None, None)
    assert scheduler._get_timeout_scope(scheduler.getcurrent()) is None
    scheduler.sleep(SOON)


def test_rescheduled_by_another_thread():
    with scheduler.timeout(LATE) as scope:
        assert "thread" in in_thread(lambda: message(scope.reschedule, 1))


# ---- around a group ------------------------------------------------------------------------------


def test_a_group_whose_time_is_over_waits_for_its_members():
    log = []

    def member():
        try:
            scheduler.sleep(LATE)
        finally:
            scheduler.sleep(SOON)
            log.append("cleaned up")

    with pytest.raises(TimeoutError):
        with scheduler.timeout(SOON) as scope:
            with scheduler.TaskletGroup() as group:
                group.start(member)
                group.start(member)
    assert log == ["cleaned up"] * 2 and scope.expired


@pytest.mark.parametrize("how", ["kill", "throw"])
def test_a_group_that_is_interrupted_after_the_time_waits_for_its_members(how):
    """Another error comes before the scope has raised its own."""
    log = []

    def member():
        try:
            scheduler.schedule_remove()
        finally:
            scheduler.sleep(SOON)
            log.append("cleaned up")

    def body():
        try:
            with scheduler.timeout(SOON):
                with scheduler.TaskletGroup() as group:
                    group.start(member)
                    scheduler.schedule()
        except BaseException as error:
            log.append(type(error))

    owner = started(body)
    scheduler.run()
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        pass
    owner.kill() if how == "kill" else owner.throw(KeyError)
    assert owner.join(LATE)
    assert log == ["cleaned up", scheduler.TaskletExit if how == "kill" else ExceptionGroup]


def test_a_scope_in_the_body_of_a_group_is_its_own():
    with scheduler.TaskletGroup() as group:
        task = group.start(scheduler.sleep, SOON)
        with pytest.raises(TimeoutError):
            with scheduler.timeout(0):
                scheduler.sleep(LATE)
    assert not task.alive


def test_select_joins_a_tasklet_that_returns_something():
    task = queued(lambda: [1, 2])
    assert scheduler.select(scheduler.channel(), task) == (1, None)
    assert task.result() == [1, 2]
