// What core/atomic.h includes in the place of std::atomic and futexes when interleavings are explored:
// an atomic that asks the explorer, before each of its operations, whose turn it is.
//
// The operations are real ones, with the memory order that the core asks for, and not one step more:
// so that ThreadSanitizer sees what the core relies on, and what it does not.
#pragma once

#include <atomic>
#include <cstdint>

namespace scheduler::core {

namespace explore {

// What the next step of a model thread does to a word that threads share.
enum class Action : std::uint8_t {
    kNothing,
    kLoad,
    kStore,
    kExchange,
    kCompareExchange,
    kFetch,
    kWait,
    kWake,
};

// The calling model thread is about to do `action`: others may have their turns first. Does nothing
// outside of an exploration, as where a program is made and checked.
void before(Action action, const void* word);

}  // namespace explore

template <typename T>
class Atomic {
  public:
    constexpr Atomic() = default;
    constexpr Atomic(T value) : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(std::memory_order order = std::memory_order_seq_cst) const {
        before(explore::Action::kLoad);
        return value_.load(order);
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kStore);
        value_.store(value, order);
    }
    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kExchange);
        return value_.exchange(value, order);
    }
    bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                                 std::memory_order failure) {
        before(explore::Action::kCompareExchange);
        return value_.compare_exchange_strong(expected, value, success, failure);
    }
    bool compare_exchange_strong(T& expected, T value,
                                 std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kCompareExchange);
        return value_.compare_exchange_strong(expected, value, order);
    }
    // Never fails without a reason: it would only be tried again.
    bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                               std::memory_order failure) {
        return compare_exchange_strong(expected, value, success, failure);
    }
    bool compare_exchange_weak(T& expected, T value,
                               std::memory_order order = std::memory_order_seq_cst) {
        return compare_exchange_strong(expected, value, order);
    }
    T fetch_add(T change, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kFetch);
        return value_.fetch_add(change, order);
    }
    T fetch_sub(T change, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kFetch);
        return value_.fetch_sub(change, order);
    }
    T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kFetch);
        return value_.fetch_or(bits, order);
    }
    T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst) {
        before(explore::Action::kFetch);
        return value_.fetch_and(bits, order);
    }

    operator T() const { return load(); }
    T operator=(T value) {
        store(value);
        return value;
    }

    // For the explorer and for checks: no step.
    T peek() const { return value_.load(std::memory_order_relaxed); }

  private:
    void before(explore::Action action) const { explore::before(action, this); }

    std::atomic<T> value_;
};

// A thread that waits is woken by one of those below, or, as further branches of the exploration, at
// any time after `deadline`, if that is not kNever, and as explore::Options say.
Wakeup wait_on_word(const Atomic<std::uint32_t>& word, std::uint32_t expected,
                    std::int64_t deadline);
// Any one of those who wait: each is a branch.
void wake_one(const Atomic<std::uint32_t>& word);
void wake_all(const Atomic<std::uint32_t>& word);

}  // namespace scheduler::core
