"""A pipeline across threads: each stage has a thread of its own, with several tasklets in it.

    main thread --numbers--> square --squares--> write --lines--> main thread

Its channels store nothing. So a slow stage holds the ones before it back: there are never more
items under way than there are tasklets.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import scheduler

In = TypeVar("In")
Out = TypeVar("Out")

PATIENCE = 5.0  # seconds that one waits for another: if that has failed, nobody hangs
TASKLETS = 3  # of each stage: so many items are in its hands at a time


class Square(NamedTuple):
    root: int
    value: int
    thread: str


class Line(NamedTuple):
    root: int
    text: str


def square(root: int) -> Square:
    return Square(root, root * root, threading.current_thread().name)


def write(item: Square) -> Line:
    here = threading.current_thread().name
    return Line(item.root, f"{item.root} * {item.root} = {item.value} ({item.thread}, {here})")


def each_of(channel: scheduler.channel[In]) -> Iterator[In]:
    """`for item in channel`, with a limit to each wait."""
    with contextlib.suppress(scheduler.ChannelClosed):
        while True:
            yield channel.receive(timeout=PATIENCE)


def start_stage(
    work: Callable[[In], Out],
    inbox: scheduler.channel[In],
    outbox: scheduler.channel[Out],
) -> threading.Thread:
    """Sends what `work` makes of each item, until the inbox is closed; then closes the outbox."""

    def handle() -> None:
        for item in each_of(inbox):
            outbox.send(work(item), timeout=PATIENCE)

    def run() -> None:
        for _ in range(TASKLETS):
            scheduler.tasklet(handle)()
        scheduler.run(threadblock=True)  # until all have ended, waiting for other threads meanwhile
        outbox.close(wake=True)

    thread = threading.Thread(target=run, name=work.__name__)
    thread.start()
    return thread


def feed(numbers: scheduler.channel[int], count: int) -> None:
    for number in range(1, count + 1):
        numbers.send(number, timeout=PATIENCE)
    numbers.close(wake=True)


def main() -> None:
    numbers = scheduler.channel[int]()
    squares = scheduler.channel[Square]()
    lines = scheduler.channel[Line]()
    threads = [start_stage(square, numbers, squares), start_stage(write, squares, lines)]
    scheduler.tasklet(feed)(numbers, 8)  # has its turns whenever the main tasklet waits
    done = list(each_of(lines))
    for thread in threads:
        thread.join()
    # Which tasklet was faster is chance.
    print(*(line.text for line in sorted(done)), sep="\n")


if __name__ == "__main__":
    main()
