// Docstrings of scheduler.Channel, its methods and its attributes. A method's text starts with the
// signature that inspect.signature() reads, up to the line of two dashes; the type's needs the last
// part of its tp_name there. The inline namespace is explained in tasklet_docs.h.
#pragma once

namespace scheduler::binding::docs::inline channel_docs {

// ---- the type ----------------------------------------------------------------------------------

inline constexpr char channel[] = R"doc(Channel(*, preference=-1)
--

A place where tasklets meet to pass objects from a sender to a receiver.

A channel stores nothing: whoever comes first waits in line, first come first
served, until a partner comes. Sender and receiver may belong to different threads.
preference says which of them goes on first.

A transfer that is complete succeeds, whatever comes meanwhile, and one that raises
has transferred nothing. What came too late to end a wait (a signal handler's
exception, one from throw(), that of a tasklet that ran meanwhile) is raised by the
caller's next operation that can switch. Only a tasklet that is killed before it has
its turn drops what it was given.

A channel is its own iterator: next() receives, and ends the iteration when the
channel is closed. A for loop over a closing channel thus takes what the waiting
senders have, and stops. `async for value in channel:` in async code does the same,
as scheduler.aio.iterate(). `with channel:` closes it at its end, by close(wake=True).

Parameters:
    preference: see the attribute. Other arguments are ignored, with a
        RuntimeWarning; a derived class may take some for an __init__ or __new__
        of its own.

Raises:
    TypeError, ValueError: preference is no int, or none of -1, 0 and 1.
    RuntimeError: from every method and attribute of an instance whose subclass
        did not call the base class's __init__.

Threads:
    Any thread may make and use a channel.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> for number in range(3):
    ...     task = scheduler.tasklet(channel.send)(number)
    >>> scheduler.run()
    >>> channel.balance
    3
    >>> channel.close()
    >>> list(channel)
    [0, 1, 2]
    >>> scheduler.run())doc";

inline constexpr char buffered[] = R"doc(buffered(capacity)
--

A channel with a buffer for so many objects: send() waits only while it is full.

receive() takes the oldest object, and waits only while there is none. Who waits in
send() comes next: when an object has been received, the first in line has its own
put into the buffer and goes on. So all are received in the order in which they were
sent, and what an operation that raises would have sent is not. What is in the
buffer stays there when the tasklet or the thread that sent it ends.

It is a channel in all that is not told here, also for select() and the C API.

* len(c) is how many objects are in the buffer, so that an empty one is false.
* balance is how many can be received: those in the buffer, and one of each sender
  that waits. It is negative while receivers wait.
* preference is 0 at first: whoever comes second goes on. It matters where a tasklet
  waits: in send() for room, or in receive() for an object.
* close(): send() raises ValueError from now on, even if there is room. What is in
  the buffer, and what those have who wait in send() already, can be received; then
  closed becomes true, receive() raises ValueError, and an iteration ends.
  close(wake=True): those in send() raise it now, and keep what they have.
* clear() ends those who wait. The buffer stays as it is.
* The channel callback is called for each send and receive, and told whether it will
  have to wait.

Parameters:
    capacity: how many, 1 or more. Room for them is made at once.

Raises:
    TypeError, ValueError: capacity is no int, or less than 1.
    MemoryError: there is no room for so many.

Threads:
    Any thread may make and use it.

Example:
    >>> import scheduler
    >>> channel = scheduler.buffered(2)
    >>> def produce():
    ...     for number in range(4):
    ...         channel.send(number)
    ...         print("sent", number)
    ...     channel.close()
    >>> task = scheduler.tasklet(produce)()
    >>> scheduler.run()
    sent 0
    sent 1
    >>> len(channel), channel.balance
    (2, 3)
    >>> list(channel)
    sent 2
    sent 3
    [0, 1, 2, 3])doc";

inline constexpr char capacity[] =
    R"doc(int, read-only: how many objects there is room for in the buffer.)doc";

inline constexpr char channel_class_getitem[] = R"doc(__class_getitem__($type, item, /)
--

For annotations: channel[int] is a channel of ints. Nothing is checked at run time.)doc";

// ---- transfers ---------------------------------------------------------------------------------

inline constexpr char send[] = R"doc(send($self, value, /, timeout=None)
--

Pass a value to a receiver; wait for one if nobody receives.

If a receiver waits it gets the value at once and is queued on its own thread. By
preference it goes on first (-1: it gets the next place, and the caller goes to the
end of the queue; a main tasklet as the caller runs its queue until it is empty), or
the caller does (0 and 1: the receiver is appended to its queue).

Parameters:
    value: any object, passed by reference.
    timeout: seconds to wait for a receiver at most, or None for no limit. With 0 it
        does not wait.

Returns:
    None, once a receiver has the value.

