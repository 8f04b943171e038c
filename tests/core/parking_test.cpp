#include "core/parking.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <latch>
#include <memory>
#include <thread>

#include "core/manager.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::kNever;
using scheduler::core::Parking;
using scheduler::core::ScheduleManager;
using scheduler::core::SleepingPlace;
using scheduler::core::Wakeup;

constexpr std::int64_t kMillisecond = 1'000'000;

class PlaceOnAWord final : public SleepingPlace {
  public:
    Wakeup sleep(std::int64_t deadline) override {
        return scheduler::core::wait_on_word(*woken_, 0, deadline);
    }
    void wake() override {
        *woken_ = 1;
        scheduler::core::wake_one(*woken_);
    }

  private:
    // On the heap, so that AddressSanitizer notices who comes too late.
    std::unique_ptr<Atomic<std::uint32_t>> woken_ = std::make_unique<Atomic<std::uint32_t>>(0);
};

TEST(Parking, EndsAtTheDeadline) {
    Parking parking;
    parking.announce();
    const std::int64_t deadline = ScheduleManager::now() + 5 * kMillisecond;
    EXPECT_EQ(parking.wait(deadline), Wakeup::kTimeout);
    EXPECT_GE(ScheduleManager::now(), deadline);
}

TEST(Parking, PastDeadlineDoesNotWait) {
    Parking parking;
    parking.announce();
    EXPECT_EQ(parking.wait(0), Wakeup::kTimeout);
}

TEST(Parking, NotifyAfterTheAnnouncementIsNotLost) {
    Parking parking;
    parking.announce();
    parking.notify();
    EXPECT_EQ(parking.wait(kNever), Wakeup::kNotified);
}

TEST(Parking, NotifyOfOneThatIsAwakeIsForgotten) {
    Parking parking;
    parking.notify();
    parking.announce();
    EXPECT_EQ(parking.wait(0), Wakeup::kTimeout);
}

TEST(Parking, CancelledAnnouncementNeedsNoNotify) {
    Parking parking;
    parking.announce();
    parking.cancel();
    EXPECT_EQ(parking.wait(kNever), Wakeup::kNotified);
}

// What a schedule manager does: look, announce, look again, wait. The counter is the work.
template <typename Wait>
void expect_no_lost_wake_up(Wait wait) {
    constexpr std::uint32_t kItems = 20'000;
    Parking parking;
    Atomic<std::uint32_t> made{0};
    std::thread maker([&] {
        for (std::uint32_t i = 0; i < kItems; ++i) {
            made.fetch_add(1, std::memory_order_seq_cst);
            parking.notify();
        }
    });
    std::uint32_t seen = 0;
    while (seen < kItems) {
        parking.announce();
        const std::uint32_t now = made.load(std::memory_order_seq_cst);
        if (now == seen) {
            ASSERT_EQ(wait(parking), Wakeup::kNotified);
        } else {
            parking.cancel();
            seen = now;
        }
    }
    maker.join();
}

TEST(Parking, NoWakeUpIsLost) {
    expect_no_lost_wake_up([](Parking& parking) { return parking.wait(kNever); });
}

TEST(Parking, NoWakeUpIsLostElsewhere) {
    expect_no_lost_wake_up([](Parking& parking) {
        PlaceOnAWord place;
        return parking.wait_in(place, kNever);
    });
}

TEST(Parking, EndsAtTheDeadlineElsewhere) {
    Parking parking;
    PlaceOnAWord place;
    parking.announce();
    EXPECT_EQ(parking.wait_in(place, 0), Wakeup::kTimeout);
}

TEST(Parking, SignalHandlerEndsTheWait) {
    static Atomic<int> handled{0};
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { ++handled; };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);

    Atomic<bool> ended{false};
    std::latch started(1);
    Wakeup wakeup = Wakeup::kTimeout;
    std::thread waiter([&] {
        Parking parking;
        parking.announce();
        started.count_down();
        wakeup = parking.wait(kNever);
        ended = true;
    });
    started.wait();
    // One that comes before the thread waits does not end the wait.
    while (!ended) {
        pthread_kill(waiter.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    waiter.join();
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(wakeup, Wakeup::kSignal);
    EXPECT_GE(handled, 1);
}

}  // namespace
