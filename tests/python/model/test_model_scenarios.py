"""The pinned scenarios (section 17), played with the model and with the module."""

from __future__ import annotations

import pytest

from model import Model, end_threads

NESTED_AND_FLAT = pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])


@pytest.fixture(params=["model", "module"])
def api(request: pytest.FixtureRequest):
    """Something with the functions of the module."""
    if request.param == "model":
        yield Model()
        end_threads()
        return
    import scheduler

    yield scheduler
    scheduler.set_use_nested_tasklets(True)
    scheduler.set_schedule_callback(None)
    scheduler.set_channel_callback(None)


@pytest.fixture(params=["run", "steps"])
def finish(request: pytest.FixtureRequest, api):
    """Empties the queue."""

    def by_steps() -> None:
        while api.getruncount() > 1:
            api.run_n_tasklets(1)

    return api.run if request.param == "run" else by_steps


def channel(api, preference: int = -1):
    made = api.channel()
    made.preference = preference
    return made


# ------------------------------------------------------------------------------- order of turns


@pytest.mark.spec("P-01")
def test_run_from_the_middle(api) -> None:
    log: list[int] = []
    tasks = [api.tasklet(log.append)(n) for n in (1, 2, 3)]
    assert api.getruncount() == 4
    tasks[1].run()
    assert (log, api.getruncount()) == ([2, 3], 2)
    tasks[0].run()
    assert (log, api.getruncount()) == ([2, 3, 1], 1)
    tasks = [api.tasklet(log.append)(n) for n in (4, 5, 6)]
    tasks[0].run()
    assert (log, api.getruncount()) == ([2, 3, 1, 4, 5, 6], 1)


