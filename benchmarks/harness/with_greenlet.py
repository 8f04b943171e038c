"""What greenlets can do of the table: they switch, and bring a value along. See with_scheduler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from greenlet import getcurrent, greenlet

from .measure import stopwatch
from .nesting import nested

YIELDERS = 100
BATCH = 1000
FRAME = 20_000


def yields(count: int, operations: int, levels: int = 0) -> float:
    """A ring: each switches to the next one."""
    turns = max(1, operations // count)
    ring: list[greenlet] = []
    main = getcurrent()

    def work(index: int) -> None:
        main.switch()
        switch = ring[(index + 1) % count].switch
        for _ in range(turns):
            switch()

    for index in range(count):
        ring.append(greenlet(nested(levels, partial(work, index))))
        ring[index].switch()
    with stopwatch() as watch:
        ring[0].switch()  # until the first one has had all its turns
    assert ring[0].dead
    return watch.ns_each(turns * count)


def round_trip(operations: int) -> float:
    def answering(question: object) -> None:
        switch = main.switch
        while True:
            question = switch(question)

    main = getcurrent()
    other = greenlet(answering)
    switch = other.switch
    with stopwatch() as watch:
        for _ in range(operations):
            switch(None)
    return watch.ns_each(operations)


def spawn(operations: int) -> float:
    batches = max(1, operations // BATCH)

    def nothing(number: int) -> None:
        pass

    with stopwatch() as watch:
        for _ in range(batches):
            made = [greenlet(nothing) for _ in range(BATCH)]
            for number, one in enumerate(made):
                one.switch(number)
    return watch.ns_each(batches * BATCH)


def frame(operations: int) -> float:
    """The main program switches to one after another."""
    frames = max(1, operations // FRAME)
    main = getcurrent()

    def agent() -> None:
        switch = main.switch
        while switch():
            pass

    agents = [greenlet(agent) for _ in range(FRAME)]
    for one in agents:
        one.switch()
    with stopwatch() as watch:
        for _ in range(frames):
            for one in agents:
                one.switch(True)
    for one in agents:
        one.switch(False)
    assert all(one.dead for one in agents)
    return watch.ns_each(frames * FRAME)


def block(count: int, levels: int) -> Callable[[], None]:
    main = getcurrent()

    def waiter() -> None:
        main.switch()

    body = nested(levels, waiter)
    waiting = []
    for _ in range(count):
        one = greenlet(body)
        one.switch()
        waiting.append(one)

    def serve() -> None:
        for one in waiting:
            one.switch()
        assert all(one.dead for one in waiting)

    return serve


OPERATIONS = 200_000
TIMED: dict[str, Callable[[int], float]] = {
    "yield_2": partial(yields, 2),
    "yield_100": partial(yields, YIELDERS),
    "yield_10000": partial(yields, 10_000),
    "yield_below_50": partial(yields, YIELDERS, levels=50),
    "yield_below_200": partial(yields, YIELDERS, levels=200),
    "round_trip": round_trip,
    "spawn": spawn,
    "frame": frame,
}
