// A run loop as data: who hands out turns, from where, and until when.
//
// The tasklet that called run() is the driver. Its loop is a record on the driver's stack; whichever
// tasklet ends its turn advances the innermost loop of its manager itself and jumps straight to the
// next tasklet. Control comes back to the driver only when its loop has ended. Loops nest strictly:
// the driver of each loop has its turn in the loop around it.
#pragma once

#include <chrono>
#include <cstdint>

#include "tasklet.h"

namespace scheduler::core {

struct RunLoop {
    Tasklet* driver = nullptr;
    // The next turn goes to the entry behind `anchor`. nullptr: nobody, for the anchor has been
    // destroyed, or this is not a loop over the queue.
    Links* anchor = nullptr;
    // The loop ends with this tasklet's turn. nullptr: it runs to the end of the queue.
    Tasklet* last = nullptr;
    // The driver is a blocked main tasklet: the loop ends as soon as it is unblocked.
    bool waking = false;
    // Not a loop over the queue: it unwinds this one tasklet and ends with it.
    Tasklet* unwinding = nullptr;
    int unwinding_tries = 0;
    // Some turn of this loop ended with an exception, which the host keeps for the driver.
    bool failed = false;
    RunLoop* outer = nullptr;
};

// How many turns, or for how long, a main tasklet hands out turns.
class RunLimit {
  public:
    using Clock = std::chrono::steady_clock;

    void clear() { kind_ = Kind::kNone; }
    void set_turns(std::uint64_t turns) {
        kind_ = Kind::kTurns;
        turns_left_ = turns;
    }
    void set_time(std::chrono::nanoseconds duration) {
        kind_ = Kind::kTime;
        started_ = Clock::now();
        duration_ = duration;
        turns_given_ = 0;
    }

    // A time limit lets at least one turn through, so that repeated calls always make progress.
    SCHED_ALWAYS_INLINE bool has_run_out() const {
        return kind_ != Kind::kNone && has_nothing_left();
    }
    SCHED_ALWAYS_INLINE void charge_turn() {
        if (kind_ == Kind::kTurns) --turns_left_;
        if (kind_ == Kind::kTime) ++turns_given_;
    }

  private:
    [[gnu::noinline]] bool has_nothing_left() const {
        if (kind_ == Kind::kTurns) return turns_left_ == 0;
        return turns_given_ != 0 && Clock::now() - started_ >= duration_;
    }

    enum class Kind : std::uint8_t { kNone, kTurns, kTime };

    Kind kind_ = Kind::kNone;
    std::uint64_t turns_left_ = 0;
    std::uint64_t turns_given_ = 0;
    Clock::time_point started_{};
    std::chrono::nanoseconds duration_{};
};

}  // namespace scheduler::core
