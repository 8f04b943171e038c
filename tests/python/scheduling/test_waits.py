"""What ends a wait, and where one is refused: for each way to wait."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queued, started, trapped
from support.threads import Worker, in_thread
from support.waiting import wait
from support.waits import WAITS

SOON = 0.01


@pytest.fixture(params=WAITS)
def waiting(request):
    made = WAITS[request.param]()
    yield made
    made.wait = None
    made.channels = ()


def raised(error):
    """The types of what was raised: a group's own wait tells the errors in an ExceptionGroup."""
    errors = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    return [type(one) for one in errors]


def note(waiting, log):
    """Waits, and notes what was raised."""
    try:
        waiting.wait()
        log.append("went on")
    except BaseException as error:
        log += raised(error)


def blocked(waiting, log):
    task = started(note, waiting, log)
    scheduler.run()
    assert task.blocked and log == []
    return task


ENDS = {
    "kill": (lambda task: task.kill(), scheduler.TaskletExit),
    "pending kill": (lambda task: task.kill(pending=True), scheduler.TaskletExit),
    "foreign kill": (lambda task: in_thread(task.kill, pending=True), scheduler.TaskletExit),
    "throw": (lambda task: task.throw(KeyError), KeyError),
    "pending throw": (lambda task: task.throw(KeyError, pending=True), KeyError),
    "foreign throw": (lambda task: in_thread(task.throw, KeyError, pending=True), KeyError),
    "raise_exception": (lambda task: task.raise_exception(OSError), OSError),
    "bind": (lambda task: task.bind(None), scheduler.TaskletExit),
}


@pytest.mark.spec("DEC-10", "E-01", "E-03")
@pytest.mark.parametrize("way", ENDS)
def test_somebody_ends_it(waiting, way):
    log = []
    task = blocked(waiting, log)
    act, kind = ENDS[way]
    act(task)
    scheduler.run()
    assert log == [kind]
    assert not task.alive and waiting.is_left()


@pytest.mark.spec("DEC-10")
def test_the_time_of_a_scope_ends_it(waiting):
    log = []

    def body():
        try:
            with scheduler.timeout(SOON):
                waiting.wait()
        except TimeoutError:
            log.append("late")

    task = started(body)
    assert task.join(60) and log == ["late"]
    assert waiting.is_left()


@pytest.mark.spec("DEC-10")
def test_the_failure_of_a_group_ends_it(waiting):
    log = []

    def fail():
        raise KeyError

    def body():
        with scheduler.TaskletGroup() as group:
            group.start(fail)
            waiting.wait()

    task = scheduler.tasklet(lambda: log.extend(raised(_caught(body))))()
    scheduler.run()
    assert log == [KeyError] and not task.alive
    assert waiting.is_left()


def _caught(body):
    with pytest.raises(BaseException) as caught:
        body()
    return caught.value


@pytest.mark.spec("H-05")
@pytest.mark.parametrize("name", WAITS)
def test_the_end_of_its_thread(name):
    log = []
    waits = []

    def work():
        waits.append(WAITS[name]())
        blocked(waits[0], log)

    in_thread(work)
    assert log == [scheduler.TaskletExit]
    assert waits[0].is_left()
    waits.clear()


def test_the_end_of_the_interpreter(run_script):
    done = run_script(
        """
        import scheduler
        from support.scheduling import started
        from support.waits import WAITS

        def body(name, waiting):
            try:
                waiting.wait()
            finally:
                print(name)

        tasks = [started(body, name, make()) for name, make in WAITS.items()]
        scheduler.run()
        assert all(task.blocked for task in tasks)
        """,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert sorted(done.stdout.splitlines()) == sorted(WAITS)
    assert done.stderr == ""


# ---- main tasklets -------------------------------------------------------------------------------


@pytest.mark.spec("DEC-3", "DEC-10")
def test_a_signal_handler_raises_in_main(waiting, patient, handle):
    waits = threading.Event()
    log = []

    def handler(*_):
        raise OSError

    def send_signal():
        wait(waits)
        signal.pthread_kill(main, signal.SIGUSR1)

    handle(handler)
    main = threading.get_ident()
    worker = Worker(send_signal)
    queued(waits.set)
    note(waiting, log)
    worker.join()
    scheduler.run()
    assert log == [OSError] and waiting.is_left()


# ---- where waiting is refused --------------------------------------------------------------------


def refusals(wait):
    """The texts of the errors that `wait` must raise."""
    with pytest.raises((RuntimeError, ExceptionGroup)) as caught:
        wait()
    error = caught.value
    errors = error.exceptions if isinstance(error, ExceptionGroup) else [error]
    assert {type(one) for one in errors} == {RuntimeError}
    return [str(one) for one in errors]


@pytest.mark.spec("B-10", "B-22")
def test_a_block_trap_refuses_it(waiting):
    if waiting.is_for_tasklets:
        log = []

        def body():
            with scheduler.block_trap():
                note(waiting, log)

        started(body).kill()
        scheduler.run()
        assert log == [scheduler.TaskletExit]
    else:
        with scheduler.block_trap():
            assert all("block_trap" in text for text in refusals(waiting.wait))
    assert waiting.is_left()


@pytest.mark.spec("B-20", "B-22")
def test_a_switch_trap_refuses_it(waiting):
    def body():
        with trapped():
            log.extend(refusals(waiting.wait))

    log = []
    task = started(body)
    assert log and all("switch_trap" in text for text in log)
    scheduler.run()  # members of a group that could not wait die when they have a turn
    assert not task.alive and waiting.is_left()


def test_a_schedule_callback_cannot_wait(waiting):
    log = []

    def callback(previous, following):
        scheduler.set_schedule_callback(None)
        log.extend(refusals(waiting.wait))

    scheduler.set_schedule_callback(callback)
    queued(len, "")
    scheduler.run()
    scheduler.run()
    assert log and all("schedule callback" in text for text in log)
    assert waiting.is_left()


def test_a_channel_callback_may_wait(waiting):
    """It runs before the transfer, as part of the tasklet that asks for one."""
    ch = scheduler.channel()
    log = []

    def callback(channel, task, sending, will_block):
        scheduler.set_channel_callback(None)
        assert channel is ch
        note(waiting, log)

    scheduler.set_channel_callback(callback)
    task = started(lambda: log.append(outcome(ch.receive)))
    scheduler.run()
    assert task.blocked and ch.balance == 0 and log == []
    task.throw(KeyError)
    scheduler.run()
    assert log == [KeyError] and ch.balance == -1
    ch.send(5)
    assert log == [KeyError, 5] and waiting.is_left()


def test_a_main_tasklet_that_cannot_switch_is_told_so_before_it_waits_for_a_time():
    waits = {name: WAITS[name]() for name in WAITS if "in time" in name or name in ("sleep", "scope")}
    for waiting in waits.values():
        with trapped():
            assert all("switch_trap" in text for text in refusals(waiting.wait))
        assert waiting.is_left()
