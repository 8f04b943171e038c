// A channel as Python sees it, and its transfers.
#pragma once

#include <Python.h>

#include <vector>

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

struct ChannelHead {
    PyObject ob_base;
    PyObject* weak_references;
};
struct ChannelObject : ChannelHead, RegistryNode {  // of ModuleState::registry, under its lock
    core::Channel channel;  // its owner is this object
    ModuleState* state;  // not to be asked of the type, which may be torn down first
    bool initialised;
    QueueMutex queue_mutex;  // for a QueueChannel
};

inline ChannelObject& channel_of(PyObject* object) {
    return *reinterpret_cast<ChannelObject*>(object);
}

// Takes a tasklet of another thread, for which an error has been posted, out of the wait queue of
// whatever channel it waits on, and posts it to its own thread. False: it does not wait.
bool cancel_remote_wait(TaskletBody& tasklet);

// ---- closing
// Closes it, and ends the wait of all who wait; see Channel.close(). Runs no Python. False with an error set.
bool close_and_wake(PyObject* channel);
// Kills all who wait, in the order of the wait queue; see Channel.clear().
bool clear_channel(PyObject* channel);
// Clears every channel with somebody waiting: how many there were, or -1 with an error set.
int clear_all_channels(ModuleState& state);
// All who wait there, each once, in the order of the wait queue. std::bad_alloc without memory.
std::vector<PyRef> who_waits(const core::Channel& channel);
// The first in the wait queue: a new reference, or nullptr (no error) if nobody waits.
PyObject* first_waiting(PyObject* channel);

}  // namespace scheduler::binding
