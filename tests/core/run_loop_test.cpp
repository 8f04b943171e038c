// Run loops: what they hand out, where they end, and what ends them early.

#include "core/run_loop.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::RunLimit;
using scheduler::core::RunLoop;
using scheduler::core::Tasklet;
using scheduler::core::Turn;
using scheduler::core::testing::Killed;
using scheduler::core::testing::Refused;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::ThreadTest;
using std::chrono::hours;
using std::chrono::nanoseconds;

// ---- limits ------------------------------------------------------------------------------------

TEST(RunLimit, NoneNeverRunsOut) {
    RunLimit limit;
    for (int i = 0; i < 1'000; ++i) limit.charge_turn();
    EXPECT_FALSE(limit.has_run_out());
}

// SPEC: L-01
TEST(RunLimit, CountsTurns) {
    RunLimit limit;
    limit.set_turns(3);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(limit.has_run_out());
        limit.charge_turn();
    }
    EXPECT_TRUE(limit.has_run_out());
    limit.clear();
    EXPECT_FALSE(limit.has_run_out());
}

// SPEC: L-04, DEC-9
TEST(RunLimit, TimeLetsAtLeastOneTurnThrough) {
    RunLimit limit;
    limit.set_time(nanoseconds(0));
    EXPECT_FALSE(limit.has_run_out());
    limit.charge_turn();
    EXPECT_TRUE(limit.has_run_out());
    limit.set_time(nanoseconds(0));  // a second run starts afresh
    EXPECT_FALSE(limit.has_run_out());
}

// SPEC: L-04, 18-15
TEST(RunLimit, LenientTimeEndsWithTheSecondTurnThatFindsItPassed) {
    RunLimit limit;
    limit.set_lenient_time(hours(1));
    for (int i = 0; i < 3; ++i) limit.charge_turn();
    EXPECT_FALSE(limit.has_run_out());
    for (int run = 0; run < 2; ++run) {  // the second one starts afresh
        limit.set_lenient_time(nanoseconds(0));
        EXPECT_FALSE(limit.has_run_out());
        limit.charge_turn();
        EXPECT_FALSE(limit.has_run_out());
        limit.charge_turn();
        EXPECT_TRUE(limit.has_run_out());
    }
}

// SPEC: L-04
TEST(RunLimit, TimeRunsOutByTheClock) {
    RunLimit limit;
    limit.set_time(hours(1));
    limit.charge_turn();
    EXPECT_FALSE(limit.has_run_out());
    const auto duration = std::chrono::milliseconds(1);
    limit.set_time(duration);
    limit.charge_turn();
    const auto started = RunLimit::Clock::now();
    while (RunLimit::Clock::now() - started <= duration) {
    }
    EXPECT_TRUE(limit.has_run_out());
}

// ---- loops -------------------------------------------------------------------------------------

class RunLoops : public ThreadTest {};

// SPEC
TEST_F(RunLoops, MainDrivesUntilTheQueueIsEmpty) {
    make_noting("1");
    thread_.make("2", [this] {
        note("2");
        thread_.schedule();
        make_noting("4");
        note("2again");
    });
    make_noting("3");
    thread_.run();
    EXPECT_EQ(log(), "1 2 3 2again 4");
    EXPECT_EQ(run_count(), 1U);
    thread_.run();
    EXPECT_EQ(log(), "");
}

// SPEC, S-04
TEST_F(RunLoops, TaskletDrivesWhatStandsBehindIt) {
    thread_.make("1", [this] {
        thread_.schedule();
        note("1again");
    });
    thread_.make("driver", [this] {
        EXPECT_EQ(run_count(), 4U);  // main, itself, 3 and the first one, which has been requeued
        thread_.run();
        EXPECT_EQ(run_count(), 2U);
        note("driver");
    });
    make_noting("3");
    thread_.run();
    EXPECT_EQ(log(), "3 1again driver");
}

// SPEC: R-13
TEST_F(RunLoops, NestedRunLeavesWhatStandsBeforeIt) {
    TestTasklet& before = make_noting("before");
    TestTasklet& driver = thread_.make("driver", [this] {
        thread_.run();
        note("driver");
    });
    make_noting("behind");
    thread_.switch_now(driver);
    EXPECT_EQ(log(), "behind driver");
    EXPECT_TRUE(before.queued());
}

// SPEC: R-14, T-28
TEST_F(RunLoops, LoopFromATaskletEndsWithTheLastEntryOfItsStart) {
    make_noting("0");
    TestTasklet& first = thread_.make("1", [this] {
        note("1");
        make_noting("later");
        thread_.schedule();
        note("1again");
    });
    make_noting("2");
    thread_.switch_now(first);
    EXPECT_EQ(log(), "1 2");
    EXPECT_EQ(run_count(), 4U);
    thread_.run();
    EXPECT_EQ(log(), "0 later 1again");
}

