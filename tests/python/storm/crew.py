"""A crew: one thread, its main tasklet, and the actors in its tasklets.

Orders come through `order`, and a bell, which is a QueueChannel: the tasklet that waits there is
what makes sure that a thread with nothing to do does not miss them. Like any other it is killed
when somebody unblocks all channels; it takes that for the bell. Each time it rings it

* answers the pulse: the thread is not stuck,
* sees to it that there are enough actors, and that nobody is left out when the round is ending,
* obeys the order, if there is one.
"""

from __future__ import annotations

import enum
import functools
import random
import threading
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import scheduler

from . import actions
from .actor import Actor, Stop, Thrown
from .book import Ledger, Life

if TYPE_CHECKING:
    from .round import Field


class Order(enum.Enum):
    NONE = 0
    END = 1  # nobody is alive any more
    ABANDON = 2  # at once, whoever is alive


class Crew:
    POPULATION = 40

    def __init__(self, field: Field, index: int, generation: int, seed: str) -> None:
        self.field = field
        self.index = index
        self.generation = generation
        self.name = f"thread {index}.{generation}"
        self.ledger = Ledger(self.name)
        self.order = Order.NONE
        self.idle = False  # the round is ending, and all actors have ended
        self._seed = seed
        self._leaving = False
        self._main_acts = False
        self._pulse = False
        self._spawned = 0
        self._young: list[Life] = []  # not known to be dead
        self._bell = scheduler.QueueChannel()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._lasting: list[weakref.ref[scheduler.tasklet]] = []

    # ---- for the one who gives the orders

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """Asks to look at `order` and to give a sign of life, unless one is still to come."""
        if not self._pulse:
            self._pulse = True
            self.field.watchdog.expect((self.name, "pulse"), f"sign of life of {self.name}")
            self._bell.send(None)

    def has_ended(self) -> bool:
        if self._thread.is_alive():
            return False
        self._thread.join()
        self.field.watchdog.met((self.name, "pulse"))
        return True

    def tasklets(self) -> list[Any]:
        """All that are alive: the main tasklet, the one at the bell, the actors."""
        references = [*self._lasting, *(life.task for life in list(self._young))]
        tasks = [reference() for reference in references]
        return [task for task in tasks if task is not None and task.alive]

    # ---- the thread

    def _run(self) -> None:
        try:
            guard = scheduler.tasklet(self._attend)()
            self._lasting = [weakref.ref(scheduler.getmain()), weakref.ref(guard)]
            self.field.seats[self.own_seat(0)] = scheduler.getmain()
            del guard
            main = Actor(self, f"{self.name}, main", random.Random(self._seed).getrandbits(64))
            main.do(self._replenish)
            while not self._leaving:
                self._turn(main)
        except Stop:
            pass
        except BaseException:
            self.field.fail(f"{self.name}:\n{traceback.format_exc()}")
        finally:
            self._leaving = True

    def _turn(self, main: Actor) -> None:
        try:
            if self.field.weather.parking:
                # Without a timeout nothing but the bell makes sure that it goes on.
                scheduler.run(threadblock=True, timeout=main.rng.choice((0.02, None)))
            else:
                scheduler.run()
            if not self.field.draining and main.rng.random() < 0.1:
                self._main_acts = True
                main.step()
        except (Thrown, scheduler.TaskletExit) as error:
            self.ledger.tally[f"main: {type(error).__name__}"] += 1
        self._main_acts = False

    def _attend(self) -> None:
        guard = Actor(self, f"{self.name}, at the bell", random.Random(self._seed).getrandbits(64))
        while True:
            try:
                scheduler.schedule()  # others first, however often it rings
                self._bell.receive()
            except scheduler.TaskletExit:
                if self._leaving:
                    raise
            except BaseException:  # nobody throws at this tasklet
                self.field.fail(f"{guard.name}:\n{traceback.format_exc()}")
                raise
            self.field.watchdog.met((self.name, "pulse"))
            self._pulse = False
            if self.order is Order.END:
                self._leaving = True
                return
            if self.order is Order.ABANDON:
                self._leaving = True
                scheduler.tasklet(stop)()
            else:
                # Others get hold of the tasklets at once, so that this may be refused.
                guard.do(self._drain if self.field.draining else self._replenish)

    # ---- actors

    def own_seat(self, index: int) -> int:
        """Takes the number of any seat to that of one of this thread."""
        count = self.field.SEATS
        return self.index * count + index % count

    def is_foreign(self, task: scheduler.tasklet) -> bool:
        return task.thread_id != self._thread.ident

    def spawn(self, rng: random.Random) -> None:
        """A new actor, queued most often, otherwise paused until somebody inserts it."""
        actor = self._new_actor(rng)
        task = scheduler.tasklet()
        self._bind(task, actor, rng, patient=True)
        self.field.seats[self.own_seat(rng.randrange(1000))] = task
        if rng.random() < 0.8:
            task.insert()

    def rebind(self, task: scheduler.tasklet, rng: random.Random) -> None:
        """A new actor in an old tasklet, dead or alive."""
        self._bind(task, self._new_actor(rng), rng, patient=False)
        task.insert()

    def start_member(self, group: scheduler.TaskletGroup, rng: random.Random) -> Life:
        """A new actor that is a member of a group of this thread."""
        actor = self._new_actor(rng)
        life = Life(actor.name)
        task = group.start(actor.live, life, rng.randrange(1, 6), patient=False)
        life.belongs_to(task)
        self.enlist(life)
        self.field.seats[self.own_seat(rng.randrange(1000))] = task
        return life

    def enlist(self, life: Life) -> None:
        """Writes down one that knows what it will do, and is not alive before that."""
        self.ledger.lives.append(life)
        self._young.append(life)

    def _bind(
        self, task: scheduler.tasklet, actor: Actor, rng: random.Random, *, patient: bool
    ) -> None:
        life = Life(actor.name, task)
        task.bind(actor.live, (life, rng.randrange(5, 40)), {"patient": patient})
        self.enlist(life)

    def _new_actor(self, rng: random.Random) -> Actor:
        self._spawned += 1
        return Actor(self, f"{self.name}, actor {self._spawned}", rng.getrandbits(64))

    def _replenish(self, guard: Actor) -> None:
        """Some more are added even if all are there, should they all be waiting for each other."""
        alive = self._count_living()
        if alive < 2 * self.POPULATION:
            for _ in range(max(2, self.POPULATION - alive)):
                self.spawn(guard.rng)

    def _drain(self, guard: Actor) -> None:
        """Wakes who is paused; one crew also serves those who wait at channels, its own or not."""
        for task in self.tasklets():
            if task.paused and not task.is_main:
                task.insert()
        self.idle = self._count_living() == 0 and not self._main_acts
        if self.index != 0:
            return
        for number, channel in self.field.existing_channels():
            channel.open()
            waiting = scheduler.channel.balance.__get__(channel)
            for _ in range(abs(waiting)):
                self._serve(number, channel, guard.rng, receive=waiting > 0)

    def _serve(self, number: int, channel: Any, rng: random.Random, *, receive: bool) -> None:
        actor = self._new_actor(rng)
        action = actions.receive_from if receive else actions.send_to
        task = scheduler.tasklet(actor.live_once)
        life = Life(actor.name, task)
        task(life, functools.partial(action, number=number, channel=channel))
        self.enlist(life)

    def _count_living(self) -> int:
        young = self._young
        self._young = []
        self._young += [life for life in young if (task := life.task()) is not None and task.alive]
        return len(self._young)


def stop() -> None:
    raise Stop
