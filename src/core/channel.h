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
//
// A channel may have a buffer. Then two things hold whenever its lock is free: while a receiver waits the
// buffer is empty, and while a sender waits it is full. So a sender that meets a receiver hands its parcel over
// directly; a receiver that meets a sender takes the oldest parcel of the buffer, and the sender's
// becomes the newest.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lock.h"
#include "manager.h"
#include "parcel_ring.h"
#include "tasklet.h"
#include "wait.h"

namespace scheduler::core {

// What came of a send or receive.
enum class RendezvousResult : std::uint8_t {
    kMatched,  // transfer complete; the partner waits to be queued by the caller
    kMatchedRemote,  // transfer complete; the partner was posted to its own thread
    kBuffered,  // transfer complete, with the buffer; nobody else is concerned
    kEnqueued,  // nobody there: the caller is in the wait queue now and must suspend
    kWouldBlock,  // nobody there, and the caller may not wait: nothing has happened
    kClosing,  // nobody there and the channel is closing: nothing has happened
};

struct Rendezvous {
    RendezvousResult result;
    Tasklet*
        partner;  // kMatched, if it was not a buffer; kMatchedRemote, but it may be gone by now
    // Whom the caller has to queue, or nullptr.
    Tasklet* own_partner() const {
        return result == RendezvousResult::kMatched ? partner : nullptr;
    }
};

// A partner that has just been served, with what is left to do once the lock is released.
struct Served {
    Tasklet* partner = nullptr;
    // Of another thread: it is posted there, now or by finish(), with the reference to its manager that
    // this is.
    ScheduleManager* remote = nullptr;
    Wait* select = nullptr;  // it was one of several cases, and the others are to leave
    std::uint32_t mail = 0;  // for finish() to post

    bool is_complete() const { return remote == nullptr && select == nullptr; }
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

    // The same in fewer instructions for what is nearly always so: the partner is a tasklet of the same
    // thread, or there is none and `self` may wait. kWouldBlock: it is otherwise, the channel is closing or has a
    // buffer, or another thread holds the lock; nothing has happened.
    template <Direction ToDo, typename MayWait>
    Rendezvous try_rendezvous(Tasklet& self, Parcel& parcel, MayWait may_wait)
        SCHED_EXCLUDES(lock_);

    // Takes a waiting tasklet out of the wait queue; it becomes kReady. False: it is not (or no longer)
    // waiting here; one that was served by another thread is queued by now, or, if it is main, running.
    // The parcel stays with it.
    bool cancel_wait(Tasklet& tasklet) SCHED_EXCLUDES(lock_);

    // The same for a tasklet of another thread, for which an error has been posted: it is kInTransit,
    // and its thread is told to wake it. False also when its thread has taken the error meanwhile: by
    // now the tasklet may have raised it and wait anew.
    bool cancel_remote_wait(Tasklet& tasklet) SCHED_EXCLUDES(lock_);

    void* owner() const { return owner_; }

