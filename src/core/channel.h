// A channel: where a sender and a receiver meet, on one thread or on two.
//
// The line holds tasklets that wait, first come first served, all senders or all receivers. A
// transfer moves a parcel between two tasklets under the channel's lock; the channel never jumps,
// waits or touches a runnables queue. A waiting tasklet of this thread comes back to the caller, who
// queues it; one of another thread is posted to the inbox of its manager before the lock is
// released, so that a thread which has taken out its tasklets and then drained its inbox has missed
// nothing. That thread is woken once the lock is released.
//
// The line owns one reference to each waiting tasklet; it goes along with a tasklet that leaves.
#pragma once

#include <cstdint>

#include "lock.h"
#include "manager.h"
#include "tasklet.h"

namespace scheduler::core {

enum class Direction : std::int8_t { kReceive = -1, kSend = 1 };

// What came of a send or receive.
enum class RendezvousResult : std::uint8_t {
    kMatched,  // transfer complete; the partner waits to be queued by the caller
    kMatchedRemote,  // transfer complete; the partner was posted to its own thread
    kEnqueued,  // nobody there: the caller is in the wait queue now and must suspend
    kWouldBlock,  // nobody there, and the caller may not wait: nothing has happened
    kClosing,  // nobody there and the channel is closing: nothing has happened
};

struct Rendezvous {
    RendezvousResult result;
    Tasklet* partner;  // kMatched only
};

class Channel {
  public:
    // Favours the receiver, neither, or the sender.
    static constexpr int kPreferReceiver = -1;
    static constexpr int kPreferNeither = 0;
    static constexpr int kPreferSender = 1;

    // `owner` is for the host, which finds there what it knows the channel by.
    explicit Channel(void* owner = nullptr) : owner_(owner) {}
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // Sends or receives for `self`, the calling thread's current tasklet. A sender's parcel goes
    // to its partner, or stays in `self.parcel` while it waits; a receiver's comes in `self.parcel`.
    // With `may_wait` false a caller that would have to wait is refused instead.
    Rendezvous rendezvous(Direction direction, Tasklet& self, bool may_wait) {
        return rendezvous(direction, self, self.parcel, may_wait);
    }
    Rendezvous rendezvous(Direction direction, Tasklet& self, Parcel& parcel, bool may_wait) {
        return rendezvous_or_ask(direction, self, parcel, [may_wait] { return may_wait; });
    }
    // The same with an envelope of the caller's. `self.parcel` is touched only if `self` enters the
    // wait queue, so that one who may not wait may be in one already: code that runs in a callback while
    // its tasklet suspends. `may_wait()` is asked if the answer matters, under the lock.
    template <typename MayWait>
    Rendezvous rendezvous_or_ask(Direction direction, Tasklet& self, Parcel& parcel,
                                 MayWait may_wait) SCHED_EXCLUDES(lock_);

    // Takes a waiting tasklet out of the wait queue; it becomes kReady. False: it is not (or no longer)
    // waiting here; one that was served by another thread is queued by now, or, if it is main, running.
    // The parcel stays with it.
    bool cancel_wait(Tasklet& tasklet) SCHED_EXCLUDES(lock_);

    // The same for a tasklet of another thread, for which an error has been posted: it is kInTransit,
    // and its thread is told to wake it. False also when its thread has taken the error meanwhile: by
    // now the tasklet may have raised it and wait anew.
    bool cancel_remote_wait(Tasklet& tasklet) SCHED_EXCLUDES(lock_);

    void* owner() const { return owner_; }

    // +n: n senders wait; -n: n receivers.
    int balance() const SCHED_EXCLUDES(lock_);
    // Would `direction` have to wait right now?
    bool would_block(Direction direction) const {
        return balance() * static_cast<int>(direction) >= 0;
    }
    // Calls `visit(Tasklet&)` for all who wait, in the order of the wait queue, until it returns false.
    // It runs under the lock: it may count, compare and add references, and nothing else.
    template <typename Visit>
    void visit_waiting(Visit visit) const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        for (Tasklet* t = waiting_.front(); t != nullptr && visit(*t); t = waiting_.after(t)) {
        }
    }

