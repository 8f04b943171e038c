// A model thread: a stack of its own on the OS thread of the test, and what the explorer knows of it.
#pragma once

#include <cstdint>
#include <functional>

#include "core/atomic.h"
#include "core/context.h"

namespace scheduler::core::explore {

struct Step {
    Action action = Action::kNothing;
    const void* word = nullptr;
};

inline bool are_dependent(const Step& a, const Step& b) {
    return a.word == b.word && a.word != nullptr &&
           (a.action != Action::kLoad || b.action != Action::kLoad);
}

struct Thread {
    enum class Status : std::uint8_t {
        kIdle,  // has ended, or not begun
        kReady,  // has its turn, or is about to take `next`
        kWaiting,  // on the word of `next`
    };

    Context context;
    int index = 0;
    const std::function<void()>* body = nullptr;
    Status status = Status::kIdle;
    Step next;  // kNothing: up to there, it concerns nobody else what it does
    bool has_deadline = false;
    Wakeup wakeup = Wakeup::kNotified;  // how its wait ended
    int spurious_wakeups_left = 0;
    int signals_left = 0;
    int held_locks = 0;

    bool ready() const { return status == Status::kReady; }
    bool waiting() const { return status == Status::kWaiting; }
    bool may_stop_waiting() const {
        return has_deadline || spurious_wakeups_left > 0 || signals_left > 0;
    }
    // May have the next turn.
    bool enabled() const { return ready() || (waiting() && may_stop_waiting()); }
};

// ---- the driver: whoever calls explore()
// A thread that has yet to take its first turn; it ends with `body`.
Thread& start_thread(const std::function<void()>& body, int index);
// Lets it run until it calls back_to_driver(), or ends.
void switch_to(Thread& thread);
// One that is idle is used again. Others are left alone for ever, in the middle of their bodies.
void give_back(Thread& thread);

// ---- any stack
// Whose turn it is; nullptr: the driver's.
Thread* running_thread();
void back_to_driver(Thread& self);

}  // namespace scheduler::core::explore
