"""`trace`, `start_trace`, `stop_trace`: what tasklets do, recorded to a file."""

from __future__ import annotations

import atexit
import os
import sys

# Not of threading: whoever imports that on a thread other than its interpreter's main one may wait for
# ever when the interpreter is destroyed.
from _thread import RLock
from collections.abc import Callable
from types import TracebackType
from typing import Self

import _scheduler

from ._files import RAW, Path, check_path, write

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
# Two buffers of a thread.
_LEAST_BYTES = 128 * 1024

# Starts and stops come one after the other; a signal handler may come in between.
lock = RLock()
_current: _Recording | None = None
_is_prepared = False


class _Recording:
    """A trace that goes on: where it is to be written, and its raw file, which is beside it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.raw_path = path if path.endswith(RAW) else path + RAW

    def start(self, max_bytes: int) -> None:
        with open(self.raw_path, "wb") as file:
            file.write(make_file_header())
        try:
            descriptor = os.open(self.raw_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            _scheduler._trace_to_file(descriptor, max_bytes)
        except BaseException:
            os.unlink(self.raw_path)
            raise

    def finish(self, error: int) -> None:
        from . import _raw

        with open(self.raw_path, "ab") as file:
            file.write(_raw.make_end(*_scheduler._trace_clock()))
        if self.path != self.raw_path:
            with open(self.raw_path, "rb") as file:
                raw = file.read()
            write(_raw.parse(raw), self.path)
            os.unlink(self.raw_path)
        if error:
            reason = f"{os.strerror(error)}: the trace lacks what came after that"
            raise OSError(error, reason, self.raw_path)


def make_file_header() -> bytes:
    from . import _raw

    return _raw.make_header(program_name(), *_scheduler._trace_clock())


def program_name() -> str:
    argv = getattr(sys, "argv", None) or [""]
    return os.path.basename(str(argv[0])) or "python"


def prepare() -> None:
    """Once: what has to be done at the end of the program, and in a child of fork()."""
    global _is_prepared
    if not _is_prepared:
        _is_prepared = True
        atexit.register(_stop_at_exit)
        os.register_at_fork(after_in_child=_forget)


# Called in the child, too.
at_fork: list[Callable[[], None]] = []


def _forget() -> None:
    global _current, lock
    lock = RLock()
    _current = None
    _scheduler._trace_forget()
    for forget in at_fork:
        forget()


def _stop_at_exit() -> None:
    if _current is not None:
        stop_trace()


def check_bytes(name: str, value: int, least: int) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")


def start_trace(file: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
    """Record what the tasklets of all threads do from now on, until stop_trace() writes it to a file.

    Recorded are the turns of tasklets and why each ended, who made whom runnable, transfers, waits,
    time-outs, run loops and marks (see trace_mark()). Each takes some 20 ns, more than that for the
    creation of a tasklet, and 32 bytes; while nobody traces it costs nothing.

    The events go to a raw file beside the one that is asked for, its name with ".raw" behind, whenever a
    thread has 2048 of them. A program that crashes leaves that file behind, with all but the last events:
    `python -m scheduler trace --convert run.json.raw run.json` makes a trace of it.

    Parameters:
        file: where to write to, a str or os.PathLike. The name tells the format: ".json" is that of Chrome's
            tracing, which ui.perfetto.dev opens; ".html" a page for any browser, which needs no network;
            ".raw" stays as it was recorded, to be converted later; ".gz" behind the first two packs them.
        max_bytes: how large the raw file may become, 131072 or more. What comes later is lost, and the trace
            says how much that is. In memory 64 KiB are needed for each thread.

    Raises:
        TypeError: `file` is no path, or `max_bytes` no int.
        ValueError: the name of the file tells no format; `max_bytes` is too small.
        OSError: it cannot be written there.
        RuntimeError: there is a trace already, or a flight recorder.

    Threads:
        Any thread. Of other threads everything is recorded at once; on free-threaded Python from their next
        schedule(), run(), or wait on. In a child of fork() the trace is not continued. Other interpreters
        of the process are not in it.

    Example:
        >>> import os, scheduler, tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = os.path.join(directory, "run.json")
        ...     scheduler.start_trace(file)
        ...     task = scheduler.tasklet(scheduler.schedule)()
        ...     scheduler.run()
        ...     scheduler.stop_trace()
        ...     os.path.getsize(file) > 0
        True
    """
    global _current
    path = check_path(file)
    check_bytes("max_bytes", max_bytes, _LEAST_BYTES)
    with lock:
        if _current is not None:
            raise RuntimeError(
                f"a trace to {_current.path!r} is on already: stop_trace() ends it, and writes it"
            )
        prepare()
        recording = _Recording(path)
        recording.start(max_bytes)
        _current = recording


def stop_trace() -> None:
    """End the trace that start_trace() began, and write its file.

    That takes some microseconds for each event. A trace that goes on when the program ends is stopped then.

    Raises:
        RuntimeError: there is no trace.
        OSError: the file cannot be written; what has been recorded is left in the raw file beside it, unless
            that could not be written.

    Threads:
        Any thread. Of other threads all is in it that they have done before; on free-threaded Python what
        they do at the same time may be missing.

    Example:
        >>> import scheduler
        >>> scheduler.stop_trace()
        Traceback (most recent call last):
        RuntimeError: there is no trace to be stopped: start_trace() begins one
    """
    global _current
    with lock:
        recording, _current = _current, None
        if recording is None:
            raise RuntimeError("there is no trace to be stopped: start_trace() begins one")
        error = _scheduler._trace_stop()
    recording.finish(error or 0)


class trace:
    """`with scheduler.trace("run.json"):` records what tasklets do in the block, and writes it to the file.

    As start_trace() at the beginning and stop_trace() at the end, whether the block fails or not.

    Parameters:
        file, max_bytes: as for start_trace().

    Raises:
        TypeError, ValueError: the arguments are none.
        RuntimeError, OSError: by the `with` statement, as for start_trace() and stop_trace().

    Threads:
        As start_trace() and stop_trace(). One object serves any number of blocks, one after the other.

    Example:
        >>> import os, scheduler, tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = os.path.join(directory, "run.json.gz")
        ...     with scheduler.trace(file):
        ...         task = scheduler.tasklet(scheduler.schedule)()
        ...         scheduler.run()
        ...     os.path.getsize(file) > 0
        True
    """

    __module__ = "scheduler"

    def __init__(self, file: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._file = file
        self._max_bytes = max_bytes

    def __enter__(self) -> Self:
        start_trace(self._file, max_bytes=self._max_bytes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        stop_trace()
