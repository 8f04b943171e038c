// A thread that is in an event loop of the program's, and what wakes that; single turns.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "test_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::Channel;
using scheduler::core::kNever;
using scheduler::core::Parking;
using scheduler::core::RunLimit;
using scheduler::core::ScheduleManager;
using scheduler::core::Wait;
using scheduler::core::Waker;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::ThreadTest;
namespace mail = scheduler::core::mail;

class CountingWaker final : public Waker {
  public:
    void wake() override { ++*woken_; }
    int take() { return woken_->exchange(0); }

  private:
    // On the heap, so that AddressSanitizer notices who comes too late.
    std::unique_ptr<Atomic<int>> woken_ = std::make_unique<Atomic<int>>(0);
};

TEST(ParkingInEventLoop, IsWokenOnceUntilItComesBack) {
    Parking parking;
    CountingWaker waker;
    parking.notify();
    parking.leave_to(waker);
    EXPECT_EQ(waker.take(), 0);
    parking.notify();
    parking.notify();
    EXPECT_EQ(waker.take(), 1);
    EXPECT_FALSE(parking.come_back());
    parking.leave_to(waker);
    EXPECT_TRUE(parking.come_back());
    EXPECT_FALSE(parking.come_back());
    parking.notify();
    EXPECT_EQ(waker.take(), 0);
}

TEST(ParkingInEventLoop, NoWakeUpIsLostAndNobodyComesTooLate) {
    constexpr std::uint32_t kItems = 20'000;
    Parking parking;
    Atomic<std::uint32_t> made{0};
    std::thread maker([&] {
        for (std::uint32_t i = 0; i < kItems; ++i) {
            made.fetch_add(1, std::memory_order_seq_cst);
            parking.notify();
        }
    });
    for (std::uint32_t seen = 0; seen < kItems;) {
        CountingWaker waker;
        parking.leave_to(waker);
        const std::uint32_t now = made.load(std::memory_order_seq_cst);
        int woken = 0;
        while (now == seen && woken == 0) woken = waker.take();
        const bool is_unwoken = parking.come_back();
        EXPECT_EQ(woken + waker.take(), is_unwoken ? 0 : 1);
        seen = made.load();
    }
    maker.join();
}

class EventLoop : public ThreadTest {
  protected:
    EventLoop() { manager().set_waker(&waker_); }
    ~EventLoop() override { manager().set_waker(nullptr); }
    ScheduleManager& manager() { return thread_.manager(); }
    int go_and_take() {
        EXPECT_TRUE(manager().go_to_event_loop());
        return waker_.take();
    }

    CountingWaker waker_;
};

TEST_F(EventLoop, IsNotGoneToWhereSomethingIsToBeDone) {
    TestTasklet& queued = thread_.make("queued");
    EXPECT_FALSE(manager().go_to_event_loop());
    thread_.make("another");
    EXPECT_EQ(waker_.take(), 0);  // whoever asked knows
    manager().go_to_event_loop_or_wake();
    EXPECT_EQ(waker_.take(), 1);
    EXPECT_FALSE(manager().return_from_event_loop());
    thread_.run();
    EXPECT_FALSE(queued.alive());
    EXPECT_EQ(go_and_take(), 0);
    EXPECT_TRUE(manager().return_from_event_loop());
}

TEST_F(EventLoop, IsWokenByWhatItsOwnCodeQueues) {
    EXPECT_EQ(go_and_take(), 0);
    TestTasklet& first = thread_.make("first");
    EXPECT_EQ(waker_.take(), 1);
    thread_.make("second");
    thread_.remove(first);
    thread_.insert(first);
    EXPECT_EQ(waker_.take(), 0);
    EXPECT_FALSE(manager().return_from_event_loop());
    thread_.run();
    thread_.make("third");
    EXPECT_EQ(waker_.take(), 0);
    thread_.run();
}

TEST_F(EventLoop, IsWokenByMail) {
    TestTasklet& paused = thread_.make_paused("paused", [] {});
    EXPECT_EQ(go_and_take(), 0);
    std::thread([&] { EXPECT_TRUE(manager().post(paused, mail::kInsert)); }).join();
    EXPECT_EQ(waker_.take(), 1);
    thread_.read_mail();  // which a look at the queue does as well
    EXPECT_EQ(waker_.take(), 0);
    EXPECT_FALSE(manager().go_to_event_loop());
    thread_.run();
}

