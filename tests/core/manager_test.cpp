// The books of a schedule manager: queue, counts, mail, live list, and what a yield costs.

#include "core/manager.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::Mail;
using scheduler::core::RendezvousResult;
using scheduler::core::RunLoop;
using scheduler::core::ScheduleManager;
using scheduler::core::Tasklet;
using scheduler::core::TaskletState;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::TestThread;
using scheduler::core::testing::ThreadTest;
namespace mail = scheduler::core::mail;

class Manager : public ThreadTest {
  protected:
    ScheduleManager& manager() { return thread_.manager(); }
    // The names in the queue, main first; checks the links backwards as well.
    std::string queue() {
        std::string names;
        const Tasklet* before = nullptr;
        for (Tasklet* t = &thread_.main(); t != nullptr; t = manager().next_in_queue(*t)) {
            EXPECT_EQ(manager().previous_in_queue(*t), before);
            names += (before != nullptr ? " " : "") + static_cast<TestTasklet*>(t)->name;
            before = t;
        }
        return names;
    }
    TestTasklet& make_paused(const char* name) {
        return thread_.make_paused(name, [] {});
    }
    // As the holder of a channel's lock leaves it, in the moment before he posts the wake-up.
    TestTasklet& make_in_transit(const char* name) {
        TestTasklet& tasklet = make_paused(name);
        ++tasklet.references;  // the wait queue's
        put_into_state(tasklet, TaskletState::kInTransit);
        return tasklet;
    }
};

// ---- the queue ---------------------------------------------------------------------------------

// SPEC: S-02, S-05, S-06
TEST_F(Manager, MainIsTheFirstEntryForEver) {
    EXPECT_EQ(queue(), "main");
    EXPECT_EQ(run_count(), 1U);
    EXPECT_TRUE(manager().queue_empty());
    EXPECT_TRUE(manager().current_is_main());
    EXPECT_TRUE(thread_.main().scheduled());
    EXPECT_TRUE(thread_.main().alive());
    EXPECT_FALSE(manager().insert(thread_.main()));
    EXPECT_FALSE(manager().take_out(thread_.main()));
    EXPECT_EQ(queue(), "main");
}

// SPEC: T-24, T-25, G-01
TEST_F(Manager, InsertAppendsOnce) {
    TestTasklet& a = make_paused("a");
    TestTasklet& b = make_paused("b");
    EXPECT_TRUE(manager().insert(a));
    EXPECT_TRUE(manager().insert(b));
    a.references = b.references = 2;
    EXPECT_FALSE(a.paused);
    EXPECT_FALSE(manager().insert(a)) << "no second entry, and no move";
    EXPECT_EQ(queue(), "main a b");
    EXPECT_EQ(run_count(), 3U);
}

// SPEC: T-26
TEST_F(Manager, TakeOutTellsWhetherItWasQueued) {
    TestTasklet& a = thread_.make("a");
    EXPECT_TRUE(manager().take_out(a));
    --a.references;
    EXPECT_FALSE(manager().take_out(a));
    EXPECT_EQ(queue(), "main");
    EXPECT_EQ(manager().previous_in_queue(a), nullptr);
    EXPECT_EQ(manager().next_in_queue(a), nullptr);
}

// SPEC: T-25
TEST_F(Manager, InsertDuringItsTurnRequeuesOneThatWouldLeave) {
    thread_.make("a", [this] {
        thread_.insert(thread_.current());
        thread_.schedule_remove();
        note("a");
    });
    thread_.run();
    EXPECT_EQ(log(), "a");
}

// SPEC: C-20
TEST_F(Manager, WelcomeAppendsOrGoesBehindTheCurrent) {
    thread_.make("a");
    TestTasklet& last = make_paused("last");
    TestTasklet& first = make_paused("first");
    last.references = first.references = 2;
    put_into_state(last, TaskletState::kReady);  // as out of a wait queue
    put_into_state(first, TaskletState::kReady);
    manager().make_runnable(last, false);
    manager().make_runnable(first, true);
    EXPECT_EQ(queue(), "main first a last");
    EXPECT_EQ(first.get_state(), TaskletState::kReady);
    put_into_state(first, TaskletState::kNew);  // they have no stack: they shall start
    put_into_state(last, TaskletState::kNew);
    thread_.run();
}

