"""A wait that was served succeeds (DEC-10).

What would have ended it comes at the very next opportunity instead, and an operation that raises has
transferred nothing. A tasklet that is killed may drop what it was given (C-53, test_kill.py).
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import signal
import sys
import threading

import pytest

import scheduler
from support.exceptions import outcome
from support.scheduling import channel, queued, started, trapped
from support.threads import Worker
from support.waiting import TIMEOUT, wait

pytestmark = pytest.mark.spec("DEC-10")


class Late(Exception):
    """Comes when the wait has been served."""


class Interrupt(BaseException):
    """Raised by a signal handler."""


def fail():
    raise Late


# ---- signals -------------------------------------------------------------------------------------


class Serving:
    """A handler that lets another thread serve the waiting main tasklet, and then raises."""

    def __init__(self):
        self.begun, self.served = threading.Event(), threading.Event()
        self.errors = 0
        self.trip = {signal.SIGUSR2: None}

    def __call__(self, *_):
        self.begun.set()
        wait(self.served)
        self.errors += 1
        self.trip[signal.SIGUSR2]
        raise Interrupt

    def serve(self, operation, *args):
        """In another thread: sends the signal once main waits, and serves while the handler runs."""
        main = scheduler.getmain()
        assert threading.current_thread() is threading.main_thread()

        def other():
            # A handler that runs before main stands in line waits for the service for ever.
            while not main.blocked:
                threading.Event().wait(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)
            wait(self.begun)
            result = operation(*args)
            self.served.set()
            return result

        return Worker(other)


@pytest.fixture
def serving(deadlock_timeout):
    deadlock_timeout(None)
    handler = Serving()
    before = signal.signal(signal.SIGUSR1, handler)
    yield handler
    signal.signal(signal.SIGUSR1, before)
    assert handler.errors == 1


def python_function(ch):
    return ch.receive()


def receive_in_a_loop(ch, letters):
    for letter in ch:
        letters.append(letter)
        scheduler.schedule()


def receive_and_store(ch, letters):
    letter = ch.receive()
    letters.append(letter)


# Each puts what it receives into a list.
RECEIVE = {
    "receive": lambda ch, letters: letters.append(ch.receive()),
    "store": receive_and_store,
    "for": receive_in_a_loop,
    "next": lambda ch, letters: letters.append(next(ch)),
    "partial": lambda ch, letters: letters.append(functools.partial(ch.receive)()),
    "python in C": lambda ch, letters: letters.append(functools.partial(python_function, ch)()),
    "map": lambda ch, letters: letters.extend(map(python_function, [ch])),
    "in C": lambda ch, letters: list(map(letters.append, map(python_function, [ch]))),
}


def run_until_interrupted(limit=10_000_000):
    """No operation of the scheduler: what was held back comes all the same."""
    for _ in range(limit):
        pass


@pytest.mark.parametrize("way", RECEIVE)
@pytest.mark.parametrize("kind", [scheduler.channel, scheduler.QueueChannel])
@pytest.mark.parametrize("after", ["nothing", "operation"])
def test_what_main_received_is_not_lost_to_a_signal(serving, kind, way, after):
    ch = kind()
    worker = serving.serve(ch.send, "letter")
    letters = []
    with pytest.raises(Interrupt):
        RECEIVE[way](ch, letters)
        if after == "operation":
            scheduler.schedule()
        run_until_interrupted()
    assert letters == ["letter"]
    worker.join()
    scheduler.run()
    assert len(ch) == 0 if kind is scheduler.QueueChannel else ch.balance == 0


def watch_nothing(*_):
    """A tool's function: an exception may be raised in it, like in all that Python runs."""
    return watch_nothing


@contextlib.contextmanager
def profiled():
    sys.setprofile(watch_nothing)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextlib.contextmanager
def traced():
    sys.settrace(watch_nothing)
    try:
        yield
    finally:
        sys.settrace(None)


@contextlib.contextmanager
def monitored():
    monitoring, tool = sys.monitoring, sys.monitoring.OPTIMIZER_ID
    events = monitoring.events
    monitoring.use_tool_id(tool, "test")
    for event in (events.CALL, events.C_RETURN, events.LINE, events.INSTRUCTION):
        monitoring.register_callback(tool, event, watch_nothing)
    monitoring.set_events(tool, events.CALL | events.LINE | events.INSTRUCTION)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


