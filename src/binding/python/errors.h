// The one table of refusals: which exception, and what to do instead.
#pragma once

#include <Python.h>

namespace scheduler::binding {

enum class Refusal : unsigned char {
    kNotInitialised,
    kThreadEnded,
    kThreadEnding,
    kDead,
    kNotSetUp,
    kUnbound,
    kBlocked,
    kOtherThread,
    kMainTasklet,
    kHasTurn,
    kAncestorNested,
    kAncestorFlat,
    kCurrentFlat,
    kSwitchTrap,
    kInCallback,
    kBlockTrap,
    kChannelClosing,
    kClosedMeanwhile,
    kDeadlock,
    kNotCallable,
    kNoCallable,
    kCallableUsedUp,
    kArgsNotTuple,
    kKwargsNotDict,
    kUnbindCurrent,
    kUnbindScheduled,
    kBindCurrent,
    kThrowDead,
    kTooFewTurns,
    kDontRaiseBound,
    kAlreadyStarted,
    kSoftSwitch,
    kJoinSelf,
    kJoinOwnMain,
    kOnlyMainWaits,
    kOnlyMainPumps,
    kResumeCurrent,
    kOtherWaker,
    kResultOfMain,
    kResultOfKilled,
    kLast = kResultOfKilled,
};

// What it says.
const char* message_of(Refusal refusal);

// Sets the exception that belongs to `refusal`. Returns nullptr, so that a slot can return it.
PyObject* refuse(Refusal refusal);

// The same with an exception of the module's own in the place of that type, from which it is derived.
PyObject* refuse(Refusal refusal, PyObject* error_class);

// The same for an argument of a wrong type, which the message names at its end.
PyObject* refuse_type(Refusal refusal, PyObject* given);

// Which instances of the class, given as the value, are raised as they are.
enum class ReadyInstance : unsigned char { kOfClass, kOfExactClass };

// The exception to raise for throw(exc, val, tb) and its relatives: `exc` a class derived from
// BaseException or an instance; `val` None or nullptr (no argument), a tuple (the arguments), an
// instance of the class (taken as it is) or any other single argument; `tb` None, nullptr or a
// traceback. A new reference, or nullptr with an error set: `refused` (TypeError or RuntimeError)
// for arguments of a wrong kind, or what the constructor raised.
PyObject* make_exception(PyObject* exc, PyObject* val, PyObject* tb, PyObject* refused,
                         ReadyInstance ready = ReadyInstance::kOfClass);

// The pending error of a callback or of code that is unwound: tells sys.unraisablehook. Clears it.
void report_unraisable(PyObject* where);

}  // namespace scheduler::binding
