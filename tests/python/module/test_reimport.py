"""Two module objects in one interpreter: `scheduler` imported again (M-01, DEC-7, D-64).

It happens when tests or plug-ins clean up `sys.modules`. Each module object has tasklets, managers
and settings of its own; a thread may use both.
"""

from __future__ import annotations

import pytest

PRELUDE = """
import os, signal, sys, threading
import scheduler as first

def import_again():
    for name in list(sys.modules):
        if name.partition(".")[0] in ("scheduler", "_scheduler"):
            del sys.modules[name]
    import scheduler
    return scheduler

second = import_again()
both = first, second
log = []

def counts(module):
    return (module.get_active_tasklet_count(), module.get_number_of_active_channels(),
            module.get_number_of_active_schedule_managers())

def start(module, function, *args):
    task = module.tasklet(function)(*args)
    task.run()
    return task

def noting(module, suspend):
    def body():
        try:
            suspend()
            log.append("went on")
        except module.TaskletExit:
            log.append(("exit", threading.get_ident()))
            raise
    return body

def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()
    return thread.ident
"""


@pytest.fixture
def run_program(run_script):
    """Runs the prelude and then this text: all must go well, without a word on stderr."""

    def run(text):
        done = run_script(PRELUDE + text)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


@pytest.mark.spec("M-01", "DEC-7", "D-64", "S-07", "H-04")
def test_types_counters_and_settings_are_separate(run_program):
    lines = run_program(
        """
assert first is not second
for name in ("tasklet", "channel", "QueueChannel", "TaskletExit", "_C_API"):
    assert getattr(first, name) is not getattr(second, name), name
assert counts(first) == counts(second) == (0, 0, 0)
keep = first.channel(), start(first, first.schedule_remove)
assert counts(first) == (2, 1, 1) and counts(second) == (0, 0, 0)
second.set_use_nested_tasklets(False)
second.set_schedule_callback(print)
second.set_channel_callback(print)
second.switch_trap(1)
assert first.get_use_nested_tasklets() is True
assert first.get_schedule_callback() is first.get_channel_callback() is None
assert first.switch_trap(0) == 0
assert first.getmain() is not second.getmain()
start(first, log.append, "no trap here")
second.switch_trap(-1)
for call in (lambda: second.tasklet.run(keep[1]), lambda: second.channel.send(keep[0], 0)):
    try:
        call()
    except TypeError:
        log.append("refused")
print(*log, sep=", ")
"""
    )
    assert lines == ["no trap here, refused, refused"]


@pytest.mark.spec("M-01", "D-64", "R-02", "S-06")
def test_one_thread_may_use_both_at_a_time(run_program):
    """A tasklet of one drives the other's loop; a stack of one lies on top of one of the other."""
    lines = run_program(
        """
def inner():
    log.append("inner 1")
    second.schedule_remove()
    log.append("inner 2")
    first.schedule_remove()  # takes the tasklet below it out of its loop, by two modules' stacks
    log.append("inner 3")

def outer():
    task = start(second, inner)
    log.append("outer 1")
    first.schedule_remove()
    log.append("outer 2")
    task.run()
    log.append("outer 3")

def bystander():
    for n in range(3):
        log.append(f"bystander {n}")
        second.schedule()

task = start(first, outer)
assert second.getcurrent() is second.getmain() and first.getcurrent() is first.getmain()
task.run()
assert second.getcurrent() is not second.getmain() and first.getcurrent() is first.getmain()
start(second, bystander)
second.run()
task.run()
assert all(module.getcurrent() is module.getmain() for module in both)
assert [module.getruncount() for module in both] == [1, 1] and not task.alive
print(*log, sep=", ")
"""
    )
    assert lines == [
        "inner 1, outer 1, outer 2, inner 2, bystander 0, bystander 1, bystander 2, "
        "inner 3, outer 3"
    ]


@pytest.mark.spec("M-01", "D-64", "C-10", "C-11", "H-02")
def test_channels_of_both_in_the_same_threads(run_program):
    lines = run_program(
        """
def relay(source, target):
    for _ in range(200):
        target.send(source.receive())

def produce(ch):
    for n in range(200):
        ch.send(n)

def consume(ch):
    log.extend(ch.receive() for _ in range(200))

def work(*bodies):
    tasks = [module.tasklet(body)(*args) for module, body, *args in bodies]
    while any(task.alive for task in tasks):
        for module in both:
            module.run()

there, back = first.channel(), first.channel()
away, home = second.channel(), second.channel()
thread = threading.Thread(target=work, args=((first, relay, there, back),
                                             (second, relay, away, home)))
thread.start()
work((first, produce, there), (second, produce, away),
     (first, consume, back), (second, consume, home))
thread.join()
assert sorted(log) == sorted([*range(200)] * 2)
print(*[channel.balance for channel in (there, back, away, home)])
"""
    )
    assert lines == ["0 0 0 0"]


