#include "binding/scheduling/transfer.h"

#include <utility>

#include "binding/diagnostics/repr.h"
#include "binding/diagnostics/tracing.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/callbacks.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/suspend.h"
#include "binding/scheduling/timed_wait.h"
#include "binding/threads/current_manager.h"
#include "binding/threads/park.h"
#include "binding/types/channel_object.h"

// What happens around core::Channel::rendezvous().

namespace scheduler::binding {

namespace {

using core::Direction;
using core::Ending;
using core::Parcel;
using core::Rendezvous;
using core::RendezvousResult;

// kFailed: an error is set. kClosing: none is, and kChannelClosing is the one to raise.
enum class Transfer : unsigned char { kDone, kFailed, kQueued, kClosing };

// The current tasklet would have to wait, and cannot.
Transfer refuse_to_wait(ManagerBody& manager, Obstacle obstacle, bool closing) {
    if (closing && !precedes_closing(obstacle)) return Transfer::kClosing;
    manager.check_obstacle(obstacle);
    return Transfer::kFailed;
}

// The caller gave control away and fails with the error that is set. What it wanted to send, or has
// received, is dropped.
[[gnu::noinline]] void give_up_transfer(ManagerBody& manager, ChannelObject& channel) {
    manager.drop_parcel(manager.current_body());
    manager.defer_decref(&channel.ob_base);
    ErrorStash stash;  // not while it is in the wait queue: on 3.11 this may start a collection
    manager.run_deferred();
}

// The caller's suspension failed with the error that is set. Does its transfer succeed all the same,
// for it is complete? Then a sender that was in the wait queue has nothing left, and a receiver has
// something.
[[gnu::noinline]] bool succeeds_anyway(ManagerBody& manager, Direction direction, Ending how) {
    const bool is_empty = manager.current_body().parcel.empty();
    const bool is_complete = how != Ending::kBlock || is_empty == (direction == Direction::kSend);
    return is_complete && manager.held_error.hold();
}

// Gives control away: in the wait queue until the transfer is done, or because the partner, which has
// its parcel already, goes first. What the caller receives, or has received, lies in the tasklet
// meanwhile, where the collector sees it.
SCHED_ALWAYS_INLINE bool give_way(ManagerBody& manager, ChannelObject& channel, Direction direction,
                                  Ending how) {
    Py_INCREF(&channel.ob_base);
    if (!manager.suspend_here(how) && !succeeds_anyway(manager, direction, how)) {
        give_up_transfer(manager, channel);
        return false;
    }
    Py_DECREF(&channel.ob_base);
    return true;
}

// The same for all but exchange() at one place, see ManagerBody::suspend().
[[gnu::noinline]] bool block_or_yield(ManagerBody& manager, ChannelObject& channel,
                                      Direction direction, Parcel& parcel, Ending how) {
    if (!give_way(manager, channel, direction, how)) return false;
    parcel = std::move(manager.current_body().parcel);
    return true;
}

// The deque of a queue channel takes the place of its wait queue of senders: a sender that finds nobody
// leaves `item` there, and a receiver that finds something there takes that.
struct ItemQueue {
    PyObject* deque = nullptr;
    PyObject* item = nullptr;  // of a sender; a receiver has none
};

// Looks at the deque, and acts on it, with nothing else coming between that and rendezvous(): the caller
// holds the channel's QueueGuard.
Transfer use_queue(ManagerBody& manager, const core::Channel& channel, const ItemQueue& queue) {
    if (queue.item == nullptr) {
        const Py_ssize_t size = PyObject_Size(queue.deque);
        return size < 0 ? Transfer::kFailed : size == 0 ? Transfer::kDone : Transfer::kQueued;
    }
    if (channel.closing()) {
        if (!manager.current_body().block_trap) return Transfer::kClosing;
        refuse(Refusal::kBlockTrap);
        return Transfer::kFailed;
    }
    // Nothing here makes an object that could start a collection, and with it foreign code.
    PyRef append = PyRef::steal(PyUnicode_FromString("append"));
    if (!append) return Transfer::kFailed;
    PyRef none = PyRef::steal(PyObject_CallMethodOneArg(queue.deque, append.get(), queue.item));
    return none ? Transfer::kQueued : Transfer::kFailed;
}

// Would the caller fail to give way after a transfer? Then it must not begin one: sets the error. One
// that is being unwound just goes on instead.
bool is_refused_to_give_way(ManagerBody& manager, const core::Channel& channel,
                            Direction direction) {
    const bool forbidden = manager.switching || manager.trap_level() != 0;
    if (!forbidden || manager.unwinding_current() || !channel.has_partner(direction) ||
        !channel.caller_yields(direction)) {
        return false;
    }
    // Main gives way to those of its own thread only.
    bool is_alone = manager.current_is_main() && manager.queue_empty();
    channel.visit_waiting([&](const core::Tasklet& partner) {
        is_alone = is_alone && partner.manager != &manager;
        return false;
    });
    return !is_alone && !manager.check_can_switch();
}

// What comes before a transfer. nullptr with an error set, and `parcel` dropped.
ManagerBody* enter_transfer(ChannelObject& channel, Direction direction, Parcel& parcel) {
    ModuleState& state = *channel.state;
    ManagerBody* manager = enter_to_switch(state);
    if (manager != nullptr && state.channel_callback) {
        call_channel_callback(state, &channel.ob_base, manager->current_body().object,
                              direction == Direction::kSend,
                              channel.channel.would_block(direction));
        manager = enter_to_switch(state);
    }
    if (manager != nullptr && !is_refused_to_give_way(*manager, channel.channel, direction)) {
        return manager;
    }
    Py_XDECREF(static_cast<PyObject*>(parcel.take_payload()));
    return nullptr;
}

// The transfer has not come about in that time.
Transfer time_out(ChannelObject& channel, Direction direction, std::int64_t timeout) {
    guard_memory([&]() -> PyObject* {
        const char* const what = direction == Direction::kSend ? "send()" : "receive()";
        PyRef who = describe(channel);
        if (who) raise_timeout(PyUnicode_FromFormat("%s on %U", what, who.get()), timeout);
        return nullptr;
    });
    return Transfer::kFailed;
}

// A wait that its time has ended, or that of a scope.
Transfer fail_timed_out(ManagerBody& manager, ChannelObject& channel, Direction direction,
                        Parcel& parcel, const TimedWait& wait, std::int64_t timeout) {
    manager.defer_decref(static_cast<PyObject*>(parcel.take_payload()));
    manager.run_deferred();
    if (!wait.ended_by_scope()) return time_out(channel, direction, timeout);
    wait.raise_scope_expired();
    return Transfer::kFailed;
}

// In the wait queue, until a partner or the time comes.
Transfer block_for(ManagerBody& manager, ChannelObject& channel, TaskletBody& self,
                   Direction direction, Parcel& parcel, std::int64_t timeout) {
    const PyRef keep = PyRef::share(&channel.ob_base);
    TimedWait wait(manager, self, timeout, manager.clock().time_to_wait(timeout));
    const bool resumed = block_or_yield(manager, channel, direction, parcel, Ending::kBlock);
    wait.end();
    if (!resumed) return Transfer::kFailed;
    if (!wait.timed_out) return Transfer::kDone;
    return fail_timed_out(manager, channel, direction, parcel, wait, timeout);
}

// There is no transfer, perhaps with an error that is set.
void drop_unsent(ManagerBody& manager, Parcel& parcel) {
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move): a rendezvous that has not come about has left it
    manager.defer_decref(static_cast<PyObject*>(parcel.take_payload()));
    ErrorStash stash;
    manager.run_deferred();
}

// Nobody is there, and the current tasklet may not wait. Sets the error.
Transfer refuse_transfer(ManagerBody& manager, ChannelObject& channel, Direction direction,
                         RendezvousResult result, Obstacle obstacle, std::int64_t timeout) {
    const bool closing = result == RendezvousResult::kClosing || channel.channel.closing();
    if (timeout == 0 && !closing) return time_out(channel, direction, timeout);
    return refuse_to_wait(manager, obstacle, closing);
}

// One side of a transfer. `parcel` is what a sender sends; done, it is what a receiver got.
Transfer transfer(PyObject* object, Direction direction, Parcel& parcel, ItemQueue queue,
                  std::int64_t timeout) {
    ChannelObject& channel = channel_of(object);
    ManagerBody* const manager = enter_transfer(channel, direction, parcel);
    if (manager == nullptr) return Transfer::kFailed;
    const bool has_item = queue.item != nullptr;
    const std::uint64_t time = trace_time(*manager);
    TaskletBody& self = manager->current_body();
    Obstacle obstacle = Obstacle::kNone;
    Rendezvous match{};
    Transfer queued = Transfer::kDone;
    {
        QueueGuard guard(queue.deque != nullptr ? &channel.queue_mutex : nullptr);
        if (queue.deque != nullptr && direction == Direction::kReceive) {
            queued = use_queue(*manager, channel.channel, queue);
            if (queued != Transfer::kDone) return queued;
        }
        const auto may_wait = [&] {
            if (timeout == 0) return false;
            obstacle = manager->find_obstacle(timeout == core::kNever ? WaitFor::kTransfer
                                                                      : WaitFor::kTransferOrTime);
            return !has_item && obstacle == Obstacle::kNone;
        };
        match = channel.channel.rendezvous_or_ask(direction, self, parcel, may_wait);
        if (has_item && match.result == RendezvousResult::kWouldBlock)
            queued = use_queue(*manager, channel.channel, queue);
    }
    trace_transfer(*manager, time, channel.channel, direction, match);
    Ending how = Ending::kBlock;
    switch (match.result) {
        case RendezvousResult::kMatched:
        case RendezvousResult::kMatchedRemote: {
            const bool yields = channel.channel.caller_yields(direction);
            if (core::Tasklet* const own = match.own_partner())
                manager->make_runnable(*own, yields);
            if (!yields || !may_give_way(*manager)) return Transfer::kDone;
            self.parcel = std::move(parcel);
            how = Ending::kRequeue;
            break;
        }
        case RendezvousResult::kBuffered:
            return Transfer::kDone;
        case RendezvousResult::kEnqueued:
            if (timeout == core::kNever && !self.is_in_scope()) break;
            return block_for(*manager, channel, self, direction, parcel, timeout);
        case RendezvousResult::kWouldBlock:
        case RendezvousResult::kClosing:
            drop_unsent(*manager, parcel);
            if (has_item) return queued;
            return refuse_transfer(*manager, channel, direction, match.result, obstacle, timeout);
    }
    const bool is_done = block_or_yield(*manager, channel, direction, parcel, how);
    return is_done ? Transfer::kDone : Transfer::kFailed;
}

bool ends_iteration(PyObject* channel, AtClose at_close) {
    return at_close == AtClose::kStop && channel_of(channel).channel.closed();
}

// A transfer that is not done: nullptr.
PyObject* fail(PyObject* channel, Transfer result, AtClose at_close) {
    // The channel may have been closed since the iteration last looked.
    if (result != Transfer::kClosing || ends_iteration(channel, at_close)) return nullptr;
    return refuse_closing(channel_of(channel).channel, *channel_of(channel).state);
}

// The wait has ended with that of all who waited, and what was to be sent has not been.
[[gnu::noinline]] PyObject* fail_unsent(PyObject* channel, Parcel& parcel) {
    Py_DECREF(static_cast<PyObject*>(parcel.take_payload()));
    return refuse(Refusal::kClosedMeanwhile, channel_of(channel).state->channel_closed);
}

}  // namespace

