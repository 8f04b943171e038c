// Docstrings of the extension module, its functions and TaskletExit. A function's text starts with
// the signature that inspect.signature() reads, up to the line of two dashes. The inline namespace
// is explained in tasklet_docs.h.
#pragma once

namespace scheduler::binding::docs::inline function_docs {

// ---- the module --------------------------------------------------------------------------------

inline constexpr char module_[] =
    R"doc(Tasklets, channels and schedule managers for stock Python.

A tasklet is a piece of code with a C stack of its own; it gives up control
voluntarily, from any depth of calls. Tasklets meet in channels to pass objects. Each
thread has a schedule manager, made when first needed, with a runnables queue; run()
gives its tasklets their turns. The code of a thread outside any other tasklet is its
main tasklet.

Programs import the package `scheduler`, which has all names of this module.

Example:
    >>> import scheduler
    >>> def greet(channel):
    ...     print("hello,", channel.receive())
    >>> channel = scheduler.channel()
    >>> reader = scheduler.tasklet(greet)(channel)
    >>> writer = scheduler.tasklet(channel.send)("world")
    >>> scheduler.run()
    hello, world)doc";

inline constexpr char scope_expired[] =
    "Raised where a tasklet waits when the time of a scheduler.timeout() around it is over, with "
    "the\n"
    "deadline in nanoseconds. The scope turns it into a TimeoutError.";

inline constexpr char channel_closed[] = R"doc(channel.close(wake=True) has been called.

A ValueError. send(), receive() and select() raise it where they wait, and at once if
they would have to wait later. Nothing has been transferred.)doc";

inline constexpr char tasklet_exit[] = R"doc(Ends a tasklet silently when it leaves its callable.

kill() and clear() raise it, and so does the destruction of a suspended tasklet. Code
of a tasklet may raise it as well. It derives from SystemExit, so `except Exception`
does not catch it; whoever catches it should clean up and raise it again. Raised on a
main tasklet it is an ordinary exception.

Example:
    >>> import scheduler
    >>> def work():
    ...     raise scheduler.TaskletExit
    >>> task = scheduler.tasklet(work)()
    >>> scheduler.run()
    >>> task.alive
    False)doc";

// ---- tasklets of the thread --------------------------------------------------------------------

inline constexpr char getcurrent[] = R"doc(getcurrent($module, /)
--

Return the tasklet whose code is running on this thread.

Returns:
    The current tasklet; outside any other tasklet, the thread's main tasklet.

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(lambda: print(scheduler.getcurrent() is task))()
    >>> scheduler.run()
    True
    >>> scheduler.getcurrent().is_main
    True)doc";

inline constexpr char getmain[] = R"doc(getmain($module, /)
--

Return the main tasklet of this thread.

Returns:
    The tasklet that stands for the thread's code outside any other tasklet.

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> scheduler.getmain().is_main
    True)doc";

inline constexpr char getruncount[] = R"doc(getruncount($module, /)
--

Return the number of tasklets in this thread's runnables queue.

The main tasklet always counts, and so does every tasklet that is having its turn.
Blocked and paused tasklets do not.

Returns:
    An int of at least 1: 1 means that nothing is queued.

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(print)("done")
    >>> scheduler.getruncount()
    2
    >>> scheduler.run()
    done
    >>> scheduler.getruncount()
    1)doc";

inline constexpr char calculateruncount[] = R"doc(calculateruncount($module, /)
--

Count the tasklets in this thread's runnables queue by walking it.

A check for tests and debuggers; the time it takes grows with the queue.

Returns:
    The same int as getruncount().

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> scheduler.calculateruncount() == scheduler.getruncount()
    True)doc";

inline constexpr char get_thread_info[] = R"doc(get_thread_info($module, /, *ignored)
--

Return the main tasklet, the current tasklet and the run count of this thread.

Parameters:
    ignored: anything; older programs pass an argument.

Returns:
    The tuple (getmain(), getcurrent(), getruncount()).

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> main, current, count = scheduler.get_thread_info()
    >>> main is current, count == scheduler.getruncount()
    (True, True))doc";

inline constexpr char get_schedule_manager[] = R"doc(get_schedule_manager($module, /)
--

