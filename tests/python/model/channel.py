"""Section 7 of the specification: channels."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import exception_to_send, exception_to_send_throw
from .tasklet import Leaving, Tasklet

if TYPE_CHECKING:
    from .manager import Manager

SENDERS, RECEIVERS = 1, -1


class Parcel(NamedTuple):
    """What is transferred: a value, or an exception to raise in the receiver."""

    value: Any
    is_error: bool = False

    def open(self) -> Any:
        if self.is_error:
            raise self.value
        return self.value


class Channel:
    """A channel of the model."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        manager.channels.append(self)
        self._line: deque[Tasklet] = deque()  # all of them senders, or all receivers
        self._waiting_to = SENDERS
        self._preference = -1
        self.closing = False
        self.closed = False

    @property
    def balance(self) -> int:
        return len(self._line) * self._waiting_to

    @property
    def queue(self) -> Tasklet | None:
        return self._line[0] if self._line else None

    @property
    def preference(self) -> int:
        return self._preference

    @preference.setter
    def preference(self, preference: int) -> None:
        if not isinstance(preference, int):
            raise TypeError
        if -1 <= preference <= 1:
            self._preference = preference

    # -------------------------------------------------------------- send and receive (7.1 to 7.3)

    def send(self, value: Any) -> None:
        self._send(Parcel(value))

    def send_exception(self, *args: Any) -> None:
        if not args:
            raise RuntimeError
        self._send(Parcel(exception_to_send(*args), is_error=True))

    def send_throw(self, exc: Any, val: Any = None, tb: Any = None) -> None:
        self._send(Parcel(exception_to_send_throw(exc, val, tb), is_error=True))

    def _send(self, parcel: Parcel) -> None:
        """C-10."""
        self._manager.raise_held()
        sender = self._manager.current
        partner = self._partner(sender, SENDERS)
        if partner is None:
            sender.parcel = parcel
            self._wait(sender, SENDERS)
        else:
            self._refuse_to_yield(SENDERS)
            partner.parcel = parcel
            self._serve(partner, SENDERS)

    def receive(self) -> Any:
        """C-11."""
        self._manager.raise_held()
        receiver = self._manager.current
        partner = self._partner(receiver, RECEIVERS)
        if partner is None:
            self._wait(receiver, RECEIVERS)
            parcel, receiver.parcel = receiver.parcel, None
        else:
            self._refuse_to_yield(RECEIVERS)
            parcel, partner.parcel = partner.parcel, None
            self._serve(partner, RECEIVERS)
        return parcel.open()

    def _partner(self, tasklet: Tasklet, direction: int) -> Tasklet | None:
        """Steps 1 and 2: the first in the line if they wait for what `tasklet` is about to do.

        The callback may have changed the line, so it is looked at again.
        """
        will_block = self._first_waiting_to(-direction) is None
        if self._manager.channel_callback is not None:
            self._manager.channel_callback(self, tasklet, direction == SENDERS, will_block)
        return self._first_waiting_to(-direction)

    def _first_waiting_to(self, direction: int) -> Tasklet | None:
        return self.queue if self._waiting_to == direction else None

    def _wait(self, tasklet: Tasklet, direction: int) -> None:
        """Step 3."""
        tasklet.served = False
        try:
            if tasklet.pending is not None:
                raise tasklet.take_pending()  # it came during this turn; no other may come
            if tasklet.block_trap:
                raise RuntimeError("block_trap")
            if self.closing:
                raise ValueError
            self._waiting_to = direction
            self._line.append(tasklet)
            tasklet.channel = self
            self._manager.suspend(Leaving.WAIT)
        except BaseException as error:
            if tasklet.channel is self:
                self.withdraw(tasklet)
            elif tasklet.served and self._manager.hold(error):
                return
            tasklet.parcel = None
            raise

    def _refuse_to_yield(self, direction: int) -> None:
        """DEC-10: a transfer that would fail for the yield after it does not begin."""
        if self._preference == -direction and not self._manager.current.unwinding:
            self._manager.refuse_if_trapped()

    def _serve(self, partner: Tasklet, direction: int) -> None:
        """Step 4 and C-20."""
        manager = self._manager
        partner_first = self._preference == -direction
        self._leave_line(partner)
        partner.served = True
        if not partner.is_main:
            if partner_first:
                manager.ready.put_behind(manager.current, partner)
            else:
                manager.ready.append(partner)
        if partner_first and not manager.current.unwinding:
            manager.give_way()

    def withdraw(self, tasklet: Tasklet) -> None:
        """C-50, C-52: takes a waiting tasklet out of the line and drops what it had to send."""
        self._leave_line(tasklet)
        tasklet.parcel = None

    def _leave_line(self, tasklet: Tasklet) -> None:
        self._line.remove(tasklet)
        tasklet.channel = None
        if self.closing and not self._line:
            self.closed = True

    # ------------------------------------------------------------ close, clear, iteration (7.4)

    def close(self) -> None:
        self.closing = True
        self.closed = not self._line

    def open(self) -> None:
        self.closing = self.closed = False

    def clear(self) -> None:
        """C-42, D-40: one kill for each of those that wait now; a waiting main is left alone."""
        victims = [tasklet for tasklet in self._line if not tasklet.is_main]
        if victims:
            self._manager.refuse_if_trapped()
        for victim in victims:
            if victim.channel is self:
                victim.kill()

    def __iter__(self) -> Channel:
        return self

    def __next__(self) -> Any:
        if self.closed:
            raise StopIteration
        return self.receive()