Raises:
    RuntimeError: nobody receives, and block_trap is set on the current tasklet; or
        "Deadlock": it is a main tasklet, nothing else on its thread can run, and no
        other thread has received in time, see set_deadlock_timeout(). A switch trap
        is set, or the call comes from a schedule callback, and the caller would
        wait or give way.
    TimeoutError: no receiver has come in time; nothing has been transferred. With a
        timeout there is no deadlock.
    ValueError: nobody receives, and the channel is closing; ChannelClosed, which is one,
        after close(wake=True), or if that is called while the caller waits. Or the
        timeout is negative or no number (TypeError).
    Exception: what somebody throws at the waiting caller (TaskletExit for kill()),
        and for a main tasklet whatever leaves a tasklet that it runs meanwhile.
        A caller that was waiting has left the line then; a value that a receiver
        has already taken stays with it.

Threads:
    Any thread. The current tasklet of the calling thread is the sender. A receiver
    of another thread goes on when that thread next runs its tasklets; it is woken if
    it waits.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(lambda: print("got", channel.receive()))()
    >>> scheduler.run()
    >>> channel.send("news")
    got news)doc";

inline constexpr char receive[] = R"doc(receive($self, /, timeout=None)
--

Take a value from a sender; wait for one if nobody sends.

If a sender waits its value is taken at once and the sender is queued on its own
thread. By preference the caller goes on first (-1 and 0: the sender is appended to
its queue), or the sender does (1: it gets the next place, and the caller goes to
the end of the queue; a main tasklet as the caller runs its queue until it is
empty).

A tasklet that waits on a channel which nobody else can reach is unwound by the
garbage collector (CPython 3.14 and later, with the GIL), else it stays.

Parameters:
    timeout: seconds to wait for a sender at most, or None for no limit. With 0 it
        does not wait.

Returns:
    The value that was sent.

Raises:
    TimeoutError: no sender has come in time; nothing has been transferred. With a
        timeout there is no deadlock.
    Exception: the exception that was sent by send_exception() or send_throw(); what
        somebody throws at the waiting caller (TaskletExit for kill()); for a main
        tasklet whatever leaves a tasklet that it runs meanwhile. A caller that was
        waiting has left the line then; a value that it had taken is dropped.
    RuntimeError: nobody sends, and block_trap is set on the current tasklet; or
        "Deadlock": it is a main tasklet, nothing else on its thread can run, and no
        other thread has sent in time, see set_deadlock_timeout(). A switch trap is
        set, or the call comes from a schedule callback, and the caller would wait
        or give way.
    ValueError: nobody sends, and the channel is closing; ChannelClosed, which is one,
        after close(wake=True), or if that is called while the caller waits. Or the
        timeout is negative or no number (TypeError).

Threads:
    Any thread. The current tasklet of the calling thread is the receiver. A sender
    of another thread goes on when that thread next runs its tasklets; it is woken if
    it waits.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.send)("news")
    >>> channel.receive()
    'news'
    >>> scheduler.run())doc";

inline constexpr char sending[] = R"doc(sending($self, value, /)
--

A case for scheduler.select() that sends the value on this channel.

Parameters:
    value: any object.

Returns:
    A named tuple (channel, value). It may be used any number of times.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(lambda: print("got", channel.receive()))()
    >>> scheduler.run()
    >>> scheduler.select(channel.sending("news"))
    got news
    (0, None))doc";

inline constexpr char send_exception[] = R"doc(send_exception($self, exc, /, *args, timeout=None)
--

Send an exception: receive() raises it in the receiver.

Waiting, preference and errors are those of send().

Parameters:
    exc: an exception class, or an instance, which is raised as it is.
    args: for a class, what it is called with. A single argument that is None means
        no argument, a tuple gives the arguments, and an instance of the class is
        raised itself. Must be empty with an instance.
    timeout: as for send().

Returns:
    None, once a receiver has the exception.

Raises:
    RuntimeError: exc is missing or no exception; as for send().
    TypeError: an instance comes with further arguments.
    ValueError: as for send().
    Exception: as for send().

Threads:
    Any thread, as for send().

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.send_exception)(ValueError, "no news")
    >>> channel.receive()
    Traceback (most recent call last):
        ...
    ValueError: no news
    >>> scheduler.run())doc";

inline constexpr char send_throw[] =
    R"doc(send_throw($self, /, exc, val=None, tb=None, *, timeout=None)
--

Send an exception with its traceback: receive() raises it in the receiver.

send_throw(*sys.exc_info()) passes on the exception that is being handled, and the
receiver's traceback ends where it arose. Waiting, preference and errors are those
of send().

Parameters:
    exc: an exception class, or an instance, which is raised as it is.
    val: for a class: None calls it without arguments, a tuple gives the arguments,
        an instance of the class is raised itself, and anything else is the only
        argument. Must be None with an instance.
    tb: a traceback for the exception, or None to leave it as it is.
    timeout: as for send().

Returns:
    None, once a receiver has the exception.

Raises:
    TypeError: exc is missing or no exception; an instance comes with a val; tb is
        neither a traceback nor None.
    RuntimeError: as for send().
    ValueError: as for send().
    Exception: as for send().