Return the schedule manager of this thread, making it if there is none yet.

Returns:
    The manager, always the same object on a thread. It has no public attributes.

Raises:
    RuntimeError: the thread is ending.

Threads:
    Any thread; the answer is for the calling thread.

Example:
    >>> import scheduler
    >>> manager = scheduler.get_schedule_manager()
    >>> manager is scheduler.get_schedule_manager()
    True)doc";

// ---- running -----------------------------------------------------------------------------------

inline constexpr char run[] = R"doc(run($module, /, threadblock=False, timeout=None)
--

Run the tasklets of this thread until the runnables queue is empty.

Tasklets that are queued meanwhile, or go back to the end of the queue, are run as
well. Called inside a tasklet, it runs what stands behind that tasklet until nothing
is behind it.

A call without arguments that finds nothing to run, while tasklets of the thread
wait, lets another thread have the interpreter once before it returns, so that
`while task.alive: scheduler.run()` does not keep others from doing what the task
waits for. It does not sleep.

Parameters:
    threadblock: True, to go on until no tasklet of the thread is alive: while all of
        them wait, the thread waits as well, without using the processor, for other
        threads, for time-outs of join(), and for signals.
    timeout: seconds after which no further turn is given, and the wait ends; None
        for no limit. At least one turn is given if something is queued. The turn of
        a tasklet is never cut short.

Returns:
    None.

Raises:
    Exception: whatever leaves a tasklet, TaskletExit excepted. That tasklet is dead;
        those that have not had their turn by then stay queued.
    RuntimeError: a switch trap is set while something is queued; the call comes
        from a schedule callback; it has an argument and comes from another tasklet
        than the main one; or "Deadlock": with threadblock and no timeout, all
        tasklets wait and the interpreter has no other thread that could change that
        (not raised while the deadlock timeout is None).
    ValueError: inside a tasklet: the next one to run is itself waiting for this one
        to give control back ("cyclic parent chain"). Or a negative timeout.
    TypeError: threadblock is no bool, or the timeout no number.

Threads:
    Any thread; it runs the tasklets of the calling thread. While it waits, other
    threads wake it by whatever queues a tasklet: transfers over channels, insert(),
    run(), switch(), kill(pending=True) and throw(pending=True).

Example:
    >>> import scheduler
    >>> tasks = [scheduler.tasklet(print)(name) for name in ("a", "b")]
    >>> scheduler.run()
    a
    b)doc";

inline constexpr char set_deadlock_timeout[] = R"doc(set_deadlock_timeout($module, seconds, /)
--

Set how long a main tasklet waits for other threads before "Deadlock" is raised.

A main tasklet that has to wait, in send(), receive() or join(), while no tasklet of its
thread is runnable, can only be served by another thread. If the interpreter has no
other thread, RuntimeError "Deadlock" is raised at once; otherwise the thread waits, and
the error comes after this time.

Parameters:
    seconds: a number, 0 or more; at first it is 1.0. 0, not to wait for other threads
        at all. None, to wait for ever.

Returns:
    None.

Raises:
    TypeError: it is neither a number nor None.
    ValueError: it is negative or not a number (nan).

Threads:
    Any thread. It is one setting for all threads of the interpreter, and counts for waits
    that begin afterwards.

Example:
    >>> import scheduler
    >>> scheduler.set_deadlock_timeout(2.5)
    >>> scheduler.get_deadlock_timeout()
    2.5
    >>> scheduler.set_deadlock_timeout(1.0))doc";

inline constexpr char get_deadlock_timeout[] = R"doc(get_deadlock_timeout($module, /)
--

Return how long a main tasklet waits for other threads: see set_deadlock_timeout().

Returns:
    Seconds as a float, or None for no limit.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> scheduler.get_deadlock_timeout()
    1.0)doc";

inline constexpr char set_stack_size[] = R"doc(set_stack_size($module, bytes, /)
--

Set the size of the stacks that tasklets get from now on, and return the former size.

A tasklet gets its stack at its first turn; one that has started keeps the stack it has.
The size is address space: memory is taken page by page as it is used, so that larger
stacks cost little (page tables) and smaller ones save little. The default is 8 MiB, as
a thread has, so that libraries which count on that can be used: numpy.linalg.inv()
takes 3.2 MiB. Choose less for hundreds of thousands of tasklets that run no such code.

