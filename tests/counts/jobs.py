"""The jobs whose instructions, allocations and mappings are counted.

    python jobs.py OPERATIONS JOB...

does each job three times: with a few operations, which fill pools and free lists and let the interpreter
specialise, then with OPERATIONS and with twice as many. The job's set-up is the same each time: what the
last two differ in is due to the operations alone. A call of getppid(), which nothing else makes, tells
Valgrind where each of them begins and ends.

    python jobs.py OPERATIONS blocked

blocks that many, once: they end with the program.

Nothing here may allocate memory for each operation, or what the module allocates would not stand
out: `repeat(None, n)` gives the loops their turns without making integers.
"""

import gc
import sys
from itertools import repeat
from posix import getppid

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
    operations, names = int(sys.argv[1]), sys.argv[2:]
    if operations % BATCH:
        sys.exit(f"{operations} is not a multiple of {BATCH}")
    if names == ["blocked"]:
        blocked(operations)
        return
    for name in names:
        job = JOBS[name]
        job(4 * BATCH)
        for times in (1, 2):
            getppid()
            job(times * operations)
            getppid()


if __name__ == "__main__":
    main()
