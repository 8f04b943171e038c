// The short way of a transfer: what it does, and that it changes nothing where it is of no use.

#include <gtest/gtest.h>

#include "core/channel.h"
#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::Rendezvous;
using scheduler::core::RendezvousResult;
using scheduler::core::SelectCase;
using scheduler::core::TaskletState;
using scheduler::core::testing::drop_parcel;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::put_into_state;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::TestThread;

constexpr int kValue = 42;

class TryRendezvous : public testing::TestWithParam<bool> {
  protected:
    bool sends() const { return GetParam(); }
    Direction opposite() const { return sends() ? Direction::kReceive : Direction::kSend; }

    Rendezvous attempt(TestTasklet& self, bool may_wait = true) {
        if (sends()) self.parcel = make_parcel(kValue);
        put_into_state(self, TaskletState::kRunning);
        const auto answer = [may_wait] { return may_wait; };
        return sends() ? channel_.try_rendezvous<Direction::kSend>(self, self.parcel, answer)
                       : channel_.try_rendezvous<Direction::kReceive>(self, self.parcel, answer);
    }
    // A partner in the wait queue.
    TestTasklet& make_waiting(TestThread& thread) {
        TestTasklet& tasklet = thread.make("waiting");
        if (!sends()) tasklet.parcel = make_parcel(kValue);
        put_into_state(tasklet, TaskletState::kRunning);
        EXPECT_EQ(channel_.rendezvous(opposite(), tasklet, true).result,
                  RendezvousResult::kEnqueued);
        return tasklet;
    }
    void expect_nothing_happens(bool may_wait = true) {
        TestTasklet& self = here_.make("self");
        const int balance = channel_.balance();
        const Rendezvous match = attempt(self, may_wait);
        EXPECT_EQ(match.result, RendezvousResult::kWouldBlock);
        EXPECT_EQ(match.partner, nullptr);
        EXPECT_EQ(self.get_state(), TaskletState::kRunning);
        EXPECT_TRUE(self.queued());
        EXPECT_EQ(self.channel, nullptr);
        EXPECT_EQ(self.parcel.empty(), !sends());
        EXPECT_EQ(channel_.balance(), balance);
        drop_parcel(self.parcel);
    }

    Channel channel_;
    TestThread here_;
    TestThread there_;
};

// SPEC: C-10, C-11
TEST_P(TryRendezvous, WaitsInTheQueueWhereNobodyIs) {
    TestTasklet& self = here_.make("self");
    EXPECT_EQ(attempt(self).result, RendezvousResult::kEnqueued);
    EXPECT_EQ(self.get_state(), TaskletState::kBlocked);
    EXPECT_EQ(self.channel, &channel_);
    EXPECT_EQ(self.sends, sends());
    EXPECT_FALSE(self.queued());
    EXPECT_EQ(channel_.balance(), sends() ? 1 : -1);
    EXPECT_EQ(self.parcel.empty(), !sends());
}

// SPEC: C-02, C-10, C-11
TEST_P(TryRendezvous, ServesTheFirstOfTheOwnThread) {
    TestTasklet& first = make_waiting(here_);
    TestTasklet& second = make_waiting(here_);
    TestTasklet& self = here_.make("self");
    const Rendezvous match = attempt(self);
    EXPECT_EQ(match.result, RendezvousResult::kMatched);
    EXPECT_EQ(match.partner, &first);
    EXPECT_EQ(first.get_state(), TaskletState::kReady);
    EXPECT_EQ(first.channel, nullptr);
    EXPECT_TRUE(second.blocked());
    EXPECT_EQ(open_parcel(sends() ? first.parcel : self.parcel), kValue);
    here_.manager().make_runnable(first, false);
}

TEST_P(TryRendezvous, LeavesAPartnerOfAnotherThread) {
    TestTasklet& partner = make_waiting(there_);
    expect_nothing_happens();
    EXPECT_TRUE(partner.blocked());
    EXPECT_FALSE(there_.manager().has_mail());
}

TEST_P(TryRendezvous, LeavesOneWhoWaitsForSeveral) {
    SelectCase waiter(channel_, opposite());
    channel_.lock();
    channel_.enqueue_locked(waiter, opposite());
    channel_.unlock();
    expect_nothing_happens();
    EXPECT_TRUE(waiter.linked());
    channel_.leave(waiter);
}

TEST_P(TryRendezvous, DoesNotWaitIfItMayNot) { expect_nothing_happens(false); }

TEST_P(TryRendezvous, LeavesAChannelThatIsClosing) {
    channel_.close();
    expect_nothing_happens();
}

TEST_P(TryRendezvous, LeavesAChannelWithABuffer) {
    channel_.make_buffer(1);
    expect_nothing_happens();
}

TEST_P(TryRendezvous, DoesNotWaitForTheLock) {
    TestTasklet& self = here_.make("self");
    channel_.lock();
    const Rendezvous match = attempt(self);
    channel_.unlock();
    EXPECT_EQ(match.result, RendezvousResult::kWouldBlock);
    EXPECT_EQ(self.get_state(), TaskletState::kRunning);
    drop_parcel(self.parcel);
}

INSTANTIATE_TEST_SUITE_P(Both, TryRendezvous, testing::Bool(),
                         [](const auto& test) { return test.param ? "Send" : "Receive"; });

}  // namespace