An eighth of the size, 1 MiB at most, is the guard below the stack. A function whose frame is
larger than the guard can step over it into the stack of another tasklet, unnoticed.
Recursion in C code, on 3.11 all recursion, ends in RecursionError after a number of
levels in proportion to the size: about 2,000 at 8 MiB, 240 at 1 MiB, 13 at 128 KiB.
Below 1 MiB Python's parser, which counts no recursion, can overflow the stack and end
the process: do not compile or literal_eval() text that you do not trust there.

Parameters:
    bytes: an int from 65536 (64 KiB; CPython 3.14 and later: 114688, 112 KiB, their
        debug builds: 224 KiB; 3.14 with its JIT: 176 KiB) to 4294967296 (4 GiB). More
        than 2 MiB is rounded up to a multiple of that, for which page tables are made.
        stack_stats() tells how much is left without the guard.

Returns:
    The size so far, an int.

Raises:
    TypeError: bytes is not an int.
    ValueError: it is out of these bounds.

Threads:
    Any thread. It is one setting for all threads of the interpreter.

Example:
    >>> import scheduler
    >>> before = scheduler.set_stack_size(256 * 1024)
    >>> scheduler.set_stack_size(before)
    262144)doc";

inline constexpr char get_stack_size[] = R"doc(get_stack_size($module, /)
--

Return the size of the stacks that tasklets get: see set_stack_size().

Returns:
    Bytes, an int, as they were set.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> scheduler.get_stack_size() >= 1024 * 1024
    True)doc";

inline constexpr char trim_stacks[] = R"doc(trim_stacks($module, /)
--

Give back the memory that the calling thread keeps in stacks no tasklet has.

A thread keeps the stacks of finished tasklets, with the memory they used, for new ones:
those of about 1,100 tasklets, and of more while crowds come again and again; what lies
idle for a second it gives back while other tasklets end. This function gives back all
at once, page tables and address space too where a whole mapping is not in use. Call it
when a crowd is over for long, as when a server's peak has passed or a level has ended.
The next tasklets then take a few microseconds longer each to start.

Returns:
    Bytes of memory that were given back, an int (without page tables), or None where the
    system does not tell.

Threads:
    Any thread; it is about the calling thread's stacks.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(len)("")
    >>> scheduler.run()
    >>> scheduler.trim_stacks() > 0, scheduler.stack_stats()["pooled"]
    (True, 0))doc";

inline constexpr char stack_stats[] = R"doc(stack_stats($module, /)
--

Return figures about the stacks of the calling thread's tasklets.

A thread keeps the stacks of finished tasklets for new ones. It reserves address space
for many stacks at a time, by one mapping each; memory is taken when a page is used.

Returns:
    A dict of ints:
    "stack_bytes": what a tasklet could use of a stack that it got now: what
    set_stack_size() has said without the guard, an eighth of it or 1 MiB.
    "reserved": stacks that there is address space for, of all sizes, as below.
    "in_use": those that tasklets have.
    "high_water": the most that were in use at once.
    "pooled": those that were in use and wait for a tasklet.
    "guarded": how many in use or pooled have a guard, which turns an overflow into a
    fatal error.
    "mappings": mappings of memory made for them. Where the system is older than Linux
    6.13 each guard takes two more.
    "resident_bytes": bytes of them that are in memory, by mincore(), which is slow when
    there are many; None where the system does not tell.

Threads:
    Any thread; the figures are those of the calling thread. A thread's stacks are freed
    when it ends.

Example:
    >>> import scheduler
    >>> task = scheduler.tasklet(scheduler.schedule_remove)()
    >>> before = scheduler.stack_stats()["in_use"]
    >>> task.run()
    >>> scheduler.stack_stats()["in_use"] - before
    1
    >>> task.run()
    >>> scheduler.stack_stats()["in_use"] - before
    0)doc";

inline constexpr char run_n_tasklets[] = R"doc(run_n_tasklets($module, n, /)
--

Run the tasklets of this thread, giving out a limited number of turns.

