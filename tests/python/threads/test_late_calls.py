"""Calls that come while CPython takes a thread apart: from `__del__` of what the thread kept."""

from __future__ import annotations

import contextvars
import gc
import sys
import threading

import pytest

import scheduler
from support.exceptions import message
from support.object_counts import counters
from support.threads import BareThread

ENDING = "the thread is ending and gives no tasklet a turn any more"


class Late:
    """Notes what a call says when the last reference to this object goes."""

    def __init__(self, call, log):
        self._call, self._log = call, log

    def __del__(self):
        self._log.append((message(self._call), threading.get_ident()))


LOCAL = threading.local()
VARIABLE = contextvars.ContextVar("VARIABLE")


def in_local(late):
    LOCAL.late = late


def in_context(late):
    VARIABLE.set(late)


def in_trace_function(late):
    sys.settrace(lambda *_: late and None)


def run_in_thread(function):
    thread = BareThread(function)
    thread.join()
    return thread.ident


CALLS = {
    "getcurrent": scheduler.getcurrent,
    "run": scheduler.run,
    "tasklet": scheduler.tasklet,
    "get_schedule_callback": scheduler.get_schedule_callback,
}
# 3.11 does not tell a thread that is taken apart from a young one: only one that has had a manager.
KNOWS_DYING_THREADS = sys.version_info >= (3, 12)
BEFORE = [True, False] if KNOWS_DYING_THREADS else [True]


@pytest.mark.spec("H-05", "H-01")
@pytest.mark.parametrize("has_manager", BEFORE)
@pytest.mark.parametrize("keep", [in_context, in_trace_function])
@pytest.mark.parametrize("call", CALLS)
def test_a_thread_taken_apart_gets_no_manager(call, keep, has_manager):
    log = []
    scheduler.getmain()
    before = counters()

    def work():
        if has_manager:
            scheduler.getmain()
        keep(Late(CALLS[call], log))

    ident = run_in_thread(work)
    gc.collect()
    assert log == [(ENDING, ident)]
    assert counters() == before


@pytest.mark.spec("H-05", "H-01")
@pytest.mark.parametrize("first", ["manager", "local"])
def test_what_thread_locals_call_leaves_no_manager(first):
    """They go before the manager or after it, as the version has it and as they were made."""
    log = []
    scheduler.getmain()
    before = counters()

    def late():
        raise ValueError(scheduler.getcurrent() is scheduler.getmain())

    def work():
        if first == "manager":
            scheduler.getmain()
        in_local(Late(late, log))
        scheduler.getmain()

    ident = run_in_thread(work)
    assert log in ([("True", ident)], [(ENDING, ident)])
    assert counters() == before


@pytest.mark.spec("H-05", "G-05")
@pytest.mark.parametrize("has_manager", BEFORE)
def test_late_calls_leave_no_memory_behind(has_manager):
    log = []

    def work():
        if has_manager:
            scheduler.getmain()
        in_context(Late(scheduler.getcurrent, log))

    def blocks_after(threads):
        for _ in range(threads):
            run_in_thread(work)
        log.clear()
        gc.collect()
        return sys.getallocatedblocks()

    def growth():
        before = blocks_after(1)
        return blocks_after(100) - before

    blocks_after(20)  # what is made once
    # A leak comes each time, what a thread of an earlier test leaves behind as it ends does not.
    assert any(growth() < 50 for _ in range(3))
