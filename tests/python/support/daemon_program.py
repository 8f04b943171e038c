"""A program that ends while daemon threads are at something; run by test_daemon_threads.py.

    daemon_program.py WORK SPINS...

For each number a child process starts the daemon threads of WORK, counts to that number when they
have got going, which moves the moment at which they are caught, and exits with code 7. In the end
this process does the same itself.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import _scheduler as scheduler  # each child would take twice as long to end with all of the package

EXIT_CODE = 7
going = threading.Event()
there, back = scheduler.channel(), scheduler.channel()
kept: list[scheduler.tasklet] = []


def start(function: Callable[..., Any], *args: Any) -> scheduler.tasklet:
    task = scheduler.tasklet(function)(*args)
    task.run()
    return task


def repeat(*functions: Callable[[], Any]) -> None:
    going.set()
    while True:
        for function in functions:
            function()


def repeat_in_tasklet(*functions: Callable[[], Any]) -> None:
    task = scheduler.tasklet(repeat)(*functions)
    while task.alive:
        scheduler.run()


# ---- what a daemon thread may be at --------------------------------------------------------------


def run_with_nothing_to_do() -> None:
    repeat(scheduler.run)


def run_short_tasklets() -> None:
    repeat(lambda: scheduler.tasklet(len)(""), scheduler.run)


def run_n_tasklets_that_yield() -> None:
    for _ in range(5):
        scheduler.tasklet(repeat)(scheduler.schedule)
    repeat(lambda: scheduler.run_n_tasklets(3))


def yield_below_many_frames() -> None:
    def descend(n: int) -> None:
        descend(n - 1) if n else repeat(scheduler.schedule)

    for _ in range(3):
        scheduler.tasklet(descend)(100)
    scheduler.run()


def yield_below_nested_runs() -> None:
    def descend(n: int) -> None:
        start(descend, n - 1) if n else scheduler.schedule()

    repeat(lambda: scheduler.tasklet(descend)(6), scheduler.run)


def yield_in_sort_keys() -> None:
    def key(n: int) -> int:
        scheduler.schedule()
        return n

    def sort() -> None:
        scheduler.tasklet(sorted)([3, 1, 2], key=key)

    repeat(sort, sort, scheduler.run)


def exchange_in_the_thread() -> None:
    own = scheduler.channel()
    scheduler.tasklet(repeat)(lambda: own.send(0))
    scheduler.tasklet(repeat)(own.receive)
    scheduler.run()


def receive_in_main_of_the_thread() -> None:
    own = scheduler.channel()
    scheduler.tasklet(repeat)(lambda: own.send(0))
    repeat(own.receive)


def exchange_by_tasklets() -> None:
    repeat_in_tasklet(lambda: there.send(0), back.receive)


def answer_by_tasklets() -> None:
    repeat_in_tasklet(there.receive, lambda: back.send(0))


def exchange_by_main() -> None:
    repeat(lambda: there.send(0), back.receive)


def answer_by_main() -> None:
    repeat(there.receive, lambda: back.send(0))


def wait_for_ever() -> None:
    scheduler.set_deadlock_timeout(None)
    scheduler.tasklet(going.set)()
    there.receive()


def wait_time_and_again() -> None:
    def wait() -> None:
        try:
            there.receive()
        except RuntimeError:
            pass  # nobody came in time

    scheduler.set_deadlock_timeout(0.0005)
    repeat(wait)


def run_until_all_are_dead() -> None:
    start(there.receive)
    scheduler.tasklet(going.set)()
    scheduler.run(threadblock=True)


def run_until_a_time() -> None:
    start(there.receive)
    repeat(lambda: scheduler.run(threadblock=True, timeout=0.0005))


def join_one_of_main() -> None:
    scheduler.tasklet(going.set)()
    kept[0].join(None)


def join_in_a_tasklet() -> None:
    scheduler.tasklet(kept[0].join)(None)
    scheduler.tasklet(going.set)()
    scheduler.run(threadblock=True)


def sleep_in_a_tasklet() -> None:
    repeat_in_tasklet(lambda: time.sleep(0.0001))


def sleep_while_being_unwound() -> None:
    def body() -> None:
        try:
            scheduler.schedule_remove()
        finally:
            repeat(lambda: time.sleep(0.0001))

    start(body).kill()


def start_threads() -> None:
    def run_one() -> None:
        thread = threading.Thread(target=start, args=(there.receive,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # from 3.12 on Python refuses that while it ends
            return
        thread.join()

    repeat(run_one)


def collect_garbage() -> None:
    class Cycle(scheduler.tasklet):
        pass

    def make() -> None:
        task = Cycle(scheduler.schedule_remove)()
        task.me = task
        task.run()

    repeat(make, lambda: gc.collect(0))


def kill_others() -> None:
    repeat(lambda: start(there.receive).kill())


def call_back() -> None:
    scheduler.set_schedule_callback(lambda *_: None)
    scheduler.set_channel_callback(lambda *_: None)
    own = scheduler.channel()
    repeat(lambda: scheduler.tasklet(own.send)(0), scheduler.run, own.receive)


WORK: dict[str, list[Callable[[], None]]] = {
    function.__name__: [function]
    for function in (
        run_with_nothing_to_do, run_short_tasklets, run_n_tasklets_that_yield,
        yield_below_many_frames, yield_below_nested_runs, yield_in_sort_keys,
        exchange_in_the_thread, receive_in_main_of_the_thread, wait_for_ever, wait_time_and_again,
        run_until_all_are_dead, run_until_a_time, join_one_of_main, join_in_a_tasklet,
        sleep_in_a_tasklet, sleep_while_being_unwound, start_threads, collect_garbage, kill_others,
        call_back,
    )
}  # fmt: skip
WORK["two threads' tasklets"] = [exchange_by_tasklets, answer_by_tasklets]
WORK["two threads' mains"] = [exchange_by_main, answer_by_main]


# ---- the program ---------------------------------------------------------------------------------


def end_in_the_middle(work: list[Callable[[], None]], spins: int) -> None:
    scheduler.set_deadlock_timeout(60)  # one that a busy machine holds up is no deadlock
    kept.extend([start(scheduler.schedule_remove), start(back.receive)])
    for function in work:
        threading.Thread(target=function, daemon=True).start()
    going.wait()
    for _ in range(spins):
        pass
    for _ in range(spins % 4):
        scheduler.run()
    sys.exit(EXIT_CODE)


def main(name: str, *spins: str) -> None:
    gc.freeze()  # the last collections of each child need not copy what all of them have
    for number in spins:
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)  # ends a child that hangs
            end_in_the_middle(WORK[name], int(number))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code != EXIT_CODE:
            sys.exit(f"exit code {code} after {number} spins")
    end_in_the_middle(WORK[name], int(spins[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
