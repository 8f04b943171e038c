"""Tasklets, channels and schedule managers: Stackless-style concurrency for stock Python.

    >>> import scheduler
    >>> def greet(channel):
    ...     print("hello,", channel.receive())
    >>> channel = scheduler.channel()
    >>> reader = scheduler.tasklet(greet)(channel)
    >>> writer = scheduler.tasklet(channel.send)("world")
    >>> scheduler.run()
    hello, world

Everything but QueueChannel, TaskletGroup, block_trap, blocked_tasklets, dump_tasklets, get_include, monitor,
tasklets, timeout, what makes traces, and the modules `aio`, `sync` and `testing` comes from the extension
module `_scheduler`.
"""

from os import environ as _environ

try:
    import _scheduler
except ModuleNotFoundError as error:
    if error.name != "_scheduler":
        raise
    raise ModuleNotFoundError(
        "the extension module '_scheduler' is not there for this interpreter: install the package "
        "with it, by `python -m pip install`; it has to be CPython 3.11 to 3.15",
        name="_scheduler",
    ) from None

# Whatever is registered under the name `_scheduler` is re-exported, private names included, but
# what describes the extension itself (its `__doc__`, `__spec__`, ...) stays there.
globals().update(
    (name, getattr(_scheduler, name))
    for name in dir(_scheduler)
    if not (name.startswith("__") and name.endswith("__"))
)

from ._debugging import blocked_tasklets, dump_tasklets, tasklets  # noqa: E402
from ._helpers import block_trap, get_include  # noqa: E402
from .groups import TaskletGroup  # noqa: E402
from .monitoring import _start_if_asked, monitor  # noqa: E402
from .queue_channel import QueueChannel  # noqa: E402
from .timeouts import timeout  # noqa: E402
from .tracing._flight import dump_flight, flight_recorder  # noqa: E402
from .tracing._recording import start_trace, stop_trace, trace  # noqa: E402

# Types print by names of their own, by which pickle and readers of messages find them as well.
globals().update(
    (kind.__qualname__, kind)
    for kind in list(globals().values())
    if isinstance(kind, type) and kind.__module__ == __name__
)

__all__ = sorted(
    {name for name in dir(_scheduler) if not name.startswith("_")}
    | {"QueueChannel", "TaskletGroup", "block_trap", "blocked_tasklets", "dump_tasklets"}
    | {"dump_flight", "flight_recorder", "get_include", "monitor", "start_trace", "stop_trace", "tasklets"}
    | {"timeout", "trace"}
)

del _scheduler

if "SCHEDULER_MONITOR" in _environ:
    _start_if_asked(_environ["SCHEDULER_MONITOR"])


def __getattr__(name: str) -> object:
    # Looked up when asked for: it takes longer to import than all the rest.
    if name in ("aio", "sync", "testing"):
        from importlib import import_module

        return import_module(f"scheduler.{name}")
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tasklets")
    except PackageNotFoundError:  # copied into an application, without its metadata
        return "0+unknown"


def __dir__() -> list[str]:
    # Without the other submodules: they are where things are defined, not names to use.
    special = {name for name in globals() if name.startswith("__") and name.endswith("__")}
    extra = {"__version__", "_C_API", "aio", "sync", "testing"}
    return sorted(special - {"__getattr__", "__dir__"} | extra | set(__all__))