@pytest.mark.spec("P-02")
@NESTED_AND_FLAT
def test_tasklet_runs_the_first_it_made(api, finish, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    log: list[int] = []

    def crew() -> None:
        made = [api.tasklet(log.append)(n) for n in (2, 3, 4)]
        made[0].run()

    api.tasklet(log.append)(1)
    api.tasklet(crew)()
    api.tasklet(log.append)(5)
    finish()
    assert log == ([1, 2, 3, 4, 5] if nested else [1, 2, 5, 3, 4])
    assert api.getruncount() == 1


@pytest.mark.spec("P-03")
@NESTED_AND_FLAT
def test_nested_run_over_one_that_yields(api, finish, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    log: list[int] = []

    def crew() -> None:
        second = api.tasklet(log.append)(2)
        api.tasklet(api.schedule)()
        api.tasklet(log.append)(3)
        second.run()

    api.tasklet(log.append)(1)
    api.tasklet(crew)()
    api.tasklet(log.append)(4)
    finish()
    assert log == ([1, 2, 3, 4] if nested else [1, 2, 4, 3])
    assert api.getruncount() == 1


@pytest.mark.spec("P-04")
@NESTED_AND_FLAT
def test_two_levels_of_run(api, finish, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    log: list[int] = []

    def inner() -> None:
        third = api.tasklet(log.append)(3)
        api.tasklet(api.schedule)()
        api.tasklet(log.append)(4)
        third.run()

    def outer() -> None:
        second = api.tasklet(log.append)(2)
        api.tasklet(api.schedule)()
        api.tasklet(inner)()
        api.tasklet(log.append)(5)
        second.run()

    api.tasklet(log.append)(1)
    api.tasklet(outer)()
    api.tasklet(log.append)(6)
    finish()
    assert log == ([1, 2, 3, 4, 5, 6] if nested else [1, 2, 6, 3, 5, 4])
    assert api.getruncount() == 1


@pytest.mark.spec("P-05")
@NESTED_AND_FLAT
def test_nested_run_and_a_channel(api, finish, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    log: list[int] = []
    line = api.channel()

    def second() -> None:
        line.receive()
        two = api.tasklet(log.append)(2)
        api.tasklet(log.append)(3)
        two.run()

    def first() -> None:
        one = api.tasklet(log.append)(1)
        api.tasklet(second)()
        one.run()
        line.receive()

    api.tasklet(log.append)(0)
    api.tasklet(first)()
    api.tasklet(line.send)("mail")
    finish()
    assert log == ([0, 1, 2, 3] if nested else [0, 1])
    assert (api.getruncount(), line.balance) == (1, -1)
    line.send("mail")
    finish()
    assert (log, line.balance, api.getruncount()) == ([0, 1, 2, 3], 0, 1)


@pytest.mark.spec("P-06")
def test_schedule_callback_with_a_channel(api, finish) -> None:
    line = api.channel()
    names = {api.getmain(): "m"}
    names[api.tasklet(line.send)(1)] = "s"
    names[api.tasklet(line.receive)()] = "r"
    log: list[str] = []
    api.set_schedule_callback(
        lambda previous, following: log.extend(names[previous] + names[following])
    )
    finish()
    assert "".join(log) == "mssmmrrmmssm"


@pytest.mark.spec("P-06")
def test_schedule_callback_with_trivial_tasklets(api, finish) -> None:
    log: list = []
    api.set_schedule_callback(lambda previous, following: log.extend((previous, following)))
    main = api.getmain()
    tasks = [api.tasklet(len)("") for _ in range(3)]
    finish()
    assert log == [entry for task in tasks for entry in (main, task, task, main)]


@pytest.mark.spec("P-07")
def test_schedule_from_main(api) -> None:
    seen: list[bool] = []
    api.tasklet(lambda: seen.append(api.getmain().scheduled))()
    assert api.getruncount() == 2
    api.schedule()
    assert (api.getruncount(), seen) == (1, [True])


@pytest.mark.spec("P-08")
def test_schedule_remove_in_a_nested_tasklet(api) -> None:
    log: list = []

    def sleeper() -> None:
        api.tasklet(waker)(api.getcurrent())
        log.append(api.getruncount())
        api.schedule_remove()
        log.append(api.getruncount())

    def waker(task) -> None:
        log.append(task.scheduled)
        task.insert()

    api.tasklet(sleeper)().run()
    api.run()
    assert log == [3, False, 2]
    assert api.getruncount() == 1


@pytest.mark.spec("P-09")
def test_order_around_a_send_and_a_nested_drive(api) -> None:
    log: list[str] = []
    line = api.channel()

    def bar() -> None:
        for name in "abcd":
            api.tasklet(log.append)(name)
        line.send(None)
        for name in "efg":
            api.tasklet(log.append)(name)
        api.run()

    api.tasklet(bar)().run()
    line.receive()
    api.run()
    assert "".join(log) == "abcdefg"


# ------------------------------------------------------------------------------------- channels


@pytest.mark.spec("P-10")
def test_sender_that_makes_tasklets_between_its_sends(api) -> None:
    log: list = []
    line = api.channel()

    def sender() -> None:
        for name, value in zip("abc", (1, 2, 3), strict=True):
            api.tasklet(log.append)(name)
            line.send(value)
        api.tasklet(log.append)("d")

    api.tasklet(sender)().run()
    assert api.getruncount() == 2
    for _ in range(3):
        log.append(line.receive())
    assert log == [1, "a", 2, "b", 3]
    api.run()
    assert log[5:] == ["c", "d"]


@pytest.mark.spec("P-11")
@pytest.mark.parametrize("senders_first", [True, False])
@NESTED_AND_FLAT
def test_preference_for_the_sender(api, finish, senders_first: bool, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    line, log = channel(api, 1), []

    def sender(n: int) -> None:
        line.send(n)
        log.append(("sent", n))

    def receiver() -> None:
        log.append(("received", line.receive()))

    for part in ("senders", "receivers") if senders_first else ("receivers", "senders"):
        for n in range(3):
            api.tasklet(sender)(n) if part == "senders" else api.tasklet(receiver)()
    finish()
    assert log == [(what, n) for what in ("sent", "received") for n in range(3)]


@pytest.mark.spec("P-12")
def test_preference_for_a_receiving_main(api, finish) -> None:
    line, done = channel(api, -1), []

    def sender(n: int) -> None:
        line.send(n)
        done.append(n)

    for n in range(10):
        api.tasklet(sender)(n).run()
    assert line.balance == 10
    assert [line.receive() for _ in range(10)] == list(range(10))
    assert done == []
    finish()
    assert done == list(range(10))


@pytest.mark.spec("P-12")
@NESTED_AND_FLAT
def test_preference_for_a_looping_receiver(api, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    line, got = channel(api, -1), []

    def receiver() -> None:
        for _ in range(10):
            got.append(line.receive())

    api.tasklet(receiver)().run()
    for n in range(10):
        line.send(n)
        assert got == list(range(n + 1))


@pytest.mark.spec("P-13")
def test_preference_for_nobody(api, finish) -> None:
    line, got = channel(api, 0), []
    api.tasklet(lambda: got.append(line.receive()))()
    finish()
    line.send("mail")
    assert (got, api.getruncount()) == ([], 2)
    finish()
    assert got == ["mail"]


@pytest.mark.spec("P-14")
@NESTED_AND_FLAT
def test_preference_for_nobody_with_many(api, finish, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    line, log = channel(api, 0), []

    def sender(n: int) -> None:
        api.tasklet(log.append)("ns")
        line.send(n)
        log.append(("sender", n))

    def receiver(n: int) -> None:
        api.tasklet(log.append)("nr")
        assert line.receive() == n
        log.append(("receiver", n))

    for n in range(2):
        api.tasklet(log.append)(n)
    for task in (sender, receiver):
        for n in range(10):
            api.tasklet(task)(n)
    for n in range(2, 7):
        api.tasklet(log.append)(n)
    finish()
    expected: list = [0, 1, *(("receiver", n) for n in range(10)), *range(2, 7), *["ns"] * 10]
    for n in range(10):
        expected += ["nr", ("sender", n)]
    assert len(log) == 47
    assert log == expected


@pytest.mark.spec("P-15")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_waiting_sender_of_an_exception(api, method: str) -> None:
    line = api.channel()
    send = getattr(line, method)
    api.tasklet(send)(LookupError, "gone").run()
    with pytest.raises(LookupError, match="gone"):
        line.receive()
    assert api.getruncount() == 2
    second = api.tasklet(send)(KeyError)
    assert api.getruncount() == 3
    second.run()
    assert api.getruncount() == 2
    with pytest.raises(KeyError):
        line.receive()
    api.run()


@pytest.mark.spec("P-16")
@pytest.mark.parametrize("operation", ["send", "receive"])
@NESTED_AND_FLAT
def test_deadlock_of_main_comes_after_the_whole_queue(api, operation: str, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    line, log = api.channel(), []
    for n in range(10):
        api.tasklet(log.append)(n)
    with pytest.raises(RuntimeError, match="Deadlock"):
        line.send(1) if operation == "send" else line.receive()
    assert log == list(range(10))
    assert (line.balance, api.getmain().blocked) == (0, False)


@pytest.mark.spec("P-17")
@pytest.mark.parametrize("operation", ["send", "receive"])
@pytest.mark.parametrize("how", ["kill", "raise"])
def test_closing_channel_closes_with_the_last_of_the_line(api, operation: str, how: str) -> None:
    line = api.channel()
    wait = (lambda: line.send(1)) if operation == "send" else line.receive
    tasks = [api.tasklet(wait)() for _ in range(2)]
    api.run()
    line.close()
    for task, closed in zip(tasks, (False, True), strict=True):
        task.kill() if how == "kill" else task.raise_exception(api.TaskletExit)
        assert line.closed is closed
    assert line.balance == 0


@pytest.mark.spec("P-18")
@pytest.mark.parametrize("operation", ["send", "receive"])
@NESTED_AND_FLAT
def test_interrupted_tasklet_waits_again_at_the_end(api, operation: str, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    line, served = api.channel(), []
    wait = (lambda: line.send(1)) if operation == "send" else line.receive

    def stubborn(name: str) -> None:
        try:
            wait()
        except RuntimeError:
            wait()
        served.append(name)

    first, second = api.tasklet(stubborn)("first"), api.tasklet(stubborn)("second")
    api.run()
    first.raise_exception(RuntimeError)
    assert line.balance == (2 if operation == "send" else -2)
    assert line.queue is second
    for _ in range(2):
        line.receive() if operation == "send" else line.send(1)
        api.run()
    assert served == ["second", "first"]


@pytest.mark.spec("P-19")
def test_nested_driver_blocks_behind_those_it_ran(api) -> None:
    line, served = api.channel(), []

    def receiver(n: int) -> None:
        line.receive()
        served.append(n)

    def driver() -> None:
        for n in range(10):
            api.tasklet(receiver)(n).run()
        receiver(10)

    api.tasklet(driver)().run()
    assert line.balance == -11
    for n in range(11):
        line.send(n)
        assert served == list(range(n + 1))
    assert line.balance == 0


# ----------------------------------------------------------------------------------------- kill


@pytest.mark.spec("P-20")
@pytest.mark.parametrize("pending", [True, False])
def test_kill_of_a_suspended_tasklet(api, pending: bool) -> None:
    log: list[str] = []

    def victim() -> None:
        try:
            api.schedule()
        except api.TaskletExit:
            log.append("killed")
            raise

    task = api.tasklet(victim)()
    task.run()
    assert api.getruncount() == 2
    task.kill(pending=pending)
    if pending:
        assert (log, task.alive, api.getruncount()) == ([], True, 2)
        task.run()
    assert (log, task.alive, api.getruncount()) == (["killed"], False, 1)


@pytest.mark.spec("P-21")
@pytest.mark.parametrize("preference", [1, -1])
def test_pending_kill_during_a_transfer(api, finish, preference: int) -> None:
    """The one that the preference suspends is killed by its partner before it resumes."""
    line, log = channel(api, preference), []

    def victim() -> None:
        line.receive() if preference == 1 else line.send("mail")
        log.append("must not run")

    def partner() -> None:
        line.send("mail") if preference == 1 else line.receive()
        task.kill(pending=True)

    other = api.tasklet(partner)()
    task = api.tasklet(victim)()
    finish()
    assert (log, task.alive, other.alive, line.balance) == ([], False, False, 0)


@pytest.mark.spec("P-22")
@NESTED_AND_FLAT
def test_kill_of_the_first_of_three_new_tasklets(api, nested: bool) -> None:
    api.set_use_nested_tasklets(nested)
    log: list[int] = []
    tasks = [api.tasklet(log.append)(n) for n in range(3)]
    tasks[0].kill()
    assert (log, api.getruncount()) == ([1, 2], 1)
    assert not tasks[0].alive


@pytest.mark.spec("P-24")
@pytest.mark.parametrize("sender_first", [True, False])
def test_channel_callback(api, sender_first: bool) -> None:
    line, log = api.channel(), []
    api.set_channel_callback(lambda *call: log.append(call))
    operations = [lambda: line.send(1), line.receive]
    tasks = [api.tasklet(operation)() for operation in operations[:: 1 if sender_first else -1]]
    api.run()
    assert log == [(line, tasks[0], sender_first, True), (line, tasks[1], not sender_first, False)]
