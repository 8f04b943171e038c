// A thread in an event loop: whatever gives it something to do wakes the loop, once, and has done with the
// waker when the thread is back.

#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "model_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::kNever;
using scheduler::core::Parking;
using scheduler::core::ScheduleManager;
using scheduler::core::wait_on_word;
using scheduler::core::wake_one;
using scheduler::core::Waker;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::ModelTasklet;
using scheduler::core::explore::ModelThread;
using scheduler::core::explore::Program;
namespace mail = scheduler::core::mail;

class LoopWaker final : public Waker {
  public:
    ~LoopWaker() { is_there_ = 0; }
    void wake() override {
        woken_.fetch_add(1);
        wake_one(woken_);
        expect(is_there_ == 1, "a waker is used that has been taken back");
    }
    // An exploration finds a lost wake-up as a deadlock.
    void sleep() {
        while (woken_ == 0) wait_on_word(woken_, 0, kNever);
    }
    std::uint32_t times() const { return woken_; }

  private:
    Atomic<std::uint32_t> woken_{0};
    Atomic<std::uint32_t> is_there_{1};
};

// Threads that make work, and one that sleeps in its loop until it has seen all of it.
class Notifying : public Program {
  public:
    Notifying(int makers, int items_each) : items_(makers * items_each) {
        add_thread([this] {
            for (int seen = 0; seen < items_;) seen = sleep_until_more_than(seen);
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
    int sleep_until_more_than(int seen) {
        LoopWaker waker;
        parking_.leave_to(waker);
        if (made_.load() == seen) waker.sleep();
        const bool is_unwoken = parking_.come_back();
        expect(waker.times() == (is_unwoken ? 0U : 1U), "not woken once");
        return made_.load();
    }

    const int items_;
    Parking parking_;
    Atomic<int> made_{0};
};

TEST(EventLoopModel, OneNotifier) { expect_passed(explore<Notifying>({}, 1, 2), 100); }

TEST(EventLoopModel, TwoNotifiers) {
    expect_passed(explore<Notifying>({.preemptions = 4}, 2, 1), 1'000);
}

TEST(EventLoopModel, TwoNotifiersOfMuchWork) {
    expect_passed(explore<Notifying>({.preemptions = 2}, 2, 2), 1'000);
}

// What the thread does in its loop, before it sleeps.
enum class Meanwhile : std::uint8_t { kNothing, kReadsMail, kQueuesOne };

// Threads that each have a tasklet of the first one queued, which is in its loop.
class Posting : public Program {
  public:
    Posting(int posters, Meanwhile meanwhile)
        : posters_(posters),
          meanwhile_(meanwhile),
          queues_one_(meanwhile == Meanwhile::kQueuesOne) {
        for (int i = 0; i < 3; ++i) owner_.adopt(tasklets_.at(i));
        for (int i = 0; i < posters; ++i) {
            owner_.manager().add_reference();
            add_thread([this, i] {
                expect(owner_.manager().post(tasklets_.at(i), mail::kInsert), "refused");
                owner_.manager().drop_reference();
            });
        }
        add_thread([this] { host(); });
    }

  private:
    void host() {
        ScheduleManager& manager = owner_.manager();
        while (!has_all()) {
            LoopWaker waker;
            manager.set_waker(&waker);
            if (manager.go_to_event_loop()) be_in_loop(waker);
            manager.set_waker(nullptr);
            expect(waker.times() <= 1, "woken more than once");
            pump();
        }
        owner_.end();
    }
    void be_in_loop(LoopWaker& waker) {
        if (meanwhile_ == Meanwhile::kReadsMail) owner_.read_mail();
        if (std::exchange(queues_one_, false)) owner_.insert(tasklets_.at(2));
        waker.sleep();
    }
    void pump() {
        owner_.read_mail();
        for (ModelTasklet& tasklet : tasklets_) owner_.remove(tasklet);
    }
    bool has_all() const {
        for (int i = 0; i < posters_; ++i) {
            if ((tasklets_.at(i).asked & mail::kInsert) == 0) return false;
        }
        return true;
    }

    const int posters_;
    const Meanwhile meanwhile_;
    bool queues_one_;  // the first time
    ModelThread owner_;
    std::array<ModelTasklet, 3> tasklets_;
};

TEST(EventLoopModel, OnePoster) { expect_passed(explore<Posting>({}, 1, Meanwhile::kNothing), 10); }

TEST(EventLoopModel, TwoPosters) {
    expect_passed(explore<Posting>({.preemptions = 2}, 2, Meanwhile::kNothing), 1'000);
}

TEST(EventLoopModel, TheThreadReadsItsMailInTheLoop) {
    expect_passed(explore<Posting>({}, 1, Meanwhile::kReadsMail), 10);
    expect_passed(explore<Posting>({.preemptions = 2}, 2, Meanwhile::kReadsMail), 1'000);
}

TEST(EventLoopModel, TheThreadQueuesOneInTheLoop) {
    expect_passed(explore<Posting>({}, 1, Meanwhile::kQueuesOne), 10);
    expect_passed(explore<Posting>({.preemptions = 2}, 2, Meanwhile::kQueuesOne), 1'000);
}

}  // namespace
