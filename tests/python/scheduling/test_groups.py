"""TaskletGroup: nothing that was started in the block runs on behind it."""

from __future__ import annotations

import signal
import threading
import time

import pytest

import scheduler
from support.exceptions import message, outcome
from support.scheduling import channel, queued, started
from support.threads import RemoteThread, in_thread

Group = scheduler.TaskletGroup


def fail(error=KeyError, turns=1):
    for _ in range(turns):
        scheduler.schedule()
    raise error


def sleep_for_ever(log=None, name="killed"):
    """Waits for what does not come, and notes that it was killed."""
    try:
        scheduler.channel().receive()
    except scheduler.TaskletExit:
        if log is not None:
            log.append(name)
        raise


def stay(log, turns=3):
    """Needs some turns to die."""
    try:
        scheduler.schedule_remove()
    finally:
        for _ in range(turns):
            scheduler.schedule()
        log.append("stayed")


def kinds(group):
    """The types in an ExceptionGroup."""
    return [type(error) for error in group.exceptions]


def failing(body):
    """The ExceptionGroup that `body` must raise, without what its tracebacks keep."""
    with pytest.raises(BaseExceptionGroup) as caught:
        body()
    return caught.value


@pytest.fixture(params=["main", "tasklet"])
def play(request, mode):
    """Calls a function in the main tasklet or in another one, in nested and flat mode: what it returns or
    raises."""

    def in_tasklet(function):
        task = scheduler.tasklet()
        task.dont_raise = True
        task.bind(function)()
        return task.result()

    return in_tasklet if request.param == "tasklet" else lambda function: function()


# ---- without failures ----------------------------------------------------------------------------


def test_leaving_waits_for_all(play):
    log = []

    def work(name, turns):
        for _ in range(turns):
            scheduler.schedule()
        log.append(name)
        return name

    def body():
        with Group() as group:
            members = [group.start(work, name, turns) for turns, name in enumerate("abc")]
            members.append(group.start(work, name="d", turns=0))
            assert log == [] and all(member.alive for member in members)
        assert sorted(log) == ["a", "b", "c", "d"]
        return [member.result() for member in members]

    assert play(body) == ["a", "b", "c", "d"]


def test_an_empty_group(play):
    def body():
        with Group() as group:
            assert isinstance(group, Group)
        with Group():
            scheduler.schedule()

    play(body)


def test_members_start_members(play):
    log = []

    def work(depth):
        scheduler.schedule()
        if depth:
            group.start(work, depth - 1)
            group.start(work, depth - 1)
        log.append(depth)

    group = Group()

    def body():
        with group:
            group.start(work, 3)

    play(body)
    assert sorted(log) == [0] * 8 + [1] * 4 + [2] * 2 + [3]


def test_many_members_leave_nothing_behind():
    with Group() as group:
        for _ in range(20):
            for _ in range(50):
                group.start(len, "")
            scheduler.run()
        assert scheduler.get_active_tasklet_count() < 300


def test_a_member_is_killed_and_has_not_failed(play):
    def body():
        with Group() as group:
            member = group.start(scheduler.schedule_remove)
            unstarted = group.start(len, "")
            unstarted.kill(pending=True)
            scheduler.schedule()
            member.kill(pending=True)
        assert "was killed" in message(member.result)

    play(body)


def test_a_member_is_a_tasklet_as_any_other(play):
    names = []

    def body():
        with Group() as group:
            member = group.start(len, "")
            names.append((member.name, member.method_name, member.dont_raise))

    play(body)
    assert names == [("len", "len", False)]


# ---- failures ------------------------------------------------------------------------------------


def test_the_first_failure_kills_the_rest(play):
    log = []

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            members.append(group.start(fail, KeyError("mine")))
            group.start(sleep_for_ever, log)

    members = []
    error = failing(lambda: play(body))
    assert type(error) is ExceptionGroup and kinds(error) == [KeyError]
    assert error.__suppress_context__ and error.__cause__ is None
    assert log == ["killed", "killed"]
    with pytest.raises(KeyError) as caught:
        members[0].result()
    assert caught.value is error.exceptions[0]
    scheduler.run()


