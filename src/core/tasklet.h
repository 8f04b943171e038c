// A tasklet: something that runs on a stack of its own and gives control back of its own accord.
// Its states, and the ways between them, are in tasklet_state.h.
//
// A tasklet that has its turn (the current one and every driver of a run loop) stays in the
// runnables queue, at its place, until the turn ends.
//
// Threads: `mail` is written by any thread. All other fields belong to the owner thread, or to the
// channel's lock where that is said; what is RelaxedAtomic may be read by any thread.
#pragma once

#include <cstdint>

#include "atomic.h"
#include "context.h"
#include "intrusive_list.h"
#include "parcel.h"
#include "posted_error.h"
#include "stack_pool.h"
#include "tasklet_state.h"
#include "waiter.h"

namespace scheduler::core {

class ScheduleManager;

// What other threads ask of a tasklet, as bits of Tasklet::mail. A tasklet with any bit set is in
// its manager's inbox exactly once and owns a reference given by the one who posted it first.
namespace mail {
inline constexpr std::uint32_t kPosted = 1;  // is in the inbox
inline constexpr std::uint32_t kInsert = 2;  // queue it (excludes kRemove)
inline constexpr std::uint32_t kRemove = 4;  // take it out of the queue (excludes kInsert)
inline constexpr std::uint32_t kWake = 8;  // its transfer is complete: queue it at the end
inline constexpr std::uint32_t kWakeFirst = 16;  // the same, behind the current tasklet
inline constexpr std::uint32_t kError = 32;  // an exception was posted
inline constexpr std::uint32_t kUnwind = 64;  // its last reference went away elsewhere
inline constexpr std::uint32_t kUnwindCycle = 128;  // the collector has found it elsewhere
inline constexpr std::uint32_t kWakes = kWake | kWakeFirst;
inline constexpr std::uint32_t kQueues = kInsert | kWakes | kError;
}  // namespace mail

using TaskletQueue = IntrusiveList<Tasklet, InQueue>;
// The manager's live list; under its lock.
using LiveNode = ListNode<struct IsLive>;
using LiveList = IntrusiveList<Tasklet, IsLive>;

struct Tasklet : Waiter, LiveNode {
    using QueueNode::linked, QueueNode::prev, QueueNode::next;

    explicit Tasklet(ScheduleManager* owner = nullptr) : Waiter(false), manager(owner) {}
    Tasklet(const Tasklet&) = delete;
    Tasklet& operator=(const Tasklet&) = delete;

    // What a switch touches comes first, to lie in one or two lines of the cache.

    StateOfTasklet state;

    // Constant once the tasklet has a manager, until its thread ends.
    bool is_main = false;

    // Owner thread.
    RelaxedAtomic<bool> paused = false;
    bool insert_again =
        false;  // insert() came during its turn: requeue if it would leave the queue
    // In the runnables queue. The links do not tell: they may be those of a channel's wait queue, which
    // other threads change.
    RelaxedAtomic<bool> in_runnables = false;
    bool sends = false;  // in a wait queue: of senders. Under the channel's lock
    Atomic<std::uint16_t> mail{0};  // any thread; two bytes, which is the room left here
    RelaxedAtomic<std::uint32_t> driving = 0;  // run loops that it is the driver of
    // Run loops that name it as anchor or as last. Read by the thread that destroys the tasklet.
    Atomic<std::uint32_t> loop_marks{0};
    RelaxedAtomic<std::uint64_t> times_switched_to = 0;
    Context context;
    // What else it reads first when it goes on, beside its stack: fetched ahead of its turn.
    const void* prefetch_hint = nullptr;

    // Channel's lock while kBlocked, else owner thread.
    Parcel parcel;  // what a sender offers, and what a receiver has been given
    // Where it waits. Others than the owner thread that follow the pointer must know from elsewhere
    // that the channel is still there.
    Atomic<Channel*> channel{nullptr};

    // Constant once the tasklet has one.
    ScheduleManager* manager = nullptr;

    // Owner thread.
    Stack* stack = nullptr;
    Wait* wait = nullptr;  // that it is in, if there is more to that than a channel

    // Any thread.
    PostedError posted;
    Tasklet* mail_next = nullptr;  // owned by the inbox while mail::kPosted is set

    // Owner thread. Nanoseconds of the monotonic clock, 0 before.
    RelaxedAtomic<std::int64_t> start_time = 0;
    RelaxedAtomic<std::int64_t> end_time = 0;

    TaskletState get_state() const { return state.get(); }
    std::uint32_t get_mail() const { return mail.load(std::memory_order_acquire); }

    bool alive() const { return get_state() != TaskletState::kDead; }
    bool blocked() const { return get_state() == TaskletState::kBlocked; }
    bool started() const { return alive() && get_state() != TaskletState::kNew; }
    bool has_turn() const { return get_state() == TaskletState::kRunning || driving != 0; }
    // In the runnables queue. Main is always in it, as its head.
    bool queued() const { return is_main || in_runnables; }
    // The same as any thread sees it, with mail that the owner has not read yet.
    bool scheduled() const {
        const std::uint32_t bits = get_mail();
        if ((bits & mail::kRemove) != 0) return false;
        return queued() || (alive() && !blocked() && (bits & mail::kQueues) != 0);
    }
};

}  // namespace scheduler::core
