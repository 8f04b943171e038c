"""Runs a program again and again, each time with something that happens to one of its tasklets.

    python disturbed.py kill PROGRAM.py      one of its tasklets is killed where it first waits
    python disturbed.py timeout PROGRAM.py   its time is over there: TimeoutError is raised in it
    python disturbed.py threads PROGRAM.py   nothing happens, but two threads run it at the same time

Whatever happens, a program has to come to an end. What is wrong is printed; nothing, if all is well:

* It hangs, or dies of a signal, or something went to `sys.unraisablehook`.
* An error comes out of it that does not follow from what happened, see EXPECTED.
* A tasklet that was paused nowhere in the undisturbed program is left paused: nobody woke it.

Each round is a child of this process, made by fork: the module is imported only once.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import scheduler

PATIENCE = 60  # seconds of one round
FOUND = 3  # a round's exit status if there was a tasklet to disturb and no error came out
ERROR = 4  # the same, with an error

# The last lines of tracebacks that a disturbance may lead to. RuntimeError is what it is for a tasklet that
# others count on: Deadlock, and a result() of one that was killed.
EXPECTED = re.compile(
    r"(TimeoutError|ExceptionGroup|queue\.Full|queue\.Empty|_scheduler\.TaskletExit)\b"
    r"|RuntimeError: (Deadlock|.*\bkilled)"
    r"|threading\.BrokenBarrierError"
)


class Disturber:
    """Sees each switch of each thread, and does something to the tasklet that is the `number`th to wait."""

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.seen: list[weakref.ref[scheduler.tasklet]] = []  # keeps nobody alive
        self.done = False
        self._run = scheduler.run
        scheduler.set_schedule_callback(self._switch)
        scheduler.run = self._run_and_disturb

    @property
    def victim(self) -> scheduler.tasklet | None:
        return self.seen[self.number]() if len(self.seen) > self.number else None

    def _switch(self, previous: scheduler.tasklet, following: scheduler.tasklet) -> None:
        victim = self.victim
        if victim is not None and not self.done and victim is not previous:
            self._disturb(victim, pending=True)
        known = weakref.ref(previous)
        if previous.alive and not previous.is_main and known not in self.seen:
            self.seen.append(known)

    def _run_and_disturb(self, *args: Any, **kwargs: Any) -> None:
        """run(), and then at once: what a main tasklet does next finds the tasklet gone."""
        self._run(*args, **kwargs)
        victim = self.victim
        if victim is None or self.done or not scheduler.getcurrent().is_main:
            return
        if victim.thread_id == threading.get_ident():
            self._disturb(victim, pending=False)

    def _disturb(self, victim: scheduler.tasklet, pending: bool) -> None:
        self.done = True
        if not victim.alive:
            return
        if self.kind == "kill":
            victim.kill(pending=pending)
        else:
            victim.throw(TimeoutError("its time is over"), pending=pending)


def paused() -> set[str]:
    """What runs the tasklets that wait for somebody to insert them."""
    return {task.method_name for task, _ in scheduler._live_tasklets() if task.paused}


def execute(program: str) -> None:
    sys.argv = [program]
    exec(compile(Path(program).read_text(), program, "exec"), {"__name__": "__main__"})


def play(program: str, kind: str, number: int, left: set[str]) -> int:
    """One round, in a process of its own. Returns its exit status."""
    disturber = Disturber(kind, number)
    status = FOUND
    try:
        execute(program)
    except BaseException:
        traceback.print_exc()
        status = ERROR
    scheduler.set_schedule_callback(None)
    stranded = paused() - left
    if stranded and status == FOUND:
        print(f"left paused: {', '.join(sorted(stranded))}", file=sys.stderr)
    return status if disturber.done else 0


def undisturbed(program: str) -> int:
    """Writes what is left paused at the end."""
    execute(program)
    print("\n".join(sorted(paused())), file=sys.stderr)
    return 0


def family(thread: threading.Thread) -> str:
    """The name of the thread that runs the program and, perhaps through others, has started this one."""
    return str(getattr(thread, "family", thread.name))


class PerThread:
    """A standard output that keeps apart what each of several threads, and those it starts, print."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    def write(self, text: str) -> int:
        self.texts.setdefault(family(threading.current_thread()), []).append(text)
        return len(text)

    def flush(self) -> None:
        pass


def twice(program: str) -> int:
    """Two threads run the program. Writes what the second one prints, if that differs."""
    output = PerThread()
    begin = threading.Barrier(2)
    original = threading.Thread.__init__

    def related(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        """Threads that the program starts belong to the one that runs it."""
        original(self, *args, **kwargs)
        self.family = family(threading.current_thread())  # type: ignore[attr-defined]

    def run() -> None:
        begin.wait(PATIENCE)
        execute(program)

    threads = [threading.Thread(target=run, name=name) for name in ("first", "second")]
    threading.Thread.__init__ = related  # type: ignore[method-assign]
    with contextlib.redirect_stdout(output):  # type: ignore[type-var]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in ("first", "second"):
        sys.stdout.write("".join(output.texts.get(name, [])) + "\0")
    return 0


def forked(round_: Any, *args: Any) -> tuple[int, str, str]:
    """What a round returned in a child, or minus the signal that ended it, and what it wrote."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            sys.exit(round_(*args))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        return status, output.read(), errors.read()


def problems_of(status: int, errors: str) -> Iterator[str]:
    if status < 0:
        yield f"died of {signal.Signals(-status).name}"
    elif status not in (0, FOUND, ERROR):
        yield f"ended with {status}" if "Timeout (" not in errors else "hangs"
    if "Exception ignored" in errors:
        yield "an error was ignored"
    yield from (line for line in errors.splitlines() if line.startswith("left paused"))
    raised = re.findall(r"^(?:[\w.]+(?:Error|Exception|Exit|Group|Full|Empty|Interrupt)\b.*)$", errors, re.M)
    yield from (line for line in raised if not EXPECTED.match(line))


def main() -> None:
    kind, program = sys.argv[1:]
    if kind == "threads":
        status, output, errors = forked(twice, program)
        if status != 0 or errors:
            print(f"threads: ended with {status}\n{errors}")
        sys.stdout.write(output)
        return
    _, _, paused_anyway = forked(undisturbed, program)
    for number in range(1000):
        status, output, errors = forked(play, program, kind, number, set(paused_anyway.split()))
        for problem in problems_of(status, errors):
            print(f"{kind} {number}: {problem}\n{output}{errors}")
        if status == 0:
            return


if __name__ == "__main__":
    main()