// SPEC: C-20
TEST_F(Manager, WelcomeInsideATaskletGoesBehindThat) {
    thread_.make("a", [this] {
        TestTasklet& partner = make_paused("partner");
        partner.references = 2;
        put_into_state(partner, TaskletState::kReady);
        manager().make_runnable(partner, true);
        EXPECT_EQ(queue(), "main a partner b");
        put_into_state(partner, TaskletState::kNew);
    });
    thread_.make("b");
    thread_.run();
}

// SPEC: F-01
TEST_F(Manager, InsertBehindCurrentMovesFromWhereverItIs) {
    thread_.make("a");
    TestTasklet& b = thread_.make("b");
    TestTasklet& c = make_paused("c");
    EXPECT_FALSE(manager().insert_behind_current(b));
    EXPECT_EQ(queue(), "main b a");
    EXPECT_TRUE(manager().insert_behind_current(c));
    c.references = 2;
    EXPECT_EQ(queue(), "main c b a");
}

TEST_F(Manager, InsertBehindAPlaceOrAtTheEnd) {
    TestTasklet& a = thread_.make("a");
    thread_.make("b");
    TestTasklet& c = make_paused("c");
    TestTasklet& d = make_paused("d");
    TestTasklet& e = make_paused("e");
    EXPECT_TRUE(manager().insert_behind(a, c));
    EXPECT_TRUE(manager().insert_behind(thread_.main(), d));
    EXPECT_EQ(queue(), "main d a c b");
    thread_.remove(a);
    EXPECT_TRUE(manager().insert_behind(a, e)) << "its place has gone";
    EXPECT_EQ(queue(), "main d c b e");
    EXPECT_FALSE(manager().insert_behind(thread_.main(), e));
    c.references = d.references = e.references = 2;
}

// ---- turns -------------------------------------------------------------------------------------

// SPEC: S-04, T-01
TEST_F(Manager, TaskletKeepsItsPlaceDuringItsTurn) {
    thread_.make("a", [this] {
        EXPECT_EQ(queue(), "main a b");
        EXPECT_EQ(thread_.current().get_state(), TaskletState::kRunning);
        EXPECT_TRUE(thread_.current().has_turn());
        EXPECT_TRUE(thread_.main().has_turn()) << "as the driver";
        EXPECT_FALSE(manager().current_is_main());
    });
    thread_.make("b");
    thread_.run();
    EXPECT_EQ(queue(), "main");
}

// SPEC: T-01
TEST_F(Manager, PausedFollowsTheSuspension) {
    TestTasklet& yields = thread_.make("yields", [this] { thread_.schedule(); });
    TestTasklet& leaves = thread_.make("leaves", [this] { thread_.schedule_remove(); });
    leaves.paused = true;
    thread_.run_turns(2);
    EXPECT_FALSE(yields.paused);
    EXPECT_EQ(yields.get_state(), TaskletState::kReady);
    EXPECT_TRUE(leaves.paused);
    EXPECT_EQ(leaves.get_state(), TaskletState::kReady);
    EXPECT_FALSE(leaves.queued());
    EXPECT_EQ(leaves.references, 1);
    thread_.insert(leaves);
    EXPECT_FALSE(leaves.paused);
    thread_.run();
    EXPECT_EQ(leaves.get_state(), TaskletState::kDead);
    EXPECT_FALSE(leaves.paused);
}

// SPEC
TEST_F(Manager, TimesSwitchedToCountsTurnsAndReturnsToTheDriver) {
    TestTasklet& a = thread_.make("a", [this] {
        thread_.schedule();
        thread_.schedule();
    });
    thread_.run();
    EXPECT_EQ(a.times_switched_to, 3U);
    EXPECT_EQ(thread_.main().times_switched_to, 2U)
        << "a suspension counts for it, an end does not";
    EXPECT_GT(a.start_time, 0);
}

// SPEC: L-05
TEST_F(Manager, CompletedAndSwitchedCounts) {
    for (int i = 0; i < 3; ++i) thread_.make("x");
    thread_.run();
    EXPECT_EQ(manager().completed(), 3U);
    EXPECT_EQ(manager().switched(), 6U);
    thread_.make("fails", [] { throw std::runtime_error("oops"); });
    EXPECT_THROW(thread_.run(), std::runtime_error);
    EXPECT_EQ(manager().completed(), 3U) << "an error does not count";
    EXPECT_EQ(manager().switched(), 8U);
}

