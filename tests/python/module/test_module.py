"""The modules and their names, the types, the module functions (spec section 1)."""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import _scheduler
import scheduler
from support.exceptions import message, outcome
from support.scheduling import queued

FUNCTIONS = {
    "calculateruncount",
    "enable_softswitch",
    "get_active_tasklet_count",
    "get_all_time_tasklet_count",
    "get_channel_callback",
    "get_number_of_active_channels",
    "get_number_of_active_schedule_managers",
    "get_schedule_callback",
    "get_schedule_manager",
    "get_thread_info",
    "get_use_nested_tasklets",
    "getcurrent",
    "getmain",
    "getruncount",
    "run",
    "run_n_tasklets",
    "schedule",
    "schedule_remove",
    "set_channel_callback",
    "set_schedule_callback",
    "set_use_nested_tasklets",
    "switch_trap",
    "unblock_all_channels",
}
TYPES = {
    "tasklet": "Tasklet",
    "channel": "Channel",
    "schedule_manager": "ScheduleManager",
    "callable_wrapper": "CallableWrapper",
}
NAMES = FUNCTIONS | set(TYPES) | {"TaskletExit", "_C_API"}
PACKAGE_NAMES = {
    "QueueChannel", "TaskletGroup", "block_trap", "blocked_tasklets", "dump_flight",
    "dump_tasklets", "flight_recorder", "get_include", "start_trace", "stop_trace", "tasklets", "timeout",
    "trace", "monitor",
}  # fmt: skip


