"""Plays a batch of seeds: `python -m fuzz.worker FIRST COUNT TIMES SECONDS`.

Prints each seed before it plays it, so that whoever reads knows which one it was when this crashes.
"""

from __future__ import annotations

import atexit
import faulthandler
import sys
import time

from .session import Session

LIMIT = 300.0  # seconds until a program hangs


def work(first: int, count: int, times: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    session = Session()
    # At its end Python takes the session's hook to pieces: what is raised then is to be seen whole.
    atexit.register(setattr, sys, "unraisablehook", sys.__unraisablehook__)
    for seed in range(first, first + count):
        if time.monotonic() > end:
            break
        print(seed, flush=True)
        for _ in range(times):
            faulthandler.dump_traceback_later(LIMIT, exit=True)
            wrong = session.play(seed)
            faulthandler.cancel_dump_traceback_later()
            if wrong:
                print("\n".join(wrong), file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    numbers = sys.argv[1:]
    sys.exit(work(*map(int, numbers[:3]), float(numbers[3])))
