// The explorer itself: does it go everywhere, and find what is wrong?

#include "explorer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>
#include <string>

#include "core/sanitizer.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::kNever;
using scheduler::core::wait_on_word;
using scheduler::core::wake_all;
using scheduler::core::wake_one;
using scheduler::core::Wakeup;
using scheduler::core::explore::expect;
using scheduler::core::explore::explore;
using scheduler::core::explore::Options;
using scheduler::core::explore::Program;
using scheduler::core::explore::Result;
using Word = Atomic<std::uint32_t>;

constexpr std::int64_t kSomeTime = 1;

// Two threads of three steps each: on words of their own, or on the same one.
class ThreeStepsEach : public Program {
  public:
    explicit ThreeStepsEach(bool same_word) {
        for (int i = 0; i < 2; ++i) {
            add_thread([this, i, same_word] {
                for (int step = 0; step < 3; ++step) words_[same_word ? 0 : i].store(1);
            });
        }
    }

  private:
    Word words_[2] = {0, 0};
};

TEST(Explorer, GoesThroughAllInterleavings) {
    EXPECT_EQ(explore<ThreeStepsEach>({.reduce = false}, false).executions, 20);  // 6 over 3
}

TEST(Explorer, OneOrderOfIndependentStepsIsEnough) {
    const Result apart = explore<ThreeStepsEach>({}, false);
    EXPECT_EQ(apart.executions - apart.redundant, 1);
    const Result together = explore<ThreeStepsEach>({}, true);
    EXPECT_EQ(together.executions - together.redundant, 20);
}

TEST(Explorer, LimitsPreemptions) {
    EXPECT_EQ(explore<ThreeStepsEach>({.preemptions = 0}, true).executions, 2);
    EXPECT_EQ(explore<ThreeStepsEach>({.preemptions = 1}, true).executions, 6);
    EXPECT_EQ(explore<ThreeStepsEach>({.preemptions = 5}, true).executions, 20);
}

// Each thread writes one word and reads the other's: at least one of them sees the other.
class StoreThenLoad : public Program {
  public:
    explicit StoreThenLoad(std::set<std::string>* outcomes) : outcomes_(outcomes) {
        for (int i = 0; i < 2; ++i) {
            add_thread([this, i] {
                words_[i].store(1);
                seen_[i] = words_[1 - i].load();
            });
        }
    }
    void check_end() override {
        outcomes_->insert(std::to_string(seen_[0]) + std::to_string(seen_[1]));
    }

  private:
    std::set<std::string>* outcomes_;
    Word words_[2] = {0, 0};
    std::uint32_t seen_[2] = {0, 0};
};

TEST(Explorer, FindsAllOutcomesWithAndWithoutReduction) {
    for (const bool reduce : {false, true}) {
        std::set<std::string> outcomes;
        const Result result = explore<StoreThenLoad>({.reduce = reduce}, &outcomes);
        EXPECT_EQ(result.failure, "");
        EXPECT_EQ(outcomes, (std::set<std::string>{"01", "10", "11"}));
    }
}

class LosesAnUpdate : public Program {
  public:
    LosesAnUpdate() {
        for (int i = 0; i < 3; ++i) {
            add_thread([this] { word_.store(word_.load() + 1); });
        }
    }
    void check_end() override { expect(word_.peek() == 3, "an update is lost"); }

  private:
    Word word_{0};
};

TEST(Explorer, FindsALostUpdateAndReplaysIt) {
    for (const Options& options :
         {Options{}, Options{.reduce = false}, Options{.preemptions = 1}}) {
        const Result result = explore<LosesAnUpdate>(options);
        EXPECT_NE(result.failure.find("an update is lost"), std::string::npos) << result.failure;
        EXPECT_NE(result.failure.find("thread 2 loads (word 0)"), std::string::npos);
        const Result again = explore<LosesAnUpdate>({.replay = result.choices});
        EXPECT_EQ(again.executions, 1);
        EXPECT_EQ(again.failure, result.failure);
    }
    EXPECT_EQ(explore<LosesAnUpdate>({.preemptions = 0}).failure, "");
}

// Looks, and then waits, with nothing to tell the kernel what it saw.
class LosesAWakeUp : public Program {
  public:
    LosesAWakeUp() {
        add_thread([this] {
            if (!work_.load()) wait_on_word(word_, 0, kNever);
            expect(work_.load(), "woken without a reason");
        });
        add_thread([this] {
            work_.store(true);
            wake_one(word_);
        });
    }

  private:
    Atomic<bool> work_{false};
    Word word_{0};
};

TEST(Explorer, FindsALostWakeUp) {
    const Result result = explore<LosesAWakeUp>({});
    EXPECT_NE(result.failure.find("deadlock"), std::string::npos) << result.failure;
    EXPECT_EQ(explore<LosesAWakeUp>({.preemptions = 0}).failure, "");
}