def public(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


# ------------------------------------------------------------------------------ modules and names


@pytest.mark.spec("M-01", "M-02", "DEC-7")
@pytest.mark.parametrize("name", sorted(NAMES))
def test_package_re_exports_the_extension(name: str) -> None:
    assert getattr(scheduler, name) is getattr(_scheduler, name)


@pytest.mark.spec("M-02", "D-61")
@pytest.mark.parametrize("name", ["current", "main", "get_current"])
def test_names_that_do_not_exist(name: str) -> None:
    assert not hasattr(scheduler, name)
    assert not hasattr(_scheduler, name)


@pytest.mark.spec("M-01", "M-02")
def test_functions_are_callable() -> None:
    assert [name for name in FUNCTIONS if not callable(getattr(scheduler, name))] == []


@pytest.mark.spec("M-01", "D-66")
def test_package_has_no_other_public_names() -> None:
    wanted = public(dir(_scheduler)) | PACKAGE_NAMES
    assert public(dir(scheduler)) == wanted | {"aio", "sync", "testing"}
    assert set(scheduler.__all__) >= wanted


@pytest.mark.spec("M-01", "D-66")
def test_package_keeps_its_own_module_attributes() -> None:
    assert scheduler.__name__ == "scheduler"
    assert scheduler.__package__ == "scheduler"
    assert scheduler.__spec__.name == "scheduler"
    assert scheduler.__spec__.loader is scheduler.__loader__
    assert scheduler.__file__.endswith("__init__.py")
    assert scheduler.__doc__ and scheduler.__doc__ != _scheduler.__doc__
    assert _scheduler.__name__ == "_scheduler"
    assert isinstance(scheduler.__version__, str)
    assert scheduler.__version__[0].isdigit()


@pytest.mark.spec("M-01")
def test_package_takes_the_extension_from_sys_modules(run_script: Callable) -> None:
    done = run_script(
        """
        import sys, types
        import _scheduler as real
        flavoured = types.ModuleType("_scheduler_debug")
        vars(flavoured).update(
            {name: value for name, value in vars(real).items() if not name.startswith("__")}
        )
        flavoured.flavour = "debug"
        sys.modules["_scheduler"] = flavoured
        import scheduler
        print(scheduler.flavour, scheduler.tasklet is real.tasklet)
        print(issubclass(scheduler.QueueChannel, real.channel))
        """
    )
    assert done.stdout == "debug True\nTrue\n"


def test_without_its_extension_the_package_says_what_is_missing(run_script: Callable) -> None:
    done = run_script(
        """
        import sys
        sys.modules["_scheduler"] = None         # any import of it fails
        try:
            import scheduler
        except ModuleNotFoundError as error:
            print(error.name, "install" in str(error), "3.11 to 3.15" in str(error))
        """
    )
    assert done.stdout == "_scheduler True True\n"


@pytest.mark.spec("M-01", "S-01")
def test_importing_creates_nothing(run_script: Callable) -> None:
    done = run_script(
        """
        import _scheduler
        print(_scheduler.get_number_of_active_schedule_managers(),
              _scheduler.get_active_tasklet_count(), _scheduler.get_all_time_tasklet_count(),
              _scheduler.get_number_of_active_channels(), _scheduler.get_use_nested_tasklets())
        import scheduler
        print(scheduler.get_number_of_active_schedule_managers())
        """
    )
    assert done.stdout == "0 0 0 0 True\n0\n"


@pytest.mark.spec("M-07", "M-12", "D-67")
def test_no_coroutine_library_is_needed(run_script: Callable) -> None:
    done = run_script(
        """
        import sys
        sys.modules["greenlet"] = None           # any import of it fails
        import scheduler
        scheduler.tasklet(print)("ran on", sys.implementation.name)
        scheduler.run()
        """
    )
    assert done.stdout == "ran on cpython\n"


@pytest.mark.spec("M-03", "K-01")
def test_capsule() -> None:
    capsule = scheduler._C_API
    assert type(capsule).__name__ == "PyCapsule"
    assert capsule is _scheduler._C_API
    is_valid = ctypes.pythonapi.PyCapsule_IsValid
    is_valid.argtypes = [ctypes.py_object, ctypes.c_char_p]
    assert is_valid(capsule, b"scheduler._C_API") == 1
    assert is_valid(capsule, b"scheduler.C_API") == 0


# ------------------------------------------------------------------------------------------ types


@pytest.mark.spec("M-04")
@pytest.mark.parametrize("name, type_name", TYPES.items())
def test_type_names(name: str, type_name: str) -> None:
    kind = getattr(scheduler, name)
    assert isinstance(kind, type)
    assert kind.__name__ == kind.__qualname__ == type_name
    assert kind.__module__ == "scheduler"
    assert repr(kind) == f"<class 'scheduler.{type_name}'>"


@pytest.mark.spec("M-04")
@pytest.mark.parametrize("make", [scheduler.tasklet, scheduler.channel])
def test_identity_equality_and_hash(make: Callable[[], Any]) -> None:
    one, other = make(), make()
    assert one == one
    assert one != other
    assert hash(one) == object.__hash__(one)
    assert len({one, other, one}) == 2
    with pytest.raises(TypeError):
        assert one < other


class TaskletSubclass(scheduler.tasklet):
    """A subclass that pickle could find by name."""


class ChannelSubclass(scheduler.channel):
    """A subclass that pickle could find by name."""


@pytest.mark.spec("M-04")
@pytest.mark.parametrize(
    "make", [scheduler.tasklet, scheduler.channel, TaskletSubclass, ChannelSubclass]
)
def test_instances_cannot_be_copied_or_pickled(make: Callable[[], Any]) -> None:
    thing = make()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(thing, protocol)
    with pytest.raises(TypeError):
        copy.copy(thing)
    with pytest.raises(TypeError):
        copy.deepcopy(thing)


@pytest.mark.spec("M-05")
@pytest.mark.parametrize("base", [scheduler.tasklet, scheduler.channel])
def test_only_subclasses_take_new_attributes(base: type) -> None:
    plain = base()
    with pytest.raises(AttributeError):
        plain.note = 1
    assert not hasattr(plain, "__dict__")
    sub = type("Sub", (base,), {})()
    sub.note = 1
    assert sub.note == 1
    assert sub.__dict__ == {"note": 1}


@pytest.mark.spec("M-05")
@pytest.mark.parametrize("make", [scheduler.tasklet, scheduler.channel, TaskletSubclass])
def test_weak_references(make: Callable[[], Any]) -> None:
    thing = make()
    calls = []
    reference = weakref.ref(thing, calls.append)
    assert reference() is thing
    del thing
    assert reference() is None
    assert calls == [reference]


@pytest.mark.spec("M-05")
def test_weak_dictionary_key_before_init() -> None:
    registry: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    class Tracked(scheduler.tasklet):
        def __new__(cls, *args: Any, **kwargs: Any) -> Tracked:
            self = super().__new__(cls, *args, **kwargs)
            registry[self] = "new"
            return self

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            assert registry[self] == "new"
            super().__init__(*args)
            registry[self] = "initialised"

    log: list[int] = []
    task = Tracked(log.append)
    assert isinstance(task, scheduler.tasklet)
    assert dict(registry) == {task: "initialised"}
    task(1)
    scheduler.run()
    assert log == [1]
    del task
    gc.collect()
    assert len(registry) == 0


@pytest.mark.spec("M-05")
def test_subclass_overrides_methods_and_adds_arguments() -> None:
    class Named(scheduler.tasklet):
        def __init__(self, name: str, function: Callable[..., Any]) -> None:
            super().__init__(function)
            self.name = name

        def insert(self) -> Any:
            log.append("inserting " + self.name)
            return super().insert()

    log: list[str] = []
    task = Named("digger", log.append)
    task.bind(args=("dug",))
    assert task.insert() is task
    scheduler.run()
    assert log == ["inserting digger", "dug"]


@pytest.mark.spec("M-06")
def test_tasklet_exit() -> None:
    kind = scheduler.TaskletExit
    assert kind.__bases__ == (SystemExit,)
    assert not issubclass(kind, Exception)
    assert kind.__module__ == "_scheduler"
    assert kind.__name__ == "TaskletExit"
    assert kind("why").args == ("why",)


@pytest.mark.spec("M-11", "D-14")
@pytest.mark.parametrize("name", ["callable_wrapper", "schedule_manager"])
@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(),
        lambda kind: kind(len),
        lambda kind: object.__new__(kind),
        lambda kind: type("Sub", (kind,), {})(),
    ],
    ids=["no argument", "callable", "object.__new__", "subclass"],
)
def test_implementation_types_are_not_for_users(name: str, make: Callable[[Any], Any]) -> None:
    managers = scheduler.get_number_of_active_schedule_managers()
    with pytest.raises(TypeError):
        make(getattr(scheduler, name))
    assert scheduler.get_number_of_active_schedule_managers() == managers


