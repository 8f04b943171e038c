"""`dump_tasklets`, `blocked_tasklets`: who is there, who waits for what, and where.

No code of the program runs while the text is made: descriptions and frames are read by the
extension's own functions, whatever a subclass overrides. So nothing can switch or wait.
"""

import os
import sys
import traceback

# Not from threading: whoever imports that on a thread other than its interpreter's main one may wait for
# ever when the interpreter is destroyed.
from _thread import get_ident
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from _scheduler import _live_tasklets, tasklet


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


# With the GIL the stacks of other threads stand still while this one looks at them. Without it not
# even the frames that sys._current_frames() gives may be followed: their thread goes on, and the memory
# of a frame is another one's by then.
_SEES_FRAMES_OF_OTHERS = "t" not in getattr(sys, "abiflags", "")

_get_frame = vars(tasklet)["frame"].__get__
_get_thread_id = vars(tasklet)["thread_id"].__get__
_is_current = vars(tasklet)["is_current"].__get__
_is_blocked = vars(tasklet)["blocked"].__get__
_is_main = vars(tasklet)["is_main"].__get__


def blocked_tasklets() -> list[tasklet]:
    """The tasklets of this thread that wait: on a channel, for the end of another one, or for a time.

    run() returns when nobody is runnable, whether all have ended or some wait for what has not come.
    This tells which. The main tasklet is not among them, nor is one that is paused.

    Returns:
        A list, in no particular order.

    Threads:
        Those of the calling thread.

    Example:
        >>> import scheduler
        >>> channel = scheduler.channel()
        >>> task = scheduler.tasklet(channel.receive)()
        >>> scheduler.run()
        >>> scheduler.blocked_tasklets() == [task]
        True
        >>> channel.send("at last")
        >>> scheduler.blocked_tasklets()
        []
    """
    here = get_ident()
    return [
        task
        for task, _ in _live_tasklets()
        if _get_thread_id(task) == here and _is_blocked(task) and not _is_main(task)
    ]


def dump_tasklets(file: _Writable | int | None = None) -> None:
    """Write what every tasklet of every thread is doing, for somebody who debugs.

    For each thread that has used tasklets, the caller's first: its main tasklet and all that
    are alive, with name, state, the channel on which they wait (or the tasklet that they join),
    and their traceback. On free-threaded Python the tasklets of other threads come without
    traceback: call it on each thread.

    It never switches, waits for nobody and makes no schedule manager, so that it can be called
    anywhere, from a signal handler too:

        signal.signal(signal.SIGUSR1, lambda *_: scheduler.dump_tasklets(2))

    and from a debugger that can call functions of the process, in gdb for instance:

        print $state = (int)PyGILState_Ensure()
        print (int)PyRun_SimpleString("import scheduler; scheduler.dump_tasklets(2)")
        call (void)PyGILState_Release($state)

    Parameters:
        file: an object with write(str), called once; or a file descriptor, which a signal
            handler should prefer, for it may have interrupted a write to the same file object;
            None means sys.stderr.

    Raises:
        TypeError: `file` is something else.
        RuntimeError: `file` and sys.stderr are None.
        Exception: what writing raises.

    Example:
        >>> import io, scheduler
        >>> channel = scheduler.channel()
        >>> task = scheduler.tasklet(channel.receive)()
        >>> scheduler.run()
        >>> text = io.StringIO()
        >>> scheduler.dump_tasklets(text)
        >>> "'receive' blocked" in text.getvalue()
        True
        >>> task.kill()
    """
    if file is None and sys.stderr is None:
        raise RuntimeError("sys.stderr is None: pass a file, or a file descriptor")
    target = sys.stderr if file is None else file
    is_descriptor = isinstance(target, int) and not isinstance(target, bool)
    if not is_descriptor and not hasattr(target, "write"):
        raise TypeError(
            "file must have a write() method, or be a file descriptor or None, not "
            + type(target).__name__
        )
    text = "".join(_describe_all(sys._getframe(1)))
    if isinstance(target, int):
        _write_all(target, text.encode(errors="backslashreplace"))
    else:
        target.write(text)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _describe_all(caller: FrameType) -> Iterator[str]:
    here = get_ident()
    thread: int | None = None
    entries = _live_tasklets()
    if not entries:
        yield "No thread has tasklets.\n"
    for task, wait in entries:
        owner = _get_thread_id(task)
        if owner == -1:  # its thread has ended meanwhile
            continue
        if thread != owner:
            thread = owner
            yield from _describe_thread(thread, thread == here)
        yield f"  {tasklet.__repr__(task)}\n"
        if wait is not None:
            yield f"    {wait}\n"
        if _is_current(task):
            yield from _describe_frames(caller)
        elif thread == here or _SEES_FRAMES_OF_OTHERS:
            yield from _describe_frames(_get_frame(task))


def _describe_thread(ident: int, is_here: bool) -> Iterator[str]:
    # Not threading.enumerate(): that takes a lock, which the code below a signal handler may hold.
    thread = getattr(sys.modules.get("threading"), "_active", {}).get(ident)
    name = "" if thread is None else f" {vars(thread).get('_name')!r}"
    yield f"Thread {ident}{name}{', the calling one' if is_here else ''}:\n"
    if not is_here and not _SEES_FRAMES_OF_OTHERS:
        yield "  (free-threaded Python: its frames cannot be read from another thread)\n"


def _describe_frames(frame: FrameType | None) -> Iterator[str]:
    if frame is None:
        yield "    (no Python frames)\n"
        return
    try:
        stack = traceback.format_stack(frame)
    except Exception as error:  # a source file that cannot be read, memory
        yield f"    (no traceback: {type(error).__name__})\n"
        return
    for entry in stack:
        yield "".join(f"  {line}\n" for line in entry.splitlines())
