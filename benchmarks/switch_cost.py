"""What a switch costs beyond the loop and the call around it, beside Go in the same run.

    python switch_cost.py                     # a table; Go's part needs `go` (Debian: golang-go)
    python switch_cost.py --instructions      # and instructions of the module, which takes Valgrind
    python switch_cost.py --quick             # does it run at all?

The least of many short runs, taken in turn: what others do on the machine only adds to a figure.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import measure, report, with_scheduler

HERE = Path(__file__).parent
OPERATIONS = 50_000  # short runs: some of them nobody disturbs
ROUNDS = 40
# job: (what the scheduler does, what Go does, the name in tests/counts, calls in one operation)
JOBS = {
    "yield_2": ("schedule(), 2 tasklets", "Gosched", "yield", 1),
    "yield_100": ("schedule(), 100 tasklets", "Gosched", None, 1),
    "yield_10000": ("schedule(), 10,000 tasklets", "Gosched", None, 1),
    "transfer_prefer_receiver": (
        "send + receive, preference -1", "unbuffered", "send_receive_prefer_receiver", 2,
    ),
    "transfer_prefer_neither": (
        "send + receive, preference 0", None, "send_receive_prefer_neither", 2,
    ),
    "transfer_prefer_sender": (
        "send + receive, preference 1", None, "send_receive_prefer_sender", 2,
    ),
    "transfer_timeout": ("send + receive(timeout=60), preference -1", "select, Timer", None, 2),
    "select_2": ("send + select() over 2 channels", "select", None, 2),
    "select_8": ("send + select() over 8 channels", "select", None, 2),
    "sleep": ("sleep(0.001), 1,000 tasklets", "Sleep", None, 1),
    "spawn": ("tasklet(f)(i), its turn, its end", "go f()", "spawn", 2),
}  # fmt: skip


def build_go(directory: Path) -> Path | str:
    """The program, or why there is none."""
    if not shutil.which("go"):
        return "not measured: there is no `go` (Debian, Ubuntu: apt-get install golang-go)"
    program = directory / "switches"
    done = subprocess.run(
        ["go", "build", "-o", str(program), str(HERE / "go" / "switches.go")],
        capture_output=True, text=True,
    )  # fmt: skip
    return program if done.returncode == 0 else f"not measured: it does not build\n{done.stderr}"


def go_ns(program: Path, job: str, operations: int) -> float:
    done = subprocess.run(
        [str(program), job, str(operations)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def instructions(job: str | None) -> float | None:
    if job is None:
        return None
    sys.path.insert(0, str(HERE.parent / "tests" / "counts"))
    import measure as counts

    return float(counts.instructions([job])[job].module)


def line(job: str, go: Path | str, options: argparse.Namespace) -> list[str]:
    title, go_title, counted, calls = JOBS[job]
    operations, rounds = (20_000, 1) if options.quick else (OPERATIONS, ROUNDS)
    own, call, peer = [], [], []
    for _ in range(rounds):
        own.append(with_scheduler.TIMED[job](operations))
        call.append(measure.floor(operations))
        if go_title is not None and isinstance(go, Path):
            peer.append(go_ns(go, job, operations))
    cells = [title, f"{min(own):.1f}", f"{min(own) - calls * min(call):.1f}"]
    cells.append(f"{min(peer):.1f} ({go_title})" if peer else report.NONE)
    if options.instructions:
        count = instructions(counted)
        cells.append(report.NONE if count is None else f"{count:.0f}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--job", nargs="+", choices=JOBS, default=JOBS)
    options = parser.parse_args()
    if options.instructions and not shutil.which("valgrind"):
        sys.exit("--instructions needs Valgrind (Debian, Ubuntu: apt-get install valgrind)")
    head = ["ns", "scheduler", "beyond loop and calls", "Go"]
    head += ["instructions"] if options.instructions else []
    with tempfile.TemporaryDirectory() as directory:
        go = build_go(Path(directory))
        lines = [line(job, go, options) for job in options.job]
    print(f"CPython {measure.interpreter()}, the least of {1 if options.quick else ROUNDS} runs")
    print(report.table(head, lines))
    if isinstance(go, str):
        print(f"Go: {go}")


if __name__ == "__main__":
    main()