Each turn counts, also a further one of the same tasklet. Turns that tasklets give to
others by a run of their own do not count. Called inside a tasklet it is not limited:
it does what run() does there, and ends the limit of a limited run around it.

Parameters:
    n: the greatest number of turns, an int of at least 1, as large as you like.

Returns:
    None; what has not had its turn stays queued.

Raises:
    TypeError: n is not an int.
    RuntimeError: n is less than 1; as for run().
    ValueError: as for run().
    Exception: as for run().

Threads:
    Any thread; it runs the tasklets of the calling thread.

Example:
    >>> import scheduler
    >>> tasks = [scheduler.tasklet(print)(name) for name in ("a", "b", "c")]
    >>> scheduler.run_n_tasklets(2)
    a
    b
    >>> scheduler.run()
    c)doc";

inline constexpr char select[] = R"doc(select($module, /, *cases, timeout=None, ordered=False)
--

Wait until one of several things can be done, and do that one.

A case is a channel (receive from it), channel.sending(value), a tasklet (wait until it is
dead) or an Event of scheduler.sync (wait until it is set). The same channel may be in
several cases, also for both directions; a tasklet never meets itself.

Parameters:
    cases: one or more.
    timeout: seconds to wait at most, or None for no limit. With 0 it does not wait.
    ordered: of several cases that can be done at once the first is taken. Else the place
        where the look begins moves on from call to call, so that no case starves.

Returns:
    (index, value): which case it was, and what was received; None for the other cases.

Raises:
    TimeoutError: none could be done in time, and none has been. With a timeout there is
        no deadlock.
    ValueError: none can be done, and a channel among them is closing; ChannelClosed, which
        is one, after close(wake=True), or if that is called while this waits. Or there is
        no case, or the timeout is negative (TypeError: no number).
    TypeError: something else as a case.
    RuntimeError: none can be done at once, and block_trap is set on the current tasklet; or
        "Deadlock", as for Channel.receive(). A switch trap is set, or the call comes from
        a schedule callback, and it would wait. A tasklet among the cases is the current
        one, or the main tasklet of the calling thread.
    Exception: what was sent as an exception on the channel that was taken; what somebody
        throws at the waiting caller (TaskletExit for kill()).

Threads:
    Any thread; it acts for the current tasklet of the calling thread. Partners may be of any
    thread. The channel callback is not called.

Example:
    >>> import scheduler
    >>> orders, stop = scheduler.channel(), scheduler.channel()
    >>> task = scheduler.tasklet(stop.send)("closing time")
    >>> scheduler.select(orders, stop)
    (1, 'closing time')
    >>> scheduler.select(orders, stop, timeout=0.01)
    Traceback (most recent call last):
    TimeoutError: select() on 2 cases: nobody came within 0.01 seconds)doc";

inline constexpr char sleep[] = R"doc(sleep($module, seconds, /)
--

Let the other tasklets run for a time.

The current tasklet is blocked meanwhile, like one that waits on a channel, and can be
killed. When the time is up it goes to the end of the runnables queue of its thread.
run() does not wait for tasklets that sleep; run(threadblock=True) does.

Parameters:
    seconds: how long, 0 or more. 0 is schedule(); math.inf sleeps until somebody
        raises an exception in the tasklet.

Returns:
    None, not before the time is up.

Raises:
    TypeError, ValueError: seconds is no number, negative or nan.
    RuntimeError: block_trap is set on the current tasklet, a switch trap is set, or the
        call comes from a schedule callback.
    Exception: what somebody throws at the tasklet meanwhile (TaskletExit for kill());
        on a main tasklet, whatever leaves a tasklet, TaskletExit excepted.

Threads:
    Any thread; it acts on the current tasklet of the calling thread. That the time is
    up is noticed at scheduling points of that thread, at the latest after 32 turns
    (after one, when turns take long), and while its main tasklet waits.

Example:
    >>> import scheduler
    >>> def late(seconds):
    ...     scheduler.sleep(seconds)
    ...     print(seconds)
    >>> tasks = [scheduler.tasklet(late)(seconds) for seconds in (0.02, 0.01)]
    >>> scheduler.run(threadblock=True)
    0.01
    0.02)doc";

inline constexpr char schedule[] = R"doc(schedule($module, /)
--

