"""QueueChannel and block_trap of the package (Q-*, DEC-6)."""

from __future__ import annotations

import collections
import contextlib
import gc
import sys
import threading

import pytest

import scheduler
from support.exceptions import functions_in, raised_in
from support.scheduling import queue, queued, started, state
from support.threads import RemoteThread, Worker
from support.waiting import TIMEOUT


class Special(LookupError):
    """Derived from the class that the tests send."""


def origin():
    """Where the errors with a traceback come from."""
    raise OSError(5, "disk")


@pytest.mark.spec("Q-01", "Q-04", "N-02")
def test_a_new_one_is_empty_and_prefers_the_sender():
    count = scheduler.get_number_of_active_channels()
    q = scheduler.QueueChannel()
    assert isinstance(q, scheduler.channel)
    assert (q.preference, q.balance, len(q), bool(q), q.queue) == (1, 0, 0, False, None)
    assert (q.closing, q.closed) == (False, False)
    assert type(q.data_queue) is collections.deque
    assert scheduler.get_number_of_active_channels() == count + 1
    with pytest.raises(TypeError):
        scheduler.QueueChannel(1)


class Deque(collections.deque):
    """Its code would run between a look at the queue and the step that follows."""


@pytest.mark.spec("Q-01")
@pytest.mark.parametrize(
    ("items", "message"),
    [
        (Deque(), "not Deque: use deque"),
        ([], "not list: use deque"),
        (None, "not NoneType"),
        (collections.deque(maxlen=2), r"without maxlen.*len\(channel\)"),
    ],
)
def test_only_a_plain_deque_can_take_the_place_of_the_queue(items, message):
    q = scheduler.QueueChannel()
    q.send("kept")
    with pytest.raises(TypeError, match=message):
        q.data_queue = items
    assert q.receive() == "kept"
    q.data_queue = collections.deque([(True, "replaced")])
    assert (len(q), q.receive()) == (1, "replaced")
    with pytest.raises(AttributeError):
        del q.data_queue


class Reentrant:
    """Uses the channel that it lies in when it is compared, and when it goes."""

    def __init__(self, q):
        self.q = q

    def __eq__(self, other):
        self.q.send("compared")
        return False

    def __del__(self):
        self.q.send("gone")


@pytest.mark.spec("Q-01", "Q-02", "Q-03")
def test_items_may_use_the_channel_while_the_deque_is_changed_in_place():
    q = scheduler.QueueChannel()

    def change():
        for _ in range(10):
            q.send(Reentrant(q))
            with contextlib.suppress(IndexError, RuntimeError, ValueError):  # changed meanwhile
                q.data_queue.remove(Reentrant(q))
            q.data_queue.clear()

    for worker in [Worker(change), Worker(change)]:
        worker.join()
    q.data_queue.clear()
    assert set(q.data_queue) <= {(True, "gone")}
    q.data_queue.clear()
    q.send("last")
    assert (q.receive(), len(q)) == ("last", 0)


@pytest.mark.spec("Q-01", "Q-02", "Q-03", "Q-04")
def test_values_wait_in_the_queue_and_come_out_in_order():
    q = scheduler.QueueChannel()
    values = [1, None, ValueError("a value"), ("tuple",), [True]]
    for value in values:
        assert q.send(value) is None
    assert (len(q), q.balance, bool(q), scheduler.getruncount()) == (5, 5, True, 1)
    assert [ok for ok, _ in q.data_queue] == [True] * 5
    assert [data for _, data in q.data_queue] == values
    for count, value in enumerate(values, 1):
        assert q.receive() is value
        assert len(q) == q.balance == 5 - count


@pytest.mark.spec("Q-02", "Q-03")
@pytest.mark.usefixtures("mode")
def test_neither_side_waits_while_something_is_queued(drain):
    q = scheduler.QueueChannel()
    log = []

    def producer():
        for n in range(3):
            q.send(n)
            log.append(("sent", n))

    def consumer():
        for _ in range(3):
            log.append(("received", q.receive()))

    queued(producer)
    queued(consumer)
    drain()
    assert log == [("sent", n) for n in range(3)] + [("received", n) for n in range(3)]


