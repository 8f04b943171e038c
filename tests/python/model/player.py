"""Plays a program with anything that has the functions of the module, and writes down a trace."""

from __future__ import annotations

from typing import Any, NamedTuple

from .programs import CATCHES_EXIT_TOO, CATCHES_NOTHING, MAIN, ME, Op, Program, tasklet_name

# Bounds of the closing part; a program whose scripts have ended needs far fewer rounds.
CLOSING_ROUNDS = 400
KILLING_ROUNDS = 20


class Boom(Exception):
    """An ordinary error of a script."""


class Doom(BaseException):
    """An error that `except Exception` does not catch."""


class Failed(NamedTuple):
    """The outcome of an operation that raised."""

    type_name: str
    text: str

    def __str__(self) -> str:
        return f"{self.type_name}({self.text!r})"


class Line(NamedTuple):
    """One line of a trace. `state` is None where it was not looked at."""

    who: str
    what: str
    outcome: Any = None
    state: State | None = None

    def __str__(self) -> str:
        text = f"{self.who:>5} {self.what}"
        return text if self.state is None else f"{text}  ->  {self.outcome}"

    def in_full(self) -> str:
        return str(self) if self.state is None else f"{self}\n{self.state}"


class TaskletState(NamedTuple):
    name: str
    alive: bool
    blocked: bool
    scheduled: bool
    paused: bool
    times_switched_to: int
    next: str
    prev: str

    def __str__(self) -> str:
        flags = [name for name in self._fields[1:5] if getattr(self, name)]
        return (
            f"{self.name}: {' '.join(flags) or 'dead'}, {self.times_switched_to} turns, "
            f"{self.prev}<>{self.next}"
        )


class State(NamedTuple):
    """What a program can see."""

    current: str
    run_count: int
    calculated_run_count: int
    queue: tuple[str, ...]
    tasklets: tuple[TaskletState, ...]
    channels: tuple[tuple[int, str, bool, bool], ...]  # balance, first in line, closing, closed

    def __str__(self) -> str:
        counts = f"current {self.current}, run count {self.run_count}"
        if self.calculated_run_count != self.run_count:
            counts += f" (calculated: {self.calculated_run_count})"
        lines = [f"{counts}, queue [{' '.join(self.queue)}]", *map(str, self.tasklets)]
        for number, (balance, first, closing, closed) in enumerate(self.channels):
            flags = " closed" if closed else " closing" if closing else ""
            lines.append(f"c{number}: balance {balance}, first {first}{flags}")
        return "\n".join(" " * 10 + line for line in lines)


Trace = list[Line]


class NotCleanedUp(Exception):
    """Some tasklet could not be ended; the trace says why."""


def play(
    program: Program, api: Any, trace: Trace | None = None, make_player: Any = None
) -> Trace:
    """Plays `program` with `api` (a `Model` or the module) and returns the trace.

    A `trace` given by the caller also keeps the lines written before an unexpected error.
    Afterwards no tasklet of the program is alive and every setting of `api` is as it was.
    `make_player` makes a `Player` of another class.
    """
    trace = [] if trace is None else trace
    player = (make_player or Player)(program, api, trace)
    try:
        player.play()
    finally:
        player.reset()
    return trace


