"""Plays random programs while random things happen to them.

    python -m fuzz --seconds 180               another seed each time
    python -m fuzz --seed N --programs 1       what a failure says
    python -m fuzz --seed N --programs 1 --times 200    where threads and signals play a part
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from support.failing_memory import build_library

from . import driver


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, help="how long, about (default: 180)")
    parser.add_argument("--seed", type=int, help="the first one")
    parser.add_argument("--programs", type=int, help="how many (default: as time allows)")
    parser.add_argument("--times", type=int, default=1, help="how often each one is played")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    seed = random.SystemRandom().randrange(10**8) if options.seed is None else options.seed
    seconds = options.seconds or (1e6 if options.programs else 180.0)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ)
        if "LD_PRELOAD" not in env:  # a sanitizer's library wants to be the only one
            env["LD_PRELOAD"] = str(build_library(Path(directory)))
        outcome = driver.run(
            seed, count=options.programs, times=options.times, seconds=seconds, env=env
        )
    minutes = (time.monotonic() - start) / 60
    if outcome.failure is not None:
        print(outcome.failure)
    result = "FAILED" if outcome.failure else "ok"
    rate = outcome.programs / minutes
    python = sys.version.split()[0]
    print(
        f"fuzz: {result}, CPython {python}, seed {seed}, {outcome.programs} programs in"
        f" {minutes:.1f} min, {rate:.0f} a minute"
    )
    return outcome.failure is not None


if __name__ == "__main__":
    sys.exit(main())