Let the other tasklets run; the current one goes to the end of the queue.

On a main tasklet it runs the queue until it is empty, as run() does.

Returns:
    None, when the tasklet has its next turn.

Raises:
    RuntimeError: a switch trap is set and there is something to switch to, or the
        call comes from a schedule callback.
    Exception: what somebody throws at the tasklet meanwhile (TaskletExit for
        kill()); on a main tasklet, whatever leaves a tasklet, TaskletExit excepted.

Threads:
    Any thread; it acts on the current tasklet of the calling thread.

Example:
    >>> import scheduler
    >>> def count(name):
    ...     print(name, 1)
    ...     scheduler.schedule()
    ...     print(name, 2)
    >>> tasks = [scheduler.tasklet(count)(name) for name in ("a", "b")]
    >>> scheduler.run()
    a 1
    b 1
    a 2
    b 2)doc";

inline constexpr char schedule_remove[] = R"doc(schedule_remove($module, /)
--

Let the other tasklets run; the current one leaves the queue and is paused.

It stays alive until insert(), run() or switch() brings it back. If nobody holds a
reference to it, it is destroyed: TaskletExit is raised inside it. On a main tasklet
it does what schedule() does.

Returns:
    None, when the tasklet has its next turn.

Raises:
    RuntimeError: a switch trap is set and there is something to switch to, or the
        call comes from a schedule callback.
    Exception: what somebody throws at the tasklet meanwhile (TaskletExit for
        kill()); on a main tasklet, whatever leaves a tasklet, TaskletExit excepted.

Threads:
    Any thread; it acts on the current tasklet of the calling thread.

Example:
    >>> import scheduler
    >>> def work():
    ...     scheduler.schedule_remove()
    ...     print("back")
    >>> task = scheduler.tasklet(work)()
    >>> scheduler.run()
    >>> task.paused
    True
    >>> task.run()
    back)doc";

inline constexpr char switch_trap[] = R"doc(switch_trap($module, delta, /)
--

Change this thread's switch trap level, and so forbid or allow switching.

While the level is not 0, every operation that would switch tasklets raises
RuntimeError and changes nothing. What switches nothing still works: insert(),
remove(), bind(), setup(), pending kill() and throw(), transfers after which the
caller goes on, and running an empty queue.

Parameters:
    delta: int to add to the level: 1 to set a trap, -1 to lift it, 0 to ask.

Returns:
    The previous level, an int.

Raises:
    TypeError: delta is missing or not an int.
    OverflowError: delta does not fit into a C int.

Threads:
    Any thread; each has a level of its own.

Example:
    >>> import scheduler
    >>> scheduler.switch_trap(1)
    0
    >>> scheduler.switch_trap(-1)
    1)doc";

inline constexpr char set_use_nested_tasklets[] = R"doc(set_use_nested_tasklets($module, flag, /)
--

Choose between nested and flat scheduling.

Nested, the default: run(), kill(), throw() and raise_exception() on another tasklet
run it inside the call, so exceptions that leave it come out of the call. Flat: the
other tasklet goes right behind the current one in the runnables queue and the caller
behind that, and the caller suspends; the run loop that gave the caller its turn goes
on with both.

Parameters:
    flag: a bool, or an int from 0 to 255: 0 for flat, anything else for nested.

Returns:
    None.

Raises:
    TypeError: flag is not an int.
    OverflowError: flag is out of range.

Threads:
    Any thread; the choice holds for all threads.

Example:
    >>> import scheduler
    >>> scheduler.set_use_nested_tasklets(False)
    >>> tasks = [scheduler.tasklet(print)(name) for name in ("a", "b", "c")]
    >>> tasks[1].run()
    b
    a
    c
    >>> scheduler.set_use_nested_tasklets(True))doc";

inline constexpr char get_use_nested_tasklets[] = R"doc(get_use_nested_tasklets($module, /)
--

Tell whether scheduling is nested: see set_use_nested_tasklets().

Returns:
    True for nested scheduling, the default, False for flat.

Threads:
    Any thread; the choice holds for all threads.

Example:
    >>> import scheduler
    >>> scheduler.get_use_nested_tasklets()
    True)doc";

