"""Defects found by looking for trouble: code of the program that runs at awkward moments.

Destructors, properties, callbacks and collections that come in the middle of an operation, and that
use, bind, run or drop the very tasklets the operation is about.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import queued, started
from support.threads import in_thread


class Dropped:
    """Calls `action` when the last reference goes away; callable, so that it can be bound."""

    def __init__(self, action: Callable[[], Any]) -> None:
        self._action = action

    def __call__(self) -> None:
        """A target that does nothing."""

    def __del__(self) -> None:
        self._action()


class Unwound:
    """The body of a tasklet that leaves the queue, and notes in `log` how it came to its end."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def __call__(self) -> None:
        try:
            scheduler.schedule_remove()
            self.log.append("resumed")
        finally:
            self.log.append("ended")


@contextlib.contextmanager
def at_second_switch(action: Callable[[], Any], tasklets: int = 2) -> Iterator[list[Any]]:
    """Runs some tasklets; `action` is called as the first one ends. Yields its outcome in a list.

    At that moment the code runs on the stack of a tasklet whose turn is over already.
    """
    outcomes: list[Any] = []
    count = 0

    def callback(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == 2:
            outcomes.append(outcome(action))

    for _ in range(tasklets):
        queued(len, "")
    scheduler.set_schedule_callback(callback)
    try:
        scheduler.run()
    finally:
        scheduler.set_schedule_callback(None)
    yield outcomes


def in_context_of(value: Any, function: Callable[..., Any], *args: Any) -> scheduler.tasklet:
    """A queued tasklet whose context alone holds `value`: it goes when the tasklet has ended."""
    context = contextvars.Context()
    context.run(contextvars.ContextVar("held").set, value)
    return scheduler.tasklet(function).set_context(context)(*args)


# ---- the schedule callback, in the middle of a switch --------------------------------------------


@pytest.mark.spec("B-02", "T-18")
@pytest.mark.parametrize(
    "action",
    [
        lambda task: task.bind(None),
        lambda task: task.bind(len, ("",)),
        lambda task: task.bind(len)(""),
    ],
    ids=["unbind", "bind", "setup"],
)
def test_a_suspended_tasklet_is_not_unwound_inside_the_schedule_callback(action):
    body = Unwound()
    task = started(body)
    with at_second_switch(lambda: action(task)) as outcomes:
        assert outcomes == [RuntimeError]
        assert (task.alive, task.paused, body.log) == (True, True, [])
    task.run()
    assert body.log == ["resumed", "ended"]


@pytest.mark.spec("B-02", "T-18", "DEC-8")
def test_a_tasklet_dropped_inside_the_schedule_callback_is_unwound_after_the_switch():
    body = Unwound()
    box = [started(body)]
    last = queued(len, "")
    last.remove()

    def drop() -> None:
        box.clear()
        last.kill(pending=True)  # drops what was put aside, but not in the middle of a switch
        body.log.append("callback")

    with at_second_switch(drop):
        assert body.log == ["callback", "ended"]


@pytest.mark.spec("B-02", "T-18", "DEC-8")
def test_a_tasklet_brought_back_to_life_inside_the_schedule_callback_goes_on():
    class Referable(scheduler.tasklet):
        """Its weak references outlive its finalizer."""

    body = Unwound()
    box = [Referable(body)()]
    box[0].run()
    reference = weakref.ref(box[0])

    def drop_and_insert() -> None:
        box.clear()
        task = reference()
        if task is not None:
            task.insert()

    with at_second_switch(drop_and_insert, tasklets=1) as outcomes:
        assert outcomes == [None]
    scheduler.run()
    gc.collect()
    assert reference() is None
    assert body.log[-1] == "ended"


@pytest.mark.spec("B-02", "C-10", "C-14")
def test_a_transfer_inside_the_schedule_callback_leaves_that_of_the_tasklet_alone():
    got: list[str] = []
    ch, notes = scheduler.channel(), scheduler.channel()
    notes.preference = 0
    reader = started(lambda: got.append(notes.receive()))
    sender = queued(ch.send, "value")
    scheduler.set_schedule_callback(
        lambda prev, _: notes.send("note") if prev is sender and notes.balance < 0 else None
    )
    sender.run()
    scheduler.set_schedule_callback(None)
    assert ch.receive() == "value"
    scheduler.run()
    assert (got, reader.alive) == (["note"], False)


# ---- destructors that run before a transfer has returned -----------------------------------------


@pytest.mark.spec("C-11", "C-14")
def test_a_destructor_that_sends_does_not_overwrite_what_a_tasklet_has_received():
    got: list[str] = []
    ch, notes = scheduler.channel(), scheduler.channel()
    ch.preference = notes.preference = 0
    reader = started(lambda: got.append(notes.receive()))
    receiver = started(lambda: got.append(ch.receive()))
    in_context_of(Dropped(lambda: notes.send("dropped")), ch.send, "value")
    scheduler.run()  # the receiver is next after the sender, whose context it has to drop
    assert (sorted(got), reader.alive, receiver.alive) == (["dropped", "value"], False, False)


@pytest.mark.spec("C-10", "C-11", "E-23")
@pytest.mark.parametrize("wait", [lambda ch: ch.receive(), lambda ch: ch.send("unsent")])
def test_a_destructor_may_wait_when_mains_own_wait_has_failed(wait):
    def fail() -> None:
        raise OSError("ends main's wait")

    got: list[str] = []
    ch, other = scheduler.channel(), scheduler.channel()
    in_context_of(Dropped(lambda: got.append(other.receive())), fail)
    queued(other.send, "late")
    with pytest.raises(OSError, match="ends main's wait"):
        wait(ch)
    assert (got, ch.balance, other.balance) == (["late"], 0, 0)
    scheduler.run()


# ---- code that comes between the checks of an operation and what it does -------------------------


@pytest.mark.spec("T-19", "D-20")
def test_bind_is_refused_when_its_callables_attributes_got_the_tasklet_going():
    class Callable_:
        """Its name is looked up by bind()."""

        def __call__(self) -> None:
            """Never called."""

        @property
        def __name__(self) -> str:
            if not log:
                log.append("yield")
                scheduler.schedule()
            return "name"

    def drive_the_binder() -> None:
        scheduler.schedule_remove()
        binder.run()
        log.append("driver goes on")

    log: list[Any] = []
    task = started(drive_the_binder)
    binder = started(lambda: log.append(outcome(task.bind, Callable_(), ())))
    binder.remove()
    task.run()
    assert log == ["yield", RuntimeError, "driver goes on"]
    assert (task.alive, binder.alive) == (False, False)
    task.bind(None)


@pytest.mark.spec("T-19", "T-18")
def test_dropping_a_pending_exception_may_run_the_tasklet_that_is_bound_again():
    class Refused(Exception):
        """Runs the tasklet when it is dropped."""

        def __del__(self) -> None:
            log.append(outcome(task.run))

    log: list[Any] = []
    body = Unwound()
    task = started(body)
    task.throw(Refused, pending=True)
    task.remove()
    task.bind(log.append, ("new",))
    task.run()
    assert body.log == ["ended"]
    assert log[-1] == "new"


@pytest.mark.spec("T-17", "G-05")
def test_dropping_the_callable_of_an_unbound_tasklet_may_bind_it_again():
    log: list[str] = []
    task = scheduler.tasklet()
    task.bind(Dropped(lambda: task.bind(log.append, ("new",))))
    task.bind(None)
    assert (task.alive, task.method_name) == (True, "append")
    task.run()
    assert log == ["new"]


@pytest.mark.spec("E-10", "T-17", "T-19")
@pytest.mark.parametrize(
    "action",
    [
        lambda task: task.kill(),
        lambda task: task.kill(pending=True),
        lambda task: task.bind(None),
        lambda task: task.bind(len, ("",)),
        lambda task: task.bind(len)(""),
    ],
    ids=["kill", "pending kill", "unbind", "bind", "setup"],
)
def test_a_collection_inside_an_operation_may_run_the_tasklet(action):
    def collect_early(threshold: int) -> None:
        task = started(scheduler.schedule_remove)
        gc.collect()
        finalizer = Dropped(lambda: outcome(task.run))
        finalizer.me = finalizer
        del finalizer
        gc.set_threshold(threshold)
        gc.enable()
        try:
            outcome(action, task)
        finally:
            gc.disable()
            gc.set_threshold(*thresholds)
        scheduler.run()
        gc.collect()
        task.kill()
        task.bind(None)

    enabled, thresholds = gc.isenabled(), gc.get_threshold()
    gc.disable()
    try:
        for threshold in range(1, 40):
            collect_early(threshold)
    finally:
        if enabled:
            gc.enable()
    assert scheduler.getruncount() == 1


@pytest.mark.spec("B-20", "B-22")
def test_a_collection_when_a_turn_is_refused_does_not_switch():
    def end_trapped(threshold: int) -> None:
        log: list[Any] = []
        task = queued(log.append, "ran")
        task.remove()

        def switch() -> None:
            scheduler.switch_trap(-1)
            outcome(task.run)
            scheduler.switch_trap(1)

        def body() -> None:
            gc.enable()
            gc.collect()
            finalizer = Dropped(switch)
            finalizer.me = finalizer
            del finalizer
            scheduler.switch_trap(1)
            gc.set_threshold(threshold)

        queued(body)
        queued(len, "")
        refused = outcome(scheduler.run)
        gc.disable()
        gc.set_threshold(*thresholds)
        gc.collect()
        scheduler.switch_trap(-scheduler.switch_trap(0))
        scheduler.run()
        if task.alive:
            task.run()
        assert (refused, log) == (RuntimeError, ["ran"])

    enabled, thresholds = gc.isenabled(), gc.get_threshold()
    try:
        for threshold in range(1, 30):
            end_trapped(threshold)
    finally:
        gc.set_threshold(*thresholds)
        if enabled:
            gc.enable()


# ---- the end of tasklets -------------------------------------------------------------------------


class Forgetful(scheduler.tasklet):
    """Its __del__ does not call the one of its base."""

    def __del__(self) -> None:
        pass


@pytest.mark.spec("T-18", "DEC-8", "D-52")
def test_a_tasklet_in_a_cycle_is_unwound_whatever_its_subclass_forgets():
    def body() -> None:
        me = scheduler.getcurrent()  # noqa: F841 (the cycle)
        unwound()

    unwound = Unwound()
    task = Forgetful(body)()
    task.run()
    reference = weakref.ref(task)
    del task
    gc.collect()
    assert (reference(), unwound.log) == (None, ["ended"])


@pytest.mark.spec("T-18", "T-20", "DEC-8", "D-52")
def test_a_tasklet_that_was_finalised_once_is_unwound_a_second_time():
    def escape() -> None:
        me = scheduler.getcurrent()
        try:
            scheduler.schedule_remove()
        except scheduler.TaskletExit:
            escaped.append(me)

    def body() -> None:
        me = scheduler.getcurrent()  # noqa: F841 (the cycle)
        unwound()

    escaped: list[scheduler.tasklet] = []
    unwound = Unwound()
    task = started(escape)
    del task
    gc.collect()
    task = escaped.pop()
    task.bind(body)()
    task.run()
    reference = weakref.ref(task)
    del task
    gc.collect()
    assert (reference(), unwound.log) == (None, ["ended"])


@pytest.mark.spec("G-04", "G-05")
def test_a_long_chain_of_tasklets_that_hold_each_other_is_dropped(run_script):
    done = run_script(
        """
        import scheduler
        task = scheduler.tasklet(len)
        for _ in range(200_000):
            task = scheduler.tasklet(task)
        del task
        print(scheduler.get_active_tasklet_count())
        """
    )
    assert done.stdout == "1\n"


@pytest.mark.spec("T-18", "DEC-8", "H-01")
def test_an_error_on_its_way_survives_the_end_of_another_threads_tasklet():
    box = [started(scheduler.schedule_remove)]

    def fail() -> Any:
        return outcome(lambda: len(box.pop()))  # TypeError; the tasklet goes while it is raised

    assert in_thread(fail) is TypeError
    scheduler.run()


@pytest.mark.spec("T-18", "DEC-8")
def test_what_prevents_the_making_of_the_exit_exception_unwinds_instead(monkeypatch, unraisable):
    def fail(*_: Any) -> None:
        raise MemoryError("no room for TaskletExit")

    before = scheduler.get_active_tasklet_count()
    body = Unwound()
    task = started(body)
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.TaskletExit, "__init__", fail, raising=False)
        del task
    assert body.log == ["ended"]
    assert scheduler.get_active_tasklet_count() == before
    assert [entry.message for entry in unraisable] == ["no room for TaskletExit"]


