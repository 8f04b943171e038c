"""The jobs whose instructions, allocations and mappings are counted.

    python jobs.py JOB OPERATIONS

does a job's set-up, the same whatever OPERATIONS is, and then that many operations. What two runs
with different numbers differ in is due to the operations alone.

Nothing here may allocate memory for each operation, or what the module allocates would not stand
out: `repeat(None, n)` gives the loops their turns without making integers.
"""

import gc
import sys
from itertools import repeat

# The package only passes these on, but loading it takes more instructions than most jobs.
import _scheduler as scheduler

# OPERATIONS must be a multiple of this: spawn and wake work in batches of that many tasklets.
BATCH = 500


def yield_(operations: int) -> None:
    """schedule(), by two tasklets in turn."""

    def work() -> None:
        schedule = scheduler.schedule
        for _ in repeat(None, operations // 2):
            schedule()

    for _ in range(2):
        scheduler.tasklet(work)()
    scheduler.run()


def transfer(operations: int, preference: int) -> None:
    """One send and the receive that takes it, by a tasklet each."""
    channel = scheduler.channel()
    channel.preference = preference

    def sender() -> None:
        send = channel.send
        for _ in repeat(None, operations):
            send(None)

    def receiver() -> None:
        receive = channel.receive
        for _ in repeat(None, operations):
            receive()

    scheduler.tasklet(sender)()
    scheduler.tasklet(receiver)()
    scheduler.run()


def spawn(operations: int) -> None:
    """A tasklet is made, bound, queued, run once and ends."""
    tasklet, run = scheduler.tasklet, scheduler.run

    def nothing(_: None) -> None:
        pass

    for _ in repeat(None, operations // BATCH):
        for _ in repeat(None, BATCH):
            tasklet(nothing)(None)
        run()


def wake(operations: int) -> None:
    """A tasklet that waits in receive() is sent something, gets a turn, and waits again."""
    channel = scheduler.channel()
    channel.preference = 0

    def worker() -> None:
        receive = channel.receive
        while receive():
            pass

    def send_to_each(item: bool) -> None:
        send = channel.send
        for _ in repeat(None, BATCH):
            send(item)
        scheduler.run()

    for _ in range(BATCH):
        scheduler.tasklet(worker)()
    scheduler.run()
    for _ in repeat(None, operations // BATCH):
        send_to_each(True)
    send_to_each(False)


def blocked(operations: int) -> None:
    """A tasklet is made and waits in receive(), with all those before it."""
    channel = scheduler.channel()
    before = mappings()

    def work() -> None:
        channel.receive()

    for _ in repeat(None, operations):
        scheduler.tasklet(work)()
    scheduler.run()
    assert channel.balance == -operations
    print(mappings() - before)


def mappings() -> int:
    """The memory mappings of this process."""
    with open("/proc/self/maps") as maps:
        return sum(1 for _ in maps)


JOBS = {
    "yield": yield_,
    "send_receive_prefer_receiver": lambda operations: transfer(operations, -1),
    "send_receive_prefer_neither": lambda operations: transfer(operations, 0),
    "send_receive_prefer_sender": lambda operations: transfer(operations, 1),
    "spawn": spawn,
    "wake": wake,
    "blocked": blocked,
}


def main() -> None:
    gc.disable()  # a collection comes at some number of allocations
    job, operations = JOBS[sys.argv[1]], int(sys.argv[2])
    if operations % BATCH:
        sys.exit(f"{operations} is not a multiple of {BATCH}")
    if sys.argv[1] != "blocked":
        job(4 * BATCH)  # fills pools and free lists, and lets the interpreter specialise
    job(operations)


if __name__ == "__main__":
    main()
