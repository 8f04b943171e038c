"""Promises of the design that the sources and the installed files can be asked about."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import _scheduler
import scheduler
from support.compilers import cxx_compiler
from support.places import ROOT

SOURCES = sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in (".h", ".cpp"))
CORE = [path for path in SOURCES if path.is_relative_to(ROOT / "src" / "core")]
BINDING = [path for path in SOURCES if path.is_relative_to(ROOT / "src" / "binding")]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def names(paths):
    """Paths relative to the repository, for messages."""
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def files_with(pattern, paths=SOURCES):
    """The files whose code, comments aside, matches."""
    expression = re.compile(pattern)
    return names(path for path in paths if expression.search(COMMENT.sub("", path.read_text())))


@pytest.mark.spec("M-07", "D-67")
def test_the_sources_are_there():
    assert len(CORE) > 8
    assert len(BINDING) > 8


@pytest.mark.spec("DEC-4")
def test_the_core_knows_nothing_of_python():
    assert files_with(r"Python\.h|\bPy[A-Z_]\w*|\b_Py\w+", CORE) == []
    for path in CORE:
        for own, system in INCLUDE.findall(path.read_text()):
            assert not system.endswith("Python.h"), path
            if own:
                assert (ROOT / "src" / own).is_relative_to(ROOT / "src" / "core") or (
                    path.parent / own
                ).exists(), f"{path} includes {own}"
                assert "binding" not in own, path


@pytest.mark.spec("D-67")
def test_boost_is_named_in_one_file():
    assert files_with(r"(?i)boost") == ["src/core/jump.h"]


@pytest.mark.spec("D-64")
def test_the_python_version_is_asked_in_one_directory():
    asking = files_with(r"\bPY_(VERSION_HEX|MAJOR_VERSION|MINOR_VERSION|MICRO_VERSION)\b")
    assert asking
    assert [name for name in asking if not name.startswith("src/binding/interp/")] == []


@pytest.mark.spec("D-64")
def test_the_interpreters_internals_are_known_in_one_directory():
    knowing = files_with(r"Py_BUILD_CORE|\binternal/pycore_", BINDING)
    assert knowing
    assert [name for name in knowing if not name.startswith("src/binding/interp/")] == []


@pytest.mark.spec("D-64")
def test_versions_that_are_not_known_are_refused_in_a_sentence(tmp_path):
    """By the compiler, and the bounds of the metadata are the same."""

    def refused(minor, rest):
        (tmp_path / "Python.h").write_text(f"#define PY_VERSION_HEX 0x03{minor:02x}{rest}\n")
        header = ROOT / "src" / "binding" / "interp" / "thread_fields.h"
        command = [*cxx_compiler(), "-E", "-x", "c++", f"-I{tmp_path}", str(header)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return re.findall(r'error: .*"(.*CPython.*\.)"', done.stderr)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"])
    first, unknown = map(int, bounds.groups())
    assert refused(first - 1, "fff0")[0].startswith("scheduler needs CPython 3.11")
    assert refused(unknown, "00a1") == [
        f"This release of scheduler knows CPython up to 3.{unknown - 1}: a newer release is needed "
        "for this one."
    ]
    assert "pre-releases" in refused(unknown - 1, "00c0")[0]
    assert f"NOT Python_VERSION VERSION_LESS 3.{unknown})" in (ROOT / "CMakeLists.txt").read_text()
    for minor in range(first, unknown):
        assert refused(minor, "00f0") == refused(minor, "fff0") == []


@pytest.mark.spec("D-64")
def test_no_static_types_and_no_global_references():
    assert files_with(r"\bPyTypeObject\s+\w+\s*=\s*\{", BINDING) == []
    assert files_with(r"^\s*static\s+PyObject\s*\*\s*\w+\s*(=|;)", BINDING) == []
    assert files_with(r"\bPyModule_Create\b", BINDING) == []  # multi-phase initialisation only
    for kind in (scheduler.tasklet, scheduler.channel, scheduler.schedule_manager):
        assert kind.__flags__ & (1 << 9), f"{kind} is no heap type"


@pytest.mark.spec("G-06", "D-52")
def test_every_type_takes_part_in_garbage_collection():
    for kind in (scheduler.tasklet, scheduler.channel, scheduler.schedule_manager):
        assert kind.__flags__ & (1 << 14), f"{kind} has no traverse"


# ---- the installed extension ---------------------------------------------------------------------


def tool_output(*command):
    """What a tool of the compiler tool chain prints."""
    assert shutil.which(command[0]), f"{command[0]} is needed (Debian: apt-get install binutils)"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.spec("D-67")
def test_the_extension_needs_no_boost_at_run_time():
    library = _scheduler.__file__
    if sys.platform == "darwin":
        needed = tool_output("otool", "-L", library)
    else:
        needed = tool_output("readelf", "-d", library)
        assert "Dynamic section" in needed
        undefined = tool_output("nm", "-D", "--undefined-only", library)
        assert "PyModuleDef_Init" in undefined
        assert "fcontext" not in undefined
    assert "boost" not in needed.lower()


@pytest.mark.spec("M-01")
def test_the_extension_shows_one_symbol():
    if sys.platform == "darwin":
        defined = tool_output("nm", "-gU", _scheduler.__file__)
    else:
        defined = tool_output("nm", "-D", "--defined-only", _scheduler.__file__)
    shown = [line.split()[-1].lstrip("_") for line in defined.splitlines() if " T " in line]
    assert shown == ["PyInit__scheduler".lstrip("_")]


# ---- stubs ---------------------------------------------------------------------------------------


def package_file(name):
    """A file that belongs to the installed package."""
    path = Path(scheduler.__file__).parent / name
    assert path.is_file(), f"{path} is missing"
    return path


def members(body):
    """Names that a stub defines at one level."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.Assign):
            found.update((target.id, node) for target in node.targets)
        elif isinstance(node, ast.ImportFrom):
            found.update((alias.asname, node) for alias in node.names if alias.asname)
    return found


