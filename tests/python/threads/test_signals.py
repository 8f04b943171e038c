"""Signals that arrive while tasklets run (E-20, E-21, R-02).

CPython calls the handlers in the main thread, in between its bytecode: inside whichever tasklet has
its turn there. What a handler raises comes out of that tasklet. For signals that arrive while the
thread waits see test_waiting.py.
"""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

import scheduler
from support.scheduling import queue, queued, started
from support.threads import Worker
from support.waiting import wait

PID = os.getpid()


class Alarm(BaseException):
    """Raised by a handler."""


def raise_alarm(*_):
    raise Alarm


def send(number=signal.SIGUSR1):
    """Sends this process a signal; the handler has run when this returns."""
    os.kill(PID, number)
    for _ in range(10):
        pass


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.spec("E-20", "E-21", "R-02")
@pytest.mark.usefixtures("mode")
def test_control_c_in_a_tasklet_comes_out_of_run():
    log = []

    def interrupted():
        send(signal.SIGINT)
        log.append("not reached")

    before, task, after = queued(log.append, "before"), queued(interrupted), queued(log.append, 1)
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
    assert log == ["before"]
    assert (before.alive, task.alive, after.alive) == (False, False, True)
    assert queue() == [after]
    scheduler.run()
    assert log == ["before", 1]


@pytest.mark.spec("E-20", "R-02", "C-10")
@pytest.mark.parametrize("work", ["yield", "exchange", "create", "nest"])
def test_a_signal_from_another_thread_ends_a_run_of_busy_tasklets(handle, work):
    handle(raise_alarm)
    ch = scheduler.channel()
    busy = threading.Event()

    def for_ever(*functions):
        busy.set()
        while True:
            for function in functions:
                function()

    bodies = {
        "yield": [(scheduler.schedule,)] * 3,
        "exchange": [(lambda: ch.send(0),), (ch.receive,)],
        "create": [(lambda: queued(lambda: None), scheduler.schedule)],
        "nest": [(lambda: queued(scheduler.schedule).run(), scheduler.schedule)],
    }[work]

    def interrupt():
        wait(busy)
        os.kill(PID, signal.SIGUSR1)

    tasks = [queued(for_ever, *functions) for functions in bodies]
    interrupter = Worker(interrupt)
    with pytest.raises(Alarm):
        scheduler.run()
    interrupter.join()
    assert scheduler.getcurrent() is scheduler.getmain()
    for task in tasks:
        if task.alive:
            task.kill()
    scheduler.run()
    assert ch.balance == 0


@pytest.mark.spec("E-21", "E-20", "R-20")
def test_a_signal_in_a_nested_run_comes_out_of_each_drive(handle):
    handle(raise_alarm)
    log = []

    def driver(depth):
        try:
            if depth:
                queued(driver, depth - 1).run()
            else:
                send()
            log.append("not reached")
        except Alarm:
            log.append(depth)
            raise

    queued(driver, 3)
    with pytest.raises(Alarm):
        scheduler.run()
    assert log == [0, 1, 2, 3]


@pytest.mark.spec("E-20", "X-01")
def test_a_tasklet_may_catch_what_a_handler_raises(handle):
    handle(raise_alarm)
    log = []

    def body():
        for n in range(3):
            try:
                send()
            except Alarm:
                log.append(n)
            scheduler.schedule()

    queued(body)
    queued(body)
    scheduler.run()
    assert log == [0, 0, 1, 1, 2, 2]


@pytest.mark.spec("E-20", "E-21")
def test_a_signal_interrupts_a_blocking_call_in_a_tasklet(handle):
    asleep, done = threading.Event(), threading.Event()
    alarms = iter([Alarm])

    def raise_once(*_):
        for alarm in alarms:  # more signals may come before `done` is heard of
            raise alarm

    def sleeper():
        asleep.set()
        time.sleep(60)

    def interrupt():
        wait(asleep)
        while not done.wait(0.01):  # one may come before it sleeps
            os.kill(PID, signal.SIGUSR1)

    handle(raise_once)
    task = queued(sleeper)
    interrupter = Worker(interrupt)
    try:
        with pytest.raises(Alarm):
            scheduler.run()
    finally:
        done.set()
        interrupter.join()
    assert not task.alive


@pytest.mark.spec("T-18", "DEC-8", "H-05")
def test_a_signal_while_a_tasklet_is_unwound_is_reported(handle, unraisable):
    handle(raise_alarm)

    def body():
        try:
            scheduler.schedule_remove()
        finally:
            send()

    task = started(body)
    task.bind(None)
    assert not task.alive
    assert [entry.exc_type for entry in unraisable] == [Alarm]


# ---- handlers that use the scheduler -------------------------------------------------------------


@pytest.mark.spec("S-06", "T-22", "R-02")
def test_a_handler_runs_as_part_of_the_current_tasklet(handle):
    seen = []
    handle(lambda *_: seen.append(scheduler.getcurrent()))
    tasks = [queued(send), queued(send)]
    send()
    scheduler.run()
    assert seen == [scheduler.getmain(), *tasks]


@pytest.mark.spec("T-22", "R-04", "C-10", "T-54")
@pytest.mark.usefixtures("mode")
def test_a_handler_may_switch_queue_exchange_and_remove(handle):
    ch = scheduler.channel()
    log = []

    def handler(*_):
        queued(log.append, "queued by the handler")
        ch.send("sent by the handler")
        scheduler.schedule()
        log.append("handler goes on")
        scheduler.schedule_remove()
        log.append("handler ends")

    def body():
        send()
        log.append("body")

    handle(handler)
    receiver = queued(lambda: log.append(ch.receive()))
    task = queued(body)
    scheduler.run()
    assert not receiver.alive and task.paused
    assert sorted(log) == ["handler goes on", "queued by the handler", "sent by the handler"]
    task.run()
    assert log[3:] == ["handler ends", "body"]


