"""Small courses of events, repeated: none may leave objects behind."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import scheduler
from support import capi_table
from support.exceptions import outcome
from support.leak_check import assert_no_growth
from support.scheduling import channel, queued, started, trapped
from support.threads import in_thread

SCENARIOS: dict[str, Callable[[], None]] = {}


def scenario(function: Callable[[], None]) -> Callable[[], None]:
    SCENARIOS[function.__name__] = function
    return function


class Token:
    """Something of its own for every use, which the collector counts."""


class Unnoted(ValueError):
    """CPython 3.13t leaks a block for each exception with a note, in a program without this module too."""

    def add_note(self, note: str) -> None:
        pass


def token_returning(*_: Any) -> Token:
    return Token()


# ------------------------------------------------------------------------------- tasklets


@scenario
def nothing_happens() -> None:
    scheduler.run()


@scenario
def a_tasklet_is_made_and_dropped() -> None:
    scheduler.tasklet(token_returning)


@scenario
def a_tasklet_is_bound_and_dropped() -> None:
    scheduler.tasklet().bind(token_returning, (Token(),), {"a": Token()})


@scenario
def a_tasklet_returns_a_value() -> None:
    queued(token_returning, Token())
    scheduler.run()


@scenario
def a_tasklet_yields() -> None:
    queued(lambda token: (scheduler.schedule(), scheduler.schedule()), Token())
    scheduler.run()


@scenario
def a_tasklet_lives_again() -> None:
    task = scheduler.tasklet()
    for _ in range(3):
        task.bind(token_returning)(Token())
        scheduler.run()
        task.bind(token_returning, (Token(),)).run()
    task.bind(None)


@scenario
def init_is_called_twice() -> None:
    task = scheduler.tasklet(lambda token=Token(): token)
    task.__init__(token_returning)
    task.setup(Token())
    task.kill()


@scenario
def a_subclass_with_attributes() -> None:
    class Robot(scheduler.tasklet):
        pass

    robot = Robot(token_returning)
    robot.itself = robot
    robot(Token())
    scheduler.run()
    del robot, Robot
    gc.collect()


@scenario
def setup_is_refused() -> None:
    task = queued(token_returning)
    outcome(task.setup, Token())
    outcome(task.bind, Token(), ())
    outcome(task.bind, token_returning, [Token()])
    outcome(scheduler.tasklet, Token())
    outcome(scheduler.tasklet, token_returning, Token())
    scheduler.run()


@scenario
def remove_and_insert() -> None:
    task = queued(token_returning)
    for _ in range(3):
        task.remove().remove()
        task.insert().insert()
    scheduler.run()


@scenario
def switch() -> None:
    caller = queued(lambda: queued(token_returning).switch())
    scheduler.run()
    caller.insert()
    scheduler.run()
    scheduler.tasklet(token_returning).bind(None, ()).switch()


@scenario
def nested_runs() -> None:
    def nest(depth: int) -> None:
        if depth:
            queued(nest, depth - 1).run()

    queued(nest, 5)
    scheduler.run()


@scenario
def flat_mode() -> None:
    scheduler.set_use_nested_tasklets(False)
    queued(lambda: queued(token_returning).run())
    scheduler.run()
    scheduler.set_use_nested_tasklets(True)


@scenario
def limited_runs() -> None:
    for _ in range(3):
        queued(scheduler.schedule)
    while scheduler.getruncount() > 1:
        scheduler.run_n_tasklets(1)
        capi_table.run_with_timeout(0)


@scenario
def reading_every_attribute() -> None:
    task = started(scheduler.schedule_remove)
    for name in dir(task):
        getattr(task, name)
    repr(task)
    task.context = "text"
    task.parent_callsite = "place"
    task.runTime = 1.5
    task.kill()


@scenario
def results_are_asked_for() -> None:
    def fail() -> None:
        scheduler.schedule()
        raise Unnoted(Token())

    tasks = [queued(token_returning), queued(fail), started(scheduler.schedule_remove)]
    askers = [queued(outcome, task.result, timeout) for task in tasks for timeout in (None, 0)]
    scheduler.run()
    tasks[2].kill()
    scheduler.run()
    assert not any(asker.alive for asker in askers)
    for task in tasks:
        outcome(task.result)
    tasks[0].bind(token_returning)(Token())
    scheduler.run()


@scenario
def groups() -> None:
    def fail() -> None:
        scheduler.schedule()
        raise KeyError(Token())

    def group(body: Callable[..., Any], *failing: Callable[..., Any]) -> None:
        with scheduler.TaskletGroup() as members:
            members.start(token_returning, Token())
            members.start(scheduler.schedule_remove)
            for function in failing:
                members.start(function)
            scheduler.schedule()
            body()
            members.kill()

    def play() -> None:
        outcome(group, int)
        outcome(group, fail)
        outcome(group, int, fail)
        outcome(group, scheduler.run, fail, fail)
        outcome(group, scheduler.schedule_remove, fail, fail)

    play()
    queued(play)
    scheduler.run()
    task = started(group, scheduler.schedule_remove)
    task.kill()
    scheduler.run()
    assert not task.alive


@scenario
def frames_are_looked_at() -> None:
    def job() -> None:
        frames.append(scheduler.getcurrent().frame)
        scheduler.schedule_remove()

    frames: list[Any] = []
    task = started(job)
    frames.append(task.frame)
    frames.append(task.frame.f_back)
    task.run()


@scenario
def context_variables() -> None:
    variable = contextvars.ContextVar("variable", default=None)
    queued(variable.set, Token())
    task = queued(variable.get)
    task.set_context(contextvars.copy_context())
    scheduler.run()


@scenario
def module_functions() -> None:
    for name in ("getcurrent", "getmain", "get_thread_info", "get_schedule_manager"):
        getattr(scheduler, name)()
    outcome(scheduler.switch_trap, "x")
    outcome(scheduler.run_n_tasklets, 0)
    outcome(scheduler.enable_softswitch, Token())


# --------------------------------------------------------------------------- ends and exceptions


@scenario
def an_exception_leaves_a_tasklet() -> None:
    def broken() -> None:
        token = Token()
        raise ValueError(token)

    queued(broken)
    outcome(scheduler.run)


@scenario
def an_exception_passes_nested_drivers() -> None:
    def nest(depth: int) -> None:
        if not depth:
            raise ValueError(Token())
        queued(nest, depth - 1).run()

    queued(nest, 3)
    outcome(scheduler.run)


@scenario
def kill_in_every_state() -> None:
    ch = scheduler.channel()
    for task in (
        queued(token_returning, Token()),
        scheduler.tasklet().bind(token_returning, (Token(),)),
        started(scheduler.schedule),
        started(scheduler.schedule_remove),
        started(ch.receive),
    ):
        task.kill()
    started(ch.send, Token()).kill()
    scheduler.tasklet().kill()


@scenario
def pending_kill_in_every_state() -> None:
    ch = scheduler.channel()
    for task in (
        queued(token_returning, Token()),
        started(scheduler.schedule_remove),
        started(ch.receive),
    ):
        task.kill(pending=True)
        task.kill(pending=True)
    scheduler.run()


@scenario
def throw_in_every_state() -> None:
    for pending in (False, True):
        for task in (queued(token_returning), started(scheduler.schedule_remove)):
            outcome(task.throw, ValueError, Token(), pending=pending)
            outcome(scheduler.run)
        outcome(task.throw, ValueError, Token(), pending=pending)
    outcome(task.throw, ValueError, Token(), Token())


@scenario
def throw_with_a_traceback() -> None:
    task = started(scheduler.schedule_remove)
    try:
        raise Unnoted(Token())
    except ValueError:
        outcome(task.throw, *sys.exc_info())


@scenario
def a_refused_throw() -> None:
    task = started(scheduler.schedule_remove)
    with trapped():
        outcome(task.throw, ValueError, Token())
        outcome(task.kill)
        outcome(task.run)
    task.kill()


@scenario
def a_suspended_tasklet_is_dropped() -> None:
    def job(token: Token) -> None:
        with contextlib.suppress(scheduler.TaskletExit):
            scheduler.schedule_remove()

    started(job, Token())


@scenario
def a_suspended_tasklet_is_bound_again() -> None:
    task = started(scheduler.schedule_remove)
    task.bind(scheduler.schedule_remove, ()).run()
    task.bind(scheduler.schedule_remove)
    task.setup().run()
    task.bind(None)


@scenario
def cycles_for_the_collector() -> None:
    def through_the_callable() -> None:
        task = scheduler.tasklet(lambda: task)

    def through_the_arguments() -> None:
        task = scheduler.tasklet(len)
        task.bind(None, (task,), {"itself": task})

    def through_a_suspended_frame() -> None:
        def job(me: Any) -> None:
            scheduler.schedule_remove()

        task = scheduler.tasklet(job)
        task(task).run()

    through_the_callable()
    through_the_arguments()
    through_a_suspended_frame()
    gc.collect()


class Span:
    """A context manager. Not made anew each time: without the GIL CPython 3.13 keeps memory of classes."""

    def __enter__(self) -> Token:
        return Token()

    def __exit__(self, *_: object) -> Token:  # type: ignore[exit-return]
        return Token()


@scenario
def contained_exceptions() -> None:
    for _ in range(2):
        task = scheduler.tasklet()
        task.dont_raise = True
        task.exception_handler = token_returning
        task.context_manager_getter = lambda _: Span()
        task.bind(lambda: 1 // 0)()
        scheduler.run()
    task.exception_handler = lambda *_: Token()


# ------------------------------------------------------------------------------------- channels


@scenario
def transfers_with_every_preference() -> None:
    def ping(ch: Any) -> None:
        for _ in range(3):
            ch.send(Token())
            ch.receive()

    def pong(ch: Any) -> None:
        for _ in range(3):
            ch.receive()
            ch.send(Token())

    for preference in (-1, 0, 1):
        ch = channel(preference)
        queued(ping, ch)
        queued(pong, ch)
        scheduler.run()


@scenario
def main_waits_and_is_served() -> None:
    for preference in (-1, 0, 1):
        ch = channel(preference)
        queued(ch.send, Token())
        ch.receive()
        queued(ch.receive)
        ch.send(Token())
        scheduler.run()


@scenario
def main_deadlocks() -> None:
    ch = scheduler.channel()
    outcome(ch.receive)
    outcome(ch.send, Token())


@scenario
def sent_exceptions() -> None:
    ch = scheduler.channel()
    for method, args in (
        (ch.send_exception, (ValueError, Token())),
        (ch.send_exception, (ValueError(Token()),)),
        (ch.send_throw, (ValueError, Token())),
        (ch.send_throw, (ValueError, ValueError(Token()), None)),
        (ch.send_exception, ()),
        (ch.send_exception, ("text", Token())),
        (ch.send_throw, (ValueError, Token(), Token())),
    ):
        if outcome(started, method, *args) not in (RuntimeError, TypeError):
            outcome(ch.receive)
            scheduler.run()


@scenario
def a_killed_sender_of_an_exception() -> None:
    ch = scheduler.channel()
    started(ch.send_exception, type("Fresh", (Exception,), {}), Token()).kill()
    gc.collect()


@scenario
def a_kill_under_way() -> None:
    for preference in (-1, 1):
        ch = channel(preference)
        sender = started(ch.send, Token())
        ch.receive()
        sender.kill()
        receiver = started(ch.receive)
        with trapped():
            outcome(ch.send, Token())
        receiver.kill()
        scheduler.run()


@scenario
def closed_channels() -> None:
    ch = scheduler.channel()
    sender = started(ch.send, Token())
    ch.close()
    list(ch)
    for operation in (ch.receive, lambda: ch.send(Token()), lambda: next(ch)):
        outcome(operation)
    queued(ch.receive)
    outcome(scheduler.run)
    ch.open()
    scheduler.run()
    del sender


@scenario
def clear_and_unblock_all() -> None:
    for _ in range(3):
        started(scheduler.channel().receive)
    ch = scheduler.channel()
    started(ch.send, Token())
    started(ch.send, Token())
    ch.clear()
    scheduler.unblock_all_channels()


@scenario
def traps() -> None:
    ch = scheduler.channel()
    with scheduler.block_trap():
        outcome(ch.receive)
        outcome(ch.send, Token())
    receiver = started(ch.receive)
    with trapped():
        outcome(ch.send, Token())
        outcome(scheduler.run)
        outcome(scheduler.schedule)
    ch.send(Token())
    scheduler.run()
    del receiver


@scenario
def channel_subclasses() -> None:
    class Pipe(scheduler.channel):
        pass

    pipe = Pipe()
    pipe.itself = pipe
    del pipe, Pipe
    gc.collect()


@scenario
def queue_channels() -> None:
    q = scheduler.QueueChannel()
    q.send(Token())
    q.send_exception(ValueError, Token())
    q.send_sequence([Token()])
    q.receive()
    outcome(q.receive)
    next(q)
    started(q.receive)
    q.send(Token())
    scheduler.run()
    q.send(Token())
    q.close()


# ------------------------------------------------------------------------- callbacks, threads


@scenario
def callbacks() -> None:
    for setter in (scheduler.set_schedule_callback, scheduler.set_channel_callback):
        setter(token_returning)
        setter(lambda *args, token=Token(): Token())
    ch = scheduler.channel()
    queued(ch.send, Token())
    queued(ch.receive)
    scheduler.run()
    scheduler.get_schedule_callback()
    scheduler.get_channel_callback()
    for setter in (scheduler.set_schedule_callback, scheduler.set_channel_callback):
        setter(None)
        outcome(setter, Token())


@scenario
def a_thread_with_tasklets() -> None:
    def job() -> None:
        queued(token_returning)
        started(scheduler.schedule_remove)
        started(scheduler.channel().receive)
        queued(token_returning, Token())

    in_thread(job)


@scenario
def a_thread_uses_our_channel() -> None:
    ch = scheduler.channel()
    receiver = started(ch.receive)
    in_thread(ch.send, Token())
    scheduler.run()
    del receiver


@scenario
def generators_across_switches() -> None:
    def numbers() -> Iterator[Token]:
        for _ in range(3):
            scheduler.schedule()
            yield Token()

    queued(list, numbers())
    queued(list, numbers())
    scheduler.run()


@pytest.mark.spec("D-50", "D-51", "D-08", "D-13", "G-05", "G-09", "N-04")
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_left_behind(name: str) -> None:
    assert_no_growth(SCENARIOS[name])


def test_the_check_finds_a_leak() -> None:
    kept: list[Any] = []
    blocks = "memory blocks.*" if sys.getallocatedblocks() else ""  # none with PYTHONMALLOC=malloc
    with pytest.raises(AssertionError, match=f"collector.*{blocks}tasklets"):
        assert_no_growth(lambda: kept.append(scheduler.tasklet(token_returning)))
    kept.clear()