// A yield goes straight to the next tasklet, although a program sees the driver between.
// SPEC: R-02
TEST_F(Manager, YieldIsOneJump) {
    constexpr int kTasklets = 4;
    constexpr int kRounds = 25;
    for (int i = 0; i < kTasklets; ++i) {
        thread_.make("t", [this] {
            for (int round = 0; round < kRounds; ++round) thread_.schedule();
        });
    }
    thread_.run_turns(kTasklets);  // all have started
    thread_.jumps = 0;
    thread_.run_turns(kTasklets * (kRounds - 1));
    EXPECT_EQ(thread_.jumps, kTasklets * (kRounds - 1) + 1) << "and one to get back to main";
    thread_.run();
}

TEST_F(Manager, LonelyYieldNeedsNoJump) {
    thread_.make("t", [this] {
        for (int i = 0; i < 10; ++i) thread_.schedule();
    });
    thread_.jumps = 0;
    thread_.run();
    EXPECT_EQ(thread_.jumps, 1);
}

// ---- mail --------------------------------------------------------------------------------------

// SPEC: H-01, DEC-1
TEST_F(Manager, MailInsertsAndRemoves) {
    TestTasklet& a = make_paused("a");
    EXPECT_TRUE(manager().post(a, mail::kInsert));
    EXPECT_TRUE(manager().has_mail());
    EXPECT_TRUE(a.scheduled()) << "as every thread sees it at once";
    EXPECT_FALSE(a.queued());
    EXPECT_EQ(a.references, 2);
    thread_.read_mail();
    EXPECT_EQ(queue(), "main a");
    EXPECT_EQ(a.references, 2);
    EXPECT_TRUE(manager().post(a, mail::kRemove));
    EXPECT_FALSE(a.scheduled());
    thread_.read_mail();
    EXPECT_EQ(queue(), "main");
    EXPECT_TRUE(a.paused);
    EXPECT_EQ(a.references, 1);
    EXPECT_FALSE(manager().has_mail());
}

TEST_F(Manager, LastRequestWins) {
    TestTasklet& a = make_paused("a");
    TestTasklet& b = make_paused("b");
    manager().post(a, mail::kInsert);
    manager().post(b, mail::kRemove);
    manager().post(a, mail::kRemove);
    manager().post(b, mail::kInsert);
    EXPECT_EQ(a.references, 2) << "in the inbox once";
    thread_.read_mail();
    EXPECT_EQ(queue(), "main b");
    EXPECT_EQ(a.references, 1);
}

TEST_F(Manager, MailKeepsItsOrderAndItsBits) {
    TestTasklet& a = make_paused("a");
    TestTasklet& b = make_paused("b");
    manager().post(b, mail::kError);
    manager().post(a, mail::kUnwind);
    for (TestTasklet* tasklet : {&b, &a}) {
        const Mail message = manager().take_mail();
        EXPECT_EQ(message.tasklet, tasklet);
        EXPECT_EQ(message.bits, (tasklet == &b ? mail::kError : mail::kUnwind) | mail::kPosted);
        EXPECT_EQ(message.references, 1);
        --tasklet->references;
        EXPECT_EQ(tasklet->get_mail(), 0U);
    }
    EXPECT_EQ(manager().take_mail().tasklet, nullptr);
}

TEST_F(Manager, MailForTheDeadOrWaitingQueuesNothing) {
    TestTasklet& dead = thread_.make("dead");
    Channel channel;
    thread_.make("waits", [&] { thread_.receive(channel); });
    thread_.run();
    Tasklet* waiting = nullptr;
    channel.visit_waiting([&](Tasklet& tasklet) {
        waiting = &tasklet;
        return false;
    });
    manager().post(dead, mail::kInsert);
    manager().post(*waiting, mail::kInsert);
    thread_.read_mail();
    EXPECT_EQ(queue(), "main");
    EXPECT_TRUE(waiting->blocked());
    thread_.send(channel, 0);
}

// A tasklet in transit belongs to the one who posts its wake-up until that has come: whatever else
// is asked of it waits, and it keeps the place that the wake-up gives it.
class InTransit : public Manager, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(InTransit, RequestWaitsForTheWakeUp) {
    thread_.make("x");
    TestTasklet& a = make_in_transit("a");
    manager().post(a, GetParam());
    thread_.read_mail();
    EXPECT_EQ(queue(), "main x");
    EXPECT_EQ(a.get_state(), TaskletState::kInTransit);
    EXPECT_EQ(a.references, 2);
    manager().post(a, mail::kWakeFirst);
    thread_.read_mail();
    EXPECT_EQ(a.get_mail(), 0U);
    EXPECT_EQ(a.get_state(), TaskletState::kReady);
    EXPECT_EQ(queue(), GetParam() == mail::kRemove ? "main x" : "main a x");
    EXPECT_EQ(static_cast<bool>(a.pending), GetParam() == mail::kError);
    EXPECT_EQ(a.references, GetParam() == mail::kRemove ? 1 : 2);
    put_into_state(a, TaskletState::kNew);
}

