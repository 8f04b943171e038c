// core::Parking: whoever makes work visible and then notifies is never overlooked.

#include "core/parking.h"

#include <gtest/gtest.h>

#include <utility>

#include "model_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::kNever;
using scheduler::core::Parking;
using scheduler::core::SleepingPlace;
using scheduler::core::wait_on_word;
using scheduler::core::wake_one;
using scheduler::core::Wakeup;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::Program;

constexpr std::int64_t kSomeTime = 1;

// Somewhere to sleep that notices when it is left too early.
class Place final : public SleepingPlace {
  public:
    ~Place() { is_there_ = 0; }
    Wakeup sleep(std::int64_t deadline) override { return wait_on_word(woken_, 0, deadline); }
    void wake() override {
        woken_ = 1;
        wake_one(woken_);
        expect(is_there_ == 1, "woken in a place that it has left");
    }

  private:
    Atomic<std::uint32_t> woken_{0};
    Atomic<std::uint32_t> is_there_{1};
};

enum class Where : std::uint8_t { kOnFutex, kInPlace, kInBoth };

// Threads that make work, and one that waits until it has seen all of it. An exploration finds a lost
// wake-up as a deadlock.
class Waiting : public Program {
  public:
    // The first wait lasts until `deadline`, those after it until there is work.
    Waiting(int makers, int items_each, std::int64_t deadline, Where where = Where::kOnFutex)
        : items_(makers * items_each), deadline_(deadline), where_(where) {
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
        const Wakeup wakeup = wait(deadline);
        expect(wakeup != Wakeup::kTimeout || deadline != kNever, "a time-out without a deadline");
        return made_.load();
    }
    Wakeup wait(std::int64_t deadline) {
        const bool in_place =
            where_ == Where::kInPlace || (where_ == Where::kInBoth && turn_++ % 2 == 0);
        if (!in_place) return parking_.wait(deadline);
        Place place;
        return parking_.wait_in(place, deadline);
    }

    const int items_;
    std::int64_t deadline_;
    const Where where_;
    int turn_ = 0;
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
    expect_passed(
        explore<Waiting>({.preemptions = 5, .spurious_wakeups = 1, .signals = 1}, 1, 2, kSomeTime),
        100'000);
}

TEST(ParkingModel, IsWokenBySignalsInEveryOrder) {
    expect_passed(explore<Waiting>({.signals = 1}, 1, 2, kSomeTime), 10'000);
}

TEST(ParkingModel, IsWokenForNoReasonInEveryOrder) {
    expect_passed(explore<Waiting>({.spurious_wakeups = 1}, 1, 2, kSomeTime), 10'000);
}

TEST(ParkingModel, ElsewhereOneNotifier) {
    expect_passed(explore<Waiting>({}, 1, 2, kNever, Where::kInPlace), 1'000);
}

TEST(ParkingModel, ElsewhereTwoNotifiers) {
    expect_passed(explore<Waiting>({}, 2, 1, kNever, Where::kInPlace), 1'000);
}

TEST(ParkingModel, ElsewhereTimesOutAsItIsNotifiedTwice) {
    expect_passed(explore<Waiting>({.preemptions = 3}, 2, 1, kSomeTime, Where::kInPlace), 1'000);
}

TEST(ParkingModel, ElsewhereIsWokenBySignals) {
    expect_passed(explore<Waiting>({.preemptions = 3, .spurious_wakeups = 1, .signals = 1}, 1, 2,
                                   kSomeTime, Where::kInBoth),
                  1'000);
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