TOOLS = [profiled, traced, *([monitored] if sys.version_info >= (3, 12) else [])]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("way", ["receive", "store", "python in C", "in C"])
def test_what_main_received_is_not_lost_where_a_tool_looks(serving, tool, way):
    ch = scheduler.channel()
    worker = serving.serve(ch.send, "letter")
    letters = []
    with pytest.raises(Interrupt), tool():
        RECEIVE[way](ch, letters)
        run_until_interrupted()
    assert letters == ["letter"]
    worker.join()


class Tripping:
    """Subscripted by a signal's number, it sends that. No instruction follows that runs the handler."""

    __getitem__ = staticmethod(_thread.interrupt_main)


@pytest.mark.parametrize("way", RECEIVE)
def test_what_main_received_is_not_lost_when_another_handler_runs_first(serving, way):
    """Python runs a handler between the end of receive() and what stores its result."""
    ran = []

    def other_handler(*_):
        run_until_interrupted(1000)
        ran.append(True)

    before = signal.signal(signal.SIGUSR2, other_handler)
    serving.trip = Tripping()
    ch = scheduler.channel()
    worker = serving.serve(ch.send, "letter")
    letters = []
    try:
        with pytest.raises(Interrupt):
            RECEIVE[way](ch, letters)
            run_until_interrupted()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert letters == ["letter"]
    # In a loop the next check is behind what stores.
    assert ran or way == "for"
    worker.join()


def test_an_exception_that_main_received_is_not_lost_to_a_signal(serving):
    ch = scheduler.channel()
    worker = serving.serve(ch.send_exception, KeyError, "sent")
    with pytest.raises(Interrupt):
        try:
            ch.receive()
        except KeyError:
            run_until_interrupted()
    worker.join()


def test_a_send_of_main_that_was_received_does_not_fail_for_a_signal(serving):
    ch = scheduler.channel()
    sent = []
    worker = serving.serve(ch.receive)
    with pytest.raises(Interrupt):
        sent.append(ch.send("letter"))
        run_until_interrupted()
    assert worker.join() == "letter"
    assert sent == [None]


def test_a_join_that_was_served_does_not_fail_for_a_signal(serving):
    ch, may_end = scheduler.channel(), threading.Event()
    there = []

    def other():
        there.append(started(lambda: ch.receive()))
        may_end.set()
        scheduler.run(threadblock=True)

    worker = Worker(other)
    wait(may_end)

    def serve():
        ch.send("over")
        worker.join()

    server = serving.serve(serve)
    ended = []
    with pytest.raises(Interrupt):
        ended.append(there[0].join())
        run_until_interrupted()
    assert ended == [True]
    server.join()


def test_a_signal_that_finds_main_unserved_fails_the_wait(deadlock_timeout):
    def handler(*_):
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, handler)
    deadlock_timeout(None)
    ch, main = scheduler.channel(), scheduler.getmain()

    def other():
        while not main.blocked:
            threading.Event().wait(0.001)
        os.kill(os.getpid(), signal.SIGUSR1)

    try:
        worker = Worker(other)
        with pytest.raises(Interrupt):
            ch.send("letter")
        assert ch.balance == 0
        worker.join()
        scheduler.schedule()  # nothing is left to raise
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_control_c_that_is_never_raised_is_reported(run_script):
    program = """
        import os, scheduler, signal, sys, threading
        scheduler.set_deadlock_timeout(None)
        channel, main = scheduler.channel(), scheduler.getmain()
        begun, served = threading.Event(), threading.Event()
        def handler(*_):
            begun.set()
            served.wait(60)
            raise KeyboardInterrupt("held")
        signal.signal(signal.SIGUSR1, handler)
        def other():
            while not main.blocked:
                threading.Event().wait(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)
            begun.wait(60)
            channel.send("letter")
            served.set()
        threading.Thread(target=other).start()
        print(channel.receive())
    """
    done = run_script(program, check=False)
    assert done.stdout == "letter\n"
    assert "KeyboardInterrupt: held" in done.stderr


# ---- the failure of another tasklet --------------------------------------------------------------


def in_main_thread(function):
    function()


def in_worker(function):
    Worker(function).join()


@pytest.fixture(params=[in_main_thread, in_worker])
def thread(request):
    return request.param


