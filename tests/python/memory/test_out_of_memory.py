"""Wherever memory runs out: MemoryError or success, nothing is left over, and all can be used afterwards.

See support/memory_sweep.py, which runs in an interpreter of its own.
"""

from __future__ import annotations

import importlib.util

import pytest

from support.failing_memory import KINDS, build_library
from support.memory_sweep import SCENARIOS
from support.places import PYTHON_TESTS, PYTHONPATH

PROGRAM = PYTHON_TESTS / "support" / "memory_sweep.py"


@pytest.fixture(scope="session")
def failing_memory(tmp_path_factory):
    return build_library(tmp_path_factory.mktemp("failing_memory"))


@pytest.fixture
def sweep(run_script):
    """Runs all scenarios; gives for each how many of its runs failed."""

    def run(kind, **env):
        done = run_script(PROGRAM, kind, *SCENARIOS, timeout=500, env={"PYTHONPATH": PYTHONPATH, **env})
        failures = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
        assert [*failures] == [*SCENARIOS]
        return failures

    return run


@pytest.mark.spec("DEC-4")
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="this interpreter has no _testcapi, by which its allocators can be made to fail",
)
def test_each_allocation_of_the_interpreter_may_fail(sweep):
    assert min(sweep("object").values()) > 3


@pytest.mark.spec("DEC-4")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_each_call_of_the_module_may_fail(sweep, failing_memory, kind):
    failures = sweep(kind, LD_PRELOAD=str(failing_memory))
    assert min(failures.values()) > 0 or kind == "madvise"  # which an older kernel may not be asked for
