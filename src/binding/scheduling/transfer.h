// Sending and receiving by the calling thread's current tasklet, as the Python types and the C table
// both do it. May run Python, and switch.
#pragma once

#include "binding/scheduling/manager_body.h"
#include "core/channel.h"

namespace scheduler::binding {

// False / nullptr: an error is set, and nothing has been transferred, unless the transfer was complete
// and the error came while the caller gave way to its partner.

// A closed channel, where nobody waits: kStop fails without an error, which ends an iteration.
enum class AtClose : bool { kRaise, kStop };

// Sends `payload` (stolen): kValue, or kError for an exception instance that is raised in the receiver.
// With kEmpty and nullptr receives: a new reference to what was received, or to None. `timeout`: for how
// many nanoseconds it waits for a partner at most, and then raises TimeoutError; with 0 it does not wait.
PyObject* exchange(PyObject* channel, core::Parcel::Kind kind, PyObject* payload,
                   std::int64_t timeout = core::kNever, AtClose at_close = AtClose::kRaise);
// The same in fewer instructions for what nearly every call is: kValue or kEmpty, without a time-out.
template <core::Parcel::Kind What>
PyObject* exchange(PyObject* channel, PyObject* payload);

// The channel is closing, and an operation would have to wait: plain ValueError, as programs for this API
// expect, unless close(wake=True) has been called, which they do not know. Then ChannelClosed.
PyObject* refuse_closing(const core::Channel& channel, const ModuleState& state);

// What has been received: a new reference, or nullptr with the sent exception raised. Of an empty parcel:
// ChannelClosed, for the channel was closed while the receiver waited.
PyObject* open_parcel(const ModuleState& state, core::Parcel& parcel);
// May the current tasklet give way to a partner that it has served? Else that goes on by itself. An open
// slot says that nothing forbids it.
SCHED_ALWAYS_INLINE bool may_give_way(const ManagerBody& manager) {
    return manager.open_tls_slot != nullptr ||
           (manager.can_switch() && !manager.ending && !manager.main_must_stay());
}

// ---- for QueueChannel: a deque of items (ok, data) beside the wait queue; `data` is the value, or with
// `ok` false (type, exception, traceback). No other code comes between the look at one of the two
// and the step that depends on it.

// Sends like exchange() if a receiver waits, else appends `item` to `deque`. False
// with an error set, ValueError for a closing channel.
bool send_or_queue(PyObject* channel, PyObject* deque, PyObject* item);
// None if something is in `deque`; else receives, and returns the value in a tuple.
PyObject* receive_unless(PyObject* channel, PyObject* deque, std::int64_t timeout,
                         AtClose at_close);

}  // namespace scheduler::binding
