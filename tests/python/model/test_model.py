"""The module against the model of the specification, on random programs.

`python -m tests.python.model SEED` replays the program of a seed that this test reports.
The environment variables MODEL_FIRST_SEED and MODEL_PROGRAMS choose other seeds, or more.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import scheduler
from model import Model, compare, end_threads, make_program, play, shrink, smallest_report
from model.channel import Channel
from model.manager import Manager
from model.player import Failed, Player, State, Trace
from model.programs import MAIN, OPERATIONS, PROFILES, Op, tasklet_name
from model.ready_list import ReadyList
from model.tasklet import Leaving, Tasklet
from support.places import PYTHON_TESTS
from support.waiting import TIMEOUT

FIRST_SEED = int(os.environ.get("MODEL_FIRST_SEED", "0"))
PROGRAMS = int(os.environ.get("MODEL_PROGRAMS", "6000"))
BATCH = 500
LIGHT_BATCHES = 2  # which `make test` runs on every interpreter
REPORTED = 3  # programs whose differences are printed for a batch

EXAMPLES = PYTHON_TESTS / "examples"
# One thread, no module-only attribute, no look at tracebacks or references.
EXAMPLES_FOR_MODEL = (*range(1, 16), *range(17, 25), 26, 27, 28, 29, 30)

# Tasklets of the model are threads: on a busy machine each switch has to wait for a processor.
pytestmark = pytest.mark.timeout(10 * TIMEOUT)


@pytest.fixture(autouse=True)
def no_thread_left(deadlock_timeout: Callable[[float | None], None]) -> Iterator[None]:
    before = threading.active_count()
    deadlock_timeout(0)  # no thread of the model could serve the module's tasklets
    yield
    end_threads()
    assert threading.active_count() <= before


@pytest.mark.spec("R-02", "R-03", "R-10", "R-11", "F-01", "F-02", "C-10", "C-11", "C-20", "T-01")
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=pytest.mark.heavy if n >= LIGHT_BATCHES else ())
        for n, first in enumerate(range(FIRST_SEED, FIRST_SEED + PROGRAMS, BATCH))
    ],
)
def test_module_agrees_with_model(first: int) -> None:
    different = []
    for seed in range(first, min(first + BATCH, FIRST_SEED + PROGRAMS)):
        if compare(make_program(seed), scheduler) is not None:
            different.append(seed)
    reports = [smallest_report(seed, scheduler) for seed in different[:REPORTED]]
    assert not different, f"seeds {different}\n" + "\n\n".join(reports)


# ---------------------------------------------------------------------- the model itself is right


@pytest.mark.parametrize("number", EXAMPLES_FOR_MODEL)
def test_example_with_the_model(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scheduler", Model())
    program = EXAMPLES / f"ex_{number:02}.py"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program.read_text(), str(program), "exec"), {"__name__": "__main__"})
    assert printed.getvalue() == program.with_suffix(".txt").read_text()


@pytest.mark.parametrize("tries, ended", [(1, True), (100, True), (101, False)])
def test_unwinding_in_the_model(tries: int, ended: bool) -> None:
    """Random programs let an unwound tasklet go at once; this one insists on suspending."""
    api = Model()
    log: list[int] = []

    def stubborn() -> None:
        for n in range(tries + 1):
            with contextlib.suppress(api.TaskletExit):
                api.schedule_remove()
            log.append(n)

    task = api.tasklet(stubborn)()
    api.run()
    api.set_schedule_callback(lambda *_: pytest.fail("called while unwinding"))
    assert task.bind(None) is task
    assert (task.alive, api.getcurrent() is api.getmain()) == (False, True)
    assert log == list(range(tries + 1 if ended else 101))


# ------------------------------------------------- the programs and the comparison are good enough


SAMPLE = 400


def play_sample() -> list[Trace]:
    return [play(make_program(seed), Model()) for seed in range(SAMPLE)]


@pytest.fixture(scope="module")
def sample() -> list[Trace]:
    """These for the tests that only look at them."""
    traces = play_sample()
    end_threads()
    return traces


def test_neighbouring_seeds_cover_profiles_modes_and_endings() -> None:
    programs = [make_program(seed) for seed in range(4 * len(PROFILES))]
    kinds = {(program.profile.name, program.nested, program.stepping) for program in programs}
    assert len(kinds) == len(programs)


def test_a_seed_gives_one_program_and_one_trace() -> None:
    assert make_program(77) == make_program(77)
    assert play(make_program(77), Model()) == play(make_program(77), Model())


@pytest.mark.heavy
def test_random_programs_use_every_operation_and_most_both_fail_and_succeed(monkeypatch) -> None:
    seen: set[tuple[str, bool]] = set()
    execute = Player._execute

    def watched(player: Player, op: Op):
        succeeded = False
        try:
            result = execute(player, op)
            succeeded = True
            return result
        finally:
            seen.add((op.name, succeeded))

    monkeypatch.setattr(Player, "_execute", watched)
    play_sample()
    cannot_fail = {"prefer", "close", "open", "block_trap", "switch_trap", "nested", "leave"}
    cannot_fail |= {"start"}  # it starts none that has its turn
    cannot_succeed = {"fail"}
    assert {name for name, succeeded in seen if succeeded} == set(OPERATIONS) - cannot_succeed
    assert {name for name, succeeded in seen if not succeeded} == set(OPERATIONS) - cannot_fail


@pytest.mark.heavy
def test_random_programs_meet_every_error(sample: list[Trace]) -> None:
    texts = {line.outcome.text for line in _ends(sample) if isinstance(line.outcome, Failed)}
    words = {"dead", "blocked", "Deadlock", "switch_trap", "block_trap", "cyclic parent chain"}
    assert words | {"scheduled", "current tasklet"} <= texts


def _ends(traces: list[Trace]) -> list:
    return [line for trace in traces for line in trace if line.state is not None]


@pytest.mark.heavy
def test_states_of_random_programs_are_consistent(sample: list[Trace]) -> None:
    for line in _ends(sample):
        _check_state(line.state)


def _check_state(state: State) -> None:
    main, *others = state.tasklets
    queued = [main.name, *state.queue]
    assert state.run_count == state.calculated_run_count == len(queued)
    for place, name in enumerate(queued):
        tasklet = next(tasklet for tasklet in state.tasklets if tasklet.name == name)
        assert tasklet.alive and tasklet.scheduled
        assert tasklet.prev == (queued[place - 1] if place else "-")
        assert tasklet.next == (queued[place + 1] if place + 1 < len(queued) else "-")
    for tasklet in others:
        if tasklet.name not in queued:
            assert (tasklet.scheduled, tasklet.next, tasklet.prev) == (False, "-", "-")
            assert tasklet.alive == (tasklet.blocked or (tasklet.alive and tasklet.paused))
        else:
            assert not tasklet.blocked
    waiting = sum(abs(balance) for balance, *_ in state.channels)
    assert waiting == sum(tasklet.blocked for tasklet in state.tasklets)


@pytest.mark.heavy
def test_every_program_ends_with_nobody_alive(sample: list[Trace]) -> None:
    for trace in sample:
        last = _ends([trace])[-1].state
        assert [tasklet.name for tasklet in last.tasklets if tasklet.alive] == [tasklet_name(MAIN)]


# Each of these breaks one rule of the model; the comparison must notice every one of them.


def partner_first_goes_to_the_end(self, place, tasklet):
    self.append(tasklet)


def run_forgets_the_range(self, first=None, drive=Manager.drive):
    drive(self)


def trap_is_ignored(self):
    pass


def requeue_keeps_paused(self, turn, driver, requeue=Manager._requeue):
    leaving = turn.leaving
    requeue(self, turn, driver)
    if leaving is Leaving.STAY_OUT:
        turn.paused = False


def caller_goes_behind_the_queue_in_flat_mode(self, turn, driver, requeue=Manager._requeue):
    if turn.leaving is Leaving.BEHIND_NEXT:
        turn.leaving = Leaving.REQUEUE
    requeue(self, turn, driver)


def clear_kills_only_the_first(self):
    if self.queue is not None:
        self.queue.kill()


def limit_counts_one_too_many(self, turns, drive_limited=Manager.drive_limited):
    drive_limited(self, turns + 1)


def death_leaves_pending_exception(self, die=Tasklet.die):
    pending = self.pending
    die(self)
    self.pending = pending


MUTANTS = (
    (ReadyList, "put_behind", partner_first_goes_to_the_end),
    (Manager, "drive", run_forgets_the_range),
    (Manager, "refuse_if_trapped", trap_is_ignored),
    (Manager, "_requeue", requeue_keeps_paused),
    (Manager, "_requeue", caller_goes_behind_the_queue_in_flat_mode),
    (Manager, "drive_limited", limit_counts_one_too_many),
    (Channel, "clear", clear_kills_only_the_first),
    (Tasklet, "die", death_leaves_pending_exception),
)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "cls, name, broken", MUTANTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_comparison_notices_a_broken_rule(cls, name, broken, sample, monkeypatch) -> None:
    monkeypatch.setattr(cls, name, broken)
    assert any(_trace(seed) != sample[seed] for seed in range(SAMPLE))


def _trace(seed: int) -> Trace:
    trace: Trace = []
    try:
        play(make_program(seed), Model(), trace)
    except Exception:
        return []
    return trace


class SilentInsert(Model):
    """Stands in for a module with a mistake: insert() of a dead tasklet is no error."""

    def tasklet(self, callable=None):
        tasklet = super().tasklet(callable)
        insert = tasklet.insert
        tasklet.insert = lambda: insert() if tasklet.alive else tasklet
        return tasklet


def test_report_names_seed_program_and_first_difference() -> None:
    seed = next(s for s in range(1000) if compare(make_program(s), SilentInsert()) is not None)
    report = smallest_report(seed, SilentInsert())
    assert f"seed {seed}" in report
    assert "RuntimeError('dead')" in report
    program = make_program(seed)
    smaller = shrink(program, lambda candidate: compare(candidate, SilentInsert()) is not None)
    assert sum(map(len, [smaller.main, *smaller.scripts])) <= 3
    assert any(op.name == "insert" for script in [smaller.main, *smaller.scripts] for op in script)


def test_operations_are_written_readably() -> None:
    assert str(Op("kill", (2, True))) == "t2.kill(pending=True)"
    assert str(Op("send", (0, 7), trapped=True)) == "with switch trap: c0.send(7)"
    assert str(Op("insert", (MAIN,))) == "main.insert()"
