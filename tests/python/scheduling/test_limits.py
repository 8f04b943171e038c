"""Runs limited by a number of turns or by time (spec section 15).

The time-limited run exists in the C table only; it is called through ctypes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support import capi_table
from support.exceptions import outcome
from support.scheduling import queue, queued, run_in_steps, trapped
from support.threads import in_thread

HOUR = 3600 * 10**9  # nanoseconds


def yields(log: list[str], name: str, times: int) -> None:
    for step in range(times):
        log.append(f"{name}{step}")
        scheduler.schedule()
    log.append(f"{name} end")


# ------------------------------------------------------------------------------ by number of turns


@pytest.mark.spec("L-00", "L-01")
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_at_most_n_turns(n: int, mode: str) -> None:
    log: list[int] = []
    tasks = [queued(log.append, i) for i in range(4)]
    assert scheduler.run_n_tasklets(n) is None
    assert log == list(range(min(n, 4)))
    assert queue() == tasks[n:]
    scheduler.run()


@pytest.mark.spec("L-01")
def test_each_resumption_counts_as_a_turn(mode: str) -> None:
    log: list[str] = []
    queued(yields, log, "a", 2)
    queued(yields, log, "b", 1)
    scheduler.run_n_tasklets(3)
    assert log == ["a0", "b0", "a1"]
    scheduler.run_n_tasklets(1)
    assert log[3:] == ["b end"]
    scheduler.run_n_tasklets(100)
    assert log[4:] == ["a end"]
    assert scheduler.getruncount() == 1


@pytest.mark.spec("L-01")
def test_a_killed_new_tasklet_uses_a_turn_up(mode: str) -> None:
    log: list[int] = []
    victim = queued(log.append, 0)
    last = queued(log.append, 1)
    victim.kill(pending=True)
    scheduler.run_n_tasklets(1)
    assert (log, queue()) == ([], [last])
    scheduler.run_n_tasklets(1)
    assert log == [1]


@pytest.mark.spec("L-01", "D-44")
@pytest.mark.parametrize("n", [0, -1, -(2**40)])
def test_less_than_one_turn_is_refused(n: int) -> None:
    task = queued(len, "")
    with pytest.raises(RuntimeError):
        scheduler.run_n_tasklets(n)
    assert queue() == [task]
    scheduler.run()
    with pytest.raises(RuntimeError):
        scheduler.run_n_tasklets(n)


@pytest.mark.spec("L-01", "D-44")
@pytest.mark.parametrize("n", [0, -1, -(2**31)])
def test_less_than_one_turn_is_refused_by_the_table(n: int) -> None:
    task = queued(len, "")
    with pytest.raises(RuntimeError):
        capi_table.run_n_tasklets(n)
    assert queue() == [task]
    assert capi_table.run_n_tasklets(1) is None
    assert queue() == []


@pytest.mark.spec("L-01")
@pytest.mark.parametrize("n", [2**31, 2**40, 2**63, 2**100])
def test_huge_numbers_mean_all(n: int) -> None:
    log: list[str] = []
    queued(yields, log, "a", 50)
    scheduler.run_n_tasklets(n)
    assert len(log) == 51


@pytest.mark.spec("L-01")
@pytest.mark.parametrize("bad", [None, "1", 1.0, [1]])
def test_other_types_are_refused(bad: Any) -> None:
    task = queued(len, "")
    with pytest.raises(TypeError):
        scheduler.run_n_tasklets(bad)
    assert queue() == [task]
    scheduler.run_n_tasklets(True)
    assert queue() == []


@pytest.mark.spec("L-01", "B-21")
def test_nothing_to_run() -> None:
    assert scheduler.run_n_tasklets(1) is None
    with trapped():
        assert scheduler.run_n_tasklets(1) is None


@pytest.mark.spec("L-02")
def test_turns_in_nested_drives_are_free(mode: str) -> None:
    def driver() -> None:
        for n in range(3):
            queued(log.append, n)
        scheduler.run()
        log.append("driver")

    log: list[Any] = []
    queued(driver)
    last = queued(log.append, "last")
    # Nested: `last` stands behind the driver, so that the driver's own run() reaches it too.
    scheduler.run_n_tasklets(1)
    assert log == ["last", 0, 1, 2, "driver"]
    assert scheduler.getruncount() == 1
    assert last.alive is False


@pytest.mark.spec("L-02")
def test_steps_have_the_order_of_run(mode: str) -> None:
    def worker(log: list[Any], channel: Any, n: int) -> None:
        log.append(("start", n))
        if n % 3 == 0:
            queued(log.append, ("child", n)).run()
        if n % 2:
            log.append((n, channel.receive()))
        else:
            channel.send(n)
        log.append(("end", n))

    def trial(empty: Callable[[], None]) -> list[Any]:
        log: list[Any] = []
        channel = scheduler.channel()
        for n in range(20):
            queued(worker, log, channel, n)
        empty()
        assert channel.balance == 0
        return log

    stepped = trial(run_in_steps)
    assert stepped == trial(scheduler.run)
    assert len(stepped) == 20 + 7 + 10 + 20


@pytest.mark.spec("L-03", "D-62")
def test_inside_a_tasklet_there_is_no_limit(mode: str) -> None:
    def inner() -> None:
        assert scheduler.run_n_tasklets(1) is None
        log.append("inner")

    log: list[Any] = []
    queued(inner)
    for n in range(3):
        queued(log.append, n)
    scheduler.run_n_tasklets(1)
    assert log == [0, 1, 2, "inner"]


@pytest.mark.spec("L-00", "L-01")
def test_the_limit_ends_with_the_run(mode: str) -> None:
    def broken() -> None:
        raise LookupError

    log: list[int] = []
    queued(broken)
    for n in range(4):
        queued(log.append, n)
    with pytest.raises(LookupError):
        scheduler.run_n_tasklets(3)
    scheduler.run()
    assert log == [0, 1, 2, 3]
    queued(log.append, 4)
    scheduler.run_n_tasklets(1)
    for n in (5, 6):
        queued(log.append, n)
    scheduler.schedule()
    assert log == list(range(7))


@pytest.mark.spec("L-00", "H-04")
def test_limits_belong_to_a_thread() -> None:
    def other_thread() -> list[int]:
        log: list[int] = []
        for n in range(3):
            queued(log.append, n)
        scheduler.run()
        return log

    results: list[Any] = []
    queued(lambda: results.append(in_thread(other_thread)))
    last = queued(results.append, "last")
    scheduler.run_n_tasklets(1)
    assert results == [[0, 1, 2]]
    assert queue() == [last]
    scheduler.run()


@pytest.mark.spec("L-01", "B-20")
def test_a_refused_limited_run_leaves_no_limit() -> None:
    log: list[int] = []
    for n in range(3):
        queued(log.append, n)
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        scheduler.run_n_tasklets(1)
    scheduler.run()
    assert log == [0, 1, 2]


# ---------------------------------------------------------------------------------------- by time


@pytest.mark.spec("L-04", "18-15", "DEC-9")
@pytest.mark.parametrize("limit", [0, 1, -1, -HOUR])
def test_no_time_runs_two_tasklets(limit: int, mode: str) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in range(4)]
    assert capi_table.run_with_timeout(limit) is None
    assert log == [0, 1]
    assert queue() == tasks[2:]
    assert capi_table.get_run_count() == 3
    scheduler.run()


@pytest.mark.spec("L-04", "K-26")
def test_repeated_runs_with_a_tiny_limit_empty_the_queue(mode: str) -> None:
    log: list[str] = []
    for name in "abc":
        queued(yields, log, name, 2)
    rounds = 0
    while scheduler.getruncount() > 1:
        capi_table.run_with_timeout(0)
        rounds += 1
    assert rounds == 5  # nine turns, two at a time
    assert log == [f"{name}{step}" for step in ("0", "1", " end") for name in "abc"]


@pytest.mark.spec("L-04")
def test_a_generous_limit_runs_everything(mode: str) -> None:
    log: list[str] = []
    for name in "abc":
        queued(yields, log, name, 2)
    capi_table.run_with_timeout(HOUR)
    assert len(log) == 9
    assert scheduler.getruncount() == 1
    assert capi_table.run_with_timeout(HOUR) is None  # nothing to run


@pytest.mark.spec("L-04", "18-15")
def test_the_second_turn_that_begins_after_the_limit_is_the_last() -> None:
    def busy() -> None:
        end = time.monotonic_ns() + 20_000_000
        while time.monotonic_ns() < end:
            pass
        log.append(0)

    log: list[int] = []
    queued(busy)
    for n in range(1, 5):
        queued(log.append, n)
    capi_table.run_with_timeout(15_000_000)
    # On a machine that stalled, the time may be up before `busy`; never after it.
    assert log in ([0, 1, 2], [0, 1])
    scheduler.run()
    assert log == [0, 1, 2, 3, 4]


@pytest.mark.spec("L-04", "L-00")
def test_the_time_limit_ends_with_the_run() -> None:
    log: list[int] = []
    for n in range(3):
        queued(log.append, n)
    capi_table.run_with_timeout(0)
    for n in range(3, 6):
        queued(log.append, n)
    scheduler.run()
    assert log == [0, 1, 2, 3, 4, 5]


@pytest.mark.spec("L-04", "L-02", "D-62")
def test_the_time_limit_does_not_stop_nested_drives() -> None:
    def driver() -> None:
        for n in range(3):
            queued(log.append, n)
        scheduler.run()

    log: list[int] = []
    queued(driver)
    capi_table.run_with_timeout(0)
    assert log == [0, 1, 2]


@pytest.mark.spec("L-04", "E-20")
def test_an_error_comes_out_of_the_time_limited_run() -> None:
    queued(lambda: 1 // 0)
    last = queued(len, "")
    with pytest.raises(ZeroDivisionError):
        capi_table.run_with_timeout(HOUR)
    assert queue() == [last]
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        capi_table.run_with_timeout(HOUR)
    assert queue() == [last]
    scheduler.run()


@pytest.mark.spec("L-05", "K-05")
def test_counters_of_three_trivial_tasklets(mode: str) -> None:
    for _ in range(3):
        queued(len, "")
    capi_table.run_with_timeout(HOUR)
    assert (capi_table.get_completed(), capi_table.get_switched()) == (3, 6)
    for _ in range(3):
        queued(len, "")
    scheduler.run()
    queued(len, "")
    scheduler.run_n_tasklets(1)
    scheduler.schedule()
    assert (capi_table.get_completed(), capi_table.get_switched()) == (3, 6)
    capi_table.run_with_timeout(HOUR)
    assert (capi_table.get_completed(), capi_table.get_switched()) == (0, 0)


@pytest.mark.spec("L-05")
def test_counters_count_turns_that_ended() -> None:
    def nests() -> None:
        queued(len, "").run()

    channel = scheduler.channel()
    queued(scheduler.schedule)  # yields once: leaves the list twice
    blocked = queued(channel.receive)
    killed = queued(len, "")
    killed.kill(pending=True)  # dies without a switch
    queued(nests)  # itself and its child
    capi_table.run_with_timeout(HOUR)
    assert capi_table.get_completed() == 2 + 1 + 1 + 2
    assert capi_table.get_switched() == 4 + 2 + 0 + 4
    blocked.kill()


@pytest.mark.spec("L-05")
def test_a_tasklet_that_dies_of_an_error_is_not_counted_as_completed() -> None:
    queued(len, "")
    queued(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        capi_table.run_with_timeout(HOUR)
    assert (capi_table.get_completed(), capi_table.get_switched()) == (1, 4)


@pytest.mark.spec("L-05")
def test_counters_after_a_run_that_was_cut_short() -> None:
    for _ in range(4):
        queued(len, "")
    capi_table.run_with_timeout(0)
    assert (capi_table.get_completed(), capi_table.get_switched()) == (2, 4)
    scheduler.run()


@pytest.mark.spec("L-03", "L-04")
def test_time_limited_run_inside_a_tasklet_is_unlimited() -> None:
    log: list[int] = []
    queued(lambda: capi_table.run_with_timeout(0))
    for n in range(3):
        queued(log.append, n)
    assert outcome(scheduler.run_n_tasklets, 1) is None
    assert log == [0, 1, 2]
