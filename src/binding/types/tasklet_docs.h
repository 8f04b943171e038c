// Docstrings of scheduler.Tasklet, its methods and its attributes. A method's text starts with the
// signature that inspect.signature() reads, up to the line of two dashes; the type's needs the last
// part of its tp_name there. All headers of docstrings share the namespace `docs`, and `run` is the
// name of a method as well as of a function: the inline namespace keeps the two symbols apart at
// link time. For the same reason no source file includes both this and function_docs.h.
#pragma once

namespace scheduler::binding::docs::inline tasklet_docs {

// ---- the type ----------------------------------------------------------------------------------

inline constexpr char tasklet[] = R"doc(Tasklet(callable=None, /, *, name='')
--

A piece of code with a C stack of its own that gives up control voluntarily.

scheduler.tasklet(callable) remembers the callable; calling the tasklet, or
setup(), gives it its arguments and puts it at the end of the runnables queue of
its thread, where scheduler.run() finds it. A tasklet belongs to the thread that
made it and never runs on another one. Its code runs in a copy of the contextvars
context of the code that gave it its arguments.

A tasklet ends when its callable returns or raises. An exception goes to whoever
was running tasklets at that moment (run(), schedule(), a channel operation of the
main tasklet...); only TaskletExit ends it silently. A finished tasklet can be
bound and set up again. A suspended tasklet that is destroyed is unwound:
TaskletExit is raised inside it, on its own thread, so that finally and with
blocks run.

Parameters:
    callable: what to run, or None to bind() one later. For a generator function
        or an async one, of which a call runs nothing, there is a RuntimeWarning.
    name: a str, see the attribute. Other keywords are ignored, with a
        RuntimeWarning; a derived class may take some for an __init__ or __new__
        of its own.

Returns:
    The new tasklet. It is not alive yet: it has no arguments. If it never gets
    any its callable never runs, of which a ResourceWarning tells at its end
    (Python shows those with -X dev or -W default).

Raises:
    TypeError: callable is neither callable nor None, name is no str, or there is
        more than one positional argument.
    RuntimeError: from every method and attribute of an instance whose subclass
        did not call the base class's __init__.

Threads:
    Any thread may make tasklets; they belong to it. Attributes may be read and
    set on any thread: what is read of a tasklet of another thread may be out of
    date at once. For the methods see there.

Example:
    >>> import scheduler
    >>> def greet(name):
    ...     print("hello,", name)
    >>> task = scheduler.tasklet(greet)("world")
    >>> task.alive, task.scheduled
    (True, True)
    >>> scheduler.run()
    hello, world
    >>> task.alive
    False)doc";

inline constexpr char tasklet_class_getitem[] = R"doc(__class_getitem__($type, item, /)
--

For annotations: tasklet[[int, str]] runs a callable that takes an int and a str. Nothing
is checked at run time.)doc";

// ---- giving it something to do -----------------------------------------------------------------

inline constexpr char bind[] = R"doc(bind($self, /, callable=None, args=None, kwargs=None)
--

Give the tasklet a callable, with or without the arguments to call it with.

What was passed counts, not only its value:
    bind(f)                 remembers f for the next setup(); a present run of the
                            tasklet is left alone.
    bind(f, args, kwargs)   makes the tasklet alive and paused, not queued; run(),
                            switch() or insert() starts it. args or kwargs alone
                            will do. A new tasklet that is queued keeps its place;
                            a suspended one is unwound first.
    bind(None, args)        the same, with the callable bound_callable earlier.
    bind(None)              unbinds: forgets callable and arguments. A suspended
                            tasklet is unwound: TaskletExit is raised inside it.
    bind()                  keeps everything.
All but unbinding set times_switched_to to 0.

Parameters:
    callable: what to run; None as in the table.
    args: tuple of positional arguments; None stands for the empty tuple.
    kwargs: dict of keyword arguments; None stands for no keywords.

Returns:
    The tasklet itself.

