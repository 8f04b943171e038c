#include "trace_clock.h"

#include "timer_clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace scheduler::core {

#if defined(__x86_64__)
bool has_steady_counter() {
    constexpr unsigned kPowerManagement = 0x80000007;
    constexpr unsigned kInvariantCounter = 1U << 8;  // of edx
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(kPowerManagement, &a, &b, &c, &d) != 0 && (d & kInvariantCounter) != 0;
}
#endif

std::uint64_t monotonic_nanoseconds() {
    return static_cast<std::uint64_t>(TimerClock::real_time());
}

}  // namespace scheduler::core