    // +n: n parcels are to be had, of senders that wait or in the buffer; -n: n receivers wait. A tasklet that
    // waits here for both counts as neither.
    int balance() const SCHED_EXCLUDES(lock_);
    // Senders, receivers, and cases of select().
    std::size_t count_waiting() const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        return senders_.size() + receivers_.size();
    }
    // Would `direction` have to wait right now?
    bool would_block(Direction direction) const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        return partners_of(direction).empty() && !has_use_for_buffer_locked(direction);
    }
    // Does anybody wait for one who does `direction`?
    bool has_partner(Direction direction) const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        return !partners_of(direction).empty();
    }
    // Calls `visit(Tasklet&)` for all who wait, in the order of the wait queue, until it returns false.
    // It runs under the lock: it may count, compare and add references, and nothing else.
    template <typename Visit>
    void visit_waiting(Visit visit) const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        for (const WaitQueue* queue : {&senders_, &receivers_}) {
            for (Waiter* w = queue->front(); w != nullptr; w = queue->after(w)) {
                if (!visit(tasklet_of(*w))) return;
            }
        }
    }

    int preference() const { return preference_.load(std::memory_order_relaxed); }
    void set_preference(int value) { preference_.store(value, std::memory_order_relaxed); }
    // Does the partner of a completed transfer go first, with the caller requeued behind all?
    bool caller_yields(Direction caller) const { return preference() == -static_cast<int>(caller); }

    // Refuse all that would have to wait from now on; closed once nobody waits any more.
    void close() SCHED_EXCLUDES(lock_);
    // The same, and the waits of all who wait here are over without a transfer: a sender has its parcel
    // still, a receiver has none; of a tasklet that waits for several channels the case here is `served`.
    // Returns for how many there must be room in `released`, each for finish(), with a partner of `here`
    // to be queued, or none; if that is less, nothing has happened.
    std::size_t close_and_release(const ScheduleManager& here, std::span<Served> released)
        SCHED_EXCLUDES(lock_);
    void open() SCHED_EXCLUDES(lock_);
    bool closing() const SCHED_EXCLUDES(lock_);
    bool closed() const SCHED_EXCLUDES(lock_);
    // Closing, by close_and_release().
    bool released() const SCHED_EXCLUDES(lock_);

    // ---- the buffer
    // Before anybody else knows the channel, and once. Throws std::bad_alloc.
    void make_buffer(std::size_t capacity) { buffer_ = std::make_unique<ParcelRing>(capacity); }
    // 0: it has none.
    std::size_t capacity() const { return buffer_ != nullptr ? buffer_->capacity() : 0; }
    std::size_t count_buffered() const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        return buffered_locked();
    }
    // Calls `visit(const Parcel&)`, oldest first, until it returns false. Under the lock, as above.
    template <typename Visit>
    void visit_buffered(Visit visit) const SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        if (buffer_ != nullptr) buffer_->visit(visit);
    }
    // For a channel that nobody uses any more: the oldest, as long as there is one.
    Parcel drop_buffered() SCHED_EXCLUDES(lock_) {
        LockGuard guard(lock_);
        return buffered_locked() != 0 ? buffer_->pop_front() : Parcel();
    }

    // ---- for select(), see select.h
    void lock() SCHED_ACQUIRE(lock_) { lock_.lock(); }
    void unlock() SCHED_RELEASE(lock_) { lock_.unlock(); }
    // Serves whoever waits for one who does `direction`; without a partner: nobody does.
    Served serve_first_locked(Direction direction, Tasklet& self, Parcel& parcel)
        SCHED_REQUIRES(lock_);
    // Nobody does: sends to the buffer or receives from there. False: it is of no use, or there is none.
    [[gnu::noinline]] bool use_buffer_locked(Direction direction, Parcel& parcel)
        SCHED_REQUIRES(lock_);
    void enqueue_locked(Waiter& waiter, Direction direction) SCHED_REQUIRES(lock_) {
        queue_of(direction).push_back(waiter);
    }
    bool closing_locked() const SCHED_REQUIRES(lock_) { return closing_; }
    // A case leaves, if it has not left already.
    void leave(SelectCase& waiter) SCHED_EXCLUDES(lock_);
    // Afterwards, without any lock.
    static Rendezvous finish(Served served);

  private:
    // Moves the parcel. `waiter` is first in its wait queue, and leaves it; the wait of a case has been
    // claimed.
    Served serve_locked(Waiter& waiter, Direction direction, Tasklet& self, Parcel& parcel)
        SCHED_REQUIRES(lock_);
    // Moves the parcel to a receiver, or from a sender, which leaves the wait queue.
    void give_locked(Tasklet& receiver, Parcel& parcel) SCHED_REQUIRES(lock_);
    void take_locked(Tasklet& sender, Parcel& parcel) SCHED_REQUIRES(lock_);
    // The current tasklet stands in the wait queue from now on.
    void block_locked(Tasklet& self, Parcel& parcel, bool sends) SCHED_REQUIRES(lock_);
    [[gnu::noinline]] Served serve_case_locked(SelectCase& waiter, Direction direction,
                                               Tasklet& self, Parcel& parcel) SCHED_REQUIRES(lock_);
    // The wait of the case, which has been claimed, is over.
    Served end_case_locked(SelectCase& waiter, const ScheduleManager& here, std::uint32_t mail)
        SCHED_REQUIRES(lock_);
    Served release_locked(Waiter& waiter, WaitQueue& queue, const ScheduleManager& here)
        SCHED_REQUIRES(lock_);
    // The first in `queue` is a case. Those whose wait somebody else has claimed are taken out. The first
    // that can be served: a tasklet, or a case whose wait the caller has claimed; nullptr: there is none.
    Waiter* claim_first_locked(WaitQueue& queue) SCHED_REQUIRES(lock_);
    // Posts a tasklet that has left the wait queue to its own thread, with a reference to its manager for
    // wake() afterwards.
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
    static Tasklet& tasklet_of(Waiter& waiter) {
        return waiter.is_case ? static_cast<SelectCase&>(waiter).wait->tasklet
                              : static_cast<Tasklet&>(waiter);
    }

    // What a sender that waits offers goes to a receiver, by way of the buffer if there is one. It is full,
    // unless the collector has found the channel.
    SCHED_ALWAYS_INLINE void take_from_sender_locked(Parcel& offered, Parcel& parcel)
        SCHED_REQUIRES(lock_) {
        if (buffer_ != nullptr && !buffer_->empty()) [[unlikely]] {
            parcel = buffer_->pop_front();
            buffer_->push_back(std::move(offered));
        } else {
            parcel = std::move(offered);
        }
    }
    bool has_use_for_buffer_locked(Direction direction) const SCHED_REQUIRES(lock_) {
        if (buffer_ == nullptr) return false;
        return direction == Direction::kSend ? !closing_ && !buffer_->full() : !buffer_->empty();
    }
    std::size_t buffered_locked() const SCHED_REQUIRES(lock_) {
        return buffer_ != nullptr ? buffer_->size() : 0;
    }

    WaitQueue& queue_of(Direction direction) SCHED_REQUIRES(lock_) {
        return direction == Direction::kSend ? senders_ : receivers_;
    }
    const WaitQueue& partners_of(Direction direction) const SCHED_REQUIRES(lock_) {
        return direction == Direction::kSend ? receivers_ : senders_;
    }
    SCHED_ALWAYS_INLINE void unlink_locked(Waiter& waiter, WaitQueue& queue) SCHED_REQUIRES(lock_) {
        queue.remove(waiter);
        update_closed_locked();
    }
    SCHED_ALWAYS_INLINE void unlink_locked(Tasklet& tasklet, WaitQueue& queue)
        SCHED_REQUIRES(lock_) {
        tasklet.channel.store(nullptr, std::memory_order_relaxed);
        unlink_locked(static_cast<Waiter&>(tasklet), queue);
    }
    // False: it does not wait here.
    bool unlink_if_here_locked(Tasklet& tasklet) SCHED_REQUIRES(lock_) {
        if (tasklet.channel.load(std::memory_order_relaxed) != this) return false;
        unlink_locked(tasklet, tasklet.sends ? senders_ : receivers_);
        return true;
    }
    void update_closed_locked() SCHED_REQUIRES(lock_) {
        if (closing_ && senders_.empty() && receivers_.empty() && buffered_locked() == 0) {
            closed_ = true;
        }
    }
    int balance_locked() const SCHED_REQUIRES(lock_) {
        return static_cast<int>(senders_.size() + buffered_locked()) -
               static_cast<int>(receivers_.size());
    }

    void* const owner_;
    mutable Lock lock_;
    // At most one of them has entries, but for the cases of tasklets that wait here for both.
    WaitQueue senders_ SCHED_GUARDED_BY(lock_);
    WaitQueue receivers_ SCHED_GUARDED_BY(lock_);
    bool closing_ SCHED_GUARDED_BY(lock_) = false;
    bool closed_ SCHED_GUARDED_BY(lock_) = false;
    bool released_ SCHED_GUARDED_BY(lock_) = false;
    std::atomic<int> preference_{kPreferReceiver};
    std::unique_ptr<ParcelRing> buffer_;  // what it points to is guarded by the lock
};

