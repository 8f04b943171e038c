// The clock of traces: the processor's counter where it runs at one rate for ever, for it is read in half the
// time; else the monotonic clock, a tick a nanosecond.
#pragma once

#include <cstdint>

namespace scheduler::core {

#if defined(__x86_64__)
// Does the counter go on at the same rate whatever the processor's frequency is, on all cores alike?
bool has_steady_counter();
#endif

std::uint64_t monotonic_nanoseconds();

class TraceClock {
  public:
    std::uint64_t ticks() const {
#if defined(__x86_64__)
        if (counts_) [[likely]]
            return __builtin_ia32_rdtsc();
#endif
        return monotonic_nanoseconds();
    }

  private:
#if defined(__x86_64__)
    bool counts_ = has_steady_counter();
#endif
};

}  // namespace scheduler::core