TEST_F(EventLoop, IsToldAtTheEndOfARunWhetherSomethingIsLeft) {
    TestTasklet& tasklet = thread_.make_paused("tasklet", [this] {
        thread_.schedule_remove();
        thread_.schedule();
    });
    EXPECT_EQ(go_and_take(), 0);
    thread_.resume(tasklet);
    EXPECT_EQ(waker_.take(), 0);
    thread_.resume(tasklet);
    EXPECT_EQ(waker_.take(), 1);
    thread_.resume(tasklet);
    EXPECT_EQ(waker_.take(), 0);
    EXPECT_FALSE(tasklet.alive());
    EXPECT_EQ(go_and_take(), 0);
}

TEST_F(EventLoop, IsWokenByATimerThatIsDueBeforeWhatItWasTold) {
    static Channel channel;  // the end of the thread looks at it
    TestTasklet& waiting =
        thread_.make("waiting", [&] { static_cast<void>(thread_.receive(channel)); });
    thread_.run();
    const std::int64_t later = ScheduleManager::now() + 1000 * scheduler::core::kSecond;
    Wait wait(waiting);
    EXPECT_EQ(manager().tell_next_deadline(), kNever);
    const auto set = [&](std::int64_t deadline) {
        manager().end_wait(wait);
        manager().begin_wait(wait, deadline);
        return waker_.take();
    };
    EXPECT_EQ(go_and_take(), 0);
    EXPECT_EQ(set(later), 1);
    EXPECT_EQ(set(later - 1), 0);
    EXPECT_FALSE(manager().return_from_event_loop());
    EXPECT_EQ(manager().tell_next_deadline(), later - 1);
    EXPECT_EQ(go_and_take(), 0);
    EXPECT_EQ(set(later), 0);
    EXPECT_EQ(set(later - 2), 1);
    EXPECT_FALSE(manager().return_from_event_loop());
    EXPECT_EQ(set(ScheduleManager::now() - 1), 0);
    EXPECT_FALSE(manager().go_to_event_loop());
    manager().fire_timers();
    thread_.remove(waiting);
}

TEST_F(EventLoop, IsNotWokenByItsOldWaker) {
    EXPECT_EQ(go_and_take(), 0);
    CountingWaker other;
    manager().set_waker(&other);
    thread_.make("tasklet");
    EXPECT_EQ(other.take() + waker_.take(), 0);
    manager().go_to_event_loop_or_wake();
    EXPECT_EQ(other.take(), 1);
    manager().set_waker(nullptr);
    thread_.make("another");
    EXPECT_EQ(other.take() + waker_.take(), 0);
    thread_.run();
}

class OneTurn : public ThreadTest {};

TEST_F(OneTurn, IsGivenToOneWhateverStandsAroundIt) {
    std::string log;
    const auto yielding = [&] {
        log += thread_.current().name;
        thread_.schedule();
    };
    for (const char* name : {"a", "b", "c"}) thread_.make(name, yielding);
    TestTasklet& target = thread_.make("d", yielding);
    thread_.make("e", yielding);
    thread_.resume(target);
    EXPECT_EQ(log, "d");
    EXPECT_EQ(thread_.manager().previous_in_queue(target)->times_switched_to, 0u);
    thread_.resume(target);
    EXPECT_FALSE(target.alive());
    thread_.run();
    EXPECT_EQ(log, "dabce");
}

TEST(RunLimit, EndsByTurnsOrByTimeWhicheverComesFirst) {
    RunLimit limit;
    limit.set_time(std::chrono::hours(1), 2);
    EXPECT_FALSE(limit.has_run_out());
    limit.charge_turn();
    EXPECT_FALSE(limit.has_run_out());
    limit.charge_turn();
    EXPECT_TRUE(limit.has_run_out());
    limit.set_time(std::chrono::nanoseconds(0), 2);
    EXPECT_FALSE(limit.has_run_out());  // one turn at least
    limit.charge_turn();
    EXPECT_TRUE(limit.has_run_out());
    limit.set_time(std::chrono::hours(1));
    limit.charge_turn();
    EXPECT_FALSE(limit.has_run_out());
}

}  // namespace
