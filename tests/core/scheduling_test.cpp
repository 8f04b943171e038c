// Whole programs on one thread, with real stacks: the pinned scenarios of the specification.

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::TaskletState;
using scheduler::core::testing::Killed;
using scheduler::core::testing::Refused;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::ThreadTest;

struct Mode {
    const char* name;
    bool flat;
    bool single_steps;  // run by run_turns(1) instead of run()
};

class Programs : public ThreadTest, public testing::WithParamInterface<Mode> {
  protected:
    Programs() { thread_.flat = GetParam().flat; }
    void run_all() {
        if (!GetParam().single_steps) {
            thread_.run();
            return;
        }
        while (thread_.manager().run_count() > 1) thread_.run_turns(1);
    }
    // What this mode shall have noted.
    std::string expected(const char* nested, const char* flat) {
        return GetParam().flat ? flat : nested;
    }
    void make_yielding() {
        thread_.make("S", [this] { thread_.schedule(); });
    }
};

// SPEC: P-01, R-20, F-01, F-06
TEST_P(Programs, RunFromMainStartsAtTheTasklet) {
    make_noting("1");
    TestTasklet& second = make_noting("2");
    make_noting("3");
    EXPECT_EQ(run_count(), 4U);
    thread_.switch_now(second);
    EXPECT_EQ(log(), expected("2 3", "2 1 3"));
    EXPECT_EQ(run_count(), GetParam().flat ? 1U : 2U);
    run_all();
    EXPECT_EQ(log(), expected("1", ""));
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: P-02, L-02
TEST_P(Programs, RunInsideATasklet) {
    make_noting("1");
    thread_.make("A", [this] {
        TestTasklet& second = make_noting("2");
        make_noting("3");
        make_noting("4");
        thread_.switch_now(second);
    });
    make_noting("5");
    run_all();
    EXPECT_EQ(log(), expected("1 2 3 4 5", "1 2 5 3 4"));
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: P-03
TEST_P(Programs, RunInsideATaskletWithOneThatYields) {
    make_noting("1");
    thread_.make("A", [this] {
        TestTasklet& second = make_noting("2");
        make_yielding();
        make_noting("3");
        thread_.switch_now(second);
    });
    make_noting("4");
    run_all();
    EXPECT_EQ(log(), expected("1 2 3 4", "1 2 4 3"));
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: P-04
TEST_P(Programs, RunTwoLevelsDeep) {
    make_noting("1");
    thread_.make("A", [this] {
        TestTasklet& second = make_noting("2");
        make_yielding();
        thread_.make("B", [this] {
            TestTasklet& third = make_noting("3");
            make_yielding();
            make_noting("4");
            thread_.switch_now(third);
        });
        make_noting("5");
        thread_.switch_now(second);
    });
    make_noting("6");
    run_all();
    EXPECT_EQ(log(), expected("1 2 3 4 5 6", "1 2 6 3 5 4"));
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: F-02, F-06
TEST_P(Programs, CallerGoesOnBehindTheOneItRan) {
    make_noting("r");
    thread_.make("bar", [this] {
        TestTasklet& first = make_noting("d");
        make_noting("c");
        make_noting("m");
        thread_.switch_now(first);
        note("end");
    });
    make_noting("k");
    run_all();
    EXPECT_EQ(log(), expected("r d c m end k", "r d end k c m"));
}

INSTANTIATE_TEST_SUITE_P(Modes, Programs,
                         testing::Values(Mode{"Nested", false, false},
                                         Mode{"NestedSteps", false, true},
                                         Mode{"Flat", true, false}, Mode{"FlatSteps", true, true}),
                         [](const auto& mode) { return mode.param.name; });

class Scheduling : public ThreadTest {};

// SPEC: P-08
TEST_F(Scheduling, RemovedTaskletGoesOnWhenInserted) {
    TestTasklet& nested = thread_.make("N", [&] {
        TestTasklet& self = thread_.current();
        thread_.make("I", [&] { thread_.insert(self); });
        EXPECT_EQ(run_count(), 3U);
        thread_.schedule_remove();
        EXPECT_EQ(run_count(), 2U);
        note("N");
    });
    thread_.switch_now(nested);
    EXPECT_FALSE(nested.scheduled());
    EXPECT_TRUE(nested.paused);
    thread_.run();
    EXPECT_EQ(log(), "N");
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: P-06
TEST_F(Scheduling, SwitchesAreSeenThroughTheDriver) {
    Channel channel;
    thread_.watches = true;
    thread_.make("s", [&] { thread_.send(channel, 1); });
    thread_.make("r", [&] { EXPECT_EQ(thread_.receive(channel), 1); });
    thread_.run();
    EXPECT_EQ(thread_.switches, (std::vector<std::string>{"main>s", "s>main", "main>r", "r>main",
                                                          "main>s", "s>main"}));
}

struct Preference {
    int value;
    const char* when_main_sends;
    const char* when_main_receives;
};

class TransfersOfMain : public ThreadTest, public testing::WithParamInterface<Preference> {
  protected:
    TransfersOfMain() { channel_.set_preference(GetParam().value); }
    Channel channel_;
};

// SPEC: C-20, C-21
TEST_P(TransfersOfMain, SendToAWaitingReceiver) {
    thread_.make("r", [&] { note("r" + std::to_string(thread_.receive(channel_))); });
    thread_.run();
    EXPECT_EQ(channel_.balance(), -1);
    make_noting("x");
    thread_.send(channel_, 7);
    note("sent");
    thread_.run();
    EXPECT_EQ(log(), GetParam().when_main_sends);
    EXPECT_EQ(channel_.balance(), 0);
}

// SPEC: C-20, C-21
TEST_P(TransfersOfMain, ReceiveFromAWaitingSender) {
    thread_.make("s", [&] {
        thread_.send(channel_, 7);
        note("s");
    });
    thread_.run();
    EXPECT_EQ(channel_.balance(), 1);
    make_noting("x");
    EXPECT_EQ(thread_.receive(channel_), 7);
    note("received");
    thread_.run();
    EXPECT_EQ(log(), GetParam().when_main_receives);
    EXPECT_EQ(channel_.balance(), 0);
}

INSTANTIATE_TEST_SUITE_P(Preferences, TransfersOfMain,
                         testing::Values(Preference{-1, "r7 x sent", "received x s"},
                                         Preference{0, "sent x r7", "received x s"},
                                         Preference{1, "sent x r7", "s x received"}),
                         [](const auto& test) {
                             return test.param.value < 0    ? "Receiver"
                                    : test.param.value == 0 ? "Neither"
                                                            : "Sender";
                         });

// SPEC: C-22
TEST_F(Scheduling, BlockedMainGoesOnAfterTheTurnThatServedIt) {
    Channel channel;
    make_noting("a");
    thread_.make("s", [&] {
        thread_.send(channel, 3);
        note("s");
    });
    make_noting("b");
    note(std::to_string(thread_.receive(channel)));
    EXPECT_EQ(thread_.main().get_state(), TaskletState::kRunning);
    thread_.run();
    EXPECT_EQ(log(), "a 3 b s");
}

// SPEC: P-16, R-03
TEST_F(Scheduling, BlockedMainRunsTheQueueBeforeItGivesUp) {
    Channel channel;
    for (const char* name : {"1", "2", "3"}) make_noting(name);
    EXPECT_THROW(thread_.receive(channel), Refused);
    EXPECT_EQ(log(), "1 2 3");
    make_noting("4");
    EXPECT_THROW(thread_.send(channel, 1), Refused);
    EXPECT_EQ(log(), "4");
    EXPECT_EQ(channel.balance(), 0);
    EXPECT_EQ(thread_.main().get_state(), TaskletState::kRunning);
}

// SPEC: P-12
TEST_F(Scheduling, EachValueIsReceivedBeforeTheNextSendReturns) {
    Channel channel;
    TestTasklet& receiver = thread_.make("r", [&] {
        for (int i = 0; i < 10; ++i) EXPECT_EQ(thread_.receive(channel), i);
    });
    thread_.run();
    for (int i = 0; i < 10; ++i) thread_.send(channel, i);
    EXPECT_FALSE(receiver.alive());
}

// SPEC: P-14
TEST_F(Scheduling, NeitherPreferredKeepsTheQueueInOrder) {
    Channel channel;
    channel.set_preference(Channel::kPreferNeither);
    std::string expected;
    for (const char* name : {"1", "2"}) make_noting(name);
    for (int i = 0; i < 3; ++i) {
        thread_.make("s", [&, i] {
            make_noting("ns");
            thread_.send(channel, i);
            note("s" + std::to_string(i));
        });
    }
    for (int i = 0; i < 3; ++i) {
        thread_.make("r", [&, i] {
            make_noting("nr");
            EXPECT_EQ(thread_.receive(channel), i);
            note("r" + std::to_string(i));
        });
    }
    make_noting("3");
    thread_.run();
    EXPECT_EQ(log(), "1 2 r0 r1 r2 3 ns ns ns nr s0 nr s1 nr s2");
}

TEST_F(Scheduling, PingPong) {
    constexpr int kRounds = 5'000;
    Channel there;
    Channel back;
    thread_.make("ping", [&] {
        for (int i = 0; i < kRounds; ++i) {
            thread_.send(there, i);
            EXPECT_EQ(thread_.receive(back), -i);
        }
        note("ping");
    });
    thread_.make("pong", [&] {
        for (int i = 0; i < kRounds; ++i) thread_.send(back, -thread_.receive(there));
        note("pong");
    });
    thread_.run();
    EXPECT_EQ(log(), "ping pong");
    EXPECT_EQ(there.balance(), 0);
    EXPECT_EQ(back.balance(), 0);
}

TEST_F(Scheduling, ThousandTaskletsTakeTurnsInOrder) {
    constexpr int kTasklets = 1'000;
    constexpr int kRounds = 3;
    std::vector<int> order;
    for (int i = 0; i < kTasklets; ++i) {
        thread_.make(std::to_string(i), [&, i] {
            for (int round = 0; round < kRounds; ++round) {
                order.push_back(i);
                thread_.schedule();
            }
        });
    }
    EXPECT_EQ(run_count(), kTasklets + 1U);
    thread_.run();
    std::vector<int> expected;
    for (int k = 0; k < kTasklets * kRounds; ++k) expected.push_back(k % kTasklets);
    EXPECT_EQ(order, expected);
    EXPECT_EQ(thread_.manager().stacks().stats().in_use, 0U);
}

// One stack serves tasklets that follow one another without yielding.
TEST_F(Scheduling, NewTaskletTakesOverTheStackOfOneThatHasEnded) {
    for (int i = 0; i < 100; ++i) make_noting("x");
    thread_.run();
    EXPECT_EQ(thread_.jumps, 1);
    EXPECT_EQ(thread_.manager().stacks().stats().pooled, 1U);
}

// SPEC: R-16, E-20
TEST_F(Scheduling, UncaughtExceptionReachesTheDriverAndEndsItsLoop) {
    make_noting("1");
    TestTasklet& bad = thread_.make("bad", [] { throw std::runtime_error("oops"); });
    make_noting("2");
    EXPECT_THROW(thread_.run(), std::runtime_error);
    EXPECT_EQ(log(), "1");
    EXPECT_FALSE(bad.alive());
    EXPECT_EQ(run_count(), 2U);
    thread_.run();
    EXPECT_EQ(log(), "2");
}

// SPEC: F-04
TEST_F(Scheduling, ExceptionGoesToTheDriverOfTheLoop) {
    const auto body = [this] {
        TestTasklet& bad = thread_.make("bad", [] { throw std::runtime_error("oops"); });
        try {
            thread_.switch_now(bad);
            note("returned");
        } catch (const std::runtime_error&) {
            note("caught");
        }
    };
    thread_.make("nested", body);
    thread_.run();
    EXPECT_EQ(log(), "caught");

    thread_.flat = true;
    thread_.make("flat", body);
    EXPECT_THROW(thread_.run(), std::runtime_error);
    EXPECT_EQ(log(), "");
    thread_.run();
    EXPECT_EQ(log(), "returned");
}

// A rethrow after a yield raises what this stack has caught, not what another one has.
TEST_F(Scheduling, CaughtExceptionStaysOnItsStack) {
    for (int i = 0; i < 3; ++i) {
        thread_.make(std::to_string(i), [this, i] {
            try {
                try {
                    throw std::runtime_error(std::to_string(i));
                } catch (...) {
                    thread_.schedule();
                    EXPECT_EQ(std::uncaught_exceptions(), 0);
                    throw;
                }
            } catch (const std::runtime_error& error) {
                note(error.what());
            }
        });
    }
    thread_.run();
    EXPECT_EQ(log(), "0 1 2");
    EXPECT_EQ(std::current_exception(), nullptr);
}

// SPEC: C-50, E-10
TEST_F(Scheduling, PendingExceptionEndsASuspendedTasklet) {
    TestTasklet& victim = thread_.make("victim", [this] {
        try {
            thread_.schedule_remove();
        } catch (const Killed&) {
            note("unwound");
            throw;
        }
    });
    thread_.run();
    victim.pending = std::make_exception_ptr(Killed{});
    thread_.switch_now(victim);
    EXPECT_EQ(log(), "unwound");
    EXPECT_FALSE(victim.alive());
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: P-22
TEST_F(Scheduling, NewTaskletWithAPendingKillDiesUnborn) {
    TestTasklet& first = make_noting("1");
    make_noting("2");
    make_noting("3");
    first.pending = std::make_exception_ptr(Killed{});
    thread_.switch_now(first);
    EXPECT_EQ(log(), "2 3");
    EXPECT_FALSE(first.alive());
    EXPECT_EQ(first.times_switched_to, 0U);
    EXPECT_EQ(run_count(), 1U);
}

// SPEC
TEST_F(Scheduling, NewTaskletWithAPendingErrorFailsTheLoop) {
    TestTasklet& first = make_noting("1");
    make_noting("2");
    first.pending = std::make_exception_ptr(std::runtime_error("oops"));
    EXPECT_THROW(thread_.run(), std::runtime_error);
    EXPECT_EQ(log(), "");
    EXPECT_FALSE(first.alive());
    EXPECT_EQ(run_count(), 2U);
}

// SPEC: H-05
TEST_F(Scheduling, EndOfTheThreadUnwindsWhatIsLeft) {
    Channel channel;
    int unwound = 0;
    struct Guard {
        int& count;
        ~Guard() { ++count; }
    };
    {
        scheduler::core::testing::TestThread ending;
        ending.make("waiting", [&] {
            const Guard guard{unwound};
            ending.send(channel, 1);
        });
        ending.make("receiving", [&] {
            const Guard guard{unwound};
            Channel other;
            ending.receive(other);
        });
        ending.make("paused", [&] {
            const Guard guard{unwound};
            ending.schedule_remove();
        });
        ending.make("stubborn", [&] {
            const Guard guard{unwound};
            for (int tries = 0; tries < 3; ++tries) {
                try {
                    ending.schedule();
                } catch (const Killed&) {
                    continue;
                }
            }
        });
        ending.run_turns(4);
        EXPECT_EQ(channel.balance(), 1);
        ending.make("new", [&] { ADD_FAILURE() << "nobody starts at the end of a thread"; });
    }
    EXPECT_EQ(unwound, 4);
    EXPECT_EQ(channel.balance(), 0);
}

}  // namespace