inline constexpr char enable_softswitch[] = R"doc(enable_softswitch($module, value, /)
--

Tell that there is no soft switching: every switch keeps the C stack.

It exists for programs written for Stackless Python.

Parameters:
    value: None.

Returns:
    False.

Raises:
    RuntimeError: value is not None.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> scheduler.enable_softswitch(None)
    False)doc";

// ---- callbacks ---------------------------------------------------------------------------------

inline constexpr char set_channel_callback[] = R"doc(set_channel_callback($module, callback, /)
--

Install a callable that is told of every send and receive on any channel.

It is called as callback(channel, tasklet, is_sending, will_block) at the very start
of the operation, before any check or change. tasklet is the current one; is_sending
and will_block are bools, and will_block is true if nobody waits at the other end.
What it returns is ignored. What it raises goes to sys.unraisablehook, and the
operation goes on.

Parameters:
    callback: a callable, or None to remove the present one.

Returns:
    The previous callback, or None.

Raises:
    TypeError: callback is neither callable nor None.

Threads:
    Any thread; one callback serves all threads and is called on the thread of the
    operation.

Example:
    >>> import scheduler
    >>> def note(channel, tasklet, is_sending, will_block):
    ...     print("send" if is_sending else "receive", will_block)
    >>> scheduler.set_channel_callback(note)
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.send)("news")
    >>> scheduler.run()
    send True
    >>> channel.receive()
    receive False
    'news'
    >>> scheduler.set_channel_callback(None) is note
    True
    >>> scheduler.run())doc";

inline constexpr char get_channel_callback[] = R"doc(get_channel_callback($module, /, *ignored)
--

Return the channel callback.

Parameters:
    ignored: anything; older programs pass an argument.

Returns:
    What set_channel_callback() has installed, or None.

Threads:
    Any thread; one callback serves all threads.

Example:
    >>> import scheduler
    >>> print(scheduler.get_channel_callback())
    None)doc";

inline constexpr char set_schedule_callback[] = R"doc(set_schedule_callback($module, callback, /)
--

Install a callable that is told of every switch from one tasklet to another.

It is called as callback(previous, next) just before the switch: getcurrent() is
still `previous`, and the context variables that it sees are those of `previous`. It
runs in the middle of a switch, so switching tasklets inside it raises RuntimeError.
What it returns is ignored. What it raises goes to sys.unraisablehook, and scheduling
goes on. It is not called while a tasklet is being destroyed or unbound.

Parameters:
    callback: a callable, or None to remove the present one.

Returns:
    The previous callback, or None.

Raises:
    TypeError: callback is neither callable nor None.

Threads:
    Any thread; one callback serves all threads and is called on the thread that
    switches.

Example:
    >>> import scheduler
    >>> def note(previous, next):
    ...     print(previous.method_name or "main", "->", next.method_name or "main")
    >>> scheduler.set_schedule_callback(note)
    >>> scheduler.tasklet(print)("hello").run()
    main -> print
    hello
    print -> main
    >>> scheduler.set_schedule_callback(None) is note
    True)doc";

inline constexpr char get_schedule_callback[] = R"doc(get_schedule_callback($module, /)
--

Return the schedule callback.

Returns:
    What set_schedule_callback() has installed, or None.

Threads:
    Any thread; one callback serves all threads.

Example:
    >>> import scheduler
    >>> print(scheduler.get_schedule_callback())
    None)doc";

// ---- everything at once ------------------------------------------------------------------------

inline constexpr char unblock_all_channels[] = R"doc(unblock_all_channels($module, /)
--

Clear every channel on which a tasklet waits: see Channel.clear().

It also finds channels that nothing but their waiting tasklets refers to.

Returns:
    How many channels that were, an int.

Raises:
    RuntimeError: as for Channel.clear(); some channels may have been cleared.
    Exception: as for Channel.clear(); some channels may have been cleared.

Threads:
    Any thread; it acts on the channels of all threads, as Channel.clear() does.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.receive)()
    >>> scheduler.run()
    >>> scheduler.unblock_all_channels() > 0
    True
    >>> task.alive, channel.balance
    (False, 0))doc";

inline constexpr char get_number_of_active_schedule_managers[] =
    R"doc(get_number_of_active_schedule_managers($module, /)