Raises:
    TypeError: callable is neither callable nor None, args is neither a tuple nor
        None, or kwargs is neither a dict nor None.
    RuntimeError: arguments without any callable; arguments for a tasklet that is
        having its turn; unbinding the current tasklet, or one that is in the
        runnables queue; a main tasklet; a tasklet of another thread, or of one
        that has ended.

Threads:
    Only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet().bind(print, ("a", "b"), {"sep": "-"})
    >>> task.alive, task.paused, task.scheduled
    (True, True, False)
    >>> task.run()
    a-b)doc";

inline constexpr char setup[] = R"doc(setup($self, /, *args, **kwargs)
--

Give the tasklet its arguments and put it at the end of the runnables queue.

Calling the tasklet does the same: t(*args, **kwargs). The callable bound_callable by
the constructor or bind(callable) is used up; bind another before the next
setup(). A new tasklet that is in the queue already keeps its place; a suspended
one is unwound first: TaskletExit is raised inside it.

Parameters:
    args, kwargs: what the callable is called with.

Returns:
    The tasklet itself.

Raises:
    RuntimeError: no callable is bound_callable; the tasklet is having its turn; it is
        a main tasklet; it belongs to another thread, or to one that has ended.

Threads:
    Only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(print).setup("a", "b", sep="-")
    >>> scheduler.run()
    a-b)doc";

inline constexpr char set_context[] = R"doc(set_context($self, context, /)
--

Choose the contextvars context that the tasklet runs in.

Without it a tasklet runs in a copy of the context of the code that gave it its
arguments. The given context is used as it is, not copied, and for one run of the
tasklet: the next one has a copy again.

Parameters:
    context: a contextvars.Context.

Returns:
    The tasklet itself.

Raises:
    TypeError: context is not a contextvars.Context.
    RuntimeError: the tasklet has started, or is a main tasklet.

Threads:
    Any thread.

Example:
    >>> import contextvars, scheduler
    >>> colour = contextvars.ContextVar("colour")
    >>> context = contextvars.Context()
    >>> token = context.run(colour.set, "red")
    >>> task = scheduler.tasklet(lambda: print(colour.get()))
    >>> task.set_context(context)().run()
    red)doc";

// ---- the runnables queue -----------------------------------------------------------------------

inline constexpr char insert[] = R"doc(insert($self, /)
--

Put an alive tasklet at the end of the runnables queue of its own thread.

It is no longer paused. A tasklet that waits in the queue already keeps its place.
One that is having its turn goes to the end of the queue when that turn ends by
schedule_remove() or switch(), which would have left it out. A main tasklet is
always in the queue: nothing happens.

Returns:
    The tasklet itself.

Raises:
    RuntimeError: the tasklet is blocked (on a channel, or in join()), or dead, or
        its thread has ended.

Threads:
    Any thread. The tasklet always joins the queue of its own thread, which runs it
    when it next runs its tasklets, and is woken if it waits.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet().bind(print, ("inserted",))
    >>> task.insert().scheduled
    True
    >>> scheduler.run()
    inserted)doc";

inline constexpr char remove[] = R"doc(remove($self, /)
--

Take the tasklet out of the runnables queue without ending it.

It stays alive and is paused until run(), switch() or insert(). On a tasklet that
is not in the queue nothing happens: a blocked one stays blocked, and goes on when
what it waits for comes. kill() and throw() end a wait.

Returns:
    The tasklet itself.

Raises:
    RuntimeError: the tasklet is having its turn (it is current, or waits for a
        tasklet that it runs itself); it is a main tasklet; its thread has ended.

Threads:
    Any thread. The tasklet leaves the queue of its own thread.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(print)("later")
    >>> task.remove().paused
    True
    >>> scheduler.run()
    >>> task.run()
    later)doc";

// ---- running -----------------------------------------------------------------------------------

inline constexpr char run[] = R"doc(run($self, /)
--

Run the tasklet now, and after it what stands behind it in the runnables queue.