@pytest.mark.parametrize("where", ["receive", "schedule", "run", "join", "sleep", "paused", "result"])
def test_the_body_is_interrupted_where_it_waits(play, where):
    log = []
    idle = started(scheduler.schedule_remove)

    def spin():
        while True:
            scheduler.schedule()

    def wait():
        waits = {
            "receive": channel().receive,
            "schedule": scheduler.schedule,
            "run": scheduler.run,
            "join": idle.join,
            "sleep": lambda: scheduler.sleep(60),
            "paused": scheduler.schedule_remove,
            "result": idle.result,
        }
        while True:
            waits[where]()

    def body():
        with Group() as group:
            group.start(spin)
            group.start(fail, turns=3)
            try:
                wait()
            except Exception:
                log.append("an Exception")
            except BaseException as error:
                log.append(type(error).__name__)
                raise

    begin = time.monotonic()
    assert kinds(failing(lambda: play(body))) == [KeyError]
    assert time.monotonic() - begin < 30
    assert log == ["_Interrupt"]
    idle.kill()
    scheduler.run()


def test_the_body_is_interrupted_in_a_run_of_its_own(play):
    """The failing member is run by another tasklet, which the body runs."""

    def body():
        with Group() as group:
            member = group.start(fail)
            group.start(sleep_for_ever)
            queued(member.run)
            scheduler.run()
            scheduler.sleep(60)

    assert kinds(failing(lambda: play(body))) == [KeyError]
    scheduler.run()


def test_a_body_that_swallows_the_interrupt(play):
    def body():
        with Group() as group:
            group.start(fail)
            try:
                scheduler.sleep(60)
            except BaseException:
                assert "ending" in message(group.start, len, "")

    assert kinds(failing(lambda: play(body))) == [KeyError]


def test_nothing_of_the_interrupt_is_left(play):
    """The failure comes while what the body does succeeds all the same."""

    def body():
        ch = channel(1)

        def serve_and_fail():
            ch.send("value")
            raise KeyError

        with pytest.raises(ExceptionGroup), Group() as group:
            group.start(serve_and_fail)
            assert ch.receive() == "value"
        for _ in range(3):
            scheduler.schedule()
        scheduler.sleep(0.001)
        queued(ch.send, 5)
        assert ch.receive() == 5

    play(body)


def test_an_exception_of_the_body(play):
    log = []

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            scheduler.schedule()
            raise ValueError("body")

    error = failing(lambda: play(body))
    assert type(error) is ExceptionGroup and kinds(error) == [ValueError]
    assert log == ["killed"]


def test_what_members_raise_while_they_die_is_told(play):
    def die_badly(error):
        try:
            scheduler.schedule_remove()
        finally:
            scheduler.schedule()
            raise error

    def body():
        with Group() as group:
            group.start(die_badly, KeyError)
            group.start(die_badly, OSError)
            scheduler.schedule()
            raise ValueError

    assert set(kinds(failing(lambda: play(body)))) == {ValueError, KeyError, OSError}


def test_a_base_exception_makes_a_base_exception_group(play):
    class Odd(BaseException):
        pass

    def body():
        with Group() as group:
            group.start(fail, Odd)

    error = failing(lambda: play(body))
    assert type(error) is BaseExceptionGroup and kinds(error) == [Odd]


