"""benchmarks/bench.py runs, measures every job, and shows what it has measured.

With tiny counts: what the figures are is not tested here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import scheduler
from support.places import ROOT
from support.waiting import most_of_memory

BENCHMARKS = ROOT / "benchmarks"
BENCH = BENCHMARKS / "bench.py"
# Of one call: dozens of processes, which may have to wait for a busy machine.
PATIENCE = 240
# Peers that every interpreter has.
STANDARD = ("asyncio", "threads")

if not sys.platform.startswith("linux"):
    pytest.skip("memory is read from /proc", allow_module_level=True)


def job_names(run_script) -> list[str]:
    lines = run_script(BENCH, "--list").stdout.splitlines()
    return [line.split()[0] for line in lines]


def figures(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.mark.heavy
@pytest.mark.timeout(PATIENCE + 30)
def test_every_job_is_measured(run_script, tmp_path):
    file = tmp_path / "result.json"
    arguments = ("--quick", "--million", "--no-peers", "--json", str(file))
    with most_of_memory():
        done = run_script(BENCH, *arguments, timeout=PATIENCE)
    result = figures(file)
    names = job_names(run_script)
    assert len(names) > 15
    expected = set(names)
    if not hasattr(scheduler, "set_stack_size"):
        needing = {"blocked_bytes_256k", "million_bytes", "million_mappings"}
        assert result["skipped"] == dict.fromkeys(needing, "needs set_stack_size")
        expected -= needing
    assert set(result["jobs"]) == expected
    for name, tools in result["jobs"].items():
        own = tools["scheduler"]
        assert own["figure"] > 0, name
        assert ("count" in own) != (own.get("floor_ns", 0) > 0), name
    assert "schedule(), 2 tasklets" in done.stdout
    assert result["versions"]["scheduler"] == scheduler.__version__


@pytest.mark.heavy
@pytest.mark.timeout(PATIENCE + 30)
def test_peers_are_measured_beside_it(run_script, tmp_path):
    file = tmp_path / "result.json"
    jobs = ("round_trip", "transfer_timeout", "spawn", "blocked_bytes")
    arguments = ("--quick", "--tool", *STANDARD, "--job", *jobs, "--json", str(file))
    run_script(BENCH, *arguments, timeout=PATIENCE)
    result = figures(file)
    assert set(result["jobs"]) == set(jobs)
    for name, tools in result["jobs"].items():
        assert set(tools) == {"scheduler", *STANDARD}, name
        assert all(one["figure"] > 0 for one in tools.values()), name


def test_a_result_is_compared_with_an_older_one(run_script, tmp_path):
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    run_script(BENCH, "--quick", "--no-peers", "--job", "yield_2", "spawn", "--json", str(new))
    result = figures(new)
    result["jobs"]["yield_2"]["scheduler"]["figure"] *= 2
    del result["jobs"]["spawn"]
    old.write_text(json.dumps(result))
    done = run_script(BENCH, "--from", str(new), "--compare", str(old))
    compared = done.stdout.split("change\n")[1].splitlines()[1:]
    assert len(compared) == 1
    assert compared[0].startswith("schedule(), 2 tasklets")
    assert compared[0].endswith("-50.0%")


def test_the_table_of_a_page_is_replaced(run_script, tmp_path):
    page, file = tmp_path / "page.md", tmp_path / "result.json"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    arguments = ("--quick", "--no-peers", "--job", "yield_100", "--json", str(file))
    run_script(BENCH, *arguments, "--markdown", str(page))
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: begin -->\n")
    assert text.endswith("\n<!-- figures: end -->\nafter\n")
    assert "| schedule(), 100 tasklets |" in text
    assert "old" not in text
    run_script(BENCH, "--from", str(file), "--markdown", str(page))
    assert page.read_text() == text

    page.write_text("no markers\n")
    done = run_script(BENCH, "--from", str(file), "--markdown", str(page), check=False)
    assert done.returncode == 1
    assert "figures: begin" in done.stderr
    assert page.read_text() == "no markers\n"


def test_an_unknown_job_is_refused(run_script):
    done = run_script(BENCH, "--job", "yeild_2", check=False)
    assert done.returncode == 2
    assert "yield_2" in done.stderr


def test_a_failing_job_is_named(run_script):
    """What a process prints before it fails is shown, not swallowed."""
    question = json.dumps({"tool": "asyncio", "blocked": 10, "levels": 1})
    done = run_script(BENCH, "--child", question, check=False)
    assert done.returncode != 0
    code = f"""
        import sys
        sys.path.insert(0, {str(BENCHMARKS)!r})
        from pathlib import Path
        from harness.processes import Harness, MeasurementFailed
        harness = Harness(Path({str(BENCH)!r}), ["asyncio"])
        try:
            harness.ask("asyncio", blocked=10, levels=1)
        except MeasurementFailed as failure:
            print(failure)
    """
    message = run_script(code).stdout
    assert '"tool": "asyncio"' in message
    assert "nothing waits below C code" in message


@pytest.mark.timeout(PATIENCE + 30)
def test_the_cost_of_a_switch_is_measured(run_script, tmp_path):
    script = BENCHMARKS / "switch_cost.py"
    done = run_script(script, "--quick", "--job", "yield_2", env={"PATH": str(tmp_path)})
    row = next(line for line in done.stdout.splitlines() if line.startswith("schedule(), 2"))
    assert float(row.split()[3]) > 0
    # What cannot be measured is said.
    assert row.split()[-1] == "-"
    assert "there is no `go`" in done.stdout


def test_the_benchmark_of_aio_has_a_line_for_each_operation_on_each_loop(run_script):
    lines = run_script(BENCHMARKS / "aio.py", "--quick").stdout.splitlines()
    loops = [line.split()[0] for line in lines if " ns   asyncio " in line]
    assert loops in (["asyncio"] * 4, ["asyncio"] * 4 + ["uvloop"] * 4)


def test_the_benchmark_of_traces_counts_and_times_events(run_script):
    lines = run_script(BENCHMARKS / "tracing.py", "--quick", "--job", "yield_100").stdout.splitlines()
    row = next(line for line in lines if line.startswith("schedule(), 100"))
    events, *times = map(float, row.split()[3:])
    assert events == 2
    assert len(times) == 5
