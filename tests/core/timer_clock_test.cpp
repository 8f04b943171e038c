// The clock that timers go by: stopped, moved on, started again.

#include "core/timer_clock.h"

#include <gtest/gtest.h>

namespace {

using scheduler::core::kNever;
using scheduler::core::kSecond;
using scheduler::core::TimerClock;

constexpr std::int64_t kHour = 3600 * kSecond;

TEST(TimerClock, ShowsTheMonotonicClock) {
    const TimerClock clock;
    const std::int64_t before = TimerClock::real_time();
    const std::int64_t time = clock.time();
    EXPECT_GE(time, before);
    EXPECT_LE(time, TimerClock::real_time());
    EXPECT_EQ(clock.real_time_of(time), time);
    EXPECT_EQ(clock.real_time_of(kNever), kNever);
    EXPECT_EQ(clock.deadline_after(kNever), kNever);
    EXPECT_EQ(clock.deadline_after(kNever - 1), kNever);
}

TEST(TimerClock, IsLessExactForLongWaits) {
    TimerClock clock;
    const std::int64_t before = TimerClock::real_time();
    EXPECT_GE(clock.time_to_wait(kSecond - 1), before);
    const std::int64_t coarse = clock.time_to_wait(kSecond);
    EXPECT_GT(coarse, before - kSecond);
    EXPECT_LT(coarse, TimerClock::real_time() + kSecond);
    clock.stop();
    EXPECT_EQ(clock.time_to_wait(kSecond), clock.time());
}

TEST(TimerClock, StandsStillUntilItIsMovedOn) {
    TimerClock clock;
    clock.stop();
    EXPECT_TRUE(clock.is_stopped());
    const std::int64_t time = clock.time();
    clock.move_to(time + kHour);
    EXPECT_EQ(clock.time(), time + kHour);
    clock.move_to(time);
    EXPECT_EQ(clock.time(), time + kHour);
    EXPECT_EQ(clock.deadline_after(kSecond), time + kHour + kSecond);
    clock.stop();
    EXPECT_EQ(clock.time(), time + kHour);
}

TEST(TimerClock, GoesOnFromThereSoThatDeadlinesStayWhatTheyAre) {
    TimerClock clock;
    clock.stop();
    clock.move_to(clock.time() + kHour);
    const std::int64_t deadline = clock.deadline_after(kSecond);
    clock.start(false);
    EXPECT_FALSE(clock.is_stopped());
    EXPECT_GE(clock.time(), deadline - kSecond);
    const std::int64_t left = clock.real_time_of(deadline) - TimerClock::real_time();
    EXPECT_LE(left, kSecond);
    EXPECT_GT(left, -kHour);
}

TEST(TimerClock, BeginsAnewWhenNobodyHasADeadline) {
    TimerClock clock;
    clock.stop();
    clock.move_to(clock.time() + kHour);
    clock.start(true);
    const std::int64_t time = clock.time();
    EXPECT_LE(time, TimerClock::real_time());
}

}  // namespace
