#include "binding/python/errors.h"

#include <iterator>

#include "binding/python/refs.h"

namespace scheduler::binding {

namespace {

struct Entry {
    Refusal refusal;
    PyObject** type;
    const char* message;
};

constexpr Entry kTable[] = {
    {Refusal::kNotInitialised, &PyExc_RuntimeError,
     "the object is not initialised: a subclass that defines __init__ or __new__ must call the one "
     "of its base class"},
    {Refusal::kThreadEnded, &PyExc_RuntimeError,
     "the thread that this tasklet belongs to has ended; make a new tasklet on a live thread"},
    {Refusal::kThreadEnding, &PyExc_RuntimeError,
     "the thread is ending and gives no tasklet a turn any more"},
    {Refusal::kDead, &PyExc_RuntimeError,
     "the tasklet is dead, for it has ended: to use it again, bind(callable) and call it, or "
     "bind(callable, args)"},
    {Refusal::kNotSetUp, &PyExc_RuntimeError,
     "the tasklet is still dead, for it has not been given its arguments: call it first, as in "
     "t(x, y), or t() if there are none"},
    {Refusal::kUnbound, &PyExc_RuntimeError,
     "the tasklet is still dead, for it has nothing to run: bind(callable) first, and call it"},
    {Refusal::kBlocked, &PyExc_RuntimeError,
     "the tasklet is blocked on a channel, or in join(): complete the transfer, or kill() or "
     "throw() "
     "at it"},
    {Refusal::kOtherThread, &PyExc_RuntimeError,
     "the tasklet belongs to another thread: do this on its own thread; from here insert(), run(), "
     "kill(pending=True) and throw(..., pending=True) work"},
    {Refusal::kMainTasklet, &PyExc_RuntimeError,
     "this cannot be done to a main tasklet, which is the thread itself"},
    {Refusal::kHasTurn, &PyExc_RuntimeError,
     "the tasklet is running: it can be removed once its turn is over, or leave by itself with "
     "schedule_remove()"},
    {Refusal::kAncestorNested, &PyExc_ValueError,
     "cyclic parent chain: the tasklet is itself waiting for the current one to give control back"},
    {Refusal::kAncestorFlat, &PyExc_RuntimeError,
     "the tasklet has its turn already: it is waiting for the current one to give control back"},
    {Refusal::kCurrentFlat, &PyExc_RuntimeError,
     "run() of the current tasklet is not possible with flat scheduling"},
    {Refusal::kSwitchTrap, &PyExc_RuntimeError,
     "switch_trap is set on this thread: lift it with switch_trap(-1) before switching tasklets"},
    {Refusal::kInCallback, &PyExc_RuntimeError,
     "tasklets cannot be switched inside a schedule callback, which runs in the middle of a "
     "switch, nor in a signal handler while the main tasklet waits: queue what is to be done, with "
     "insert(), kill(pending=True) or throw(..., pending=True)"},
    {Refusal::kBlockTrap, &PyExc_RuntimeError,
     "block_trap is set on the current tasklet, and nobody waits at the other end of the channel"},
    {Refusal::kChannelClosing, &PyExc_ValueError,
     "the channel is closed: nobody waits at its other end; open() makes it usable again"},
    {Refusal::kClosedMeanwhile, &PyExc_ValueError,
     "the channel has been closed while the tasklet waited, and nothing has been transferred"},
    {Refusal::kDeadlock, &PyExc_RuntimeError,
     "Deadlock: the main tasklet would wait for ever, for no tasklet of this thread is runnable "
     "and "
     "no other thread could change that"},
    {Refusal::kNotCallable, &PyExc_TypeError, "the tasklet's callable must be callable or None"},
    {Refusal::kNoCallable, &PyExc_RuntimeError,
     "the tasklet has no callable: bind(callable) first, or make it as tasklet(f), not "
     "tasklet(f())"},
    {Refusal::kCallableUsedUp, &PyExc_RuntimeError,
     "the tasklet's callable has been used up: bind(callable) before the next call"},
    {Refusal::kArgsNotTuple, &PyExc_TypeError,
     "args must be a tuple, as in bind(f, (x, y)), or None"},
    {Refusal::kKwargsNotDict, &PyExc_TypeError,
     "kwargs must be a dict, as in bind(f, (x, y), {'name': z}), or None"},
    {Refusal::kUnbindCurrent, &PyExc_RuntimeError, "the current tasklet cannot be unbound"},
    {Refusal::kUnbindScheduled, &PyExc_RuntimeError,
     "a scheduled tasklet cannot be unbound: remove() it first"},
    {Refusal::kBindCurrent, &PyExc_RuntimeError,
     "a tasklet that is running cannot be given new arguments"},
    {Refusal::kThrowDead, &PyExc_RuntimeError, "an exception cannot be thrown at a dead tasklet"},
    {Refusal::kTooFewTurns, &PyExc_RuntimeError,
     "the number of tasklets to run must be at least 1"},
    {Refusal::kDontRaiseBound, &PyExc_RuntimeError,
     "dont_raise must be set before a callable is bound to the tasklet"},
    {Refusal::kAlreadyStarted, &PyExc_RuntimeError,
     "the context of a tasklet can only be set before it has started"},
    {Refusal::kSoftSwitch, &PyExc_RuntimeError,
     "soft switching does not exist here: every switch keeps the C stack; pass None to ask"},
    {Refusal::kJoinSelf, &PyExc_RuntimeError,
     "a tasklet cannot join itself, or ask for its own result: it would wait for its own end"},
    {Refusal::kJoinOwnMain, &PyExc_RuntimeError,
     "the main tasklet of this thread cannot be joined from here: it ends after all the others; "
     "from another thread it can"},
    {Refusal::kOnlyMainWaits, &PyExc_RuntimeError,
     "run() with threadblock or timeout is for the main tasklet, on behalf of the whole thread: "
     "call "
     "it outside any other tasklet, or run() without arguments here"},
    {Refusal::kOnlyMainPumps, &PyExc_RuntimeError,
     "pump() is for the loop that hosts the thread, on its main tasklet: call it outside any other "
     "tasklet"},
    {Refusal::kResumeCurrent, &PyExc_RuntimeError,
     "the current tasklet has its turn already: resume() gives one to another tasklet"},
    {Refusal::kOtherWaker, &PyExc_RuntimeError,
     "another loop hosts this thread, with a waker of another kind, a file descriptor or a "
     "function "
     "of C: take that back first, by set_waker(None) or PyScheduler_SetWaker(NULL, NULL)"},
    {Refusal::kResultOfMain, &PyExc_RuntimeError,
     "a main tasklet has no result, for it is the thread itself: join() waits for its end"},
    {Refusal::kResultOfKilled, &PyExc_RuntimeError,
     "the tasklet has no result, for it was killed: TaskletExit has ended it, or kept it from "
     "running"},
};

constexpr bool is_table_in_order() {
    for (std::size_t i = 0; i < std::size(kTable); ++i) {
        if (static_cast<std::size_t>(kTable[i].refusal) != i) return false;
    }
    return std::size(kTable) == static_cast<std::size_t>(Refusal::kLast) + 1;
}
static_assert(is_table_in_order(), "the table has the refusals in the order of the enum, and all");

// 1: yes, 0: no, -1: an error is set.
int is_ready(PyObject* type, PyObject* val, ReadyInstance ready) {
    if (val == nullptr || !PyExceptionInstance_Check(val))
        return 0;  // whatever __instancecheck__ says
    if (ready == ReadyInstance::kOfClass) return PyObject_IsInstance(val, type);
    return reinterpret_cast<PyObject*>(Py_TYPE(val)) == type ? 1 : 0;
}

PyRef instantiate(PyObject* type, PyObject* val, ReadyInstance ready) {
    const int as_it_is = is_ready(type, val, ready);
    if (as_it_is < 0) return {};
    if (as_it_is != 0) return PyRef::share(val);
    PyRef made;
    if (val == nullptr || val == Py_None) {
        made = PyRef::steal(PyObject_CallNoArgs(type));
    } else if (PyTuple_Check(val)) {
        made = PyRef::steal(PyObject_Call(type, val, nullptr));
    } else {
        made = PyRef::steal(PyObject_CallOneArg(type, val));
    }
    if (made && !PyExceptionInstance_Check(made.get())) {
        PyErr_Format(PyExc_TypeError, "calling %R should have returned an exception, not %R", type,
                     made.get());
        return {};
    }
    return made;
}

}  // namespace

const char* message_of(Refusal refusal) {
    return kTable[static_cast<std::size_t>(refusal)].message;
}

PyObject* refuse(Refusal refusal) {
    const Entry& entry = kTable[static_cast<std::size_t>(refusal)];
    PyErr_SetString(*entry.type, entry.message);
    return nullptr;
}

PyObject* refuse(Refusal refusal, PyObject* error_class) {
    PyErr_SetString(error_class, message_of(refusal));
    return nullptr;
}

PyObject* refuse_type(Refusal refusal, PyObject* given) {
    PyErr_Format(*kTable[static_cast<std::size_t>(refusal)].type, "%s, not %.200s",
                 message_of(refusal), Py_TYPE(given)->tp_name);
    return nullptr;
}

PyObject* make_exception(PyObject* exc, PyObject* val, PyObject* tb, PyObject* refused,
                         ReadyInstance ready) {
    const bool is_class = exc != nullptr && PyExceptionClass_Check(exc);
    if (!is_class && (exc == nullptr || !PyExceptionInstance_Check(exc))) {
        PyErr_SetString(refused,
                        "the exception must be a class derived from BaseException, or an instance "
                        "of one");
        return nullptr;
    }
    if (!is_class && val != nullptr && val != Py_None) {
        PyErr_SetString(PyExc_TypeError,
                        "an exception instance takes no separate value: pass the class, or put the "
                        "arguments into the instance");
        return nullptr;
    }
    if (tb != nullptr && tb != Py_None && !PyTraceBack_Check(tb)) {
        PyErr_SetString(PyExc_TypeError, "tb must be a traceback or None");
        return nullptr;
    }
    PyRef made = is_class ? instantiate(exc, val, ready) : PyRef::share(exc);
    if (made && tb != nullptr && tb != Py_None && PyException_SetTraceback(made.get(), tb) < 0) {
        return nullptr;
    }
    return made.release();
}

void report_unraisable(PyObject* where) { PyErr_WriteUnraisable(where); }

}  // namespace scheduler::binding
