// What a channel decides, without any switch: tasklets stand in the wait queue that never run. Managers
// of "other threads" live on this one, which makes every order of events repeatable.

#include "core/channel.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::Mail;
using scheduler::core::Rendezvous;
using scheduler::core::RendezvousResult;
using scheduler::core::Served;
using scheduler::core::Tasklet;
using scheduler::core::TaskletState;
using scheduler::core::testing::body_of;
using scheduler::core::testing::drop_parcel;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::put_into_state;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::TestThread;
namespace mail = scheduler::core::mail;

constexpr Direction kBoth[] = {Direction::kSend, Direction::kReceive};

constexpr Direction opposite(Direction direction) {
    return direction == Direction::kSend ? Direction::kReceive : Direction::kSend;
}

class ChannelTest : public testing::Test {
  protected:
    Rendezvous rendezvous(Direction direction, TestTasklet& tasklet, bool may_wait = true) {
        if (direction == Direction::kSend) tasklet.parcel = make_parcel(kValue);
        const TaskletState state = tasklet.get_state();
        put_into_state(tasklet, TaskletState::kRunning);
        const Rendezvous match = channel_.rendezvous(direction, tasklet, may_wait);
        if (match.result != RendezvousResult::kEnqueued) put_into_state(tasklet, state);
        if (match.result == RendezvousResult::kMatched)
            here_.manager().make_runnable(*match.partner, false);
        return match;
    }
    // A tasklet of `thread` that waits in the wait queue.
    TestTasklet& make_waiting(TestThread& thread, Direction direction) {
        TestTasklet& tasklet = thread.make("waiting");
        EXPECT_EQ(rendezvous(direction, tasklet).result, RendezvousResult::kEnqueued);
        return tasklet;
    }
    std::vector<Tasklet*> line() {
        std::vector<Tasklet*> tasklets;
        channel_.visit_waiting([&](Tasklet& tasklet) {
            tasklets.push_back(&tasklet);
            return true;
        });
        return tasklets;
    }
    void expect_value(TestTasklet& tasklet) { EXPECT_EQ(open_parcel(tasklet.parcel), kValue); }

    static constexpr int kValue = 42;
    Channel channel_;
    TestThread here_;
    TestThread there_;
};

class Directions : public ChannelTest, public testing::WithParamInterface<Direction> {
  protected:
    int balance_of(int waiting) const { return waiting * static_cast<int>(GetParam()); }
};

// SPEC: C-10, C-11, G-02
TEST_P(Directions, FirstComerJoinsTheLine) {
    TestTasklet& self = here_.make("self");
    EXPECT_TRUE(channel_.would_block(GetParam()));
    EXPECT_EQ(rendezvous(GetParam(), self).result, RendezvousResult::kEnqueued);
    EXPECT_EQ(self.get_state(), TaskletState::kBlocked);
    EXPECT_EQ(self.channel, &channel_);
    EXPECT_FALSE(self.queued());
    EXPECT_EQ(self.references, 2);  // the queue's has become the wait queue's
    EXPECT_EQ(channel_.balance(), balance_of(1));
    EXPECT_TRUE(channel_.would_block(GetParam()));
    EXPECT_FALSE(channel_.would_block(opposite(GetParam())));
    EXPECT_EQ(self.parcel.empty(), GetParam() == Direction::kReceive);
}

// SPEC: C-10, C-11, C-14
TEST_P(Directions, SecondComerServesTheFirst) {
    TestTasklet& first = make_waiting(here_, GetParam());
    TestTasklet& second = here_.make("second");
    const Rendezvous match = rendezvous(opposite(GetParam()), second);
    EXPECT_EQ(match.result, RendezvousResult::kMatched);
    EXPECT_EQ(match.partner, &first);
    EXPECT_EQ(first.get_state(), TaskletState::kReady);
    EXPECT_EQ(first.channel, nullptr);
    EXPECT_TRUE(second.queued());
    EXPECT_EQ(channel_.balance(), 0);
    TestTasklet& receiver = GetParam() == Direction::kReceive ? first : second;
    expect_value(receiver);
    EXPECT_TRUE(first.parcel.empty());
    EXPECT_TRUE(second.parcel.empty());
}