def test_main_receives_from_one_that_fails_in_the_same_turn(thread):
    def body():
        ch = channel(0)
        queued(lambda: (ch.send("letter"), fail()))
        assert ch.receive() == "letter"
        assert outcome(scheduler.schedule) is Late
        assert outcome(scheduler.schedule) is None

    thread(body)


def test_main_sends_to_one_that_fails_in_the_same_turn(thread):
    def body():
        ch = channel(0)
        queued(lambda: (log.append(ch.receive()), fail()))
        assert ch.send("letter") is None
        assert log == ["letter"]
        assert outcome(scheduler.run) is Late

    log = []
    thread(body)


@pytest.mark.parametrize("sends", [True, False])
def test_main_gives_way_to_one_that_fails(thread, sends):
    def body():
        ch = channel(-1 if sends else 1)
        if sends:
            started(lambda: (log.append(ch.receive()), fail()))
            assert ch.send("letter") is None
        else:
            started(lambda: (ch.send("letter"), fail()))
            log.append(ch.receive())
        assert log == ["letter"]
        assert outcome(scheduler.run_n_tasklets, 1) is Late

    log = []
    thread(body)


@pytest.mark.parametrize("operation", ["send", "receive"])
def test_the_next_operation_that_raises_has_transferred_nothing(operation):
    ch = channel(-1)
    other = channel(-1)
    partner = started(other.receive) if operation == "send" else started(other.send, "other")
    started(lambda: (ch.receive(), fail()))
    ch.send("letter")
    act = {"send": lambda: other.send("other"), "receive": other.receive}[operation]
    assert outcome(act) is Late
    assert partner.blocked
    assert act() == (None if operation == "send" else "other")
    scheduler.run()
    assert not partner.alive


@pytest.mark.parametrize(
    "operation",
    [
        lambda task: scheduler.run(),
        lambda task: scheduler.run(timeout=0),
        lambda task: scheduler.run_n_tasklets(1),
        lambda task: scheduler.schedule(),
        lambda task: scheduler.schedule_remove(),
        lambda task: task.run(),
        lambda task: task.switch(),
        lambda task: task.kill(),
        lambda task: task.throw(ValueError),
        lambda task: task.join(),
        lambda task: scheduler.channel().receive(),
        lambda task: next(scheduler.channel()),
        lambda task: scheduler.channel().send_exception(ValueError),
    ],
)
def test_whatever_can_switch_raises_what_is_held_back_and_does_nothing(operation):
    ch = channel(-1)
    started(lambda: (ch.receive(), fail()))
    ch.send("letter")
    task = queued(log.append, 1)
    assert scheduler.getruncount() == 2  # a question raises nothing
    task.remove()
    task.insert()
    assert outcome(operation, task) is Late
    assert log == [] and task.scheduled and scheduler.getcurrent() is scheduler.getmain()
    scheduler.run()
    assert log.pop() == 1


log: list[int] = []


def test_what_main_holds_back_at_the_end_of_its_thread_is_reported(unraisable):
    def body():
        ch = channel(-1)
        started(lambda: (ch.receive(), fail()))
        ch.send("letter")

    in_worker(body)
    assert [entry.exc_type for entry in unraisable] == [Late]


# ---- throw() -------------------------------------------------------------------------------------


@pytest.fixture(params=["pending", "immediate", "other thread"])
def throw(request):
    """`throw(task)`: throws Late at a tasklet of this thread."""
    return {
        "pending": lambda task: task.throw(Late, pending=True),
        "immediate": lambda task: task.throw(Late),
        "other thread": lambda task: Worker(task.throw, Late, pending=True).join(),
    }[request.param]


@pytest.mark.usefixtures("mode")
def test_what_a_tasklet_was_handed_is_not_lost_to_throw(throw, drain):
    ch = channel(0)
    log = []

    def receive():
        log.append(ch.receive())
        log.append(outcome(scheduler.schedule))

    task = started(receive)
    ch.send("letter")
    throw(task)
    drain()
    assert log == ["letter", Late]


@pytest.mark.usefixtures("mode")
def test_a_send_that_was_received_does_not_fail_for_throw(throw, drain):
    ch = channel(0)
    log = []

    def send():
        log.append(ch.send("letter"))
        log.append(outcome(ch.send, "not sent"))

    task = started(send)
    assert ch.receive() == "letter"
    throw(task)
    drain()
    assert log == [None, Late]
    assert ch.balance == 0


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sends", [True, False])
def test_one_that_gave_way_after_its_transfer_succeeds(throw, drain, sends):
    ch = channel(-1 if sends else 1)
    log = []
    partner = started(ch.receive) if sends else started(ch.send, "letter")

    def body():
        log.append(ch.send("letter") if sends else ch.receive())
        log.append(outcome(scheduler.schedule))

    task = queued(body)
    scheduler.run_n_tasklets(1)
    throw(task)
    drain()
    assert log == [None if sends else "letter", Late]
    assert not partner.alive


