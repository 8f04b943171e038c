"""Setting callbacks, and the schedule callback (B-02 to B-04, G-10)."""

from __future__ import annotations

import contextlib
import sys
import threading

import pytest

import scheduler
from support.scheduling import channel, queued, started
from support.threads import in_thread

CALLBACKS = {
    "schedule": (scheduler.set_schedule_callback, scheduler.get_schedule_callback),
    "channel": (scheduler.set_channel_callback, scheduler.get_channel_callback),
}
both_callbacks = pytest.mark.parametrize(
    ("set_callback", "get_callback"), CALLBACKS.values(), ids=CALLBACKS
)


class Names:
    """Records the switches of a thread by the names of the tasklets."""

    def __init__(self):
        self.pairs = []
        self._names = {scheduler.getmain(): "main"}

    def add(self, name, task):
        self._names[task] = name
        return task

    def __call__(self, previous, following):
        assert scheduler.getcurrent() is previous
        self.pairs.append((self._names[previous], self._names[following]))


@contextlib.contextmanager
def watching():
    """Records the switches of a `with` block in a `Names`."""
    names = Names()
    scheduler.set_schedule_callback(names)
    try:
        yield names
    finally:
        scheduler.set_schedule_callback(None)


# ---- setting and reading -------------------------------------------------------------------------


@pytest.mark.spec("B-01", "B-02", "D-07")
@both_callbacks
def test_setting_returns_the_previous_callback(set_callback, get_callback):
    def first(*_):
        pass

    def second(*_):
        pass

    assert get_callback() is None
    assert set_callback(first) is None
    assert get_callback() is first
    assert set_callback(second) is first
    assert set_callback(None) is second
    assert get_callback() is None
    assert set_callback(None) is None


@pytest.mark.spec("B-01", "B-02")
@both_callbacks
@pytest.mark.parametrize("wrong", [1, "name", (), object()], ids=["int", "str", "tuple", "object"])
def test_only_callables_and_none_are_accepted(set_callback, get_callback, wrong):
    def present(*_):
        pass

    set_callback(present)
    with pytest.raises(TypeError):
        set_callback(wrong)
    assert get_callback() is present
    set_callback(None)


@pytest.mark.spec("G-10", "D-07", "D-09", "B-04")
@both_callbacks
def test_callbacks_and_their_results_are_held_and_released(set_callback, get_callback):
    result = object()

    def callback(*_):
        return result

    before = sys.getrefcount(callback), sys.getrefcount(result)
    for _ in range(20):
        set_callback(callback)
        assert get_callback() is callback
        assert set_callback(callback) is callback
        ch = channel(0)
        started(ch.receive)
        ch.send(0)
        scheduler.run()
    assert sys.getrefcount(callback) > before[0]
    set_callback(None)
    assert (sys.getrefcount(callback), sys.getrefcount(result)) == before


@pytest.mark.spec("B-04", "G-10")
@both_callbacks
def test_a_callback_may_replace_itself_while_it_runs(set_callback, get_callback):
    calls = []

    class Once:
        def __call__(self, *_):
            calls.append("first")
            set_callback(lambda *_: calls.append("second"))

    set_callback(Once())
    ch = channel(0)
    started(ch.receive)
    ch.send(0)
    scheduler.run()
    set_callback(None)
    assert calls[0] == "first"
    assert len(calls) > 1
    assert set(calls[1:]) == {"second"}


# ---- the schedule callback -----------------------------------------------------------------------


@pytest.mark.spec("B-02", "B-03", "R-02", "P-06")
@pytest.mark.usefixtures("mode")
def test_plain_turns_and_yields_go_through_the_driver(drain):
    with watching() as watched:
        watched.add("a", queued(scheduler.schedule))
        watched.add("b", queued(len, ""))
        drain()
        turn_a, turn_b = [("main", "a"), ("a", "main")], [("main", "b"), ("b", "main")]
        assert watched.pairs == turn_a + turn_b + turn_a


