"""`flight_recorder`, `dump_flight`: what tasklets have done last, whenever somebody wants to know."""

from __future__ import annotations

import math
import signal as signals
from types import FrameType
from typing import Any

import _scheduler

from . import _recording
from ._files import RAW, Path, check_path, write
from ._recording import at_fork, check_bytes, make_file_header, prepare

DEFAULT_BYTES = 4 * 1024 * 1024
_LEAST_BYTES = 4096

_current: _Flight | None = None


class _Flight:
    """A flight recorder that is on."""

    def __init__(self, seconds: float, on_failure: str | None, signal: int | None) -> None:
        self.seconds = None if math.isinf(seconds) else seconds
        self.on_failure = on_failure
        self.signal = signal
        self.handler_before: Any = None
        self.has_failed = False
        self.header = make_file_header()

    def start(self, bytes_per_thread: int) -> None:
        _scheduler._trace_in_memory(bytes_per_thread)
        try:
            if self.signal is not None:
                self.handler_before = signals.signal(self.signal, self._dump_at_signal)
            if self.on_failure is not None:
                _scheduler._trace_on_failure(self._dump_failure)
        except BaseException:
            _scheduler._trace_stop()
            raise

    def stop(self) -> None:
        _scheduler._trace_stop()
        _scheduler._trace_on_failure(None)
        if self.signal is not None and signals.getsignal(self.signal) == self._dump_at_signal:
            signals.signal(self.signal, self.handler_before or signals.SIG_DFL)

    def dump(self, path: str) -> None:
        from . import _raw

        events = _scheduler._trace_copy()
        if events is None:
            raise RuntimeError("the flight recorder has just been ended")
        raw = self.header + events + _raw.make_end(*_scheduler._trace_clock())
        if path.endswith(RAW):
            with open(path, "wb") as file:
                file.write(raw)
        else:
            write(_raw.parse(raw), path, self.seconds)

    # The first failure tells most, and a program may fail often.
    def _dump_failure(self) -> None:
        if not self.has_failed and self.on_failure is not None:
            self.has_failed = True
            self.dump(self.on_failure)

    def _dump_at_signal(self, number: int, frame: FrameType | None) -> None:
        if self.on_failure is not None and _current is self:
            self.dump(self.on_failure)


def flight_recorder(
    seconds: float | None = 10,
    *,
    bytes_per_thread: int = DEFAULT_BYTES,
    on_failure: Path | None = None,
    signal: int | None = None,
) -> None:
    """Keep in memory what the tasklets of all threads have done last, for dump_flight() to write.

    As a trace (see start_trace()), but nothing is written, and the newest event takes the place of the
    oldest. So it may be left on. Of threads that have ended the last eight are kept.

    Parameters:
        seconds: how much of it is written, at most; math.inf for all there is. None ends the flight recorder,
            if one is on.
        bytes_per_thread: memory for each thread, in bytes, 4096 or more: 32 for an event, of which a yield
            makes two. It is rounded down to a power of two.
        on_failure: a file, as for dump_flight(), which is written when a thread is in a deadlock, and when
            the exception of a tasklet reaches its thread's main tasklet. It is written once, at the first
            of these, until flight_recorder() is called again.
        signal: the number of a signal that writes the same file each time it comes.

    Raises:
        TypeError: an argument is of another type.
        ValueError: `seconds` is negative or nan; `bytes_per_thread` is too small; the name of the file
            tells no format; `signal` comes without `on_failure`, is none, or is set by another thread than
            the main one.
        OSError: the file cannot be written.
        RuntimeError: there is a trace, or a flight recorder, already.

    Threads:
        As start_trace().

    Example:
        >>> import scheduler
        >>> scheduler.flight_recorder(seconds=5)
        >>> scheduler.trace_mark("frame 1")
        True
        >>> scheduler.flight_recorder(None)
    """
    global _current
    if seconds is None:
        _stop()
        return
    limit = _check_seconds(seconds)
    check_bytes("bytes_per_thread", bytes_per_thread, _LEAST_BYTES)
    path = None if on_failure is None else check_path(on_failure)
    if signal is not None and path is None:
        raise ValueError("signal= needs on_failure=, the file that the signal writes")
    with _recording.lock:
        prepare()
        flight = _Flight(limit, path, signal)
        flight.start(bytes_per_thread)
        _current = flight


def _check_seconds(seconds: float) -> float:
    if not isinstance(seconds, (int, float)):
        raise TypeError(f"seconds must be a number, or None to end it, not {type(seconds).__name__}")
    if math.isnan(seconds) or seconds < 0:
        raise ValueError("seconds must be 0 or more, or None to end the flight recorder")
    return float(seconds)


def _forget() -> None:
    global _current
    _current = None
    _scheduler._trace_on_failure(None)


at_fork.append(_forget)


def _stop() -> None:
    global _current
    with _recording.lock:
        flight, _current = _current, None
        if flight is not None:
            flight.stop()


def dump_flight(file: Path) -> None:
    """Write what the flight recorder has, which goes on.

    Parameters:
        file: as for start_trace(): the name tells the format.

    Raises:
        TypeError, ValueError: `file` is no path, or its name tells no format.
        OSError: it cannot be written there.
        RuntimeError: there is no flight recorder.

    Threads:
        Any thread, also in a signal handler. Of other threads, on free-threaded Python, what they overwrite
        meanwhile is left out.

    Example:
        >>> import os, scheduler, tempfile
        >>> scheduler.flight_recorder()
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     file = os.path.join(directory, "last.json")
        ...     scheduler.dump_flight(file)
        ...     os.path.getsize(file) > 0
        True
        >>> scheduler.flight_recorder(None)
    """
    path = check_path(file)
    flight = _current
    if flight is None:
        raise RuntimeError("there is no flight recorder: flight_recorder() starts one")
    flight.dump(path)