// SPEC: C-02
TEST_P(Directions, FirstComeFirstServed) {
    std::vector<Tasklet*> waiting;
    for (int i = 1; i <= 4; ++i) {
        waiting.push_back(&make_waiting(i % 2 == 0 ? there_ : here_, GetParam()));
        EXPECT_EQ(channel_.balance(), balance_of(i));
    }
    EXPECT_EQ(line(), waiting);
    TestTasklet& server = here_.make("server");
    while (!waiting.empty()) {
        rendezvous(opposite(GetParam()), server);
        drop_parcel(server.parcel);
        EXPECT_FALSE(waiting.front()->blocked());
        waiting.erase(waiting.begin());
        EXPECT_EQ(line(), waiting);
    }
    EXPECT_EQ(channel_.balance(), 0);
}

// SPEC: C-12
TEST_P(Directions, RefusalChangesNothing) {
    TestTasklet& self = here_.make("self");
    EXPECT_EQ(rendezvous(GetParam(), self, false).result, RendezvousResult::kWouldBlock);
    drop_parcel(self.parcel);
    channel_.close();
    EXPECT_EQ(rendezvous(GetParam(), self, false).result, RendezvousResult::kWouldBlock)
        << "before closing";
    drop_parcel(self.parcel);
    EXPECT_EQ(rendezvous(GetParam(), self).result, RendezvousResult::kClosing);
    drop_parcel(self.parcel);
    EXPECT_TRUE(self.queued());
    EXPECT_EQ(self.get_state(), TaskletState::kNew);
    EXPECT_EQ(channel_.balance(), 0);
}

// SPEC: C-13
TEST_P(Directions, PartnerIsServedEvenIfTheCallerMayNotWait) {
    TestTasklet& first = make_waiting(here_, GetParam());
    channel_.close();
    EXPECT_EQ(rendezvous(opposite(GetParam()), here_.make("second"), false).partner, &first);
}

// SPEC: C-40, C-41
TEST_P(Directions, ClosesOnceNobodyWaits) {
    make_waiting(here_, GetParam());
    TestTasklet& second = make_waiting(here_, GetParam());
    channel_.close();
    EXPECT_TRUE(channel_.closing());
    EXPECT_FALSE(channel_.closed());
    rendezvous(opposite(GetParam()), here_.make("server"));
    EXPECT_FALSE(channel_.closed());
    EXPECT_TRUE(channel_.cancel_wait(second));
    here_.manager().make_runnable(second, false);
    EXPECT_TRUE(channel_.closed());
    channel_.open();
    EXPECT_FALSE(channel_.closing());
    EXPECT_FALSE(channel_.closed());
    EXPECT_EQ(rendezvous(GetParam(), here_.make("third")).result, RendezvousResult::kEnqueued);
}

TEST_P(Directions, ClosesAndReleasesAllOfBothThreads) {
    TestTasklet& own = make_waiting(here_, GetParam());
    TestTasklet& foreign = make_waiting(there_, GetParam());
    std::vector<Served> room(1);
    ASSERT_EQ(channel_.close_and_release(here_.manager(), room), 2u);
    EXPECT_FALSE(channel_.closing()) << "without room for all nothing happens";
    room.resize(2);
    ASSERT_EQ(channel_.close_and_release(here_.manager(), room), 2u);
    EXPECT_TRUE(channel_.closed());
    EXPECT_EQ(Channel::finish(room[0]).own_partner(), &own);
    EXPECT_EQ(Channel::finish(room[1]).own_partner(), nullptr);
    EXPECT_EQ(foreign.get_state(), TaskletState::kInTransit);
    for (TestTasklet* tasklet : {&own, &foreign}) {
        EXPECT_EQ(tasklet->parcel.empty(), GetParam() == Direction::kReceive);
        if (GetParam() == Direction::kSend) drop_parcel(tasklet->parcel);
    }
    here_.manager().make_runnable(own, false);
    EXPECT_TRUE(own.queued());
    there_.read_mail();
    EXPECT_TRUE(foreign.queued());
}