PyObject* refuse_closing(const core::Channel& channel, const ModuleState& state) {
    if (!channel.released()) return refuse(Refusal::kChannelClosing);
    return refuse(Refusal::kChannelClosing, state.channel_closed);
}

PyObject* open_parcel(const ModuleState& state, Parcel& parcel) {
    const Parcel::Kind kind = parcel.kind();
    auto* payload = static_cast<PyObject*>(parcel.take_payload());
    if (kind == Parcel::Kind::kValue) return payload;
    if (kind == Parcel::Kind::kEmpty) {
        return refuse(Refusal::kClosedMeanwhile, state.channel_closed);
    }
    raise_here(payload);
    return nullptr;
}

namespace {

constexpr Direction direction_of(Parcel::Kind kind) {
    return kind == Parcel::Kind::kEmpty ? Direction::kReceive : Direction::kSend;
}

// What exchange() returns after a transfer.
SCHED_ALWAYS_INLINE PyObject* end_exchange(PyObject* channel, Direction direction, Transfer result,
                                           Parcel& parcel, AtClose at_close) {
    if (result != Transfer::kDone) return fail(channel, result, at_close);
    if (direction == Direction::kReceive) {
        if (at_close == AtClose::kStop && parcel.empty()) return nullptr;
        return open_parcel(*channel_of(channel).state, parcel);
    }
    if (!parcel.empty()) [[unlikely]]
        return fail_unsent(channel, parcel);
    return Py_NewRef(Py_None);
}

// The rest of an exchange that gives control away. Not inline: one place for all, see ManagerBody::suspend(),
// and what comes before has no registers to save for what follows a switch. What it calls is inline ("flatten"),
// but for what is seldom called, which says so.
[[gnu::noinline, gnu::flatten]] PyObject* give_way_and_end(ManagerBody& manager, PyObject* object,
                                                           Direction direction, Ending how) {
    if (!give_way(manager, channel_of(object), direction, how)) return nullptr;
    Parcel parcel = std::move(manager.current_body().parcel);
    return end_exchange(object, direction, Transfer::kDone, parcel, AtClose::kRaise);
}

}  // namespace

