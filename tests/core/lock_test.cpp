#include "core/lock.h"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using scheduler::core::held_locks;
using scheduler::core::Lock;
using scheduler::core::LockGuard;

#ifdef NDEBUG
constexpr int kOneHeld = 0;  // not counted
constexpr int kTwoHeld = 0;
#else
constexpr int kOneHeld = 1;
constexpr int kTwoHeld = 2;
#endif

TEST(Lock, AdmitsOneThreadAtATime) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 50'000;
    Lock lock;
    long count = 0;  // a plain variable: lost updates, and TSan, tell of two threads inside
    std::latch start(kThreads);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            start.arrive_and_wait();
            for (int round = 0; round < kRounds; ++round) {
                const LockGuard guard(lock);
                ++count;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(count, long{kThreads} * kRounds);
}

TEST(Lock, WaiterGoesOnAfterUnlock) {
    for (int round = 0; round < 200; ++round) {
        Lock lock;
        bool was_unlocked = false;
        bool seen_by_waiter = false;
        std::latch about_to_wait(1);
        lock.lock();
        std::thread waiter([&] {
            about_to_wait.count_down();
            const LockGuard guard(lock);
            seen_by_waiter = was_unlocked;
        });
        about_to_wait.wait();
        was_unlocked = true;
        lock.unlock();
        waiter.join();
        EXPECT_TRUE(seen_by_waiter);
    }
}

TEST(Lock, EveryWaiterGetsItsTurn) {
    constexpr int kWaiters = 8;
    Lock lock;
    int turns = 0;
    std::latch about_to_wait(kWaiters);
    lock.lock();
    std::vector<std::thread> waiters;
    waiters.reserve(kWaiters);
    for (int i = 0; i < kWaiters; ++i) {
        waiters.emplace_back([&] {
            about_to_wait.count_down();
            const LockGuard guard(lock);
            ++turns;
        });
    }
    about_to_wait.wait();
    lock.unlock();
    for (auto& waiter : waiters) {
        waiter.join();
    }
    EXPECT_EQ(turns, kWaiters);
}

// The last user of an object may free it as soon as it holds the object's lock, while the thread
// that unlocked is still waking it.
TEST(Lock, MayBeFreedByWhoeverTookItNext) {
    for (int round = 0; round < 500; ++round) {
        auto lock = std::make_unique<Lock>();
        Lock& shared = *lock;
        std::latch about_to_wait(1);
        shared.lock();
        std::thread next([&] {
            about_to_wait.count_down();
            shared.lock();
            shared.unlock();
            lock.reset();
        });
        about_to_wait.wait();
        shared.unlock();
        next.join();
        EXPECT_EQ(lock, nullptr);
    }
}

TEST(Lock, GuardUnlocksWhenTheScopeIsLeftByAnException) {
    Lock lock;
    try {
        const LockGuard guard(lock);
        EXPECT_EQ(held_locks(), kOneHeld);
        throw std::runtime_error("out");
    } catch (const std::runtime_error&) {
        EXPECT_EQ(held_locks(), 0);
    }
    const LockGuard again(lock);  // would wait for ever
}

TEST(Lock, HeldLocksAreCountedForEachThread) {
    Lock first;
    Lock second;
    EXPECT_EQ(held_locks(), 0);
    {
        const LockGuard outer(first);
        EXPECT_EQ(held_locks(), kOneHeld);
        {
            const LockGuard inner(second);
            EXPECT_EQ(held_locks(), kTwoHeld);
        }
        EXPECT_EQ(held_locks(), kOneHeld);
        int elsewhere = -1;
        std::thread([&] { elsewhere = held_locks(); }).join();
        EXPECT_EQ(elsewhere, 0);
    }
    EXPECT_EQ(held_locks(), 0);
}

#ifndef NDEBUG
// What clang would refuse to compile.
void unlock_unheld(Lock& lock) SCHED_NO_THREAD_SAFETY_ANALYSIS { lock.unlock(); }

TEST(LockDeathTest, UnlockByAThreadThatHoldsNothing) {
    Lock lock;
    EXPECT_DEATH(unlock_unheld(lock), "gave back more locks than it took");
}

TEST(LockDeathTest, UnlockOfALockThatIsFree) {
    Lock held;
    Lock free;
    const LockGuard guard(held);
    EXPECT_DEATH(unlock_unheld(free), "unlock of a lock that nobody holds");
}
#endif

}  // namespace
