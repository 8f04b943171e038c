"""tasklet.result(): what the callable returned or raised, and where an exception goes."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

import scheduler
from support.exceptions import functions_in, message, outcome
from support.scheduling import channel, queued, started, trapped
from support.threads import RemoteThread, Worker, in_thread, other  # noqa: F401 (`other` is a fixture)
from support.waiting import wait


class Token:
    """Something that can be watched."""


def fail(error=None):
    scheduler.schedule()
    raise error or KeyError("mine")


def dead(function, *args, contained=False):
    """A tasklet of `function` that has ended."""
    task = scheduler.tasklet()
    task.dont_raise = contained
    task.bind(function)(*args)
    outcome(scheduler.run)
    assert not task.alive
    return task


# ---- what is returned ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "", (1, 2), [3]])
def test_what_was_returned_comes_out_again_and_again(value, mode):
    task = queued(lambda: value)
    assert task.result() is value
    assert task.result(0) is value
    assert task.result(timeout=1) is value
    assert in_thread(task.result) is value


def test_a_value_with_keyword_arguments():
    assert queued(dict, a=1).result() == {"a": 1}


def test_an_exception_instance_may_be_a_value():
    error = KeyError("no failure")
    assert queued(lambda: error).result() is error
    assert queued(lambda: KeyError).result() is KeyError


def test_several_tasklets_ask(mode):
    task, log = queued(lambda: (scheduler.schedule(), 5)[1]), []
    askers = [queued(lambda: log.append(task.result())) for _ in range(3)]
    scheduler.run()
    assert log == [5, 5, 5]
    assert not any(asker.alive for asker in askers)


def test_one_who_waits_gets_it_though_the_tasklet_is_bound_anew():
    log = []
    task = started(lambda: (scheduler.schedule_remove(), "first")[1])
    asker = started(lambda: log.append(task.result()))
    task.run()
    task.bind(len, ("",))
    scheduler.run()
    assert log == ["first"] and not asker.alive
    task.run()
    assert task.result() == 0


@pytest.mark.parametrize("way", ["bind", "arguments", "setup", "unbind"])
def test_it_is_dropped_when_the_tasklet_gets_something_new(way):
    token = Token()
    alive = weakref.ref(token)
    task = dead(lambda token: token, token)
    del token
    assert alive() is not None
    if way == "bind":
        task.bind(len)
        assert "has not been given its arguments" in message(task.result)
    elif way == "arguments":
        task.bind(len, ("",))
        task.run()
    elif way == "setup":
        task.bind(len)("")
        scheduler.run()
    else:
        task.bind(None)
        assert "nothing to run" in message(task.result)
    assert alive() is None
    if way in ("arguments", "setup"):
        assert task.result() == 0


def test_it_is_dropped_with_the_tasklet():
    token = Token()
    alive = weakref.ref(token)
    task = dead(lambda token: token, token)
    del token
    del task
    assert alive() is None


def test_a_callable_bound_while_it_runs_leaves_the_result_alone():
    task = scheduler.tasklet()

    def body():
        task.bind(len)
        return "first"

    task.bind(body)()
    assert task.result() == "first"
    task("")
    assert task.result() == 0


def test_the_collector_sees_what_is_kept():
    class Node:
        pass

    node = Node()
    alive = weakref.ref(node)
    node.task = dead(lambda node: node, node)
    del node
    gc.collect()
    assert alive() is None


# ---- what is raised ------------------------------------------------------------------------------


def test_main_asks_and_nobody_else_gets_the_exception(mode):
    error = KeyError("mine")
    task = queued(fail, error)
    with pytest.raises(KeyError) as caught:
        task.result()
    assert caught.value is error
    assert functions_in(error.__traceback__)[-1] == "fail"
    with pytest.raises(KeyError) as again:
        task.result(0)
    assert again.value is error
    assert outcome(in_thread, task.result) is KeyError
    scheduler.run()
    error.__traceback__ = None


def test_a_tasklet_asks_and_the_driver_gets_nothing(mode):
    log = []
    task = queued(fail)
    queued(lambda: log.append(outcome(task.result)))
    scheduler.run()
    assert log == [KeyError]


def test_a_base_exception_is_handed_over_as_well():
    assert outcome(queued(fail, KeyboardInterrupt()).result) is KeyboardInterrupt


def test_it_goes_to_the_driver_if_nobody_asks_by_then():
    task = queued(fail)
    with pytest.raises(KeyError):
        scheduler.run()
    text = message(task.result)
    assert "failed with KeyError" in text and "TaskletGroup" in text and "fail" in text
    assert outcome(task.result) is RuntimeError


def test_it_is_not_kept_if_nobody_asks():
    class Error(Exception):
        pass

    error = Error()
    alive = weakref.ref(error)
    task = queued(fail, error)
    del error
    outcome(scheduler.run)
    gc.collect()
    assert alive() is None
    assert "failed with Error" in message(task.result)


def test_one_who_only_joins_does_not_take_it():
    task = queued(fail)
    joiner = started(task.join)
    with pytest.raises(KeyError):
        scheduler.run()
    scheduler.run()
    assert not joiner.alive


def test_one_who_has_given_up_does_not_take_it():
    task = started(fail)
    task.remove()
    asker = started(lambda: outcome(task.result))
    asker.kill()
    assert outcome(task.run) is KeyError


@pytest.mark.spec("X-10")
@pytest.mark.parametrize("asked", [False, True])
def test_an_exception_thrown_at_one_that_has_not_run(asked):
    log = []
    task = queued(len, "")
    if asked:
        queued(lambda: log.append(outcome(task.result)))
        scheduler.getmain().next.remove()
        scheduler.run()
    task.throw(KeyError, pending=True)
    task.insert()
    assert outcome(scheduler.run) is (None if asked else KeyError)
    assert log == ([KeyError] if asked else [])
    assert outcome(task.result) is (KeyError if asked else RuntimeError)


def test_what_dont_raise_keeps_in_counts_as_raised():
    error, told = KeyError("mine"), []
    task = scheduler.tasklet()
    task.dont_raise = True
    task.exception_handler = told.append
    task.bind(fail)(error)
    scheduler.run()
    assert len(told) == 1
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            task.result()
        assert caught.value is error
    assert dead(lambda: 5, contained=True).result() == 5
    error.__traceback__ = None


def test_an_error_of_the_context_manager_is_the_drivers():
    task = scheduler.tasklet()
    task.dont_raise = True
    task.context_manager_getter = lambda task: 1 / 0
    task.bind(len)("")
    assert outcome(scheduler.run) is ZeroDivisionError
    assert "failed with ZeroDivisionError" in message(task.result)


def test_another_tasklets_failure_is_mains_and_the_result_can_be_asked_for_again():
    task = queued(lambda: (scheduler.schedule(), scheduler.schedule(), 5)[2])
    queued(fail)
    assert outcome(task.result) is KeyError
    assert task.result() == 5


# ---- no result -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "pending", "raise", "unstarted", "dont_raise"])
def test_a_killed_tasklet_has_none(how):
    def body():
        scheduler.schedule_remove()
        raise scheduler.TaskletExit

    task = scheduler.tasklet()
    task.dont_raise = how == "dont_raise"
    task.bind(body)()
    if how == "unstarted":
        task.kill()
    else:
        task.run()
        if how == "raise":
            task.run()
        else:
            task.kill(pending=how == "pending")
            scheduler.run()
    assert not task.alive
    assert outcome(task.result) is RuntimeError
    assert "was killed" in message(task.result)


def test_one_who_waits_learns_of_a_kill():
    task, log = started(scheduler.schedule_remove), []
    queued(lambda: log.append(message(task.result)))
    scheduler.run()
    task.bind(None)
    scheduler.run()
    assert "was killed" in log[0]


def test_a_tasklet_that_never_ran():
    assert "nothing to run" in message(scheduler.tasklet().result)
    assert "call it first" in message(scheduler.tasklet(len).result)
    assert outcome(scheduler.tasklet(len).result) is RuntimeError


def test_itself_and_main_tasklets(other):
    assert "main tasklet has no result" in message(scheduler.getmain().result)
    assert "main tasklet has no result" in message(other.call(scheduler.getmain).result)
    log = []
    queued(lambda: log.append(message(scheduler.getcurrent().result)))
    scheduler.run()
    assert "its own result" in log[0]


def test_of_a_thread_that_has_ended():
    other = RemoteThread().__enter__()
    returned = other.call(lambda: started(lambda: 5))
    never = other.call(lambda: scheduler.tasklet(len))
    suspended = other.call(lambda: started(scheduler.schedule_remove))
    log = []
    asker = started(lambda: log.append(message(suspended.result)))
    other.end()
    scheduler.run()
    assert returned.result() == 5
    assert not asker.alive
    for text in (message(never.result), message(suspended.result), log[0]):
        assert "thread" in text and "has ended" in text


# ---- waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 0.02])
def test_the_time_is_up(seconds):
    task = started(scheduler.schedule_remove)
    text = message(task.result, seconds)
    assert outcome(task.result, timeout=seconds) is TimeoutError
    assert "schedule_remove" in text
    assert ("0.02 seconds" if seconds else "would have had to wait") in text
    task.kill()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(("1",), TypeError), ((-1,), ValueError), ((float("nan"),), ValueError), ((1, 2), TypeError)],
)
def test_wrong_arguments(arguments, error):
    task = queued(len, "")
    assert outcome(task.result, *arguments) is error
    assert outcome(task.result, seconds=1) is TypeError
    assert task.result() == 0


def test_under_traps():
    task = queued(lambda: (scheduler.schedule(), 5)[1])
    with trapped():
        assert "switch_trap" in message(task.result)
        assert outcome(task.result, 0) is TimeoutError
    with scheduler.block_trap():
        assert task.result() == 5
    with trapped():
        assert task.result() == 5


def test_in_a_schedule_callback():
    log = []
    task = started(scheduler.schedule_remove)
    done = dead(len, "")
    scheduler.set_schedule_callback(
        lambda *_: log.append((outcome(task.result), outcome(done.result)))
    )
    queued(len, "").run()
    scheduler.set_schedule_callback(None)
    assert set(log) == {(RuntimeError, 0)}
    task.kill()


@pytest.mark.spec("R-03", "DEC-3")
def test_main_alone_is_in_a_deadlock(run_script):
    program = """
        import scheduler
        task = scheduler.tasklet(scheduler.schedule_remove)()
        task.run()
        try:
            task.result()
        except RuntimeError as error:
            print(str(error).startswith("Deadlock"), scheduler.getmain().blocked)
    """
    assert run_script(program).stdout == "True False\n"


@pytest.mark.parametrize("pending", [False, True])
def test_one_who_asks_can_be_killed(pending):
    task = started(scheduler.schedule_remove)
    asker = started(task.result)
    assert asker.blocked
    asker.kill(pending)
    scheduler.run()
    assert not asker.alive
    task.kill()


# ---- across threads ------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("end", ["return", "raise"])
def test_main_asks_a_tasklet_of_another_thread(end):
    ready, go_on = threading.Event(), channel()
    tasks = []

    def body():
        go_on.receive()
        if end == "raise":
            raise KeyError
        return 5

    def thread_main():
        tasks.append(queued(body))
        ready.set()
        scheduler.run(threadblock=True)

    worker = Worker(thread_main)
    wait(ready)
    helper = queued(go_on.send, "end")
    assert outcome(tasks[0].result) == (KeyError if end == "raise" else 5)
    worker.join()
    assert outcome(tasks[0].result) == (KeyError if end == "raise" else 5)
    scheduler.run()
    assert not helper.alive


@pytest.mark.usefixtures("patient")
def test_asking_races_with_the_end():
    """Each result arrives, whether it is asked for before or after the end."""

    def thread_main(channel):
        return [task.result() for task in iter(channel.receive, None)]

    ch = channel(0)
    worker = Worker(thread_main, ch)
    for number in range(100):
        task = queued(lambda number=number: (scheduler.schedule(), number)[1])
        ch.send(task)
        assert task.result() == number
    ch.send(None)
    assert worker.join() == list(range(100))


@pytest.mark.usefixtures("patient")
def test_asking_races_with_a_new_callable():
    """Whoever asks gets a value of some run of the tasklet, or is told that there is none."""
    stop = threading.Event()
    task = scheduler.tasklet()
    numbers = (RuntimeError, TimeoutError, *range(1000))

    def thread_main():
        asked = 0
        while not stop.is_set():
            assert outcome(task.result, 0) in numbers
            asked += 1
        return asked

    worker = Worker(thread_main)
    for number in range(1000):
        task.bind(lambda number=number: number)()
        scheduler.run()
    stop.set()
    assert worker.join() > 0
