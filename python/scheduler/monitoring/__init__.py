"""`monitor`: let `python -m scheduler top` look at this program while it runs."""

from __future__ import annotations


def monitor(name: str | None = None) -> None:
    """Let this user's `python -m scheduler top` look at the tasklets of this program while it runs.

    A thread of its own waits for readers at a Unix socket in a directory that only this user may enter,
    `$XDG_RUNTIME_DIR/scheduler`, or else one below the directory for temporary files. There is no other way
    to it, none by the network, and a reader can change nothing: what it sends is not read. Without readers
    the thread sleeps. With readers it looks at the tasklets some times a second, and tells all readers once
    a second; after each look it leaves the program alone for a hundred times as long as the look took.

    The environment variable SCHEDULER_MONITOR asks for the same when the package is imported: "1", or a
    name; empty or "0" asks for nothing.

    Parameters:
        name: what to call the program: letters, digits, "_", "-" and ".", not digits alone, 40 at most.
            None: the name of its file. Several programs may have the same name.

    Raises:
        TypeError, ValueError: it is no such name.
        RuntimeError: the program is monitored under another name already; the directory for sockets is open
            to others, or its path too long; no thread can be had, as in some sub-interpreters.
        OSError: the directory or the socket cannot be made.

    Threads:
        Any thread, any number of times. The monitor's thread is a Python thread: with it, a main tasklet that
        nobody can serve gets "Deadlock" after get_deadlock_timeout() seconds, not at once, and
        run(threadblock=True) waits for other threads without end. In the child of a fork nothing is
        monitored until it asks for it.

    Example:
        >>> import scheduler
        >>> scheduler.monitor("2 words")
        Traceback (most recent call last):
        ValueError: '2 words' is no name for a program: letters, digits, '_', '-' and '.', not only digits
    """
    from ._server import start

    start(name)


def _start_if_asked(wish: str) -> None:
    """What SCHEDULER_MONITOR says. A program is not to fail because nobody can look at it."""
    if wish in ("", "0"):
        return
    try:
        monitor(None if wish == "1" else wish)
    except (ValueError, RuntimeError, OSError) as error:
        import warnings

        warnings.warn(
            f"SCHEDULER_MONITOR={wish}: this program is not monitored: {error}", RuntimeWarning, stacklevel=3
        )
