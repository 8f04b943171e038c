// core::Lock: one thread at a time, and none forgotten.

#include "core/lock.h"

#include <gtest/gtest.h>

#include "model_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::Lock;
using scheduler::core::LockGuard;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::Program;

// Each thread adds to a number so that two at a time would lose something.
class Counting : public Program {
  public:
    Counting(int threads, int rounds) : sum_(threads * rounds) {
        for (int i = 0; i < threads; ++i) {
            add_thread([this, rounds] {
                for (int round = 0; round < rounds; ++round) {
                    const LockGuard guard(lock_);
                    count_.store(count_.load() + 1);
                }
            });
        }
    }
    void check_end() override { expect(count_.peek() == sum_, "two threads were inside"); }

  private:
    const int sum_;
    Lock lock_;
    Atomic<int> count_{0};
};

TEST(LockModel, AdmitsOneOfTwoThreads) { expect_passed(explore<Counting>({}, 2, 2), 1'000); }

TEST(LockModel, AdmitsOneOfTwoThreadsInEveryInterleaving) {
    expect_passed(explore<Counting>({.reduce = false}, 2, 1), 50);
}

TEST(LockModel, AdmitsOneOfThreeThreads) { expect_passed(explore<Counting>({}, 3, 1), 10'000); }

TEST(LockModel, AdmitsOneOfThreeThreadsThatComeBack) {
    expect_passed(explore<Counting>({.preemptions = 3}, 3, 2), 10'000);
}

TEST(LockModel, WakesUpForNoReason) {
    expect_passed(explore<Counting>({.spurious_wakeups = 1}, 2, 2), 10'000);
}

// The last one to give the lock back frees it, perhaps before unlock() has returned to the others:
// what that still does must not touch the memory.
class FreedByTheLast : public Program {
  public:
    FreedByTheLast() {
        for (int i = 0; i < 2; ++i) {
            add_thread([this] {
                bool is_last = false;
                {
                    const LockGuard guard(shared_->lock);
                    is_last = --shared_->users == 0;
                }
                if (is_last) shared_.reset();
            });
        }
    }
    void check_end() override { expect(shared_ == nullptr, "nobody was the last"); }

  private:
    struct Shared {
        Lock lock;
        int users = 2;
    };
    std::unique_ptr<Shared> shared_ = std::make_unique<Shared>();
};

TEST(LockModel, MayBeFreedByTheNextHolder) { expect_passed(explore<FreedByTheLast>({}), 10); }

}  // namespace