@pytest.mark.parametrize("who", ["member", "body"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_some_come_out_as_they_are(play, who, kind):
    log, error = [], kind("mine")

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            scheduler.schedule()
            if who == "body":
                raise error
            group.start(fail, error)

    with pytest.raises(kind) as caught:
        play(body)
    assert caught.value is error
    assert log == ["killed"]
    error.__traceback__ = error.__context__ = None


def test_an_error_thrown_at_a_member_that_has_not_run(play):
    log = []

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            scheduler.schedule()
            group.start(len, "").throw(KeyError, pending=True)

    assert kinds(failing(lambda: play(body))) == [KeyError]
    assert log == ["killed"]


def test_the_failure_of_another_tasklet_is_mains():
    log = []

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            queued(fail)

    assert kinds(failing(body)) == [KeyError]
    assert log == ["killed"]


def test_a_deadlock_kills_the_members(run_script):
    program = """
        import scheduler
        def wait():
            try:
                scheduler.channel().receive()
            finally:
                scheduler.channel().receive()
        try:
            with scheduler.TaskletGroup() as group:
                member = group.start(wait)
        except ExceptionGroup as error:
            print([str(e)[:8] for e in error.exceptions], member.alive)
        def survive():
            while True:
                try:
                    scheduler.channel().receive()
                except BaseException:
                    pass
        try:
            with scheduler.TaskletGroup() as group:
                member = group.start(survive)
        except ExceptionGroup as error:
            print({str(e)[:8] for e in error.exceptions}, member.alive, flush=True)
        import os
        os._exit(0)
    """
    out = run_script(program).stdout
    assert out == "['Deadlock', 'Deadlock'] False\n{'Deadlock'} True\n"


# ---- groups in groups ----------------------------------------------------------------------------


def test_an_inner_group_fails_and_the_outer_goes_on(play):
    log = []

    def quick():
        scheduler.schedule()
        log.append("outer member")

    def body():
        with Group() as outer:
            outer.start(quick)
            try:
                with Group() as inner:
                    inner.start(sleep_for_ever, log, "inner member")
                    inner.start(fail)
            except ExceptionGroup:
                log.append("caught")

    play(body)
    assert log.index("inner member") < log.index("caught")
    assert "outer member" in log


@pytest.mark.parametrize("where", ["body", "exit"])
def test_the_outer_group_fails_while_the_tasklet_is_in_the_inner(play, where):
    log = []

    def body():
        with Group() as outer:
            outer.start(fail, turns=2)
            with Group() as inner:
                inner.start(sleep_for_ever, log)
                scheduler.schedule()
                if where == "body":
                    scheduler.sleep(60)
            log.append("not reached")

    assert kinds(failing(lambda: play(body))) == [KeyError]
    assert log == ["killed"]


def test_both_groups_fail(play):
    """The inner group's exception does not make the outer group's failure wait for the end of its body."""
    log = []
    is_main = play(scheduler.getcurrent).is_main

    def body():
        with Group() as outer:
            outer.start(fail, KeyError)
            try:
                with Group() as inner:
                    inner.start(fail, OSError)
                    scheduler.sleep(60)
            except ExceptionGroup as error:
                log.extend(kinds(error))
            scheduler.sleep(60)

    assert kinds(failing(lambda: play(body))) == [KeyError]
    # A failure ends the run loop of a main tasklet: the inner member did not come to its own.
    assert log == ([] if is_main else [OSError])


def test_groups_of_members(play):
    def work(depth):
        with Group() as group:
            if depth == 0:
                raise KeyError
            for _ in range(2):
                group.start(work, depth - 1)

    error = failing(lambda: play(lambda: work(2)))
    assert error.subgroup(KeyError) is not None
    assert error.split(KeyError)[1] is None


# ---- killing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("where", ["body", "exit"])
def test_the_tasklet_in_the_block_is_killed(mode, where, pending):
    log = []

    def body():
        try:
            with Group() as group:
                group.start(stay, log)
                group.start(sleep_for_ever, log)
                if where == "body":
                    channel().receive()
        except scheduler.TaskletExit:
            log.append("goes on")
            raise

    owner = queued(body)
    for _ in range(3):
        scheduler.run()
    owner.kill(pending)
    scheduler.run()
    assert log == ["killed", "stayed", "goes on"]
    assert not owner.alive


@pytest.mark.parametrize("again", ["kill", "throw"])
def test_a_second_kill_does_not_end_the_wait(mode, again):
    log = []

    def body():
        try:
            with Group() as group:
                group.start(stay, log, 10)
                channel().receive()
        finally:
            log.append("left")

    owner = queued(body)
    scheduler.run()
    owner.kill(pending=True)
    scheduler.run_n_tasklets(4)
    assert owner.alive and log == []
    if again == "kill":
        owner.kill(pending=True)
        scheduler.run()
    else:
        owner.throw(OSError, pending=True)
        assert kinds(failing(scheduler.run)) == [OSError]
    assert log == ["stayed", "left"]
    assert not owner.alive


def die_badly():
    try:
        scheduler.schedule_remove()
    finally:
        raise KeyError


def test_a_member_fails_while_the_killed_tasklet_waits(mode):
    def body():
        with Group() as group:
            group.start(die_badly)
            channel().receive()

    owner = queued(body)
    scheduler.run()
    owner.kill(pending=True)
    assert kinds(failing(scheduler.run)) == [KeyError]
    assert not owner.alive


def test_an_error_thrown_at_the_body_comes_before_the_interrupt(mode):
    """Both are pending at the same time: none of the two is lost."""
    log = []

    def body():
        with Group() as group:
            member = group.start(fail, turns=0)
            try:
                channel().receive()
            except OSError:
                log.append("thrown")
            channel().receive()
        assert member

    owner = queued(body)
    scheduler.run_n_tasklets(1)
    queued(owner.throw, OSError, None, None, True)
    assert kinds(failing(scheduler.run)) == [KeyError]
    assert log == ["thrown"] and not owner.alive


def test_group_kill(play):
    log = []

    def body():
        with Group() as group:
            group.start(sleep_for_ever, log)
            group.start(sleep_for_ever, log)
            scheduler.schedule()
            group.kill()
            after = group.start(lambda: 5)
        assert after.result() == 5
        group.kill()

    play(body)
    assert log == ["killed", "killed"]


def test_group_kill_by_a_member(play):
    log = []

    def killer():
        try:
            group.kill()
        finally:
            log.append("killer")

    group = Group()

    def body():
        with group:
            group.start(sleep_for_ever, log)
            scheduler.schedule()
            group.start(killer)

    play(body)
    assert sorted(log) == ["killed", "killer"]


@pytest.mark.usefixtures("patient")
def test_group_kill_by_another_thread():
    entered = threading.Event()
    group, log = Group(), []

    def killer():
        assert entered.wait(60)
        group.kill()

    thread = threading.Thread(target=killer)
    thread.start()
    with group:
        group.start(sleep_for_ever, log)
        group.start(entered.set)
    thread.join()
    assert log == ["killed"]


# ---- signals, threads ----------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_control_c_while_a_member_runs():
    log = []

    def interrupt():
        signal.raise_signal(signal.SIGINT)
        scheduler.schedule()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Group() as group:
            group.start(sleep_for_ever, log)
            group.start(interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert log == ["killed"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_comes_while_members_are_killed_spares_none(monkeypatch, error):
    log, raised = [], []

    class Member(scheduler.tasklet):
        def kill(self, *args, **kwargs):
            if not raised:
                raised.append(error())
                raise raised[0]
            super().kill(*args, **kwargs)

    monkeypatch.setattr(scheduler.groups, "tasklet", Member)
    with pytest.raises(BaseException) as caught, Group() as group:
        for _ in range(3):
            group.start(sleep_for_ever, log)
        scheduler.schedule()
        raise KeyError
    assert log == ["killed"] * 3
    if error is KeyboardInterrupt:
        assert caught.value is raised[0]
    else:
        assert kinds(caught.value) == [KeyError, MemoryError]


def test_the_end_of_the_thread_of_a_group():
    other = RemoteThread().__enter__()
    log = []

    def body():
        try:
            with Group() as group:
                group.start(sleep_for_ever, log)
                channel().receive()
        finally:
            log.append("left")

    other.call(lambda: (queued(body), scheduler.run()) and None)
    other.end()
    assert sorted(log) == ["killed", "left"]


def test_a_group_in_a_thread():
    def thread_main():
        with Group() as group:
            member = group.start(lambda: 5)
        return member.result()

    assert in_thread(thread_main) == 5


@pytest.mark.parametrize("member", [sleep_for_ever, stay])
def test_a_tasklet_in_a_group_is_unwound(member):
    """It must not wait any more."""
    log = []

    def body():
        try:
            with Group() as group:
                group.start(member, log)
                scheduler.schedule()
                scheduler.schedule_remove()
        finally:
            log.append("left")

    owner = queued(body)
    scheduler.run()
    assert owner.paused
    owner.bind(None)
    assert not owner.alive and "left" in log
    scheduler.run()
    assert sorted(log) in (["killed", "left"], ["left", "stayed"])


def test_a_scope_that_has_expired_does_not_hide_that_no_wait_is_possible():
    seen = []

    def body():
        with scheduler.timeout(None) as scope:
            try:
                scheduler.schedule_remove()
            finally:
                seen.append(scheduler._can_wait())
                scope.reschedule(0)
                seen.append(scheduler._can_wait())

    owner = queued(body)
    scheduler.run()
    owner.bind(None)
    assert seen == [False, False]


# ---- wrong use -----------------------------------------------------------------------------------


def test_start_outside_of_the_block():
    group = Group()
    assert outcome(group.start, len, "") is RuntimeError
    assert "not entered" in message(group.start, len, "")
    with group:
        pass
    assert "over" in message(group.start, len, "")
    group.kill()


def test_start_on_another_thread():
    with Group() as group:
        assert "another thread" in message(in_thread, group.start, len, "")


@pytest.mark.parametrize("wrong", [None, 5])
def test_start_of_what_is_not_callable(wrong):
    with Group() as group:
        assert outcome(group.start, wrong) is TypeError
        assert outcome(group.start) is TypeError


def test_a_group_is_entered_once():
    group = Group()
    with group:
        assert "once" in message(group.__enter__)
    assert "once" in message(group.__enter__)


def test_a_group_is_left_by_who_has_entered_it():
    group, texts = Group(), []
    assert "without having been entered" in message(group.__exit__, None, None, None)
    with group:
        group.start(lambda: texts.append(message(group.__exit__, None, None, None)))
    assert "by the tasklet that has entered it" in texts[0]
    assert "without having been entered" in message(group.__exit__, None, None, None)


def test_under_a_switch_trap():
    log = []

    def body():
        with Group() as group:
            group.start(die_badly)
            scheduler.schedule()
            group.start(sleep_for_ever, log)
            scheduler.switch_trap(1)

    error = failing(body)
    scheduler.switch_trap(-1)
    assert "switch_trap" in str(error.exceptions[0])
    assert outcome(scheduler.run) is KeyError
    scheduler.run()
    assert log == []


def test_under_a_block_trap(play):
    def body():
        with scheduler.block_trap(), Group() as group:
            group.start(scheduler.schedule)

    play(body)


def test_in_a_schedule_callback():
    log = []

    def callback(*_):
        scheduler.set_schedule_callback(None)

        def body():
            with Group() as group:
                group.start(len, "")

        log.append(failing(body))

    scheduler.set_schedule_callback(callback)
    queued(scheduler.schedule)
    scheduler.run()
    assert "schedule callback" in str(log[0].exceptions[0])


def test_what_the_extension_refuses():
    task, main = scheduler.tasklet(len), scheduler.getmain()
    refused = [
        (5, (main, KeyError(), [])),
        (task, (5, KeyError(), [])),
        (task, (main, KeyError, [])),
        (task, (main, KeyError(), ())),
        (task, (main, KeyError())),
        (None, None),
    ]
    assert {outcome(scheduler._report_to, *arguments) for arguments in refused} == {TypeError}
    assert outcome(scheduler._report_to, task) is TypeError
    assert outcome(scheduler._report_to, main, (main, KeyError(), [])) is RuntimeError
    assert outcome(scheduler._interrupt, 5) is TypeError
