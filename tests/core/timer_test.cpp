// Timers: until when a tasklet stays in the wait queue of a channel.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::kNever;
using scheduler::core::RendezvousResult;
using scheduler::core::ScheduleManager;
using scheduler::core::TaskletState;
using scheduler::core::Wait;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::ThreadTest;

class Timer : public ThreadTest {
  protected:
    ScheduleManager& manager() { return thread_.manager(); }
    // A tasklet in the wait queue of `channel_` that a timer takes out at `deadline`.
    TestTasklet& make_waiting(const char* name, std::int64_t deadline) {
        TestTasklet& tasklet = thread_.make(name, [this] {
            thread_.receive(channel_);
            log_ += thread_.current().name + " received ";
        });
        thread_.run();
        begin_wait(tasklet, deadline);
        return tasklet;
    }
    Wait& begin_wait(TestTasklet& tasklet, std::int64_t deadline) {
        waits_.push_back(std::make_unique<Wait>(tasklet));
        manager().begin_wait(*waits_.back(), deadline);
        return *waits_.back();
    }

    Channel channel_;
    std::string log_;
    std::vector<std::unique_ptr<Wait>> waits_;
};

TEST_F(Timer, TakesItsTaskletOutOfTheLineAndQueuesIt) {
    TestTasklet& waiting = make_waiting("waiting", ScheduleManager::now() - 1);
    EXPECT_EQ(channel_.balance(), -1);
    manager().fire_timers();
    EXPECT_EQ(channel_.balance(), 0);
    EXPECT_EQ(waiting.get_state(), TaskletState::kReady);
    EXPECT_TRUE(waiting.queued());
    EXPECT_TRUE(waiting.wait->timed_out);
    EXPECT_FALSE(manager().has_timers());
    thread_.remove(waiting);
}

TEST_F(Timer, HasNoneForATimeThatNeverComes) {
    TestTasklet& waiting = make_waiting("waiting", kNever);
    EXPECT_FALSE(manager().has_timers());
    manager().fire_timers();
    EXPECT_TRUE(waiting.blocked());
}

TEST_F(Timer, FiresAsSoonAsItIsDue) {
    constexpr std::int64_t kMillisecond = 1'000'000;
    const std::int64_t deadline = ScheduleManager::now() + 60 * kMillisecond;
    TestTasklet& waiting = make_waiting("waiting", deadline);
    std::int64_t before = 0;
    while (waiting.blocked()) {
        before = ScheduleManager::now();
        manager().fire_timers();
    }
    EXPECT_GE(ScheduleManager::now(), deadline);
    // Only a machine that stalls in between may be later than one look.
    EXPECT_LT(before, deadline + 1000 * kMillisecond);
    thread_.remove(waiting);
}

TEST_F(Timer, WaitsForItsTime) {
    constexpr std::int64_t kHour = 3600 * std::int64_t{1'000'000'000};
    TestTasklet& waiting = make_waiting("waiting", ScheduleManager::now() + kHour);
    manager().fire_timers();
    EXPECT_TRUE(waiting.blocked());
    EXPECT_EQ(manager().next_deadline(), waiting.wait->deadline());
    manager().end_wait(*waits_[0]);
    EXPECT_EQ(manager().next_deadline(), kNever);
    EXPECT_EQ(waiting.wait, nullptr);
}

TEST_F(Timer, FireInTheOrderOfTheirDeadlines) {
    const std::int64_t now = ScheduleManager::now();
    TestTasklet& late = make_waiting("late", now - 1);
    TestTasklet& early = make_waiting("early", now - 2);
    manager().fire_timers();
    EXPECT_EQ(manager().first_runnable(), &early);
    EXPECT_EQ(manager().next_in_queue(early), &late);
    thread_.remove(early);
    thread_.remove(late);
}

TEST_F(Timer, DoesNothingToOneThatHasBeenServed) {
    TestTasklet& waiting = make_waiting("waiting", ScheduleManager::now() - 1);
    thread_.make("sender", [this] { thread_.send(channel_, 1); });
    thread_.run();
    EXPECT_EQ(log_, "waiting received ");
    manager().fire_timers();
    EXPECT_FALSE(waiting.wait->timed_out);
    EXPECT_FALSE(waiting.alive());
}

TEST_F(Timer, WakesMain) {
    TestTasklet& main = thread_.main();
    ASSERT_EQ(channel_.rendezvous(Direction::kReceive, main, true).result,
              RendezvousResult::kEnqueued);
    begin_wait(main, ScheduleManager::now() - 1);
    manager().fire_timers();
    EXPECT_TRUE(main.wait->timed_out);
    EXPECT_EQ(main.get_state(), TaskletState::kRunning);
    EXPECT_EQ(channel_.balance(), 0);
}

}  // namespace
