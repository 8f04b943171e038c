// Waiting on a word, by the futexes of Linux: a condition variable would hide signals.

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "atomic.h"

namespace scheduler::core {

namespace {

long futex(const Atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* deadline) {
    static_assert(sizeof(word) == sizeof(std::uint32_t));
    return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, deadline, nullptr,
                   FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

Wakeup wait_on_word(const Atomic<std::uint32_t>& word, std::uint32_t expected,
                    std::int64_t deadline) {
    const timespec until{deadline / kSecond, deadline % kSecond};
    const timespec* const limit = deadline == kNever ? nullptr : &until;
    // With a bit set the time is a point in time, of the monotonic clock.
    if (futex(word, FUTEX_WAIT_BITSET, expected, limit) == 0) return Wakeup::kNotified;
    if (errno == ETIMEDOUT) return Wakeup::kTimeout;
    return errno == EINTR ? Wakeup::kSignal : Wakeup::kNotified;
}

void wake_one(const Atomic<std::uint32_t>& word) { futex(word, FUTEX_WAKE, 1, nullptr); }

void wake_all(const Atomic<std::uint32_t>& word) { futex(word, FUTEX_WAKE, INT32_MAX, nullptr); }

}  // namespace scheduler::core
