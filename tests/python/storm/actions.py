"""What an actor can do. Targets are anybody's tasklets, so most of it happens across threads."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import scheduler

from .actor import Actor, Thrown
from .book import Carrier, Life, Outcome
from .deck import Choices

CHOICES = Choices()
action = CHOICES.action


# ---- transfers ---------------------------------------------------------------------------------


@action(12)
def send(actor: Actor) -> None:
    line = actor.pick_line()
    actor.hand_over(line.number, line.channel.send)


@action(12)
def receive(actor: Actor) -> None:
    line = actor.pick_line()
    actor.take(line.number, line.channel.receive)


@action(20)
def serve(actor: Actor) -> None:
    """Sends to who waits to receive, or the other way round: keeps things going."""
    line = actor.pick_line()
    if line.channel.balance < 0:
        actor.hand_over(line.number, line.channel.send)
    else:
        actor.take(line.number, line.channel.receive)


@action(3)
def iterate(actor: Actor) -> None:
    line = actor.pick_line()
    for _ in range(3):
        actor.take(line.number, lambda: next(line.channel))


@action(2)
def send_exception_class(actor: Actor) -> None:
    line = actor.pick_line()
    actor.hand_over(line.number, lambda token: line.channel.send_exception(Carrier, token))


@action(2)
def send_exception_instance(actor: Actor) -> None:
    line = actor.pick_line()
    actor.hand_over(line.number, lambda token: line.channel.send_exception(Carrier(token)))


@action(2)
def send_throw(actor: Actor) -> None:
    line = actor.pick_line()

    def throw(token: Any) -> None:
        try:
            raise Carrier(token)
        except Carrier:
            line.channel.send_throw(*sys.exc_info())

    actor.hand_over(line.number, throw)


@action(2)
def launch_sender(actor: Actor) -> None:
    """A tasklet without any Python code in it sends: its token waits among its arguments."""
    line = actor.pick_line()
    token = actor.ledger.issue(line.number, Outcome.UNSEEN)
    entry = token.entry

    def note(_text: str) -> None:
        entry.outcome = Outcome.REFUSED

    task = scheduler.tasklet()
    task.dont_raise = True  # a closed channel is nobody's business here
    task.exception_handler = note
    task.bind(line.channel.send, (token,))
    actor.crew.enlist(Life(f"{actor.name}, sender", task))
    task.insert()


@action(1)
def trapped_transfer(actor: Actor) -> None:
    line = actor.pick_line()
    with scheduler.block_trap():
        if actor.rng.random() < 0.5:
            actor.hand_over(line.number, line.channel.send)
        else:
            actor.take(line.number, line.channel.receive)


# What is done for those who are left at the end of a round.


def send_to(actor: Actor, number: int, channel: scheduler.channel) -> None:
    actor.hand_over(number, channel.send)


def receive_from(actor: Actor, number: int, channel: scheduler.channel) -> None:
    actor.take(number, channel.receive)


# ---- channels ----------------------------------------------------------------------------------


@action(0.5)
def close(actor: Actor) -> None:
    actor.pick_line().channel.close(wake=actor.rng.random() < 0.5)


@action(2)
def reopen(actor: Actor) -> None:
    actor.pick_line().channel.open()


@action(0.5, rough=True)
def clear(actor: Actor) -> None:
    actor.pick_line().channel.clear()


@action(0.003, rough=True)
def unblock_all(actor: Actor) -> None:
    scheduler.unblock_all_channels()


@action(0.5)
def replace_channel(actor: Actor) -> None:
    """The old one lives as long as somebody waits there, or holds it in a local variable."""
    actor.field.replace_line(actor.rng)


@action(0.5)
def set_preference(actor: Actor) -> None:
    actor.pick_line().channel.preference = actor.rng.choice((-1, 0, 1))


# ---- tasklets ----------------------------------------------------------------------------------


@action(1)
def spawn(actor: Actor) -> None:
    actor.crew.spawn(actor.rng)


@action(2, rough=True)
def kill(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None and not must_be_refused(actor, task, task.kill):
        task.kill(pending=actor.crew.is_foreign(task) or actor.rng.random() < 0.5)


@action(2, rough=True)
def throw(actor: Actor) -> None:
    task = actor.pick_task()
    if task is None:
        return
    error = actor.rng.choice((Thrown, Thrown("thrown"), scheduler.TaskletExit))
    if not must_be_refused(actor, task, lambda: task.throw(error)):
        task.throw(error, pending=actor.crew.is_foreign(task) or actor.rng.random() < 0.5)


@action(0.5, rough=True)
def raise_exception(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None:
        task.raise_exception(Thrown, ("raised", actor.name))


def must_be_refused(actor: Actor, task: scheduler.tasklet, immediate: Callable[[], Any]) -> bool:
    """Tries now and then to raise something at once in a tasklet of another thread."""
    if not actor.crew.is_foreign(task) or actor.rng.random() > 0.1:
        return False
    try:
        immediate()
    except RuntimeError:
        return True
    actor.check(False, "an exception was raised at once in a tasklet of another thread")
    return True


@action(5)
def insert(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None:
        task.insert()


@action(2, rough=True)
def remove(actor: Actor) -> None:
    """Rough, because one that is removed in the middle of a transfer may then be forgotten."""
    task = actor.pick_task()
    if task is not None:
        task.remove()


@action(3)
def run(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None:
        task.run()


@action(3)
def switch(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None:
        task.switch()


@action(1, rough=True)
def rebind(actor: Actor) -> None:
    task = actor.pick_task()
    if task is None:
        return
    if actor.rng.random() < 0.3:
        task.bind(None)
    else:
        actor.crew.rebind(task, actor.rng)


@action(2)
def join(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None and task.join(actor.draw_limit()):
        actor.check(actor.field.weather.rough or not task.alive, f"{task!r} was joined")


@action(3)
def forget(actor: Actor) -> None:
    """Drops what may be the last reference to a tasklet, most often one of another thread."""
    seats = actor.field.seats
    seats[actor.rng.randrange(len(seats))] = None


@action(0.003)
def collect(actor: Actor) -> None:
    gc.collect(actor.rng.randrange(3))


# ---- turns -------------------------------------------------------------------------------------


@action(8)
def schedule(actor: Actor) -> None:
    scheduler.schedule()


@action(2)
def schedule_remove(actor: Actor) -> None:
    scheduler.schedule_remove()


@action(0.5)
def run_queue(actor: Actor) -> None:
    scheduler.run()


@action(0.5)
def run_some(actor: Actor) -> None:
    scheduler.run_n_tasklets(actor.rng.randrange(1, 5))


@action(1)
def trapped_schedule(actor: Actor) -> None:
    scheduler.switch_trap(1)
    try:
        scheduler.schedule()
    finally:
        scheduler.switch_trap(-1)


# ---- looking -----------------------------------------------------------------------------------

ATTRIBUTES = (
    "alive", "blocked", "paused", "scheduled", "is_main", "is_current", "thread_id", "next", "prev",
    "times_switched_to", "startTime", "endTime", "runTime", "method_name", "module_name",
    "file_name", "line_number", "context", "block_trap", "dont_raise", "highlighted",
)  # fmt: skip


@action(6)
def look_at_tasklet(actor: Actor) -> None:
    task = actor.pick_task()
    if task is None:
        return
    for name in ATTRIBUTES:
        getattr(task, name)
    actor.check("asklet" in repr(task), f"the repr of a tasklet is {task!r}")
    frame, depth = task.frame, 0
    while frame is not None and depth < 50:
        actor.check(frame.f_code.co_name != "", "a frame without a name")
        frame, depth = frame.f_back, depth + 1


@action(4)
def look_at_channel(actor: Actor) -> None:
    channel = actor.pick_line().channel
    actor.check(channel.balance is not None, "no balance")
    actor.check(channel.preference in (-1, 0, 1), f"the preference is {channel.preference}")
    actor.check(isinstance(channel.closing, bool), "closing is no bool")
    actor.check(isinstance(channel.closed, bool), "closed is no bool")
    actor.check("hannel" in repr(channel), f"the repr of a channel is {channel!r}")
    first = channel.queue
    if first is not None:
        actor.check("asklet" in repr(first), f"{first!r} waits at a channel")


@action(2)
def look_at_own_thread(actor: Actor) -> None:
    actor.check(scheduler.getcurrent().is_current, "the current tasklet is not current")
    actor.check(scheduler.getcurrent().alive, "the current tasklet is dead")
    actor.check(scheduler.getmain().is_main, "the main tasklet is not main")
    counts = scheduler.getruncount(), scheduler.calculateruncount()
    actor.check(counts[0] >= 1 and scheduler.get_active_tasklet_count() >= 1, f"{counts}")