Threads:
    Any thread, as for send().

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.send_throw)(KeyError, "name")
    >>> channel.receive()
    Traceback (most recent call last):
        ...
    KeyError: 'name'
    >>> scheduler.run())doc";

// ---- the channel as a whole --------------------------------------------------------------------

inline constexpr char clear[] = R"doc(clear($self, /)
--

Kill the tasklets that wait on the channel, in the order of the line.

TaskletExit is raised in each of them, as by kill(): after a victim, what stands
behind it in the runnables queue has a turn as well. Only those that wait at the
time of the call are killed: one that catches TaskletExit and waits again stays. A
main tasklet is skipped and stays in line.

Returns:
    None.

Raises:
    RuntimeError: a switch trap is set, or the call comes from a schedule callback,
        while a tasklet of the calling thread waits; nothing has changed then.
    Exception: whatever leaves a tasklet run by this call, TaskletExit excepted.
        The rest of the line stays.

Threads:
    Any thread. Tasklets of the calling thread are killed at once. Those of other
    threads leave the line at once, and TaskletExit is raised in them when their own
    thread next runs them.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.receive)()
    >>> scheduler.run()
    >>> channel.balance
    -1
    >>> channel.clear()
    >>> channel.balance, task.alive
    (0, False))doc";

inline constexpr char close[] = R"doc(close($self, /, *, wake=False)
--

Let nobody wait on the channel any more.

closing becomes true: operations that would have to wait raise ValueError. Tasklets
that wait already go on waiting, and can still be served; when nobody is left in line,
which may be at once, closed becomes true as well.

With wake their waits are over too: receive(), send(), select() and the like raise
ChannelClosed, a ValueError, where they wait, and so does who comes later; a for loop
over the channel ends. Nobody is run by that: they are queued on their own threads.
What is in a buffer or in the queue of a QueueChannel can still be received.

Parameters:
    wake: a truth value.

Returns:
    None.

Raises:
    RuntimeError: with wake, the calling thread has ended.

Threads:
    Any thread; tasklets of all threads are woken.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(lambda: print(list(channel)))()
    >>> scheduler.run()
    >>> channel.send("news")
    >>> channel.close(wake=True)
    >>> scheduler.run()
    ['news']

Without wake, and a sender that waits:
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(channel.send)("last")
    >>> scheduler.run()
    >>> channel.close()
    >>> channel.closing, channel.closed
    (True, False)
    >>> channel.receive()
    'last'
    >>> channel.closed
    True
    >>> scheduler.run())doc";

inline constexpr char enter[] = R"doc(__enter__($self, /)
--

Return the channel: `with channel:` closes it at its end, see __exit__().)doc";

inline constexpr char exit[] = R"doc(__exit__($self, exc_type, exc_value, traceback, /)
--

Close the channel at the end of a `with` block, also after an exception: close(wake=True).

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> task = scheduler.tasklet(lambda: print(list(channel)))()
    >>> with channel:
    ...     channel.send("news")
    >>> scheduler.run()
    ['news'])doc";

inline constexpr char open[] = R"doc(open($self, /)
--

Make a closed or closing channel usable again.

closing and closed become false.

Returns:
    None.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> channel.close()
    >>> channel.open()
    >>> channel.closing, channel.closed
    (False, False))doc";

inline constexpr char waiting[] = R"doc(waiting($self, /)
--

Tell who waits on the channel: to send or to receive, alone or in a select().

Returns:
    A list of tasklets, each once, in the order of the line; of a thread's main
    tasklet too. Of other threads it may be out of date at once.

Threads:
    Any thread.

Example:
    >>> import scheduler
    >>> channel = scheduler.channel()
    >>> tasks = [scheduler.tasklet(channel.send)(word) for word in ("a", "b")]
    >>> scheduler.run()
    >>> channel.waiting() == tasks
    True
    >>> channel.clear()
    >>> channel.waiting()
    [])doc";

// ---- attributes --------------------------------------------------------------------------------

inline constexpr char balance[] =
    R"doc(int, read-only: how many tasklets wait on the channel.

Positive for senders, negative for receivers, 0 if nobody waits.)doc";

inline constexpr char queue[] =
    R"doc(Tasklet or None, read-only: the first in line; None if nobody waits.)doc";

inline constexpr char preference[] =
    R"doc(int, writable, -1 by default: who goes on first after a transfer.

-1 favours the receiver, 1 the sender, 0 neither: the caller goes on and its partner
is appended to its queue. Other ints are ignored. Raises TypeError for something else
than an int, and when deleted.)doc";

inline constexpr char closing[] =
    R"doc(bool, read-only: close() has been called, and open() has not been called since.)doc";

inline constexpr char closed[] =
    R"doc(bool, read-only: the channel is closing, and nobody has been waiting on it since.

Becomes true when the balance gets to 0 on a closing channel; open() makes it false.)doc";

}  // namespace scheduler::binding::docs::inline channel_docs