// SPEC: R-14
TEST_F(RunLoops, LoopWhoseLastEntryHasGoneRunsToTheEnd) {
    TestTasklet* last = nullptr;
    TestTasklet& first = thread_.make("1", [&] {
        note("1");
        thread_.remove(*last);
        make_noting("later");
    });
    last = &make_noting("2");
    thread_.switch_now(first);
    EXPECT_EQ(log(), "1 later");
    EXPECT_EQ(run_count(), 1U);
}

// The record must not be mistaken for a new tasklet at the same address.
// SPEC: R-14
TEST_F(RunLoops, LoopWhoseLastEntryIsDestroyedRunsToTheEnd) {
    TestTasklet* last = nullptr;
    TestTasklet& first = thread_.make("1", [&] {
        EXPECT_EQ(last->loop_marks, 1U);
        thread_.remove(*last);
        thread_.destroy(*last);
        EXPECT_EQ(thread_.manager().loop()->last, nullptr);
        make_noting("later");
    });
    last = &make_noting("2");
    thread_.switch_now(first);
    EXPECT_EQ(log(), "later");
    EXPECT_EQ(run_count(), 1U);
}

// SPEC: R-14: queue [a, b, c]; main runs b, and b runs a, which leaves the queue.
TEST_F(RunLoops, LoopWhoseAnchorHasGoneEndsEarly) {
    TestTasklet& a = make_noting("a");
    TestTasklet& b = thread_.make("b", [&] {
        thread_.remove(a);
        note("b");
    });
    TestTasklet& c = make_noting("c");
    thread_.switch_now(b);
    EXPECT_EQ(log(), "b");
    EXPECT_TRUE(c.queued());
    EXPECT_EQ(a.loop_marks, 0U);
    thread_.run();
    EXPECT_EQ(log(), "c");
}

// SPEC: R-14, G-08
TEST_F(RunLoops, LoopWhoseAnchorIsDestroyedEndsEarly) {
    TestTasklet& a = make_noting("a");
    TestTasklet& b = thread_.make("b", [&] {
        EXPECT_EQ(a.loop_marks, 1U);
        thread_.remove(a);
        thread_.destroy(a);
        EXPECT_EQ(thread_.manager().loop()->anchor, nullptr);
        note("b");
    });
    TestTasklet& c = make_noting("c");
    thread_.switch_now(b);
    EXPECT_EQ(log(), "b");
    EXPECT_TRUE(c.queued());
}

// One tasklet is the anchor of two nested loops and the last entry of both.
TEST_F(RunLoops, ForgetFindsEveryLoop) {
    TestTasklet& victim = thread_.make_paused("victim", [] {});
    RunLoop outer;
    RunLoop inner;
    thread_.manager().open_loop(outer, nullptr);
    thread_.manager().open_loop(inner, nullptr);
    for (RunLoop* loop : {&outer, &inner}) {
        loop->anchor = loop->last = &victim;
        victim.loop_marks += 2;
    }
    thread_.destroy(victim);
    for (RunLoop* loop : {&inner, &outer}) {
        EXPECT_EQ(loop->anchor, nullptr);
        EXPECT_EQ(loop->last, nullptr);
        EXPECT_EQ(thread_.manager().next_turn().kind, Turn::Kind::kLoopEnds);
        thread_.manager().close_loop(*loop);
    }
}

TEST_F(RunLoops, MarksAreGoneWhenLoopsHaveEnded) {
    TestTasklet& first = make_noting("1");
    TestTasklet& second = make_noting("2");
    TestTasklet& third = make_noting("3");
    thread_.switch_now(second);
    for (const TestTasklet* tasklet : {&first, &second, &third}) {
        EXPECT_EQ(tasklet->loop_marks, 0U);
        EXPECT_EQ(tasklet->driving, 0U);
    }
    EXPECT_EQ(thread_.main().driving, 0U);
    EXPECT_EQ(thread_.manager().loop(), nullptr);
}

// SPEC: R-10
TEST_F(RunLoops, ReachingAnAncestorFails) {
    TestTasklet& a = thread_.make("a", [this] {
        TestTasklet& self = thread_.current();
        TestTasklet& b = thread_.make("b", [&] {
            EXPECT_TRUE(self.has_turn());
            EXPECT_THROW(thread_.switch_now(self), Refused);
            note("b");
        });
        thread_.switch_now(b);
        note("a");
    });
    thread_.switch_now(a);
    EXPECT_EQ(log(), "b a");
    EXPECT_EQ(run_count(), 1U);
}

