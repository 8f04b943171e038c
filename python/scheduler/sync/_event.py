"""Event."""

from _scheduler import _raise_held, channel

from ._line import Line, LineBase, Waiter, checked


class Event(LineBase):
    """A flag, false at first; wait() waits until it is true.

    Example:
        >>> import scheduler
        >>> ready = scheduler.sync.Event()
        >>> task = scheduler.tasklet(lambda: print(ready.wait()))()
        >>> scheduler.run()
        >>> ready.set()
        >>> scheduler.run()
        True
    """

    def __init__(self) -> None:
        self._line = Line()
        self._gate = self._new_gate()

    # What select() waits at. It is closing while the event is set, and another one after that.
    @staticmethod
    def _new_gate() -> channel[None]:
        gate: channel[None] = channel()
        gate.preference = 0
        return gate

    def is_set(self) -> bool:
        """Is the flag true?"""
        return self._gate.closing

    def set(self) -> None:
        """Makes the flag true: all who wait go on. Does not switch."""
        with self._line.guard:
            gate = self._gate
            gate.close()
        try:
            self._line.serve()
            if gate.balance < 0:
                _raise_held()  # not to be taken for an error of send()
        finally:
            self._open(gate)

    @staticmethod
    def _open(gate: channel[None]) -> None:
        while gate.balance < 0:
            try:
                gate.send(None, timeout=0)
            except ValueError:  # the last one has left
                return

    def clear(self) -> None:
        """Makes the flag false."""
        with self._line.guard:
            if self._gate.closing:
                self._gate = self._new_gate()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the flag is true. False if it is not within `timeout` seconds."""
        checked(timeout)
        if self.is_set():
            return True
        if timeout == 0:
            return False
        waiter = Waiter()
        with self._line.guard:
            if self.is_set():
                return True
            self._line.waiters.append(waiter)
        return self._line.wait(waiter, timeout)

    def _describe(self) -> str:
        return f"{'set' if self.is_set() else 'unset'} {super()._describe()}"
