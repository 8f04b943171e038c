"""tasklet.join(): waiting for the end of a tasklet, of this thread or of another."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import channel, queued, started, trapped
from support.tasklet_states import Noting
from support.threads import Worker, in_thread, other  # noqa: F401 (`other` is a fixture)
from support.waiting import wait

ROUNDS = 100


def suspended(function=scheduler.schedule_remove, *args):
    """A tasklet that has had its first turn and is paused, or waits."""
    return started(function, *args)


# ---- on one thread -------------------------------------------------------------------------------


def test_main_joins_a_tasklet_that_runs():
    log = []

    def work():
        for number in range(3):
            log.append(number)
            scheduler.schedule()

    task = queued(work)
    assert task.join() is True
    assert log == [0, 1, 2] and not task.alive


@pytest.mark.parametrize("make", [lambda: scheduler.tasklet(len), lambda: started(len, "")])
def test_a_dead_tasklet_is_joined_at_once(make):
    task = make()
    with trapped():
        assert task.join() is True
    assert in_thread(task.join) is True


def test_main_goes_on_as_soon_as_the_tasklet_is_dead():
    log = []
    task = queued(log.append, "joined")
    later = queued(log.append, "later")
    assert task.join() is True
    assert log == ["joined"] and later.alive
    scheduler.run()


def test_a_tasklet_joins_another(mode):
    log = []
    task = queued(scheduler.schedule)

    def joiner(name):
        log.append((name, task.join()))

    joiners = [queued(joiner, name) for name in "ab"]
    scheduler.run()
    assert log == [("a", True), ("b", True)]
    assert not any(one.alive for one in joiners)


def test_a_joiner_is_blocked_and_not_scheduled():
    task = suspended()
    joiner = started(task.join)
    assert (joiner.alive, joiner.blocked, joiner.scheduled) == (True, True, False)
    task.run()
    assert (joiner.blocked, joiner.scheduled) == (False, True)
    scheduler.run()
    assert not joiner.alive


@pytest.mark.parametrize("end", ["return", "raise", "kill", "unbind", "new"])
def test_every_end_counts(end):
    def body():
        scheduler.schedule_remove()
        if end == "raise":
            raise KeyError

    task = scheduler.tasklet(body).bind(None, ()) if end == "new" else suspended(body)
    joiner = started(task.join)
    if end in ("kill", "new"):
        task.kill()
    elif end == "unbind":
        task.bind(None)
    else:
        assert outcome(task.run) is (KeyError if end == "raise" else None)
    assert not joiner.blocked
    scheduler.run()
    assert not joiner.alive


def test_a_new_incarnation_can_be_joined_again():
    log = []
    task = suspended()
    for number in range(3):
        joiner = started(lambda number=number: log.append((number, task.join())))
        task.run()
        task.bind(scheduler.schedule_remove, ())
        scheduler.run()
        assert log[-1] == (number, True) and not joiner.alive
        task.run()
        assert task.join(0) is False
    task.kill()


@pytest.mark.parametrize("seconds", [0, 0.02])
def test_main_gives_up_when_the_time_is_up(seconds):
    task = suspended()
    begin = time.monotonic()
    assert task.join(seconds) is False
    assert time.monotonic() - begin >= seconds
    assert not scheduler.getmain().blocked
    task.kill()


def test_the_time_passes_while_others_run():
    def busy():
        while True:
            scheduler.schedule()

    tasks = [queued(busy) for _ in range(3)]
    assert tasks[0].join(0.02) is False
    assert all(task.scheduled for task in tasks)
    for task in tasks:
        task.kill(pending=True)
    scheduler.run()


def test_tasklets_give_up_in_the_order_of_their_times():
    log = []
    task = suspended()

    def joiner(seconds):
        log.append((seconds, task.join(timeout=seconds)))

    def all_join():
        """False: the machine stalled, so that their times may come in another order, and by now."""
        begin = time.monotonic()
        for seconds in (0.15, 0.05, 0.1):
            queued(joiner, seconds)
        scheduler.run()
        scheduler.run(threadblock=False)
        in_time = time.monotonic() - begin < 0.05
        assert not (in_time and log)
        return in_time

    task_of_main = suspended()
    while not all_join():
        assert task_of_main.join(0.2) is False
        scheduler.run()
        log.clear()
    assert task_of_main.join(0.2) is False
    scheduler.run()
    assert log == [(0.05, False), (0.1, False), (0.15, False)]
    task.kill()
    task_of_main.kill()


def test_run_with_threadblock_waits_for_the_times():
    log = []
    task = suspended()
    queued(lambda: (log.append(task.join(0.02)), task.kill()))
    scheduler.run(threadblock=True)
    assert log == [False] and not task.alive


def test_main_waits_for_a_time_out_of_another_tasklet():
    ch, task = channel(), suspended()
    queued(lambda: ch.send(task.join(0.02)))
    assert ch.receive() is False
    task.kill()
    scheduler.run()


@pytest.mark.parametrize("pending", [False, True])
def test_a_joiner_can_be_killed(pending):
    task = suspended()
    noting = Noting(task.join)
    joiner = started(noting)
    joiner.kill(pending)
    scheduler.run()
    assert noting.caught[0][0] is scheduler.TaskletExit and not joiner.alive
    task.kill()
    scheduler.run()


def test_a_joiner_with_a_time_can_be_thrown_at_and_joins_again():
    task, log = suspended(), []

    def body():
        try:
            task.join(60)
        except KeyError:
            log.append(task.join())

    joiner = started(body)
    joiner.throw(KeyError)
    task.kill()
    scheduler.run()
    assert log == [True] and not joiner.alive


def test_clearing_all_channels_leaves_joiners_alone():
    task = suspended()
    joiner = started(task.join)
    assert scheduler.unblock_all_channels() == 0
    assert joiner.blocked
    task.kill()
    scheduler.run()


def test_an_exception_of_the_joined_tasklet_goes_to_the_driver():
    def fail():
        scheduler.schedule()
        raise KeyError("mine")

    task = queued(fail)
    with pytest.raises(KeyError, match="mine"):
        task.join()
    assert not scheduler.getmain().blocked
    assert task.join() is True


def test_what_cannot_be_joined():
    texts = []

    def body():
        texts.append(message(scheduler.getcurrent().join))
        texts.append(message(scheduler.getmain().join))

    queued(body)
    scheduler.run()
    assert "itself" in texts[0] and "main tasklet" in texts[1]
    assert "itself" in message(scheduler.getmain().join)


@pytest.mark.spec("R-03", "DEC-3")
def test_main_alone_is_in_a_deadlock(run_script):
    program = """
        import scheduler
        task = scheduler.tasklet(scheduler.schedule_remove)()
        task.run()
        try:
            task.join()
        except RuntimeError as error:
            print(str(error).startswith("Deadlock"), scheduler.getmain().blocked)
        print(task.join(0.01))
    """
    assert run_script(program).stdout == "True False\nFalse\n"


def test_join_under_a_switch_trap_and_a_block_trap():
    task = suspended()
    with trapped():
        assert "switch_trap" in message(task.join)
        assert task.join(0) is False
    scheduler.getmain().block_trap = True
    assert task.join(0.01) is False, "a block trap is about channels"
    scheduler.getmain().block_trap = False
    task.kill()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("1",), TypeError),
        ((-1,), ValueError),
        ((float("nan"),), ValueError),
        ((1, 2), TypeError),
    ],
)
def test_wrong_arguments(arguments, error):
    task = suspended()
    assert outcome(task.join, *arguments) is error
    assert outcome(task.join, seconds=1) is TypeError
    task.kill()


def test_a_joiner_keeps_the_tasklet_alive_and_lets_it_go():
    task = queued(len, "")
    alive = weakref.ref(task)
    joiner = started(task.join)
    del task
    gc.collect()
    assert alive() is not None
    scheduler.run()
    gc.collect()
    assert alive() is None and not joiner.alive


# ---- across threads ------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_main_joins_a_tasklet_of_another_thread():
    ready, go_on = threading.Event(), channel()
    tasks = []

    def thread_main():
        tasks.append(queued(go_on.receive))
        ready.set()
        scheduler.run(threadblock=True)

    worker = Worker(thread_main)
    wait(ready)
    assert tasks[0].join(0.01) is False
    go_on.send("end")
    assert tasks[0].join() is True
    worker.join()
    assert tasks[0].join() is True


def test_a_tasklet_joins_one_of_another_thread(other):
    task = other.call(suspended)
    joiner = started(task.join)
    assert joiner.blocked
    other.call(task.run)
    scheduler.run()
    assert not joiner.alive


def test_the_end_of_a_thread_ends_its_tasklets_and_its_main(other):
    task, main = other.call(suspended), other.call(scheduler.getmain)
    joiners = [started(task.join), started(main.join)]
    other.call(lambda: started(task.join))
    other.end()
    scheduler.run()
    assert not any(joiner.alive for joiner in joiners)
    assert task.join() is True and main.join() is True


@pytest.mark.usefixtures("patient")
def test_joining_races_with_the_end():
    """Many joins of tasklets that end at the same time: none waits for ever, none is too early."""

    def thread_main(channel):
        for task in iter(channel.receive, None):
            task.join()
            assert not task.alive

    ch = channel(0)
    worker = Worker(thread_main, ch)
    for _ in range(ROUNDS):
        task = queued(scheduler.schedule)
        ch.send(task)
        task.join()
    ch.send(None)
    worker.join()


@pytest.mark.usefixtures("patient")
def test_each_thread_joins_a_tasklet_of_the_other():
    """Both mains wait for the other thread; a third thread makes both tasklets end."""
    first, second, end = channel(), channel(), channel(0)

    def give_and_take(give, take):
        task = queued(end.receive)
        helper = queued(give.send, task)
        theirs = take.receive()
        joined = theirs.join()
        task.join()
        helper.join()
        return joined

    workers = [Worker(give_and_take, first, second), Worker(give_and_take, second, first)]
    for _ in workers:
        end.send("end")
    assert [worker.join() for worker in workers] == [True, True]
