"""set_waker() and forbid_main_waits(): how a loop that hosts a thread learns of what there is to do."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import scheduler
from scheduler import sync, testing
from support.scheduling import queued
from support.threads import RemoteThread, Worker, in_thread
from support.waiting import TIMEOUT

pytestmark = pytest.mark.spec("DEC-20")


class Host:
    """An eventfd as the waker of this thread."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        assert scheduler.set_waker(self.fd) is None

    def woken(self) -> int:
        """How often it has been since the last call."""
        try:
            return os.eventfd_read(self.fd)
        except BlockingIOError:
            return 0

    def sleep(self) -> None:
        """Until it is woken."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fd, selectors.EVENT_READ)
            seconds = scheduler.next_deadline()
            assert selector.select(TIMEOUT if seconds is None else seconds) or seconds is not None
        self.woken()

    def close(self) -> None:
        assert scheduler.set_waker(None) == self.fd
        os.close(self.fd)


@pytest.fixture
def host() -> Iterator[Host]:
    with contextlib.closing(Host()) as made:
        yield made


@pytest.fixture
def forbidden() -> Iterator[None]:
    assert scheduler.forbid_main_waits("await it") is None
    yield
    assert scheduler.forbid_main_waits(None) == "await it"


def pump_all() -> None:
    while scheduler.pump():
        pass


# ---- what wakes ----------------------------------------------------------------------------------


@pytest.mark.spec("H-01", "DEC-2")
@pytest.mark.parametrize(
    "do",
    [
        lambda line, task: line.send(1),
        lambda line, task: line.send_exception(KeyError),
        lambda line, task: task.kill(pending=True),
        lambda line, task: task.throw(KeyError, pending=True),
    ],
    ids=["send", "send_exception", "kill", "throw"],
)
def test_another_thread_that_ends_a_wait(host: Host, do: Callable[[Any, Any], object]) -> None:
    line = scheduler.channel()

    def receiving() -> None:
        with contextlib.suppress(KeyError):
            line.receive()

    task = queued(receiving)
    pump_all()
    host.woken()
    in_thread(do, line, task)
    assert host.woken() == 1
    assert scheduler.pump() is False
    assert (task.alive, host.woken()) == (False, 0)


@pytest.mark.spec("H-01", "DEC-1")
@pytest.mark.parametrize("name", ["insert", "run", "switch"])
def test_another_thread_that_queues_one(host: Host, name: str) -> None:
    task = queued(scheduler.schedule_remove)
    pump_all()
    host.woken()
    in_thread(getattr(task, name))
    assert host.woken() == 1
    assert (scheduler.pump(), task.alive) == (False, False)


def test_the_end_of_one_that_was_joined_from_here(host: Host) -> None:
    with RemoteThread() as remote:
        other = remote.call(lambda: queued(len, ""))
        task = queued(other.join)
        pump_all()
        host.woken()
        remote.call(scheduler.run)
        assert host.woken() == 1
    assert (scheduler.pump(), task.alive) == (False, False)


def test_once_until_the_next_pump(host: Host) -> None:
    line = scheduler.channel()
    got: list[int] = []
    queued(got.extend, line)
    tasks = [queued(scheduler.schedule_remove) for _ in range(3)]
    pump_all()
    host.woken()
    for number, task in enumerate(tasks):
        in_thread(line.send, number)
        queued(len, "")
        in_thread(task.insert)
        assert host.woken() == 1
        pump_all()
        assert (host.woken(), task.alive) == (0, False)
    assert got == [0, 1, 2]
    line.clear()


def test_code_of_the_main_tasklet_that_makes_one_runnable(host: Host) -> None:
    line = scheduler.channel()
    lasting = queued(scheduler.schedule_remove)

    def steps() -> Iterator[object]:
        yield queued(len, "")
        yield lasting.insert()
        receiver = queued(line.receive)
        yield receiver
        line.preference = 1
        yield line.send(1)
        yield queued(scheduler.channel().receive)
        blocked = scheduler.blocked_tasklets()[0]
        yield blocked.kill(pending=True)

    pump_all()
    host.woken()
    for _ in steps():
        assert host.woken() == 1
        pump_all()
        assert host.woken() == 0


def test_code_that_makes_nothing_runnable_does_not_wake(host: Host) -> None:
    paused = scheduler.tasklet().bind(len, ("",))
    task = queued(len, "")
    assert host.woken() == 1
    pump_all()
    scheduler.getruncount()
    paused.kill(alone=True)
    paused.bind(scheduler.schedule_remove, ()).resume()
    paused.resume()
    task.join()
    with pytest.raises(TimeoutError):
        scheduler.channel().receive(timeout=0)
    assert (host.woken(), paused.alive) == (0, False)


def test_one_that_has_had_a_turn_outside_a_pump_and_goes_on(host: Host) -> None:
    log: list[str] = []

    def work() -> None:
        for _ in range(2):
            scheduler.schedule()
        log.append("done")

    task = scheduler.tasklet().bind(work, ())
    task.resume()
    assert host.woken() == 1
    scheduler.pump(turns=0)  # True: the loop knows
    task.resume()
    assert (host.woken(), log) == (0, [])
    pump_all()
    assert log == ["done"]


def test_there_is_no_wake_up_where_pump_has_said_that_more_is_runnable(host: Host) -> None:
    task = queued(scheduler.schedule)
    assert (host.woken(), scheduler.pump()) == (1, True)
    queued(len, "")
    in_thread(task.insert)
    assert host.woken() == 0
    pump_all()


def test_a_failing_pump_tells_what_is_left(host: Host) -> None:
    queued(lambda: 1 / 0)
    queued(len, "")
    host.woken()
    with pytest.raises(ZeroDivisionError):
        scheduler.pump()
    assert host.woken() == 1
    queued(lambda: 1 / 0)
    pump_all_fails = pytest.raises(ZeroDivisionError)
    with pump_all_fails:
        pump_all()
    assert host.woken() == 0


# ---- timers --------------------------------------------------------------------------------------


def test_a_timer_that_is_due_before_what_was_told(host: Host) -> None:
    with testing.virtual_time():
        scopes: list[scheduler.timeout] = []

        def waiting() -> None:
            with scheduler.timeout(10) as scope:
                scopes.append(scope)
                scheduler.channel().receive()

        task = queued(waiting)
        pump_all()
        assert (host.woken(), scheduler.next_deadline()) == (1, 10.0)
        scopes[0].reschedule(20)
        assert host.woken() == 0
        scopes[0].reschedule(5)
        assert host.woken() == 1
        scopes[0].reschedule(4)
        assert host.woken() == 0  # it has not pumped yet
        assert (scheduler.pump(), scheduler.next_deadline()) == (False, 4.0)
        scopes[0].reschedule(3)
        assert host.woken() == 1
        task.kill()


def test_a_clock_that_is_moved(host: Host) -> None:
    with testing.virtual_time() as clock:
        task = queued(scheduler.sleep, 1)
        pump_all()
        host.woken()
        clock.advance(2)
        assert (host.woken(), scheduler.pump(), task.alive) == (1, False, False)


def test_a_loop_that_sleeps_until_the_deadline(host: Host) -> None:
    done: list[str] = []
    queued(lambda: (scheduler.sleep(0.02), done.append("slept")))
    pump_all()
    host.woken()
    while not done:
        host.sleep()
        scheduler.pump()


# ---- to register and to take back ----------------------------------------------------------------


def test_what_is_there_already_wakes_at_once() -> None:
    queued(len, "")
    with contextlib.closing(Host()) as host:
        assert host.woken() == 1
        pump_all()
    task = queued(scheduler.schedule_remove)
    pump_all()
    in_thread(task.insert)
    with contextlib.closing(Host()) as host:
        assert host.woken() == 1
        pump_all()
    with contextlib.closing(Host()) as host:
        assert host.woken() == 0


def test_one_that_has_been_taken_back_is_left_alone(host: Host) -> None:
    task = queued(scheduler.schedule_remove)
    pump_all()
    host.woken()
    assert scheduler.set_waker(None) == host.fd
    in_thread(task.insert)
    queued(len, "")
    assert host.woken() == 0
    assert scheduler.set_waker(None) is None
    assert scheduler.set_waker(host.fd) is None
    assert host.woken() == 1
    pump_all()


def test_another_one_takes_its_place(host: Host) -> None:
    other = os.eventfd(0, os.EFD_NONBLOCK)
    assert scheduler.set_waker(other) == host.fd
    queued(len, "")
    assert (host.woken(), os.eventfd_read(other)) == (0, 1)
    pump_all()
    assert scheduler.set_waker(host.fd) == other
    os.close(other)


def test_tasklets_may_register_and_take_back_within_a_pump() -> None:
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    queued(scheduler.set_waker, fd)
    pump_all()
    queued(len, "")
    assert os.eventfd_read(fd) == 1
    queued(scheduler.set_waker, None)
    pump_all()
    queued(len, "")
    with pytest.raises(BlockingIOError):
        os.eventfd_read(fd)
    pump_all()
    os.close(fd)


def test_pipes_and_sockets_and_full_ones() -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK)
    left, right = socket.socketpair()
    right.setblocking(False)
    for fd, read in ((writer, lambda: os.read(reader, 100)), (right.fileno(), lambda: left.recv(100))):
        scheduler.set_waker(fd)
        queued(len, "")
        assert read() == (1).to_bytes(8, sys.byteorder)
        pump_all()
    scheduler.set_waker(writer)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    queued(len, "")  # there is no room: somebody looks at it all the same
    pump_all()
    scheduler.set_waker(None)
    for fd in (reader, writer):
        os.close(fd)
    left.close()
    right.close()


def test_what_cannot_be_a_waker() -> None:
    blocking = os.eventfd(0)
    reader, writer = os.pipe2(os.O_NONBLOCK)
    closed = os.eventfd(0, os.EFD_NONBLOCK)
    os.close(closed)
    bad: list[tuple[Any, type[Exception], str]] = [
        (closed, OSError, "Bad file descriptor"),
        (blocking, ValueError, r"os\.set_blocking\(fd, False\)"),
        (reader, ValueError, "reading only"),
        (-1, ValueError, "0 or more"),
        (2**70, OverflowError, "too large"),
        ("3", TypeError, "file descriptor"),
        (3.0, TypeError, "file descriptor"),
        (socket.socket, TypeError, r"fileno\(\)"),
    ]
    for waker, error, text in bad:
        with pytest.raises(error, match=text):
            scheduler.set_waker(waker)
    assert scheduler.set_waker(None) is None
    for fd in (blocking, reader, writer):
        os.close(fd)


def test_it_is_gone_when_its_thread_ends() -> None:
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    line = scheduler.channel()
    tasks: list[scheduler.tasklet] = []

    def work() -> None:
        scheduler.set_waker(fd)
        tasks.append(scheduler.tasklet().bind(line.receive, ()))
        scheduler.pump()

    in_thread(work)
    with pytest.raises(RuntimeError, match="ended"):
        tasks[0].insert()
    tasks[0].kill(pending=True)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(fd)
    os.close(fd)


def test_each_thread_has_its_own(host: Host) -> None:
    with RemoteThread() as remote:
        assert remote.call(scheduler.set_waker, None) is None
        other = remote.call(os.eventfd, 0, os.EFD_NONBLOCK)
        remote.call(scheduler.set_waker, other)
        task = remote.call(lambda: queued(scheduler.schedule_remove))
        remote.call(pump_all)
        os.eventfd_read(other)
        task.insert()
        assert (os.eventfd_read(other), host.woken()) == (1, 0)
        remote.call(pump_all)
    os.close(other)


# ---- a main tasklet that waits all the same ------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_a_main_tasklet_that_waits_is_woken_itself_and_then_its_loop_again(host: Host) -> None:
    line, other = scheduler.channel(), scheduler.channel()
    receiver = queued(other.receive)
    pump_all()
    host.woken()
    worker = Worker(line.send, 7)
    assert line.receive() == 7
    worker.join()
    # Whoever serves main before it is asleep wakes the loop, which then need not be woken again.
    before = host.woken()
    in_thread(other.send, 1)
    assert before + host.woken() == 1
    assert (scheduler.pump(), receiver.alive) == (False, False)


# ---- two loops -----------------------------------------------------------------------------------


def test_two_loops_pass_each_other_messages() -> None:
    there, back = scheduler.channel(), scheduler.channel()
    numbers = range(500)

    def serve(task: Callable[[], None]) -> None:
        with contextlib.closing(Host()) as host:
            running = queued(task)
            pump_all()
            while running.alive:
                host.sleep()
                pump_all()

    def answer() -> None:
        for _ in numbers:
            back.send(there.receive() + 1)

    got: list[int] = []

    def ask() -> None:
        for number in numbers:
            there.send(number)
            got.append(back.receive())

    worker = Worker(serve, answer)
    serve(ask)
    worker.join()
    assert got == [number + 1 for number in numbers]


# ---- waits of the main tasklet that are forbidden ------------------------------------------------


def waits() -> dict[str, Callable[[], object]]:
    line = scheduler.channel()
    lock = sync.Lock()
    lock.acquire()
    task = scheduler.tasklet().bind(len, ("",))

    def group() -> None:
        with scheduler.TaskletGroup() as members:
            members.start(line.receive)

    return {
        "receive": line.receive,
        "receive for a time": lambda: line.receive(timeout=5),
        "send": lambda: line.send(1),
        "send_exception": lambda: line.send_exception(KeyError),
        "iteration": lambda: next(line),
        "select": lambda: scheduler.select(line, line.sending(1)),
        "select for a time": lambda: scheduler.select(line, timeout=5),
        "sleep": lambda: scheduler.sleep(5),
        "join": task.join,
        "join for a time": lambda: task.join(5),
        "result": task.result,
        "run": lambda: scheduler.run(threadblock=True),
        "run for a time": lambda: scheduler.run(True, 5),
        "buffered": lambda: scheduler.buffered(1).receive(),
        "QueueChannel": lambda: scheduler.QueueChannel().receive(),
        "Lock": lock.acquire,
        "Event": sync.Event().wait,
        "Queue": sync.Queue().get,
        "in a timeout scope": lambda: in_scope(line.receive),
    }


def in_scope(wait_in: Callable[[], object]) -> None:
    with scheduler.timeout(5):
        wait_in()


@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize("name", list(waits()))
def test_it_raises_what_the_host_says(name: str) -> None:
    made = waits()
    with pytest.raises(RuntimeError, match="^await it$"):
        made[name]()
    del made
    scheduler.run()


@pytest.mark.usefixtures("forbidden")
def test_what_need_not_wait_is_done() -> None:
    line, queue = scheduler.channel(), scheduler.QueueChannel()
    queue.send(1)
    assert queue.receive() == 1
    with pytest.raises(TimeoutError):
        line.receive(timeout=0)
    sender = queued(line.send, 2)
    scheduler.run()
    assert line.receive() == 2
    assert (sender.alive, sender.scheduled) == (True, True)
    scheduler.run()
    assert sender.join() is True
    assert sender.result() is None
    scheduler.sleep(0)
    sync.Lock().acquire()
    assert scheduler.select(line.sending(1), sync.Event(), sender) == (2, None)
    line.close()
    with pytest.raises(ValueError, match="closed"):
        line.receive()


@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize("by", ["send", "select"])
def test_it_does_not_give_way_to_whom_it_serves(host: Host, by: str) -> None:
    line = scheduler.channel()
    got: list[int] = []
    queued(lambda: got.append(line.receive()))
    pump_all()
    host.woken()
    line.send(3) if by == "send" else scheduler.select(line.sending(3))
    assert (got, host.woken()) == ([], 1)
    assert scheduler.pump() is False
    assert got == [3]


@pytest.mark.usefixtures("forbidden")
def test_tasklets_wait_as_ever_also_in_turns_outside_a_pump() -> None:
    line = scheduler.channel()
    got: list[int] = []
    receiver = queued(lambda: got.append(line.receive()))
    sender = queued(line.send, 1)
    receiver.resume()
    sender.resume()
    scheduler.run()
    assert got == [1]
    receiver.bind(lambda: got.append(line.receive()))()
    scheduler.tasklet(line.send)(2)
    scheduler.pump()
    scheduler.run()
    assert got == [1, 2]


@pytest.mark.usefixtures("forbidden")
def test_it_is_about_one_thread_and_ends_with_it() -> None:
    def work() -> object:
        assert scheduler.forbid_main_waits("text") is None
        return scheduler.forbid_main_waits("other")

    assert in_thread(work) == "text"
    assert in_thread(scheduler.forbid_main_waits, None) is None


@pytest.mark.usefixtures("forbidden")
def test_a_group_whose_owner_must_not_wait_ends_its_members() -> None:
    line = scheduler.channel()
    with pytest.raises(ExceptionGroup) as caught, scheduler.TaskletGroup() as group:
        member = group.start(line.receive)
    assert [str(error) for error in caught.value.exceptions] == ["await it"]
    scheduler.run()
    assert not member.alive


def test_a_tasklet_that_forbids_it_while_it_runs() -> None:
    line = scheduler.channel()
    queued(scheduler.forbid_main_waits, "from a tasklet")
    scheduler.run()
    with pytest.raises(RuntimeError, match="from a tasklet"):
        line.receive()
    receiver = queued(line.receive)
    scheduler.run()
    line.send(1)
    assert receiver.alive  # main has not given way
    queued(scheduler.forbid_main_waits, None)
    scheduler.run()
    scheduler.sleep(0.001)


def test_a_message_is_a_text() -> None:
    for bad in (3, b"bytes", ["a"]):
        with pytest.raises(TypeError, match="must be a str, or None"):
            scheduler.forbid_main_waits(bad)  # type: ignore[arg-type]
    assert scheduler.forbid_main_waits(None) is None
