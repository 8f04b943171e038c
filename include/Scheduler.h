// Scheduler.h: the C function table of the `scheduler` module. Reads as C11 and as C++11 or later.
//
//     SchedulerCAPI* api = SchedulerAPI();                      // NULL: Python error set
//     PyTaskletObject* t = api->PyTasklet_New(api->PyTaskletType, args);
//
// The module publishes one table in the capsule `scheduler._C_API`; SchedulerAPI(), at the end of
// this file, imports the package and fetches it. The table is statically allocated and stays valid
// for the life of the process. Members are never reordered and new ones are only added at the end:
// a program works with every module that is not older than its header. The context of the capsule
// is the size of the table in bytes, by which SchedulerAPI() refuses a module that is older.
// Define SCHEDULER_MODULE before including this file to leave SchedulerAPI() out.
//
// What holds for every function of the table:
//
// References. Object arguments are borrowed: the caller keeps its references, the function takes
// its own if it needs to. "new" results must be released by the caller, "borrowed" ones must not.
//
// Arguments. NULL is allowed only where the member says so. NULL elsewhere, an object of the wrong
// type, or a tasklet or channel whose subclass skipped the base `__init__`, makes the call fail
// (TypeError; RuntimeError for the skipped `__init__`); nothing is changed.
//
// Failure. A Python error is set and the failure value is returned: NULL for pointers, -1 for
// integers, nothing for `void`. Where -1 is an ordinary value too, ask PyErr_Occurred().
// PyTasklet_Kill always returns 0; the `_Check` functions, the counters and
// PyScheduler_GetChannelCallback never fail. Do not call with a Python error already set.
//
// Threads. Any thread may call with or without the GIL: a function that finds its thread detached
// attaches it for the time of the call, as PyGILState_Ensure() does (hence the main interpreter
// only). A thread that Python has never seen gets a thread state for that one call: an error set by
// the call, and a schedule manager created by it, end with it. Bracket several calls by
// PyGILState_Ensure() and PyGILState_Release() to keep both. "This thread" below is the calling
// one; its schedule manager is created by the first call that needs it.
//
// Without an interpreter. Before it has been started, after it has ended (static destructors,
// functions of Py_AtExit()), and from a thread that is not attached while it ends, a call does
// nothing: it returns the failure value, and there is no error to set; counters tell what is left.
// The thread that ends it may call as long as it is attached, from destructors of capsules for
// instance; once the module is gone every call fails with RuntimeError. A thread that attaches
// at the moment when the end begins is stopped by CPython, as in any call of Python's.
//
// Times. `seconds` is how long an operation waits at most for a partner, not how long a turn takes:
// with 0 it tries once and never waits, with SCHEDULER_NO_LIMIT (or more than 292 years) it waits
// without a limit. A negative number and NaN make it fail with ValueError before
// anything happens. When the time is over it fails with TimeoutError and has transferred nothing;
// what has been served in time succeeds, however late its tasklet has its turn. With a time there
// is no deadlock. That it is over is noticed when tasklets of the thread switch, and while its main
// tasklet waits; others run meanwhile. PyTasklet_Join and PyScheduler_Run tell it by their result.
//
// Switching. Members marked "may switch" can run other tasklets, so any Python code, before they
// return; they return on the thread that called them, on the same C stack, with all C frames
// between intact. Hold no lock across them that another tasklet of the thread could want, and let
// no C++ exception leave a C function that Python calls. Other members may run Python code only
// through callbacks, through `__init__` of a subclass, or through `__del__` when a reference is
// dropped.

#pragma once

#include <Python.h>

#include <math.h>
#include <stddef.h>

#ifdef __cplusplus
#include <type_traits>
#endif

// A tasklet and a channel: ordinary Python objects, cast from and to PyObject* freely. What lies
// behind the object head is private.
typedef struct PyTaskletObject PyTaskletObject;
typedef struct PyChannelObject PyChannelObject;

// The native schedule hook, see PyScheduler_SetScheduleFastCallback. Its result is ignored.
typedef int(schedule_hook_func)(PyTaskletObject* from, PyTaskletObject* to);

// For `seconds`: waits without a limit. A positive infinite `double`.
#define SCHEDULER_NO_LIMIT HUGE_VAL
// For `turns`: does not count them.
#define SCHEDULER_ANY_TURNS (-1)

// How a loop that hosts a thread is woken, see PyScheduler_SetWaker.
typedef void(scheduler_waker_func)(void* data);

// One case of PyScheduler_Select: what to wait for. References in it are borrowed. A kind of 0 is
// none, so that a case which has not been filled in is refused.
typedef struct SchedulerCase {
    int kind;  // one of the constants below
    PyObject* object;  // the channel to receive from or to send to, the tasklet to join, the event
    PyObject* value;  // what to send; the other kinds do not look at it
} SchedulerCase;