A tasklet outside the queue is appended first. With nested tasklets (the default)
the tasklet and those that were queued behind it at the time of the call get one
turn each; then run() returns. What stands before it, and what is queued later,
waits. With flat scheduling (see set_use_nested_tasklets()) the tasklet goes right
behind the current one and the caller behind that: the caller goes on when its own
turn comes, and a main tasklet when its queue is empty.

run() of the current tasklet does nothing with nested tasklets.

Returns:
    None.

Raises:
    RuntimeError: the tasklet is dead or blocked; it is a main tasklet, and not the
        caller; a switch trap is set; the call comes from a schedule callback; with
        flat scheduling, the tasklet is having its turn.
    ValueError: with nested tasklets, the tasklet is itself waiting for the current
        one to give control back, or such a tasklet stands behind it ("cyclic
        parent chain").
    Exception: whatever leaves a tasklet run by this call, TaskletExit excepted.
        What has not had its turn by then stays queued. With flat scheduling such
        an exception goes to the tasklet whose run loop gave the turn, mostly the
        main one, and not to the caller.

Threads:
    Any thread. A tasklet of another thread is not run here: it goes to the end of
    its own thread's queue and the caller goes on.

Example:
    >>> import scheduler
    >>> tasks = [scheduler.tasklet(print)(name) for name in ("a", "b", "c")]
    >>> tasks[1].run()
    b
    c
    >>> scheduler.run()
    a)doc";

inline constexpr char switch_[] = R"doc(switch($self, /)
--

Run the tasklet now and pause the caller.

While the tasklet runs the caller is paused. If the tasklet was not in the
runnables queue, only it has a turn, and then the caller goes on, as after a call.
If it was in the queue, it and what stands behind it get one turn each; then the
caller leaves the queue and stays paused until somebody inserts, runs or switches
to it. A main tasklet as the caller runs the rest of the queue instead and then
goes on. switch() to the current tasklet does nothing.

Returns:
    None.

Raises:
    RuntimeError: the tasklet is dead or blocked; it is a main tasklet, and not the
        caller; a switch trap is set; the call comes from a schedule callback. The
        caller is not paused then.
    ValueError: the tasklet is itself waiting for the current one to give control
        back, or such a tasklet stands behind it ("cyclic parent chain").
    Exception: whatever leaves a tasklet run by this call, TaskletExit excepted.
        The caller is not paused then.

Threads:
    Any thread. A tasklet of another thread is not run here: it goes to the end of
    its own thread's queue and the caller goes on, not paused.

Example:
    >>> import scheduler
    >>> tasks = [scheduler.tasklet(print)(name) for name in ("a", "b", "c")]
    >>> tasks[1].switch()
    b
    c
    a)doc";

// ---- exceptions --------------------------------------------------------------------------------

inline constexpr char join[] = R"doc(join($self, /, timeout=None)
--

Wait until the tasklet is dead.

The calling tasklet is blocked meanwhile, like one that waits on a channel: others run,
and it can be killed. A tasklet that was never given arguments is dead. One that is
given new arguments after it has died has died: those who joined it before go on.

Parameters:
    timeout: seconds to wait at most, or None for no limit. 0 only asks.

Returns:
    True when the tasklet is dead, False when the time is up. A tasklet whose time is
    up goes to the end of the runnables queue of its thread.

Raises:
    RuntimeError: the tasklet is the current one, or the main tasklet of the calling
        thread; a switch trap is set; the call comes from a schedule callback; or
        "Deadlock": the main tasklet would have to wait for ever, see
        set_deadlock_timeout(). With a timeout there is no deadlock.
    TypeError, ValueError: the timeout is no number, or negative.
    TaskletExit, Exception: the calling tasklet is killed or thrown at while it waits.

Threads:
    Any thread may join a tasklet of any thread, main tasklets included: those end with
    their thread. A timeout is noticed at scheduling points of the calling thread, and
    while its main tasklet waits.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(print)("working")
    >>> task.join()
    working
    True)doc";

inline constexpr char result[] = R"doc(result($self, /, timeout=None)
--

