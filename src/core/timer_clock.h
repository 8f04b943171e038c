// What the timers of a thread go by: the monotonic clock, until a program stops it for a test. While it
// is stopped somebody has to move it on; started again it goes on from there, ahead of the monotonic
// clock. So it does not go back while anybody has a deadline.
#pragma once

#include <cstdint>

#include "atomic.h"

namespace scheduler::core {

class TimerClock {
  public:
    // Nanoseconds of the monotonic clock.
    static std::int64_t real_time();
    // The same, up to two of the kernel's ticks later, from a clock that is read in a fifth of the time.
    static std::int64_t coarse_time();
    static std::int64_t later(std::int64_t time, std::int64_t nanoseconds) {
        return nanoseconds < kNever - time ? time + nanoseconds : kNever;
    }

    // ---- any thread, where it may be out of date
    std::int64_t time() const {
        const std::int64_t stopped_at = stopped_at_;
        return stopped_at != kNever ? stopped_at : real_time() + ahead_;
    }
    // The same for one who begins to wait that long: a time of a second or more may be over some
    // milliseconds late.
    std::int64_t time_to_wait(std::int64_t nanoseconds) const {
        const std::int64_t stopped_at = stopped_at_;
        if (stopped_at != kNever) return stopped_at;
        return (nanoseconds < kSecond ? real_time() : coarse_time()) + ahead_;
    }

    // ---- owner thread
    bool is_stopped() const { return stopped_at_ != kNever; }
    // When a wait of that length that begins now is over.
    std::int64_t deadline_after(std::int64_t nanoseconds) const {
        return later(time(), nanoseconds);
    }
    // What the monotonic clock shows at that time. It is not stopped.
    std::int64_t real_time_of(std::int64_t deadline) const {
        return deadline != kNever ? deadline - ahead_ : kNever;
    }
    void stop() { stopped_at_ = time(); }
    // It is stopped. `anew`: nobody has a deadline, and it shows what the monotonic clock does.
    void start(bool anew) {
        ahead_ = anew ? 0 : stopped_at_ - real_time();
        stopped_at_ = kNever;
    }
    // It is stopped; never back.
    void move_to(std::int64_t time) {
        if (time > stopped_at_) stopped_at_ = time;
    }

  private:
    RelaxedAtomic<std::int64_t> stopped_at_ = kNever;  // kNever: it is not
    RelaxedAtomic<std::int64_t> ahead_ = 0;  // of the monotonic clock, while it is not stopped
};

}  // namespace scheduler::core
