"""Groups of tasklets that nobody can reach, collected while they do something.

    python -m support.garbage_storm SECONDS [SEED]    in tests/python

Each tasklet of a group waits in some ways, and when it is unwound it does something to the others; finalizers
of other garbage let threads run in the middle of a collection. Whatever happens, a tasklet that still runs
must find what it needs: nothing that it can reach has been cleared. Where the collector finds blocked
tasklets none is left over in the end. Prints the seed, the number of groups, and what went wrong.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import time
import traceback

import scheduler
from support.interpreter import FINDS_BLOCKED
from support.threads import RemoteThread

# Each time that all is collected ends one of those who end each other, at least.
MOST_ROUNDS = 100

problems: list[str] = []


class Group:
    """All that its tasklets need."""

    def __init__(self, rng):
        self.is_whole = True
        kinds = (scheduler.channel, scheduler.channel, scheduler.QueueChannel)
        self.channels = [rng.choice(kinds)() for _ in range(rng.randrange(1, 3))]
        self.generator = receive_all(self.channels[0])
        self.tasks = []
        self.errands = []


class Errand:
    """Garbage by itself, whose finalizer does something in the middle of a collection."""

    def __init__(self, run):
        self.me, self.run = self, run

    def __del__(self):
        self.run()


def receive_all(channel):
    while True:
        yield channel.receive()


# ---- what a tasklet does -----------------------------------------------------------------------------


def join(group, channel, rng):
    rng.choice(group.tasks).join()


def receive_in_the_shared_generator(group, channel, rng):
    try:
        next(group.generator)
    except StopIteration:
        group.generator = receive_all(channel)


def receive_below_sort(group, channel, rng):
    sorted([1, 2], key=lambda number: channel.receive() is None)


def lead_members(group, channel, rng):
    with scheduler.TaskletGroup() as members:
        for _ in range(2):
            members.start(live, group, rng.random(), patient=False)


WAYS_TO_WAIT = [
    lambda group, channel, rng: channel.receive(),
    lambda group, channel, rng: channel.send(group),
    lambda group, channel, rng: scheduler.schedule_remove(),
    lambda group, channel, rng: scheduler.schedule(),
    lambda group, channel, rng: time.sleep(0.001),  # others go on in the middle of its turn
    lambda group, channel, rng: next(receive_all(channel)),
    join,
    receive_in_the_shared_generator,
    receive_below_sort,
    lead_members,
]
FAREWELLS = [
    lambda group, channel, rng: channel.send(group),
    lambda group, channel, rng: channel.receive(),
    lambda group, channel, rng: channel.send(None) if channel.balance < 0 else None,
    lambda group, channel, rng: rng.choice(group.tasks).insert(),
    lambda group, channel, rng: rng.choice(group.tasks).kill(pending=True),
    lambda group, channel, rng: scheduler.schedule(),
    lambda group, channel, rng: None,
]
REFUSALS = (RuntimeError, ValueError, BaseExceptionGroup)


def live(group, seed, patient=True):
    rng = random.Random(seed)
    try:
        for _ in range(rng.randrange(1, 6)):
            try:
                rng.choice(WAYS_TO_WAIT)(group, rng.choice(group.channels), rng)
            except scheduler.TaskletExit:
                if not patient or rng.random() < 0.8:
                    raise
            except REFUSALS:
                pass
    finally:
        try:
            with contextlib.suppress(*REFUSALS):
                rng.choice(FAREWELLS)(group, rng.choice(group.channels), rng)
            assert group.is_whole
        except Exception:  # an attribute that has gone
            problems.append(traceback.format_exc())


# ---- the threads -------------------------------------------------------------------------------------


def run():
    with contextlib.suppress(*REFUSALS):
        if scheduler._can_wait():
            scheduler.run()


class Worker(RemoteThread):
    def nudge(self):
        """Lets it run, for a moment without us."""
        self.tell(run)
        time.sleep(0.0005)


def add_tasks(group, rng, errands, count):
    for _ in range(count):
        if rng.random() < 0.3:
            group.errands.append(Errand(rng.choice(errands)))
        task = scheduler.tasklet(live)
        group.tasks.append(task)
        task.bind(args=(group, rng.random()))
        if rng.random() < 0.9:
            task.insert()
    run()


def blow(seconds, seed, workers):
    """Makes groups on all threads, forgets them, and collects. Returns how many."""
    rng = random.Random(seed)
    errands = [run, *(worker.nudge for worker in workers)]
    calls = [lambda function, *args: function(*args), *(worker.call for worker in workers)]
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and not problems:
        count += 1
        group = Group(rng)
        rng.choice(calls)(add_tasks, group, rng, errands, rng.randrange(1, 6))
        if rng.random() < 0.2:
            rng.choice(calls)(add_tasks, group, rng, errands, 2)
        del group
        if rng.random() < 0.5:
            rng.choice(calls)(gc.collect)
        run()
    rounds = 0
    while FINDS_BLOCKED and not problems and scheduler.tasklets(every_thread=True):
        rounds += 1
        if rounds > MOST_ROUNDS:
            problems.extend(f"{task} is left" for task in scheduler.tasklets(every_thread=True))
        gc.collect()
        for call in calls:
            call(run)
    return count


def note_unraisable(args):
    # CPython fails to close a generator that somebody has entered since the collector found it.
    if "generator already executing" not in str(args.exc_value):
        error = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        problems.append("".join(error))


def main():
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    sys.setswitchinterval(1e-5)
    sys.unraisablehook = note_unraisable
    if seed % 2:
        gc.disable()
    print(f"seed {seed}", flush=True)
    with Worker() as one, Worker() as other:
        print(blow(seconds, seed, [one, other]), "groups")
    print(*problems[:3], sep="\n")
    return len(problems) > 0


if __name__ == "__main__":
    sys.exit(main())