// SPEC, B-20
TEST_F(RunLoops, TrapRefusesTheTurnAndLeavesTheTaskletQueued) {
    make_noting("1");
    thread_.manager().set_trap_level(1);
    EXPECT_THROW(thread_.run(), Refused);
    EXPECT_EQ(run_count(), 2U);
    thread_.manager().set_trap_level(0);
    thread_.run();
    EXPECT_EQ(log(), "1");
}

// SPEC: L-01, L-02
TEST_F(RunLoops, OnlyTurnsFromMainAreCounted) {
    thread_.make("driver", [this] {
        TestTasklet& first = make_noting("1");
        make_noting("2");
        thread_.switch_now(first);
        note("driver");
    });
    make_noting("3");
    thread_.run_turns(1);
    EXPECT_EQ(log(), "1 2 driver");
    EXPECT_EQ(run_count(), 2U);
    thread_.run_turns(5);
    EXPECT_EQ(log(), "3");
}

// SPEC: L-04
TEST_F(RunLoops, TinyTimeLimitAlwaysMakesProgress) {
    for (int i = 3; i > 0; --i) make_noting(std::to_string(i));
    for (std::size_t left = 3; left > 0; --left) {
        EXPECT_EQ(run_count(), left + 1);
        thread_.manager().limit().set_time(nanoseconds(0));
        thread_.run();
    }
    thread_.manager().limit().clear();
    EXPECT_EQ(log(), "3 2 1");
}

// SPEC: C-22
TEST_F(RunLoops, LoopOfABlockedMainEndsWithTheTurnThatServesIt) {
    Channel channel;
    channel.set_preference(Channel::kPreferNeither);
    thread_.make("s", [&] {
        EXPECT_TRUE(thread_.manager().loop()->waking);
        thread_.send(channel, 1);
        note("s");
    });
    make_noting("x");
    EXPECT_EQ(thread_.receive(channel), 1);
    EXPECT_EQ(log(), "s");
    EXPECT_EQ(run_count(), 2U);
}

// The exception of an inner loop is for its own driver, and the outer loop goes on.
// SPEC: R-16
TEST_F(RunLoops, FailureEndsTheInnermostLoopOnly) {
    thread_.make("driver", [this] {
        TestTasklet& bad = thread_.make("bad", [] { throw Refused("on purpose"); });
        make_noting("skipped");
        EXPECT_THROW(thread_.switch_now(bad), Refused);
        EXPECT_FALSE(thread_.manager().loop()->failed);
        note("driver");
    });
    make_noting("next");
    thread_.run();
    EXPECT_EQ(log(), "driver next skipped");
}

TEST_F(RunLoops, NestFiftyDeep) {
    std::function<void(int)> descend = [&](int depth) {
        if (depth == 0) return;
        thread_.switch_now(thread_.make("nested", [&, depth] { descend(depth - 1); }));
        note(std::to_string(depth));
    };
    descend(50);
    std::string expected;
    for (int depth = 1; depth <= 50; ++depth) {
        if (depth > 1) expected += ' ';
        expected += std::to_string(depth);
    }
    EXPECT_EQ(log(), expected);
    EXPECT_EQ(run_count(), 1U);
}

// ---- unwinding ---------------------------------------------------------------------------------

// SPEC: DEC-8
TEST_F(RunLoops, UnwindingGivesTurnsToTheVictimAlone) {
    TestTasklet& victim = thread_.make("victim", [this] {
        try {
            thread_.schedule_remove();
        } catch (const Killed&) {
            note("unwound");
            throw;
        }
        note("not reached");
    });
    thread_.run();
    make_noting("x");
    const std::uint64_t turns = victim.times_switched_to;
    thread_.unwind(victim);
    EXPECT_EQ(log(), "unwound");
    EXPECT_FALSE(victim.alive());
    EXPECT_EQ(victim.times_switched_to, turns) << "is no turn as a program counts them";
    EXPECT_EQ(run_count(), 2U);
}

// A victim is in no queue: what it runs itself has a driver without a place.
// SPEC: DEC-8, F-02
TEST_F(RunLoops, UnwoundTaskletMayRunAnotherOne) {
    for (const bool flat : {false, true}) {
        thread_.flat = flat;
        TestTasklet& victim = thread_.make("victim", [this] {
            try {
                thread_.schedule_remove();
            } catch (...) {
                thread_.switch_now(thread_.make("t", [this] {
                    note("t");
                    thread_.switch_now(make_noting("u"));
                    note("tagain");
                }));
                throw;
            }
        });
        thread_.run();
        thread_.unwind(victim);
        EXPECT_FALSE(victim.alive());
        thread_.run();
        EXPECT_EQ(log(), "t u tagain");
    }
}

}  // namespace
