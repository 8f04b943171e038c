"""Exceptions sent over channels: send_exception and send_throw (C-30 to C-34)."""

from __future__ import annotations

import sys

import pytest

import scheduler
from support.exceptions import Instance, functions_in, make, raised_in
from support.scheduling import channel, started, trapped


class Special(LookupError):
    """Derived from the class that the tests send."""


def origin():
    """Where the errors with a traceback come from."""
    raise OSError(5, "disk")


def caught_by_receiver(drain, sending, preference=-1, receiver_first=True):
    """What a receiving tasklet catches when `sending(channel)` is called in another tasklet."""
    ch = channel(preference)
    caught = []

    def receive():
        try:
            ch.receive()
        except BaseException as error:
            caught.append(error)

    jobs = [lambda: sending(ch), receive]
    for job in reversed(jobs) if receiver_first else jobs:
        scheduler.tasklet(job)()
    drain()
    assert ch.balance == 0
    assert len(caught) == 1
    return caught[0]


SAME = Instance(LookupError, "same")
SUB = Instance(Special, "sub")

# arguments of the call, class that arrives, its args
NORMALISED_BY_SEND_EXCEPTION = [
    ((LookupError,), LookupError, ()),
    ((LookupError, None), LookupError, ()),
    ((LookupError, ()), LookupError, ()),
    ((LookupError, (1, 2)), LookupError, (1, 2)),
    ((LookupError, SAME), LookupError, ("same",)),
    ((LookupError, SUB), Special, ("sub",)),
    ((LookupError, "text"), LookupError, ("text",)),
    ((LookupError, [1, 2]), LookupError, ([1, 2],)),
    ((LookupError, 1, 2, 3), LookupError, (1, 2, 3)),
    ((LookupError, None, None), LookupError, (None, None)),
    ((LookupError, (1,), 2), LookupError, ((1,), 2)),
    ((KeyboardInterrupt,), KeyboardInterrupt, ()),
    ((SystemExit, 3), SystemExit, (3,)),
    ((SAME,), LookupError, ("same",)),
]

# keywords of the call, class that arrives, its args
NORMALISED_BY_SEND_THROW = [
    ({"exc": LookupError}, LookupError, ()),
    ({"exc": LookupError, "val": None}, LookupError, ()),
    ({"exc": LookupError, "val": ()}, LookupError, ()),
    ({"exc": LookupError, "val": (1, 2)}, LookupError, (1, 2)),
    ({"exc": LookupError, "val": SAME}, LookupError, ("same",)),
    ({"exc": LookupError, "val": "text"}, LookupError, ("text",)),
    ({"exc": LookupError, "val": [1, 2]}, LookupError, ([1, 2],)),
    ({"exc": KeyboardInterrupt}, KeyboardInterrupt, ()),
    ({"exc": SAME}, LookupError, ("same",)),
]


@pytest.mark.spec("C-30", "C-32", "D-30")
@pytest.mark.parametrize("receiver_first", [True, False])
@pytest.mark.parametrize(("args", "kind", "expected"), NORMALISED_BY_SEND_EXCEPTION, ids=repr)
def test_send_exception_normalises_its_arguments(drain, receiver_first, args, kind, expected):
    args = [make(arg) for arg in args]
    error = caught_by_receiver(
        drain, lambda ch: ch.send_exception(*args), receiver_first=receiver_first
    )
    assert (type(error), error.args) == (kind, expected)


@pytest.mark.spec("C-30", "C-31", "D-30", "D-32")
@pytest.mark.parametrize("receiver_first", [True, False])
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, scheduler.TaskletExit])
def test_an_instance_is_raised_as_it_is(drain, receiver_first, method, kind):
    instance = kind("as it is")
    error = caught_by_receiver(
        drain, lambda ch: getattr(ch, method)(instance), receiver_first=receiver_first
    )
    assert error is instance