# ---- arguments -----------------------------------------------------------------------------------


@pytest.mark.spec("E-05", "C-30")
@pytest.mark.parametrize("immediate", [True, False], ids=["immediate", "pending"])
def test_only_exceptions_pass_for_instances_of_an_exception_class(immediate):
    class Everything(type):
        """Claims every object as an instance."""

        def __instancecheck__(cls, _: Any) -> bool:
            return True

    class Claimed(Exception, metaclass=Everything):
        """Raised below."""

    task = queued(len, "")
    with pytest.raises(Claimed) as caught:
        task.throw(Claimed, 5, pending=not immediate)
        scheduler.run()
    assert (caught.type, caught.value.args) == (Claimed, (5,))


@pytest.mark.spec("B-20", "D-36")
def test_the_switch_trap_level_does_not_wrap():
    largest = 2**31 - 1
    scheduler.switch_trap(largest)
    assert outcome(scheduler.switch_trap, 1) is OverflowError
    assert scheduler.switch_trap(-largest) == largest


@pytest.mark.spec("S-08")
def test_a_lower_recursion_limit_leaves_suspended_tasklets_able_to_go_on():
    log: list[str] = []

    def body() -> None:
        scheduler.schedule_remove()
        log.append(str(len(log)))

    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(100_000)
        task = started(body)
        sys.setrecursionlimit(before)
        task.run()
    finally:
        sys.setrecursionlimit(before)
    assert log == ["0"]


