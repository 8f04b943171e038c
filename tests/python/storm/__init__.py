"""A storm: threads full of tasklets that do everything to each other at random.

`python -m storm --seconds 60 --seed N` (with this directory's parent on the path) runs it; the
modules, from the bottom:

* `book`      what became of every object sent and of every tasklet made
* `watchdog`  ends a process that hangs, and tells what everybody was at
* `weather`   what a round is made of
* `actor`     a tasklet that draws one action after the other
* `deck`      what there is to draw from
* `actions`   the actions
* `waits`     more of them: those that give up after a time, choose, or share what `sync` has
* `crew`      a thread full of actors
* `round`     a few seconds of storm, and the reckoning afterwards

Each thread and each tasklet draws from a generator of its own, whose seed comes from the main seed.
So what each of them wants to do is repeatable; how the threads interleave, and with it what the
others are doing at that moment, is not. A failure found with a seed may take several runs of it.
"""