Wait until the tasklet is dead; return what its callable returned, or raise what it raised.

The calling tasklet is blocked meanwhile, as in join(). What was returned is kept, and
may be asked for again and by several, until the tasklet is given a new callable or new
arguments, or is destroyed. Those who wait already get theirs all the same.

An exception goes to whoever runs the tasklet (run()...), and is not kept, as without
result(). It goes to nobody but those who ask, and is kept like a result, if it fails
    - while a tasklet of any thread waits in its result(), or
    - as a member of a TaskletGroup, which gets it as well, or
    - with dont_raise set: what that has kept in. The exception_handler is told first.

Parameters:
    timeout: seconds to wait at most, or None for no limit. 0 never waits.

Returns:
    What the callable returned.

Raises:
    TimeoutError: the time is up. The exception names the tasklet and the seconds.
    RuntimeError: the tasklet was killed, or ended by TaskletExit; it failed, and
        whoever ran it has the exception; it has never run: it has no callable, or no
        arguments, or its thread has ended; it is a main tasklet, or the current one;
        and what join() raises.
    TypeError, ValueError: the timeout is no number, or negative.
    BaseException: what the callable raised: each time the same object.
    TaskletExit, Exception: the calling tasklet is killed or thrown at while it waits.

Threads:
    Any thread may ask a tasklet of any thread. A timeout is noticed as that of join().

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(divmod)(17, 5)
    >>> task.result()
    (3, 2)
    >>> task = scheduler.tasklet(divmod)(17, 0)
    >>> try:
    ...     task.result()
    ... except ZeroDivisionError:
    ...     print("not by zero")
    not by zero)doc";

inline constexpr char resume[] = R"doc(resume($self, /)
--

Give the tasklet one turn now, and nobody else, and go on when that turn is over.

Whatever the tasklet does in it: ends, yields, is blocked, leaves the queue. What
stands before or behind it in the runnables queue, and what it makes runnable, waits
for another occasion; only what it runs itself, by run() and the like, runs in its
turn. A tasklet outside the queue is appended first. Nested and flat scheduling do
not differ.

Returns:
    None.

Raises:
    TypeError: an argument was given.
    RuntimeError: the tasklet is dead, has nothing to run, or is blocked; it is the
        current one, or a main tasklet; it belongs to another thread, or to one that
        has ended; a switch trap is set; the call comes from a schedule callback; with
        flat scheduling, the tasklet waits for the current one to give control back.
    ValueError: with nested tasklets, the tasklet waits for the current one to give
        control back.
    Exception: whatever leaves the tasklet in this turn, TaskletExit excepted.

Threads:
    Only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> first, second = [scheduler.tasklet(print)(name) for name in ("a", "b")]
    >>> second.resume()
    b
    >>> scheduler.run()
    a)doc";

inline constexpr char kill[] = R"doc(kill($self, /, pending=False, *, alone=False)
--

End the tasklet by raising TaskletExit inside it.

A suspended tasklet raises it where it is suspended; a blocked one leaves the line
of its channel first. One that has never run ends without running at all. On the
current tasklet TaskletExit is raised out of the call. A tasklet that catches
TaskletExit and goes on stays alive. Nothing happens if the tasklet is dead, or if
an earlier pending kill has not been delivered yet.

Parameters:
    pending: False, to do so now: the tasklet has a turn at once, and after it what
        stands behind it in the runnables queue, as with run(). True, to queue the
        tasklet (it keeps its place if it is queued) and raise TaskletExit when it
        next has a turn; the caller goes on.
    alone: True, to give no turn to those behind it, as with resume().

Returns:
    None, once the tasklet has ended or suspended again.

Raises:
    TaskletExit: the tasklet is the current one.
    TypeError: wrong arguments.
    ValueError: pending and alone are both true.
    RuntimeError: with pending false, the tasklet belongs to another thread, or to
        one that has ended; a switch trap is set; the call comes from a schedule
        callback; with flat scheduling, the tasklet waits for one that it runs
        itself. With either value, a main tasklet is killed by somebody else.
    ValueError: with pending false and nested tasklets, the tasklet is itself
        waiting for the current one to give control back, or such a tasklet stands
        behind it ("cyclic parent chain").
    Exception: with pending false and nested tasklets, whatever leaves a tasklet
        run by this call, TaskletExit excepted.