    int preference() const { return preference_.load(std::memory_order_relaxed); }
    void set_preference(int value) { preference_.store(value, std::memory_order_relaxed); }
    // Does the partner of a completed transfer go first, with the caller requeued behind all?
    bool caller_yields(Direction caller) const { return preference() == -static_cast<int>(caller); }

    // Refuse all that would have to wait from now on; closed once nobody waits any more.
    void close() SCHED_EXCLUDES(lock_);
    void open() SCHED_EXCLUDES(lock_);
    bool closing() const SCHED_EXCLUDES(lock_);
    bool closed() const SCHED_EXCLUDES(lock_);

  private:
    // Posts a tasklet that has left the wait queue to its own thread; wake() that afterwards.
    [[gnu::noinline]] static ScheduleManager& post_locked(Tasklet& tasklet, std::uint32_t bits) {
        ScheduleManager& manager = *tasklet.manager;
        // As soon as it is posted the tasklet may end, and its thread.
        manager.add_reference();
        tasklet.state.leave_queue_to_other_thread();
        manager.post_silently(tasklet, bits);
        return manager;
    }
    [[gnu::noinline]] static void wake(ScheduleManager& manager) {
        manager.wake();
        manager.drop_reference();
    }
    bool unlink_locked(Tasklet& tasklet) SCHED_REQUIRES(lock_) {
        if (tasklet.channel.load(std::memory_order_relaxed) != this) return false;
        waiting_.remove(tasklet);
        tasklet.channel.store(nullptr, std::memory_order_relaxed);
        update_closed_locked();
        return true;
    }
    void update_closed_locked() SCHED_REQUIRES(lock_) {
        if (closing_ && waiting_.empty()) closed_ = true;
    }
    int balance_locked() const SCHED_REQUIRES(lock_) {
        const int waiting = static_cast<int>(waiting_.size());
        return senders_ ? waiting : -waiting;
    }

    void* const owner_;
    mutable Lock lock_;
    TaskletQueue waiting_ SCHED_GUARDED_BY(lock_);
    bool senders_ SCHED_GUARDED_BY(lock_) = false;  // those who wait are senders
    bool closing_ SCHED_GUARDED_BY(lock_) = false;
    bool closed_ SCHED_GUARDED_BY(lock_) = false;
    std::atomic<int> preference_{kPreferReceiver};
};

// ---- the path of a transfer, inline ------------------------------------------------------------

template <typename MayWait>
SCHED_ALWAYS_INLINE Rendezvous Channel::rendezvous_or_ask(Direction direction, Tasklet& self,
                                                          Parcel& parcel, MayWait may_wait) {
    ScheduleManager* remote = nullptr;
    {
        LockGuard guard(lock_);
        const bool sending = direction == Direction::kSend;
        Tasklet* partner = waiting_.front();
        if (partner == nullptr || senders_ == sending) {
            if (!may_wait()) return {RendezvousResult::kWouldBlock, nullptr};
            if (closing_) return {RendezvousResult::kClosing, nullptr};
            self.manager->leave_queue_to_wait(self);
            if (&parcel != &self.parcel) self.parcel = std::move(parcel);
            self.channel.store(this, std::memory_order_release);
            self.state.block();
            senders_ = sending;
            waiting_.push_back(self);
            return {RendezvousResult::kEnqueued, nullptr};
        }

        unlink_locked(*partner);
        if (sending) {
            partner->parcel = std::move(parcel);
        } else {
            parcel = std::move(partner->parcel);
        }
        if (partner->manager == self.manager) {
            partner->state.leave_queue();
            return {RendezvousResult::kMatched, partner};
        }
        remote = &post_locked(*partner, caller_yields(direction) ? mail::kWakeFirst : mail::kWake);
    }
    wake(*remote);  // not under the lock: the thread that wakes would run into it
    return {RendezvousResult::kMatchedRemote, nullptr};
}

}  // namespace scheduler::core
