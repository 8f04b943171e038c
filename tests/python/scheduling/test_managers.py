"""Schedule managers, main tasklets, the ready list and its counts (spec section 2)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queued, state
from support.threads import in_thread

READY = (True, False, True, False)


CREATES_MANAGER = {
    "tasklet": scheduler.tasklet,
    "getcurrent": scheduler.getcurrent,
    "getmain": scheduler.getmain,
    "getruncount": scheduler.getruncount,
    "calculateruncount": scheduler.calculateruncount,
    "run": scheduler.run,
    "run_n_tasklets": lambda: scheduler.run_n_tasklets(1),
    "schedule": scheduler.schedule,
    "schedule_remove": scheduler.schedule_remove,
    "switch_trap": lambda: scheduler.switch_trap(0),
    "get_thread_info": scheduler.get_thread_info,
    "get_schedule_manager": scheduler.get_schedule_manager,
    "get_schedule_callback": scheduler.get_schedule_callback,
    "set_schedule_callback": lambda: scheduler.set_schedule_callback(None),
    "channel.send": lambda: outcome(scheduler.channel().send, 1),
    "channel.receive": lambda: outcome(scheduler.channel().receive),
}


@pytest.mark.spec("S-01", "N-01", "D-59")
@pytest.mark.parametrize("name", CREATES_MANAGER)
def test_manager_is_made_on_demand(
    name: str, capfd: pytest.CaptureFixture[str], deadlock_timeout: Callable[[float], None]
) -> None:
    deadlock_timeout(0.05)  # which a channel waits for this thread

    def in_new_thread() -> tuple[int, int]:
        before = scheduler.get_number_of_active_schedule_managers()
        CREATES_MANAGER[name]()
        return before, scheduler.get_number_of_active_schedule_managers()

    assert in_thread(in_new_thread) == (1, 2)
    assert scheduler.get_number_of_active_schedule_managers() == 1
    assert capfd.readouterr().out == ""


@pytest.mark.spec("S-01")
@pytest.mark.parametrize(
    "operation",
    [
        scheduler.channel,
        scheduler.get_number_of_active_channels,
        scheduler.get_active_tasklet_count,
        lambda: scheduler.channel().balance,
    ],
)
def test_operations_that_need_no_manager(operation: Callable[[], Any]) -> None:
    def in_new_thread() -> int:
        operation()
        return scheduler.get_number_of_active_schedule_managers()

    assert in_thread(in_new_thread) == 1


@pytest.mark.spec("S-01", "S-06")
def test_each_thread_has_a_manager_and_a_main_tasklet_of_its_own() -> None:
    def in_new_thread() -> None:
        assert scheduler.get_schedule_manager() is scheduler.get_schedule_manager()
        assert scheduler.get_schedule_manager() is not manager
        mine = scheduler.getmain()
        assert mine is not main
        assert scheduler.getcurrent() is mine
        assert mine.thread_id == threading.get_ident()
        assert state(mine) == READY
        assert (mine.is_main, mine.is_current) == (True, True)

    manager, main = scheduler.get_schedule_manager(), scheduler.getmain()
    in_thread(in_new_thread)


@pytest.mark.spec("S-02", "T-01", "A-05", "18-1")
def test_main_is_scheduled_even_while_blocked() -> None:
    def giver() -> None:
        assert state(main) == (True, True, True, False)
        assert main.next is task
        assert main.prev is None
        channel.send("done")

    main = scheduler.getmain()
    channel = scheduler.channel()
    task = queued(giver)
    assert state(main) == READY
    assert channel.receive() == "done"
    assert state(main) == READY
    scheduler.run()
    assert (main.next, main.prev) == (None, None)


@pytest.mark.spec("S-03", "H-01")
def test_turns_run_on_the_thread_that_made_the_tasklet() -> None:
    task = queued(lambda: idents.append(threading.get_ident()))
    idents: list[int] = []
    task.remove()
    assert in_thread(task.insert) is task
    assert idents == []
    scheduler.run()
    assert idents == [threading.get_ident()] == [task.thread_id]


@pytest.mark.spec("S-04", "S-05", "D-60")
def test_running_tasklets_and_drivers_stay_in_the_list(mode: str, drain: Callable) -> None:
    def count(label: str) -> None:
        numbers = (scheduler.getruncount(), scheduler.calculateruncount())
        assert numbers[0] == numbers[1]
        counts.append((label, numbers[0]))

    def inner() -> None:
        count("inner")
        assert scheduler.getcurrent().prev is driver

    def outer() -> None:
        count("outer")
        queued(inner)
        scheduler.run()
        count("outer again")

    counts: list[tuple[str, int]] = []
    driver = queued(outer)
    count("main")
    drain()
    count("end")
    wanted = [("main", 2), ("outer", 2), ("inner", 3), ("outer again", 2), ("end", 1)]
    assert counts == wanted


@pytest.mark.spec("S-05")
def test_blocked_and_removed_tasklets_are_not_counted() -> None:
    channel = scheduler.channel()
    blocked = queued(channel.receive)
    removed = queued(len, "")
    assert scheduler.getruncount() == 3
    removed.remove()
    assert scheduler.getruncount() == 2
    scheduler.run()
    assert (scheduler.getruncount(), scheduler.calculateruncount()) == (1, 1)
    assert blocked.blocked
    blocked.kill()
    removed.kill()


@pytest.mark.spec("S-07", "H-04")
def test_the_mode_is_shared_by_all_threads() -> None:
    assert in_thread(scheduler.get_use_nested_tasklets) is True
    in_thread(lambda: scheduler.set_use_nested_tasklets(False))
    assert scheduler.get_use_nested_tasklets() is False
    scheduler.set_use_nested_tasklets(True)


@pytest.mark.spec("S-08")
def test_handled_exception_of_the_driver_is_not_seen_inside() -> None:
    def job() -> None:
        seen.append(sys.exc_info())
        try:
            raise KeyError("inner")
        except KeyError:
            scheduler.schedule()
            seen.append(sys.exc_info()[0])

    seen: list[Any] = []
    try:
        raise ValueError("outer")
    except ValueError:
        queued(job)
        scheduler.run()
        assert sys.exc_info()[0] is ValueError
    assert seen == [(None, None, None), KeyError]