@pytest.mark.spec("B-03", "R-20")
@pytest.mark.parametrize("how", ["run", "switch", "scheduler.run", "kill", "throw"])
def test_nested_drives(drain, how):
    with watching() as watched:

        def parent():
            child = watched.add("child", queued(child_body))
            if how in ("kill", "throw"):
                child.run()
                del watched.pairs[:]
            {
                "run": child.run,
                "switch": child.switch,
                "scheduler.run": scheduler.run,
                "kill": child.kill,
                "throw": lambda: child.throw(scheduler.TaskletExit),
            }[how]()

        def child_body():
            if how in ("kill", "throw"):
                scheduler.schedule_remove()

        task = watched.add("parent", queued(parent))
        drain()
        pairs = list(watched.pairs)
        expected = [("parent", "child"), ("child", "parent"), ("parent", "main")]
        if how not in ("kill", "throw"):
            expected.insert(0, ("main", "parent"))
        if how == "switch":  # the caller leaves the queue and stays paused
            assert task.paused is True
            task.run()
        assert pairs == expected


@pytest.mark.spec("B-03", "F-01", "F-02", "F-04")
def test_flat_mode_goes_through_main(drain):
    with watching() as watched:
        scheduler.set_use_nested_tasklets(False)

        def caller():
            watched.add("child", queued(len, "")).run()

        watched.add("caller", queued(caller))
        drain()
        scheduler.set_use_nested_tasklets(True)
        assert watched.pairs == [
            ("main", "caller"), ("caller", "main"),
            ("main", "child"), ("child", "main"),
            ("main", "caller"), ("caller", "main"),
        ]  # fmt: skip


@pytest.mark.spec("B-03", "E-20", "E-12")
@pytest.mark.usefixtures("mode")
def test_failing_and_never_run_tasklets(drain):
    with watching() as watched:

        def fail():
            raise LookupError

        watched.add("bad", queued(fail))
        with pytest.raises(LookupError):
            drain()
        assert watched.pairs == [("main", "bad"), ("bad", "main")]
        del watched.pairs[:]
        for pending in (True, False):
            victim = watched.add("never", queued(len, ""))
            victim.kill(pending=pending)
            drain()
            victim = watched.add("never", queued(len, ""))
            with pytest.raises(LookupError):
                victim.throw(LookupError, pending=pending)
                drain()
        assert watched.pairs == []


@pytest.mark.spec("B-02")
def test_it_is_not_called_when_current_stays_the_same():
    with watching() as watched:
        scheduler.run()
        scheduler.schedule()
        scheduler.schedule_remove()
        scheduler.getcurrent().run()
        scheduler.run_n_tasklets(3)
        with pytest.raises(RuntimeError, match="Deadlock"):
            scheduler.channel().receive()
        with pytest.raises(scheduler.TaskletExit):
            scheduler.getcurrent().kill()
        assert watched.pairs == []


@pytest.mark.spec("P-06", "B-02", "C-20")
@pytest.mark.usefixtures("mode")
def test_a_transfer_shows_three_turns(drain):
    with watching() as watched:
        ch = channel(-1)
        watched.add("s", queued(ch.send, 0))
        watched.add("r", queued(ch.receive))
        drain()
        turn_s, turn_r = [("main", "s"), ("s", "main")], [("main", "r"), ("r", "main")]
        assert watched.pairs == turn_s + turn_r + turn_s


@pytest.mark.spec("B-02", "A-13", "S-06", "18-14")
def test_inside_it_the_change_has_not_happened_yet(drain):
    seen = []

    def callback(previous, following):
        seen.append(
            (
                scheduler.getcurrent() is previous,
                scheduler.get_thread_info()[1] is previous,
                previous.is_current,
                following.is_current,
                type(previous) is type(following) is scheduler.tasklet,
            )
        )

    queued(scheduler.schedule)
    scheduler.set_schedule_callback(callback)
    drain()
    scheduler.set_schedule_callback(None)
    assert seen == [(True, True, True, False, True)] * 4