@pytest.mark.spec("Q-02", "Q-03", "P-23", "C-20")
@pytest.mark.usefixtures("mode")
def test_a_waiting_receiver_is_served_and_queued_while_the_sender_goes_on(drain):
    q = scheduler.QueueChannel()
    log = []
    receiver = started(lambda: log.append(q.receive()))
    assert (q.balance, len(q), receiver.blocked) == (-1, 0, True)

    def send():
        q.send("direct")
        log.append(("rc", scheduler.getruncount(), "blocked", receiver.blocked))

    queued(send)
    scheduler.run_n_tasklets(1)
    assert log == [("rc", 3, "blocked", False)]
    assert queue() == [receiver]
    assert len(q) == 0
    drain()
    assert log[1:] == ["direct"]


@pytest.mark.spec("P-23", "Q-03")
def test_a_receiver_that_makes_tasklets_between_its_receives(drain):
    q = scheduler.QueueChannel()
    log = []

    def receiver():
        queued(log.append, "a")
        log.append(q.receive())
        queued(log.append, "b")
        log.append(q.receive())
        queued(log.append, "c")

    queued(receiver)
    for n in (1, 2):
        queued(q.send, n)
    drain()
    assert log == ["a", 1, 2, "b", "c"]


@pytest.mark.spec("Q-02", "Q-03", "C-40")
def test_closing():
    q = scheduler.QueueChannel()
    for n in range(2):
        q.send(n)
    q.close()
    assert (q.closing, q.closed, q.balance) == (True, True, 2)
    for operation in (
        lambda: q.send(9),
        lambda: q.send_exception(LookupError),
        lambda: q.send_throw(LookupError),
    ):
        with pytest.raises(ValueError):
            operation()
    assert [q.receive(), q.receive()] == [0, 1]
    with pytest.raises(ValueError):
        q.receive()
    assert len(q) == 0
    q.open()
    q.send("again")
    assert q.receive() == "again"


@pytest.mark.spec("Q-02", "Q-07", "C-40")
def test_a_closing_one_still_serves_a_waiting_receiver(drain):
    q = scheduler.QueueChannel()
    log = []
    started(lambda: log.append(q.receive()))
    q.close()
    assert (q.closing, q.closed) == (True, False)
    q.send("last")
    assert q.closed is True
    drain()
    assert log == ["last"]


@pytest.mark.spec("Q-03", "R-03", "B-10")
def test_receiving_from_an_empty_one_waits_as_a_channel_does():
    q = scheduler.QueueChannel()
    with pytest.raises(RuntimeError, match="Deadlock"):
        q.receive()
    with scheduler.block_trap(), pytest.raises(RuntimeError, match="block_trap"):
        q.receive()
    q.send("queued")
    with scheduler.block_trap():
        q.send("never blocks")
        assert [q.receive(), q.receive()] == ["queued", "never blocks"]
    task = started(q.receive)
    task.kill()
    assert (q.balance, task.alive) == (0, False)


# arguments of send_exception / send_throw, class that arrives, its args
SENT = [
    ("send_exception", (LookupError,), LookupError, ()),
    ("send_exception", (LookupError, None), LookupError, ()),
    ("send_exception", (LookupError, "text"), LookupError, ("text",)),
    ("send_exception", (LookupError, (1, 2)), LookupError, (1, 2)),
    ("send_exception", (LookupError, 1, 2), LookupError, (1, 2)),
    ("send_throw", (LookupError,), LookupError, ()),
    ("send_throw", (LookupError, "text"), LookupError, ("text",)),
    ("send_throw", (LookupError, (1, 2)), LookupError, (1, 2)),
    ("send_throw", (KeyboardInterrupt,), KeyboardInterrupt, ()),
]