// SPEC: C-50
TEST_P(Directions, WithdrawTakesFromAnyPlace) {
    Tasklet* const first = &make_waiting(here_, GetParam());
    TestTasklet& second = make_waiting(here_, GetParam());
    Tasklet* const third = &make_waiting(here_, GetParam());
    EXPECT_TRUE(channel_.cancel_wait(second));
    EXPECT_EQ(second.get_state(), TaskletState::kReady);
    EXPECT_EQ(second.parcel.empty(), GetParam() == Direction::kReceive);
    EXPECT_EQ(channel_.balance(), balance_of(2));
    EXPECT_EQ(line(), (std::vector<Tasklet*>{first, third}));
    EXPECT_FALSE(channel_.cancel_wait(second)) << "is not there any more";
    here_.manager().make_runnable(second, false);
}

TEST_P(Directions, WithdrawLeavesOtherChannelsAlone) {
    TestTasklet& waiting = make_waiting(here_, GetParam());
    Channel other;
    EXPECT_FALSE(other.cancel_wait(waiting));
    waiting.posted.put({&waiting, false});
    EXPECT_FALSE(other.cancel_remote_wait(waiting));
    EXPECT_TRUE(waiting.blocked());
    EXPECT_EQ(waiting.get_mail(), 0U);
}

// SPEC: H-02
TEST_P(Directions, PartnerOfAnotherThreadIsPosted) {
    TestTasklet& first = make_waiting(there_, GetParam());
    TestTasklet& second = here_.make("second");
    const Rendezvous match = rendezvous(opposite(GetParam()), second);
    EXPECT_EQ(match.result, RendezvousResult::kMatchedRemote);
    EXPECT_EQ(match.partner, &first);
    EXPECT_EQ(match.own_partner(), nullptr);
    EXPECT_EQ(first.get_state(), TaskletState::kInTransit);
    EXPECT_FALSE(first.queued());
    EXPECT_TRUE(first.scheduled()) << "as good as queued";
    ASSERT_TRUE(there_.manager().has_mail());
    EXPECT_FALSE(here_.manager().has_mail());
    there_.read_mail();
    EXPECT_EQ(first.get_state(), TaskletState::kReady);
    EXPECT_TRUE(first.queued());
    EXPECT_EQ(first.references, 2);  // the wait queue's has become the queue's
    expect_value(GetParam() == Direction::kReceive ? first : second);
}

// SPEC: C-20
TEST_P(Directions, FavouredPartnerOfAnotherThreadGoesFirst) {
    for (const int preference : {-1, 0, 1}) {
        channel_.set_preference(preference);
        EXPECT_EQ(channel_.preference(), preference);
        TestTasklet& first = make_waiting(there_, GetParam());
        TestTasklet& queued = there_.make("queued");
        rendezvous(opposite(GetParam()), here_.main());
        there_.read_mail();
        const bool goes_first = preference == static_cast<int>(GetParam());
        EXPECT_EQ(there_.manager().next_in_queue(there_.main()), goes_first ? &first : &queued);
        drop_parcel(here_.main().parcel);
        drop_parcel(first.parcel);
        there_.remove(first);
        there_.remove(queued);
    }
}

// SPEC: C-20
TEST_P(Directions, CallerYieldsToAFavouredPartner) {
    for (const int preference : {-1, 0, 1}) {
        channel_.set_preference(preference);
        EXPECT_EQ(channel_.caller_yields(GetParam()),
                  preference == static_cast<int>(opposite(GetParam())));
    }
}

// SPEC: C-52, DEC-2
TEST_P(Directions, EvictTellsTheOwner) {
    TestTasklet& victim = make_waiting(there_, GetParam());
    victim.posted.put({&victim, true});
    EXPECT_TRUE(channel_.cancel_remote_wait(victim));
    EXPECT_EQ(victim.get_state(), TaskletState::kInTransit);
    EXPECT_EQ(channel_.balance(), 0);
    EXPECT_FALSE(channel_.cancel_remote_wait(victim)) << "only once";
    const Mail message = there_.manager().take_mail();
    EXPECT_EQ(message.tasklet, &victim);
    EXPECT_EQ(message.bits & mail::kError, mail::kError);
    EXPECT_EQ(victim.get_state(), TaskletState::kReady);
    EXPECT_TRUE(victim.queued());
    --victim.references;  // the message's
}