class Player:
    """Executes one program. `_do_NAME` is the operation NAME of `programs.OPERATIONS`."""

    def __init__(self, program: Program, api: Any, trace: Trace) -> None:
        self._program = program
        self._api = api
        self._trace = trace
        self._tasklets = [api.getmain()]
        self._tasklets += [api.tasklet() for _ in range(program.profile.tasklets)]
        self._channels = [api.channel() for _ in range(program.profile.channels)]
        self._names = {id(t): tasklet_name(n) for n, t in enumerate(self._tasklets)}
        self._names[id(None)] = "-"
        self._turns_before = self._tasklets[MAIN].times_switched_to
        self._steps_left = program.profile.steps
        self._booms = 0
        self._unwinding: Any = None  # the tasklet whose incarnation is being replaced

    # --------------------------------------------------------------------- the course of a program

    def play(self) -> None:
        api, program = self._api, self._program
        api.set_use_nested_tasklets(program.nested)
        if program.watch_switches:
            api.set_schedule_callback(self._on_switch)
        if program.watch_channels:
            api.set_channel_callback(self._on_transfer)
        for op in program.main:
            if not self._main_does(op):
                break
        self._reset_traps()
        self._drain(Op("run_n", (1,)) if program.stepping else Op("run_all"))
        self._end_all()
        self._perform(MAIN, Op("run_all"))  # raises what main holds back, if anything

    def _drain(self, op: Op) -> None:
        for _ in range(CLOSING_ROUNDS):
            if self._api.getruncount() == 1:
                break
            self._reset_traps()
            self._perform(MAIN, op)

    def _end_all(self) -> None:
        """From now on scripts end at their next step: a few kills are enough for everybody."""
        self._steps_left = 0
        self._reset_traps()
        for _ in range(KILLING_ROUNDS):
            alive = [n for n, t in enumerate(self._tasklets) if n != MAIN and t.alive]
            if not alive:
                return
            # A kill does nothing while a pending one waits (E-10); an exception gets through.
            ops = [Op("kill", (number, False)) for number in alive]
            ops += [Op("raise_exception", (number, "TaskletExit")) for number in alive]
            ops += [Op("clear", (number,)) for number in range(len(self._channels))]
            for op in [*ops, Op("unblock_all")]:
                self._reset_traps()
                self._perform(MAIN, op)
            self._drain(Op("run_all"))
        raise NotCleanedUp

    def _reset_traps(self) -> None:
        self._api.switch_trap(-self._api.switch_trap(0))
        self._tasklets[MAIN].block_trap = False

    def reset(self) -> None:
        self._reset_traps()
        self._api.set_schedule_callback(None)
        self._api.set_channel_callback(None)
        self._api.set_use_nested_tasklets(True)

    # ----------------------------------------------------------------------- executing scripts

    def _run_script(self, who: int, script: int) -> None:
        """The callable of every tasklet."""
        for op in self._program.scripts[script]:
            if not self._take_step() or not self._perform(who, op):
                break

    def _main_does(self, op: Op) -> bool:
        """Main survives everything."""
        return self._take_step() and self._perform(MAIN, op)

    def _take_step(self) -> bool:
        self._steps_left -= 1
        return self._steps_left >= 0

    def _perform(self, who: int, op: Op) -> bool:
        """Executes one operation; returns whether the script goes on."""
        self._write(who, op, "...")
        try:
            outcome = self._execute(op)
        except BaseException as error:
            if not isinstance(error, (Exception, Doom, self._api.TaskletExit)):
                raise
            if self._unwinding is self._tasklets[who]:
                # What an unwound tasklet sees of the world is not compared: it only goes away.
                self._write(who, op, "unwound")
                raise
            self._write_end(who, op, Failed(type(error).__name__, str(error)))
            if who != MAIN and not self._survives(op, error):
                raise
            return True
        self._write_end(who, op, outcome)
        return op.name != "leave"

    def _survives(self, op: Op, error: BaseException) -> bool:
        if isinstance(error, self._api.TaskletExit):
            return op.catches == CATCHES_EXIT_TOO
        return isinstance(error, Exception) and op.catches != CATCHES_NOTHING

    def _execute(self, op: Op) -> Any:
        execute = getattr(self, "_do_" + op.name)
        if not op.trapped:
            return self._describe(execute(*op.arguments))
        self._api.switch_trap(1)
        try:
            return self._describe(execute(*op.arguments))
        finally:
            self._api.switch_trap(-1)

    # ------------------------------------------------------------------------------- the trace

    def _write(self, who: int, op: Op, remark: str) -> None:
        self._trace.append(Line(tasklet_name(who), f"{op} {remark}"))

    def _write_end(self, who: int, op: Op, outcome: Any) -> None:
        self._trace.append(Line(tasklet_name(who), str(op), outcome, self._state()))

    def _on_switch(self, previous: Any, following: Any) -> None:
        current = self._name(self._api.getcurrent())
        what = f"switch {self._name(previous)} -> {self._name(following)}, current {current}"
        self._trace.append(Line("", what))

    def _on_transfer(self, channel: Any, tasklet: Any, sending: bool, blocks: bool) -> None:
        number = self._channels.index(channel)
        what = f"c{number} {self._name(tasklet)} sending={sending!r} blocks={blocks!r}"
        self._trace.append(Line("", f"{what} balance={channel.balance}"))

    def _state(self) -> State:
        api, name = self._api, self._name
        return State(
            name(api.getcurrent()),
            api.getruncount(),
            api.calculateruncount(),
            tuple(self._queue()),
            tuple(map(self._tasklet_state, self._tasklets)),
            tuple((c.balance, name(c.queue), c.closing, c.closed) for c in self._channels),
        )

    def _queue(self) -> list[str]:
        queue: list[str] = []
        tasklet = self._tasklets[MAIN].next
        while tasklet is not None and len(queue) <= len(self._tasklets):
            queue.append(self._name(tasklet))
            tasklet = tasklet.next
        return queue

    def _tasklet_state(self, t: Any) -> TaskletState:
        turns = t.times_switched_to
        if t is self._tasklets[MAIN]:
            turns -= self._turns_before
        return TaskletState(
            self._name(t),
            t.alive,
            t.blocked,
            t.scheduled,
            t.paused,
            turns,
            self._name(t.next),
            self._name(t.prev),
        )

    # dict.get() by another thread than the dictionary's is very slow in the free-threaded 3.13.

    def _name(self, tasklet: Any) -> str:
        return self._names[id(tasklet)] if id(tasklet) in self._names else "stranger"

    def _describe(self, result: Any) -> Any:
        return self._names[id(result)] if id(result) in self._names else result

    # -------------------------------------------------------------------------- the operations

    def _target(self, number: int) -> Any:
        return self._api.getcurrent() if number == ME else self._tasklets[number]

    def _callable(self, tasklet: Any, script: int) -> Any:
        who = self._tasklets.index(tasklet)
        return lambda: self._run_script(who, script)

    def _error(self, kind: str) -> Any:
        """Each error of a program has its own number in its text."""
        self._booms += 1
        match kind:
            case "Boom":
                return Boom, f"boom {self._booms}."
            case "Boom(instance)":
                return Boom(f"boom {self._booms}."), None
            case "TaskletExit":
                return self._api.TaskletExit, None
            case "TaskletExit(instance)":
                return self._api.TaskletExit(), None
            case "Doom":
                return Doom, f"doom {self._booms}."
        return None, None

    def _do_schedule(self) -> Any:
        return self._api.schedule()

    def _do_schedule_remove(self) -> Any:
        return self._api.schedule_remove()

    def _do_run_all(self) -> Any:
        return self._api.run()

    def _do_run_n(self, turns: int) -> Any:
        return self._api.run_n_tasklets(turns)

    def _do_start(self, number: int, script: int) -> Any:
        tasklet = self._target(number)
        return "alive" if tasklet.alive else self._do_restart(number, script)

    def _do_insert(self, number: int) -> Any:
        return self._target(number).insert()

    def _do_remove(self, number: int) -> Any:
        return self._target(number).remove()

    def _do_run(self, number: int) -> Any:
        return self._target(number).run()

    def _do_switch(self, number: int) -> Any:
        return self._target(number).switch()

    def _do_restart(self, number: int, script: int) -> Any:
        self._do_bind(number, script)
        return self._do_setup(number)

    def _do_bind(self, number: int, script: int) -> Any:
        tasklet = self._target(number)
        return tasklet.bind(self._callable(tasklet, script))

    def _do_bind_args(self, number: int, script: int) -> Any:
        tasklet = self._target(number)
        return self._replacing(tasklet, tasklet.bind, self._callable(tasklet, script), ())

    def _do_rebind_args(self, number: int) -> Any:
        tasklet = self._target(number)
        return self._replacing(tasklet, tasklet.bind, None, ())

    def _do_unbind(self, number: int) -> Any:
        tasklet = self._target(number)
        return self._replacing(tasklet, tasklet.bind, None)

    def _do_setup(self, number: int) -> Any:
        tasklet = self._target(number)
        return self._replacing(tasklet, tasklet.setup)

    def _replacing(self, tasklet: Any, operation: Any, *args: Any) -> Any:
        self._unwinding = tasklet
        try:
            return operation(*args)
        finally:
            self._unwinding = None

    def _do_kill(self, number: int, pending: bool) -> Any:
        return self._target(number).kill(pending=pending)

    def _do_throw(self, number: int, kind: str, pending: bool) -> Any:
        error, value = self._error(kind)
        return self._target(number).throw(error, value, pending=pending)

    def _do_raise_exception(self, number: int, kind: str) -> Any:
        error, value = self._error(kind)
        return self._target(number).raise_exception(error, value)

    def _do_send(self, number: int, value: int) -> Any:
        return self._channels[number].send(value)

    def _do_receive(self, number: int) -> Any:
        return self._channels[number].receive()

    def _do_receive_next(self, number: int) -> Any:
        return next(self._channels[number])

    def _do_send_exception(self, number: int, kind: str) -> Any:
        error, value = self._error(kind)
        arguments = () if value is None else (value,)
        return self._channels[number].send_exception(error, *arguments)

    def _do_prefer(self, number: int, preference: int) -> Any:
        self._channels[number].preference = preference

    def _do_close(self, number: int) -> Any:
        return self._channels[number].close()

    def _do_open(self, number: int) -> Any:
        return self._channels[number].open()

    def _do_clear(self, number: int) -> Any:
        return self._channels[number].clear()

    def _do_unblock_all(self) -> Any:
        # The specification leaves open in which order channels are cleared.
        if sum(channel.balance != 0 for channel in self._channels) > 1:
            return "several in use"
        return self._api.unblock_all_channels()

    def _do_block_trap(self, trap: bool) -> Any:
        self._api.getcurrent().block_trap = trap

    def _do_switch_trap(self, delta: int) -> Any:
        return self._api.switch_trap(delta)

    def _do_nested(self, nested: bool) -> Any:
        return self._api.set_use_nested_tasklets(nested)

    def _do_fail(self, kind: str) -> Any:
        error, value = self._error(kind)
        raise (error or Boom) if value is None else error(value)

    def _do_leave(self) -> Any:
        return None
