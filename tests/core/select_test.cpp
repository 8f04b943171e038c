// Waiting for the first of several channels, on one thread and in every order of the cases. What other
// threads may do meanwhile is in model/select_model_test.cpp.

#include "core/select.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::kNever;
using scheduler::core::RendezvousResult;
using scheduler::core::ScheduleManager;
using scheduler::core::SelectCase;
using scheduler::core::Selection;
using scheduler::core::TaskletState;
using scheduler::core::Wait;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::ThreadTest;

class Select : public ThreadTest {
  protected:
    // One case a letter: "a" receives from a, "A" sends 7 to it.
    void add_cases(const std::string& letters) {
        for (const char letter : letters) {
            const bool sends = letter < 'a';
            Channel& channel = channels_[(sends ? letter - 'A' : letter - 'a')];
            cases_.push_back(std::make_unique<SelectCase>(
                channel, sends ? Direction::kSend : Direction::kReceive));
            if (sends) cases_.back()->parcel = make_parcel(7);
            pointers_.push_back(cases_.back().get());
        }
        locks_.resize(cases_.size());
    }
    // Main's.
    Selection select(bool may_wait = true, std::size_t first = 0) {
        return scheduler::core::select(wait_, pointers_, first, locks_,
                                       [may_wait] { return may_wait; });
    }
    int number_of(const SelectCase* one) const {
        for (std::size_t i = 0; i < pointers_.size(); ++i) {
            if (pointers_[i] == one) return static_cast<int>(i);
        }
        return -1;
    }
    TestTasklet& make_sender(char channel, int value) {
        return thread_.make(
            "sender", [this, channel, value] { thread_.send(channels_[channel - 'a'], value); });
    }
    void drop_parcels() {
        for (SelectCase* one : pointers_) {
            if (!one->parcel.empty()) static_cast<void>(open_parcel(one->parcel));
        }
    }
    ScheduleManager& manager() { return thread_.manager(); }

    Channel channels_[3];
    std::vector<std::unique_ptr<SelectCase>> cases_;
    std::vector<SelectCase*> pointers_;
    std::vector<Channel*> locks_;
    Wait wait_{thread_.main()};
};

TEST_F(Select, TakesTheCaseThatCanBeDone) {
    make_sender('b', 5);
    thread_.run();
    add_cases("abc");
    const Selection selection = select();
    ASSERT_EQ(selection.result, RendezvousResult::kMatched);
    EXPECT_EQ(number_of(selection.done), 1);
    EXPECT_EQ(open_parcel(selection.done->parcel), 5);
    manager().make_runnable(*selection.partner, false);
    thread_.run();
}

TEST_F(Select, LooksFromTheFirstOnAndAround) {
    make_sender('a', 1);
    make_sender('c', 3);
    thread_.run();
    add_cases("abc");
    for (const std::size_t first : {1, 2}) {
        const Selection selection = select(true, first);
        EXPECT_EQ(number_of(selection.done), first == 1 ? 2 : 0);
        static_cast<void>(open_parcel(selection.done->parcel));
        manager().make_runnable(*selection.partner, false);
    }
    thread_.run();
}

TEST_F(Select, DoesNothingIfItMayNotWait) {
    add_cases("aB");
    EXPECT_EQ(select(false).result, RendezvousResult::kWouldBlock);
    EXPECT_EQ(channels_[0].balance(), 0);
    EXPECT_EQ(channels_[1].balance(), 0);
    drop_parcels();
}

TEST_F(Select, FindsAClosedChannelOnlyIfNothingElseCanBeDone) {
    add_cases("ab");
    channels_[0].close();
    Selection selection = select();
    EXPECT_EQ(selection.result, RendezvousResult::kClosing);
    EXPECT_EQ(number_of(selection.done), 0);
    EXPECT_EQ(select(false).result, RendezvousResult::kClosing);
    make_sender('b', 5);
    thread_.run();
    selection = select();
    ASSERT_EQ(selection.result, RendezvousResult::kMatched);
    EXPECT_EQ(open_parcel(selection.done->parcel), 5);
    manager().make_runnable(*selection.partner, false);
    thread_.run();
}

TEST_F(Select, LeavesAllWaitQueuesWhenOneCaseIsServed) {
    add_cases("aBa");
    manager().begin_wait(wait_, kNever);
    ASSERT_EQ(select().result, RendezvousResult::kEnqueued);
    EXPECT_EQ(channels_[0].balance(), -2);
    EXPECT_EQ(channels_[1].balance(), 1);
    EXPECT_TRUE(thread_.main().blocked());
    auto parcel = make_parcel(5);
    TestTasklet sender;
    sender.manager = &manager();
    const auto match = channels_[0].rendezvous(Direction::kSend, sender, parcel, false);
    ASSERT_EQ(match.result, RendezvousResult::kMatched);
    EXPECT_EQ(match.partner, &thread_.main());
    manager().make_runnable(*match.partner, false);
    EXPECT_EQ(number_of(wait_.served), 0);
    EXPECT_EQ(open_parcel(thread_.main().parcel), 5);
    EXPECT_EQ(channels_[0].balance(), 0);
    EXPECT_EQ(channels_[1].balance(), 0);
    manager().end_wait(wait_);
    drop_parcels();
}

TEST_F(Select, IsOutOfAllWaitQueuesWhenItIsCancelled) {
    add_cases("aAb");
    manager().begin_wait(wait_, kNever);
    ASSERT_EQ(select().result, RendezvousResult::kEnqueued);
    EXPECT_EQ(channels_[0].balance(), 0);  // waits there for both
    EXPECT_EQ(channels_[1].balance(), -1);
    EXPECT_TRUE(scheduler::core::cancel_wait(thread_.main()));
    EXPECT_FALSE(scheduler::core::cancel_wait(thread_.main()));
    EXPECT_EQ(thread_.main().get_state(), TaskletState::kReady);
    thread_.main().state.go_on();
    EXPECT_EQ(channels_[1].balance(), 0);
    EXPECT_EQ(wait_.served, nullptr);
    manager().end_wait(wait_);
    drop_parcels();
}

TEST_F(Select, TimesOut) {
    add_cases("ab");
    manager().begin_wait(wait_, ScheduleManager::now() - 1);
    ASSERT_EQ(select().result, RendezvousResult::kEnqueued);
    manager().fire_timers();
    EXPECT_TRUE(wait_.timed_out);
    EXPECT_EQ(wait_.served, nullptr);
    EXPECT_EQ(channels_[0].balance(), 0);
    EXPECT_EQ(channels_[1].balance(), 0);
    manager().end_wait(wait_);
}

TEST_F(Select, AClosingChannelIsClosedWhenTheLastCaseHasLeft) {
    add_cases("ab");
    manager().begin_wait(wait_, kNever);
    ASSERT_EQ(select().result, RendezvousResult::kEnqueued);
    channels_[1].close();
    EXPECT_TRUE(channels_[1].closing());
    EXPECT_FALSE(channels_[1].closed());
    EXPECT_TRUE(scheduler::core::cancel_wait(thread_.main()));
    thread_.main().state.go_on();
    EXPECT_TRUE(channels_[1].closed());
    manager().end_wait(wait_);
}

}  // namespace