--

Return the number of schedule managers that exist now.

Returns:
    An int: one for each live thread that has used tasklets, 0 before the first use.

Threads:
    Any thread; it counts those of all threads.

Example:
    >>> import scheduler
    >>> main = scheduler.getmain()
    >>> scheduler.get_number_of_active_schedule_managers() >= 1
    True)doc";

inline constexpr char get_number_of_active_channels[] =
    R"doc(get_number_of_active_channels($module, /)
--

Return the number of channel objects that exist now.

Returns:
    An int, instances of subclasses included.

Threads:
    Any thread; it counts all channels.

Example:
    >>> import scheduler
    >>> before = scheduler.get_number_of_active_channels()
    >>> channel = scheduler.channel()
    >>> scheduler.get_number_of_active_channels() - before
    1)doc";

inline constexpr char get_all_time_tasklet_count[] = R"doc(get_all_time_tasklet_count($module, /)
--

Return the number of tasklets that have ever been made.

Returns:
    An int that never decreases, main tasklets included.

Threads:
    Any thread; it counts those of all threads.

Example:
    >>> import scheduler
    >>> main = scheduler.getmain()
    >>> before = scheduler.get_all_time_tasklet_count()
    >>> task = scheduler.tasklet()
    >>> scheduler.get_all_time_tasklet_count() - before
    1)doc";

inline constexpr char get_active_tasklet_count[] = R"doc(get_active_tasklet_count($module, /)
--

Return the number of tasklet objects that exist now, dead or alive.

Returns:
    An int, main tasklets included.

Threads:
    Any thread; it counts those of all threads.

Example:
    >>> import scheduler
    >>> main = scheduler.getmain()
    >>> before = scheduler.get_active_tasklet_count()
    >>> task = scheduler.tasklet()
    >>> scheduler.get_active_tasklet_count() - before
    1)doc";

inline constexpr char set_waker[] = R"doc(set_waker($module, waker, /)
--

Register how the loop that hosts this thread is woken, or take that back.

For a thread whose main tasklet runs a loop of the program's, an event loop for
instance, that calls pump() from time to time and sleeps in between. While it is
outside pump(), whatever gives it something to do writes eight bytes, a native int
of value 1, to the waker, once until the next pump(): another thread that sends to a
tasklet of this one, or inserts, kills or throws at one; code of the main tasklet
that makes one runnable; a timer that is due before what next_deadline() has told
the loop. If there is something to do at the time of this call, it writes at once.
There is no write where pump() has returned True: then the loop knows. One that is
woken may find that what there was to do has been done.

Parameters:
    waker: a file descriptor that does not block, to write to: an eventfd, or an end
        of a pipe or socket pair, whose other end the loop looks at. It stays the
        program's, which closes it after it has been taken back. None takes it back:
        when the call returns, nobody writes to it any more.

Returns:
    The waker there was, or None.

Raises:
    TypeError: the waker is neither an int nor None.
    ValueError: it may block, is open for reading only, or negative.
    OSError: it is no open file descriptor.
    OverflowError: it is too large for one.
    RuntimeError: a C program hosts this thread by PyScheduler_SetWaker().

Threads:
    Any thread; each has a waker of its own, which is gone when the thread ends.

Example:
    >>> import os, scheduler
    >>> waker = os.eventfd(0, os.EFD_NONBLOCK)
    >>> scheduler.set_waker(waker)
    >>> task = scheduler.tasklet(print)("a turn")
    >>> os.eventfd_read(waker)
    1
    >>> scheduler.pump()
    a turn
    False
    >>> scheduler.set_waker(None) == waker
    True
    >>> os.close(waker))doc";

inline constexpr char next_deadline[] = R"doc(next_deadline($module, /)
--

Return how long it is until a tasklet of this thread has to be woken.

That is when the first of those sleep(), time-outs and timeout() scopes is over in
which tasklets of this thread wait. A loop that hosts the thread asks after each
pump(), and calls pump() again then: a timer that is set later, and due earlier,
is told by the waker, see set_waker(). While scheduler.testing has stopped the clock,
the seconds are those of that clock.