@pytest.mark.spec("C-30")
@pytest.mark.parametrize("instance", [SAME, SUB])
def test_send_exception_with_an_instance_of_the_class_raises_that_instance(drain, instance):
    instance = make(instance)
    error = caught_by_receiver(drain, lambda ch: ch.send_exception(LookupError, instance))
    assert error is instance


@pytest.mark.spec("C-30", "D-30")
@pytest.mark.parametrize("extra", [("more",), (1, 2), (None, None)])
def test_send_exception_refuses_extra_arguments_with_an_instance(extra):
    ch = scheduler.channel()
    with pytest.raises(TypeError):
        ch.send_exception(ValueError("instance"), *extra)
    assert ch.balance == 0


@pytest.mark.spec("C-30")
@pytest.mark.parametrize("args", [(), ("text",), (None,), (object,), (int, 1), (3,)], ids=repr)
def test_send_exception_wants_an_exception(args):
    ch = scheduler.channel()
    with pytest.raises(RuntimeError):
        ch.send_exception(*args)
    assert ch.balance == 0


@pytest.mark.spec("C-31", "C-32", "D-30")
@pytest.mark.parametrize("receiver_first", [True, False])
@pytest.mark.parametrize(
    ("keywords", "kind", "expected"), NORMALISED_BY_SEND_THROW, ids=lambda value: repr(value)
)
@pytest.mark.parametrize("by_keyword", [True, False])
def test_send_throw_normalises_its_arguments(
    drain, receiver_first, keywords, kind, expected, by_keyword
):
    keywords = {name: make(value) for name, value in keywords.items()}

    def sending(ch):
        if by_keyword:
            ch.send_throw(**keywords)
        else:
            ch.send_throw(*keywords.values())

    error = caught_by_receiver(drain, sending, receiver_first=receiver_first)
    assert (type(error), error.args) == (kind, expected)
    if isinstance(keywords.get("val"), LookupError):
        assert error is keywords["val"]


@pytest.mark.spec("C-31")
def test_send_throw_wraps_an_instance_of_a_derived_class(drain):
    sub = make(SUB)
    error = caught_by_receiver(drain, lambda ch: ch.send_throw(LookupError, sub))
    assert type(error) is LookupError
    assert error.args == (sub,)


@pytest.mark.spec("C-31")
@pytest.mark.parametrize("exc", ["text", None, object, 3])
def test_send_throw_wants_an_exception(exc):
    ch = scheduler.channel()
    with pytest.raises(TypeError):
        ch.send_throw(exc)
    assert ch.balance == 0


@pytest.mark.spec("C-31", "D-30")
@pytest.mark.parametrize("tb", ["text", 1, object()], ids=["str", "int", "object"])
@pytest.mark.parametrize("receiver_waits", [True, False])
def test_send_throw_checks_the_traceback_at_the_call(tb, receiver_waits):
    ch = scheduler.channel()
    receiver = scheduler.tasklet(ch.receive)()
    if receiver_waits:
        scheduler.run()
    with pytest.raises(TypeError):
        ch.send_throw(ValueError, None, tb)
    assert ch.balance == (-1 if receiver_waits else 0)
    assert (receiver.alive, receiver.blocked) == (True, receiver_waits)
    receiver.kill()


@pytest.mark.spec("C-31", "P-15")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("receiver_first", [True, False])
def test_send_throw_carries_the_place_where_the_error_arose(drain, preference, receiver_first):
    def sending(ch):
        try:
            origin()
        except OSError:
            ch.send_throw(*sys.exc_info())

    error = caught_by_receiver(drain, sending, preference, receiver_first)
    assert (type(error), error.args) == (OSError, (5, "disk"))
    names = functions_in(error.__traceback__)
    assert names[0] == "receive"
    assert names[-1] == "origin"


