"""Type stubs: do they tell what the module is, and do type checkers understand them?

stubtest compares them with the installed module. mypy (strict) and pyright (standard mode) read
examples/ and tests/typing, mypy also the package; pyproject.toml configures both. They check for
CPython 3.11, the oldest version that is supported.
"""

from __future__ import annotations

import environments
from common import BUILD, ROOT, clean_environment, run
from environments import ModuleEnvironment


def check(environment: ModuleEnvironment) -> None:
    environment.install_module()
    programs = environments.type_checkers(environment.interpreter)
    site_packages = next(environment.venv.glob("lib/python*/site-packages"))
    cache = ("--cache-dir", BUILD / "mypy_cache")
    stubtest = (programs / "stubtest", "--mypy-config-file", ROOT / "pyproject.toml")
    run(*stubtest, "scheduler", "_scheduler", env=clean_environment(PYTHONPATH=str(site_packages)))
    run(programs / "mypy", *cache, "--package", "scheduler")
    run(programs / "mypy", *cache)
    run(programs / "basedpyright", "--project", ROOT / "pyproject.toml")
