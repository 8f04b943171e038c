"""clang-format and clang-tidy over the C and C++ files."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import BUILD, ROOT, Failure, clean_environment, run, say

FORMATTED = (
    "include",
    "src",
    "examples",
    "tests/core",
    "tests/capi",
    "tests/python",
    "benchmarks/core",
)
SUFFIXES = {".c", ".cpp", ".h"}


def sources(*directories: str) -> list[Path]:
    paths = (path for directory in directories for path in (ROOT / directory).rglob("*"))
    return sorted(path.relative_to(ROOT) for path in paths if path.suffix in SUFFIXES)


def format_all(tool_dir: Path, change: bool) -> None:
    """Formats the files in place, or fails and shows what differs."""
    mode = ["-i"] if change else ["--dry-run", "--Werror"]
    run(tool_dir / "clang-format", *mode, *sources(*FORMATTED))


def tidy(tool_dir: Path, python: str) -> None:
    """clang-tidy on every file of src, and so on the headers that they include."""
    env = clean_environment(PATH=f"{tool_dir}{os.pathsep}{os.environ['PATH']}")
    choice = [f"-DPython_EXECUTABLE={python}", "-DPython_FIND_STRATEGY=LOCATION"]
    run(tool_dir / "cmake", "--fresh", "--preset", "lint", *choice, env=env)

    # The compile commands are GCC's: options that clang does not know are no finding.
    command = [tool_dir / "clang-tidy", "-p", BUILD / "lint", "--quiet", "--warnings-as-errors=*"]
    command.append("--extra-arg=-Wno-unknown-warning-option")

    def check(path: Path) -> bool:
        done = subprocess.run([*command, path], cwd=ROOT, env=env, capture_output=True, text=True)
        say(f"clang-tidy {path}: {'ok' if done.returncode == 0 else 'FAIL'}")
        if done.returncode != 0:
            say(done.stdout + done.stderr)
        return done.returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = [path for path in sources("src") if path.suffix == ".cpp"]
        results = dict(zip(files, pool.map(check, files)))
    if not all(results.values()):
        bad = [str(path) for path, ok in results.items() if not ok]
        raise Failure(f"clang-tidy has findings in {', '.join(bad)}")
