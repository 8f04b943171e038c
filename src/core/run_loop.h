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
    // destroyed, or this is not a loop over the queue, but for one turn or to unwind.
    QueueNode* anchor = nullptr;
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
    bool is_set() const { return kind_ != Kind::kNone; }
    static constexpr std::uint64_t kNoTurnLimit = ~std::uint64_t{0};
    void set_turns(std::uint64_t turns) {
        kind_ = Kind::kTurns;
        turns_left_ = turns;
    }
    // Nobody gets a turn once the time is up, but for the first one: repeated calls make progress.
    void set_time(std::chrono::nanoseconds duration, std::uint64_t turns = kNoTurnLimit) {
        set_time(Kind::kTime, duration);
        turns_left_ = turns;
    }
    // Whether the time is up is looked at as each turn begins. It is let go the first time; the turn
    // that finds it so the second time is the last one.
    void set_lenient_time(std::chrono::nanoseconds duration) {
        set_time(Kind::kLenientTime, duration);
    }

    SCHED_ALWAYS_INLINE bool has_run_out() const {
        return kind_ != Kind::kNone && has_nothing_left();
    }
    SCHED_ALWAYS_INLINE void charge_turn() {
        if (kind_ != Kind::kNone) charge();
    }

  private:
    enum class Kind : std::uint8_t { kNone, kTurns, kTime, kLenientTime };

    void set_time(Kind kind, std::chrono::nanoseconds duration) {
        kind_ = kind;
        started_ = Clock::now();
        duration_ = duration;
        turns_left_ = kNoTurnLimit;
        turns_given_ = late_turns_ = 0;
    }
    bool is_late() const { return Clock::now() - started_ >= duration_; }
    [[gnu::noinline]] bool has_nothing_left() const {
        if (kind_ == Kind::kTurns) return turns_left_ == 0;
        if (kind_ == Kind::kLenientTime) return late_turns_ >= kLateTurns;
        return turns_left_ == 0 || (turns_given_ != 0 && is_late());
    }
    [[gnu::noinline]] void charge() {
        ++turns_given_;
        --turns_left_;
        if (kind_ == Kind::kLenientTime && is_late()) ++late_turns_;
    }

    static constexpr int kLateTurns = 2;

    Kind kind_ = Kind::kNone;
    std::uint64_t turns_left_ = 0;
    std::uint64_t turns_given_ = 0;
    std::uint64_t late_turns_ = 0;  // begun when the time was up
    Clock::time_point started_{};
    std::chrono::nanoseconds duration_{};
};

}  // namespace scheduler::core
