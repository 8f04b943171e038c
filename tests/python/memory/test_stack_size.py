"""The size of the stacks that tasklets get, and the figures about them."""

from __future__ import annotations

import sys
import threading

import pytest

import scheduler
from support.exceptions import message, outcome
from support.interpreter import LEAST_STACK
from support.scheduling import queued, started
from support.threads import in_thread

KIB = 1024
DEFAULT = 8192 * KIB
LEAST = LEAST_STACK * KIB


@pytest.fixture
def stack_size():
    """set_stack_size(), undone after the test."""
    before = scheduler.get_stack_size()
    yield scheduler.set_stack_size
    scheduler.set_stack_size(before)


def depth_of_recursion():
    """How many levels deep a recursion through C code comes before RecursionError."""
    deepest = 0

    def descend(_=None):
        nonlocal deepest
        deepest += 1
        list(map(descend, (1,)))

    with pytest.raises(RecursionError):
        descend()
    return deepest


@pytest.fixture
def deep_limit():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    yield
    sys.setrecursionlimit(before)


def depth_in_tasklet():
    depths = []
    task = queued(lambda: depths.append(depth_of_recursion()))
    task.run()
    return depths[0]


@pytest.mark.spec("DEC-11")
def test_the_default(run_script):
    done = run_script("import scheduler; print(scheduler.get_stack_size())")
    assert int(done.stdout) == DEFAULT


@pytest.mark.parametrize("size, stack", [(3072, 3584), (4096, 3584), (8192, 7168), (9000, 9216)])
def test_more_than_2_mib_is_rounded_up_to_whole_page_tables(stack_size, size, stack):
    """An eighth, 1 MiB at most, is the guard."""
    stack_size(size * KIB)
    assert scheduler.stack_stats()["stack_bytes"] == stack * KIB


@pytest.mark.parametrize("size", [LEAST, LEAST + 1, 300_000, 8192 * KIB, 4 * 1024**3])
def test_the_size_is_what_was_set(stack_size, size):
    before = scheduler.get_stack_size()
    assert stack_size(size) == before
    assert scheduler.get_stack_size() == size
    assert in_thread(scheduler.get_stack_size) == size
    stack = scheduler.stack_stats()["stack_bytes"]
    assert max(64 * KIB, size * 7 / 8 - 3 * 4096) <= stack <= size
    assert stack >= size - 1024 * KIB
    assert stack_size(before) == size
    log = []
    queued(log.append, 1).run()
    assert log == [1]


def test_the_size_can_be_any_integer(stack_size):
    class Number:
        def __index__(self):
            return 256 * KIB

    stack_size(Number())
    assert scheduler.get_stack_size() == 256 * KIB


@pytest.mark.parametrize(
    "value, error",
    [("65536", TypeError), (65536.0, TypeError), (None, TypeError), ([], TypeError)]
    + [(n, ValueError) for n in (0, -1, LEAST - 1, 4 * 1024**3 + 1, 2**63, -(2**70), True)],
)
def test_a_wrong_size_changes_nothing(value, error):
    before = scheduler.get_stack_size()
    assert outcome(scheduler.set_stack_size, value) is error
    assert in_thread(outcome, scheduler.set_stack_size, value) is error
    assert scheduler.get_stack_size() == before


def test_the_message_names_the_bounds_and_the_type():
    assert message(scheduler.set_stack_size, 5) == (
        f"the stack size must be from {LEAST} bytes ({LEAST_STACK} KiB) to 4294967296 (4 GiB), not 5"
    )
    assert message(scheduler.set_stack_size, "1") == (
        "the stack size must be an int (bytes), not str"
    )


@pytest.mark.usefixtures("deep_limit")
def test_the_depth_of_recursion_goes_with_the_size(stack_size):
    depths = []
    for size in (256 * KIB, 1024 * KIB, 4096 * KIB):
        stack_size(size)
        depths.append(depth_in_tasklet())
    assert depths[0] * 3 < depths[1]
    assert depths[1] * 3 < depths[2]


@pytest.mark.usefixtures("deep_limit")
def test_a_tasklet_that_has_started_keeps_its_stack(stack_size):
    stack_size(1024 * KIB)
    depths = {}

    def body(name):
        scheduler.schedule_remove()
        depths[name] = depth_of_recursion()

    large = started(body, "large")
    fresh = queued(body, "fresh")
    stack_size(256 * KIB)
    fresh.run()
    for task in (large, fresh):
        task.run()
    assert depths["large"] > 4 * depths["fresh"]


@pytest.mark.usefixtures("deep_limit")
def test_a_tasklet_does_not_inherit_a_stack_of_the_former_size(stack_size):
    """The next new tasklet otherwise goes on on the stack of one that ends."""
    stack_size(1024 * KIB)
    depths = []

    def last_of_its_size():
        stack_size(256 * KIB)

    def measure():
        depths.append(depth_of_recursion())

    for body in (measure, last_of_its_size, measure, measure):
        queued(body)
    scheduler.run()
    assert depths[0] > 4 * depths[1]
    assert depths[1] == depths[2]


def test_another_thread_takes_the_size_at_its_next_stack(stack_size):
    set_by_other = threading.Event()
    ready = threading.Event()

    def work():
        old = started(scheduler.schedule_remove)
        before = scheduler.stack_stats()
        ready.set()
        assert set_by_other.wait(60)
        new = started(scheduler.schedule_remove)
        during = scheduler.stack_stats()
        old.run()
        after = scheduler.stack_stats()
        new.run()
        return before, during, after

    stack_size(256 * KIB)
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    assert ready.wait(60)
    stack_size(512 * KIB)
    set_by_other.set()
    thread.join(60)
    before, during, after = results[0]
    assert [stats["stack_bytes"] for stats in (before, during)] == [224 * KIB, 448 * KIB]
    assert [stats["mappings"] for stats in (before, during, after)] == [1, 2, 1]
    assert [stats["in_use"] for stats in (before, during, after)] == [1, 2, 1]


