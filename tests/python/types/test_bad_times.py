"""Times that make no sense, for every operation that takes one: refused before anything happens."""

from __future__ import annotations

import math
import threading
from decimal import Decimal
from fractions import Fraction

import pytest

import scheduler
from scheduler import sync
from support.exceptions import outcome
from support.scheduling import queued

NONSENSE = [math.nan, -1, -math.inf, "1"]
SENSE = [math.inf, 1e18, True, 3, 1e300, Decimal("0.5"), Fraction(1, 3)]


def error_of(seconds):
    return TypeError if isinstance(seconds, str) else ValueError


class Fixture:
    """What the operations act on: each would succeed at once."""

    def __init__(self):
        self.incoming, self.outgoing = scheduler.channel(), scheduler.channel()
        self.queue_channel = scheduler.QueueChannel()
        self.queue_channel.send("queued")
        self.task = queued(lambda: "returned")
        self.partners = [queued(self.incoming.send, "sent"), queued(self.accept)]
        self.locks = [sync.Lock(), sync.RLock(), sync.Semaphore(), sync.BoundedSemaphore()]
        self.lock, self.rlock, self.semaphore, self.bounded = self.locks
        self.event = sync.Event()
        self.event.set()
        self.condition = sync.Condition()
        self.full, self.empty = sync.Queue(1), sync.Queue(1)
        self.full.put("item")
        self.got = []
        scheduler.run()

    def accept(self):
        try:
            self.got.append(self.outgoing.receive())
        except (KeyError, scheduler.TaskletExit) as error:
            self.got.append(type(error))

    def state(self):
        return (
            self.incoming.balance,
            self.outgoing.balance,
            len(self.queue_channel),
            [lock.acquire(False) and lock.release() for lock in self.locks],
            self.full.qsize(),
            self.empty.qsize(),
            self.got,
        )

    def end(self):
        for channel in (self.incoming, self.outgoing):
            channel.clear()
        scheduler.run()


def wait_for(fixture, seconds):
    with fixture.condition:
        return fixture.condition.wait_for(lambda: True, seconds)


def enter_scope(fixture, seconds):
    with scheduler.timeout(seconds):
        return scheduler.schedule()


def reschedule(fixture, seconds):
    with scheduler.timeout(None) as scope:
        return scope.reschedule(seconds)


# What takes a time in seconds, and None or leaves it out for no limit; each succeeds at once.
OPERATIONS = {
    "receive": lambda f, s: f.incoming.receive(s),
    "receive keyword": lambda f, s: f.incoming.receive(timeout=s),
    "send": lambda f, s: f.outgoing.send(1, s),
    "send keyword": lambda f, s: f.outgoing.send(1, timeout=s),
    "send_exception": lambda f, s: f.outgoing.send_exception(KeyError, 1, timeout=s),
    "send_throw": lambda f, s: f.outgoing.send_throw(KeyError(1), timeout=s),
    "queue receive": lambda f, s: f.queue_channel.receive(timeout=s),
    "queue send": lambda f, s: f.queue_channel.send(1, timeout=s),
    "queue send_exception": lambda f, s: f.queue_channel.send_exception(KeyError, timeout=s),
    "queue send_throw": lambda f, s: f.queue_channel.send_throw(KeyError(1), timeout=s),
    "select": lambda f, s: scheduler.select(f.incoming, f.outgoing.sending(2), timeout=s),
    "join": lambda f, s: f.task.join(s),
    "result": lambda f, s: f.task.result(timeout=s),
    "run": lambda f, s: scheduler.run(timeout=s),
    "scope": enter_scope,
    "reschedule": reschedule,
    "Semaphore": lambda f, s: f.semaphore.acquire(timeout=s),
    "BoundedSemaphore": lambda f, s: f.bounded.acquire(timeout=s),
    "Event": lambda f, s: f.event.wait(s),
    "wait_for": wait_for,
    "Barrier": lambda f, s: sync.Barrier(1, timeout=s),
    "Barrier wait": lambda f, s: sync.Barrier(1).wait(s),
    "get": lambda f, s: f.full.get(timeout=s),
    "put": lambda f, s: f.empty.put("item", timeout=s),
}
# -1 is no limit for these, as for those of `threading`.
LOCKS = {
    "Lock": lambda f, s: f.lock.acquire(timeout=s),
    "RLock": lambda f, s: f.rlock.acquire(timeout=s),
    "Condition": lambda f, s: f.condition.acquire(timeout=s),
}


@pytest.fixture
def fixture():
    made = Fixture()
    yield made
    made.end()
    made.__dict__.clear()  # an event has a channel


@pytest.mark.parametrize("seconds", NONSENSE)
@pytest.mark.parametrize("name", [*OPERATIONS, *LOCKS])
def test_nonsense_is_refused_before_anything_happens(fixture, name, seconds):
    if name in LOCKS and seconds == -1:
        seconds = -2
    before = fixture.state()
    assert outcome({**OPERATIONS, **LOCKS}[name], fixture, seconds) is error_of(seconds)
    assert fixture.state() == before


@pytest.mark.parametrize("seconds", [*SENSE, None])
@pytest.mark.parametrize("name", OPERATIONS)
def test_long_times_and_whole_numbers_are_times(fixture, name, seconds):
    result = outcome(OPERATIONS[name], fixture, seconds)
    assert not isinstance(result, type), result


@pytest.mark.parametrize("seconds", [*SENSE, -1])
@pytest.mark.parametrize("name", LOCKS)
def test_long_times_for_locks(fixture, name, seconds):
    assert LOCKS[name](fixture, seconds) is True


@pytest.mark.parametrize("seconds", [*NONSENSE, None])
def test_sleep_needs_a_time(seconds):
    other = queued(len, "")
    assert outcome(scheduler.sleep, seconds) in (TypeError, ValueError)
    assert other.alive
    scheduler.run()


@pytest.mark.parametrize("seconds", NONSENSE)
def test_the_deadlock_timeout_needs_a_time(seconds):
    before = scheduler.get_deadlock_timeout()
    assert outcome(scheduler.set_deadlock_timeout, seconds) is error_of(seconds)
    assert scheduler.get_deadlock_timeout() == before


@pytest.mark.parametrize("name", ["wait", "wait_for"])
@pytest.mark.parametrize("seconds", NONSENSE)
def test_a_condition_keeps_its_lock_when_the_time_is_refused(fixture, name, seconds):
    wait = getattr(fixture.condition, name)
    args = [] if name == "wait" else [threading.get_ident]
    with fixture.condition:
        assert outcome(wait, *args, seconds) is error_of(seconds)
        assert fixture.condition.locked()
