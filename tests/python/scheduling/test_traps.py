"""block_trap and switch_trap (B-10, B-20 to B-22)."""

from __future__ import annotations

import pytest

import scheduler
from support.scheduling import channel, queue, queued, started, state, trapped

# ---- block_trap ----------------------------------------------------------------------------------


@pytest.mark.spec("B-10", "D-16")
def test_block_trap_is_a_bool_and_false_by_default():
    for task in (scheduler.tasklet(), scheduler.getmain()):
        assert task.block_trap is False
        task.block_trap = True
        assert task.block_trap is True
        for wrong in (1, 0, None, "yes"):
            with pytest.raises(RuntimeError):
                task.block_trap = wrong
        with pytest.raises(TypeError):
            del task.block_trap
        assert task.block_trap is True
        task.block_trap = False


@pytest.mark.spec("B-10", "C-12")
@pytest.mark.usefixtures("mode")
def test_only_waiting_is_refused(drain):
    ch = channel(-1)
    log = []

    def trapped_tasklet():
        me = scheduler.getcurrent()
        me.block_trap = True
        for operation in (lambda: ch.send(0), ch.receive):
            with pytest.raises(RuntimeError, match="block_trap"):
                operation()
        scheduler.schedule()
        log.append("scheduled")
        queued(log.append, "ran by it").run()
        partner = started(receiver)
        ch.send("sent")  # a partner waits: the transfer completes and yields by preference
        log.append(("partner", partner.alive))

    def receiver():
        log.append(ch.receive())

    queued(trapped_tasklet)
    drain()
    assert log == ["scheduled", "ran by it", "sent", ("partner", False)]


@pytest.mark.spec("B-10")
def test_the_block_trap_of_another_tasklet_does_not_matter(drain):
    ch = scheduler.channel()
    task = started(ch.receive)
    task.block_trap = True  # it waits already, and the sender is somebody else
    ch.send(0)
    assert task.alive is False
    drain()


# ---- switch_trap ---------------------------------------------------------------------------------


@pytest.mark.spec("B-20")
def test_the_level_is_a_sum_and_the_previous_one_is_returned():
    results = [scheduler.switch_trap(delta) for delta in (0, 1, 2, 0, -4, 0, 1, 0)]
    assert results == [0, 0, 1, 3, 3, -1, -1, 0]
    assert scheduler.switch_trap(0) == 0


@pytest.mark.spec("B-20", "D-36")
@pytest.mark.parametrize("args", [(), (1, 2), ("1",), (1.0,), (None,)], ids=repr)
def test_wrong_arguments_leave_the_level_alone(args):
    scheduler.switch_trap(1)
    with pytest.raises(TypeError):
        scheduler.switch_trap(*args)
    with pytest.raises(TypeError):
        scheduler.switch_trap(delta=1)
    assert scheduler.switch_trap(-1) == 1


class Scene:
    """A queue of two, a paused tasklet, a blocked one and a channel where nobody waits."""

    def __init__(self):
        self.log = []
        self.ch = channel(-1)
        self.idle = scheduler.channel()
        self.receiver = started(lambda: self.log.append(self.ch.receive()))
        self.paused = started(self._sleep)
        self.front = queued(self.log.append, "front")
        self.back = queued(self.log.append, "back")

    def _sleep(self):
        try:
            scheduler.schedule_remove()
        except (LookupError, scheduler.TaskletExit) as error:
            self.log.append(type(error))

    def everything(self):
        """All that a refused operation must leave as it was."""
        tasks = (self.receiver, self.paused, self.front, self.back)
        return (
            [state(task) for task in tasks],
            [task.times_switched_to for task in tasks],
            state(scheduler.getcurrent()),
            [self.ch.balance, self.ch.queue, self.idle.balance],
            queue(),
            list(self.log),
        )

    def finish(self):
        """Lets everybody end."""
        scheduler.unblock_all_channels()
        self.paused.kill()
        scheduler.run()


REFUSED = {
    "schedule": lambda s: scheduler.schedule(),
    "schedule_remove": lambda s: scheduler.schedule_remove(),
    "scheduler.run": lambda s: scheduler.run(),
    "run_n_tasklets": lambda s: scheduler.run_n_tasklets(1),
    "run queued": lambda s: s.front.run(),
    "run paused": lambda s: s.paused.run(),
    "switch queued": lambda s: s.front.switch(),
    "switch paused": lambda s: s.paused.switch(),
    "kill queued": lambda s: s.front.kill(),
    "kill paused": lambda s: s.paused.kill(),
    "kill blocked": lambda s: s.receiver.kill(),
    "throw queued": lambda s: s.front.throw(LookupError),
    "throw paused": lambda s: s.paused.throw(LookupError),
    "throw blocked": lambda s: s.receiver.throw(LookupError),
    "raise_exception": lambda s: s.paused.raise_exception(LookupError),
    "waiting send": lambda s: s.idle.send(0),
    "waiting receive": lambda s: s.idle.receive(),
    "clear": lambda s: s.ch.clear(),
}