SUSPENSIONS = {
    "yielded": "module.schedule",
    "paused": "module.schedule_remove",
    "receiving": "channels[module].receive",
    "sending": "lambda: channels[module].send(0)",
}


@pytest.mark.spec("M-01", "H-05", "H-06", "N-01")
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("where", SUSPENSIONS)
def test_the_end_of_a_thread_ends_its_tasklets_of_both(run_program, where, kept):
    lines = run_program(
        f"""
channels = {{module: module.channel() for module in both}}
tasks = []
for module in both:
    module.getmain()
before = [counts(module) for module in both]

def work():
    for module in both:
        task = start(module, noting(module, {SUSPENSIONS[where]}))
        tasks.append((module, task))
    if not {kept}:
        tasks.clear()

ident = in_thread(work)
assert log == [("exit", ident)] * 2, log
assert [(task.alive, task.thread_id) for _, task in tasks] == [(False, -1)] * len(tasks)
assert [channel.balance for channel in channels.values()] == [0, 0]
tasks.clear()
del work, module
assert [counts(module) for module in both] == before
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("M-01", "H-05", "D-64")
@pytest.mark.parametrize("order", ["first, second", "second, first"])
def test_a_thread_ends_below_stacks_of_both(run_program, order):
    """A tasklet of one lies suspended on the stack of the other's: current, but with no way back."""
    lines = run_program(
        f"""
for module in both:
    module.getmain()
before = [counts(module) for module in both]
tasks = []

def inner():
    try:
        first.schedule_remove()
    finally:
        log.append("inner")
        assert second.getcurrent() is not second.getmain()
        assert first.getcurrent() is not first.getmain()

def outer():
    try:
        start(second, inner)
    finally:
        assert second.getcurrent() is second.getmain()
        log.append("outer")

def work():
    for module in ({order}):
        module.getmain()
    tasks.append(start(first, outer))

in_thread(work)
assert not tasks.pop().alive
assert [counts(module) for module in both] == before
print(*log)
"""
    )
    assert lines == ["inner outer"]


@pytest.mark.spec("M-01", "H-09", "DEC-8")
def test_the_end_of_the_interpreter_ends_the_tasklets_of_both(run_program):
    lines = run_program(
        """
third = import_again()

def body(number, module):
    try:
        module.schedule_remove()
    finally:
        os.write(1, b"finally %d\\n" % number)

keep = [start(module, body, n, module) for n, module in enumerate((*both, third))]
os.write(1, b"end of program\\n")
"""
    )
    assert lines[0] == "end of program"
    assert sorted(lines[1:]) == ["finally 0", "finally 1", "finally 2"]


@pytest.mark.spec("M-01", "H-05", "DEC-7")
def test_a_thread_may_import_again_while_tasklets_wait(run_program):
    lines = run_program(
        """
ch = first.channel()
waiting = start(first, noting(first, ch.receive))

def work():
    third = import_again()
    start(third, noting(third, third.schedule_remove))
    start(first, ch.send, 0)

ident = in_thread(work)
assert log == [("exit", ident)]
first.run()
assert log.pop() == "went on" and not waiting.alive
import scheduler
assert scheduler not in both and counts(scheduler)[2] == 0
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("M-01", "H-05")
def test_fork_abandons_the_tasklets_of_other_threads_in_both(run_program):
    lines = run_program(
        """
import warnings
warnings.simplefilter("ignore")  # later versions advise against fork() beside threads
ready, go_on = threading.Event(), threading.Event()
channels = {module: module.channel() for module in both}
tasks = []

def work():
    tasks.extend(start(module, noting(module, channels[module].receive)) for module in both)
    ready.set()
    go_on.wait()

thread = threading.Thread(target=work)
thread.start()
ready.wait()
mine = [start(module, noting(module, channels[module].receive)) for module in both]
pid = os.fork()
if pid == 0:
    signal.alarm(50)  # ends a child that hangs
    assert [task.alive for task in tasks] == [False] * 2
    assert [counts(module)[2] for module in both] == [1, 1]
    for module in both:
        channels[module].send(0)
        module.run()
    assert log == ["went on"] * 2
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert [channel.balance for channel in channels.values()] == [-2, -2]
go_on.set()
thread.join()
assert [channel.balance for channel in channels.values()] == [-1, -1]
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("M-01", "D-64")
def test_a_module_object_may_go_before_it_is_initialised(run_script):
    done = run_script(
        """
        import gc, importlib.util
        spec = importlib.util.find_spec("_scheduler")
        for _ in range(3):
            module = importlib.util.module_from_spec(spec)
            gc.collect()  # visits it
            del module
            gc.collect()  # clears it, should it be in a cycle
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.tasklet(print)("works")
        module.run()
        """
    )
    assert (done.stdout, done.stderr) == ("works\n", "")
