// Where a thread waits that has nothing to do: an eventcount for one thread and any number of others.
//
// The thread announces that it will wait, looks once more for work, and then waits or cancels. Who
// has work for it makes that visible first and notifies afterwards. Both sides write before they
// look (sequentially consistent), so one of the two sees the other: no wake-up is lost, and a thread
// that is awake costs those who notify it one look.
#pragma once

#include <cstdint>

#include "atomic.h"

namespace scheduler::core {

// How to reach a thread that is elsewhere than on the futex.
class Waker {
  public:
    // Any thread.
    virtual void wake() = 0;

  protected:
    ~Waker() = default;
};

// Somewhere else to sleep: where also others than notify() can end the sleep.
class SleepingPlace : public Waker {
  public:
    // The thread itself: until wake() is called, or somebody else's reason to wake it comes, or
    // `deadline`. A wake() that comes first counts.
    virtual Wakeup sleep(std::int64_t deadline) = 0;

  protected:
    ~SleepingPlace() = default;
};

class Parking {
  public:
    // ---- the thread itself
    void announce() { state_.store(kLooking, std::memory_order_seq_cst); }
    void cancel() { state_.store(kAwake, std::memory_order_relaxed); }
    // After announce(): waits for notify(), a signal, or `deadline`. The thread must not hold what
    // those who notify might need.
    Wakeup wait(std::int64_t deadline) {
        spin_while_looking();
        std::uint32_t looking = kLooking;
        state_.compare_exchange_strong(looking, kParked, std::memory_order_acq_rel);
        while (state_.load(std::memory_order_acquire) == kParked) {
            const Wakeup wakeup = wait_on_word(state_, kParked, deadline);
            if (wakeup == Wakeup::kNotified) continue;  // perhaps nobody has notified it
            cancel();
            return wakeup;
        }
        return Wakeup::kNotified;
    }
    // The same, asleep in `place`, which nobody touches any more when this returns.
    Wakeup wait_in(SleepingPlace& place, std::int64_t deadline) {
        spin_while_looking();
        waker_ = &place;
        std::uint32_t state = kLooking;
        if (!state_.compare_exchange_strong(state, kElsewhere, std::memory_order_acq_rel)) {
            return Wakeup::kNotified;
        }
        const Wakeup wakeup = place.sleep(deadline);
        return come_back() ? wakeup : Wakeup::kNotified;
    }
    // In place of announce(): the thread goes where it may sleep, or not, as long as it likes, and from now
    // on the first notify() calls `waker`. Afterwards it looks once more for work.
    void leave_to(Waker& waker) {
        waker_ = &waker;
        state_.store(kElsewhere, std::memory_order_seq_cst);
    }
    // It is back, and nobody touches the waker any more. False: notify() has called it.
    bool come_back() {
        std::uint32_t state = kElsewhere;
        if (state_.compare_exchange_strong(state, kAwake, std::memory_order_acq_rel)) return true;
        while (state_.load(std::memory_order_seq_cst) == kBeingWoken) {
            wait_on_word(state_, kBeingWoken, kNever);
        }
        return false;
    }

    // ---- any thread
    void notify() {
        std::uint32_t state = state_.load(std::memory_order_seq_cst);
        while (state != kAwake && state != kBeingWoken) {
            const std::uint32_t next = state == kElsewhere ? kBeingWoken : kAwake;
            if (!state_.compare_exchange_weak(state, next, std::memory_order_seq_cst)) continue;
            if (state == kElsewhere) {
                waker_->wake();
                state_.store(kAwake, std::memory_order_seq_cst);
            }
            if (state != kLooking) wake_one(state_);
            return;
        }
    }

  private:
    // An answer often comes sooner than a thread falls asleep and is woken.
    void spin_while_looking() {
        for (int i = 0; i < kSpins && state_.load(std::memory_order_relaxed) == kLooking; ++i) {
            spin_once();
        }
    }

    enum State : std::uint32_t {
        kAwake,
        kLooking,  // announced
        kParked,  // asleep, or about to be: has to be woken
        kElsewhere,  // where `waker_` reaches it
        kBeingWoken,  // somebody is about to wake it there: it does not leave the place before
    };
    static constexpr int kSpins = spins(200);

    Atomic<std::uint32_t> state_{kAwake};
    Waker* waker_ = nullptr;  // written before kElsewhere, read after it
};

}  // namespace scheduler::core
