"""The rows of the table: what is measured, in which unit, and how good it shall be."""

from __future__ import annotations

from dataclasses import dataclass

CALLS, BYTES, GIGABYTES, MICROSECONDS, MAPPINGS = "f", "B", "GB", "us", "mappings"

KIB = 1024


@dataclass(frozen=True)
class Blocked:
    """Many who wait at the same time, in a process where nobody has waited before."""

    count: int
    levels: int = 0  # C-level frames above the call that waits
    stack_bytes: int | None = None  # None: the default
    runs: int = 5  # each in a process of its own


@dataclass(frozen=True)
class Row:
    """A job whose cost is counted in calls of the floor, or a figure of many who wait."""

    name: str
    title: str
    goal: float | None
    unit: str = CALLS
    blocked: Blocked | None = None  # None: a timed job, which the tools have by its name


SHALLOW = Blocked(100_000)
SMALL_STACKS = Blocked(100_000, stack_bytes=256 * KIB)
DEEP = Blocked(20_000, levels=50)
MILLION = Blocked(1_000_000, stack_bytes=256 * KIB, runs=1)

ROWS = (
    Row("yield_2", "schedule(), 2 tasklets", 1.6),
    Row("yield_100", "schedule(), 100 tasklets", 1.6),
    Row("yield_10000", "schedule(), 10,000 tasklets", 2.5),
    Row("yield_10000_shuffled", "the same, queued in random order", 2.5),
    Row("yield_below_50", "schedule() below 50 C-level frames, 100 tasklets", 2.1),
    Row("yield_below_200", "schedule() below 200 C-level frames, 100 tasklets", 2.1),
    Row("transfer_prefer_receiver", "send + receive, preference -1", 3),
    Row("transfer_prefer_neither", "send + receive, preference 0", 3),
    Row("transfer_prefer_sender", "send + receive, preference 1", 3),
    Row("transfer_timeout", "send + receive(timeout=60), preference -1", 3.9),
    Row("select_2", "send + select() over 2 channels", None),
    Row("select_8", "send + select() over 8 channels", None),
    Row("sleep", "sleep(0.001), 1,000 tasklets", None),
    Row("round_trip", "round trip over two channels", 6),
    Row("many_senders", "1,000 senders to one receiver, per item", 5),
    Row("spawn", "tasklet(f)(i), its turn, its end; batches of 1,000", 8),
    Row("frame", "game frame: waking 20,000 tasklets and run(), per tasklet", 5),
    Row("yield_callback", "schedule() with a schedule callback in Python", 7),
    Row("blocked_bytes", "memory of a tasklet blocked one call deep", 6500, BYTES, SHALLOW),
    Row("blocked_mappings", "mappings of 100,000 such tasklets", None, MAPPINGS, SHALLOW),
    Row("first_touch", "creating and blocking one on a new stack", 5, MICROSECONDS, SHALLOW),
    Row("blocked_bytes_256k", "memory of one on a stack of 256 KiB", 4900, BYTES, SMALL_STACKS),
    Row("blocked_bytes_below_50", "memory of one below 50 C-level frames", 40_000, BYTES, DEEP),
    Row("million_bytes", "memory of 1,000,000 on stacks of 256 KiB", 5, GIGABYTES, MILLION),
    Row("million_mappings", "mappings of these", 100, MAPPINGS, MILLION),
)
BY_NAME = {row.name: row for row in ROWS}

OWN = "scheduler"
PEERS = ("greenlet", "gevent", "asyncio", "threads")
TOOLS = (OWN, *PEERS)