Threads:
    With pending true any thread: the tasklet's own thread delivers the exception.
    With pending false only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> def work():
    ...     try:
    ...         scheduler.schedule_remove()
    ...     finally:
    ...         print("cleaned up")
    >>> task = scheduler.tasklet(work)()
    >>> scheduler.run()
    >>> task.kill()
    cleaned up
    >>> task.alive
    False)doc";

inline constexpr char throw_[] =
    R"doc(throw($self, /, exc=None, val=None, tb=None, pending=False, *, alone=False)
--

Raise an exception inside the tasklet.

A suspended tasklet raises it where it is suspended; a blocked one leaves the line
of its channel first. One whose transfer or join is complete goes on with what it
got, and raises the exception in its next operation that can switch; if it ends
without one, the exception is dropped. One that has never run ends without running; unless the
exception is a TaskletExit, it is raised to the caller, or with pending true to
whoever runs the tasklet. On the current tasklet the exception is raised out of
the call. TaskletExit thrown at a dead tasklet does nothing.

Parameters:
    exc: an exception class, or an instance, which is raised as it is.
    val: for a class: None calls it without arguments, a tuple gives the arguments,
        an instance of the class is raised itself, and anything else is the only
        argument. Must be None with an instance.
    tb: a traceback for the exception, or None to leave it as it is.
    pending: False, to do so now: the tasklet has a turn at once, and after it what
        stands behind it in the runnables queue, as with run(). True, to queue the
        tasklet (it keeps its place if it is queued) and raise the exception when
        it next has a turn; the caller goes on.
    alone: True, to give no turn to those behind it, as with resume().

Returns:
    None, once the tasklet has ended or suspended again.

Raises:
    TypeError: exc is missing, None, or no exception; an instance comes with a val;
        tb is neither a traceback nor None.
    ValueError: pending and alone are both true.
    RuntimeError: the tasklet is dead; it is a main tasklet, and not the caller.
        With pending false, it belongs to another thread, or to one that has ended;
        a switch trap is set; the call comes from a schedule callback; with flat
        scheduling, the tasklet waits for one that it runs itself.
    ValueError: with pending false and nested tasklets, the tasklet is itself
        waiting for the current one to give control back, or such a tasklet stands
        behind it ("cyclic parent chain").
    Exception: with pending false and nested tasklets, whatever leaves a tasklet
        run by this call, TaskletExit excepted: also this exception, if the tasklet
        does not catch it.

Threads:
    With pending true any thread: the tasklet's own thread delivers the exception.
    With pending false only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> def work():
    ...     try:
    ...         scheduler.schedule_remove()
    ...     except ValueError as error:
    ...         print("caught", error)
    >>> task = scheduler.tasklet(work)()
    >>> scheduler.run()
    >>> task.throw(ValueError, "too late")
    caught too late)doc";

inline constexpr char raise_exception[] =
    R"doc(raise_exception($self, exc, args=None, /, *, alone=False)
--

Raise an exception inside the tasklet now.

The same as throw(exc, args, alone=alone): see there for what happens in each state.

Parameters:
    exc: an exception class, or an instance, which is raised as it is.
    args: for a class: None calls it without arguments, a tuple gives the
        arguments, an instance of the class is raised itself, and anything else is
        the only argument. Must be None with an instance.
    alone: True, to give no turn to those behind it, as with resume().

Returns:
    None, once the tasklet has ended or suspended again.

