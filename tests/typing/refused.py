"""What type checkers must refuse. Only `make types` reads this file: nothing runs it.

Each marked line has to be an error: a mark that silences nothing is one itself.
"""

from __future__ import annotations

import scheduler


def greet(name: str, times: int = 1, *, loud: bool = False) -> str:
    return name * times


def arguments_that_the_callable_does_not_take() -> None:
    task = scheduler.tasklet(greet)
    task()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    task(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    task.setup("smith", quiet=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    rebound = scheduler.tasklet(len).bind(greet)
    rebound([])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def values_that_a_channel_does_not_carry() -> None:
    names: scheduler.channel[str] = scheduler.channel()
    names.send(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    number: int = names.receive()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    scheduler.tasklet(names.send)(number)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    queue = scheduler.QueueChannel[int]()
    queue.send_sequence(["a"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def attributes_that_cannot_be_written() -> None:
    task = scheduler.tasklet(greet)
    task.alive = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    task.context = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    scheduler.channel().balance = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def things_that_are_no_callables() -> None:
    scheduler.tasklet(1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    scheduler.set_schedule_callback(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    scheduler.set_channel_callback(len)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def arguments_by_position_only() -> None:
    scheduler.channel().send(value=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scheduler.run_n_tasklets(n=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    scheduler.enable_softswitch(True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def types_that_cannot_be_instantiated() -> None:
    scheduler.schedule_manager()
    scheduler.getcurrent()  # type: ignore[unreachable]