@pytest.mark.spec("B-20", "B-21", "B-22", "R-15", "T-54", "C-51", "D-23", "D-43", "R-06")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("level", [1, -1, 5])
def test_switching_is_refused_and_nothing_changes(name, level):
    scene = Scene()
    before = scene.everything()
    scheduler.switch_trap(level)
    try:
        with pytest.raises(RuntimeError, match="switch_trap"):
            REFUSED[name](scene)
        assert scene.everything() == before
    finally:
        scheduler.switch_trap(-level)
    scheduler.run()  # nothing is left behind by the refused operation
    assert scene.log == ["front", "back"]
    assert state(scene.paused) == (True, False, False, True)
    scene.finish()


@pytest.mark.spec("B-21", "B-22", "D-23", "R-06", "D-24")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("name", [name for name in REFUSED if name != "clear"])
def test_it_is_refused_inside_a_tasklet_too_and_leaves_no_ghost_turn(drain, name):
    scene = Scene()
    outcome = []

    def body():
        before = scene.everything()
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            REFUSED[name](scene)
        outcome.append(scene.everything() == before)

    task = queued(body)
    for other in (scene.front, scene.back):  # they must still stand behind it at its turn
        other.remove().insert()
    drain()
    assert outcome == [True]
    assert state(task) == (False, False, False, False)
    assert task.times_switched_to == 1
    assert scene.log == ["front", "back"]
    scene.finish()


# what the same operation does once the trap is lifted: a fact about the scene afterwards
LIFTED = {
    "schedule": lambda s: s.log == ["front", "back"],
    "scheduler.run": lambda s: s.log == ["front", "back"],
    "run_n_tasklets": lambda s: s.log == ["front"],
    "run queued": lambda s: s.log == ["front", "back"],
    "run paused": lambda s: s.paused.alive is False,
    "switch queued": lambda s: s.log == ["front", "back"],
    "switch paused": lambda s: s.paused.alive is False,
    "kill queued": lambda s: s.log == ["back"] and s.front.alive is False,
    "kill paused": lambda s: s.log == [scheduler.TaskletExit],
    "throw paused": lambda s: s.log == [LookupError],
    "raise_exception": lambda s: s.log == [LookupError],
    "kill blocked": lambda s: s.receiver.alive is False,
    "clear": lambda s: s.receiver.alive is False and s.ch.balance == 0,
}


@pytest.mark.spec("B-22", "B-21")
@pytest.mark.parametrize("name", LIFTED)
def test_the_same_operation_succeeds_once_the_trap_is_lifted(name):
    scene = Scene()
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        REFUSED[name](scene)
    REFUSED[name](scene)
    assert LIFTED[name](scene)
    scene.finish()


@pytest.mark.spec("B-22", "D-43")
@pytest.mark.parametrize("method", ["throw", "raise_exception"])
def test_a_refused_exception_is_forgotten_for_the_next_one(method):
    scene = Scene()
    with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
        getattr(scene.paused, method)(KeyError)
    scene.paused.throw(IndexError)
    assert scene.log == [IndexError]
    scene.finish()


@pytest.mark.spec("B-21")
@pytest.mark.usefixtures("mode")
def test_what_switches_nothing_is_not_refused():
    ch = channel(0)
    got = []
    waiting = started(lambda: got.append(ch.receive()))
    blocked = started(scheduler.channel().receive)
    paused = started(scheduler.schedule_remove)
    dead = started(len, "")
    with trapped():
        assert scheduler.run() is None
        assert scheduler.schedule() is None
        assert scheduler.schedule_remove() is None
        assert scheduler.run_n_tasklets(1) is None
        with pytest.raises(RuntimeError, match="Deadlock"):
            scheduler.channel().receive()
        assert dead.kill() is None
        assert dead.throw(scheduler.TaskletExit) is None
        ch.send("caller goes on")
        assert queue() == [waiting]
        assert paused.insert() is paused
        assert paused.remove() is paused
        assert dead.bind(len, ("",)) is dead
        assert paused.kill(pending=True) is None
        assert blocked.throw(scheduler.TaskletExit, pending=True) is None
        assert queued(len, "").kill(pending=True) is None
    scheduler.run()
    dead.kill()
    assert got == ["caller goes on"]
    assert [task.alive for task in (waiting, blocked, paused, dead)] == [False] * 4


@pytest.mark.spec("T-50", "B-21")
def test_dead_and_blocked_are_noticed_before_the_trap():
    blocked = started(scheduler.channel().receive)
    dead = started(len, "")
    with trapped():
        for operation in (blocked.switch, blocked.run, blocked.insert):
            with pytest.raises(RuntimeError, match="blocked"):
                operation()
        for operation in (dead.switch, dead.run, dead.insert):
            with pytest.raises(RuntimeError, match="dead"):
                operation()
    blocked.kill()
