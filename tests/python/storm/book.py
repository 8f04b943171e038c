"""The books of a storm: what became of every object sent and of every tasklet made.

Everything sent is a Token of its own, by itself or in a Carrier. Its Entry stays in the books when
the token is gone. At the end of a round each token

* was received once, and its sender did not see an error that says it was not sent, or
* was refused to its sender, and nobody received it, or
* still lies in a QueueChannel, or
* is missing: handed to a receiver that was then killed before it had its turn. There are at most as
  many of those, on each channel, as receives ended by TaskletExit.

Every tasklet has a Life, which says whether its code has begun and ended.

Each thread writes a Ledger of its own; only an entry's receipts are written by others. Nothing here
needs a lock: `list.append` is atomic, with a GIL and without.
"""

from __future__ import annotations

import enum
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import scheduler


class Outcome(enum.Enum):
    """What a sender saw."""

    PENDING = "its sender never came back from sending"
    SENT = "sent"
    REFUSED = "refused"
    INTERRUPTED = "its sender was killed"  # before or after the token was handed over
    UNSEEN = "sent by a tasklet without anybody in it who could look"


class Entry:
    """The lasting part of a token."""

    __slots__ = ("channel", "outcome", "places", "receipts", "thread")

    def __init__(self, thread: str, channel: int, outcome: Outcome) -> None:
        self.thread = thread
        self.channel = channel
        self.places = (channel,)  # where it is offered: several in a select
        self.outcome = outcome
        self.receipts: list[str] = []  # the threads that received it

    def __str__(self) -> str:
        return (
            f"a token of {self.thread} ({self.outcome.value}) on channel {self.channel},"
            f" received by {self.receipts}"
        )


class Token:
    """An object to send."""

    __slots__ = ("__weakref__", "entry")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


class Carrier(Exception):
    """An exception to send. Its argument is a token."""


class Case(NamedTuple):
    """Of a select: a channel with its number, to send to or to receive from, or what brings None."""

    thing: Any
    number: int | None = None
    sends: bool = False


class Life:
    """What is known of one incarnation of a tasklet, which it does not keep alive."""

    __slots__ = ("ended", "name", "started", "task")

    def __init__(self, name: str, task: Any = None) -> None:
        self.name = name
        self.task: Callable[[], Any] = lambda: None  # until it is made
        if task is not None:
            self.belongs_to(task)
        self.started = False
        self.ended = False

    def belongs_to(self, task: Any) -> None:
        self.task = weakref.ref(task)


class Ledger:
    """What one thread writes down."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.entries: list[Entry] = []
        self.tokens: list[weakref.ref[Token]] = []
        self.lives: list[Life] = []
        self.interrupted: list[int] = []  # the channel of each receive that was
        self.tally: Counter[str] = Counter()  # what happened, for people to read

    def issue(self, channel: int, outcome: Outcome = Outcome.PENDING) -> Token:
        """A new token, to be sent on a channel."""
        token = Token(Entry(self.thread, channel, outcome))
        self.entries.append(token.entry)
        self.tokens.append(weakref.ref(token))
        return token

    def receive(self, token: object, channel: int) -> str | None:
        """Notes that `token` came out of a channel; returns what is wrong with that."""
        if type(token) is Token:
            token.entry.receipts.append(self.thread)
        return _misplaced(token, channel)

    # In these nothing is called between a transfer and its entry, nor does a block with an exception
    # end, which is a jump backward: what a signal handler raises late finds the entry written.

    def hand_over(self, channel: int, send: Callable[[Token], Any]) -> None:
        """Calls `send` with a new token for that channel and writes down what came of it."""
        token = self.issue(channel)
        entry = token.entry
        try:
            send(token)
        except scheduler.TaskletExit:
            entry.outcome = Outcome.INTERRUPTED
            raise
        except BaseException:
            entry.outcome = Outcome.REFUSED
            raise
        entry.outcome = Outcome.SENT

    def take(
        self, channel: int, receive: Callable[[], Any], *, passes_on: bool = False
    ) -> str | None:
        """Calls `receive` and writes down what came of it; returns what is wrong with that.

        `passes_on`: what was given to a receiver that is killed goes to another one.
        """
        try:
            token = receive()
        except Carrier as carrier:
            token = carrier.args[0]
            token.entry.receipts.append(self.thread)
            return _misplaced(token, channel)
        except scheduler.TaskletExit:
            if not passes_on:
                self.interrupted.append(channel)
            raise
        if token.__class__ is Token:
            token.entry.receipts.append(self.thread)
        return _misplaced(token, channel)

    def choose(self, cases: list[Case], select: Callable[..., tuple[int, Any]]) -> str | None:
        """Calls `select` with these cases, and writes down what came of it; returns what is wrong with that.

        All that send offer the same new token: if two were served, it would be received twice.
        """
        places = [case.number for case in cases if case.sends]
        receiving = {case.number for case in cases if case.number is not None and not case.sends}
        token = self.issue(places[0] if places else 0)
        entry = token.entry
        entry.places = tuple(places)
        sent_to = [case.number if case.sends else None for case in cases]
        things = [case.thing.sending(token) if case.sends else case.thing for case in cases]
        try:
            index, value = select(*things)
            if sent_to[index] is None:
                entry.outcome = Outcome.REFUSED
            else:
                entry.channel = sent_to[index]
                entry.outcome = Outcome.SENT
        except Carrier as carrier:
            entry.outcome = Outcome.REFUSED
            value = carrier.args[0]
            value.entry.receipts.append(self.thread)
            return _misplaced(value, *receiving)
        except scheduler.TaskletExit:
            entry.outcome = Outcome.INTERRUPTED
            self.interrupted += receiving
            raise
        except BaseException:
            entry.outcome = Outcome.REFUSED
            raise
        if value.__class__ is Token:
            value.entry.receipts.append(self.thread)
        case = cases[index]
        if case.sends or case.number is None:
            return _unexpected(value, case)
        return _misplaced(value, case.number)


def _unexpected(value: object, case: Case) -> str | None:
    # Not by `is None`: the JIT of CPython 3.15.2 took that for false of None, in a function like
    # choose(), in a program without this module as well.
    return f"{value!r} came out of {case}" if type(value) is not type(None) else None


def _misplaced(token: object, *channels: int) -> str | None:
    """`channels`: where it may have come from."""
    where = f"came out of channel {' or '.join(map(str, channels))}"
    if type(token) is not Token:
        return f"{token!r} {where}"
    if not set(channels) & set(token.entry.places):
        return f"{token.entry}: it {where}"
    return None


def queued_tokens(items: Iterable[tuple[bool, Any]]) -> set[int]:
    """The ids of the entries whose tokens lie in a QueueChannel's `data_queue`."""
    return {id((data if ok else data[1].args[0]).entry) for ok, data in items}


