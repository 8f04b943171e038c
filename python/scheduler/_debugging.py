"""`tasklets`, `blocked_tasklets`, `dump_tasklets`: who is there, who waits for what, and where.

No code of the program runs while the text is made: descriptions and frames are read by the
extension's own functions, whatever a subclass overrides. So nothing can switch or wait.
"""

import os
import sys
import traceback

# Not from threading: whoever imports that on a thread other than its interpreter's main one may wait for
# ever when the interpreter is destroyed.
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, Protocol

from _scheduler import _live_tasklets, _tasklets, tasklet


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


# With the GIL the stacks of other threads stand still while this one looks at them. Without it not
# even the frames that sys._current_frames() gives may be followed: their thread goes on, and the memory
# of a frame is another one's by then.
_SEES_FRAMES_OF_OTHERS = "t" not in getattr(sys, "abiflags", "")

_get_frame = vars(tasklet)["frame"].__get__
_get_name = vars(tasklet)["name"].__get__
_get_thread_id = vars(tasklet)["thread_id"].__get__
_is_current = vars(tasklet)["is_current"].__get__
_is_blocked = vars(tasklet)["blocked"].__get__
_is_main = vars(tasklet)["is_main"].__get__


def tasklets(every_thread: bool = False) -> list[tasklet]:
    """The tasklets of this thread that are alive: running, queued, paused, or waiting.

    The main tasklet is not among them.

    Parameters:
        every_thread: those of all threads instead.

    Returns:
        A list: the calling thread's first, of each thread those that were set up earliest first. Of
        other threads it may be out of date at once.

    Threads:
        Any thread. It makes no schedule manager.

    Example:
        >>> import scheduler
        >>> tasks = [scheduler.tasklet(print)(word) for word in ("hello", "world")]
        >>> scheduler.tasklets() == tasks
        True
        >>> scheduler.run()
        hello
        world
        >>> scheduler.tasklets()
        []
    """
    here = get_ident()
    return [
        task
        for task in _tasklets()
        if not _is_main(task) and (every_thread or _get_thread_id(task) == here)
    ]


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
    return [task for task in tasklets() if _is_blocked(task)]


def dump_tasklets(
    file: _Writable | int | None = None,
    *,
    filter: Callable[[tasklet], object] | None = None,
    group: bool = False,
) -> None:
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

    Of thousands, `group=True` makes a page.

    Parameters:
        filter: called with each tasklet, before anything is written; those are left out for which
            what it returns is false. It runs where this is called: in a signal handler it should
            look at attributes and no more.
        group: tasklets of a thread that stand at the same place, in the same state, are described
            together: how many, the first of them, and some names.
        file: an object with write(str), called once; or a file descriptor, which a signal
            handler should prefer, for it may have interrupted a write to the same file object;
            None means sys.stderr.

    Raises:
        TypeError: `file` is something else.
        RuntimeError: `file` and sys.stderr are None.
        Exception: what writing, or `filter`, raises.

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
    if filter is not None and not callable(filter):
        raise TypeError(f"filter must be callable or None, not {type(filter).__name__}")
    entries = _live_tasklets()
    nobody = "No thread has tasklets.\n"
    if filter is not None and entries:
        entries = [entry for entry in entries if filter(entry[0])]
        nobody = "No tasklet passes the filter.\n"
    describe = _describe_groups if group else _describe_each
    text = "".join(_describe_all(entries, sys._getframe(1), describe)) or nobody
    if isinstance(target, int):
        _write_all(target, text.encode(errors="backslashreplace"))
    else:
        target.write(text)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


_Entry = tuple[tasklet, str | None]
_Stack = Callable[[tasklet], FrameType | None]


def _describe_all(
    entries: Iterable[_Entry],
    caller: FrameType,
    describe: Callable[[list[_Entry], _Stack | None], Iterator[str]],
) -> Iterator[str]:
    threads: dict[int, list[_Entry]] = {}
    for entry in entries:
        threads.setdefault(_get_thread_id(entry[0]), []).append(entry)
    threads.pop(-1, None)  # their thread has ended meanwhile
    here = get_ident()

    def stack(task: tasklet) -> FrameType | None:
        return caller if _is_current(task) else _get_frame(task)

    for thread, of_thread in threads.items():
        yield from _describe_thread(thread, thread == here)
        sees_frames = thread == here or _SEES_FRAMES_OF_OTHERS
        yield from describe(of_thread, stack if sees_frames else None)


def _describe_each(entries: list[_Entry], stack: _Stack | None) -> Iterator[str]:
    for task, wait in entries:
        yield f"  {tasklet.__repr__(task)}\n"
        if wait is not None:
            yield f"    {wait}\n"
        if stack is not None:
            yield from _describe_frames(stack(task))


_MOST_NAMES = 5


def _describe_groups(entries: list[_Entry], stack: _Stack | None) -> Iterator[str]:
    groups: dict[object, list[_Entry]] = {}
    for task, wait in entries:
        place = () if stack is None else tuple(_lines(stack(task)))
        groups.setdefault((_state(task), _verb(wait), place), []).append((task, wait))
    for of_group in sorted(groups.values(), key=len, reverse=True):
        if len(of_group) > 1:
            names = dict.fromkeys(_get_name(task) for task, _ in of_group)
            some = ", ".join(map(repr, list(names)[:_MOST_NAMES]))
            more = ", ..." if len(names) > _MOST_NAMES else ""
            yield f"  {len(of_group)} tasklets alike ({some}{more}), the first of them:\n"
        yield from _describe_each(of_group[:1], stack)


# "<scheduler.Tasklet 'a name' blocked thread=1 at 0x1>": the name may be anything.
def _state(task: tasklet) -> str:
    return tasklet.__repr__(task).rpartition(" thread=")[0].rpartition(" ")[2]


# What it does, without for what and how long: "receives on", "sleeps".
def _verb(wait: str | None) -> str:
    return "" if wait is None else wait.partition(" <")[0].partition(",")[0]


# Where it stands, to be compared with where others do.
def _lines(frame: FrameType | None) -> Iterator[tuple[int, int | None]]:
    while frame is not None:
        yield id(frame.f_code), frame.f_lineno
        frame = frame.f_back


def _find_thread(ident: int) -> Any:
    """The one that `threading` knows, or None."""
    # Not threading.enumerate(): that takes a lock, which the code below a signal handler may hold.
    return getattr(sys.modules.get("threading"), "_active", {}).get(ident)


def _describe_thread(ident: int, is_here: bool) -> Iterator[str]:
    thread = _find_thread(ident)
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
