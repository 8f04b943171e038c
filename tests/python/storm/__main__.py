"""Runs a storm: `python -m storm [--seconds 60] [--threads N] [--seed N] [--round N]`."""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import random
import sys
import time
import traceback
from collections import Counter
from typing import Any

from . import weather
from .actor import Stop, Thrown
from .round import Round

ROUND_SECONDS = 5.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m storm", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, about")
    parser.add_argument("--threads", type=int, default=None, help="default: changes")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--round", type=int, default=None, help="only this round, again and again")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds until it is a hang")
    return parser.parse_args()


def collect_unraisable() -> list[str]:
    """A list that unraisable errors go to, but for those that the storm raises itself."""
    errors = []

    def hook(args: Any) -> None:
        if not issubclass(args.exc_type, (Stop, Thrown)):
            lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
            errors.append(f"unraisable: {args.err_msg}\n{''.join(lines)}")

    sys.unraisablehook = hook
    return errors


def main() -> int:
    options = parse_arguments()
    faulthandler.enable()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"storm: seed {seed}", flush=True)
    unraisable = collect_unraisable()
    total: Counter[str] = Counter()
    begin = time.monotonic()
    number = options.round or 0
    while time.monotonic() - begin < options.seconds:
        today = weather.draw(random.Random(f"{seed}/{number}/weather"), number)
        if options.threads is not None:
            today = dataclasses.replace(today, threads=options.threads)
        print(f"round {number}: {today}: ", end="", flush=True)
        a_round = Round(f"{seed}/{number}", today, options.limit)
        a_round.play(min(ROUND_SECONDS, options.seconds))
        total += a_round.tally
        print(f"{sum(a_round.tally.values())} actions, {a_round.threads} threads, tokens:", end=" ")
        print(", ".join(f"{count} {way}" for way, count in a_round.ways.items()))
        if a_round.complaints or unraisable:
            print(f"storm: seed {seed}, round {number}:", file=sys.stderr)
            print("\n".join([*a_round.complaints, *unraisable][:40]), file=sys.stderr)
            return 1
        if options.round is None:
            number += 1
    for name, count in sorted(total.items()):
        print(f"  {count:8} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