// ---- the path of a transfer, inline ------------------------------------------------------------

template <typename MayWait>
SCHED_ALWAYS_INLINE Rendezvous Channel::rendezvous_or_ask(Direction direction, Tasklet& self,
                                                          Parcel& parcel, MayWait may_wait) {
    Served served;
    {
        LockGuard guard(lock_);
        const bool sending = direction == Direction::kSend;
        WaitQueue& partners = sending ? receivers_ : senders_;
        Waiter* waiter = partners.front();
        if (waiter != nullptr && waiter->is_case) [[unlikely]] {
            waiter = claim_first_locked(partners);
        }
        if (waiter == nullptr) {
            if (buffer_ != nullptr && use_buffer_locked(direction, parcel)) [[unlikely]] {
                return {RendezvousResult::kBuffered, nullptr};
            }
            if (!may_wait()) return {RendezvousResult::kWouldBlock, nullptr};
            if (closing_) return {RendezvousResult::kClosing, nullptr};
            block_locked(self, parcel, sending);
            return {RendezvousResult::kEnqueued, nullptr};
        }
        served = serve_locked(*waiter, direction, self, parcel);
        if (served.is_complete()) return {RendezvousResult::kMatched, served.partner};
    }
    return finish(served);
}

template <Direction ToDo, typename MayWait>
SCHED_ALWAYS_INLINE Rendezvous Channel::try_rendezvous(Tasklet& self, Parcel& parcel,
                                                       MayWait may_wait) {
    constexpr bool kSends = ToDo == Direction::kSend;
    if (!lock_.try_lock()) return {RendezvousResult::kWouldBlock, nullptr};
    const Rendezvous match = [&]() __attribute__((always_inline)) -> Rendezvous {
        if (closing_ || buffer_ != nullptr) return {RendezvousResult::kWouldBlock, nullptr};
        Waiter* const first = (kSends ? receivers_ : senders_).front();
        if (first == nullptr) {
            if (!may_wait()) return {RendezvousResult::kWouldBlock, nullptr};
            block_locked(self, parcel, kSends);
            return {RendezvousResult::kEnqueued, nullptr};
        }
        auto* const partner = static_cast<Tasklet*>(first);
        if (first->is_case || partner->manager != self.manager) {
            return {RendezvousResult::kWouldBlock, nullptr};
        }
        if constexpr (kSends) {
            give_locked(*partner, parcel);
        } else {
            take_locked(*partner, parcel);
        }
        partner->state.leave_queue();
        return {RendezvousResult::kMatched, partner};
    }();
    lock_.unlock();
    return match;
}

