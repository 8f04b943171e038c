"""The gate of tests/counts: what it reads, what it lets pass, and what it stops."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.places import ROOT

COUNTS = ROOT / "tests" / "counts"
sys.path.insert(0, str(COUNTS))

import callgrind_file  # noqa: E402
import count  # noqa: E402
import gate  # noqa: E402
import jobs  # noqa: E402
import measure  # noqa: E402

MODULE, LIBRARY = "/lib/module.so", "/lib/library.so"
CODE = {MODULE: range(0x100, 0x200), LIBRARY: range(0x180, 0x900)}

# A function of the library calls one of the module (5 times 3 instructions). Under the library's
# name are two addresses where it has no code: 0x110 is the module's, 0x20 nobody's.
SAMPLE = """\
# callgrind format
version: 1
positions: instr
events: Ir
summary: 38

ob=(1) /lib/library.so
fl=(1) ???
fn=(1) evaluate
0x300 2
cob=(2) /lib/module.so
cfi=(2) ???
cfn=(2) yield to next
calls=5 0x120
0x304 15
0x308 3

fn=(3) evaluate'2
0x190 4
0x110 7
0x20 1

ob=(2)
fn=(2)
0x120 5
0x122 5
0x126 5

ob=(1)
fn=(1)
0x30c 6
totals: 38
"""


def sample_costs(text: str = SAMPLE) -> list[callgrind_file.Cost]:
    return list(callgrind_file.costs(text.splitlines(keepends=True)))


def test_names_are_remembered_and_costs_of_calls_left_out() -> None:
    assert sample_costs() == [
        (LIBRARY, "evaluate", 0x300, 2),
        (LIBRARY, "evaluate", 0x308, 3),
        (LIBRARY, "evaluate'2", 0x190, 4),
        (LIBRARY, "evaluate'2", 0x110, 7),
        (LIBRARY, "evaluate'2", 0x20, 1),
        (MODULE, "yield to next", 0x120, 5),
        (MODULE, "yield to next", 0x122, 5),
        (MODULE, "yield to next", 0x126, 5),
        (LIBRARY, "evaluate", 0x30C, 6),
    ]


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE.replace("0x308 3\n", ""),
        SAMPLE.replace("summary: 38\n", "").replace("totals: 38\n", ""),
    ],
    ids=["a line is missing", "no sum"],
)
def test_a_file_that_does_not_add_up_is_refused(text: str) -> None:
    with pytest.raises(callgrind_file.FormatError):
        sample_costs(text)


def test_addresses_tell_what_is_the_modules() -> None:
    is_own = callgrind_file.executed_in(MODULE, CODE.__getitem__)
    assert [cost.address for cost in sample_costs() if is_own(cost)] == [
        0x110,  # filed under the library, which has no code there
        0x120,
        0x122,
        0x126,
    ]


def test_what_is_filed_under_the_module_by_mistake_is_not_its_own() -> None:
    is_own = callgrind_file.executed_in(MODULE, CODE.__getitem__)
    assert not is_own(callgrind_file.Cost(MODULE, "jump", 0x300, 1))


def test_code_of_an_elf_file(tmp_path: Path) -> None:
    def segment(kind: int, flags: int, address: int, length: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, flags, 0, address, 0, length, length, 0)

    segments = [
        segment(1, 4, 0, 0x1000),  # loaded, to read
        segment(1, 5, 0x1000, 0x800),  # loaded, to read and execute
        segment(0x6474E551, 7, 0x9000, 0x100),  # of another kind
    ]
    header = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q", 64)
    header = header.ljust(54, b"\0") + struct.pack("<HH", 56, len(segments))
    file = tmp_path / "module.so"
    file.write_bytes(header.ljust(64, b"\0") + b"".join(segments))
    assert callgrind_file.code_of(str(file)) == range(0x1000, 0x1800)


def test_code_of_what_is_no_file_is_anywhere(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no module")
    assert callgrind_file.code_of(str(text)) == callgrind_file.ANYWHERE
    assert callgrind_file.code_of("???") == callgrind_file.ANYWHERE


def test_code_of_the_real_module() -> None:
    code = callgrind_file.code_of(measure.MODULE)
    assert 0 < code.start < code.stop < 1 << 32


# --------------------------------------------------------------------------- what a run is taken for

LOG = """\
SYSCALL[7,1](9) sys_mmap ( 0x0, 64, 3, 34, -1, 0 ) --> [pre-success] Success(0x10)
--7-- malloc(64) = 0x10
SYSCALL[7,1](110) sys_getppid ()[sync] --> Success(0x1)
--7-- calloc(1,64) = 0x20
--7-- realloc(0x20,128) = 0x30
--7-- free(0x30)
SYSCALL[7,1](110) sys_getppid ()[sync] --> Success(0x1)
SYSCALL[7,1](110) sys_getppid ()[sync] --> Success(0x1)
--7-- malloc(64) = 0x40
--7-- realloc(0x0,64)malloc(64) = 0x50
--7-- _ZnwmSt11align_val_t(size 64, al 64) = 0x60
SYSCALL[7,1](28) sys_madvise ( 0x10, 64, 4 )[sync] --> Success(0x0)
SYSCALL[7,1](110) sys_getppid ()[sync] --> Success(0x1)
--7-- malloc(64) = 0x70
"""


def test_the_two_parts_of_a_job_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_memory_log", lambda operations, *jobs: LOG)
    counted = measure.memory(["yield"])["yield"]
    assert counted.allocations == 2 / measure.OPERATIONS
    assert counted.memory_calls == 1000 / measure.OPERATIONS


def test_a_run_with_fewer_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_memory_log", lambda operations, *jobs: LOG)
    with pytest.raises(measure.MeasureError, match="4 calls of getppid"):
        measure.memory(["yield", "spawn"])


# ----------------------------------------------------------------------------------- the comparison

FACTS = {"compiler": "GCC 12", "machine": "x86_64", "guard_pages": "madvise"}
FIGURES: gate.Figures = {
    "yield": {"instructions": 367.0, "allocations": 0.0, "memory_calls": 0.0},
    "spawn": {"instructions": 1609.2, "allocations": 1.0, "memory_calls": 0.0},
    "blocked": {"allocations": 4.0, "memory_calls": 1361.9, "mappings": 6.0},
}


def changed(job: str, kind: str, number: float) -> gate.Figures:
    return FIGURES | {job: FIGURES[job] | {kind: number}}


def compare(baseline: gate.Figures, in_ci: bool = True, **facts: str) -> int:
    versions: dict[str, Any] = {count.VERSION: {"facts": FACTS, "figures": baseline}}
    return count.compare(FIGURES, FACTS | facts, versions, in_ci)


def test_the_same_figures_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(FIGURES) == 0
    assert capsys.readouterr().out == "counts: 9 figures, 0 more than 5% over the baseline\n"


@pytest.mark.parametrize("kind, job", [("instructions", "yield"), ("memory_calls", "blocked")])
def test_a_baseline_lowered_by_6_percent_stops(
    kind: str, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lowered = FIGURES[job][kind] * 0.94
    assert compare(changed(job, kind, lowered)) == 1
    output = capsys.readouterr().out
    assert f"RISE {job}: {FIGURES[job][kind]:,.1f} {gate.KINDS[kind][0]}" in output
    assert "+6.4%" in output
    assert "make counts COUNTS_ARGS=--update" in output
    assert output.endswith("counts: 9 figures, 1 more than 5% over the baseline\n")


@pytest.mark.parametrize("kind, job", [("instructions", "yield"), ("memory_calls", "blocked")])
def test_a_baseline_lowered_by_4_percent_passes(kind: str, job: str) -> None:
    assert compare(changed(job, kind, FIGURES[job][kind] * 0.96)) == 0


def test_one_allocation_more_stops() -> None:
    assert compare(changed("spawn", "allocations", 0.0)) == 1


def test_mappings_may_differ_by_chance_but_not_by_more() -> None:
    assert compare(changed("blocked", "mappings", 1.0)) == 0
    assert compare(changed("blocked", "mappings", 0.0)) == 1


def test_a_figure_that_the_baseline_lacks_stops() -> None:
    assert compare({job: FIGURES[job] for job in ("yield", "blocked")}) == 1


def test_a_fall_passes_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(changed("yield", "instructions", 500.0)) == 0
    output = capsys.readouterr().out
    assert "fall yield: 367.0 instructions per operation, 500.0 in the baseline (-26.6%)" in output


@pytest.mark.parametrize(
    "fact, kinds",
    [
        ("compiler", ["instructions"]),
        ("machine", ["instructions"]),
        ("guard_pages", ["memory_calls", "mappings"]),
    ],
)
def test_figures_of_another_compiler_or_kernel_are_not_compared(
    fact: str, kinds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lowered = {job: dict.fromkeys(numbers, 0.0) for job, numbers in FIGURES.items()}
    same = FIGURES
    for job, numbers in lowered.items():
        same = same | {job: same[job] | {kind: 0.0 for kind in numbers if kind in kinds}}
    assert compare(same, in_ci=False, **{fact: "other"}) == 0
    output = capsys.readouterr().out
    assert f"{fact} is other, in the baseline {FACTS[fact]}" in output
    assert f"NOT COMPARED: {', '.join(kinds)}" in output
    # The others are, and in CI all must be.
    assert compare(lowered, in_ci=False, **{fact: "other"}) == 1
    assert compare(FIGURES, in_ci=True, **{fact: "other"}) == 1


def test_a_version_without_baseline_fails_in_ci_only() -> None:
    assert count.compare(FIGURES, FACTS, {}, in_ci=False) == 0
    assert count.compare(FIGURES, FACTS, {}, in_ci=True) == 1


def test_less_than_what_is_kept_is_no_property_of_an_operation() -> None:
    assert gate.rounded("allocations", 0.004) == 0.0
    assert gate.rounded("allocations", 1.006) == 1.01
    assert str(gate.rounded("instructions", -0.01)) == "0.0"


def test_the_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert gate.load(file) == {}
    versions = {"3.12": {"facts": FACTS, "figures": FIGURES}}
    gate.save(file, versions)
    assert gate.load(file) == versions
    assert "says why" in json.loads(file.read_text())["comment"]


# ------------------------------------------------------------------------ the jobs and the baseline


def test_compilers_are_recognised() -> None:
    gcc, clang = b"..GCC: (Debian 12.2.0-14+deb12u1) 12.2.0\0", b"Debian clang version 14.0.6\0"
    assert count.compiler(gcc) == "GCC 12"
    assert count.compiler(gcc + clang) == "Clang 14"  # its start-up files are GCC's
    assert count.compiler(b"") == "unknown"


@pytest.mark.parametrize("job", jobs.JOBS)
def test_each_job_runs(job: str) -> None:
    command = [*measure.PYTHON, str(measure.JOBS), str(jobs.BATCH), job]
    done = subprocess.run(
        command, env=measure.ENVIRONMENT, capture_output=True, text=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().isdigit() == (job == count.BLOCKED)


def test_the_committed_baseline_has_every_figure_and_no_allocation_on_the_fast_paths() -> None:
    versions = gate.load(count.BASELINE)
    assert "3.12" in versions
    for entry in versions.values():
        assert entry["facts"].keys() == FACTS.keys()
        figures = entry["figures"]
        assert figures.keys() == jobs.JOBS.keys() == {*count.JOBS, count.BLOCKED}
        for job in count.JOBS:
            assert figures[job].keys() == {"instructions", "allocations", "memory_calls"}
            assert figures[job]["memory_calls"] == 0
            assert figures[job]["allocations"] == 0 or job == "spawn"