def test_changing_the_size_again_and_again_keeps_no_memory(run_script):
    done = run_script(
        """
        import scheduler

        def mappings():
            with open("/proc/self/maps") as maps:
                return sum(1 for _ in maps)

        def round():
            for size in (256, 320, 384, 512):
                scheduler.set_stack_size(size * 1024)
                task = scheduler.tasklet(scheduler.schedule_remove)()
                task.run()
                scheduler.set_stack_size(288 * 1024)
                scheduler.tasklet(len)("").run()
                task.run()

        round()
        before = mappings()
        for _ in range(50):
            round()
        print(mappings() - before, scheduler.stack_stats()["mappings"])
        """
    )
    growth, own = map(int, done.stdout.split())
    assert growth < 20
    assert own == 1


def test_stats_of_a_thread_without_tasklets():
    stats = in_thread(scheduler.stack_stats)
    size = stats.pop("stack_bytes")
    assert size == scheduler.get_stack_size() - 1024 * KIB  # which is the guard
    assert stats == dict.fromkeys(
        ("reserved", "in_use", "high_water", "pooled", "guarded", "mappings", "resident_bytes"), 0
    )


def test_stats_count_the_stacks_of_the_thread():
    def work():
        tasks = [queued(scheduler.schedule_remove) for _ in range(100)]
        unborn = scheduler.stack_stats()
        scheduler.run()
        blocked = scheduler.stack_stats()
        for task in tasks[:90]:
            task.run()
        ended = scheduler.stack_stats()
        for task in tasks[90:]:
            task.kill()
        return unborn, blocked, ended

    unborn, blocked, ended = in_thread(work)
    assert unborn["in_use"] == 0
    assert (blocked["in_use"], blocked["pooled"], blocked["high_water"]) == (100, 0, 100)
    assert (ended["in_use"], ended["pooled"], ended["high_water"]) == (10, 90, 100)
    assert blocked["reserved"] >= 100
    assert 1 <= blocked["mappings"] <= 10
    assert blocked["guarded"] == 100
    # One page each, and no more than a few where pages are large.
    assert 100 * 4096 <= blocked["resident_bytes"] <= 100 * blocked["stack_bytes"] / 4


def test_trim_stacks_keeps_only_what_is_in_use():
    def work():
        assert scheduler.trim_stacks() == 0
        tasks = [started(scheduler.schedule_remove) for _ in range(500)]
        assert scheduler.trim_stacks() == 0
        for task in tasks[1:]:
            task.run()
        before = scheduler.stack_stats()
        freed = scheduler.trim_stacks()
        after = scheduler.stack_stats()
        tasks[0].run()
        inside = []
        queued(lambda: inside.append(scheduler.trim_stacks())).run()
        return before, freed, after, inside, scheduler.trim_stacks(), scheduler.stack_stats()

    other = started(scheduler.schedule_remove)
    here = scheduler.stack_stats()
    before, freed, after, inside, last, at_end = in_thread(work)
    assert scheduler.stack_stats() == here
    other.run()
    assert (before["in_use"], before["pooled"]) == (1, 499)
    assert freed == before["resident_bytes"] - after["resident_bytes"] >= 499 * 4096
    assert (after["in_use"], after["mappings"], after["high_water"]) == (1, 1, 500)
    assert after["reserved"] < before["reserved"]
    assert inside[0] >= 0
    assert last > 0
    assert [at_end[name] for name in ("reserved", "in_use", "pooled", "guarded", "mappings")] == [0] * 5
    assert at_end["resident_bytes"] == 0


def test_trim_stacks_of_former_sizes(stack_size):
    def work():
        stack_size(256 * KIB)
        tasks = [started(scheduler.schedule_remove) for _ in range(3)]
        tasks[0].run()
        stack_size(512 * KIB)
        tasks.append(started(scheduler.schedule_remove))
        pooled = scheduler.stack_stats()["resident_bytes"]
        freed = scheduler.trim_stacks()
        for task in tasks[1:]:
            task.run()
        return pooled, freed

    pooled, freed = in_thread(work)
    assert 4096 <= freed < pooled


def test_resident_bytes_follow_use(stack_size):
    stack_size(1024 * KIB)

    def descend(depth):
        if depth:
            sorted([1], key=lambda _: descend(depth - 1))
        else:
            scheduler.schedule_remove()

    def work():
        shallow = started(descend, 0)
        before = scheduler.stack_stats()["resident_bytes"]
        deep = started(descend, 30)
        after = scheduler.stack_stats()["resident_bytes"]
        for task in (shallow, deep):
            task.run()
        return after - before

    assert 30 * 4000 < in_thread(work) < 1024 * KIB


def test_no_memory_for_a_stack_is_a_memory_error(run_script):
    done = run_script(
        """
        import resource, scheduler

        scheduler.tasklet(len)("").run()
        scheduler.set_stack_size(1 << 32)
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        task = scheduler.tasklet(print)("late")
        try:
            task.run()
        except MemoryError as error:
            print(error)
        scheduler.set_stack_size(1 << 20)
        scheduler.run()
        """
    )
    assert done.stdout.splitlines() == ["no memory for the stack of a tasklet", "late"]