def check_tokens(ledgers: list[Ledger], queued: set[int]) -> list[str]:
    """What breaks the rules above."""
    wrong = []
    missing: Counter[int] = Counter()
    for entry in all_entries(ledgers):
        places = len(entry.receipts) + (id(entry) in queued)
        if places > 1 or (places and entry.outcome is Outcome.REFUSED):
            wrong.append(f"{entry}, queued: {id(entry) in queued}")
        elif entry.outcome is Outcome.PENDING:
            wrong.append(str(entry))
        elif entry.outcome is Outcome.SENT and not places:
            missing[entry.channel] += 1
    interrupted = Counter(channel for ledger in ledgers for channel in ledger.interrupted)
    for channel, count in missing.items():
        if count > interrupted[channel]:
            wrong.append(
                f"{count} tokens sent on channel {channel} were lost;"
                f" {interrupted[channel]} receives were interrupted there"
            )
    return wrong


def all_entries(ledgers: list[Ledger]) -> Iterator[Entry]:
    return (entry for ledger in ledgers for entry in ledger.entries)


def summarise(ledgers: list[Ledger], queued: set[int]) -> Counter[str]:
    """How many tokens went which way."""
    ways: Counter[str] = Counter()
    for entry in all_entries(ledgers):
        ways["issued"] += 1
        if entry.receipts:
            ways["to another thread" if entry.receipts[0] != entry.thread else "to its own"] += 1
        elif id(entry) in queued:
            ways["left in a queue"] += 1
        elif entry.outcome is Outcome.REFUSED:
            ways["refused"] += 1
        elif entry.outcome is Outcome.SENT:
            ways["missing"] += 1
        else:
            ways["given up"] += 1
    return ways


def check_undisturbed(ledgers: list[Ledger], queued: set[int]) -> list[str]:
    """For a round in which nobody is killed: no receive may be interrupted, no send go astray."""
    wrong = [
        f"a receive was interrupted on channel {channel}, with nobody about who does that"
        for ledger in ledgers
        for channel in ledger.interrupted
    ]
    for entry in all_entries(ledgers):
        lost = entry.outcome is Outcome.UNSEEN and not entry.receipts and id(entry) not in queued
        if lost or entry.outcome is Outcome.INTERRUPTED:
            wrong.append(f"{entry} got lost, with nobody about who does that")
    return wrong


def check_lives(ledgers: list[Ledger]) -> list[str]:
    """All tasklets must have come to their end."""
    wrong = []
    for life in (life for ledger in ledgers for life in ledger.lives):
        task = life.task()
        if task is not None and task.alive:
            wrong.append(f"{life.name} is alive: {task!r}")
        if life.started and not life.ended:
            wrong.append(f"{life.name} has begun and was never unwound")
    return wrong


def check_forgotten(ledgers: list[Ledger]) -> list[str]:
    """After a collection: no token may be left."""
    left = sum(ref() is not None for ledger in ledgers for ref in ledger.tokens)
    return [f"{left} tokens are still referred to"] if left else []