def test_a_join_that_was_served_does_not_fail_for_throw(throw, drain):
    log = []
    task = started(scheduler.schedule_remove)
    joiner = started(lambda: (log.append(task.join()), log.append(outcome(scheduler.schedule))))
    task.kill()
    assert joiner.scheduled
    throw(joiner)
    drain()
    assert log == [True, Late]


@pytest.mark.parametrize("sends", [True, False])
@pytest.mark.usefixtures("mode")
def test_one_that_was_not_served_fails_at_once(throw, drain, sends):
    ch = channel(0)
    log = []
    task = started(lambda: log.append(outcome(*((ch.send, "letter") if sends else (ch.receive,)))))
    throw(task)
    drain()
    assert log == [Late] and ch.balance == 0 and not task.alive


def test_what_is_thrown_at_one_that_transfers_all_the_time_arrives():
    """Each of its sends finds a receiver and gives way: it is raised by the one after the next turn."""
    ch = channel(-1)
    sent, received = [], []

    def send():
        for number in range(100):
            ch.send(number)
            sent.append(number)

    def receive():
        while True:
            received.append(ch.receive())

    receiver = started(receive)
    task = queued(send)
    scheduler.run_n_tasklets(3)
    task.throw(Late, pending=True)
    with pytest.raises(Late):
        scheduler.run()
    assert sent == received and len(sent) < 100
    receiver.kill()


def test_a_time_out_made_with_throw_loses_no_item(drain):
    """As a program makes one: a tasklet that throws at another one later."""
    ch = channel(0)
    taken, timed_out = [], 0

    def receive():
        nonlocal timed_out
        while len(taken) < 50:
            try:
                taken.append(ch.receive())
            except Late:
                timed_out += 1

    task = started(receive)
    for number in range(50):
        ch.send(number)
        task.throw(Late, pending=True)
        scheduler.run()
    drain()
    assert taken == list(range(50))
    assert timed_out == 49  # the last one found no further operation


# ---- what forbids to give way --------------------------------------------------------------------


@pytest.mark.spec("C-23", "B-21", "B-22")
@pytest.mark.parametrize("sends", [True, False])
def test_a_transfer_that_would_fail_to_give_way_does_not_begin(drain, sends):
    ch = channel(-1 if sends else 1)
    partner = started(ch.receive) if sends else started(ch.send, "letter")
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        ch.send("letter") if sends else ch.receive()
    assert partner.blocked
    assert (ch.send("letter") if sends else ch.receive()) == (None if sends else "letter")
    drain()
    assert not partner.alive


def test_no_transfer_that_would_give_way_begins_in_a_schedule_callback(drain):
    ch = channel(-1)
    partner = started(ch.receive)
    seen = []
    scheduler.set_schedule_callback(lambda *_: seen.append(outcome(ch.send, "letter")))
    queued(lambda: None)
    scheduler.run()
    scheduler.set_schedule_callback(None)
    assert set(seen) == {RuntimeError} and partner.blocked
    ch.send("letter")
    drain()


@pytest.mark.usefixtures("patient")
def test_main_alone_may_send_to_another_thread_under_a_trap():
    ch = channel(-1)
    main_of_worker = []

    def other():
        main_of_worker.append(scheduler.getmain())
        return ch.receive()

    worker = Worker(other)
    for _ in range(int(TIMEOUT / 0.001)):
        if main_of_worker and main_of_worker[0].blocked:
            break
        threading.Event().wait(0.001)
    with trapped():
        ch.send("letter")
    assert worker.join() == "letter"


def test_one_that_is_unwound_sends_without_giving_way(drain):
    ch = channel(-1)
    log = []

    def body():
        try:
            scheduler.schedule_remove()
        finally:
            ch.send("last words")
            log.append("sent")

    receiver = started(lambda: log.append(ch.receive()))
    task = started(body)
    task.bind(None)
    assert log == ["sent"]
    drain()
    assert log == ["sent", "last words"] and not receiver.alive