@pytest.mark.spec("C-31")
def test_a_given_traceback_is_put_on_a_new_exception(drain):
    trace = raised_in(origin)[2]
    error = caught_by_receiver(drain, lambda ch: ch.send_throw(ValueError, "v", trace))
    assert (type(error), error.args) == (ValueError, ("v",))
    assert functions_in(error.__traceback__)[-1] == "origin"


@pytest.mark.spec("C-30", "C-11", "P-15")
@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("sender_waits", [True, False])
def test_main_receives_the_exception_as_a_raise(drain, sender_waits):
    ch = scheduler.channel()
    scheduler.tasklet(ch.send_exception)(ValueError, 1, 2, 3)
    if sender_waits:
        drain()
        assert ch.balance == 1
    with pytest.raises(ValueError) as caught:
        ch.receive()
    assert caught.value.args == (1, 2, 3)
    drain()
    assert ch.balance == 0


@pytest.mark.spec("P-15", "C-20")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_the_served_sender_is_queued(method):
    ch = scheduler.channel()
    first = scheduler.tasklet(getattr(ch, method))(ValueError)
    first.run()
    with pytest.raises(ValueError):
        ch.receive()
    assert scheduler.getruncount() == 2
    second = scheduler.tasklet(getattr(ch, method))(ValueError)
    assert scheduler.getruncount() == 3
    second.run()
    assert scheduler.getruncount() == 2
    with pytest.raises(ValueError):
        ch.receive()
    assert scheduler.getruncount() == 3
    scheduler.run()


@pytest.mark.spec("C-33")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
@pytest.mark.parametrize("preference", [-1, 0, 1])
def test_preference_rules_sent_exceptions_as_values(drain, method, preference):
    ch = channel(preference)
    log = []

    def receiver():
        try:
            ch.receive()
        except ValueError:
            log.append("receiver")

    started(receiver)
    getattr(ch, method)(ValueError)
    log.append("main")
    drain()
    assert log == (["receiver", "main"] if preference == -1 else ["main", "receiver"])


@pytest.mark.spec("C-33", "B-01", "B-10", "C-40")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_callback_traps_and_closing_treat_them_as_sends(method):
    ch = scheduler.channel()
    send = getattr(ch, method)
    main = scheduler.getmain()
    seen = []
    scheduler.set_channel_callback(lambda *args: seen.append(args))
    try:
        main.block_trap = True
        with pytest.raises(RuntimeError, match="block_trap"):
            send(ValueError)
        main.block_trap = False
        with trapped(), pytest.raises(RuntimeError, match="Deadlock"):
            send(ValueError)
        ch.close()
        with pytest.raises(ValueError):
            send(LookupError)
    finally:
        main.block_trap = False
        scheduler.set_channel_callback(None)
    assert seen == [(ch, main, True, True)] * 3
    assert ch.balance == 0


@pytest.mark.spec("C-34", "E-20", "E-21")
@pytest.mark.usefixtures("mode")
def test_an_uncaught_sent_exception_ends_the_receiver(drain):
    ch = channel(0)
    receiver = started(ch.receive)
    ch.send_exception(LookupError, "gone")
    with pytest.raises(LookupError, match="gone"):
        drain()
    assert (receiver.alive, receiver.blocked, receiver.scheduled) == (False, False, False)

    receiver = started(ch.receive)
    ch.send_exception(scheduler.TaskletExit)
    assert drain() is None
    assert receiver.alive is False


@pytest.mark.spec("C-10", "C-50", "D-51")
@pytest.mark.parametrize("method", ["send_exception", "send_throw"])
def test_a_killed_sender_of_an_exception_leaves_no_references(method):
    class Local(Exception):
        """Its references are counted."""

    value = Local("value")
    ch = scheduler.channel()
    before = (sys.getrefcount(Local), sys.getrefcount(value))
    sender = started(getattr(ch, method), Local, value)
    assert ch.balance == 1
    sender.kill()
    assert (ch.balance, sender.alive) == (0, False)
    del sender
    assert (sys.getrefcount(Local), sys.getrefcount(value)) == before