enum {
    SCHEDULER_CASE_RECEIVE = 1,  // is done when something has been received; brings that
    SCHEDULER_CASE_SEND = 2,  // is done when somebody has taken the value; brings None
    SCHEDULER_CASE_JOIN = 3,  // is done when the tasklet is dead; brings None
    SCHEDULER_CASE_EVENT = 4  // is done when the `scheduler.sync.Event` is set; brings None
};

// One function of the table: the member NAME and, in C++, the name of its type, `NAME_Routine`
// inside SchedulerCAPI. C has no nested names, so there the member stands alone.
#ifdef __cplusplus
#define SCHEDULER_ROUTINE(result, name, parameters)                   \
    using name##_Routine = std::add_pointer<result parameters>::type; \
    name##_Routine name
#else
#define SCHEDULER_ROUTINE(result, name, parameters) result(*name) parameters
#endif

// clang-format off
typedef struct SchedulerCAPI {
    // ---- tasklets ------------------------------------------------------------------------------

    // Calls `type(*args)`. `type`: PyTaskletType or a type derived from it. `args`: a tuple,
    // normally of one callable, or NULL for none. The new tasklet belongs to this thread and is not
    // queued. Returns: new; NULL on failure.
    SCHEDULER_ROUTINE(PyTaskletObject*, PyTasklet_New, (PyTypeObject* type, PyObject* args));

    // As `t(*args, **kwds)`: gives the bound callable its arguments and puts the tasklet at the end
    // of this thread's runnables queue, which then holds one reference to it. `args`: a tuple.
    // `kwds`: a dict or NULL. Returns 0; -1 on failure, e.g. RuntimeError when no callable is bound
    // (a second call without a new bind), or from another thread than the tasklet's.
    SCHEDULER_ROUTINE(int, PyTasklet_Setup,
                      (PyTaskletObject* tasklet, PyObject* args, PyObject* kwds));

    // Puts an alive, unblocked tasklet at the end of the runnables queue of its own thread, waking
    // that thread if it waits; may be called from any thread. No effect if it is queued already.
    // Returns 0; -1 on failure: RuntimeError when the tasklet is blocked or dead.
    SCHEDULER_ROUTINE(int, PyTasklet_Insert, (PyTaskletObject* tasklet));

    // Reads `block_trap`. Returns 1 or 0; -1 on failure.
    SCHEDULER_ROUTINE(int, PyTasklet_GetBlockTrap, (PyTaskletObject* tasklet));

    // Sets `block_trap` to `value != 0`. On failure only the error tells.
    SCHEDULER_ROUTINE(void, PyTasklet_SetBlockTrap, (PyTaskletObject* tasklet, int value));

    // Is it the main tasklet of its thread? Returns 1 or 0; -1 on failure.
    SCHEDULER_ROUTINE(int, PyTasklet_IsMain, (PyTaskletObject* tasklet));

    // Is `object` a tasklet, or of a type derived from it? NULL is allowed and none. Returns 1 or
    // 0; never fails.
    SCHEDULER_ROUTINE(int, PyTasklet_Check, (PyObject* object));

    // Has it been given arguments and not yet ended? Returns 1 or 0; -1 on failure.
    SCHEDULER_ROUTINE(int, PyTasklet_Alive, (PyTaskletObject* tasklet));

    // As `tasklet.kill()`: raises TaskletExit inside the tasklet now and runs it. May switch.
    // Returns 0 always: ask PyErr_Occurred(). RuntimeError from another thread than the tasklet's;
    // any error that leaves the tasklet instead of TaskletExit. When the tasklet is the current
    // one, the error is TaskletExit itself and must be passed on.
    SCHEDULER_ROUTINE(int, PyTasklet_Kill, (PyTaskletObject* tasklet));

    // ---- channels ------------------------------------------------------------------------------

    // Calls `type()`. `type`: PyChannelType or a type derived from it; NULL stands for
    // PyChannelType. Returns: new; NULL on failure.
    SCHEDULER_ROUTINE(PyChannelObject*, PyChannel_New, (PyTypeObject* type));

    // As `channel.send(value)`: hands `value` to the first waiting receiver, else waits for one.
    // `value` may be any object. May switch. Returns 0; -1 on failure: TaskletExit when killed
    // while waiting, ValueError on a closing channel, RuntimeError for a trap or a deadlock. A main
    // tasklet that nothing on its thread can serve waits for other threads, without the GIL, for as
    // long as `scheduler.set_deadlock_timeout()` says (1 s by default); a signal handler's error
    // ends that wait.
    SCHEDULER_ROUTINE(int, PyChannel_Send, (PyChannelObject* channel, PyObject* value));

    // As `channel.receive()`: takes what the first waiting sender brings, else waits for one. May
    // switch. Returns: new; NULL on failure as PyChannel_Send, or with the exception that was sent.
    SCHEDULER_ROUTINE(PyObject*, PyChannel_Receive, (PyChannelObject* channel));

    // As `channel.send_exception(klass, value)`: a send that raises in the receiver. `klass`: an
    // exception class or instance. `value`: NULL for none, a tuple for several arguments, else the
    // one argument; NULL with an instance. May switch. Returns 0; -1 on failure: RuntimeError when
    // `klass` is NULL or no exception, else as PyChannel_Send.
    SCHEDULER_ROUTINE(int, PyChannel_SendException,
                      (PyChannelObject* channel, PyObject* klass, PyObject* value));

    // The tasklet that has waited longest on the channel. Returns: new; NULL without an error when
    // nobody waits; NULL with one on failure.
    SCHEDULER_ROUTINE(PyObject*, PyChannel_GetQueue, (PyChannelObject* channel));

    // Who goes on after a transfer: -1 the receiver (the default), 1 the sender, 0 neither is
    // favoured. Returns that; -1 on failure, so ask PyErr_Occurred() if the argument is in doubt.
    SCHEDULER_ROUTINE(int, PyChannel_GetPreference, (PyChannelObject* channel));

    // Sets the preference. Values below -1 count as -1, above 1 as 1. On failure only the error
    // tells.
    SCHEDULER_ROUTINE(void, PyChannel_SetPreference, (PyChannelObject* channel, int value));

    // Number of waiting senders (of a QueueChannel, of what is queued), or minus the number of
    // waiting receivers. Returns that; -1 on failure, so ask PyErr_Occurred() if the argument is in
    // doubt.
    SCHEDULER_ROUTINE(int, PyChannel_GetBalance, (PyChannelObject* channel));

    // Is `object` a channel, or of a type derived from it? NULL is allowed and none. Returns 1 or
    // 0; never fails.
    SCHEDULER_ROUTINE(int, PyChannel_Check, (PyObject* object));

    // As `channel.send_throw(exc, val, tb)`, deprecated in favour of PyChannel_SendException.
    // `exc`: an exception class or instance. `val`: NULL or None for none. `tb`: a traceback, NULL
    // or None. May switch. Returns 0; -1 on failure: RuntimeError when `exc` is NULL or no
    // exception, TypeError when `tb` is no traceback, else as PyChannel_Send.
    SCHEDULER_ROUTINE(int, PyChannel_SendThrow,
                      (PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb));

    // ---- schedule manager of this thread -------------------------------------------------------

    // The schedule manager object of this thread. Holding it does not put off the clean-up at the
    // end of the thread. Returns: new; NULL on failure.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_GetScheduler, (void));

    // Gives up the turn: `schedule()` when `remove` is 0; else `schedule_remove()`, which leaves
    // the tasklet out of the runnables queue until somebody inserts or runs it. `retval` is ignored
    // and may be NULL. May switch. Returns: new, None; NULL on failure.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_Schedule, (PyObject* retval, int remove));

    // Length of the runnables queue plus one for the main tasklet. Returns that; -1 on failure.
    SCHEDULER_ROUTINE(int, PyScheduler_GetRunCount, (void));

    // The tasklet whose code is running, the main tasklet included. Returns: new; NULL on failure.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_GetCurrent, (void));

    // Runs the queue until it is empty or `timeout_ns` nanoseconds have passed. That is
    // looked at as each turn begins: the first time that it is found nothing follows from it, the
    // second time that turn is the last one. So two tasklets get a turn, if there are two. Only turns handed out by the main
    // tasklet are limited. May switch. Returns: new, None; NULL on failure, with what a tasklet did
    // not catch.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_RunWithTimeout, (long long timeout_ns));

    // Runs the queue for at most `number` turns. May switch. Returns: new, None; NULL on failure:
    // RuntimeError when `number` is not positive, else what a tasklet did not catch.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_RunNTasklets, (int number));

    // ---- callbacks, for all threads ------------------------------------------------------------

    // As `set_channel_callback(callable)`; shares its slot. `callable` is called with (channel,
    // tasklet, sending, will_block) at the start of each channel operation. NULL removes. Returns
    // 0; -1 on failure: TypeError when it is not callable, which None is not.
    SCHEDULER_ROUTINE(int, PyScheduler_SetChannelCallback, (PyObject* callable));

    // Returns: borrowed, the channel callback; None without one. Good until it is replaced: without
    // the GIL another thread may do that at any time.
    SCHEDULER_ROUTINE(PyObject*, PyScheduler_GetChannelCallback, (void));

    // As `set_schedule_callback(callable)`; shares its slot. `callable` is called with (previous,
    // next) before each change of the current tasklet. NULL removes. Returns 0; -1 on failure:
    // TypeError when it is not callable, which None is not.
    SCHEDULER_ROUTINE(int, PyScheduler_SetScheduleCallback, (PyObject* callable));

    // Sets the native schedule hook of the process; NULL removes it. Called after the Python
    // schedule callback at each change of a thread's current tasklet, on that thread, attached,
    // with borrowed tasklets; it must not switch tasklets, and must clear any Python error it
    // causes.
    SCHEDULER_ROUTINE(void, PyScheduler_SetScheduleFastCallback, (schedule_hook_func func));

    // ---- counters, for all threads; they never fail --------------------------------------------

    // Schedule managers that exist.
    SCHEDULER_ROUTINE(int, PyScheduler_GetNumberOfActiveScheduleManagers, (void));

    // Channels that exist.
    SCHEDULER_ROUTINE(int, PyScheduler_GetNumberOfActiveChannels, (void));

    // Tasklets ever constructed, main tasklets included; never falls.
    SCHEDULER_ROUTINE(int, PyScheduler_GetAllTimeTaskletCount, (void));

    // Tasklets that exist, dead or alive, main tasklets included.
    SCHEDULER_ROUTINE(int, PyScheduler_GetActiveTaskletCount, (void));

    // Turns that ended in the last PyScheduler_RunWithTimeout.
    SCHEDULER_ROUTINE(int, PyScheduler_GetTaskletsCompletedLastRunWithTimeout, (void));

    // Changes of the current tasklet in the last PyScheduler_RunWithTimeout.
    SCHEDULER_ROUTINE(int, PyScheduler_GetTaskletsSwitchedLastRunWithTimeout, (void));

    // ---- types and the exit exception: borrowed, as long as the module lives -------------------

    // The type of `scheduler.tasklet`.
    PyTypeObject* PyTaskletType;

    // The type of `scheduler.channel`.
    PyTypeObject* PyChannelType;

    // Address of the variable that holds the class `scheduler.TaskletExit`: dereference once.
    PyObject** TaskletExit;

    // ---- added later ---------------------------------------------------------------------------

    // Turns given to the tasklet since it was last bound. Returns that; -1 on failure.
    SCHEDULER_ROUTINE(long, PyTasklet_GetTimesSwitchedTo, (PyTaskletObject* tasklet));

    // The attribute `context` as UTF-8, NUL-terminated. Owned by the tasklet: do not free it. Valid
    // until the attribute is set again or the tasklet is destroyed. NULL on failure.
    SCHEDULER_ROUTINE(const char*, PyTasklet_GetContext, (PyTaskletObject* tasklet));

    // ---- waiting for a time, and for the first of several things -------------------------------

    // As `scheduler.sleep(seconds)`: the current tasklet of this thread, which may be a main one, is
    // blocked for that time, and others run; then it goes to the end of the runnables queue. 0 gives
    // way as PyScheduler_Schedule(NULL, 0) does; SCHEDULER_NO_LIMIT sleeps until an exception is
    // raised in the tasklet. May switch. Returns 0, not before the time is over; -1 on failure:
    // RuntimeError for a trap or in a schedule callback, TaskletExit when killed meanwhile, and on a
    // main tasklet what a tasklet did not catch.
    SCHEDULER_ROUTINE(int, PyScheduler_Sleep, (double seconds));

    // As PyChannel_Send, for `seconds` at most. `value`: any object, not NULL; the receiver gets a
    // reference of its own. May switch. The current tasklet of this thread sends; the receiver may be
    // of another thread. Returns 0, the value has been taken; -1 on failure: TimeoutError when nobody
    // has come, else as PyChannel_Send.
    SCHEDULER_ROUTINE(int, PyChannel_SendWithTimeout,
                      (PyChannelObject* channel, PyObject* value, double seconds));

    // As PyChannel_Receive, for `seconds` at most. May switch. The current tasklet of this thread
    // receives; the sender may be of another thread. Returns: new; NULL on failure: TimeoutError
    // when nobody has come, else as PyChannel_Receive. It may be a TimeoutError that was sent, too.
    SCHEDULER_ROUTINE(PyObject*, PyChannel_ReceiveWithTimeout,
                      (PyChannelObject* channel, double seconds));

    // As PyChannel_SendException, for `seconds` at most. To send a traceback, give an instance that
    // has one. May switch. Returns 0, the exception has been taken; -1 on failure: TimeoutError when
    // nobody has come, else as PyChannel_SendException.
    SCHEDULER_ROUTINE(int, PyChannel_SendExceptionWithTimeout,
                      (PyChannelObject* channel, PyObject* klass, PyObject* value, double seconds));

    // As `scheduler.select(*cases, timeout=seconds, ordered=ordered)`: waits until one of the cases
    // can be done, for `seconds` at most, and does that one; of the others nothing remains. `cases`:
    // an array of `count` cases, 1 or more, which is read before the call waits; a channel may be in
    // several of them. `ordered`: not 0 takes the first of those that can be done at once; with 0
    // the place where the look begins moves on from call to call, so that no case starves. `value`:
    // where to put, new, what the case brings (NULL on failure); NULL drops it. May switch. It acts
    // for the current tasklet of this thread; partners, and tasklets to join, may be of any thread.
    // Returns the index of the case that was done; -1 on failure: TimeoutError when none could be
    // done in time; ValueError for a `count` below 1, an unknown kind, or when none can be done and a
    // channel among them is closing; TypeError when `cases`, an object or a value to send is NULL or
    // of the wrong type; RuntimeError for a trap or a deadlock, and to join the current tasklet or
    // the main one of this thread; TaskletExit when killed meanwhile. Then no case has been done. It
    // may also be the exception that was sent on the channel which was taken.
    SCHEDULER_ROUTINE(Py_ssize_t, PyScheduler_Select,
                      (const SchedulerCase* cases, Py_ssize_t count, double seconds, int ordered,
                       PyObject** value));

    // ---- a loop of the program's that hosts this thread ----------------------------------------

    // Runs some of what is runnable in this thread, as `scheduler.pump(turns, seconds)`: at most
    // `turns` turns (0 or more; with 0 nobody runs), begun within `seconds` (there is one at least),
    // and returns without having waited. With SCHEDULER_ANY_TURNS and SCHEDULER_NO_LIMIT as many
    // turns as tasklets are queued now. Main tasklet only. May switch. Returns 1 if more is
    // runnable, 0 if nothing is, and the waker will tell; -1 on failure: ValueError for a number
    // that makes no sense; RuntimeError when a tasklet calls, for a trap or in a schedule callback;
    // what a tasklet did not catch.
    SCHEDULER_ROUTINE(int, PyScheduler_Pump, (long long turns, double seconds));

    // As `scheduler.next_deadline()`: how long until the next timer of this thread is due. Returns
    // seconds, 0 if one is, SCHEDULER_NO_LIMIT without one; -1 on failure.
    SCHEDULER_ROUTINE(double, PyScheduler_NextDeadline, (void));

    // From now on `func` is called with `data` when there is something to do for this thread while
    // it is outside PyScheduler_Pump, once until the next one: see `scheduler.set_waker()`. It is
    // called at once if there is something. Any thread calls it, attached or not, in the middle of
    // what it does: it must call neither Python nor this table, must not block, and lets no C++
    // exception out. NULL takes it back: when the call returns, it is not called any more. So does
    // the end of the thread. `data` stays the caller's. Returns 0; -1 on failure: RuntimeError when
    // a file descriptor is the waker.
    SCHEDULER_ROUTINE(int, PyScheduler_SetWaker, (scheduler_waker_func * func, void* data));

    // The same with a file descriptor that does not block, to which eight bytes are written, as
    // `scheduler.set_waker(fd)`, with which it shares its place: an eventfd, for instance. It stays
    // the caller's. -1 takes it back. Returns 0; -1 on failure: ValueError for one that may block,
    // cannot be written to, or is below -1; OSError for none; RuntimeError when a function is the
    // waker.
    SCHEDULER_ROUTINE(int, PyScheduler_SetWakerFd, (int fd));

    // As `scheduler.forbid_main_waits(message)`: what would make the main tasklet of this thread
    // wait raises RuntimeError with that text, UTF-8, which is copied. NULL allows waits again.
    // Returns 0; -1 on failure.
    SCHEDULER_ROUTINE(int, PyScheduler_ForbidMainWaits, (const char* message));

    // ---- one turn ------------------------------------------------------------------------------

    // As `tasklet.resume()`: gives exactly this tasklet one turn now, and nobody else. May switch.
    // Returns 0 when that turn is over; -1 on failure: RuntimeError when the tasklet is dead,
    // blocked, current or a main one, or of another thread, for a trap or in a schedule callback;
    // ValueError when it waits for the current one to give control back; what it did not catch.
    SCHEDULER_ROUTINE(int, PyTasklet_Resume, (PyTaskletObject* tasklet));

    // As PyTasklet_Kill, but nobody else has a turn: `tasklet.kill(alone=True)`. May switch. Returns
    // 0; -1 on failure: as PyTasklet_Kill.
    SCHEDULER_ROUTINE(int, PyTasklet_KillAlone, (PyTaskletObject* tasklet));

    // As `tasklet.throw(exc, val, tb, alone=True)`: raises an exception inside the tasklet now, and
    // nobody else has a turn. `exc`: an exception class or instance. `val`, `tb`: NULL or None for
    // none. May switch. Returns 0; -1 on failure: TypeError when `exc` is NULL or no exception, or
    // `tb` no traceback; RuntimeError when the tasklet is dead, else as PyTasklet_Resume.
    SCHEDULER_ROUTINE(int, PyTasklet_ThrowAlone,
                      (PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb));

    // ---- what a tasklet is to do, and its end --------------------------------------------------

    // As `tasklet.bind(callable, args, kwargs)`: what to call, and with what, without queueing the
    // tasklet; NULL is "not given". With `args` (a tuple, None for an empty one) or `kwds` (a dict
    // or None) the tasklet is alive and paused afterwards: PyTasklet_Insert queues it,
    // PyTasklet_Resume runs it. `callable` alone is remembered for PyTasklet_Setup; None alone
    // unbinds, and unwinds a suspended tasklet. Owner thread only. Returns 0; -1 on failure:
    // TypeError for an argument of the wrong type; RuntimeError without any callable, when the
    // tasklet has its turn, to unbind a queued one, for a main tasklet, from another thread.
    SCHEDULER_ROUTINE(int, PyTasklet_Bind,
                      (PyTaskletObject* tasklet, PyObject* callable, PyObject* args, PyObject* kwds));

    // As `tasklet.remove()`: takes the tasklet out of the runnables queue of its own thread. It stays
    // alive and is paused until PyTasklet_Insert or a run. No effect if it is not queued: a blocked
    // one stays blocked. May be called from any thread. Returns 0; -1 on failure: RuntimeError when
    // the tasklet has its turn, is a main one, or its thread has ended.
    SCHEDULER_ROUTINE(int, PyTasklet_Remove, (PyTaskletObject* tasklet));

    // As `tasklet.throw(exc, val, tb, pending)`: raises an exception inside the tasklet. `exc`: an
    // exception class or instance. `val`, `tb`: NULL or None for none. `pending`: 0 runs the tasklet
    // now, and with it those behind it (owner thread only, may switch); not 0 queues it, on whatever
    // thread it belongs to, and raises the exception at its next turn. Returns 0; -1 on failure:
    // TypeError when `exc` is NULL or no exception, or `tb` no traceback; RuntimeError when the
    // tasklet is dead (TaskletExit does nothing then), for a trap or in a schedule callback; what it
    // did not catch; the exception itself when the tasklet is the current one.
    SCHEDULER_ROUTINE(int, PyTasklet_Throw,
                      (PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb,
                       int pending));

    // As `tasklet.join(timeout)`: waits until the tasklet, of any thread, is dead. May switch.
    // Returns 1, it is dead; 0, `seconds` are over (which is no error here); -1 on failure:
    // RuntimeError for the current tasklet, for the main one of this thread, for a trap, in a schedule
    // callback or for a deadlock; TaskletExit when killed meanwhile.
    SCHEDULER_ROUTINE(int, PyTasklet_Join, (PyTaskletObject* tasklet, double seconds));

    // As `tasklet.result(timeout)`: the same, and what its callable has returned. May switch.
    // Returns: new; NULL on failure: TimeoutError when `seconds` are over; what the callable has
    // raised, if somebody waited for it by then; RuntimeError when it was killed or has never run;
    // else as PyTasklet_Join.
    SCHEDULER_ROUTINE(PyObject*, PyTasklet_Result, (PyTaskletObject* tasklet, double seconds));

    // ---- closing, and a channel with a queue ---------------------------------------------------

    // As `channel.close(wake=wake)`: nobody may begin to wait on the channel from now on. With `wake`
    // 0 those who wait go on waiting and can be served; else their waits are over, on all threads:
    // they are queued, and get ChannelClosed, a ValueError. May be called from any thread; does not
    // switch. Returns 0; -1 on failure: RuntimeError, with `wake`, when this thread has ended.
    SCHEDULER_ROUTINE(int, PyChannel_Close, (PyChannelObject* channel, int wake));

    // As `channel.clear()`: kills all who wait on the channel, first come, first killed. Those of
    // this thread run now, those of other threads when they have their turn. May switch. Returns 0;
    // -1 on failure: RuntimeError for a trap or in a schedule callback; what a tasklet raised in
    // place of TaskletExit.
    SCHEDULER_ROUTINE(int, PyChannel_Clear, (PyChannelObject* channel));

    // Calls `type()`. `type`: `scheduler.QueueChannel` or a type derived from it; NULL stands for
    // QueueChannel. It queues what nobody waits for, so that to send never waits. All functions for
    // channels take it: those that send queue, those that receive take what is queued first (also as
    // a case of PyScheduler_Select), PyChannel_GetBalance counts what is queued. Returns: new; NULL
    // on failure.
    SCHEDULER_ROUTINE(PyChannelObject*, PyQueueChannel_New, (PyTypeObject* type));

    // Is `object` a QueueChannel, or of a type derived from it? NULL is allowed and none. Returns 1
    // or 0; never fails.
    SCHEDULER_ROUTINE(int, PyQueueChannel_Check, (PyObject* object));

    // ---- a run that waits ----------------------------------------------------------------------

    // As `scheduler.run(threadblock, timeout)`: runs the queue until it is empty. With `threadblock`
    // not 0 until no tasklet of this thread is alive: while all of them wait this thread does, too,
    // without the GIL. Once `seconds` are over no further turn is given, and the wait ends (there is
    // one turn at least); SCHEDULER_NO_LIMIT is no limit. With a limit or `threadblock` main tasklet
    // only. May switch. Returns 0, also when the time is over: ask PyScheduler_GetRunCount; -1 on
    // failure: RuntimeError for a trap, in a schedule callback or for a deadlock; what a tasklet did
    // not catch.
    SCHEDULER_ROUTINE(int, PyScheduler_Run, (int threadblock, double seconds));

    // ---- traces --------------------------------------------------------------------------------

    // As `scheduler.trace_mark(name)`: "here the program was at this moment", such as the begin of a
    // frame, for whoever looks at the trace. `name`: UTF-8, of which 240 bytes are kept; not kept by
    // address. Where there is no trace it does nothing. Any thread, also in a callback; does not
    // switch. Returns 1, it is in the trace; 0, there is none; -1 on failure: TypeError for NULL.
    SCHEDULER_ROUTINE(int, PyScheduler_TraceMark, (const char* name));
} SchedulerCAPI;
// clang-format on