template <Parcel::Kind What>
PyObject* exchange(PyObject* object, PyObject* payload) {
    constexpr Direction kDirection = direction_of(What);
    ChannelObject& channel = channel_of(object);
    const ModuleState& state = *channel.state;
    ManagerBody* const manager = last_manager_if_right(state);
    if (manager == nullptr || manager->has_mail() || state.channel_callback) {
        return exchange(object, What, payload);
    }
    TaskletBody& self = manager->current_body();
    Parcel parcel(What, payload);
    const Rendezvous match = channel.channel.try_rendezvous<kDirection>(
        self, parcel, [manager] { return manager->waits_freely(); });
    if (match.result == RendezvousResult::kEnqueued) {
        return give_way_and_end(*manager, object, kDirection, Ending::kBlock);
    }
    if (match.result != RendezvousResult::kMatched) {
        parcel.take_payload();
        return exchange(object, What, payload);
    }
    const bool yields = channel.channel.caller_yields(kDirection);
    manager->make_runnable(*match.partner, yields);
    if constexpr (kDirection == Direction::kSend) {
        if (!yields) return Py_NewRef(Py_None);
    } else {
        if (!yields) return open_parcel(state, parcel);
        self.parcel = std::move(parcel);
    }
    return give_way_and_end(*manager, object, kDirection, Ending::kRequeue);
}
template PyObject* exchange<Parcel::Kind::kEmpty>(PyObject* channel, PyObject* payload);
template PyObject* exchange<Parcel::Kind::kValue>(PyObject* channel, PyObject* payload);

