"""A pure-Python model of the scheduler's specification, and random programs to compare it with.

* `Model` behaves like the module on one thread (manager, tasklet, channel, ready_list, stack,
  errors).
* `make_program(seed)` invents a program (programs).
* `play(program, api)` plays it with the model or with the module and returns a trace (player).
* `end_threads` ends the threads that the model's tasklets run on.
* `compare` plays it with both and reports the first difference; `shrink` makes a program smaller.

`python -m tests.python.model SEED` replays one seed, from the project's root.
"""

from .compare import compare, shrink, smallest_report
from .player import play
from .programs import make_program
from .scheduler_model import Model
from .stack import end_threads

__all__ = [
    "Model",
    "compare",
    "end_threads",
    "make_program",
    "play",
    "shrink",
    "smallest_report",
]
