"""What a trace tells, as plain records: read from the recorder's events, written by the exporters.

Times are nanoseconds since the trace began. Tasklets, threads and channels go by numbers of the trace's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Thread:
    number: int
    name: str  # of threading.Thread, or of the system's thread


@dataclass(slots=True)
class Tasklet:
    number: int
    name: str  # the tasklet's `name`, else its function's; "main" of a thread's main tasklet
    location: str  # "file.py:12", or "" if it has no Python code
    thread: int


@dataclass(slots=True)
class Slice:
    """What a tasklet does from `begin` to `end`: it runs (its turn), is ready for a turn, or blocked."""

    tasklet: int
    thread: int
    state: str  # "running", "ready", "blocked"
    begin: int
    end: int
    # Why it ended: "yielded", "blocked", "removed", "ended", "failed", "killed", "turn", "woken", and so on.
    why: str
    channel: int = 0  # what it waited on, if blocked on a channel; 0: none


@dataclass(slots=True)
class Arrow:
    """One tasklet acts on another: hands it a value, or makes it ready."""

    kind: str  # "transfer", "wake"
    source: int  # tasklet
    source_time: int
    target: int  # tasklet
    target_time: int
    channel: int = 0


@dataclass(slots=True)
class Mark:
    thread: int
    time: int
    name: str


@dataclass(slots=True)
class Park:
    """A thread sleeps: it has nothing to run, and waits for others or for a time."""

    thread: int
    begin: int
    end: int


@dataclass(slots=True)
class Sample:
    """Counters of a thread at a time."""

    thread: int
    time: int
    runnable: int
    blocked: int
    stacks: int  # in use


@dataclass(slots=True)
class Trace:
    duration: int
    program: str  # what ran, for a title
    threads: list[Thread] = field(default_factory=list)
    tasklets: list[Tasklet] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)  # by begin
    arrows: list[Arrow] = field(default_factory=list)  # by target_time
    marks: list[Mark] = field(default_factory=list)  # by time
    samples: list[Sample] = field(default_factory=list)  # by time
    parks: list[Park] = field(default_factory=list)  # by begin
    lost: int = 0  # events that were overwritten or found no room