Returns:
    A float: seconds, 0.0 if the time has come. None without a timer.

Raises:
    TypeError: an argument was given.

Threads:
    Any thread; it tells of the tasklets of the calling thread.

Example:
    >>> import scheduler
    >>> print(scheduler.next_deadline())
    None
    >>> task = scheduler.tasklet(scheduler.sleep)(60)
    >>> scheduler.pump()
    False
    >>> 59 < scheduler.next_deadline() <= 60
    True
    >>> task.kill())doc";

inline constexpr char pump[] = R"doc(pump($module, /, turns=None, seconds=None)
--

Run some of what is runnable in this thread, and return without having waited.

For a loop that hosts the thread, see set_waker(). It reads what other threads have
asked for, wakes those whose time is over, and gives turns as run() does, but not for
longer than it is told. Without arguments it gives as many turns as tasklets are
queued when it begins: one to each of them, unless some are used up by those that
they let go first. So it comes back also if tasklets queue themselves again and
again. Only turns that it gives itself are counted: a run() inside a tasklet is
not limited.

Parameters:
    turns: the greatest number of turns, an int of 0 or more; with 0 nobody runs, and
        the call tells whether somebody could. None for no limit.
    seconds: for how long it begins turns, a number of 0 or more; there is one turn at
        least. A turn that has begun is not interrupted. None for no limit.

Returns:
    True if more is runnable now, so that it is to be called again soon; else False,
    and the waker will tell.

Raises:
    TypeError: turns is not an int, or seconds not a number.
    ValueError: one of them is negative, or nan.
    RuntimeError: the caller is not the main tasklet; as for run().
    Exception: as for run(). What has not had its turn by then stays queued, and the
        waker is told of it.

Threads:
    Any thread; it runs the tasklets of the calling thread.

Example:
    >>> import scheduler
    >>> def count(name):
    ...     for number in (1, 2):
    ...         print(name, number)
    ...         scheduler.schedule()
    >>> tasks = [scheduler.tasklet(count)(name) for name in "ab"]
    >>> scheduler.pump()
    a 1
    b 1
    True
    >>> scheduler.pump(turns=1)
    a 2
    True
    >>> while scheduler.pump():
    ...     pass
    b 2)doc";

inline constexpr char forbid_main_waits[] = R"doc(forbid_main_waits($module, message, /)
--

Have what would make the main tasklet of this thread wait raise RuntimeError.

For a loop that hosts the thread, see set_waker(), and that would stand still while the
main tasklet waits: in receive(), send(), join(), result(), sleep(), select(), in
what scheduler.sync has, or in run(threadblock=True). What need not wait is done,
and with timeout=0 it is tried as ever. Neither does the main tasklet give way then: a
receiver that it serves has its turn in the next pump(), not within send(). run(),
schedule() and resume() still run what they are asked to.

Parameters:
    message: what the RuntimeError says: a str that names what to do instead, such as an
        awaitable of the loop's. None allows waits again.

Returns:
    The message there was, or None.

Raises:
    TypeError: the message is neither a str nor None.

Threads:
    Any thread; it is about the main tasklet of the calling thread, and holds until
    that ends.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> scheduler.forbid_main_waits("the loop runs here: await its receive()")
    >>> try:
    ...     channel.receive()
    ... except RuntimeError as error:
    ...     print(error)
    the loop runs here: await its receive()
    >>> scheduler.forbid_main_waits(None)
    'the loop runs here: await its receive()')doc";

inline constexpr char trace_mark[] = R"doc(trace_mark(name, /)
--

Put a mark into the trace: "here the program was at this moment", such as the begin of a frame.

It is shown in the calling thread's track. Where there is no trace, nor a flight recorder, it does
nothing, so that it may stay in a program.

Parameters:
    name: what the mark says, a str; 240 bytes of it are kept.

Returns:
    True if there is a trace or a flight recorder, False otherwise.

Raises:
    TypeError: the name is no str.

Threads:
    Any thread, also in a callback. A thread that is in a trace has a schedule manager from its first
    mark on.

Example:
    >>> import scheduler
    >>> scheduler.trace_mark("frame 12")  # nobody traces
    False)doc";

}  // namespace scheduler::binding::docs::inline function_docs
