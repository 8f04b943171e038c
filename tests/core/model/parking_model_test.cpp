// core::Parking: whoever makes work visible and then notifies is never overlooked.

#include "core/parking.h"

#include <gtest/gtest.h>

#include <utility>

#include "model_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::kNever;
using scheduler::core::Parking;
using scheduler::core::Wakeup;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::Program;

constexpr std::int64_t kSomeTime = 1;

// Threads that make work, and one that waits until it has seen all of it. An exploration finds a lost
// wake-up as a deadlock.
class Waiting : public Program {
  public:
    // The first wait lasts until `deadline`, those after it until there is work.
    Waiting(int makers, int items_each, std::int64_t deadline)
        : items_(makers * items_each), deadline_(deadline) {
        add_thread([this] {
            for (int seen = 0; seen < items_;) seen = wait_for_more_than(seen);
        });
        for (int i = 0; i < makers; ++i) {
            add_thread([this, items_each] {
                for (int item = 0; item < items_each; ++item) {
                    made_.fetch_add(1);
                    parking_.notify();
                }
            });
        }
    }

  private:
    int wait_for_more_than(int seen) {
        parking_.announce();
        const int made = made_.load();
        if (made != seen) {
            parking_.cancel();
            return made;
        }
        const std::int64_t deadline = std::exchange(deadline_, kNever);
        const Wakeup wakeup = parking_.wait(deadline);
        expect(wakeup != Wakeup::kTimeout || deadline != kNever, "a time-out without a deadline");
        return made_.load();
    }

    const int items_;
    std::int64_t deadline_;
    Parking parking_;
    Atomic<int> made_{0};
};

TEST(ParkingModel, OneNotifier) { expect_passed(explore<Waiting>({}, 1, 3, kNever), 10'000); }

TEST(ParkingModel, OneNotifierInEveryInterleaving) {
    expect_passed(explore<Waiting>({.reduce = false}, 1, 2, kNever), 5'000);
}

TEST(ParkingModel, TwoNotifiers) { expect_passed(explore<Waiting>({}, 2, 1, kNever), 1'000); }

TEST(ParkingModel, TwoNotifiersOfMuchWork) {
    expect_passed(explore<Waiting>({.preemptions = 3}, 2, 2, kNever), 10'000);
}

TEST(ParkingModel, TimesOutAsItIsNotified) {
    expect_passed(explore<Waiting>({}, 1, 2, kSomeTime), 1'000);
}

TEST(ParkingModel, TimesOutAsItIsNotifiedTwice) {
    expect_passed(explore<Waiting>({}, 2, 1, kSomeTime), 10'000);
}

TEST(ParkingModel, IsWokenBySignalsAndForNoReason) {
    expect_passed(explore<Waiting>({.spurious_wakeups = 1, .signals = 1}, 1, 2, kSomeTime),
                  100'000);
}

class Unnoticed : public Program {
  public:
    Unnoticed() {
        add_thread([this] {
            parking_.announce();
            expect(parking_.wait(kSomeTime) == Wakeup::kTimeout, "notified by nobody");
        });
    }

  private:
    Parking parking_;
};

TEST(ParkingModel, GoesOnWaitingWhenItWakesUpForNoReason) {
    expect_passed(explore<Unnoticed>({.spurious_wakeups = 2}), 3);
}

}  // namespace
