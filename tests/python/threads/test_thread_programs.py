"""Whole programs with several threads, repeated and under load (H-02, H-04, H-08)."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import scheduler
from support.scheduling import channel
from support.threads import Worker
from support.waiting import TIMEOUT

ROUNDS = 1000


@pytest.fixture(params=["quiet", "loaded"])
def machine(request):
    """With "loaded", two processes burn processor time while the test runs."""
    count = 2 if request.param == "loaded" else 0
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
        for _ in range(count)
    ]
    yield request.param
    for burner in burners:
        burner.kill()
        burner.wait(TIMEOUT)


@pytest.fixture
def quick_thread_switches():
    """Lets threads alternate often, which finds more interleavings in less time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def work_off(function, *args):
    """The loop of a thread in the guide: drive the queue until the tasklet has ended."""
    task = scheduler.tasklet(function)(*args)
    while task.alive:
        scheduler.run()


def work_off_waiting(function, *args):
    """The same with a thread that waits instead of asking again and again."""
    scheduler.tasklet(function)(*args)
    scheduler.run(threadblock=True)


def two_queues():
    """Guide program: each of two threads works off a queue of its own."""
    logs = {"left": [], "right": []}
    start_together = threading.Barrier(2)

    def step(log, number):
        log.append((number, threading.get_ident(), scheduler.getruncount()))
        scheduler.schedule()
        log.append((number, threading.get_ident(), scheduler.getruncount()))

    def thread_main(log):
        for number in range(3):
            scheduler.tasklet(step)(log, number)
        start_together.wait(TIMEOUT)
        scheduler.run()
        return threading.get_ident()

    workers = {name: Worker(thread_main, logs[name]) for name in logs}
    for name, worker in workers.items():
        ident = worker.join()
        assert logs[name] == [
            (0, ident, 4), (1, ident, 4), (2, ident, 4),
            (0, ident, 4), (1, ident, 3), (2, ident, 2),
        ]  # fmt: skip


def hello(drive=work_off):
    """Guide program: one thread sends a greeting to the other and gets an answer."""
    there, back = scheduler.channel(), scheduler.channel()
    heard = []

    def receiver():
        heard.append(there.receive())
        back.send("Hello yourself!")

    def sender():
        there.send("Hello from another thread!")
        heard.append(back.receive())

    worker = Worker(drive, sender)
    drive(receiver)
    worker.join()
    assert heard == ["Hello from another thread!", "Hello yourself!"]
    assert (there.balance, back.balance) == (0, 0)


def hello_waiting():
    hello(work_off_waiting)


@pytest.mark.spec("H-02", "H-04", "S-01", "S-03", "DEC-3")
@pytest.mark.timeout(15 * TIMEOUT)
@pytest.mark.parametrize("program", [two_queues, hello, hello_waiting])
def test_the_guide_programs_work_every_time(program, machine):
    managers = scheduler.get_number_of_active_schedule_managers()
    # On a busy machine free-threaded CPython takes 0.1 s for a round, or more.
    for _ in range(ROUNDS if machine == "quiet" else ROUNDS // 5):
        program()
        assert scheduler.get_number_of_active_schedule_managers() == managers


@pytest.mark.spec("H-02", "H-08", "C-10", "C-11", "G-09")
@pytest.mark.usefixtures("quick_thread_switches")
@pytest.mark.parametrize("preference", [-1, 0, 1])
def test_many_producers_and_consumers_lose_and_double_nothing(preference):
    ch = channel(preference)
    threads, tasklets, items = 4, 3, 40
    received: list[list] = []

    def produce(name):
        for number in range(items):
            ch.send((name, number))
        ch.send(None)

    def consume(mine):
        while (item := ch.receive()) is not None:
            mine.append(item)

    def thread_main(index):
        tasks = []
        for number in range(tasklets):
            if index % 2:
                tasks.append(scheduler.tasklet(produce)((index, number)))
            else:
                mine = []
                received.append(mine)
                tasks.append(scheduler.tasklet(consume)(mine))
        while any(task.alive for task in tasks):
            scheduler.run()

    for worker in [Worker(thread_main, index) for index in range(threads)]:
        worker.join()
    names = [(index, number) for index in (1, 3) for number in range(tasklets)]
    everything = [item for mine in received for item in mine]
    assert sorted(everything) == [(name, number) for name in names for number in range(items)]
    for mine in received:  # what one producer sent, one consumer saw in the order of sending
        for name in names:
            numbers = [number for sender, number in mine if sender == name]
            assert numbers == sorted(numbers)
    assert ch.balance == 0


@pytest.mark.spec("H-01", "H-08", "E-10", "T-24", "C-52")
@pytest.mark.usefixtures("quick_thread_switches")
def test_kills_and_inserts_from_elsewhere_race_with_transfers():
    """Tasklets of one thread are served by a second thread and killed by a third."""
    ch = channel(0)
    ready, stop = threading.Event(), threading.Event()
    ended = []
    tasks = []

    def victim(number):
        try:
            while True:
                ch.receive()
        finally:
            ended.append(number)

    def owner():
        tasks.extend(scheduler.tasklet(victim)(number) for number in range(30))
        scheduler.run()
        ready.set()
        while any(task.alive for task in tasks):
            scheduler.run()
        stop.set()

    def feeder():
        assert ready.wait(TIMEOUT)
        while not stop.is_set():
            if ch.balance < 0:
                scheduler.tasklet(ch.send)(0).run()
        ch.clear()

    def killer():
        assert ready.wait(TIMEOUT)
        for task in tasks:
            task.kill(pending=True)
            task.kill(pending=True)

    for worker in [Worker(job) for job in (owner, feeder, killer)]:
        worker.join()
    assert sorted(ended) == list(range(30))
    assert ch.balance == 0
    tasks.clear()


@pytest.mark.spec("H-02", "N-01", "H-05")
@pytest.mark.usefixtures("quick_thread_switches")
def test_threads_that_end_while_others_serve_them():
    """A thread may end at any moment of a transfer to one of its tasklets."""
    ch = channel(0)
    stop = threading.Event()

    def feeder():
        while not stop.is_set():
            if ch.balance < 0:
                scheduler.tasklet(ch.send)(object()).run()
                ch.clear()

    def short_lived():
        for _ in range(5):
            scheduler.tasklet(ch.receive)()
        scheduler.run()

    worker = Worker(feeder)
    try:
        for _ in range(100):
            Worker(short_lived).join()
    finally:
        stop.set()
        worker.join()
    assert ch.balance == 0
