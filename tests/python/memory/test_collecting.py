"""Blocked tasklets that nobody can reach are found by the collector, and unwound (DEC-16).

Where it cannot find them they stay: then the tests kill them, and look for the same end. Each test runs
with collections when it asks for them, and with one at every opportunity.
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
import gc
import sys
import threading
import weakref

import pytest

import scheduler
from support.garbage_storm import Errand
from support.interpreter import FINDS_BLOCKED, HAS_GIL
from support.scheduling import queued, started
from support.threads import Worker, in_thread, other  # noqa: F401 (`other` is a fixture)
from support.waiting import wait

tasklets = scheduler.get_active_tasklet_count


@pytest.fixture(autouse=True, params=["asked", "eager"])
def collector(request):
    """Collections when the test asks for one, or as often as CPython can."""
    gc.collect()
    threshold = gc.get_threshold()
    if request.param == "eager":
        gc.set_threshold(1)
    else:
        gc.disable()
    yield
    gc.set_threshold(*threshold)
    gc.enable()


def blocked():
    """The blocked tasklets of all threads."""
    return [t for t in gc.get_objects() if issubclass(type(t), scheduler.tasklet) and t.blocked]


def collect(diary):
    """Collects; what that cannot find it leaves alone, and is killed here."""
    gc.collect()
    if not FINDS_BLOCKED:
        assert diary == []
        end_blocked()
    gc.collect()


def end_blocked():
    while waiting := [t for t in blocked() if not t.is_main]:
        while waiting:
            waiting.pop().kill()


# ---- shapes: each makes a blocked tasklet that nobody can reach, and calls `note` when that is unwound --


class Party:
    """A bound method as target, with the channel in an attribute."""

    def __init__(self, note):
        self.note, self.channel = note, scheduler.channel()

    def wait(self):
        try:
            self.channel.receive()
        finally:
            self.note()

    def __getattr__(self, name):
        self.wait()

    def __lt__(self, other):
        self.wait()


def wait_on(ch, note, operation):
    try:
        operation(ch)
    finally:
        assert ch.balance in (0, 1, -1)  # whole, whoever has been unwound before
        note()


def waiting(operation):
    """A shape whose tasklet waits in `operation(channel)`."""

    def make(note):
        started(wait_on, scheduler.channel(), note, operation)

    return make


def keyword(note):
    started(wait_on, operation=scheduler.channel.receive, note=note, ch=scheduler.channel())


def closure(note):
    def body():
        wait_on(ch, note, scheduler.channel.receive)

    ch = scheduler.channel()
    started(body)


def attribute(note):
    class Named(scheduler.tasklet):
        pass

    task = Named(lambda: wait_on(task.channel, note, scheduler.channel.receive))
    task.channel = scheduler.channel()
    task().run()


def below_generator(ch):
    def generate():
        yield ch.receive()

    for _ in generate():
        pass


def below_delegation(ch):
    def generate():
        yield ch.receive()

    def delegate():
        yield from generate()

    next(delegate())


def below_coroutine(ch):
    async def inner():
        ch.receive()

    async def outer():
        await inner()

    outer().send(None)


def by_iteration(ch):
    for _ in ch:
        pass


def by_comprehension(ch):
    return [ch.receive() for _ in range(2)]


def below_star(ch, *args, **kwargs):
    if kwargs:
        ch.receive()
    below_star(ch, *args, key=ch)


def handling(ch):
    try:
        raise ValueError(ch)
    except ValueError as error:
        ch.error = error
        ch.receive()


def in_finally(ch):
    try:
        raise ValueError(ch)
    except ValueError:
        pass
    finally:
        ch.receive()


VARIABLE = contextvars.ContextVar("VARIABLE")


def in_context(ch):
    VARIABLE.set(ch)
    VARIABLE.get().receive()


def below_context_run(ch):
    contextvars.copy_context().run(in_context, ch)


def with_frame(ch):
    ch.frame = sys._getframe()
    ch.receive()


def queue_channel(operation):
    def make(note):
        started(wait_on, scheduler.QueueChannel(), note, operation)

    return make


class Room(scheduler.channel):
    """A channel with attributes."""


def room(operation):
    def make(note):
        started(wait_on, Room(), note, operation)

    return make


def knows_its_frame(note):
    ch = Room()
    task = started(wait_on, ch, note, scheduler.channel.receive)
    ch.task, ch.frame = task, task.frame


def joins_one_that_never_starts(note):
    def body():
        try:
            task.join()
        finally:
            note()

    task = scheduler.tasklet(len).bind(args=([],))
    started(body)


SHAPES = {
    "receive": waiting(scheduler.channel.receive),
    "send": waiting(lambda ch: ch.send(object())),
    "send itself": waiting(lambda ch: ch.send((ch, scheduler.getcurrent()))),
    "send an exception": waiting(lambda ch: ch.send_exception(ValueError, ch)),
    "keyword": keyword,
    "closure": closure,
    "bound method": lambda note: started(Party(note).wait),
    "attribute": attribute,
    "generator": waiting(below_generator),
    "delegation": waiting(below_delegation),
    "coroutine": waiting(below_coroutine),
    "iteration": waiting(by_iteration),
    "comprehension": waiting(by_comprehension),
    "star": waiting(below_star),
    "handling": room(handling),
    "finally": waiting(in_finally),
    "context": waiting(in_context),
    "context run": waiting(below_context_run),
    "frame": room(with_frame),
    "frame of the tasklet": knows_its_frame,
    "queue channel": queue_channel(scheduler.channel.receive),
    "queue channel's receive": queue_channel(scheduler.QueueChannel.receive),
    "queue channel's iteration": queue_channel(by_iteration),
    "join": joins_one_that_never_starts,
}


@pytest.mark.spec("DEC-16", "DEC-8", "T-18")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_blocked_tasklet_that_nobody_can_reach_is_unwound(shape):
    diary = []
    for _ in range(3):
        in_own_frame(SHAPES[shape], lambda: diary.append(scheduler.getcurrent().is_main))
    collect(diary)
    assert diary == [False] * 3


def in_own_frame(make, *args):
    make(*args)  # what it returns is dropped here


# ---- what C code in between holds is not seen: kept, or found, and never cleared too early -----------


def below_partial(ch):
    functools.partial(lambda ch: ch.receive(), ch)()


def below_exec(ch):
    exec("ch.receive()", {"ch": ch})


def below_class(ch):
    class Made:
        channel = ch
        ch.receive()


BELOW_C = {
    "sorted": waiting(lambda ch: sorted([ch, ch], key=lambda ch: ch.receive())),
    "list of map": waiting(lambda ch: list(map(lambda ch: ch.receive(), [ch]))),
    "reduce": waiting(lambda ch: functools.reduce(lambda ch, _: ch.receive(), [ch, ch])),
    "__getattr__": lambda note: started(lambda party: party.missing, Party(note)),
    "__lt__": lambda note: started(sorted, [Party(note), Party(note)]),
    "partial": waiting(below_partial),
    "exec": waiting(below_exec),
    "class": waiting(below_class),
}


@pytest.mark.spec("DEC-16")
@pytest.mark.parametrize("shape", BELOW_C)
def test_what_c_code_holds_is_not_freed_too_early(shape):
    diary = []
    for _ in range(3):
        in_own_frame(BELOW_C[shape], lambda: diary.append(None))
    gc.collect()
    assert FINDS_BLOCKED or diary == []
    end_blocked()
    gc.collect()
    assert diary == [None] * 3


@pytest.mark.spec("DEC-16")
@pytest.mark.parametrize("kind", ["generator", "coroutine"])
def test_generators_that_it_runs_are_closed_by_it_alone(kind):
    """Also one that is older, so that the collector comes to it first."""

    def generate(box):
        try:
            box.channel.receive()
            yield
        finally:
            diary.append("generator")

    async def await_(box):
        generate_ = generate(box)
        await Awaitable(generate_)

    class Awaitable:
        def __init__(self, generator):
            self.generator = generator

        def __await__(self):
            return self.generator

    def make():
        box = Party(None)
        box.generator = generate(box) if kind == "generator" else await_(box)
        box.task = started(lambda: wait_on(box.channel, done, lambda ch: box.generator.send(None)))
        return box

    def done():
        diary.append("tasklet")

    diary = []
    make()
    collect(diary)
    assert diary == ["generator", "tasklet"]
    del diary[:]
    box = make()
    gc.collect()
    assert diary == []
    box.channel.send(None)  # to the yield: the generator is suspended, and has yet to be closed
    scheduler.run()
    assert diary == ["tasklet"]
    del box
    gc.collect()
    assert diary == ["tasklet", "generator"]


# ---- many, groups ----------------------------------------------------------------------------------


@pytest.mark.spec("DEC-16")
def test_a_thousand_cycles():
    diary = []
    for _ in range(1000):
        closure(lambda: diary.append(None))
    collect(diary)
    assert len(diary) == 1000


@pytest.mark.spec("DEC-16")
@pytest.mark.parametrize("kind", ["channels", "join"])
def test_a_ring_of_ten(kind):
    """Each waits for the next one. One whose wait is over because the next one has ended goes on."""

    def body(ring, number):
        try:
            if kind == "join":
                ring[number - 1].join()
            else:
                ring[number].receive()
        finally:
            diary.append(number)
            assert kind == "join" or ring[number - 1].balance in (0, -1)

    def make():
        ring = [scheduler.channel() for _ in range(10)]
        members = [queued(body, ring, number) for number in range(10)]
        if kind == "join":
            ring[:] = members
        scheduler.run()
        return [weakref.ref(member) for member in ring]

    diary = []
    weak = make()
    collect(diary)
    scheduler.run()
    collect([])
    assert sorted(diary) == list(range(10))
    assert [ref() for ref in weak] == [None] * 10


@pytest.mark.spec("DEC-16")
@pytest.mark.parametrize("preference", [-1, 0, 1])
def test_one_that_is_served_by_the_end_of_another_goes_on(preference):
    def first(mine, partner):
        try:
            mine.receive()
        finally:
            partner.preference = preference
            try:
                partner.send("farewell")
            except scheduler.TaskletExit:
                diary.append("nobody to send to")
                raise

    def second(ch):
        try:
            diary.append(ch.receive())
        except scheduler.TaskletExit:
            diary.append("unwound")
            raise
        del ch
        scheduler.schedule()
        diary.append("went on")

    def make():
        mine, partner = Room(), Room()
        mine.other, partner.other = partner, mine
        order = [(first, mine, partner), (second, partner)]
        for args in order if first_made == "first" else order[::-1]:
            started(*args)

    outcomes = set()
    for first_made in ("first", "second"):
        diary = []
        make()
        gc.collect()
        if not FINDS_BLOCKED:
            next(t for t in blocked() if t.method_name == "first").kill()
        scheduler.run()
        gc.collect()
        outcomes.add(tuple(note for note in diary if note != "nobody to send to"))
        assert diary.count("unwound") + diary.count("went on") == 1
    assert outcomes <= {("farewell", "went on"), ("unwound",)}


# ---- who keeps it ------------------------------------------------------------------------------------


class Conversation:
    """A blocked tasklet, and who may hold on to it."""

    def __init__(self):
        self.diary = []
        self.channel = scheduler.channel()
        self.task = started(self.body, self.channel)

    def body(self, ch):
        try:
            self.diary.append(ch.receive())
        except scheduler.TaskletExit:
            self.diary.append("unwound")
            raise

    def drop(self, keep=None):
        """Forgets both; `keep(task, channel)` may hold on to something."""
        task, ch = self.task, self.channel
        self.task = self.channel = None
        return keep(task, ch) if keep is not None else None


def kept_by_function(task, ch):
    return lambda: ch


def kept_by_generator(task, ch):
    def generate():
        yield
        yield ch

    generator = generate()
    next(generator)
    return lambda: next(generator)


def kept_by_queued(task, ch):
    done = []
    queued(lambda ch: done.append(ch), ch)
    return lambda: scheduler.run() or done.pop()


def kept_by_new(task, ch):
    new = scheduler.tasklet(lambda ch: done.append(ch)).bind(args=(ch,))
    done = []
    return lambda: new.run() or done.pop()


def kept_by_value_under_way(task, ch):
    carrier = scheduler.channel()
    started(carrier.send, ch)
    return carrier.receive


def kept_by_blocked(task, ch):
    carrier = scheduler.channel()
    started(lambda ch: carrier.receive().append(ch), ch)
    done = []
    return lambda: carrier.send(done) or done.pop()


def kept_by_tasklet(task, ch):
    def get():
        ch = task.frame.f_locals["ch"]
        assert ch.queue is task
        return ch

    del ch
    return get


def kept_by_context(task, ch):
    context = contextvars.Context()
    context.run(VARIABLE.set, ch)
    return lambda: context[VARIABLE]


def kept_by_exception(task, ch):
    error = ValueError(ch)
    return lambda: error.args[0]


def kept_by_host(task, ch):
    """As a C program does that has a reference and no object for the collector to see."""
    ctypes.pythonapi.Py_IncRef.argtypes = ctypes.pythonapi.Py_DecRef.argtypes = [ctypes.py_object]
    ctypes.pythonapi.Py_IncRef(ch)
    address = id(ch)

    def get():
        held = ctypes.cast(address, ctypes.py_object).value
        ctypes.pythonapi.Py_DecRef(held)
        return held

    return get


def kept_by_item(task, ch):
    items = scheduler.QueueChannel()
    items.send(ch)
    return items.receive


KEEPERS = [value for name, value in list(globals().items()) if name.startswith("kept_by_")]


@pytest.mark.spec("DEC-16", "G-07")
@pytest.mark.parametrize("keep", KEEPERS, ids=lambda keep: keep.__name__[8:])
def test_it_is_kept_while_anything_refers_to_it(keep):
    conversation = Conversation()
    get = conversation.drop(keep)
    for _ in range(3):
        gc.collect()
    assert conversation.diary == []
    get().send("still here")
    scheduler.run()
    assert conversation.diary == ["still here"]


@pytest.mark.spec("DEC-16")
def test_a_weak_reference_does_not_keep_it_and_is_told():
    conversation = Conversation()
    told = []
    weak = [
        weakref.ref(kept, lambda ref: told.append(ref))
        for kept in (conversation.task, conversation.channel)
    ]
    conversation.drop()
    collect(conversation.diary)
    assert conversation.diary == ["unwound"]
    assert sorted(map(id, told)) == sorted(map(id, weak))
    assert [ref() for ref in weak] == [None, None]


@pytest.mark.spec("DEC-16")
def test_a_time_out_may_still_end_its_wait():
    def body():
        diary.append(task.join(0.05))

    diary = []
    task = scheduler.tasklet(len).bind(args=([],))
    started(body)
    body = None
    task = None
    for _ in range(3):
        gc.collect()
    assert diary == []
    assert scheduler.run(threadblock=True) is None
    assert diary == [False]


@pytest.mark.spec("DEC-16")
def test_frozen_objects_are_left_alone():
    conversation = Conversation()
    diary = conversation.diary
    count = gc.get_freeze_count()
    gc.freeze()
    assert gc.get_freeze_count() > count
    conversation.drop()
    del conversation
    gc.collect()
    assert diary == []
    gc.unfreeze()
    collect(diary)
    gc.freeze()  # as earlier_objects_frozen()
    assert diary == ["unwound"]


@pytest.mark.spec("DEC-16", "T-18")
@pytest.mark.parametrize("calls_base", [False, True])
def test_a_class_with_a_finalizer_of_its_own_is_left_alone(calls_base):
    class Careless(scheduler.tasklet):
        def __del__(self):
            if calls_base:
                super().__del__()

    diary = []
    Careless(wait_on)(scheduler.channel(), lambda: diary.append(None), by_iteration).run()
    gc.collect()
    assert diary == []
    end_blocked()
    assert diary == [None]


@pytest.mark.spec("DEC-16")
def test_the_collector_is_shown_who_waits():
    ch = scheduler.channel()
    task = started(ch.receive)
    assert (task in gc.get_referents(ch)) is FINDS_BLOCKED
    assert (ch in gc.get_referents(task)) is FINDS_BLOCKED
    main_waits = []

    def look():
        main_waits.append(scheduler.getmain() in gc.get_referents(ch))
        ch.send(None)

    task.kill()
    queued(look)
    ch.receive()
    scheduler.run()
    assert main_waits == [False]


# ---- after the collector has found it ------------------------------------------------------------------


@pytest.mark.spec("DEC-16")
def test_what_a_finalizer_brings_back_is_whole():
    class Phoenix(scheduler.channel):
        def __del__(self):
            saved.append(self)

    saved, diary = [], []
    started(wait_on, Phoenix(), lambda: diary.append(None), by_iteration)
    collect(diary)
    assert diary == [None]
    ch = saved.pop()
    assert (ch.balance, ch.queue) == (0, None)
    receiver = started(ch.receive)
    ch.send(None)
    scheduler.run()
    assert not receiver.alive


@pytest.mark.spec("DEC-16", "DEC-8")
def test_it_may_save_itself_from_its_finally_block():
    def body():
        ch = scheduler.channel()
        try:
            ch.receive()
        finally:
            saved.append((scheduler.getcurrent(), ch))

    saved = []
    started(body)
    collect(saved)
    ((task, ch),) = saved
    assert (task.alive, ch.balance) == (False, 0)
    task.bind(wait_on, (Room(), saved.clear, by_iteration)).run()  # and again
    del task, ch, body
    saved[0] = None
    gc.collect()
    if not FINDS_BLOCKED:
        assert saved == [None]
        end_blocked()
    assert saved == []


@pytest.mark.spec("DEC-16", "DEC-8")
def test_one_that_will_not_end_is_given_up(run_script):
    done = run_script(
        f"""
        import gc, scheduler, sys
        def stubborn(ch):
            while True:
                try:
                    ch.receive()
                except scheduler.TaskletExit:
                    pass
        reports = []
        sys.unraisablehook = lambda args: reports.append(args.exc_type.__name__)
        scheduler.tasklet(stubborn)(scheduler.channel())
        scheduler.run()
        gc.collect()
        gc.collect()
        print(reports == ["RuntimeError"] * {FINDS_BLOCKED:d}, scheduler.getruncount())
        """
    )
    assert done.stdout == "True 1\n"


class Box:
    """What a tasklet needs."""

    def __init__(self, diary):
        self.channel, self.name, self.diary = scheduler.channel(), "untouched", diary


def receive_and_yield(box):
    while True:
        yield box.channel.receive()


def remove(box):
    scheduler.schedule_remove()


def receive(box):
    box.channel.receive()


def receive_below_a_generator(box):
    next(box.generator)


def queue_its_partner(box):
    """The tasklet that is unwound first."""
    try:
        scheduler.schedule_remove()
    finally:
        box.channel.send(None) if box.task.blocked else box.task.insert()


def wait_again(wait, box):
    box.diary.append("on again")
    try:
        wait(box)
    finally:
        box.diary.append(box.name)


WAYS_TO_WAIT = [remove, *([receive, receive_below_a_generator] if FINDS_BLOCKED else [])]


@pytest.mark.spec("DEC-16", "DEC-8", "T-18")
@pytest.mark.skipif(not HAS_GIL, reason="without the GIL it is unwound though it has been queued")
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("wait", WAYS_TO_WAIT)
def test_one_that_goes_on_and_waits_again_before_the_collection_is_over_is_not_cleared(
    other, wait, elsewhere
):
    """The end of another one has queued it, so that it is not unwound. Finalizers are followed by a second
    look at who is reachable: by then it is not, and its own has been called."""

    def second(box):
        wait(box)
        wait_again(wait, box)

    def make():
        box = Box(diary)
        # The one that is unwound first: the one found first, or the one posted last.
        jobs = (second, queue_its_partner) if elsewhere else (queue_its_partner, second)
        box.tasks = {job: scheduler.tasklet(job)(box) for job in jobs}
        box.task = box.tasks[second]
        box.errand = Errand(run)
        box.generator = receive_and_yield(box)
        scheduler.run()
        return weakref.ref(box.task)

    def run():
        other.call(scheduler.run) if elsewhere else scheduler.run()

    diary = []
    gc.disable()
    task = other.call(make) if elsewhere else make()
    gc.collect()
    assert diary == ["on again"]
    for _ in range(2):
        gc.collect()
        run()
        assert diary == ["on again", "untouched"]
    assert task() is None


@pytest.mark.spec("DEC-16", "DEC-8", "T-18")
@pytest.mark.skipif(not HAS_GIL, reason="without the GIL it is unwound though it has been queued")
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("wait", WAYS_TO_WAIT[:2])  # a generator that does not run is closed
def test_one_that_has_its_turn_while_it_is_finalised_is_not_cleared_either(wait, at_once):
    """It has been queued, and drives the tasklet in which the collector runs."""

    def second(box):
        scheduler.schedule_remove()
        collecting.run()
        wait_again(wait, box)

    def make():
        box = Box(diary)
        box.first = started(queue_its_partner, box)
        box.errands = [Errand(scheduler.schedule_remove)]
        box.task = started(second, box)
        box.errands.append(Errand(scheduler.schedule_remove if at_once else int))
        return weakref.ref(box.task)

    diary = []
    gc.disable()
    collecting = queued(gc.collect)
    task = make()
    scheduler.run()
    while collecting.alive:
        collecting.run()
    assert diary == ["on again"]
    for _ in range(2):
        gc.collect()
        assert diary == ["on again", "untouched"]
    assert task() is None


@pytest.mark.spec("DEC-16", "DEC-8", "T-18")
@pytest.mark.parametrize("at_once", [False, True])
def test_one_that_has_never_run_when_it_is_found_is_unwound_later_as_any_other(at_once):
    """The finalizer had nothing to do."""

    def second(box):
        try:
            box.diary.append("begins")
            scheduler.schedule_remove()
        finally:
            box.diary.append(box.name)

    def make():
        box = Box(diary)
        box.first = started(queue_its_partner, box)
        box.task = scheduler.tasklet(second).bind(args=(box,))
        box.errand = Errand(scheduler.run if at_once else int)
        return weakref.ref(box.task)

    diary = []
    gc.disable()
    task = make()
    gc.collect()
    scheduler.run()
    assert diary == ["begins"]
    for _ in range(2):
        gc.collect()
        scheduler.run()
        assert diary == ["begins", "untouched"]
    assert task() is None


# ---- who collects, and where ---------------------------------------------------------------------------


def in_a_tasklet(collect):
    started(collect)


def in_a_blocked_partner(collect):
    """Which then goes on to be served."""
    ch = scheduler.channel()

    def body():
        collect()
        assert ch.receive() == "here"
        collect()

    started(body)
    ch.send("here")
    scheduler.run()


def in_one_that_is_unwound(collect):
    def body():
        try:
            scheduler.schedule_remove()
        finally:
            collect()

    started(body)


def in_a_schedule_callback(collect):
    scheduler.set_schedule_callback(lambda *pair: collect())
    started(len, "")
    scheduler.set_schedule_callback(None)
    started(len, "")


def in_a_channel_callback(collect):
    ch = scheduler.channel()
    scheduler.set_channel_callback(lambda *args: collect())
    task = started(ch.receive)
    ch.send(None)
    scheduler.set_channel_callback(None)
    scheduler.run()
    assert not task.alive


def on_another_thread(collect):
    in_thread(collect)
    scheduler.run()


PLACES = {
    place.__name__: place
    for place in (
        in_a_tasklet,
        in_a_blocked_partner,
        in_one_that_is_unwound,
        in_a_schedule_callback,
        in_a_channel_callback,
        on_another_thread,
    )
}


@pytest.mark.spec("DEC-16", "DEC-8")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.usefixtures("mode")
def test_it_is_unwound_by_its_thread_wherever_the_collector_runs(place):
    conversation = Conversation()
    conversation.body = None
    idents = conversation.diary = []
    for shape in ("receive", "send", "queue channel"):
        in_own_frame(SHAPES[shape], lambda: idents.append(threading.get_ident()))
    conversation.drop()
    PLACES[place](gc.collect)
    if not FINDS_BLOCKED:
        assert idents == []
        end_blocked()
    gc.collect()
    assert [entry for entry in idents if entry != "unwound"] == [threading.get_ident()] * 3


@pytest.mark.spec("DEC-16", "DEC-8", "H-05")
def test_two_threads_on_one_channel(other):
    def make(ch):
        started(wait_on, ch, lambda: diary.append(threading.get_ident()), by_iteration)

    diary = []
    ch = scheduler.channel()
    make(ch)
    other.call(make, ch)
    weak = weakref.ref(ch)
    del ch
    gc.collect()
    if FINDS_BLOCKED and diary == [threading.get_ident()]:
        other.call(scheduler.run)
    elif not FINDS_BLOCKED:
        assert diary == []
        weak().clear()
        other.call(scheduler.run)
    scheduler.run()
    gc.collect()
    assert sorted(diary) == sorted([threading.get_ident(), other.ident])
    assert weak() is None


@pytest.mark.spec("DEC-16", "DEC-8")
@pytest.mark.usefixtures("patient")
def test_a_parked_thread_unwinds_it_when_it_goes_on():
    def park():
        started(wait_on, scheduler.channel(), lambda: diary.append("unwound"), by_iteration)
        gate = scheduler.channel()
        gates.append(gate)
        parked.set()
        diary.append(gate.receive())
        scheduler.run()
        if not FINDS_BLOCKED:
            end_blocked()

    diary, gates, parked = [], [], threading.Event()
    worker = Worker(park)
    wait(parked)
    gc.collect()
    gates.pop().send("goes on")
    worker.join()
    assert sorted(diary) == ["goes on", "unwound"]


@pytest.mark.spec("DEC-16", "DEC-8")
def test_one_that_is_served_before_its_thread_hears_of_it_goes_on(other):
    class Saviour:
        def __del__(self):
            saved.append(self.channel)

    def make():
        conversation = Conversation()
        saviour = Saviour()
        saviour.channel = conversation.channel
        conversation.channel.saviour = saviour
        return conversation

    saved = []
    scheduler_channel, scheduler.channel = scheduler.channel, Room
    try:
        conversation = other.call(make)
    finally:
        scheduler.channel = scheduler_channel
    gc.disable()
    if FINDS_BLOCKED:
        conversation.drop()
        gc.collect()
        ch = saved.pop()
    else:
        ch = conversation.drop(lambda task, ch: ch)
    assert conversation.diary == []
    ch.send("in time")
    other.call(scheduler.run)
    assert conversation.diary == ["in time"]
    del ch.saviour, ch
    saved.clear()


@pytest.mark.spec("DEC-16")
@pytest.mark.usefixtures("mode")
def test_main_tasklets_and_drivers_are_never_found():
    ch = scheduler.channel()
    diary = []

    def serve():
        for _ in range(3):
            gc.collect()
        ch.send("main")

    def drive():
        box = Room()
        box.me = scheduler.getcurrent()
        started(gc.collect)
        gc.collect()
        diary.append(box.me is scheduler.getcurrent())

    queued(serve)
    assert ch.receive() == "main"
    queued(drive)
    scheduler.run()
    assert diary == [True]
