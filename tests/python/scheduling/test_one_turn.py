"""One turn for exactly one tasklet: resume(), and kill(), throw() and raise_exception() with alone=True."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import channel, queue, queued, state, trapped
from support.tasklet_states import DEAD
from support.threads import Worker, in_thread
from support.waiting import wait

pytestmark = [pytest.mark.spec("DEC-21"), pytest.mark.usefixtures("mode")]

READY = (True, False, True, False)
BLOCKED = (True, True, False, False)
PAUSED = (True, False, False, True)


def started(function: Callable[..., Any], *args: Any) -> scheduler.tasklet:
    task = queued(function, *args)
    task.resume()
    return task


def yielding(log: list[str], name: str, turns: int = 2) -> None:
    for _ in range(turns):
        log.append(name)
        scheduler.schedule()


# ---- resume(): who runs --------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_of_the_queue_has_one_turn(place: int) -> None:
    log: list[str] = []
    tasks = [queued(yielding, log, name) for name in "abc"]
    assert tasks[place].resume() is None
    assert log == ["abc"[place]]
    assert [task.times_switched_to for task in tasks] == [index == place for index in range(3)]
    # It has yielded: to the end of the queue.
    assert queue() == [*tasks[:place], *tasks[place + 1 :], tasks[place]]
    scheduler.run()


def ends(_log: list[str]) -> None:
    pass


def leaves(_log: list[str]) -> None:
    scheduler.schedule_remove()


def is_blocked(_log: list[str]) -> None:
    scheduler.channel().receive()


@pytest.mark.parametrize(
    "function, then",
    [(ends, DEAD), (yielding, READY), (leaves, PAUSED), (is_blocked, BLOCKED)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_caller_goes_on_whatever_the_turn_ends_in(
    function: Callable[..., Any], then: tuple[bool, ...]
) -> None:
    log: list[str] = []
    args = (log, "target") if function is yielding else (log,)
    target, behind = queued(function, *args), queued(yielding, log, "behind")
    target.resume()
    assert state(target) == then
    assert (behind.times_switched_to, "behind" in log) == (0, False)
    target.kill(alone=True)
    scheduler.run()


@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("sends", [True, False])
def test_whom_it_serves_waits_for_another_occasion(preference: int, sends: bool) -> None:
    line = channel(preference)
    log: list[str] = []

    def serve(name: str, sends: bool) -> None:
        line.send(name) if sends else line.receive()
        log.append(name)

    partner = started(serve, "partner", not sends)
    target = queued(serve, "target", sends)
    behind = queued(yielding, log, "behind")
    target.resume()
    goes_on = preference == 0 or (preference == 1) == sends
    assert log == (["target"] if goes_on else [])
    assert (partner.scheduled, partner.times_switched_to) == (True, 1)
    assert behind.times_switched_to == 0
    scheduler.run()


def test_a_tasklet_gives_another_one_a_turn() -> None:
    log: list[str] = []

    def caller() -> None:
        log.append("before")
        target.resume()
        log.append("after")
        scheduler.schedule()
        log.append("next turn")

    driver = queued(caller)
    queued(yielding, log, "between", 1)
    target = queued(yielding, log, "target")
    driver.resume()
    assert log == ["before", "target", "after"]
    scheduler.run()
    assert log == ["before", "target", "after", "between", "target", "next turn"]


def test_fifty_deep() -> None:
    log: list[int] = []

    def deeper(level: int) -> None:
        log.append(level)
        if level < 50:
            queued(deeper, level + 1).resume()
        log.append(-level)
        scheduler.schedule()

    bystander = queued(yielding, [], "bystander")
    queued(deeper, 0).resume()
    assert log == [*range(51), *(-level for level in reversed(range(51)))]
    assert bystander.times_switched_to == 0
    scheduler.run()


def test_what_it_runs_itself_runs_in_its_turn() -> None:
    log: list[str] = []
    own = scheduler.tasklet().bind(yielding, (log, "own", 1))
    target = queued(lambda: (own.resume(), log.append("target")))
    behind = queued(yielding, log, "behind", 1)
    target.resume()
    assert log == ["own", "target"]
    assert behind.scheduled
    scheduler.run()


def test_one_outside_the_queue_is_appended_first() -> None:
    log: list[str] = []
    new = scheduler.tasklet().bind(yielding, (log, "new"))
    removed = queued(yielding, log, "removed").remove()
    behind = queued(yielding, log, "behind", 1)
    new.resume()
    removed.resume()
    assert log == ["new", "removed"]
    assert queue() == [behind, new, removed]
    scheduler.run()


def test_five_thousand_others_have_no_turn() -> None:
    agents = [queued(yielding, [], "agent") for _ in range(5_000)]
    agents[10].resume()
    agents[11].kill(alone=True)
    turns = [agent.times_switched_to for agent in agents]
    assert (turns[10], sum(turns), agents[11].alive) == (1, 1, False)
    scheduler.run()


def test_a_limited_run_counts_the_turns_it_gives_itself() -> None:
    log: list[str] = []
    target = scheduler.tasklet().bind(yielding, (log, "target", 3))

    def resume_it() -> None:
        target.resume()
        target.resume()

    queued(resume_it)
    queued(yielding, log, "behind", 1)
    scheduler.run_n_tasklets(2)
    assert log == ["target", "target", "behind"]
    scheduler.run()


def test_mail_that_lets_another_one_go_first_does_not_come_between() -> None:
    line = scheduler.channel()
    got: list[int] = []
    receiver = started(lambda: got.append(line.receive()))
    log: list[str] = []
    target = queued(yielding, log, "target")
    in_thread(line.send, 1)  # prefers the receiver, which its own thread queues in front
    target.resume()
    assert (log, got, receiver.scheduled) == (["target"], [], True)
    scheduler.run()
    assert got == [1]


def test_a_tasklet_that_is_unwound_can_resume() -> None:
    log: list[str] = []
    other = queued(yielding, log, "other")

    def work() -> None:
        try:
            scheduler.schedule_remove()
        finally:
            other.resume()
            log.append("cleaned up")

    task = started(work)
    log.clear()
    task.bind(None)
    assert log == ["other", "cleaned up"]
    other.kill(alone=True)


# ---- resume(): exceptions ------------------------------------------------------------------------


def test_what_the_tasklet_does_not_catch_comes_out() -> None:
    def fail() -> None:
        raise KeyError("mine")

    target, behind = queued(fail), queued(yielding, [], "behind")
    with pytest.raises(KeyError, match="mine"):
        target.resume()
    assert (state(target), behind.times_switched_to) == (DEAD, 0)
    target.bind(lambda: scheduler.getcurrent().kill())().resume()  # TaskletExit does not
    assert state(target) == DEAD
    scheduler.run()


def test_it_comes_out_in_the_tasklet_that_has_resumed() -> None:
    caught: list[BaseException] = []

    def fail() -> None:
        raise KeyError("mine")

    def caller() -> None:
        try:
            queued(fail).resume()
        except KeyError as error:
            caught.append(error)

    queued(caller).resume()
    assert [str(error) for error in caught] == ["'mine'"]
    scheduler.run()


def test_what_is_pending_on_a_new_one_is_raised_without_a_turn() -> None:
    log: list[str] = []
    thrown, killed = queued(yielding, log, "thrown"), queued(yielding, log, "killed")
    behind = queued(yielding, log, "behind", 1)
    thrown.throw(KeyError, "early", pending=True)
    killed.kill(pending=True)
    with pytest.raises(KeyError, match="early"):
        thrown.resume()
    assert killed.resume() is None
    assert (state(thrown), state(killed), log) == (DEAD, DEAD, [])
    assert behind.scheduled
    scheduler.run()


# ---- resume(): whom it refuses -------------------------------------------------------------------


def refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        call()


def test_targets_that_cannot_have_a_turn() -> None:
    refused(started(len, "").resume, "dead, for it has ended")
    refused(scheduler.tasklet().resume, "nothing to run")
    refused(scheduler.tasklet(len).resume, "call it first")
    blocked = started(scheduler.channel().receive)
    refused(blocked.resume, "blocked")
    assert blocked.blocked
    blocked.kill()
    refused(scheduler.getmain().resume, "has its turn already")


def test_the_current_one_and_main_from_a_tasklet() -> None:
    log: list[BaseException] = []

    def work() -> None:
        for task in (scheduler.getcurrent(), scheduler.getmain()):
            try:
                task.resume()
            except RuntimeError as error:
                log.append(error)

    queued(work).resume()
    assert ["turn already" in str(log[0]), "main tasklet" in str(log[1])] == [True, True]


def test_one_that_waits_for_the_current_one(mode: str) -> None:
    caught: list[type] = []

    def back(task: scheduler.tasklet) -> None:
        try:
            task.resume()
        except (ValueError, RuntimeError) as error:
            caught.append(type(error))

    def caller() -> None:
        queued(back, scheduler.getcurrent()).resume()

    queued(caller).resume()
    assert caught == [ValueError if mode == "nested" else RuntimeError]


def test_one_of_another_thread() -> None:
    ready, done = threading.Event(), threading.Event()
    tasks: list[scheduler.tasklet] = []

    def work() -> None:
        tasks.append(queued(len, ""))
        ready.set()
        wait(done)
        scheduler.run()

    worker = Worker(work)
    wait(ready)
    refused(tasks[0].resume, "another thread")
    refused(lambda: tasks[0].kill(alone=True), "another thread")
    refused(lambda: tasks[0].throw(KeyError, alone=True), "another thread")
    done.set()
    worker.join()
    refused(tasks[0].resume, "has ended")


def test_traps_and_callbacks_refuse_it() -> None:
    task = queued(yielding, [], "task")
    with trapped():
        refused(task.resume, "switch_trap")
        refused(lambda: task.kill(alone=True), "switch_trap")
    answers = []

    def callback(_previous: object, _following: object) -> None:
        answers.append(outcome(task.resume))

    scheduler.set_schedule_callback(callback)
    queued(len, "").resume()
    scheduler.set_schedule_callback(None)
    assert answers == [RuntimeError, RuntimeError]
    task.kill()


# ---- the schedule callback -----------------------------------------------------------------------


def test_the_schedule_callback_is_told_of_both_switches() -> None:
    log: list[tuple[Any, Any]] = []
    target = queued(yielding, [], "target")
    main = scheduler.getmain()
    scheduler.set_schedule_callback(lambda *pair: log.append(pair))
    target.resume()
    scheduler.set_schedule_callback(None)
    assert log == [(main, target), (target, main)]
    target.kill()


@contextlib.contextmanager
def first_switch_calls(function: Callable[[], object]) -> Any:
    def callback(*_pair: object) -> None:
        scheduler.set_schedule_callback(None)
        function()

    scheduler.set_schedule_callback(callback)
    try:
        yield
    finally:
        scheduler.set_schedule_callback(None)


def test_a_callback_that_removes_the_target() -> None:
    log: list[str] = []
    target = queued(yielding, log, "target")
    with first_switch_calls(lambda: target.remove()):
        target.resume()
    assert (log, state(target)) == (["target"], READY)
    target.kill()


def test_a_callback_that_ends_the_target_before_it_has_begun() -> None:
    log: list[str] = []
    target = queued(yielding, log, "target")
    with first_switch_calls(lambda: target.kill(pending=True)):
        target.resume()
    assert (log, state(target)) == ([], DEAD)


def test_a_callback_that_sets_a_trap() -> None:
    target = queued(yielding, [], "target")
    with first_switch_calls(lambda: scheduler.switch_trap(1)):
        refused(target.resume, "switch_trap")
    scheduler.switch_trap(-1)
    assert target.times_switched_to == 0
    target.kill()


# ---- kill, throw and raise_exception with alone=True ----------------------------------------------


def kill(task: scheduler.tasklet) -> None:
    task.kill(alone=True)


def throw(task: scheduler.tasklet) -> None:
    task.throw(scheduler.TaskletExit, alone=True)


def raise_exception(task: scheduler.tasklet) -> None:
    task.raise_exception(scheduler.TaskletExit, alone=True)


@pytest.mark.parametrize("end", [kill, throw, raise_exception], ids=lambda end: end.__name__)
def test_only_the_victim_runs(end: Callable[[scheduler.tasklet], None]) -> None:
    log: list[str] = []

    def work(wait_here: Callable[[], object]) -> None:
        try:
            wait_here()
        finally:
            log.append("cleaned up")

    for wait_here in (scheduler.schedule, scheduler.channel().receive, scheduler.schedule_remove):
        victim, behind = started(work, wait_here), queued(yielding, [], "behind")
        log.clear()
        end(victim)
        assert (state(victim), log, behind.times_switched_to) == (DEAD, ["cleaned up"], 0)
        behind.kill()
    new, behind = queued(work, scheduler.schedule), queued(yielding, [], "behind")
    log.clear()
    end(new)
    assert (state(new), log, behind.times_switched_to) == (DEAD, [], 0)
    behind.kill()


def test_a_victim_that_goes_on_has_that_turn_alone() -> None:
    log: list[str] = []

    def stubborn() -> None:
        try:
            scheduler.schedule()
        except scheduler.TaskletExit:
            log.append("caught")
            scheduler.schedule()
            log.append("next turn")

    victim = queued(stubborn)
    victim.resume()
    behind = queued(yielding, log, "behind", 1)
    victim.kill(alone=True)
    assert log == ["caught"]
    assert queue() == [behind, victim]
    scheduler.run()
    assert log == ["caught", "behind", "next turn"]


def test_an_exception_that_the_victim_lets_out_comes_out_of_the_call() -> None:
    victim, behind = queued(yielding, [], "victim"), queued(yielding, [], "behind")
    victim.resume()
    with pytest.raises(KeyError, match="for you"):
        victim.throw(KeyError, "for you", alone=True)
    assert (state(victim), behind.times_switched_to) == (DEAD, 0)
    scheduler.run()


def test_without_the_keyword_those_behind_run_as_ever(mode: str) -> None:
    victim, behind = queued(yielding, [], "victim"), queued(yielding, [], "behind")
    victim.kill()
    assert behind.times_switched_to == (1 if mode == "nested" else 3)
    scheduler.run()


def test_alone_on_oneself_and_on_the_dead() -> None:
    with pytest.raises(scheduler.TaskletExit):
        scheduler.getmain().kill(alone=True)
    dead = started(len, "")
    assert dead.kill(alone=True) is None
    assert dead.throw(scheduler.TaskletExit, alone=True) is None
    refused(lambda: dead.throw(KeyError, alone=True), "dead")


def test_pending_and_alone_exclude_each_other() -> None:
    task = queued(yielding, [], "task")
    with pytest.raises(ValueError, match="exclude each other"):
        task.kill(pending=True, alone=True)
    with pytest.raises(ValueError, match="exclude each other"):
        task.throw(KeyError, pending=True, alone=True)
    assert task.alive
    task.kill()