# -------------------------------------------------------------------------------------- functions

# name -> type of what it returns when called without arguments on an idle main tasklet
WITHOUT_ARGUMENTS = {
    "getcurrent": scheduler.tasklet,
    "getmain": scheduler.tasklet,
    "getruncount": int,
    "calculateruncount": int,
    "get_deadlock_timeout": float,
    "get_stack_size": int,
    "stack_stats": dict,
    "trim_stacks": int,
    "schedule": type(None),
    "schedule_remove": type(None),
    "get_schedule_callback": type(None),
    "get_schedule_manager": scheduler.schedule_manager,
    "get_use_nested_tasklets": bool,
    "unblock_all_channels": int,
    "get_number_of_active_schedule_managers": int,
    "get_number_of_active_channels": int,
    "get_all_time_tasklet_count": int,
    "get_active_tasklet_count": int,
}


@pytest.mark.spec("M-08")
@pytest.mark.parametrize("name, kind", WITHOUT_ARGUMENTS.items())
def test_functions_without_arguments(name: str, kind: type) -> None:
    function = getattr(scheduler, name)
    assert type(function()) is kind
    for args, kwargs in (((1,), {}), ((None,), {}), ((), {"n": 1})):
        with pytest.raises(TypeError):
            function(*args, **kwargs)


@pytest.mark.spec("M-08", "A-13", "18-2")
def test_functions_that_ignore_arguments() -> None:
    main = scheduler.getmain()
    for args in ((), (None,), (1, "two")):
        assert scheduler.get_thread_info(*args) == (main, main, 1)
        assert scheduler.get_channel_callback(*args) is None
    assert type(scheduler.get_thread_info()) is tuple


# (function, arguments that must be refused)
REFUSED = [
    ("run_n_tasklets", ((), ("1",), (1.0,), (None,), (1, 2))),
    ("set_stack_size", ((), ("1",), (1.0,), (None,), (1 << 20, 2))),
    ("switch_trap", ((), ("1",), (1.0,), (None,), (1, 2))),
    ("set_channel_callback", ((), (1,), ("f",), (len, len))),
    ("set_schedule_callback", ((), (1,), ("f",), (len, len))),
    ("set_use_nested_tasklets", ((), ("yes",), (None,), (1.0,), (1, 2))),
    ("enable_softswitch", ((), (None, None))),
]