PyObject* exchange(PyObject* channel, Parcel::Kind kind, PyObject* payload, std::int64_t timeout,
                   AtClose at_close) {
    const Direction direction = direction_of(kind);
    Parcel parcel(kind, payload);
    const Transfer result = transfer(channel, direction, parcel, ItemQueue(), timeout);
    return end_exchange(channel, direction, result, parcel, at_close);
}

bool send_or_queue(PyObject* channel, PyObject* deque, PyObject* item) {
    PyObject *ok = nullptr, *data = nullptr;
    if (!PyArg_ParseTuple(item, "OO", &ok, &data)) return false;
    const ItemQueue queue{deque, item};
    const core::Channel& core_channel = channel_of(channel).channel;
    ManagerBody* manager = enter(*channel_of(channel).state);
    if (manager == nullptr) return false;
    Transfer result = Transfer::kDone;
    {
        QueueGuard guard(&channel_of(channel).queue_mutex);
        if (core_channel.would_block(Direction::kSend) && !core_channel.closing()) {
            result = use_queue(*manager, core_channel, queue);
        }
    }
    if (result == Transfer::kDone) {  // the deque is of no use
        const bool is_value = ok == Py_True;
        // An error travels as (type, exception, traceback).
        PyObject* payload = is_value ? data : PyTuple_GetItem(data, 1);
        if (payload == nullptr) return false;
        Parcel parcel(is_value ? Parcel::Kind::kValue : Parcel::Kind::kError, Py_NewRef(payload));
        result = transfer(channel, Direction::kSend, parcel, queue, core::kNever);
    }
    if (result == Transfer::kClosing) fail(channel, result, AtClose::kRaise);
    return result == Transfer::kDone || result == Transfer::kQueued;
}

PyObject* receive_unless(PyObject* channel, PyObject* deque, std::int64_t timeout,
                         AtClose at_close) {
    const Py_ssize_t size = PyObject_Size(deque);
    if (size < 0) return nullptr;
    if (size > 0) Py_RETURN_NONE;
    if (ends_iteration(channel, at_close)) return nullptr;  // which is not announced
    Parcel received;
    const Transfer result =
        transfer(channel, Direction::kReceive, received, ItemQueue{deque, nullptr}, timeout);
    if (result == Transfer::kQueued) Py_RETURN_NONE;
    if (result != Transfer::kDone) return fail(channel, result, at_close);
    if (at_close == AtClose::kStop && received.empty()) return nullptr;
    PyRef value = PyRef::steal(open_parcel(*channel_of(channel).state, received));
    return value ? PyTuple_Pack(1, value.get()) : nullptr;
}

}  // namespace scheduler::binding