@pytest.mark.spec("Q-05", "D-35", "C-30", "C-31")
@pytest.mark.parametrize(("method", "args", "kind", "expected"), SENT)
@pytest.mark.parametrize("receiver_waits", [True, False])
def test_queued_exceptions_arrive_as_direct_ones(
    drain, method, args, kind, expected, receiver_waits
):
    q = scheduler.QueueChannel()
    caught = []

    def receive():
        try:
            q.receive()
        except BaseException as error:
            caught.append((type(error), error.args))

    if receiver_waits:
        started(receive)
    getattr(q, method)(*args)
    assert len(q) == (0 if receiver_waits else 1)
    if not receiver_waits:
        assert [ok for ok, _ in q.data_queue] == [False]
        queued(receive)
    drain()
    assert caught == [(kind, expected)]


@pytest.mark.spec("Q-05", "D-35", "D-30", "C-30")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
@pytest.mark.parametrize("receiver_waits", [True, False])
def test_an_instance_arrives_as_it_is(drain, method, receiver_waits):
    q = scheduler.QueueChannel()
    instance = Special("instance")
    caught = []

    def receive():
        try:
            q.receive()
        except LookupError as error:
            caught.append(error)

    if receiver_waits:
        started(receive)
    getattr(q, method)(instance)
    if not receiver_waits:
        queued(receive)
    drain()
    assert caught == [instance]


@pytest.mark.spec("Q-05", "C-31")
@pytest.mark.parametrize("receiver_waits", [True, False])
def test_the_traceback_travels_along(drain, receiver_waits):
    q = scheduler.QueueChannel()
    names = []

    def receive():
        try:
            q.receive()
        except OSError as error:
            names.extend(functions_in(error.__traceback__))

    if receiver_waits:
        started(receive)
    q.send_throw(*raised_in(origin))
    if not receiver_waits:
        queued(receive)
    drain()
    assert (names[0], names[-1]) == ("receive", "origin")


@pytest.mark.spec("Q-05", "C-30", "C-31", "D-30")
@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("send_exception", (), RuntimeError),
        ("send_exception", ("text",), RuntimeError),
        ("send_exception", (LookupError("instance"), 1), TypeError),
        ("send_throw", ("text",), TypeError),
        ("send_throw", (LookupError, None, "no traceback"), TypeError),
    ],
)
def test_wrong_exceptions_are_refused_at_the_call(method, args, error):
    q = scheduler.QueueChannel()
    with pytest.raises(error):
        getattr(q, method)(*args)
    assert (len(q), q.balance) == (0, 0)


@pytest.mark.spec("Q-06")
def test_send_sequence_sends_each_item():
    q = scheduler.QueueChannel()
    assert q.send_sequence(n * n for n in range(4)) is None
    assert [data for _, data in q.data_queue] == [0, 1, 4, 9]
    assert [q.receive() for _ in range(4)] == [0, 1, 4, 9]
    with pytest.raises(TypeError):
        q.send_sequence(3)


@pytest.mark.spec("Q-06")
def test_iteration_ends_when_closed_and_empty(drain):
    q = scheduler.QueueChannel()
    q.send_sequence("abc")
    q.close()
    assert iter(q) is q
    assert list(q) == ["a", "b", "c"]
    with pytest.raises(StopIteration):
        next(q)


@pytest.mark.spec("Q-06", "Q-03", "R-03")
def test_next_is_otherwise_receive():
    q = scheduler.QueueChannel()
    with pytest.raises(RuntimeError, match="Deadlock"):
        next(q)
    q.send("item")
    q.send_exception(LookupError, "sent")
    assert next(q) == "item"
    with pytest.raises(LookupError, match="sent"):
        next(q)
    waiting = started(q.receive)
    q.close()
    with pytest.raises(ValueError):
        next(q)  # somebody waits, so it is closing and not yet closed
    waiting.kill()
    with pytest.raises(StopIteration):
        next(q)


@pytest.mark.spec("B-01", "Q-02")
def test_the_channel_callback_hears_of_direct_sends_only():
    q = scheduler.QueueChannel()
    seen = []
    scheduler.set_channel_callback(lambda *args: seen.append(args[1:]))
    q.send("queued")
    assert seen == []
    q.receive()
    assert seen == []
    task = started(q.receive)
    q.send("direct")
    scheduler.set_channel_callback(None)
    assert seen == [(task, False, True), (scheduler.getmain(), True, False)]
    scheduler.run()


