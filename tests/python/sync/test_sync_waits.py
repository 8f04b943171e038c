"""What all waits of `scheduler.sync` have in common: nothing is lost, whatever ends them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import scheduler
from support.scheduling import queued, started, trapped
from support.sync_waits import ALL, Wait, join
from support.threads import Worker
from support.waiting import TIMEOUT, wait


def made(request: pytest.FixtureRequest) -> Iterator[Wait]:
    made = request.param()
    yield made
    del made.wait, made.serve  # an event has a channel


waiting = pytest.fixture(params=ALL, ids=lambda make: make.__name__, name="waiting")(made)
timed = pytest.fixture(
    params=[make for make in ALL if make is not join], ids=lambda make: make.__name__, name="timed"
)(made)


def pair(waiting: Wait) -> tuple[scheduler.tasklet, scheduler.tasklet, list[str]]:
    """Two tasklets that wait, and who has been served."""
    served: list[str] = []

    def body(name: str) -> None:
        waiting.wait()
        served.append(name)

    tasks = [started(body, name) for name in ("first", "second")]
    assert [task.blocked for task in tasks] == [True, True]
    return (*tasks, served)


def serve_all(waiting: Wait, task: scheduler.tasklet) -> None:
    """Serves until `task` has ended; the second of two may have been served with the first."""
    for _ in range(2):
        if task.alive:
            waiting.serve()
            scheduler.run()
    assert not task.alive


def check_unharmed(waiting: Wait) -> None:
    _, second, served = pair(waiting)
    serve_all(waiting, second)
    assert served == ["first", "second"]


def test_who_waits_is_served_in_order(waiting: Wait) -> None:
    check_unharmed(waiting)


def test_what_serves_does_not_switch(waiting: Wait) -> None:
    first, second, served = pair(waiting)
    with trapped():
        waiting.serve()
    assert served == []
    scheduler.run()
    assert served[0] == "first"
    serve_all(waiting, second)


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("pending", [False, True])
def test_one_that_is_killed_while_it_waits_is_passed_over(waiting: Wait, pending: bool) -> None:
    first, second, served = pair(waiting)
    first.kill(pending=pending)
    serve_all(waiting, second)
    assert served == ["second"]
    assert not first.alive


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("pending", [False, True])
def test_one_that_is_killed_before_its_turn_passes_on_what_it_was_given(
    waiting: Wait, pending: bool
) -> None:
    first, second, served = pair(waiting)
    waiting.serve()
    first.kill(pending=pending)
    scheduler.run()
    if not waiting.passes_on:  # it has been done
        assert served == []
        waiting.serve()
        scheduler.run()
    assert served == ["second"]


@pytest.mark.spec("DEC-10")
@pytest.mark.parametrize("pending", [False, True])
def test_an_exception_ends_a_wait(waiting: Wait, pending: bool) -> None:
    caught: list[str] = []

    def body() -> None:
        try:
            waiting.wait()
            scheduler.schedule()  # an exception may come too late for put()
        except KeyError as error:
            caught.append(error.args[0])

    first = started(body)
    _, second, served = pair(waiting)
    first.throw(KeyError("thrown"), pending=pending)
    serve_all(waiting, second)
    assert caught == ["thrown"]
    assert served == ["first", "second"]


@pytest.mark.spec("DEC-10")
def test_an_exception_that_comes_after_the_grant_is_raised_later(waiting: Wait) -> None:
    log: list[str] = []

    def body() -> None:
        waiting.wait()
        log.append("served")
        try:
            scheduler.schedule()
        except KeyError:
            log.append("thrown")

    task = started(body)
    waiting.serve()
    task.throw(KeyError)
    scheduler.run()
    assert log == ["served", "thrown"]


def test_a_wait_ends_when_the_time_is_up(timed: Wait) -> None:
    results: list[bool] = []
    first = queued(lambda: results.append(timed.expires(0.001)))
    scheduler.run(threadblock=True)
    assert (first.alive, results) == (False, [True])
    check_unharmed(timed)


def test_no_time_is_one_try_without_a_switch(timed: Wait) -> None:
    other = queued(len, "")
    assert timed.expires(0)
    assert other.alive
    scheduler.run()
    check_unharmed(timed)


@pytest.mark.spec("DEC-10")
def test_success_beats_expiry(timed: Wait) -> None:
    results: list[bool] = []
    started(lambda: results.append(timed.expires(0.001)))
    timed.serve()
    end = time.monotonic() + 0.002
    while time.monotonic() < end:
        pass
    scheduler.run()
    assert results == [False]


@pytest.mark.spec("DEC-10")
def test_a_time_out_of_somebody_else_comes_through(timed: Wait) -> None:
    caught: list[str] = []

    def body() -> None:
        try:
            timed.expires(TIMEOUT)
        except TimeoutError as error:
            caught.append(str(error))

    task = started(body)
    task.throw(TimeoutError("mine"))
    assert caught == ["mine"]


@pytest.mark.parametrize("timeout", [-0.5, float("nan"), float("-inf")])
def test_a_time_that_cannot_be_is_refused(timed: Wait, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        timed.wait(timeout=timeout)


@pytest.mark.parametrize("timeout", ["1", b"1", [], 1j])
def test_what_is_no_time_is_refused(timed: Wait, timeout: object) -> None:
    with pytest.raises(TypeError):
        timed.wait(timeout=timeout)


@pytest.mark.parametrize("timeout", [1e18, float("inf"), True])
def test_long_times(timed: Wait, timeout: float) -> None:
    results: list[bool] = []
    started(lambda: results.append(timed.expires(timeout)))
    timed.serve()
    scheduler.run()
    assert results == [False]


# ---- where waiting is refused ------------------------------------------------------------------


@pytest.mark.spec("B-10", "B-22")
def test_a_block_trap_refuses_to_wait(waiting: Wait) -> None:
    with scheduler.block_trap(), pytest.raises(RuntimeError, match="block_trap"):
        waiting.wait()
    check_unharmed(waiting)


@pytest.mark.spec("B-20", "B-22")
def test_a_switch_trap_refuses_to_wait(waiting: Wait) -> None:
    def body() -> None:
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            waiting.wait()

    assert not started(body).alive
    check_unharmed(waiting)


@pytest.mark.spec("B-20")
def test_a_main_tasklet_under_a_switch_trap_is_told_of_the_trap(timed: Wait) -> None:
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        timed.wait(timeout=TIMEOUT)
    check_unharmed(timed)


def test_a_schedule_callback_cannot_wait(waiting: Wait) -> None:
    errors: list[RuntimeError] = []

    def callback(previous: scheduler.tasklet, following: scheduler.tasklet) -> None:
        try:
            waiting.wait()
        except RuntimeError as error:
            errors.append(error)

    scheduler.set_schedule_callback(callback)
    started(scheduler.schedule)
    scheduler.set_schedule_callback(None)
    scheduler.run()
    assert errors and all("callback" in str(error) for error in errors)
    errors.clear()
    check_unharmed(waiting)


@pytest.mark.spec("DEC-3")
def test_a_main_tasklet_that_nobody_can_serve_is_told_so(waiting: Wait) -> None:
    with pytest.raises(RuntimeError, match="Deadlock"):
        waiting.wait()
    check_unharmed(waiting)


def test_a_main_tasklet_waits(waiting: Wait) -> None:
    queued(waiting.serve)
    waiting.wait()


# ---- threads -----------------------------------------------------------------------------------


@pytest.mark.spec("DEC-3")
def test_another_thread_serves(waiting: Wait, patient: None) -> None:
    waits = threading.Event()

    def work() -> None:
        task = started(waiting.wait)
        waits.set()
        scheduler.run(threadblock=True)
        assert not task.alive

    worker = Worker(work)
    wait(waits)
    waiting.serve()
    worker.join()


@pytest.mark.spec("H-05")
def test_one_whose_thread_ends_is_passed_over(waiting: Wait) -> None:
    unwound: list[str] = []

    def body() -> None:
        try:
            waiting.wait()
        finally:
            unwound.append("unwound")

    Worker(lambda: started(body) and None).join()
    assert unwound == ["unwound"]
    check_unharmed(waiting)


def test_the_interpreter_ends_while_tasklets_wait(run_script: Callable) -> None:
    done = run_script(
        """
        from support.scheduling import started
        from support.sync_waits import ALL

        def body(name, waiting):
            try:
                waiting.wait()
            finally:
                print(name)

        tasks = [started(body, make.__name__, make()) for make in ALL]
        assert all(task.blocked for task in tasks)
        """,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert sorted(done.stdout.split()) == sorted(make.__name__ for make in ALL)
    assert done.stderr == ""
