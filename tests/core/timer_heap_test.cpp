// The heap of timers alone, beside an ordered set as the model.

#include "core/timers.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace {

using scheduler::core::kNever;
using scheduler::core::Timer;
using scheduler::core::TimerHeap;

TEST(TimerHeap, IsEmptyAtFirst) {
    const TimerHeap heap;
    EXPECT_TRUE(heap.empty());
    EXPECT_EQ(heap.first(), nullptr);
    EXPECT_EQ(heap.next_deadline(), kNever);
}

TEST(TimerHeap, GivesThoseOfOneDeadlineInTheOrderOfTheirSetting) {
    TimerHeap heap;
    std::vector<Timer> timers(20);
    for (Timer& timer : timers) heap.insert(timer, 7);
    for (Timer& timer : timers) {
        ASSERT_EQ(heap.first(), &timer);
        heap.remove(timer);
        EXPECT_FALSE(timer.is_set());
    }
}

TEST(TimerHeap, DoesWhatAnOrderedSetDoes) {
    constexpr int kOperations = 20'000;
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        TimerHeap heap;
        std::vector<Timer> timers(1 + random() % 200);
        std::set<std::pair<std::int64_t, Timer*>> model;
        for (int i = 0; i < kOperations; ++i) {
            Timer& timer = timers[random() % timers.size()];
            if (timer.is_set()) {
                model.erase({timer.deadline(), &timer});
                heap.remove(timer);
            } else {
                // Rarely the same, so that the order of setting does not matter.
                const auto deadline = static_cast<std::int64_t>(random()) << 20 | (i & 0xfffff);
                model.insert({deadline, &timer});
                heap.insert(timer, deadline);
            }
            ASSERT_EQ(heap.first(), model.empty() ? nullptr : model.begin()->second);
        }
        for (const auto& [deadline, timer] : model) {
            ASSERT_EQ(heap.first(), timer);
            ASSERT_EQ(heap.next_deadline(), deadline);
            heap.remove(*timer);
        }
        EXPECT_TRUE(heap.empty());
    }
}

}  // namespace