@pytest.mark.spec("Q-01", "G-09", "D-52")
def test_queued_values_are_released():
    class Box:
        """Counted."""

    box = Box()
    before = sys.getrefcount(box)
    q = scheduler.QueueChannel()
    for _ in range(3):
        q.send(box)
    assert q.receive() is box
    q.send(q)  # a cycle
    del q
    scheduler.run()
    gc.collect()
    assert sys.getrefcount(box) == before


# ---- block_trap ----------------------------------------------------------------------------------


@pytest.mark.spec("Q-08", "B-10")
def test_block_trap_sets_and_restores():
    main = scheduler.getcurrent()
    for before in (False, True):
        main.block_trap = before
        with scheduler.block_trap():
            assert main.block_trap is True
            with scheduler.block_trap(False):
                assert main.block_trap is False
            assert main.block_trap is True
        assert main.block_trap is before
        with pytest.raises(LookupError), scheduler.block_trap(not before):
            assert main.block_trap is not before
            raise LookupError
        assert main.block_trap is before
    main.block_trap = False


@pytest.mark.spec("Q-08")
def test_block_trap_belongs_to_the_tasklet_that_entered_it(drain):
    seen = []

    def body():
        me = scheduler.getcurrent()
        with scheduler.block_trap():
            scheduler.schedule()
            seen.append((me.block_trap, scheduler.getmain().block_trap))
        seen.append(me.block_trap)

    queued(body)
    drain()
    assert seen == [(True, False), False]


# ---- threads (DEC-6) -----------------------------------------------------------------------------


@pytest.mark.spec("DEC-6", "D-65", "H-02")
def test_a_value_queued_by_one_thread_reaches_a_tasklet_of_another():
    q = scheduler.QueueChannel()
    log = []
    with RemoteThread() as other:
        other.call(q.send, "queued there")
        assert q.receive() == "queued there"
        receiver = other.call(started, lambda: log.append(q.receive()))
        assert q.balance == -1
        q.send("direct")
        assert (len(q), state(receiver)) == (0, (True, False, True, False))
        other.call(scheduler.run)
        assert log == ["direct"]
        del receiver


@pytest.mark.spec("DEC-6", "D-65", "Q-02", "Q-03", "H-08")
@pytest.mark.parametrize("consumers", [1, 3])
def test_nothing_is_lost_between_threads_and_nobody_sleeps_beside_an_item(consumers):
    q = scheduler.QueueChannel()
    producers, items = 3, 300
    received = [[] for _ in range(consumers)]
    together = threading.Barrier(producers + consumers)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def produce(name):
        together.wait(TIMEOUT)
        for number in range(items):
            q.send((name, number))

    def consume(mine):
        def body():
            while (item := q.receive()) is not None:
                mine.append(item)

        task = scheduler.tasklet(body)()
        together.wait(TIMEOUT)
        while task.alive:
            scheduler.run()

    try:
        eaters = [Worker(consume, mine) for mine in received]
        for worker in [Worker(produce, name) for name in range(producers)]:
            worker.join()
        for _ in eaters:
            q.send(None)
        for worker in eaters:
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    everything = sorted(item for mine in received for item in mine)
    assert everything == [(name, number) for name in range(producers) for number in range(items)]
    for mine in received:
        for name in range(producers):
            numbers = [number for sender, number in mine if sender == name]
            assert numbers == sorted(numbers)
    assert (len(q), q.balance) == (0, 0)


@pytest.mark.spec("DEC-6", "D-65")
def test_a_value_whose_destructor_uses_the_queue_does_not_lock_up():
    q = scheduler.QueueChannel()
    log = []

    class Talkative:
        def __del__(self):
            log.append(len(q))
            q.send("from __del__")

    q.send(Talkative())
    q.receive()
    assert log == [0]
    assert q.receive() == "from __del__"
