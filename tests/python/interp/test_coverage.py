"""coverage.py on tasklets, as the guide to debugging says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEASURED = """
import scheduler

def inner():
    scheduler.schedule()
    number = 1
    scheduler.schedule()
    return number

def work():
    for _ in range(2):
        inner()
        scheduler.schedule()
    number = 2
    return number
"""

PROGRAM = """
import scheduler, first, second
for module in (first, second, first):
    scheduler.tasklet(module.work)()
scheduler.run()
"""


@pytest.mark.spec("S-08")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no sys.monitoring")
def test_the_monitoring_core_counts_the_lines_of_files_whose_tasklets_take_turns(
    tmp_path: Path, run_script: Callable[..., object]
) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(MEASURED)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    data = str(tmp_path / "data")
    options = ("-m", "coverage", "run", f"--data-file={data}", f"--source={tmp_path}")
    run_script(program, flags=options, env={"COVERAGE_CORE": "sysmon"})
    report = tmp_path / "report.json"
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", f"--data-file={data}", "-o", str(report)],
        check=True,
    )
    files = json.loads(report.read_text())["files"]
    assert {Path(name).name: file["missing_lines"] for name, file in files.items()} == {
        "first.py": [],
        "second.py": [],
        "program.py": [],
    }
