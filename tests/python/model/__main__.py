"""Replays random programs and prints what the module does differently from the model.

From the project's root:

    python -m tests.python.model SEED           model and module; a program that differs is shrunk
    python -m tests.python.model SEED --model   the model alone, with its whole trace
    python -m tests.python.model FIRST LAST     a range of seeds; stops at a difference
"""

from __future__ import annotations

import argparse
import sys

from .compare import compare, smallest_report
from .player import play
from .programs import make_program
from .scheduler_model import Model


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("last", type=int, nargs="?", help="last seed of a range")
    parser.add_argument("--model", action="store_true", help="play with the model alone")
    parser.add_argument("--whole", action="store_true", help="do not shrink a program that differs")
    options = parser.parse_args()
    if options.model:
        program = make_program(options.seed)
        print(program, *(line.in_full() for line in play(program, Model())), sep="\n")
        return 0

    import scheduler

    scheduler.set_deadlock_timeout(0)  # no thread of the model could serve the module's tasklets
    for seed in range(options.seed, (options.last or options.seed) + 1):
        program = make_program(seed)
        report = compare(program, scheduler)
        if report is not None:
            print(report if options.whole else smallest_report(seed, scheduler))
            return 1
    print("the module and the model agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
