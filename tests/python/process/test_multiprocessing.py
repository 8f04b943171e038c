"""multiprocessing and concurrent.futures in programs that use tasklets (H-05, H-09, D-64).

Each test is a program of its own, in a file: the start methods "spawn" and "forkserver" import it
again in their children.
"""

from __future__ import annotations

import pytest

PROGRAM = """
import multiprocessing, os, sys, threading, warnings
from concurrent.futures import ProcessPoolExecutor
import scheduler

warnings.simplefilter("ignore")  # later versions advise against fork() beside threads
LIMIT = 50  # seconds to wait for another process

def square(n):
    "Goes by way of a tasklet, to whom main sends."
    ch = scheduler.channel()
    results = []
    task = scheduler.tasklet(lambda: results.append(ch.receive() ** 2))()
    scheduler.run()
    ch.send(n)
    while task.alive:
        scheduler.run()
    return results[0]

def square_in_thread(n):
    "The same with the tasklet in another thread."
    results, ch = [], scheduler.channel()
    def work():
        task = scheduler.tasklet(lambda: results.append(ch.receive() ** 2))()
        while task.alive:
            scheduler.run()
    thread = threading.Thread(target=work)
    thread.start()
    task = scheduler.tasklet(ch.send)(n)
    while task.alive:
        scheduler.run()
    thread.join(LIMIT)
    return results[0]

def relay(inbox, outbox):
    "Two tasklets and a channel between two queues; leaves a few tasklets behind."
    ch = scheduler.channel()
    def read():
        while (item := inbox.get(timeout=LIMIT)) is not None:
            ch.send(item)
    def write():
        while True:
            outbox.put(ch.receive())
    scheduler.tasklet(read)()
    scheduler.tasklet(write)()
    scheduler.tasklet(scheduler.schedule_remove)()
    scheduler.run()
    scheduler.tasklet(len)("")
    assert ch.balance == -1

def use_pool(context):
    with context.Pool(2) as pool:
        for function in (square, square_in_thread):
            result = pool.map_async(function, range(10)).get(LIMIT)
            assert result == [n * n for n in range(10)], result

def use_process(context):
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=relay, args=(inbox, outbox))
    process.start()
    for n in range(10):
        inbox.put(n)
    inbox.put(None)
    assert [outbox.get(timeout=LIMIT) for _ in range(10)] == list(range(10))
    process.join(LIMIT)
    assert process.exitcode == 0, process.exitcode

def use_executor(context):
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        result = list(pool.map(square, range(10), timeout=LIMIT))
        assert result == [n * n for n in range(10)], result

def use(context, functions):
    for function in functions:
        function(context)
        done.append(function)

def in_tasklet(*args):
    task = scheduler.tasklet(use)(*args)
    while task.alive:
        scheduler.run()

def in_thread(*args):
    thread = threading.Thread(target=in_tasklet, args=args)
    thread.start()
    thread.join()

def stand_by():
    "Of another thread, in the middle of its turn while processes are started."
    started.set()
    assert go_on.wait(LIMIT)
    ch.receive()

def note_unwinding():
    try:
        scheduler.schedule_remove()
    finally:
        unwound.append(os.getpid())

if __name__ == "__main__":
    method, place, *names = sys.argv[1:]
    done, unwound, ch = [], [], scheduler.channel()
    waiting, blocked = scheduler.tasklet(note_unwinding)(), scheduler.tasklet(ch.receive)()
    scheduler.run()
    started, go_on = threading.Event(), threading.Event()
    bystander = threading.Thread(target=lambda: scheduler.tasklet(stand_by)().run())
    bystander.start()
    started.wait(LIMIT)
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["scheduler"])
    functions = [globals()[name] for name in names]
    {"main": use, "tasklet": in_tasklet, "thread": in_thread}[place](context, functions)
    assert done == functions, done
    go_on.set()
    bystander.join(LIMIT)
    assert unwound == [] and waiting.alive and ch.balance == -1
    ch.send(0)
    waiting.insert()
    scheduler.run()
    assert unwound == [os.getpid()] and not blocked.alive
    print("end")
"""


@pytest.mark.spec("H-05", "H-09", "D-64")
@pytest.mark.parametrize("place", ["main", "tasklet", "thread"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_are_started_and_used(run_script, tmp_path, method, place):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = run_script(program, method, place, "use_pool", "use_process", "use_executor")
    assert (done.stdout, done.stderr) == ("end\n", "")
