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
ENV = {"PYTHONPATH": PYTHONPATH}


@pytest.fixture(scope="session")
def failing_memory(tmp_path_factory):
    return build_library(tmp_path_factory.mktemp("failing_memory"))


@pytest.mark.spec("DEC-4")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="this interpreter has no _testcapi, by which its allocators can be made to fail",
)
def test_each_allocation_of_the_interpreter_may_fail(run_script, name):
    done = run_script(PROGRAM, "object", name, timeout=500, env=ENV)
    assert int(done.stdout) > 3


@pytest.mark.spec("DEC-4")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_call_of_the_module_may_fail(run_script, failing_memory, kind, name):
    env = {**ENV, "LD_PRELOAD": str(failing_memory)}
    done = run_script(PROGRAM, kind, name, timeout=500, env=env)
    assert int(done.stdout) > 0 or kind == "madvise"  # which an older kernel may not be asked for