Raises:
    TypeError: exc is missing, None, or no exception; an instance comes with args.
    RuntimeError: the tasklet is dead, and the exception no TaskletExit; it is a
        main tasklet, and not the caller; it belongs to another thread, or to one
        that has ended; a switch trap is set; the call comes from a schedule
        callback; with flat scheduling, the tasklet waits for one that it runs
        itself.
    ValueError: with nested tasklets, the tasklet is itself waiting for the current
        one to give control back, or such a tasklet stands behind it ("cyclic
        parent chain").
    Exception: with nested tasklets, whatever leaves a tasklet run by this call,
        TaskletExit excepted.

Threads:
    Only the tasklet's own thread.

Example:
    >>> import scheduler
    >>> def work():
    ...     try:
    ...         scheduler.schedule_remove()
    ...     except ValueError as error:
    ...         print("caught", error.args)
    >>> task = scheduler.tasklet(work)()
    >>> scheduler.run()
    >>> task.raise_exception(ValueError, (1, 2))
    caught (1, 2))doc";

// ---- attributes: state -------------------------------------------------------------------------

inline constexpr char alive[] = R"doc(bool, read-only: the tasklet has arguments, and has not ended.

True from setup() or bind() with arguments until the callable has ended, or the
tasklet has been killed or unbound. Always true of a main tasklet whose thread runs.)doc";

inline constexpr char blocked[] =
    R"doc(bool, read-only: the tasklet waits on a channel, or in join().)doc";

inline constexpr char scheduled[] =
    R"doc(bool, read-only: the tasklet is in the runnables queue of its thread.

True also while it is having its turn, false while it is blocked. Always true of a
main tasklet whose thread runs.)doc";

inline constexpr char paused[] =
    R"doc(bool, read-only: the tasklet is out of the queue until somebody brings it back.

Set by bind() with arguments, remove(), schedule_remove(), and for the caller of
switch(). Cleared by insert() and when the tasklet has a turn or control comes back
to it.)doc";

inline constexpr char is_main[] =
    R"doc(bool, read-only: the tasklet is the main tasklet of its thread.

The main tasklet is the code of a thread that runs outside any other tasklet.)doc";

inline constexpr char is_current[] =
    R"doc(bool, read-only: the tasklet is the one whose code runs on the calling thread.)doc";

inline constexpr char thread_id[] =
    R"doc(int, read-only: threading.get_ident() of the thread that the tasklet belongs to.

-1 once that thread has ended while the tasklet was alive.)doc";

inline constexpr char next[] =
    R"doc(Tasklet or None, read-only: the entry behind this one in the runnables queue.

None at the end of the queue and for a tasklet outside it. A main tasklet is the
first entry. On free-threaded Python None for a tasklet of another thread.)doc";

inline constexpr char prev[] =
    R"doc(Tasklet or None, read-only: the entry before this one in the runnables queue.

None for a main tasklet, which is the first entry, and for a tasklet outside the
queue. On free-threaded Python None for a tasklet of another thread.)doc";

inline constexpr char frame[] =
    R"doc(frame or None, read-only: the innermost Python frame of the tasklet.

None if the tasklet has not started or is dead; on free-threaded Python also for a
tasklet of another thread.)doc";

// ---- attributes: figures -----------------------------------------------------------------------

inline constexpr char times_switched_to[] =
    R"doc(int, read-only, 0 at first: how often control has been given to the tasklet.

Counts each of its turns, and each time that a tasklet which it runs itself suspends
back to it. bind() sets it to 0.)doc";

inline constexpr char start_time[] =
    R"doc(int, read-only: when the first turn began, in nanoseconds of the monotonic clock.

0 before the tasklet has run. bind() does not reset it.)doc";

inline constexpr char end_time[] =
    R"doc(int, read-only: when the callable ended, in nanoseconds of the monotonic clock.

0 before it has ended, and for a tasklet killed before it ran. bind() does not reset
it.)doc";

inline constexpr char start_seconds[] =
    R"doc(float or None, read-only: startTime in seconds of time.monotonic().

None before the tasklet has run. bind() does not reset it.)doc";

inline constexpr char end_seconds[] =
    R"doc(float or None, read-only: endTime in seconds of time.monotonic().