@pytest.mark.spec("DEC-4", "B-04", "D-34")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, scheduler.TaskletExit])
def test_an_error_of_the_schedule_callback_is_reported_and_ignored(drain, unraisable, error):
    log = []

    def callback(*_):
        raise error("from the callback")

    def body():
        log.append("first turn")
        scheduler.schedule()
        log.append("second turn")

    queued(body)
    scheduler.set_schedule_callback(callback)
    drain()
    scheduler.set_schedule_callback(None)
    assert log == ["first turn", "second turn"]
    assert [(entry.exc_type, entry.message) for entry in unraisable] == [
        (error, "from the callback")
    ] * 4


@pytest.mark.spec("DEC-4", "B-04", "D-34", "E-20")
@pytest.mark.usefixtures("mode")
def test_it_neither_sees_nor_spoils_the_exception_of_a_dying_tasklet(drain, unraisable):
    seen = []

    def callback(*_):
        seen.append(sys.exc_info())
        raise OSError("from the callback")

    def fail():
        raise LookupError("of the tasklet")

    queued(fail)
    scheduler.set_schedule_callback(callback)
    with pytest.raises(LookupError, match="of the tasklet") as caught:
        drain()
    scheduler.set_schedule_callback(None)
    assert caught.value.__context__ is None
    assert seen == [(None, None, None)] * 2
    assert [entry.exc_type for entry in unraisable] == [OSError] * 2


@pytest.mark.spec("B-04", "D-34", "C-11")
def test_it_does_not_spoil_a_sent_exception(drain, unraisable):
    ch = scheduler.channel()
    caught = []

    def receive():
        try:
            ch.receive()
        except LookupError as error:
            caught.append((error.args, error.__context__))

    def callback(*_):
        raise OSError("from the callback")

    queued(receive)
    queued(ch.send_exception, LookupError, "sent")
    scheduler.set_schedule_callback(callback)
    drain()
    scheduler.set_schedule_callback(None)
    assert caught == [(("sent",), None)]
    assert {entry.exc_type for entry in unraisable} == {OSError}


SWITCHING = {
    "schedule": lambda parked: scheduler.schedule(),
    "schedule_remove": lambda parked: scheduler.schedule_remove(),
    "scheduler.run": lambda parked: scheduler.run(),
    "run_n_tasklets": lambda parked: scheduler.run_n_tasklets(1),
    "run": lambda parked: parked.run(),
    "switch": lambda parked: parked.switch(),
    "kill": lambda parked: parked.kill(),
    "throw": lambda parked: parked.throw(LookupError),
    "receive": lambda parked: scheduler.channel().receive(),
}


@pytest.mark.spec("B-02", "B-04")
@pytest.mark.parametrize("name", SWITCHING)
def test_switching_inside_the_schedule_callback_is_refused(drain, name):
    parked = started(scheduler.schedule_remove)
    log, refused = [], []

    def callback(*_):
        try:
            SWITCHING[name](parked)
        except RuntimeError:
            refused.append(name)

    for n in range(2):
        queued(log.append, n)
    scheduler.set_schedule_callback(callback)
    drain()
    scheduler.set_schedule_callback(None)
    assert log == [0, 1]
    assert 1 <= len(refused) <= 4  # with nothing to switch to there is nothing to refuse
    assert parked.alive is True
    parked.kill()
    scheduler.run()


@pytest.mark.spec("B-02", "B-04", "T-24")
def test_the_schedule_callback_may_queue_tasklets(drain):
    log = []

    def callback(previous, following):
        if not log:
            queued(log.append, f"queued by call {len(calls)}")
        calls.append(None)

    calls = []
    queued(log.append, "first")
    scheduler.set_schedule_callback(callback)
    drain()
    scheduler.set_schedule_callback(None)
    assert log == ["first", "queued by call 0"]
    assert len(calls) == 4


@pytest.mark.spec("B-04", "H-04")
def test_callbacks_are_called_on_the_thread_that_switches():
    idents = []
    scheduler.set_schedule_callback(lambda *_: idents.append(threading.get_ident()))
    ident = in_thread(lambda: (started(len, ""), threading.get_ident())[1])
    scheduler.set_schedule_callback(None)
    assert idents == [ident] * 2