@pytest.mark.spec("M-08", "D-36")
@pytest.mark.parametrize(
    "name, arguments",
    [(name, arguments) for name, rows in REFUSED for arguments in rows],
    ids=lambda value: value if isinstance(value, str) else repr(value),
)
def test_wrong_arguments_are_type_errors(name: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        getattr(scheduler, name)(*arguments)
    assert scheduler.switch_trap(0) == 0
    assert scheduler.get_channel_callback() is None
    assert scheduler.get_schedule_callback() is None
    assert scheduler.get_use_nested_tasklets() is True


@pytest.mark.spec("M-08")
@pytest.mark.parametrize(
    "name, keyword",
    [
        ("run_n_tasklets", {"n": 1}),
        ("switch_trap", {"delta": 0}),
        ("set_channel_callback", {"callback": None}),
        ("set_schedule_callback", {"callback": None}),
        ("set_use_nested_tasklets", {"flag": True}),
        ("enable_softswitch", {"flag": None}),
    ],
)
def test_parameters_are_positional_only(name: str, keyword: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        getattr(scheduler, name)(**keyword)


@pytest.mark.spec("M-08", "S-07")
def test_set_use_nested_tasklets_takes_small_ints_and_bools() -> None:
    for value in (False, 0):
        assert scheduler.set_use_nested_tasklets(value) is None
        assert scheduler.get_use_nested_tasklets() is False
    for value in (True, 1, 2, 255):
        scheduler.set_use_nested_tasklets(False)
        assert scheduler.set_use_nested_tasklets(value) is None
        assert scheduler.get_use_nested_tasklets() is True
    for value in (-1, 256, 2**40, -(2**70)):
        assert outcome(scheduler.set_use_nested_tasklets, value) in (OverflowError, ValueError)
        assert scheduler.get_use_nested_tasklets() is True


@pytest.mark.spec("M-08", "B-20", "D-36")
def test_switch_trap_returns_the_level_before() -> None:
    levels = [scheduler.switch_trap(delta) for delta in (1, 2, -1, -3, True, 0)]
    assert levels == [0, 1, 3, 2, -1, 0]
    assert all(type(level) is int for level in levels)
    assert scheduler.switch_trap(0) == 0
    assert outcome(scheduler.switch_trap, 2**70) is OverflowError
    assert scheduler.switch_trap(0) == 0


@pytest.mark.spec("M-08", "B-01", "B-02")
@pytest.mark.parametrize("which", ["channel", "schedule"])
def test_callback_setters_return_the_previous_one(which: str) -> None:
    setter = getattr(scheduler, f"set_{which}_callback")
    getter = getattr(scheduler, f"get_{which}_callback")

    def one(*args: Any) -> None:
        pass

    def two(*args: Any) -> None:
        pass

    assert setter(one) is None
    assert getter() is one
    assert setter(two) is one
    assert getter() is two
    assert "callable" in message(setter, 3)
    assert getter() is two
    assert setter(None) is two
    assert getter() is None
    assert setter(None) is None


@pytest.mark.spec("M-09", "D-61")
def test_enable_softswitch() -> None:
    assert scheduler.enable_softswitch(None) is False
    for value in (True, False, 0, 1, "on"):
        with pytest.raises(RuntimeError):
            scheduler.enable_softswitch(value)


@pytest.mark.spec("S-01", "N-05")
def test_schedule_manager_object() -> None:
    manager = scheduler.get_schedule_manager()
    assert manager is scheduler.get_schedule_manager()
    assert public(dir(manager)) == set()
    with pytest.raises(AttributeError):
        manager.note = 1
    del manager
    references = sys.getrefcount(scheduler.get_schedule_manager())
    assert references == 2


@pytest.mark.spec("S-05", "S-06", "A-13", "18-2", "18-6")
def test_accessors_inside_a_tasklet() -> None:
    def job() -> None:
        me = scheduler.getcurrent()
        seen.append(me)
        assert scheduler.getmain() is main
        assert scheduler.get_thread_info() == (main, me, 3)
        assert scheduler.getruncount() == scheduler.calculateruncount() == 3

    main = scheduler.getmain()
    seen: list[Any] = []
    task = queued(job)
    queued(len, "")
    assert scheduler.get_thread_info() == (main, main, 3)
    scheduler.run()
    assert seen == [task]