SCHED_ALWAYS_INLINE void Channel::block_locked(Tasklet& self, Parcel& parcel, bool sends) {
    self.manager->leave_queue_to_wait(self);
    if (&parcel != &self.parcel) self.parcel = std::move(parcel);
    self.channel.store(this, std::memory_order_release);
    self.state.block();
    self.sends = sends;
    (sends ? senders_ : receivers_).push_back(self);
}

SCHED_ALWAYS_INLINE void Channel::give_locked(Tasklet& receiver, Parcel& parcel) {
    unlink_locked(receiver, receivers_);
    receiver.parcel = std::move(parcel);
}

SCHED_ALWAYS_INLINE void Channel::take_locked(Tasklet& sender, Parcel& parcel) {
    unlink_locked(sender, senders_);
    take_from_sender_locked(sender.parcel, parcel);
}

SCHED_ALWAYS_INLINE Served Channel::serve_locked(Waiter& waiter, Direction direction, Tasklet& self,
                                                 Parcel& parcel) {
    if (waiter.is_case) [[unlikely]] {
        return serve_case_locked(static_cast<SelectCase&>(waiter), direction, self, parcel);
    }
    auto& partner = static_cast<Tasklet&>(waiter);
    if (direction == Direction::kSend) {
        give_locked(partner, parcel);
    } else {
        take_locked(partner, parcel);
    }
    if (partner.manager == self.manager) {
        partner.state.leave_queue();
        return {.partner = &partner};
    }
    const auto bits = caller_yields(direction) ? mail::kWakeFirst : mail::kWake;
    return {.partner = &partner, .remote = &post_locked(partner, bits)};
}

}  // namespace scheduler::core
