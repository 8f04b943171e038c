"""The counters of managers, channels and tasklets (N-*)."""

from __future__ import annotations

import gc
import sys

import pytest

import scheduler
from support.scheduling import queued, started
from support.threads import RemoteThread, in_thread

managers = scheduler.get_number_of_active_schedule_managers
channels = scheduler.get_number_of_active_channels
active = scheduler.get_active_tasklet_count
all_time = scheduler.get_all_time_tasklet_count


@pytest.mark.spec("N-01", "N-02", "N-03", "N-04", "S-01")
def test_a_fresh_interpreter_counts_from_zero(run_script):
    done = run_script(
        """
        import scheduler as s

        def counts():
            return (s.get_number_of_active_schedule_managers(), s.get_number_of_active_channels(),
                    s.get_active_tasklet_count(), s.get_all_time_tasklet_count())

        print(*counts())
        ch = s.channel()
        s.get_channel_callback(), s.get_use_nested_tasklets()
        print(*counts())
        s.getmain()
        print(*counts())
        t = s.tasklet(len)("")
        print(*counts())
        s.run()
        del t, ch
        print(*counts())
        """
    )
    assert done.stdout.splitlines() == ["0 0 0 0", "0 1 0 0", "1 1 1 1", "1 1 2 2", "1 0 1 2"]


@pytest.mark.spec("N-01", "S-01")
@pytest.mark.parametrize(
    "operation",
    [
        "scheduler.tasklet()",
        "scheduler.getcurrent()",
        "scheduler.getruncount()",
        "scheduler.calculateruncount()",
        "scheduler.run()",
        "scheduler.schedule()",
        "scheduler.schedule_remove()",
        "scheduler.run_n_tasklets(1)",
        "scheduler.switch_trap(0)",
        "scheduler.get_thread_info()",
        "scheduler.get_schedule_manager()",
        "scheduler.set_schedule_callback(None)",
        "scheduler.get_schedule_callback()",
        "QUEUE.send(0)",
        "QUEUE.receive()",
    ],
)
def test_operations_that_need_a_manager_create_it(operation, deadlock_timeout):
    deadlock_timeout(0.05)  # which a channel waits for this thread
    before = managers()
    with RemoteThread() as other:
        names = {"scheduler": scheduler, "QUEUE": scheduler.channel()}

        def work():
            try:
                eval(operation, names)
            except RuntimeError as error:
                assert "Deadlock" in str(error)

        assert managers() == before
        other.call(work)
        assert managers() == before + 1
    assert managers() == before


@pytest.mark.spec("N-01", "S-01", "H-05")
def test_managers_come_and_go_with_their_threads():
    before = managers()
    with RemoteThread() as first, RemoteThread() as second:
        assert managers() == before
        first.call(scheduler.getmain)
        assert managers() == before + 1
        second.call(scheduler.run)
        second.call(scheduler.run)
        assert managers() == before + 2
        first.end()
        assert managers() == before + 1
    assert managers() == before


class Derived(scheduler.channel):
    """Counts as a channel."""


@pytest.mark.spec("N-02")
@pytest.mark.parametrize("kind", [scheduler.channel, Derived, scheduler.QueueChannel])
def test_channels_are_counted_while_they_exist(kind):
    before = channels()
    made = [kind() for _ in range(3)]
    assert channels() == before + 3
    made.pop()
    assert channels() == before + 2
    del made
    assert channels() == before


@pytest.mark.spec("N-02", "G-07", "C-44")
def test_a_channel_kept_by_blocked_tasklets_counts():
    before = channels()
    task = started(scheduler.channel().receive)
    gc.collect()
    assert channels() == before + 1
    task.kill()
    assert channels() == before
    started(scheduler.channel().send, 0)
    assert scheduler.unblock_all_channels() == 1
    gc.collect()
    assert channels() == before


@pytest.mark.spec("N-03", "N-04")
def test_tasklets_are_counted_dead_or_alive():
    before, ever = active(), all_time()
    tasks = [scheduler.tasklet() for _ in range(3)] + [queued(len, "")]
    assert (active(), all_time()) == (before + 4, ever + 4)
    scheduler.run()
    assert active() == before + 4
    tasks[0].bind(len, ("",)).run()
    tasks[0].bind(len)("")
    scheduler.run()
    assert all_time() == ever + 4  # a new incarnation is no new tasklet
    tasks.pop()
    assert (active(), all_time()) == (before + 3, ever + 4)
    del tasks
    assert (active(), all_time()) == (before, ever + 4)


@pytest.mark.spec("N-03", "N-04", "D-50")
def test_main_tasklets_are_counted():
    before, ever = active(), all_time()
    in_thread(scheduler.run)
    assert (active(), all_time()) == (before, ever + 1)
    in_thread(lambda: started(len, ""))
    assert (active(), all_time()) == (before, ever + 3)


@pytest.mark.spec("N-05", "D-50", "G-10")
def test_nothing_holds_the_manager_but_its_thread():
    seen = []
    seen.append(sys.getrefcount(scheduler.get_schedule_manager()))
    tasks = [queued(scheduler.schedule), started(scheduler.channel().receive), scheduler.tasklet()]
    scheduler.set_schedule_callback(lambda *_: None)
    scheduler.set_channel_callback(lambda *_: None)
    seen.append(sys.getrefcount(scheduler.get_schedule_manager()))
    queued(lambda: seen.append(sys.getrefcount(scheduler.get_schedule_manager())))
    scheduler.run()
    scheduler.set_schedule_callback(None)
    scheduler.set_channel_callback(None)
    scheduler.unblock_all_channels()
    assert [task.alive for task in tasks] == [False] * 3
    seen.append(sys.getrefcount(scheduler.get_schedule_manager()))
    assert seen == [2] * 4
