"""The stacks of the model's tasklets: threads, of which one at a time has control.

Every supported interpreter has threads, and greenlets do not work on the free-threaded ones. A
stack gives control to another one by waking its thread, and then waits until its own is woken.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue

TIMEOUT = 60  # seconds that a stack waits for control: no program takes so long


class Abandoned(BaseException):
    """Ends what is left of a stack that nobody will come back to."""


class Stack:
    """Calls `function`, which must not raise, when control first comes to it.

    `parent` is where control goes when the function has ended.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self.parent: Stack | None = None
        self._function = function
        self._context = contextvars.copy_context()  # DEC-5
        self._started = False
        self._wake = threading.Lock()  # released by the one that gives control to this stack
        self._wake.acquire()
        self._abandoned = False

    @staticmethod
    def current() -> Stack:
        """The caller's stack: every thread has one, also those that were started elsewhere."""
        if not hasattr(_here, "stack"):
            _here.stack = Stack(lambda: None)
            _here.stack._started = True
        return _here.stack

    def switch(self) -> None:
        """Control goes to this stack; returns when it comes back to the caller's."""
        caller = Stack.current()
        if caller._abandoned:
            raise Abandoned
        if self._started:
            self._wake.release()
        else:
            self._started = True
            _unfinished.add(self)
            thread = _idle.pop() if _idle else _Thread()
            thread.stacks.put(self)
        if not caller._wake.acquire(timeout=TIMEOUT):
            raise TimeoutError("control does not come back")
        if caller._abandoned:
            raise Abandoned

    def abandon(self) -> None:
        """Ends this stack if it has begun and not ended; its code gets `Abandoned`."""
        if self in _unfinished:
            self.parent = Stack.current()
            self._abandoned = True
            self.switch()

    def live(self, thread: _Thread) -> None:
        """What the thread of this stack does."""
        _here.stack = self
        self._context.run(self._function)
        _unfinished.remove(self)
        _idle.append(thread)
        self.parent._wake.release()


class _Thread(threading.Thread):
    """Runs one stack after the other, for starting a thread costs more than all else."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stacks: SimpleQueue[Stack | None] = SimpleQueue()
        self.start()

    def run(self) -> None:
        while (stack := self.stacks.get()) is not None:
            stack.live(self)

    def end(self) -> None:
        self.stacks.put(None)
        self.join(TIMEOUT)


_here = threading.local()
_unfinished: set[Stack] = set()
_idle: list[_Thread] = []


def end_threads() -> None:
    """Abandons the stacks that are left and leaves no thread behind."""
    for stack in list(_unfinished):
        stack.abandon()
    while _idle:
        _idle.pop().end()
