// A channel as Python sees it, and its transfers.
#pragma once

#include <Python.h>

#include "binding/scheduling/manager_body.h"
#include "core/channel.h"

namespace scheduler::binding {

// Keeps what is between its constructor and its destructor together, for a QueueChannel: no other
// thread is at the same channel's queue meanwhile. The GIL does so by itself. A thread that waits for
// it does not hold up the collector, and it may be held while CPython's own locks are taken.
#ifdef Py_GIL_DISABLED
using QueueMutex = PyMutex;
class QueueGuard {
  public:
    explicit QueueGuard(QueueMutex* mutex) : mutex_(mutex) {
        if (mutex_ != nullptr) PyMutex_Lock(mutex_);
    }
    QueueGuard(const QueueGuard&) = delete;
    QueueGuard& operator=(const QueueGuard&) = delete;
    ~QueueGuard() {
        if (mutex_ != nullptr) PyMutex_Unlock(mutex_);
    }

  private:
    QueueMutex* const mutex_;
};
#else
struct QueueMutex {};
struct QueueGuard {
    explicit QueueGuard(QueueMutex*) {}
    ~QueueGuard() {}
};
#endif

struct ChannelObject {
    PyObject ob_base;
    PyObject* weak_references;
    core::Channel channel;  // its owner is this object
    ModuleState* state;  // not to be asked of the type, which may be torn down first
    bool initialised;
    QueueMutex queue_mutex;  // for a QueueChannel
    // Links of ModuleState::registry, under its lock.
    ChannelObject* next;
    ChannelObject* previous;
};

inline ChannelObject& channel_of(PyObject* object) {
    return *reinterpret_cast<ChannelObject*>(object);
}

// ---- transfers by the calling thread's current tasklet; they may run Python and switch.
// False / nullptr: an error is set, and nothing has been transferred, unless the transfer was complete
// and the error came while the caller gave way to its partner.

// A closed channel, where nobody waits: kStop fails without an error, which ends an iteration.
enum class AtClose : bool { kRaise, kStop };

// Sends `payload` (stolen), or with kEmpty and nullptr receives: a new reference to what was received,
// or to None. One function for both, see suspend().
PyObject* exchange(PyObject* channel, core::Direction direction, core::Parcel::Kind kind,
                   PyObject* payload, AtClose at_close = AtClose::kRaise);
// `value` is borrowed.
inline PyObject* send_value(PyObject* channel, PyObject* value) {
    return exchange(channel, core::Direction::kSend, core::Parcel::Kind::kValue, Py_NewRef(value));
}
// `error` (an exception instance, stolen) is raised in the receiver.
inline PyObject* send_error(PyObject* channel, PyObject* error) {
    return exchange(channel, core::Direction::kSend, core::Parcel::Kind::kError, error);
}
inline PyObject* receive(PyObject* channel) {
    return exchange(channel, core::Direction::kReceive, core::Parcel::Kind::kEmpty, nullptr);
}
// For an iteration.
inline PyObject* receive_next(PyObject* channel) {
    return exchange(channel, core::Direction::kReceive, core::Parcel::Kind::kEmpty, nullptr,
                    AtClose::kStop);
}

// ---- for QueueChannel: a deque of items (ok, data) beside the wait queue; `data` is the value, or with
// `ok` false (type, exception, traceback). No other code comes between the look at one of the two
// and the step that depends on it.

// Sends like send_value() or send_error() if a receiver waits, else appends `item` to `deque`. False
// with an error set, ValueError for a closing channel.
bool send_or_queue(PyObject* channel, PyObject* deque, PyObject* item);
// None if something is in `deque`; else receives, and returns the value in a tuple.
PyObject* receive_unless(PyObject* channel, PyObject* deque, AtClose at_close);

// Takes a tasklet of another thread, for which an error has been posted, out of the wait queue of
// whatever channel it waits on, and posts it to its own thread. False: it does not wait.
bool cancel_remote_wait(TaskletBody& tasklet);

// ---- closing
// Kills all who wait, in the order of the wait queue; see Channel.clear().
bool clear_channel(PyObject* channel);
// Clears every channel with somebody waiting: how many there were, or -1 with an error set.
int clear_all_channels(ModuleState& state);
// The first in the wait queue: a new reference, or nullptr (no error) if nobody waits.
PyObject* first_waiting(PyObject* channel);

// What a tasklet has sent or been given, and will not deliver or take any more, is dropped later
// (defer_decref()).
void drop_parcel(ManagerBody& manager, TaskletBody& tasklet);

}  // namespace scheduler::binding
