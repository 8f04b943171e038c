"""Random programs while random things happen to them.

`python -m fuzz` (with this directory's parent on the path) plays programs of the package `model`, one
after the other, in interpreters of their own; the modules, from the bottom:

* `climate`    what happens to a program, which its seed says
* `tools`      tracing, profiling and monitoring that come and go
* `failures`   allocations that fail
* `alarms`     signals whose handler raises
* `quiet`      a player to whom nothing happens that the model would see: compared with the model
* `waits`      a player that waits in ways which the model does not know, with the storm's books
* `rough`      one of those to whom anything happens
* `session`    plays the program of a seed and says what is wrong
* `worker`     the same for a batch of seeds, in an interpreter of its own
* `driver`     starts the workers, and says how to repeat what failed

What a program does depends on its seed. When a signal comes, and how two threads interleave, does not:
a failure found with a seed may take several runs of it (`--times`).
"""
