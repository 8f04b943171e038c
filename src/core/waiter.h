// What stands in the wait queue of a channel: a tasklet that waits for this channel alone, or one of
// the cases of a tasklet that waits for several.
#pragma once

#include <cstdint>
#include <utility>

#include "intrusive_list.h"
#include "parcel.h"

namespace scheduler::core {

class Channel;
struct Tasklet;
struct Wait;

enum class Direction : std::int8_t { kReceive = -1, kSend = 1 };

// A tasklet is in at most one queue at a time: the runnables queue of its manager, or the wait queue of
// a channel.
using QueueNode = ListNode<struct InQueue>;

struct Waiter : QueueNode {
    explicit Waiter(bool of_select) : is_case(of_select) {}

    const bool is_case;  // a SelectCase; else a Tasklet
};

using WaitQueue = IntrusiveList<Waiter, InQueue>;

// The locks of its channel guard the links, and the parcel from when the wait has begun.
struct SelectCase : Waiter {
    SelectCase(Channel& on, Direction to_do, Parcel offered = {})
        : Waiter(true), channel(on), direction(to_do), parcel(std::move(offered)) {}
    SelectCase(const SelectCase&) = delete;
    SelectCase& operator=(const SelectCase&) = delete;

    ~SelectCase();

    Channel& channel;
    const Direction direction;
    // Its channel is a gate, which is open when the channel is closing: then the case is done.
    bool is_gate = false;
    // The host knows that it can do the case by itself, without a partner.
    bool is_ready = false;
    Parcel parcel;  // what a sender offers; what a receiver has been given without a wait
    Wait* wait = nullptr;
};

}  // namespace scheduler::core
