// The atomics of everything that threads share.
//
// `Atomic` and the two functions that wait on a word are std::atomic and a futex. The tests that
// explore interleavings put a stand-in of their own in their place, which lets a driver decide after
// each step which thread makes the next one: it is the header that SCHED_MODEL names.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace scheduler::core {

// What one thread writes slows down others that read from the same of these.
inline constexpr std::size_t kCacheLine = 64;

// A point in time that never comes. Times are nanoseconds of the monotonic clock.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kSecond = 1'000'000'000;

enum class Wakeup : std::uint8_t {
    kNotified,  // or no reason at all: whoever waits looks again
    kSignal,  // a signal handler has run
    kTimeout,
};

}  // namespace scheduler::core

#ifdef SCHED_MODEL
#include SCHED_MODEL
#else

namespace scheduler::core {

template <typename T>
using Atomic = std::atomic<T>;

// Waits while `word` is `expected`, until `deadline` at most.
Wakeup wait_on_word(const Atomic<std::uint32_t>& word, std::uint32_t expected,
                    std::int64_t deadline);
// Wakes one thread that waits on `word`. Reads no memory there: the word may be gone by now.
void wake_one(const Atomic<std::uint32_t>& word);
void wake_all(const Atomic<std::uint32_t>& word);

}  // namespace scheduler::core

#endif

namespace scheduler::core {

// How often a loop looks at a word before it sleeps. In a model a further look is an interleaving that
// only repeats.
constexpr int spins([[maybe_unused]] int times) {
#ifdef SCHED_MODEL
    return 0;
#else
    return times;
#endif
}

// Between two looks: tells the processor that it may take its time.
inline void spin_once() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// A value that one thread at a time writes and that any thread may read at any moment. What is read
// may be out of date, and says nothing about other values.
template <typename T>
class RelaxedAtomic {
  public:
    RelaxedAtomic(T value = T()) : value_(value) {}
    RelaxedAtomic(const RelaxedAtomic&) = delete;

    [[gnu::always_inline]] operator T() const { return value_.load(std::memory_order_relaxed); }
    RelaxedAtomic& operator=(T value) {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    RelaxedAtomic& operator=(const RelaxedAtomic&) = delete;
    [[gnu::always_inline]] RelaxedAtomic& operator+=(T change) {
        return *this = static_cast<T>(*this + change);
    }
    [[gnu::always_inline]] RelaxedAtomic& operator++() { return *this += 1; }
    [[gnu::always_inline]] RelaxedAtomic& operator--() { return *this += static_cast<T>(-1); }

  private:
    std::atomic<T> value_;
};

}  // namespace scheduler::core
