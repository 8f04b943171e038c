// The one kind of lock in the core, and the annotations that let clang (-Wthread-safety) prove who
// holds it. Under a lock: pointer work only. No Python, no allocation, no wait, no switch of
// stacks, and no reference count that may reach zero.
#pragma once

#include <cstdint>

#include "atomic.h"
#include "check.h"
#include "sanitizer.h"

#if defined(__clang__)
#define SCHED_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define SCHED_THREAD_ANNOTATION(x)
#endif

// A class whose objects can be held (a lock, or the role "on the owner's thread").
#define SCHED_CAPABILITY(name) SCHED_THREAD_ANNOTATION(capability(name))
// A class that holds a capability from its constructor to its destructor.
#define SCHED_SCOPED_CAPABILITY SCHED_THREAD_ANNOTATION(scoped_lockable)
// Data, or what a pointer points to, that is touched only while the capability is held.
#define SCHED_GUARDED_BY(x) SCHED_THREAD_ANNOTATION(guarded_by(x))
#define SCHED_PT_GUARDED_BY(x) SCHED_THREAD_ANNOTATION(pt_guarded_by(x))
// Functions: the caller holds it; does not hold it; it is taken; it is taken if the result is this; it is
// given back; it is known held.
#define SCHED_REQUIRES(...) SCHED_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define SCHED_EXCLUDES(...) SCHED_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define SCHED_ACQUIRE(...) SCHED_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define SCHED_TRY_ACQUIRE(...) SCHED_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define SCHED_RELEASE(...) SCHED_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define SCHED_ASSERT_CAPABILITY(x) SCHED_THREAD_ANNOTATION(assert_capability(x))
#define SCHED_NO_THREAD_SAFETY_ANALYSIS SCHED_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace scheduler::core {

#ifdef NDEBUG
// How many Locks the calling thread holds; builds with NDEBUG do not count and answer 0.
constexpr int held_locks() { return 0; }
#else
inline constinit thread_local int held_lock_count = 0;
// How many Locks the calling thread holds. Code that switches stacks checks that it is 0.
inline int held_locks() { return held_lock_count; }
#endif

// A mutex of four bytes, so that every channel can have one. Not recursive, not fair, and it cannot
// be abandoned: it stays locked if its holder's stack is dropped.
//
// The last thing unlock() may do is wake a waiter by the lock's *address*. Another thread may have
// taken the lock and freed its owner by then; the wake-up reads no memory of the lock, and a stray
// one is harmless, because every waiter looks again.
class SCHED_CAPABILITY("mutex") Lock {
  public:
    constexpr Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    // Any thread that does not hold it yet; waits for its turn.
    void lock() SCHED_ACQUIRE() {
        if (!take()) lock_contended();
        count_held(+1);
    }

    // The same, but false at once if another thread holds it.
    SCHED_ALWAYS_INLINE bool try_lock() SCHED_TRY_ACQUIRE(true) {
        if (!take()) return false;
        count_held(+1);
        return true;
    }

    // Only the thread that holds it.
    SCHED_ALWAYS_INLINE void unlock() SCHED_RELEASE() {
        count_held(-1);
        const std::uint32_t state = state_.exchange(kFree, std::memory_order_seq_cst);
        SCHED_DCHECK(state != kFree, "unlock of a lock that nobody holds");
        if (state == kContended) {
            wake_one(state_);
        }
    }

  private:
    enum State : std::uint32_t { kFree, kLocked, kContended };

    static constexpr int kSpins = spins(100);

    SCHED_ALWAYS_INLINE bool take() {
        std::uint32_t state = kFree;
        return state_.compare_exchange_strong(state, kLocked, std::memory_order_acquire,
                                              std::memory_order_relaxed);
    }

    // A waiter always leaves kContended behind: it cannot know whether it was the last one, and one
    // wake-up too many is cheaper than one too few.
    [[gnu::noinline]] void lock_contended() {
        // It is held for a few dozen instructions: sleeping and waking take longer than most waits.
        for (int i = 0; i < kSpins; ++i) {
            std::uint32_t state = state_.load(std::memory_order_relaxed);
            if (state == kFree &&
                state_.compare_exchange_weak(state, kLocked, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
                return;
            }
            spin_once();
        }
        while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
            wait_on_word(state_, kContended, kNever);
        }
    }

    static void count_held([[maybe_unused]] int change) {
#ifndef NDEBUG
        held_lock_count += change;
        SCHED_CHECK(held_lock_count >= 0, "this thread gave back more locks than it took");
#endif
    }

    Atomic<std::uint32_t> state_{kFree};
};

static_assert(sizeof(Lock) == 4);

// Holds a Lock for the length of a scope. The scope must not contain a switch of stacks.
class SCHED_SCOPED_CAPABILITY LockGuard {
  public:
    SCHED_ALWAYS_INLINE explicit LockGuard(Lock& lock) SCHED_ACQUIRE(lock) : lock_(lock) {
        lock_.lock();
    }
    SCHED_ALWAYS_INLINE ~LockGuard() SCHED_RELEASE() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;
    LockGuard& operator=(const LockGuard&) = delete;

  private:
    Lock& lock_;
};

}  // namespace scheduler::core