// What wait_on_word() gives to its caller.
class Waits : public Program {
  public:
    Waits(std::set<Wakeup>* seen, std::int64_t deadline) : seen_(seen) {
        add_thread([this, deadline] { seen_->insert(wait_on_word(word_, 0, deadline)); });
        add_thread([this] {
            word_.store(1);
            wake_one(word_);
        });
    }

  private:
    std::set<Wakeup>* seen_;
    Word word_{0};
};

TEST(Explorer, EndsAWaitInAllPossibleWays) {
    const auto wakeups = [](const Options& options, std::int64_t deadline) {
        std::set<Wakeup> seen;
        EXPECT_EQ(explore<Waits>(options, &seen, deadline).failure, "");
        return seen;
    };
    using Set = std::set<Wakeup>;
    EXPECT_EQ(wakeups({}, kNever), Set{Wakeup::kNotified});
    EXPECT_EQ(wakeups({}, kSomeTime), (Set{Wakeup::kNotified, Wakeup::kTimeout}));
    EXPECT_EQ(wakeups({.signals = 1}, kNever), (Set{Wakeup::kNotified, Wakeup::kSignal}));
    EXPECT_EQ(wakeups({.preemptions = 1, .signals = 1}, kSomeTime),
              (Set{Wakeup::kNotified, Wakeup::kSignal, Wakeup::kTimeout}));
}

// Two wait, and one is woken: which of them is open. The other goes on at its deadline.
class WakesOneOfTwo : public Program {
  public:
    explicit WakesOneOfTwo(std::set<std::string>* outcomes, bool all) : outcomes_(outcomes) {
        for (int i = 0; i < 2; ++i) {
            add_thread([this, i] {
                const bool woken = wait_on_word(word_, 0, kSomeTime) == Wakeup::kNotified;
                outcome_[static_cast<std::size_t>(i)] = woken ? 'w' : 't';
            });
        }
        add_thread([this, all] { all ? wake_all(word_) : wake_one(word_); });
    }
    void check_end() override { outcomes_->insert(outcome_); }

  private:
    std::set<std::string>* outcomes_;
    std::string outcome_ = "--";
    Word word_{0};
};

TEST(Explorer, WakesAnyOneOfThoseWhoWait) {
    std::set<std::string> outcomes;
    EXPECT_EQ(explore<WakesOneOfTwo>({}, &outcomes, false).failure, "");
    EXPECT_EQ(outcomes, (std::set<std::string>{"tt", "tw", "wt"}));
    outcomes.clear();
    EXPECT_EQ(explore<WakesOneOfTwo>({}, &outcomes, true).failure, "");
    EXPECT_EQ(outcomes, (std::set<std::string>{"tt", "tw", "wt", "ww"}));
}

// A failure where no step has been taken yet, or none is left.
class FailsBetweenSteps : public Program {
  public:
    explicit FailsBetweenSteps(int thread) {
        for (int i = 0; i < 2; ++i) {
            add_thread([this, i, thread] {
                if (i != thread) word_.store(1);
                expect(i != thread, "fails at once");
            });
        }
    }
    void check_end() override { expect(false, "fails at the end"); }

  private:
    Word word_{0};
};

TEST(Explorer, EndsAtTheFirstFailure) {
    EXPECT_EQ(explore<FailsBetweenSteps>({}, 0).failure.find("fails at once"), 0U);
    EXPECT_EQ(explore<FailsBetweenSteps>({}, 1).failure.find("fails at once"), 0U);
    EXPECT_EQ(explore<FailsBetweenSteps>({}, 2).failure.find("fails at the end"), 0U);
}

class Spins : public Program {
  public:
    Spins() {
        add_thread([this] {
            while (word_.load() == 0) {
            }
        });
    }

  private:
    Word word_{0};
};

TEST(Explorer, EndsAnExecutionWithoutAnEnd) {
    EXPECT_NE(explore<Spins>({}).failure.find("does not end"), std::string::npos);
}

#ifdef SCHED_TSAN
// A message by way of an atomic, with too weak an order: no interleaving shows it.
class Publishes : public Program {
  public:
    explicit Publishes(std::memory_order order) {
        add_thread([this, order] {
            message_ = 1;
            ready_.store(true, order);
        });
        add_thread([this] {
            if (ready_.load(std::memory_order_acquire)) expect(message_ == 1, "no message");
        });
    }

  private:
    int message_ = 0;
    Atomic<bool> ready_{false};
};

TEST(ExplorerDeathTest, ThreadSanitizerSeesWhatTheOrdersDoNotPromise) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EQ(explore<Publishes>({}, std::memory_order_release).failure, "");
    constexpr int kExitCode = 66;  // of a process in which something was reported
    EXPECT_EXIT(
        {
            std::cerr << explore<Publishes>({}, std::memory_order_relaxed).failure;
            std::exit(0);
        },
        testing::ExitedWithCode(kExitCode), "data race(.|\n)*ThreadSanitizer has reported");
}
#endif

}  // namespace
