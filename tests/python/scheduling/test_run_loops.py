"""Suspending and the drive loop (spec sections 4, 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.scheduling import queue, queued, started, state, trapped
from support.threads import in_thread

DEAD = (False, False, False, False)
READY = (True, False, True, False)
PAUSED = (True, False, False, True)


class SwitchLog:
    """Notes every change of the current tasklet as "a>b", by names given beforehand."""

    def __init__(self, **tasks: Any) -> None:
        self.names = {task: name for name, task in tasks.items()}
        self.names[scheduler.getmain()] = "main"
        self.switches: list[str] = []

    def __enter__(self) -> list[str]:
        scheduler.set_schedule_callback(self._note)
        return self.switches

    def __exit__(self, *_: object) -> None:
        scheduler.set_schedule_callback(None)

    def _note(self, before: Any, after: Any) -> None:
        assert scheduler.getcurrent() is before
        self.switches.append(f"{self.names[before]}>{self.names[after]}")


# ------------------------------------------------------------------------------------- suspending


# way of giving up a turn -> what runs in this turn, what runs when the queue is emptied afterwards
WAYS_TO_SUSPEND = {
    "schedule": (["job"], ["bystander", "job again"]),
    "schedule_remove": (["job"], ["bystander"]),
    "receive": (["job"], ["bystander"]),
    "send": (["job"], ["bystander"]),
    "preference": (["job"], ["bystander", "job again"]),
    "switch": (["job", "target"], ["bystander"]),
    "flat run": (["job"], ["target", "job again", "bystander"]),
}


@pytest.mark.spec("R-01", "R-02")
@pytest.mark.parametrize("way", WAYS_TO_SUSPEND)
def test_ways_of_giving_up_a_turn(way: str) -> None:
    def job() -> None:
        log.append("job")
        operations[way]()
        log.append("job again")

    log: list[str] = []
    channel, rendezvous = scheduler.channel(), scheduler.channel()
    waiting = started(rendezvous.receive)
    target = scheduler.tasklet(log.append).bind(None, ("target",))
    operations = {
        "schedule": scheduler.schedule,
        "schedule_remove": scheduler.schedule_remove,
        "receive": channel.receive,
        "send": lambda: channel.send(1),
        "preference": lambda: rendezvous.send(1),
        "switch": lambda: target.insert().switch(),
        "flat run": target.run,
    }
    scheduler.set_use_nested_tasklets(way != "flat run")
    task = queued(job)
    queued(log.append, "bystander")
    first_turn, rest = WAYS_TO_SUSPEND[way]
    scheduler.run_n_tasklets(1)
    assert log == first_turn
    scheduler.run()
    scheduler.set_use_nested_tasklets(True)
    assert log == first_turn + rest
    assert task.alive is ("job again" not in log)
    for leftover in (task, waiting, target):
        leftover.kill()


@pytest.mark.spec("R-02", "B-02", "B-03", "P-06", "18-14")
def test_control_goes_back_to_the_parent_between_two_tasklets(drain: Callable) -> None:
    one, two = queued(scheduler.schedule), queued(len, "")
    with SwitchLog(one=one, two=two) as switches:
        drain()
    assert switches == ["main>one", "one>main", "main>two", "two>main", "main>one", "one>main"]


@pytest.mark.spec("R-02", "A-06")
def test_a_suspension_counts_for_the_parent_but_an_end_does_not() -> None:
    main = scheduler.getmain()
    before = main.times_switched_to
    queued(len, "")
    scheduler.run()
    assert main.times_switched_to - before == 0
    task = queued(lambda: (scheduler.schedule(), scheduler.schedule()))
    scheduler.run()
    assert main.times_switched_to - before == 2
    assert task.times_switched_to == 3


@pytest.mark.spec("R-03", "C-15", "DEC-3")
@pytest.mark.parametrize("operation", ["send", "receive"])
def test_main_that_would_wait_for_ever_gets_an_error(
    operation: str, mode: str, deadlock_timeout: Callable[[float], None]
) -> None:
    deadlock_timeout(0.05)  # this thread might serve the other, which waits that long

    def check() -> None:
        log: list[int] = []
        channel = scheduler.channel()
        call = channel.receive if operation == "receive" else lambda: channel.send(1)
        for queue_length in (0, 3):
            for n in range(queue_length):
                queued(log.append, n)
            with pytest.raises(RuntimeError, match="Deadlock"):
                call()
            assert log == list(range(queue_length))
            assert (channel.balance, channel.queue) == (0, None)
            assert state(scheduler.getmain()) == READY
            assert scheduler.getruncount() == 1

    check()
    in_thread(check)


@pytest.mark.spec("R-03", "E-23")
def test_an_error_of_the_drive_reaches_a_waiting_main() -> None:
    channel = scheduler.channel()
    queued(lambda: 1 // 0)
    behind = queued(len, "")
    with pytest.raises(ZeroDivisionError):
        channel.receive()
    assert (channel.balance, scheduler.getmain().blocked) == (0, False)
    assert queue() == [behind]
    scheduler.run()


@pytest.mark.spec("R-04", "P-07")
def test_schedule_of_main_drives_until_the_queue_is_empty(mode: str) -> None:
    def job() -> None:
        main_states.append(state(scheduler.getmain()))
        scheduler.schedule()
        queued(main_states.append, "last")

    main_states: list[Any] = []
    queued(job)
    assert scheduler.getruncount() == 2
    assert scheduler.schedule() is None
    assert main_states == [READY, "last"]
    assert scheduler.getruncount() == 1
    assert state(scheduler.getmain()) == READY


@pytest.mark.spec("R-04", "R-12", "18-4")
def test_schedule_requeues_at_the_end(mode: str, drain: Callable) -> None:
    def job(name: str) -> None:
        for step in range(3):
            log.append(f"{name}{step}")
            results.append(scheduler.schedule())

    log: list[str] = []
    results: list[None] = []
    for name in "abc":
        queued(job, name)
    drain()
    assert log == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]
    assert results == [None] * 9


@pytest.mark.spec("R-05")
def test_schedule_remove(mode: str, drain: Callable) -> None:
    def job() -> None:
        log.append("before")
        log.append(scheduler.schedule_remove())
        log.append("after")

    log: list[Any] = []
    task = queued(job)
    drain()
    assert log == ["before"]
    assert state(task) == PAUSED
    task.insert()
    drain()
    assert log == ["before", None, "after"]
    assert state(task) == DEAD


@pytest.mark.spec("R-05", "D-55")
def test_schedule_remove_of_main_drives_like_schedule() -> None:
    log: list[int] = []
    queued(log.append, 1)
    assert scheduler.schedule_remove() is None
    assert log == [1]
    assert state(scheduler.getmain()) == READY


@pytest.mark.spec("R-06", "D-23", "B-21")
@pytest.mark.parametrize("suspend", [scheduler.schedule, scheduler.schedule_remove])
def test_a_refused_suspension_is_forgotten(suspend: Callable[[], None], drain: Callable) -> None:
    def job() -> None:
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            suspend()
        assert state(task) == READY
        log.append("went on")

    log: list[str] = []
    task = queued(job)
    drain()
    assert log == ["went on"]
    assert state(task) == DEAD
    assert task.times_switched_to == 1


# -------------------------------------------------------------------------------------- the drive


@pytest.mark.spec("R-12")
def test_run_takes_what_is_queued_meanwhile(mode: str, drain: Callable) -> None:
    def job(depth: int) -> None:
        log.append(depth)
        if depth:
            queued(job, depth - 1)
            queued(log.append, -depth)

    log: list[int] = []
    queued(job, 2)
    drain()
    assert log == [2, 1, -2, 0, -1]
    assert scheduler.run() is None


@pytest.mark.spec("R-12", "R-13", "P-08", "F-03")
def test_nested_run_drives_only_what_is_behind(mode: str) -> None:
    def job() -> None:
        queued(log.append, "created inside")
        assert scheduler.run() is None
        log.append("job")

    log: list[str] = []
    queued(log.append, "before")
    task = queued(job)
    queued(log.append, "after")
    # Brought to its turn without touching what stands before it.
    (task.run if mode == "nested" else task.switch)()
    if mode == "nested":
        assert log == ["after", "created inside", "job"]
        scheduler.run()
        assert log[3:] == ["before"]
    else:
        assert log == ["after", "created inside", "job", "before"]


@pytest.mark.spec("R-14")
def test_the_range_ends_at_an_entry_not_at_a_count() -> None:
    def remover() -> None:
        last.remove()
        queued(log.append, "added")

    log: list[str] = []
    task = queued(remover)
    queued(log.append, "middle")
    last = queued(log.append, "last")
    task.run()
    assert log == ["middle", "added"]
    assert state(last) == PAUSED
    last.run()
    assert log[2:] == ["last"]


@pytest.mark.spec("R-14")
def test_the_drive_ends_when_its_anchor_leaves_the_list() -> None:
    log: list[str] = []
    a = queued(log.append, "a")

    def job() -> None:
        a.run()
        log.append("b")

    b = queued(job)
    c = queued(log.append, "c")
    b.run()
    assert log == ["a", "b"]
    assert queue() == [c]
    scheduler.run()
    assert log == ["a", "b", "c"]


@pytest.mark.spec("R-15", "B-21", "B-22")
@pytest.mark.parametrize("operation", ["run", "switch"])
def test_a_refused_start_leaves_a_paused_tasklet_as_it_was(operation: str, mode: str) -> None:
    log: list[str] = []
    new = scheduler.tasklet(log.append).bind(None, ("new",))
    suspended = started(lambda: (scheduler.schedule_remove(), log.append("resumed")))
    for task in (new, suspended):
        assert state(task) == PAUSED
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            getattr(task, operation)()
        assert state(task) == PAUSED
        assert scheduler.getruncount() == 1
        getattr(task, operation)()
        assert state(task) == DEAD
    assert log == ["new", "resumed"]


@pytest.mark.spec("R-15", "B-20", "B-21")
@pytest.mark.parametrize(
    "drive",
    [scheduler.run, scheduler.schedule, scheduler.schedule_remove, "run_n_tasklets", "t.run"],
)
def test_a_refused_drive_leaves_the_queue_as_it_was(drive: Any) -> None:
    log: list[int] = []
    tasks = [queued(log.append, n) for n in range(3)]
    named = {"run_n_tasklets": lambda: scheduler.run_n_tasklets(1), "t.run": tasks[1].run}
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        named.get(drive, drive)()
    assert queue() == tasks
    assert [state(task) for task in tasks] == [READY] * 3
    assert [task.times_switched_to for task in tasks] == [0] * 3
    scheduler.run()
    assert log == [0, 1, 2]


@pytest.mark.spec("R-16", "R-10", "E-20")
def test_a_drive_stops_at_the_first_uncaught_exception(mode: str, drain: Callable) -> None:
    def broken() -> None:
        raise ArithmeticError("broken")

    log: list[int] = []
    queued(log.append, 1)
    failing = queued(broken)
    rest = [queued(log.append, n) for n in (2, 3)]
    with pytest.raises(ArithmeticError, match="broken") as caught:
        drain()
    assert [entry.name for entry in caught.traceback][-1] == "broken"
    assert log == [1]
    assert state(failing) == DEAD
    assert queue() == rest
    drain()
    assert log == [1, 2, 3]


@pytest.mark.spec("R-10", "E-20")
@pytest.mark.parametrize(
    "operation", ["run", "schedule", "schedule_remove", "run_n_tasklets", "t.run", "t.switch"]
)
def test_every_driving_operation_raises_what_a_tasklet_raises(operation: str) -> None:
    task = queued(lambda: 1 // 0)
    operations = {
        "run_n_tasklets": lambda: scheduler.run_n_tasklets(5),
        "t.run": task.run,
        "t.switch": task.switch,
    }
    with pytest.raises(ZeroDivisionError):
        operations.get(operation, getattr(scheduler, operation, None))()
    assert scheduler.getcurrent().is_main
    assert state(task) == DEAD
    assert scheduler.getruncount() == 1


@pytest.mark.spec("R-10", "E-20", "E-16")
def test_an_error_goes_to_the_nearest_driver(drain: Callable) -> None:
    def broken() -> None:
        raise LookupError

    def driver(level: int) -> None:
        task = queued(driver, level - 1) if level else queued(broken)
        try:
            task.run()
        except LookupError:
            log.append(f"caught at {level}")
            raise

    log: list[str] = []
    queued(driver, 2)
    with pytest.raises(LookupError):
        drain()
    assert log == ["caught at 0", "caught at 1", "caught at 2"]
    assert scheduler.getruncount() == 1


@pytest.mark.spec("R-11", "E-12", "B-03")
def test_a_tasklet_killed_before_its_first_turn_gets_none(mode: str, drain: Callable) -> None:
    log: list[str] = []
    task = queued(log.append, "never")
    task.kill(pending=True)
    assert state(task) == READY
    with SwitchLog(task=task) as switches:
        drain()
    assert (log, switches) == ([], [])
    assert state(task) == DEAD
    assert (task.times_switched_to, task.startTime, task.endTime) == (0, 0, 0)


@pytest.mark.spec("R-11", "R-10", "D-29", "D-58")
def test_an_exception_waiting_for_a_new_tasklet_comes_out_of_the_drive(
    mode: str, drain: Callable
) -> None:
    log: list[str] = []
    task = queued(log.append, "never")
    behind = queued(log.append, "behind")
    task.throw(KeyError, "k", pending=True)
    with SwitchLog(task=task, behind=behind) as switches:
        with pytest.raises(KeyError, match="k"):
            drain()
    assert switches == []
    assert state(task) == DEAD
    assert queue() == [behind]
    drain()
    assert log == ["behind"]
    # Nothing of it stays behind for the next life (D-58).
    task.bind(log.append)("second life")
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        drain()
    assert queue() == [task]
    drain()
    assert log == ["behind", "second life"]


@pytest.mark.spec("R-20", "E-10", "P-22")
@pytest.mark.parametrize("operation", ["kill", "throw", "raise_exception"])
def test_immediate_operations_also_run_what_is_queued_behind(operation: str) -> None:
    def victim() -> None:
        try:
            scheduler.schedule()
        except ValueError:
            log.append("caught")

    log: list[str] = []
    before = queued(log.append, "before")
    task = queued(victim)
    task.run()
    queued(log.append, "behind")
    getattr(task, operation)(*(() if operation == "kill" else (ValueError,)))
    assert log == (["behind"] if operation == "kill" else ["caught", "behind"])
    assert queue() == [before]
    scheduler.run()
    assert log[-1] == "before"


@pytest.mark.spec("R-10", "C-22")
def test_a_served_main_goes_on_before_the_rest_of_the_queue(mode: str) -> None:
    log: list[Any] = []
    channel = scheduler.channel()
    channel.preference = 0
    queued(log.append, "one")
    queued(channel.send, "letter")
    behind = queued(log.append, "two")
    assert channel.receive() == "letter"
    assert log == ["one"]
    assert queue() == [behind]
    scheduler.run()


@pytest.mark.spec("R-02", "R-12")
def test_resuming_under_another_driver_changes_the_parent() -> None:
    def yielder() -> None:
        scheduler.schedule()
        log.append("resumed")
        raise LookupError

    def first_driver() -> None:
        task.run()
        log.append("first driver done")

    log: list[str] = []
    task = scheduler.tasklet(yielder).bind(None, ())
    queued(first_driver).run()
    assert log == ["first driver done"]
    with pytest.raises(LookupError):  # its first driver has ended: the error is main's now
        scheduler.run()
    assert log == ["first driver done", "resumed"]


@pytest.mark.spec("R-12", "S-04")
def test_deeply_nested_drives(mode: str) -> None:
    def job(depth: int) -> None:
        if depth:
            task = queued(job, depth - 1)
            task.run()
            counts.append(scheduler.getruncount())

    counts: list[int] = []
    queued(job, 50)
    scheduler.run()
    assert scheduler.getruncount() == 1
    assert len(counts) == 50
    if mode == "nested":
        assert counts == list(range(51, 1, -1))