# ---- limited runs --------------------------------------------------------------------------------


@pytest.mark.spec("L-01", "L-03")
def test_the_limit_of_a_run_inside_a_tasklet_does_not_outlive_its_suspension():
    log: list[str] = []

    def body() -> None:
        in_context_of(Dropped(scheduler.schedule_remove), len, "")
        scheduler.run_n_tasklets(1)  # suspended by the destructor when its run is over
        log.append("body")

    task = started(body)
    queued(log.append, "other")
    scheduler.run()
    assert log == ["other"]
    task.run()
    assert log == ["other", "body"]


@pytest.mark.spec("B-02", "L-01")
def test_a_limited_run_that_is_refused_leaves_the_limit_alone():
    for _ in range(3):
        queued(len, "")
    outcomes: list[Any] = []
    scheduler.set_schedule_callback(
        lambda *_: outcomes.append(outcome(scheduler.run_n_tasklets, 100))
    )
    scheduler.run_n_tasklets(1)
    scheduler.set_schedule_callback(None)
    assert (outcomes, scheduler.getruncount()) == ([RuntimeError] * 2, 3)
    scheduler.run()


@pytest.mark.spec("L-01", "C-11")
def test_a_destructor_may_wait_when_the_limit_of_mains_run_has_run_out():
    got: list[str] = []
    ch = scheduler.channel()
    in_context_of(Dropped(lambda: got.append(ch.receive())), len, "")
    queued(ch.send, "late")
    scheduler.run_n_tasklets(1)
    assert got == ["late"]
    scheduler.run()
