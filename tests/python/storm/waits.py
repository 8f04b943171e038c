"""Actions that give up after a time, wait for the first of several, or share what `sync` has."""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable
from typing import Any

import scheduler

from .actor import Actor, Stop, Thrown
from .book import Case
from .deck import Choices

CHOICES = Choices()
action = CHOICES.action

# What members of a group may raise, and what the wait for them may.
FORESEEN = (Thrown, RuntimeError)


def in_time(actor: Actor, call: Callable[..., Any], *args: Any) -> None:
    """Calls what may give up."""
    try:
        call(*args)
    except (TimeoutError, queue.Empty, queue.Full):
        actor.ledger.tally["timed out"] += 1


# ---- transfers ---------------------------------------------------------------------------------


@action(6)
def timed_send(actor: Actor) -> None:
    line, limit = actor.pick_line(), actor.draw_limit()
    in_time(actor, actor.hand_over, line.number, lambda token: line.channel.send(token, timeout=limit))


@action(6)
def timed_receive(actor: Actor) -> None:
    line, limit = actor.pick_line(), actor.draw_limit()
    in_time(actor, actor.take, line.number, lambda: line.channel.receive(timeout=limit))


@action(12)
def select(actor: Actor) -> None:
    cases = [case for _ in range(actor.rng.randrange(1, 5)) if (case := draw_case(actor))]
    if cases:
        ordered = actor.rng.random() < 0.2
        call = functools.partial(scheduler.select, timeout=actor.draw_limit(), ordered=ordered)
        in_time(actor, actor.choose, cases, call)


def draw_case(actor: Actor) -> Case | None:
    chance = actor.rng.random()
    if chance < 0.8:
        line = actor.pick_line()
        return Case(line.channel, line.number, sends=chance < 0.4)
    thing = actor.field.event if chance < 0.9 else actor.pick_task()
    return None if thing is None else Case(thing)


# ---- times -------------------------------------------------------------------------------------


@action(3)
def sleep(actor: Actor) -> None:
    scheduler.sleep(actor.rng.choice((0, 0.0001, 0.001, 0.01)))


@action(3)
def scope(actor: Actor) -> None:
    expired = False
    try:
        with scheduler.timeout(actor.draw_limit()) as scope:
            for _ in range(actor.rng.randrange(1, 4)):
                actor.step()
                if actor.rng.random() < 0.2:
                    scope.reschedule(actor.draw_limit())
    except TimeoutError:
        expired = True
    actor.check(scope.expired is expired, f"{scope!r} has expired: {expired}")


# ---- tasklets ----------------------------------------------------------------------------------


@action(2)
def result(actor: Actor) -> None:
    task = actor.pick_task()
    if task is not None:
        in_time(actor, ask, actor, task)


def ask(actor: Actor, task: scheduler.tasklet) -> None:
    try:
        value = task.result(actor.draw_limit())
    except Stop:  # was for whoever ran the tasklet, and will be raised again
        return
    actor.check(value is None or isinstance(value, str), f"{task!r} returned {value!r}")


@action(0.7, rough=True)
def group(actor: Actor) -> None:
    """Rough, because members are killed when whoever is in the block is lost, or in a deadlock."""
    lives = []
    try:
        with scheduler.TaskletGroup() as group:
            lives = [actor.crew.start_member(group, actor.rng) for _ in range(3)]
            actor.step()
            if actor.rng.random() < 0.1:
                group.kill()
    except BaseExceptionGroup as error:
        if error.subgroup(Stop) is not None:
            raise Stop from None
        left = error.split(FORESEEN)[1]
        actor.check(left is None, f"a group has raised {left!r}")
        if error.subgroup(RuntimeError) is not None or not scheduler._can_wait():
            return  # it could not wait for them
    for life in lives:
        actor.check(not life.started or life.ended, f"{life.name} has outlived its group")


# ---- what `sync` has ---------------------------------------------------------------------------


@action(5)
def put(actor: Actor) -> None:
    store, limit = actor.rng.choice(actor.field.stores), actor.draw_limit()
    in_time(actor, actor.hand_over, store.number, lambda token: store.channel.put(token, timeout=limit))


@action(5)
def get(actor: Actor) -> None:
    store, limit = actor.rng.choice(actor.field.stores), actor.draw_limit()

    def take() -> None:
        actor.take(store.number, lambda: store.channel.get(timeout=limit), passes_on=True)

    in_time(actor, take)


@action(3)
def visit(actor: Actor) -> None:
    """In a critical section: with whatever else comes to the actor's mind, now and then."""
    section, limit = actor.rng.choice(actor.field.sections), actor.draw_limit()
    if not section.lock.acquire(timeout=-1 if limit is None else limit):
        return
    actor.check(section.may_enter(actor.name), f"{section.holder} and {actor.name} have one lock")
    before, section.holder = section.holder, actor.name
    try:
        if actor.rng.random() < 0.3:
            actor.step()
        else:
            scheduler.schedule()
        actor.check(section.holder == actor.name, f"{section.holder} has taken {actor.name}'s lock")
    finally:
        section.holder = before
        section.lock.release()


@action(1)
def set_event(actor: Actor) -> None:
    actor.field.event.set()


@action(1)
def clear_event(actor: Actor) -> None:
    actor.field.event.clear()


@action(2)
def wait_for_event(actor: Actor) -> None:
    actor.field.event.wait(actor.draw_limit())