@pytest.mark.spec("E-10", "E-15")
def test_a_handler_may_kill_other_tasklets_and_the_one_it_runs_in(handle):
    log = []

    def handler(*_):
        victim.kill()
        scheduler.getcurrent().kill(pending=True)

    def body(suspend):
        try:
            suspend()
            scheduler.schedule()
            log.append("not reached")
        except scheduler.TaskletExit:
            log.append(scheduler.getcurrent())
            raise

    handle(handler)
    victim = started(body, scheduler.schedule_remove)
    task = queued(body, send)
    scheduler.run()
    assert log == [victim, task]
    assert not (victim.alive or task.alive)


@pytest.mark.spec("R-02", "R-04", "C-10")
def test_handlers_that_switch_at_any_moment(handle):
    """Signals of a timer hit tasklets that switch all the time; nothing is lost or done twice."""
    ch = scheduler.channel()
    calls, received = 0, []

    def handler(*_):
        nonlocal calls
        calls += 1
        scheduler.schedule()

    def produce(name):
        number = 0
        while calls < 50 or number < 100:
            ch.send((name, number))
            number += 1
        finished[name] = number

    def consume():
        while (item := ch.receive()) is not None:
            received.append(item)

    finished: dict[int, int] = {}
    before = signal.signal(signal.SIGVTALRM, handler)
    consumers = [queued(consume) for _ in range(2)]
    producers = [queued(produce, name) for name in range(3)]
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    try:
        while any(task.alive for task in producers):
            scheduler.run()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    for _ in consumers:
        ch.send(None)
    scheduler.run()
    assert not any(task.alive for task in consumers)
    assert sorted(received) == [(k, n) for k in range(3) for n in range(finished[k])]


# ---- signals that end the program ----------------------------------------------------------------

PRELUDE = """
import os, signal, sys, threading
import scheduler

def body():
    try:
        scheduler.schedule_remove()
    finally:
        os.write(1, b"unwound\\n")

def end_by(number):
    os.kill(os.getpid(), number)
    for _ in range(10):
        pass
    os.write(1, b"not reached\\n")

keep = [scheduler.tasklet(body)(), scheduler.tasklet(scheduler.channel().receive)()]
scheduler.run()
"""

ENDINGS = {  # how the program goes on, its exit code, is its paused tasklet unwound?
    "control-c": ("scheduler.tasklet(end_by)(signal.SIGINT)", -signal.SIGINT, True),
    "terminated": ("scheduler.tasklet(end_by)(signal.SIGTERM)", -signal.SIGTERM, False),
    "killed": ("scheduler.tasklet(end_by)(signal.SIGKILL)", -signal.SIGKILL, False),
    "handler exits": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); "
        "scheduler.tasklet(end_by)(signal.SIGTERM)",
        9,
        True,
    ),
    "handler exits in a nested run": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); "
        "scheduler.tasklet(lambda: scheduler.tasklet(end_by)(signal.SIGTERM).run())()",
        9,
        True,
    ),
    "thread sends control-c": (
        "threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start(); "
        "[scheduler.tasklet(lambda: [scheduler.schedule() for _ in iter(int, 1)])() for _ in '12']",
        -signal.SIGINT,
        True,
    ),
}


@pytest.mark.spec("H-09", "E-21", "D-42")
@pytest.mark.parametrize("way", ENDINGS)
def test_a_signal_may_end_the_program_while_tasklets_run(run_script, way):
    text, code, is_unwound = ENDINGS[way]
    done = run_script(f"{PRELUDE}\n{text}\nscheduler.run()\n", check=False)
    assert done.returncode == code
    assert done.stdout == ("unwound\n" if is_unwound else "")
    if code == -signal.SIGINT:
        assert "\nKeyboardInterrupt\n" in done.stderr
    else:
        assert done.stderr == ""


@pytest.mark.spec("E-20", "T-10")
@pytest.mark.parametrize("attribute", ["__name__", "__module__", "__code__"])
def test_an_interrupt_while_a_callable_is_described_is_not_lost(attribute):
    class Callable:
        def __call__(self):
            pass

        def __getattribute__(self, name):
            if name == attribute:
                raise KeyboardInterrupt
            return super().__getattribute__(name)

    with pytest.raises(KeyboardInterrupt):
        scheduler.tasklet(Callable())


# It comes just as the main tasklet goes to sleep, once in some dozens of rounds.
@pytest.mark.spec("DEC-3")
def test_a_signal_just_before_the_main_tasklet_sleeps_is_not_missed(handle, deadlock_timeout):
    handled = threading.Event()
    handle(lambda *_: handled.set())
    main_thread = threading.main_thread().ident
    deadlock_timeout(None)
    for _ in range(200):
        channel = scheduler.channel()
        waits = threading.Event()
        handled.clear()

        def serve(channel=channel, waits=waits):
            wait(waits)
            signal.pthread_kill(main_thread, signal.SIGUSR1)
            wait(handled)
            channel.send("served")  # which waits, should main not be there yet

        other = Worker(serve)
        started(waits.set)
        assert channel.receive() == "served"
        other.join()
