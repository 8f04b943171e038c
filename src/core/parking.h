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

class Parking {
  public:
    // ---- the thread itself
    void announce() { state_.store(kLooking, std::memory_order_seq_cst); }
    void cancel() { state_.store(kAwake, std::memory_order_relaxed); }
    // After announce(): waits for notify(), a signal, or `deadline`. The thread must not hold what
    // those who notify might need.
    Wakeup wait(std::int64_t deadline) {
        // An answer often comes sooner than a thread falls asleep and is woken.
        for (int i = 0; i < kSpins && state_.load(std::memory_order_relaxed) == kLooking; ++i) {
            spin_once();
        }
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

    // ---- any thread
    void notify() {
        if (state_.load(std::memory_order_seq_cst) == kAwake) return;
        if (state_.exchange(kAwake, std::memory_order_seq_cst) == kParked) wake_one(state_);
    }

  private:
    enum State : std::uint32_t {
        kAwake,
        kLooking,  // announced
        kParked,  // asleep, or about to be: has to be woken
    };
    static constexpr int kSpins = spins(200);

    Atomic<std::uint32_t> state_{kAwake};
};

}  // namespace scheduler::core