// The layout is part of the binary interface: 64 pointers without padding, in this order. The first
// 40 are those that every module has.
#ifdef __cplusplus
#define SCHEDULER_SLOT(index, name) \
    static_assert(offsetof(SchedulerCAPI, name) == (index) * sizeof(void*), "moved: " #name)
static_assert(sizeof(SchedulerCAPI) == 64 * sizeof(void*), "the table has 64 members");
#else
#define SCHEDULER_SLOT(index, name) \
    _Static_assert(offsetof(SchedulerCAPI, name) == (index) * sizeof(void*), "moved: " #name)
_Static_assert(sizeof(SchedulerCAPI) == 64 * sizeof(void*), "the table has 64 members");
#endif

SCHEDULER_SLOT(0, PyTasklet_New);
SCHEDULER_SLOT(1, PyTasklet_Setup);
SCHEDULER_SLOT(2, PyTasklet_Insert);
SCHEDULER_SLOT(3, PyTasklet_GetBlockTrap);
SCHEDULER_SLOT(4, PyTasklet_SetBlockTrap);
SCHEDULER_SLOT(5, PyTasklet_IsMain);
SCHEDULER_SLOT(6, PyTasklet_Check);
SCHEDULER_SLOT(7, PyTasklet_Alive);
SCHEDULER_SLOT(8, PyTasklet_Kill);
SCHEDULER_SLOT(9, PyChannel_New);
SCHEDULER_SLOT(10, PyChannel_Send);
SCHEDULER_SLOT(11, PyChannel_Receive);
SCHEDULER_SLOT(12, PyChannel_SendException);
SCHEDULER_SLOT(13, PyChannel_GetQueue);
SCHEDULER_SLOT(14, PyChannel_GetPreference);
SCHEDULER_SLOT(15, PyChannel_SetPreference);
SCHEDULER_SLOT(16, PyChannel_GetBalance);
SCHEDULER_SLOT(17, PyChannel_Check);
SCHEDULER_SLOT(18, PyChannel_SendThrow);
SCHEDULER_SLOT(19, PyScheduler_GetScheduler);
SCHEDULER_SLOT(20, PyScheduler_Schedule);
SCHEDULER_SLOT(21, PyScheduler_GetRunCount);
SCHEDULER_SLOT(22, PyScheduler_GetCurrent);
SCHEDULER_SLOT(23, PyScheduler_RunWithTimeout);
SCHEDULER_SLOT(24, PyScheduler_RunNTasklets);
SCHEDULER_SLOT(25, PyScheduler_SetChannelCallback);
SCHEDULER_SLOT(26, PyScheduler_GetChannelCallback);
SCHEDULER_SLOT(27, PyScheduler_SetScheduleCallback);
SCHEDULER_SLOT(28, PyScheduler_SetScheduleFastCallback);
SCHEDULER_SLOT(29, PyScheduler_GetNumberOfActiveScheduleManagers);
SCHEDULER_SLOT(30, PyScheduler_GetNumberOfActiveChannels);
SCHEDULER_SLOT(31, PyScheduler_GetAllTimeTaskletCount);
SCHEDULER_SLOT(32, PyScheduler_GetActiveTaskletCount);
SCHEDULER_SLOT(33, PyScheduler_GetTaskletsCompletedLastRunWithTimeout);
SCHEDULER_SLOT(34, PyScheduler_GetTaskletsSwitchedLastRunWithTimeout);
SCHEDULER_SLOT(35, PyTaskletType);
SCHEDULER_SLOT(36, PyChannelType);
SCHEDULER_SLOT(37, TaskletExit);
SCHEDULER_SLOT(38, PyTasklet_GetTimesSwitchedTo);
SCHEDULER_SLOT(39, PyTasklet_GetContext);
SCHEDULER_SLOT(40, PyScheduler_Sleep);
SCHEDULER_SLOT(41, PyChannel_SendWithTimeout);
SCHEDULER_SLOT(42, PyChannel_ReceiveWithTimeout);
SCHEDULER_SLOT(43, PyChannel_SendExceptionWithTimeout);
SCHEDULER_SLOT(44, PyScheduler_Select);
SCHEDULER_SLOT(45, PyScheduler_Pump);
SCHEDULER_SLOT(46, PyScheduler_NextDeadline);
SCHEDULER_SLOT(47, PyScheduler_SetWaker);
SCHEDULER_SLOT(48, PyScheduler_SetWakerFd);
SCHEDULER_SLOT(49, PyScheduler_ForbidMainWaits);
SCHEDULER_SLOT(50, PyTasklet_Resume);
SCHEDULER_SLOT(51, PyTasklet_KillAlone);
SCHEDULER_SLOT(52, PyTasklet_ThrowAlone);
SCHEDULER_SLOT(53, PyTasklet_Bind);
SCHEDULER_SLOT(54, PyTasklet_Remove);
SCHEDULER_SLOT(55, PyTasklet_Throw);
SCHEDULER_SLOT(56, PyTasklet_Join);
SCHEDULER_SLOT(57, PyTasklet_Result);
SCHEDULER_SLOT(58, PyChannel_Close);
SCHEDULER_SLOT(59, PyChannel_Clear);
SCHEDULER_SLOT(60, PyQueueChannel_New);
SCHEDULER_SLOT(61, PyQueueChannel_Check);
SCHEDULER_SLOT(62, PyScheduler_Run);
SCHEDULER_SLOT(63, PyScheduler_TraceMark);

#undef SCHEDULER_SLOT
#undef SCHEDULER_ROUTINE

#ifndef SCHEDULER_MODULE
// The table. The first call in a translation unit imports the package `scheduler` (attached thread
// needed, i.e. the GIL held; may run Python) and remembers the pointer; later calls only read it
// and may come from any thread, attached or not, that knows the first one to be over. Returns: the
// table, never to be freed; NULL with a Python error set when the import fails: ImportError as well
// for a module that is older than this header and so has not all members. A newer one is fine.
static inline SchedulerCAPI* SchedulerAPI(void) {
    static SchedulerCAPI* table = NULL;
    if (table == NULL) {
        // Imported by itself first: PyCapsule_Import would hide why the import failed.
        PyObject* package = PyImport_ImportModule("scheduler");
        PyObject* capsule = package != NULL ? PyObject_GetAttrString(package, "_C_API") : NULL;
        SchedulerCAPI* found = NULL;
        if (capsule != NULL) {
            found = (SchedulerCAPI*)PyCapsule_GetPointer(capsule, "scheduler._C_API");
        }
        if (found != NULL) {
            // One that does not tell has the 40 members of the first version.
            const size_t told = (size_t)PyCapsule_GetContext(capsule);
            const size_t size = told != 0 ? told : 40 * sizeof(void*);
            if (size >= sizeof(SchedulerCAPI)) {
                table = found;
            } else {
                PyErr_Format(PyExc_ImportError,
                             "the module scheduler is older than the Scheduler.h that this program "
                             "was compiled with (its C table has %zu bytes, not %zu): install a "
                             "version of the package that is not older than the header, or compile "
                             "the program with the header in scheduler.get_include()",
                             size, sizeof(SchedulerCAPI));
            }
        }
        Py_XDECREF(capsule);
        Py_XDECREF(package);
    }
    return table;
}
#endif
