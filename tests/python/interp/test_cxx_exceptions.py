"""C++ exceptions of extensions whose handlers run Python code that switches tasklets (S-08)."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sysconfig

import pytest

import scheduler
from support.compilers import cxx_compiler
from support.places import NATIVE
from support.scheduling import queued

SOURCE = NATIVE / "cxx_catch.cpp"


@pytest.fixture(scope="session")
def cxx_catch(tmp_path_factory):
    """The test extension, compiled for this interpreter."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    library = tmp_path_factory.mktemp("cxx_catch") / f"cxx_catch{suffix}"
    include = sysconfig.get_paths()["include"]
    command = [*cxx_compiler(), "-std=c++17", "-O1", "-shared", "-fPIC", f"-I{include}"]
    command += [str(SOURCE), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    spec = importlib.util.spec_from_file_location("cxx_catch", library)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.spec("S-08", "DEC-4")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("function", ["rethrow_after", "in_destructor"])
def test_two_tasklets_inside_a_catch_each_get_their_own_exception(drain, cxx_catch, function):
    results = {}

    def body(name, switches):
        def pause():
            for _ in range(switches):
                scheduler.schedule()

        results[name] = getattr(cxx_catch, function)(name, pause)

    for name, switches in (("first", 1), ("second", 2), ("third", 1), ("fourth", 0)):
        queued(body, name, switches)
    drain()
    expected = {name: name for name in ("first", "second", "third", "fourth")}
    if function == "in_destructor":
        expected = {name: (name, 1) for name in expected}
    assert results == expected


@pytest.mark.spec("S-08", "DEC-4")
@pytest.mark.usefixtures("mode")
def test_several_exceptions_handled_at_once_by_each_tasklet(drain, cxx_catch):
    results = []

    def body(number):
        def pause():
            scheduler.schedule()
            inner = cxx_catch.nested(f"b{number}", f"c{number}", scheduler.schedule)
            results.append(inner)
            scheduler.schedule()

        results.append(cxx_catch.nested(f"outer{number}", f"inner{number}", pause))

    for number in range(3):
        queued(body, number)
    drain()
    assert sorted(results) == sorted(
        [(f"c{n}", f"b{n}") for n in range(3)] + [(f"inner{n}", f"outer{n}") for n in range(3)]
    )


@pytest.mark.spec("S-08", "DEC-4")
def test_the_driver_inside_a_catch_keeps_its_exception_too(drain, cxx_catch):
    results = []

    def body():
        results.append(cxx_catch.rethrow_after("tasklet", scheduler.schedule))

    queued(body)
    results.append(cxx_catch.rethrow_after("main", drain))
    assert results == ["tasklet", "main"]


@pytest.mark.spec("S-08", "E-10", "DEC-4")
def test_a_tasklet_killed_inside_a_catch_unwinds_by_its_own_exception(drain, cxx_catch):
    log = []

    def body(name):
        try:
            cxx_catch.rethrow_after(name, scheduler.schedule_remove)
        except scheduler.TaskletExit:
            log.append(("killed", name))
            raise

    tasks = [queued(body, name) for name in ("first", "second")]
    drain()
    assert cxx_catch.rethrow_after("main", lambda: tasks[0].kill()) == "main"
    tasks[1].run()
    assert log == [("killed", "first")]
    assert [task.alive for task in tasks] == [False, False]
