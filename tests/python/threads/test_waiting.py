"""Threads that wait: main tasklets for other threads (DEC-3), and run() for work."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
import weakref

import pytest

import scheduler
from support.exceptions import message, outcome
from support.interpreter import HAS_GIL
from support.scheduling import channel, queued, started, trapped
from support.threads import Worker, in_thread
from support.waiting import TIMEOUT, wait

ROUNDS = 200


@pytest.fixture
def bystander():
    """Another Python thread that does nothing with the scheduler."""
    end = threading.Event()
    worker = Worker(end.wait, TIMEOUT)
    yield
    end.set()
    worker.join()


@pytest.fixture
def alarm():
    """`alarm(task, handler)`: the handler runs in the main thread, once, when `task` is blocked."""
    before = signal.getsignal(signal.SIGUSR1)
    workers = []

    def ring(task):
        for _ in range(int(TIMEOUT / 0.001)):
            if task.blocked:
                os.kill(os.getpid(), signal.SIGUSR1)
                return
            time.sleep(0.001)

    def set_alarm(task, handler):
        signal.signal(signal.SIGUSR1, handler)
        workers.append(Worker(ring, task))

    yield set_alarm
    workers.pop().join()
    signal.signal(signal.SIGUSR1, before)


class Interrupt(Exception):
    """Raised by a signal handler."""


def interrupt(*_):
    raise Interrupt


# ---- the deadlock timeout ------------------------------------------------------------------------


@pytest.mark.spec("DEC-3")
def test_the_deadlock_timeout_is_one_second_at_first(run_script):
    program = "import scheduler; print(scheduler.get_deadlock_timeout())"
    assert run_script(program).stdout == "1.0\n"


@pytest.mark.spec("DEC-3")
@pytest.mark.parametrize("value", [0, 0.25, 3, None])
def test_the_deadlock_timeout_is_what_was_set(deadlock_timeout, value):
    assert deadlock_timeout(value) is None
    assert scheduler.get_deadlock_timeout() == value
    assert in_thread(scheduler.get_deadlock_timeout) == value


@pytest.mark.spec("DEC-3")
@pytest.mark.parametrize(
    ("value", "error"),
    [("1", TypeError), ([], TypeError), (-1, ValueError), (float("nan"), ValueError)],
)
def test_a_wrong_deadlock_timeout_changes_nothing(value, error):
    assert outcome(scheduler.set_deadlock_timeout, value) is error
    assert scheduler.get_deadlock_timeout() == 1.0


@pytest.mark.spec("DEC-3", "R-03")
@pytest.mark.parametrize("operation", ["send", "receive"])
def test_main_alone_fails_at_once(run_script, operation):
    program = f"""
        import scheduler, time
        scheduler.set_deadlock_timeout(60)
        begin = time.monotonic()
        try:
            scheduler.channel().{operation}({"1" if operation == "send" else ""})
        except RuntimeError as error:
            print(str(error).startswith("Deadlock"), time.monotonic() - begin < 30)
    """
    assert run_script(program).stdout == "True True\n"


@pytest.mark.spec("DEC-3")
def test_main_fails_when_the_time_is_up(deadlock_timeout, bystander):
    deadlock_timeout(0.05)
    ch = channel()
    begin = time.monotonic()
    text = message(ch.receive)
    assert time.monotonic() - begin >= 0.05
    assert text.startswith("Deadlock") and "0.05 seconds" in text
    assert (ch.balance, scheduler.getmain().blocked) == (0, False)


@pytest.mark.spec("DEC-3")
def test_main_does_not_wait_with_a_timeout_of_zero(deadlock_timeout, bystander):
    deadlock_timeout(0)
    assert "no other thread" in message(channel().receive)


@pytest.mark.spec("DEC-3")
def test_a_value_that_could_not_be_sent_is_released(deadlock_timeout, bystander):
    class Value:
        pass

    deadlock_timeout(0.01)
    value = Value()
    alive = weakref.ref(value)
    assert "Deadlock" in message(channel().send, value)
    del value
    assert alive() is None


@pytest.mark.spec("DEC-3", "H-03")
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("sends", [False, True])
def test_another_thread_serves_a_main_tasklet_that_waits(preference, sends):
    ch = channel(preference)
    for number in range(ROUNDS):
        worker = Worker(ch.receive) if sends else Worker(ch.send, number)
        if sends:
            ch.send(number)
            assert worker.join() == number
        else:
            assert ch.receive() == number
            worker.join()
    assert ch.balance == 0


@pytest.mark.spec("DEC-3", "C-30")
@pytest.mark.usefixtures("patient")
def test_an_exception_reaches_a_main_tasklet_that_waits():
    ch = channel()
    worker = Worker(ch.send_exception, KeyError, "from elsewhere")
    with pytest.raises(KeyError, match="from elsewhere"):
        ch.receive()
    worker.join()


@pytest.mark.spec("DEC-3", "C-22")
@pytest.mark.usefixtures("patient")
def test_tasklets_that_others_wake_run_while_main_waits():
    ch, answer = channel(), channel()
    log = []

    def relay():
        log.append(ch.receive())
        answer.send("served")

    def other():
        ch.send("work")

    queued(relay)
    worker = Worker(other)
    assert answer.receive() == "served"
    assert log == ["work"]
    worker.join()
    scheduler.run()


@pytest.mark.spec("DEC-3", "DEC-1")
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("how", ["insert", "run", "switch", "kill", "throw"])
def test_whatever_queues_a_tasklet_wakes_the_thread(how):
    ready, done = threading.Event(), channel()

    def sleeper():
        try:
            scheduler.schedule_remove()
        except (scheduler.TaskletExit, ValueError) as error:
            done.send(type(error))
        else:
            done.send(None)

    def other():
        task = started(sleeper)
        tasks.append(task)
        ready.set()
        result = done.receive()
        scheduler.run()
        return result

    tasks = []
    worker = Worker(other)
    wait(ready)
    arguments = {"kill": {"pending": True}, "throw": {"exc": ValueError, "pending": True}}
    getattr(tasks.pop(), how)(**arguments.get(how, {}))
    assert worker.join() is {"kill": scheduler.TaskletExit, "throw": ValueError}.get(how)


@pytest.mark.spec("DEC-3")
def test_a_thread_that_waits_uses_no_processor_time(deadlock_timeout, bystander):
    deadlock_timeout(0.5)
    before = time.thread_time()
    assert "Deadlock" in message(channel().receive)
    assert time.thread_time() - before < 0.1


@pytest.mark.spec("DEC-3")
@pytest.mark.parametrize("operation", ["receive", "run", "join"])
def test_a_signal_handler_runs_while_main_waits(alarm, deadlock_timeout, operation):
    ch = channel()
    task = queued(ch.receive)  # gets its turn when main begins to wait
    deadlock_timeout(None)
    waits = {
        "receive": channel().receive,
        "run": lambda: scheduler.run(threadblock=True),
        "join": task.join,
    }
    alarm(task, interrupt)
    with pytest.raises(Interrupt):
        waits[operation]()
    assert not scheduler.getmain().blocked
    ch.send("over")
    assert not task.alive


@pytest.mark.spec("DEC-3")
def test_control_c_ends_the_wait(run_script):
    program = """
        import os, scheduler, signal, threading, time
        scheduler.set_deadlock_timeout(None)
        channel, main = scheduler.channel(), scheduler.getmain()
        def interrupt():
            while not main.blocked:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            channel.receive()
        except KeyboardInterrupt:
            print("interrupted, balance", channel.balance)
    """
    assert run_script(program).stdout == "interrupted, balance 0\n"


# ---- a long wait: signals wake it through a pipe ---------------------------------------------------

LONG = 0.3  # seconds: longer than main sleeps before it opens the pipe


def open_files():
    return os.listdir("/proc/self/fd")


def act_in_a_long_wait(act):
    """When main has waited for a while on the channel, another thread calls `act()` and serves it."""
    ch, main = channel(), scheduler.getmain()

    def other():
        while not main.blocked:
            time.sleep(0.001)
        time.sleep(LONG)
        try:
            return act()
        finally:
            ch.send("over")

    return ch, Worker(other)


def during_a_long_wait(act):
    """What `act()` gives that another thread calls while main waits."""
    ch, worker = act_in_a_long_wait(act)
    assert ch.receive() == "over"
    return worker.join()


@pytest.mark.spec("DEC-3")
def test_main_sleeps_through_a_long_wait(deadlock_timeout, bystander):
    deadlock_timeout(1.0)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    assert "Deadlock" in message(channel().receive)
    assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before < 10


@pytest.mark.spec("DEC-3", "E-20")
@pytest.mark.usefixtures("patient")
def test_a_signal_that_another_thread_takes_ends_a_long_wait(handle):
    """The kernel interrupts that thread then; CPython runs the handler in the main thread."""
    handle(interrupt)
    raised = threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    def act():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        os.kill(os.getpid(), signal.SIGUSR1)
        wait(raised)  # a wait that is served first succeeds, and the exception comes later

    ch, worker = act_in_a_long_wait(act)
    try:
        with pytest.raises(Interrupt):
            ch.receive()
    finally:
        raised.set()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    assert ch.receive() == "over"  # nothing was transferred when the handler raised
    worker.join()


@pytest.mark.spec("DEC-3")
@pytest.mark.usefixtures("patient")
def test_a_long_wait_leaves_no_files_and_no_wakeup_fd():
    before = open_files()
    during = during_a_long_wait(open_files)
    assert len(during) == len(before) + 2
    assert open_files() == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.spec("DEC-3")
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_wakeup_fd_of_the_program_is_left_alone(handle, when):
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        ran = threading.Event()

        def handler(*_):
            if when == "meanwhile":
                signal.set_wakeup_fd(writer.fileno())
            ran.set()

        def act():
            os.kill(os.getpid(), signal.SIGUSR1)
            wait(ran)

        handle(handler)
        if when == "before":
            signal.set_wakeup_fd(writer.fileno())
        during_a_long_wait(act)
        assert signal.set_wakeup_fd(-1) == writer.fileno()
        if when == "before":
            assert reader.recv(8) == bytes([signal.SIGUSR1])  # what it would have got


@pytest.mark.spec("DEC-3", "H-05")
def test_a_child_of_another_thread_does_not_write_to_the_pipe(run_script):
    program = """
        import os, scheduler, signal, sys, threading, time, warnings
        warnings.simplefilter("ignore")
        scheduler.set_deadlock_timeout(None)
        channel, main = scheduler.channel(), scheduler.getmain()
        def fork():
            while not main.blocked:
                time.sleep(0.001)
            while len(os.listdir("/proc/self/fd")) < before + 2:
                time.sleep(0.001)
            child = os.fork()
            if child == 0:
                left = len(os.listdir("/proc/self/fd")) - before
                os._exit(10 * (signal.set_wakeup_fd(-1) != -1) + left)
            channel.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        before = len(os.listdir("/proc/self/fd"))
        threading.Thread(target=fork).start()
        print(channel.receive())
    """
    assert run_script(program).stdout == "0\n"


@pytest.mark.spec("DEC-3")
def test_a_handler_may_serve_the_main_tasklet_by_a_tasklet(alarm, deadlock_timeout):
    ch = channel()
    sender = scheduler.tasklet(ch.send)
    deadlock_timeout(None)
    alarm(scheduler.getmain(), lambda *_: sender.bind(ch.send, ("served",)).insert())
    assert ch.receive() == "served"
    scheduler.run()


@pytest.mark.spec("DEC-3")
@pytest.mark.parametrize("place", ["QueueChannel", "channel", "Event", "select", "scope"])
def test_a_handler_may_serve_the_main_tasklet_itself(alarm, deadlock_timeout, place):
    """No tasklet is queued by that, and no other thread wakes main."""
    ch = scheduler.QueueChannel() if place == "QueueChannel" else channel(preference=1)
    event, scope = scheduler.sync.Event(), scheduler.timeout(TIMEOUT)
    is_served, is_back = threading.Event(), threading.Event()
    nudged = scheduler.tasklet().bind(len, ("",))

    def handler(*_):
        if place == "scope":
            scope.reschedule(0)
        elif place in ("Event", "select"):
            event.set()
        else:
            ch.send(True)
        is_served.set()

    def wait_in_scope():
        with scope:
            ch.receive()

    waits = {
        "Event": event.wait,
        "select": lambda: scheduler.select(channel(), event) == (1, None),
        "scope": lambda: outcome(wait_in_scope) is TimeoutError,
    }

    def nudge():
        wait(is_served)
        if not is_back.wait(TIMEOUT / 4):
            nudged.insert()
            return False
        return True

    deadlock_timeout(None)
    watchdog = Worker(nudge)
    alarm(scheduler.getmain(), handler)
    assert waits.get(place, ch.receive)()
    is_back.set()
    assert watchdog.join()
    nudged.kill()


@pytest.mark.spec("DEC-3")
def test_a_handler_must_not_switch_while_main_is_in_line(alarm, deadlock_timeout):
    ch = channel()
    texts = []

    def handler(*_):
        texts.append(message(scheduler.schedule))
        queued(ch.send, 1)

    deadlock_timeout(None)
    alarm(scheduler.getmain(), handler)
    assert ch.receive() == 1
    assert "signal handler" in texts[0]
    scheduler.run()


# ---- run(threadblock, timeout) -------------------------------------------------------------------


def test_run_with_threadblock_ends_when_no_tasklet_is_left():
    assert scheduler.run(threadblock=True) is None
    task = queued(scheduler.schedule)
    assert scheduler.run(True) is None
    assert not task.alive


@pytest.mark.parametrize("limit", [0, 1, 0.005, None, "no", len])
def test_a_time_limit_is_not_taken_for_threadblock(limit):
    task = queued(scheduler.schedule)
    for call in (lambda: scheduler.run(limit), lambda: scheduler.run(threadblock=limit)):
        with pytest.raises(TypeError, match=r"threadblock must be True or False.*timeout=seconds"):
            call()
    assert task.times_switched_to == 0
    scheduler.run()


@pytest.mark.usefixtures("patient")
def test_run_with_threadblock_waits_for_other_threads():
    ch, log = channel(), []

    def consumer():
        log.extend(iter(ch.receive, None))

    def other():
        queued(consumer)
        scheduler.run(threadblock=True)

    worker = Worker(other)
    for number in range(ROUNDS):
        ch.send(number)
    ch.send(None)
    worker.join()
    assert log == list(range(ROUNDS))


def test_run_without_threadblock_leaves_blocked_tasklets_alone():
    ch = channel()
    task = queued(ch.receive)
    begin = time.monotonic()
    scheduler.run(timeout=60)
    assert time.monotonic() - begin < 30
    assert task.blocked
    task.kill()


def test_run_with_a_timeout_gives_no_turn_after_it():
    turns = []

    def forever():
        while True:
            turns.append(time.monotonic())
            scheduler.schedule()

    task = queued(forever)
    for threadblock in (False, True):
        given = 0
        while given < 2:  # the time may be up before a second turn, on a machine that stalls
            begin, before = time.monotonic(), len(turns)
            scheduler.run(threadblock, 0.05)
            assert time.monotonic() - begin >= 0.05
            given = len(turns) - before
            assert given > 0
    task.kill()


def test_run_with_timeout_zero_gives_one_turn():
    log = []
    queued(log.append, 1)
    queued(log.append, 2)
    scheduler.run(timeout=0)
    assert log == [1]
    scheduler.run(threadblock=True, timeout=0)
    assert log == [1, 2]


def test_run_with_threadblock_ends_when_the_time_is_up(bystander):
    ch = channel()
    task = queued(ch.receive)
    begin = time.monotonic()
    scheduler.run(threadblock=True, timeout=0.05)
    assert time.monotonic() - begin >= 0.05
    assert task.blocked
    task.kill()


@pytest.mark.spec("DEC-3")
def test_run_with_threadblock_alone_is_a_deadlock(run_script):
    program = """
        import scheduler
        task = scheduler.tasklet(scheduler.channel().receive)()
        try:
            scheduler.run(threadblock=True)
        except RuntimeError as error:
            print(str(error).startswith("Deadlock"), task.blocked)
    """
    assert run_script(program).stdout == "True True\n"


@pytest.mark.spec("DEC-3")
def test_run_with_threadblock_notices_that_the_last_other_thread_has_ended(run_script):
    program = """
        import scheduler, threading
        thread = threading.Thread(target=threading.Event().wait, args=(0.2,))
        thread.start()
        task = scheduler.tasklet(scheduler.channel().receive)()
        try:
            scheduler.run(threadblock=True)
        except RuntimeError as error:
            print(str(error).startswith("Deadlock"))
    """
    assert run_script(program).stdout == "True\n"


def test_an_exception_leaves_run_with_threadblock():
    def fail():
        raise KeyError("mine")

    queued(fail)
    later = queued(scheduler.schedule)
    with pytest.raises(KeyError, match="mine"):
        scheduler.run(threadblock=True)
    scheduler.run(threadblock=True)
    assert not later.alive


def test_run_with_arguments_is_for_the_main_tasklet():
    texts = []

    def inside():
        texts.append(message(scheduler.run, True))
        texts.append(message(scheduler.run, timeout=1))
        scheduler.run(False, None)

    queued(inside)
    scheduler.run()
    assert all("main tasklet" in text for text in texts) and len(texts) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"timeout": "1"}, TypeError),
        ({"timeout": -0.5}, ValueError),
        ({"timeout": float("nan")}, ValueError),
        ({"until": 1}, TypeError),
    ],
)
def test_wrong_arguments_of_run(arguments, error):
    task = queued(len, "")
    assert outcome(scheduler.run, **arguments) is error
    assert task.alive, "nothing has run"
    scheduler.run(timeout=float("inf"))
    assert not task.alive


@pytest.mark.spec("B-21")
def test_run_with_threadblock_under_a_switch_trap():
    task = queued(len, "")
    with trapped():
        assert "switch_trap" in message(scheduler.run, threadblock=True)
    scheduler.run(threadblock=True)
    assert not task.alive


# ---- a loop around run() -------------------------------------------------------------------------


@pytest.mark.spec("H-02")
def test_a_loop_around_run_lets_the_other_side_work():
    """Two such loops exchange objects faster than the interpreter switches threads by itself, which
    is every 5 ms: not one transfer each interval. Without the GIL they just run.

    Processor time tells: to wait for the interval they would go round and round."""
    there, back = channel(), channel()
    items = 2000

    def echo():
        for _ in range(items):
            back.send(there.receive())

    def ask():
        for number in range(items):
            there.send(number)
            assert back.receive() == number

    def loop(function):
        task = queued(function)
        while task.alive:
            scheduler.run()

    before = time.process_time()
    worker = Worker(loop, echo)
    loop(ask)
    worker.join()
    if HAS_GIL:
        assert time.process_time() - before < items * 0.005
