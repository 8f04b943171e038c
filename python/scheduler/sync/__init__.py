"""Locks, events and queues for tasklets: those of `threading` and `queue`, but only the tasklet waits.

The other tasklets of its thread go on. Tasklets of any thread may use the same object. Who waits is
served in the order in which they came, and what is released goes to the first in line: nobody who comes
later gets it before.
"""

from threading import BrokenBarrierError

from ._barrier import Barrier
from ._condition import Condition
from ._event import Event
from ._locks import Lock, RLock
from ._queues import LifoQueue, PriorityQueue, Queue
from ._semaphores import BoundedSemaphore, Semaphore

__all__ = [
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "Condition",
    "Event",
    "LifoQueue",
    "Lock",
    "PriorityQueue",
    "Queue",
    "RLock",
    "Semaphore",
]

for _class in (
    Barrier, BoundedSemaphore, Condition, Event, LifoQueue, Lock, PriorityQueue, Queue, RLock, Semaphore
):
    _class.__module__ = __name__
del _class