None before the callable has ended, and for a tasklet killed before it ran. bind()
does not reset it.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(scheduler.sleep)(0.01)
    >>> task.start_time, task.end_time
    (None, None)
    >>> task.join()
    True
    >>> task.end_time - task.start_time >= 0.01
    True)doc";

inline constexpr char run_time[] =
    R"doc(float, writable, 0.0 by default: for the program's own use; never changed here.

Raises TypeError for what is not a number, and when deleted.)doc";

// ---- attributes: what a program sets -----------------------------------------------------------

inline constexpr char block_trap[] =
    R"doc(bool, writable, False by default: refuse to wait on a channel.

While true, a channel operation of this tasklet that would have to wait raises
RuntimeError; one that finds a partner goes through. Assigning something else than a
bool raises RuntimeError, deleting TypeError.)doc";

inline constexpr char dont_raise[] =
    R"doc(bool, writable, False by default: keep the callable's exceptions inside the tasklet.

When true, any exception but TaskletExit ends the tasklet without reaching whoever
runs it, but for result(), which raises it; exception_handler and context_manager_getter are used. It is to be set
before a callable is bound: afterwards, until bind(None), assigning raises
RuntimeError. TypeError for something else than a bool, and when deleted.)doc";

inline constexpr char highlighted[] =
    R"doc(bool, writable, False by default: a mark for the program's own use.

Raises TypeError for something else than a bool, and when deleted.)doc";

inline constexpr char context[] =
    R"doc(str, writable, empty by default: a text for the program's own use.

It is part of what exception_handler is told, and has nothing to do with
set_context(). Raises TypeError for something else than a str, and when deleted.)doc";

inline constexpr char name[] =
    R"doc(str, writable: what the tasklet is called in repr(), str(), dumps and errors.

__name__ of the callable bound last unless the program gives it a name, which then
stays; 'main' for a main tasklet, empty without a callable. Of a functools.partial it
is the name of the function in it, of another callable without one that of its class.
An exception that leaves the tasklet gets a note with the name, once. Raises TypeError
for something else than a str, and when deleted.)doc";

inline constexpr char parent_callsite[] =
    R"doc(str, writable, empty by default: a text for the program's own use.

Raises TypeError for something else than a str, and when deleted.)doc";

inline constexpr char exception_handler[] =
    R"doc(callable or None, writable, None by default: told of what dont_raise keeps in.

Called with one str that describes the tasklet; during the call sys.exc_info() is
the exception. What it raises is printed and goes no further. Raises TypeError for
something else than a callable or None, and when deleted.)doc";

inline constexpr char failure_handler[] =
    R"doc(callable or None, writable, None by default: the same, with tasklet and exception.

Called as f(tasklet, exception) for what dont_raise keeps in, after exception_handler
if there is one, and like that.)doc";

inline constexpr char context_manager_getter[] =
    R"doc(callable or None, writable, None by default: makes a context manager for the run.

With dont_raise, getter(tasklet) is called at the first turn; the callable runs
between __enter__() and __exit__() of what it returns. __exit__ gets the triple of a
TaskletExit that ended the callable, otherwise three times None. Errors of getter,
__enter__ and __exit__ are not kept. Raises TypeError for something else than a
callable or None, and when deleted.)doc";

// ---- attributes: what was bound last -----------------------------------------------------------

inline constexpr char method_name[] =
    R"doc(str, read-only: __name__ of the callable bound last.

Empty without one, 'unknown_method' if it has no name; see `name`.)doc";

inline constexpr char module_name[] =
    R"doc(str, read-only: __module__ of the callable bound last.

Empty without one, 'unknown_module' if it has none.)doc";

inline constexpr char file_name[] =
    R"doc(str, read-only: the source file of the callable bound last.

Empty without one, 'unknown_file' if it is not written in Python.)doc";

inline constexpr char line_number[] =
    R"doc(int, read-only: the first source line of the callable bound last.

0 without one, or if it is not written in Python.)doc";

}  // namespace scheduler::binding::docs::inline tasklet_docs
