"""A pure-Python model of the scheduler's specification, and random programs to compare it with.

* `Model` behaves like the module on one thread (manager, tasklet, channel, ready_list, errors).
* `make_program(seed)` invents a program (programs).
* `play(program, api)` plays it with the model or with the module and returns a trace (player).
* `compare` plays it with both and reports the first difference; `shrink` makes a program smaller.

`python -m tests.python.model SEED` replays one seed, from the project's root.
"""

from .compare import compare, shrink, smallest_report
from .player import play
from .programs import make_program
from .scheduler_model import Model

__all__ = ["Model", "compare", "make_program", "play", "shrink", "smallest_report"]