def public(name):
    """Neither private nor special."""
    return not name.startswith("_")


STUB = members(ast.parse(package_file("__init__.pyi").read_text()).body)
CLASSES = ["tasklet", "channel", "buffered", "QueueChannel", "TaskletGroup"]
SPECIAL = {
    "tasklet": {"__init__", "__call__"},
    "channel": {"__init__", "__iter__", "__next__", "__aiter__", "__enter__", "__exit__"},
    "buffered": {"__init__", "__len__"},
    "QueueChannel": {"__init__", "__len__"},
    "TaskletGroup": {"__init__", "__enter__", "__exit__"},
}


@pytest.mark.spec("M-02", "M-08")
def test_the_package_is_marked_as_typed():
    assert package_file("py.typed").read_text() == ""


@pytest.mark.spec("M-02", "M-08")
def test_the_stub_has_every_public_name_and_no_other():
    names_there = {name for name in dir(scheduler) if public(name)}
    stubbed = {name for name in STUB if public(name)}
    imported = {"deque", "AsyncIterator", "Callable", "Iterable", "AbstractContextManager", "Context"}
    printed = {"CallableWrapper", "Channel", "ScheduleManager", "SendCase", "Tasklet"}
    assert stubbed - imported - printed == names_there
    assert {"_C_API", "__version__"} <= set(STUB)
    listed = next(node.value for name, node in STUB.items() if name == "__all__")
    modules = {"aio", "sync", "testing"}
    assert set(ast.literal_eval(listed)) == names_there - modules == set(scheduler.__all__)


@pytest.mark.spec("M-02", "M-01")
def test_the_extension_has_a_stub_of_its_own():
    package = Path(scheduler.__file__).parent
    places = [
        package.parent / "_scheduler.pyi",
        Path(_scheduler.__file__).parent / "_scheduler.pyi",
    ]
    stub = next(path for path in places if path.is_file())
    stubbed = set(members(ast.parse(stub.read_text()).body))
    there = {name for name in dir(_scheduler) if public(name)}
    private = {name for name in stubbed if name.startswith("_")}
    assert stubbed == there | private
    assert private <= set(dir(_scheduler))


@pytest.mark.spec("M-08", "A-12", "C-05", "Q-01")
@pytest.mark.parametrize("name", CLASSES)
def test_the_stub_has_every_method_and_attribute_and_no_other(name):
    kind = getattr(scheduler, name)
    stubbed = set(members(STUB[name].body))
    bases = [getattr(base, "value", base).id for base in STUB[name].bases]  # channel[T]: channel
    inherited = {
        member for base in bases if base != "Generic" for member in members(STUB[base].body)
    }
    there = {member for member in dir(kind) if public(member)}
    assert {member for member in stubbed | inherited if public(member)} == there
    assert SPECIAL[name] <= stubbed


@pytest.mark.spec("A-12", "A-01", "C-03")
@pytest.mark.parametrize("name", ["tasklet", "channel"])
def test_the_stub_knows_which_attributes_can_be_written(name):
    instance = getattr(scheduler, name)()
    for member, node in members(STUB[name].body).items():
        if not public(member) or callable(getattr(type(instance), member, None)):
            continue
        if isinstance(node, ast.AnnAssign):
            setattr(instance, member, getattr(instance, member))
        else:
            with pytest.raises(AttributeError):
                setattr(instance, member, None)


@pytest.mark.spec("M-08")
def test_every_public_thing_has_a_docstring():
    lacking = [name for name in scheduler.__all__ if not getattr(scheduler, name).__doc__]
    for name in CLASSES:
        kind = getattr(scheduler, name)
        lacking += [
            f"{name}.{member}"
            for member in dir(kind)
            if public(member) and not getattr(kind, member).__doc__
        ]
    assert lacking == []


@pytest.mark.spec("M-08", "M-03")
def test_the_headers_are_shipped():
    headers = sorted(path.name for path in (ROOT / "include").iterdir())
    assert headers == [
        "Scheduler.h", "SchedulerCpp.hpp", "SchedulerPython.hpp", "SchedulerValues.hpp",
    ]  # fmt: skip
    for name in headers:
        shipped = Path(scheduler.get_include(), name)
        assert shipped.read_text() == (ROOT / "include" / name).read_text()
