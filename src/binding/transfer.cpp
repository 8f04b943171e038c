// Sending and receiving: what happens around core::Channel::meet().

#include "callbacks.h"
#include "channel_object.h"
#include "errors.h"
#include "operations.h"
#include "switcher.h"
#include "waiting.h"

namespace scheduler::binding {

namespace {

using core::Direction;
using core::Ending;
using core::Match;
using core::Meeting;
using core::Parcel;

// Why the current tasklet must not wait. It is asked once: other threads may change the answer.
enum class Obstacle : unsigned char {
    kNone,
    kPending,
    kBlockTrap,
    kNoSwitch,
    kThreadEnding,
    kDeadlock
};

inline Obstacle find_obstacle(ManagerBody& manager, const TaskletBody& self) {
    if (self.pending) return Obstacle::kPending;
    if (self.block_trap) return Obstacle::kBlockTrap;
    if (self.is_main && !may_main_wait(manager)) return Obstacle::kDeadlock;
    if (manager.ending && !manager.unwinding_current()) return Obstacle::kThreadEnding;
    return would_be_refused(manager) ? Obstacle::kNoSwitch : Obstacle::kNone;
}

// The current tasklet would have to wait, and cannot: raises the reason.
void refuse_to_wait(ManagerBody& manager, const Match& match, Obstacle obstacle, bool closing) {
    if (obstacle == Obstacle::kPending) {
        nothing_pending(manager);
    } else if (obstacle == Obstacle::kBlockTrap) {
        refuse(Refusal::kBlockTrap);
    } else if (closing || match.meeting == Meeting::kClosing) {
        refuse(Refusal::kChannelClosing);
    } else if (obstacle == Obstacle::kDeadlock) {
        refuse(Refusal::kDeadlock);
    } else if (obstacle == Obstacle::kThreadEnding) {
        refuse(Refusal::kThreadEnding);
    } else {
        may_switch(manager);
    }
}

// In line: gives control away until the transfer is done. On failure the caller is out of the line.
bool wait_in_line(ManagerBody& manager, ChannelObject& channel, TaskletBody& self) {
    Py_INCREF(&channel.ob_base);
    if (suspend_blocked(manager)) {
        Py_DECREF(&channel.ob_base);
        return true;
    }
    if (self.is_main && leave_line(manager, self)) self.set_state(core::State::kRunning);
    drop_parcel(manager, self);
    manager.discard(&channel.ob_base);
    ErrorStash stash;  // not while it is in line: on 3.11 this may start a collection
    manager.settle();
    return false;
}

// The partner has its parcel already and goes first, if the channel's preference is for it. What
// the caller has received waits in its own parcel meanwhile, where the collector sees it.
bool give_way(ManagerBody& manager, ChannelObject& channel, Direction direction, Parcel& parcel,
              const Match& match) {
    const bool yields = channel.channel.caller_yields(direction);
    if (match.meeting == Meeting::kMet) manager.welcome(*match.partner, yields);
    if (!yields) return true;
    TaskletBody& self = manager.current_body();
    if (!manager.switching) self.parcel = std::exchange(parcel, Parcel());
    if (suspend(manager, Ending::kRequeue)) {
        parcel = std::move(self.parcel);
        return true;
    }
    // In a callback what lies in the tasklet's own parcel is not of this transfer.
    if (!manager.switching) drop_parcel(manager, self);
    manager.discard(static_cast<PyObject*>(parcel.take_payload()));
    ErrorStash stash;
    manager.settle();
    return false;
}

enum class Transfer : unsigned char { kDone, kFailed, kQueued };

// The deque of a queue channel takes the place of its line of senders: a sender that finds nobody
// leaves `item` there, and a receiver that finds something there takes that.
struct ItemQueue {
    PyObject* deque = nullptr;
    PyObject* item = nullptr;  // of a sender; a receiver has none
};

// Looks at the deque, and acts on it, with nothing else coming between that and meet(): the caller
// holds the channel's QueueGuard.
Transfer use_queue(ManagerBody& manager, const core::Channel& channel, const ItemQueue& queue) {
    if (queue.item == nullptr) {
        const Py_ssize_t size = PyObject_Size(queue.deque);
        return size < 0 ? Transfer::kFailed : size == 0 ? Transfer::kDone : Transfer::kQueued;
    }
    if (channel.closing()) {
        const bool trapped = manager.current_body().block_trap;
        refuse(trapped ? Refusal::kBlockTrap : Refusal::kChannelClosing);
        return Transfer::kFailed;
    }
    // Nothing here makes an object that could start a collection, and with it foreign code.
    PyRef append = PyRef::steal(PyUnicode_FromString("append"));
    if (!append) return Transfer::kFailed;
    PyRef none = PyRef::steal(PyObject_CallMethodOneArg(queue.deque, append.get(), queue.item));
    return none ? Transfer::kQueued : Transfer::kFailed;
}

// One side of a transfer; a sender's parcel is `parcel`. Done: what a receiver got is in `received`.
// Inlined into each of its four uses, where most of its arguments are constant.
SCHED_ALWAYS_INLINE Transfer transfer(PyObject* object, Direction direction, Parcel parcel,
                                      Parcel* received, const ItemQueue& queue = {}) {
    ChannelObject& channel = channel_of(object);
    State& state = *channel.state;
    ManagerBody* manager = enter(state);
    if (manager != nullptr && state.channel_callback) {
        call_channel_callback(state, object, manager->current_body().object,
                              direction == Direction::kSend,
                              channel.channel.would_block(direction));
        manager = enter(state);
    }
    if (manager == nullptr) {
        Py_XDECREF(static_cast<PyObject*>(parcel.take_payload()));
        return Transfer::kFailed;
    }
    TaskletBody& self = manager->current_body();
    const Obstacle obstacle = find_obstacle(*manager, self);
    Match match{};
    Transfer queued = Transfer::kDone;
    {
        QueueGuard guard(queue.deque != nullptr ? &channel.queue_mutex : nullptr);
        if (queue.deque != nullptr && direction == Direction::kReceive) {
            queued = use_queue(*manager, channel.channel, queue);
            if (queued != Transfer::kDone) return queued;
        }
        match = channel.channel.meet(direction, self, parcel,
                                     queue.item == nullptr && obstacle == Obstacle::kNone);
        if (queue.item != nullptr && match.meeting == Meeting::kMustWait) {
            queued = use_queue(*manager, channel.channel, queue);
        }
    }
    switch (match.meeting) {
        case Meeting::kMet:
        case Meeting::kMetAbroad:
            if (!give_way(*manager, channel, direction, parcel, match)) return Transfer::kFailed;
            if (received != nullptr) *received = std::move(parcel);
            return Transfer::kDone;
        case Meeting::kJoined:
            if (!wait_in_line(*manager, channel, self)) return Transfer::kFailed;
            if (received != nullptr) *received = std::move(self.parcel);
            return Transfer::kDone;
        case Meeting::kMustWait:
        case Meeting::kClosing:
            break;
    }
    manager->discard(static_cast<PyObject*>(parcel.take_payload()));
    ErrorStash stash;
    manager->settle();
    if (queue.item != nullptr) return queued;
    refuse_to_wait(*manager, match, obstacle, channel.channel.closing());
    return Transfer::kFailed;
}

// What has been received: a new reference, or nullptr with the sent exception raised.
PyObject* open_parcel(Parcel& parcel) {
    const Parcel::Kind kind = parcel.kind();
    auto* payload = static_cast<PyObject*>(parcel.take_payload());
    if (kind == Parcel::Kind::kValue) return payload;
    raise_here(payload);
    return nullptr;
}

}  // namespace

void drop_parcel(ManagerBody& manager, TaskletBody& tasklet) {
    manager.discard(static_cast<PyObject*>(tasklet.parcel.take_payload()));
}

bool send_value(PyObject* channel, PyObject* value) {
    return transfer(channel, Direction::kSend, Parcel(Parcel::Kind::kValue, Py_NewRef(value)),
                    nullptr) == Transfer::kDone;
}

bool send_error(PyObject* channel, PyObject* error) {
    return transfer(channel, Direction::kSend, Parcel(Parcel::Kind::kError, error), nullptr) ==
           Transfer::kDone;
}

PyObject* receive(PyObject* channel) {
    Parcel received;
    if (transfer(channel, Direction::kReceive, Parcel(), &received) != Transfer::kDone) {
        return nullptr;
    }
    return open_parcel(received);
}

bool send_or_queue(PyObject* channel, PyObject* deque, PyObject* item) {
    PyObject *ok = nullptr, *data = nullptr;
    if (!PyArg_ParseTuple(item, "OO", &ok, &data)) return false;
    const ItemQueue queue{deque, item};
    const core::Channel& line = channel_of(channel).channel;
    ManagerBody* manager = enter(*channel_of(channel).state);
    if (manager == nullptr) return false;
    {
        QueueGuard guard(&channel_of(channel).queue_mutex);
        if (line.would_block(Direction::kSend) && !line.closing()) {
            return use_queue(*manager, line, queue) != Transfer::kFailed;
        }
    }
    const bool is_value = ok == Py_True;
    // An error travels as (type, exception, traceback).
    PyObject* payload = is_value ? data : PyTuple_GetItem(data, 1);
    if (payload == nullptr) return false;
    Parcel parcel(is_value ? Parcel::Kind::kValue : Parcel::Kind::kError, Py_NewRef(payload));
    return transfer(channel, Direction::kSend, std::move(parcel), nullptr, queue) !=
           Transfer::kFailed;
}

PyObject* receive_unless(PyObject* channel, PyObject* deque) {
    const Py_ssize_t size = PyObject_Size(deque);
    if (size < 0) return nullptr;
    if (size > 0) Py_RETURN_NONE;
    Parcel received;
    const Transfer result =
        transfer(channel, Direction::kReceive, Parcel(), &received, ItemQueue{deque, nullptr});
    if (result == Transfer::kFailed) return nullptr;
    if (result == Transfer::kQueued) Py_RETURN_NONE;
    PyRef value = PyRef::steal(open_parcel(received));
    return value ? PyTuple_Pack(1, value.get()) : nullptr;
}

}  // namespace scheduler::binding
