"""Tasklets, channels and users of the scheduler that a Python thread state takes along (H-05).

When a thread has left its function, CPython clears its thread state bit by bit: thread-local data,
the context, the trace function. The thread's tasklets are unwound in the course of that, and what is
dropped before or after may still call the scheduler.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import threading

import pytest

import scheduler
from support.object_counts import counters
from support.scheduling import queued, started
from support.threads import BareThread, in_thread
from support.waiting import wait

variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")


def in_thread_local(thing, local):
    local.thing = thing


def in_context(thing, _):
    variable.set(thing)


def in_trace_function(thing, _):
    sys.settrace(lambda *_, thing=thing: None)


def in_profile_function(thing, _):
    sys.setprofile(lambda *_, thing=thing: None)


def in_traceback(thing, local):
    try:
        raise LookupError
    except LookupError as error:
        local.error = error  # its traceback has this frame, and that has `thing`


def in_generator(thing, local):
    def generator():
        yield thing

    local.generator = generator()
    next(local.generator)


def in_paused_tasklet(thing, _):
    started(lambda thing: scheduler.schedule_remove(), thing)


def in_blocked_tasklet(thing, _):
    started(lambda thing: scheduler.channel().receive(), thing)


def in_cycle(thing, local):
    local.cycle = [thing]
    local.cycle.append(local.cycle)


PLACES = [
    in_thread_local,
    in_context,
    in_trace_function,
    in_profile_function,
    in_traceback,
    in_generator,
    in_paused_tasklet,
    in_blocked_tasklet,
]


# ---- tasklets and channels -----------------------------------------------------------------------


def suspended(log, suspend):
    def body():
        try:
            suspend()
        except scheduler.TaskletExit:
            log.append(threading.get_ident())
            raise

    return started(body)


THINGS = {  # and whether it is something that has to be unwound
    "unbound": (lambda log: scheduler.tasklet(), False),
    "queued": (lambda log: queued(log.append, "wrong"), False),
    "yielded": (lambda log: suspended(log, scheduler.schedule), True),
    "paused": (lambda log: suspended(log, scheduler.schedule_remove), True),
    "receiving": (lambda log: suspended(log, scheduler.channel().receive), True),
    "sending": (lambda log: suspended(log, lambda: scheduler.channel().send(0)), True),
    "main": (lambda log: scheduler.getmain(), False),
    "manager": (lambda log: scheduler.get_schedule_manager(), False),
    "channel": (lambda log: scheduler.channel(), False),
}


@pytest.mark.spec("H-05", "H-06", "N-01", "N-04", "D-50")
@pytest.mark.parametrize("place", [*PLACES, in_cycle])
@pytest.mark.parametrize("name", THINGS)
def test_a_thread_state_may_hold_the_last_reference(place, name):
    make, is_suspended = THINGS[name]
    log, local, idents = [], threading.local(), []
    before = counters()

    def work():
        idents.append(threading.get_ident())
        place(make(log), local)

    in_thread(work)
    gc.collect()
    assert log == (idents if is_suspended else [])
    assert counters() == before


@pytest.mark.spec("H-05", "H-06", "T-18")
@pytest.mark.parametrize("how", ["returns", "raises"])
def test_local_variables_of_a_threads_function_may_hold_the_last_reference(how):
    log = []

    def work():
        idents.append(threading.get_ident())
        first, second = (
            suspended(log, scheduler.schedule),
            suspended(log, scheduler.schedule_remove),
        )
        if how == "raises":
            raise LookupError(first.alive, second.alive)

    idents: list[int] = []
    if how == "raises":
        with pytest.raises(LookupError, match="True, True"):
            in_thread(work)
    else:
        in_thread(work)
    assert log == idents * 2


@pytest.mark.spec("H-05", "H-06")
def test_a_traceback_may_keep_a_threads_local_variables():
    """The tasklets in there are unwound by their thread, however long they are kept."""
    log = []

    def work():
        task = suspended(log, scheduler.schedule_remove)
        raise LookupError(threading.get_ident(), task.alive)

    with pytest.raises(LookupError) as caught:
        in_thread(work)
    ident, was_alive = caught.value.args
    frame = caught.tb
    while frame.tb_next is not None:
        frame = frame.tb_next
    task = frame.tb_frame.f_locals["task"]
    assert was_alive and log == [ident]
    assert (task.alive, task.thread_id) == (False, -1)
    del frame, task, caught


# ---- finalizers that use the scheduler -----------------------------------------------------------


@pytest.fixture
def no_waiting(deadlock_timeout):
    """Who would wait for another thread gets the Deadlock error at once."""
    deadlock_timeout(0)


def keep_one_more():
    return started(scheduler.schedule_remove)


USES = [
    scheduler.getmain,
    scheduler.getcurrent,
    scheduler.getruncount,
    scheduler.get_thread_info,
    scheduler.get_schedule_manager,
    scheduler.run,
    scheduler.schedule,
    scheduler.schedule_remove,
    scheduler.unblock_all_channels,
    scheduler.channel,
    scheduler.tasklet,
    lambda: scheduler.run_n_tasklets(1),
    lambda: scheduler.channel().receive(),
    lambda: scheduler.channel().send(0),
    lambda: queued(len, ""),
    lambda: started(scheduler.schedule),
    lambda: queued(len, "").join(),
    keep_one_more,
]


class Finalizer:
    """Uses the scheduler in every way when it is destroyed; notes the thread and what went wrong."""

    def __init__(self, log):
        self.log = log

    def __del__(self):
        self.log.append(threading.get_ident())
        for use in USES:
            try:
                use()
            except (RuntimeError, scheduler.TaskletExit):
                pass  # the thread is ending, nobody to wait for, or the tasklet being unwound
            except BaseException as error:
                self.log.append((use, error))


@pytest.mark.spec("H-05", "H-06", "N-01", "N-04", "D-42")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("left_over", [True, False])
@pytest.mark.usefixtures("no_waiting")
def test_finalizers_at_a_threads_end_may_use_the_scheduler(place, left_over):
    log, local, idents = [], threading.local(), []
    before = counters()

    def work():
        idents.append(threading.get_ident())
        if left_over:
            started(scheduler.channel().receive)
        else:
            scheduler.getmain()
        place(Finalizer(log), local)

    BareThread(work).join()
    gc.collect()
    assert log == idents
    assert counters() == before


@pytest.mark.spec("H-05", "H-06", "H-02")
def test_a_finalizer_at_a_threads_end_may_serve_other_threads():
    """A last message from the thread-local data of a thread: the receiver is on another thread."""
    received, local = [], threading.local()
    ch = scheduler.channel()
    receiver = started(lambda: received.append(ch.receive()))

    class LastWords:
        def __del__(self):
            ch.send("good-bye")

    def work():
        local.last_words = LastWords()  # older than the thread's manager, so it goes first
        scheduler.getmain()

    in_thread(work)
    assert receiver.scheduled and ch.balance == 0
    scheduler.run()
    assert received == ["good-bye"]


@pytest.mark.spec("H-05", "H-06", "N-01", "G-08")
@pytest.mark.usefixtures("no_waiting")
def test_threads_that_end_at_a_time_with_all_of_this():
    before = counters()
    leave = threading.Event()
    local = threading.local()
    log: list[int] = []

    def work(number):
        for n, place in enumerate(PLACES):
            make, _ = list(THINGS.values())[(number + n) % len(THINGS)]
            place(make([]), local)
        place(Finalizer(log), local)
        wait(leave)

    threads = [BareThread(work, number) for number in range(8)]
    leave.set()
    for thread in threads:
        thread.join()
    gc.collect()
    assert len(log) == 8
    assert counters() == before
