"""Two threads, each with a schedule manager of its own, and an object sent from one to the other.

Nothing here starts or stops a schedule manager: a thread gets its own when it first uses the
module.
"""

import functools
import threading
from collections.abc import Callable

import scheduler

PATIENCE = 5.0  # seconds that a tasklet waits for one of the other thread


def start_thread(name: str, main: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=main, name=name)
    thread.start()
    return thread


def two_queues() -> None:
    """Tasklets of two threads: each runs in its own thread, in turn with that thread's others."""

    def work(log: list[str], name: str, steps: int) -> None:
        for step in range(1, steps + 1):
            log.append(f"{name}: step {step} of {steps}")
            scheduler.schedule()  # let the others of this thread go on

    def thread_main(log: list[str], names: list[str]) -> None:
        tasklets = [scheduler.tasklet(work)(log, name, 3) for name in names]
        log.append(f"run count {scheduler.getruncount()}")
        while any(t.alive for t in tasklets):
            scheduler.run()
        log.append(f"run count {scheduler.getruncount()}")

    plans = {"kitchen": ["soup", "bread"], "garden": ["roses", "lawn", "hedge"]}
    logs: dict[str, list[str]] = {place: [] for place in plans}
    threads = [
        start_thread(place, functools.partial(thread_main, logs[place], names))
        for place, names in plans.items()
    ]
    for thread in threads:
        thread.join()

    # Which thread was faster is chance; what each of them did is not.
    for place, log in logs.items():
        print(f"Thread {place!r} and its own queue:")
        for line in log:
            print("   ", line)


def hello() -> None:
    """A tasklet of this thread receives what a tasklet of another thread sends."""
    channel = scheduler.channel[str]()

    def receiver() -> None:
        print("    main thread: a tasklet waits at the channel")
        message = channel.receive(timeout=PATIENCE)
        print(f"    main thread: received {message!r}")

    def sender() -> None:
        scheduler.tasklet(channel.send)("Hello from another thread!", timeout=PATIENCE)
        scheduler.run(threadblock=True)  # until it has been sent; waits for the other thread

    print("A channel between two threads:")
    scheduler.tasklet(receiver)()
    scheduler.run()  # until the tasklet waits
    thread = start_thread("sender", sender)
    scheduler.run(threadblock=True)  # the transfer makes it runnable here, in its own thread
    thread.join()
    print("    both threads are done")


if __name__ == "__main__":
    two_queues()
    hello()