// Its thread may have taken the error by now, and delivered it.
// SPEC: DEC-2
TEST_P(Directions, EvictLeavesAloneWhoHasNoErrorPosted) {
    TestTasklet& waiting = make_waiting(there_, GetParam());
    waiting.posted.put({&waiting, true});
    EXPECT_EQ(waiting.posted.take().error, &waiting);
    EXPECT_FALSE(channel_.cancel_remote_wait(waiting));
    EXPECT_TRUE(waiting.blocked());
    EXPECT_EQ(channel_.balance(), balance_of(1));
    EXPECT_EQ(waiting.get_mail(), 0U);
}

// SPEC: S-02, C-20
TEST_P(Directions, MainIsUnblockedAtItsPlace) {
    EXPECT_EQ(rendezvous(GetParam(), there_.main()).result, RendezvousResult::kEnqueued);
    EXPECT_TRUE(there_.main().blocked());
    EXPECT_TRUE(there_.main().queued());
    rendezvous(opposite(GetParam()), here_.main());
    EXPECT_EQ(there_.main().get_state(), TaskletState::kInTransit);
    there_.read_mail();
    EXPECT_EQ(there_.main().get_state(), TaskletState::kRunning);
    EXPECT_EQ(there_.manager().run_count(), 1U);
    drop_parcel(here_.main().parcel);
    drop_parcel(there_.main().parcel);
}

INSTANTIATE_TEST_SUITE_P(Both, Directions, testing::ValuesIn(kBoth), [](const auto& test) {
    return test.param == Direction::kSend ? "Send" : "Receive";
});

TEST_F(ChannelTest, NewChannel) {
    EXPECT_EQ(channel_.balance(), 0);
    EXPECT_EQ(channel_.preference(), Channel::kPreferReceiver);
    EXPECT_FALSE(channel_.closing());
    EXPECT_FALSE(channel_.closed());
    EXPECT_TRUE(line().empty());
}

TEST_F(ChannelTest, ClosesAtOnceWhenNobodyWaits) {
    channel_.close();
    EXPECT_TRUE(channel_.closing());
    EXPECT_TRUE(channel_.closed());
}

TEST_F(ChannelTest, VisitStopsWhenTold) {
    for (int i = 0; i < 3; ++i) make_waiting(here_, Direction::kReceive);
    int visited = 0;
    channel_.visit_waiting([&](Tasklet&) { return ++visited < 2; });
    EXPECT_EQ(visited, 2);
}

// A receiver that was served and one that is cancelled: no value is lost, none comes twice.
TEST_F(ChannelTest, EvictAfterTheMatchIsTooLate) {
    TestTasklet& receiver = make_waiting(there_, Direction::kReceive);
    rendezvous(Direction::kSend, here_.main());
    receiver.posted.put({&receiver, true});
    EXPECT_FALSE(channel_.cancel_remote_wait(receiver));
    EXPECT_FALSE(channel_.cancel_wait(receiver));
    there_.read_mail();
    EXPECT_FALSE(receiver.pending);
    expect_value(receiver);
}

// Cancelled, and waiting again before a second cancelling: two messages in a row.
TEST_F(ChannelTest, EvictedTaskletMayWaitAgain) {
    TestTasklet& tasklet = make_waiting(there_, Direction::kReceive);
    for (int round = 0; round < 3; ++round) {
        tasklet.posted.put({&tasklet, false});
        EXPECT_TRUE(channel_.cancel_remote_wait(tasklet));
        there_.read_mail();
        ASSERT_TRUE(tasklet.queued());
        EXPECT_EQ(rendezvous(Direction::kReceive, tasklet).result, RendezvousResult::kEnqueued);
        EXPECT_EQ(tasklet.references, 2);
    }
}

}  // namespace