INSTANTIATE_TEST_SUITE_P(Requests, InTransit,
                         testing::Values(mail::kInsert, mail::kRemove, mail::kError));

TEST_F(Manager, InsertLeavesATaskletInTransitAlone) {
    TestTasklet& a = make_in_transit("a");
    EXPECT_FALSE(manager().insert(a));
    EXPECT_EQ(queue(), "main");
    manager().post(a, mail::kWake);
    thread_.read_mail();
    EXPECT_EQ(queue(), "main a");
    put_into_state(a, TaskletState::kNew);
}

// Another thread serves main between its joining the wait queue and its loop: a loop that did not know
// would go on for as long as there is work.
// SPEC: C-22
TEST_F(Manager, LoopOfAServedMainEndsAfterOneTurn) {
    Channel channel;
    for (int i = 0; i < 3; ++i) {
        thread_.make("x", [this] {
            note("x");
            thread_.schedule();
        });
    }
    ASSERT_EQ(channel.rendezvous(Direction::kReceive, thread_.main(), true).result,
              RendezvousResult::kEnqueued);
    std::thread([&] {
        TestThread other;
        other.main().parcel = make_parcel(5);
        EXPECT_EQ(channel.rendezvous(Direction::kSend, other.main(), false).result,
                  RendezvousResult::kMatchedRemote);
    }).join();
    thread_.run();
    EXPECT_EQ(log(), "x");
    EXPECT_EQ(thread_.main().get_state(), TaskletState::kRunning);
    EXPECT_EQ(open_parcel(thread_.main().parcel), 5);
}

// ---- live list and end ----------------------------------------------------------------------------

TEST_F(Manager, RosterNamesTheLiving) {
    EXPECT_EQ(manager().any_live_tasklet(), nullptr);
    TestTasklet& a = make_paused("a");
    TestTasklet& b = make_paused("b");
    TestTasklet& c = make_paused("c");
    for (TestTasklet* gone : {&b, &c, &a}) {
        Tasklet* live = manager().any_live_tasklet();
        ASSERT_NE(live, nullptr);
        EXPECT_EQ(static_cast<TestTasklet*>(live)->references, 2);
        --static_cast<TestTasklet*>(live)->references;
        EXPECT_TRUE(live->alive());
        thread_.destroy(*gone);
    }
    EXPECT_EQ(manager().any_live_tasklet(), nullptr);
}

TEST_F(Manager, FinishRefusesMailAndKeepsWhatHasCome) {
    TestThread ending;
    ScheduleManager& manager = ending.manager();
    TestTasklet& a = ending.make_paused("a", [] {});
    TestTasklet& b = ending.make_paused("b", [] {});
    TestTasklet& c = ending.make_paused("c", [] {});
    manager.post(a, mail::kError);
    manager.post(b, mail::kError);
    EXPECT_EQ(manager.take_mail().tasklet, &a);  // b is read but not taken
    --a.references;
    manager.post(c, mail::kError);
    EXPECT_FALSE(manager.finished());
    manager.finish();
    EXPECT_TRUE(manager.finished());
    EXPECT_FALSE(manager.post(a, mail::kError));
    EXPECT_EQ(a.references, 1);
    for (TestTasklet* tasklet : {&b, &c}) {
        EXPECT_TRUE(manager.has_mail());
        EXPECT_EQ(manager.take_mail().tasklet, tasklet);
        --tasklet->references;
    }
    EXPECT_FALSE(manager.has_mail());
}

TEST(ManagerReferences, LastOneDestroysIt) {
    static int destroyed = 0;
    TestTasklet main;
    auto* manager =
        new ScheduleManager({[](Tasklet&) {}, [](Tasklet&) { return true; }, [](Tasklet&) {},
                             [](ScheduleManager& dead) {
                                 ++destroyed;
                                 delete &dead;
                             }},
                            main, scheduler::core::kMinStackBytes);
    manager->add_reference();
    manager->drop_reference();
    EXPECT_EQ(destroyed, 0);
    manager->drop_reference();
    EXPECT_EQ(destroyed, 1);
}

}  // namespace
