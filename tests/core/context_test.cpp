#include "core/context.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unwind.h>

#include <algorithm>
#include <cfenv>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/stack_pool.h"

namespace {

using scheduler::core::Context;
using scheduler::core::FloatControl;
using scheduler::core::kDefaultStackBytes;
using scheduler::core::Stack;
using scheduler::core::StackPool;
using scheduler::core::StackSpan;

void do_nothing(void* /*argument*/) {}

struct Arrival {
    Context self;
    Context home;
    const void* argument;
};

void note_argument(void* argument) {
    auto& seen = *static_cast<Arrival*>(argument);
    seen.argument = argument;
    Context::finish(seen.self, seen.home);
}

// A tasklet in miniature: `body` runs on a stack of its own and takes turns with the thread's own.
class Strand {
  public:
    using Body = std::function<void(Strand&)>;

    Strand(StackPool& pool, Context& home, Body body)
        : pool_(pool), home_(home), body_(std::move(body)), stack_(pool.acquire()) {
        context_.prepare<&Strand::run>(*stack_, this);
    }
    ~Strand() {
        context_.retire();
        pool_.release(stack_);
    }
    Strand(const Strand&) = delete;
    Strand& operator=(const Strand&) = delete;

    void resume() { Context::switch_to(home_, context_); }
    void go_home() { Context::switch_to(context_, home_); }
    Context& context() { return context_; }
    const StackSpan& span() const { return *stack_; }
    bool is_done() const { return is_done_; }

  private:
    static void run(void* argument) {
        auto& self = *static_cast<Strand*>(argument);
        self.body_(self);
        self.is_done_ = true;
        Context::finish(self.context_, self.home_);
    }

    StackPool& pool_;
    Context& home_;
    Body body_;
    Stack* stack_;
    Context context_;
    bool is_done_ = false;
};

class ContextTest : public testing::Test {
  protected:
    // At the end every stack is back in the pool.
    void TearDown() override { EXPECT_EQ(pool_.stats().in_use, 0U); }

    std::unique_ptr<Strand> start(Strand::Body body) {
        return std::make_unique<Strand>(pool_, home_, std::move(body));
    }

    StackPool pool_;
    Context home_;
};

using ContextDeathTest = ContextTest;

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

TEST_F(ContextTest, RunsItsEntryOnTheStackItWasGiven) {
    std::uintptr_t frame = 0;
    const auto strand = start([&](Strand&) { frame = number(__builtin_frame_address(0)); });
    EXPECT_EQ(frame, 0U);  // prepare() runs nothing
    strand->resume();
    EXPECT_GE(frame, number(strand->span().bottom));
    EXPECT_LT(frame, number(strand->span().split));
    EXPECT_TRUE(strand->is_done());
}

TEST_F(ContextTest, ArgumentReachesTheEntry) {
    Arrival arrival{};
    Stack* const stack = pool_.acquire();
    arrival.self.prepare<note_argument>(*stack, &arrival);
    Context::switch_to(arrival.home, arrival.self);
    EXPECT_EQ(arrival.argument, &arrival);
    arrival.self.retire();
    pool_.release(stack);
}

TEST_F(ContextTest, TellsWhetherItMayBeEntered) {
    const Context empty;
    EXPECT_FALSE(empty.prepared_or_stopped());
    bool self_while_running = true;
    bool home_while_away = false;
    const auto strand = start([&](Strand& self) {
        self_while_running = self.context().prepared_or_stopped();
        home_while_away = home_.prepared_or_stopped();
        self.go_home();
    });
    EXPECT_TRUE(strand->context().prepared_or_stopped());
    strand->resume();
    EXPECT_FALSE(self_while_running);
    EXPECT_TRUE(home_while_away);
    EXPECT_TRUE(strand->context().prepared_or_stopped());
    EXPECT_FALSE(home_.prepared_or_stopped());
    strand->resume();
    EXPECT_FALSE(strand->context().prepared_or_stopped());
}

TEST_F(ContextTest, LocalsSurviveOnBothSides) {
    constexpr int kRounds = 1000;
    const auto strand = start([&](Strand& self) {
        double whole = 0.5;
        std::string text = "s";
        for (int round = 0; round < kRounds; ++round) {
            whole += 1.0;
            text += static_cast<char>('a' + round % 26);
            self.go_home();
        }
        EXPECT_EQ(whole, kRounds + 0.5);
        EXPECT_EQ(text.size(), 1U + kRounds);
    });
    double mine = 0.25;
    int rounds = 0;
    while (!strand->is_done()) {
        mine += 1.0;
        strand->resume();
        ++rounds;
    }
    EXPECT_EQ(rounds, kRounds + 1);
    EXPECT_EQ(mine, kRounds + 1 + 0.25);
}

TEST_F(ContextTest, RoundingModeBelongsToTheStack) {
    ASSERT_EQ(std::fegetround(), FE_TONEAREST);
    const auto strand = start([](Strand& self) {
        EXPECT_EQ(std::fegetround(), FE_TONEAREST);
        std::fesetround(FE_DOWNWARD);
        self.go_home();
        EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    });
    strand->resume();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    strand->resume();
}

// The rounding of both units that x86-64 has: SSE for double, x87 for long double.
std::pair<double, long double> sevenths() {
    const volatile double one = 1;
    const volatile long double long_one = 1;
    return {one / 7, long_one / 7};
}

TEST_F(ContextTest, FloatControlIsAppliedToWhateverRuns) {
    const FloatControl at_first = FloatControl::current();
    const auto nearest = sevenths();
    std::fesetround(FE_UPWARD);
    const FloatControl upward = FloatControl::current();
    const auto above = sevenths();
    EXPECT_GT(above, nearest);
    EXPECT_GT(above.second, nearest.second);

    // Prepared where the rounding is another one.
    const auto strand = start([&](Strand& self) {
        at_first.apply();
        EXPECT_EQ(sevenths(), nearest);
        self.go_home();
        EXPECT_EQ(sevenths(), nearest);
        upward.apply();
        EXPECT_EQ(sevenths(), above);
    });
    strand->resume();
    EXPECT_EQ(sevenths(), above);
    strand->resume();
    at_first.apply();
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

TEST_F(ContextTest, ManyStacksTakeTurnsInAnyOrder) {
    constexpr std::size_t kStrands = 1000;
    constexpr std::size_t kRounds = 5;
    std::vector<std::size_t> turns(kStrands, 0);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < kStrands; ++i) {
        strands.push_back(start([&turns, i](Strand& self) {
            for (std::size_t round = 0; round < kRounds; ++round) {
                EXPECT_EQ(turns[i], round);
                ++turns[i];
                self.go_home();
            }
        }));
    }
    constexpr std::size_t kStride = 7;  // no divisor of kStrands: visits all, out of order
    for (std::size_t round = 0; round < kRounds + 1; ++round) {
        for (std::size_t step = 0; step < kStrands; ++step) {
            strands[step * kStride % kStrands]->resume();
        }
    }
    EXPECT_EQ(std::accumulate(turns.begin(), turns.end(), std::size_t{0}), kStrands * kRounds);
}

TEST_F(ContextTest, StacksSwitchToEachOtherDirectly) {
    std::string log;
    Strand* second_strand = nullptr;
    const auto first = start([&](Strand& self) {
        log += "a";
        Context::switch_to(self.context(), second_strand->context());
        log += "c";
    });
    const auto second = start([&](Strand& self) {
        log += "b";
        Context::switch_to(self.context(), first->context());
        log += "d";
    });
    second_strand = second.get();
    first->resume();
    log += "-";
    second->resume();
    EXPECT_EQ(log, "abc-d");
}

// Uses `bytes` of stack in frames of about 1 KiB; returns a value that depends on all of them.
[[gnu::noinline]] std::size_t dig(std::size_t bytes, std::uintptr_t& lowest) {
    volatile unsigned char frame[1024];
    frame[bytes % sizeof(frame)] = 1;
    // Not the array's address: ASan may keep locals elsewhere.
    lowest = std::min(lowest, number(__builtin_frame_address(0)));
    const std::size_t below = bytes > sizeof(frame) ? dig(bytes - sizeof(frame), lowest) : 0;
    return below + frame[bytes % sizeof(frame)];
}

TEST_F(ContextTest, NearlyAllOfTheStackIsUsable) {
    constexpr std::size_t kBytes = std::size_t{600} << 10;  // sanitizers widen the frames
    std::uintptr_t lowest = UINTPTR_MAX;
    std::size_t frames = 0;
    const auto strand = start([&](Strand&) { frames = dig(kBytes, lowest); });
    strand->resume();
    EXPECT_EQ(frames, kBytes / 1024);
    EXPECT_LE(lowest, number(strand->span().split) - kBytes);
    EXPECT_GE(lowest, number(strand->span().bottom));
}

TEST_F(ContextTest, ExceptionsAreCaughtOnTheirOwnStack) {
    const auto fail = [](Strand& self, const char* text) {
        struct Witness {
            bool& gone;
            ~Witness() { gone = true; }
        };
        for (int round = 0; round < 3; ++round) {
            bool gone = false;
            try {
                const Witness witness{gone};
                self.go_home();  // the other one throws meanwhile
                throw std::runtime_error(text);
            } catch (const std::runtime_error& error) {
                EXPECT_TRUE(gone);
                EXPECT_STREQ(error.what(), text);
            }
            self.go_home();
        }
    };
    const auto first = start([&](Strand& self) { fail(self, "first"); });
    const auto second = start([&](Strand& self) { fail(self, "second"); });
    while (!first->is_done() || !second->is_done()) {
        first->resume();
        second->resume();
    }
}

TEST_F(ContextTest, FinishedStackIsRecycled) {
    Stack* first_stack = pool_.acquire();
    pool_.release(first_stack);
    for (int round = 0; round < 500; ++round) {
        int result = 0;
        const auto strand = start([&](Strand& self) {
            const int value = round;
            self.go_home();
            result = value + 1;
        });
        EXPECT_EQ(&strand->span(), first_stack);
        strand->resume();
        strand->resume();
        EXPECT_EQ(result, round + 1);
        EXPECT_TRUE(strand->is_done());
    }
}

TEST_F(ContextTest, OneThatFinishesMayGoOnWithOneThatHasNotStarted) {
    std::string log;
    Strand* next = nullptr;
    const auto first = start([&](Strand& self) {
        log += "a";
        Context::finish(self.context(), next->context());
    });
    const auto second = start([&](Strand&) { log += "b"; });
    next = second.get();
    first->resume();
    EXPECT_EQ(log, "ab");
    EXPECT_FALSE(first->context().prepared_or_stopped());
}

// A stack dropped in the middle leaves its frames as they were. Whoever gets it next starts clean
// (under ASan that means: without the red zones of the frames before).
TEST_F(ContextTest, DroppedStackCanBeUsedAgain) {
    const StackSpan* dropped = nullptr;
    {
        const auto strand = start([](Strand& self) {
            volatile char frame[4096];
            frame[0] = 1;
            self.go_home();
            frame[1] = frame[0];
        });
        strand->resume();
        dropped = &strand->span();
    }
    std::uintptr_t lowest = UINTPTR_MAX;
    const auto strand = start([&](Strand&) { dig(16384, lowest); });
    ASSERT_EQ(&strand->span(), dropped);
    strand->resume();
    EXPECT_TRUE(strand->is_done());
}

// One stack runs a list of tasklets one after another without a jump, as the entry function of the
// scheduler does.
struct Relay {
    struct Runner {
        Context context;
        bool goes_home_in_between = false;
        std::uintptr_t frame = 0;
    };

    Context home;
    std::vector<std::unique_ptr<Runner>> runners;
    std::vector<int> log;

    static void run(void* argument) {
        auto& relay = *static_cast<Relay*>(argument);
        Runner* current = relay.runners.front().get();
        for (std::size_t i = 0;; ++i) {
            current->frame = number(__builtin_frame_address(0));
            relay.log.push_back(static_cast<int>(i));
            if (current->goes_home_in_between) {
                Context::switch_to(current->context, relay.home);
                relay.log.push_back(static_cast<int>(i) + 100);
            }
            if (i + 1 == relay.runners.size()) {
                Context::finish(current->context, relay.home);
            }
            Runner* const next = relay.runners[i + 1].get();
            Context::adopt(current->context, next->context);
            current = next;
        }
    }
};

TEST_F(ContextTest, AdoptedStackRunsOneTaskletAfterAnother) {
    Relay relay;
    for (const bool goes_home : {false, true, false, true}) {
        relay.runners.push_back(std::make_unique<Relay::Runner>());
        relay.runners.back()->goes_home_in_between = goes_home;
    }
    Stack* const stack = pool_.acquire();
    relay.runners.front()->context.prepare<&Relay::run>(*stack, &relay);

    Context::switch_to(relay.home, relay.runners[0]->context);
    EXPECT_EQ(relay.log, (std::vector<int>{0, 1}));
    EXPECT_FALSE(relay.runners[0]->context.prepared_or_stopped());
    EXPECT_TRUE(relay.runners[1]->context.prepared_or_stopped());

    Context::switch_to(relay.home, relay.runners[1]->context);
    EXPECT_EQ(relay.log, (std::vector<int>{0, 1, 101, 2, 3}));
    EXPECT_FALSE(relay.runners[1]->context.prepared_or_stopped());

    Context::switch_to(relay.home, relay.runners[3]->context);
    EXPECT_EQ(relay.log, (std::vector<int>{0, 1, 101, 2, 3, 103}));
    for (const auto& runner : relay.runners) {
        EXPECT_FALSE(runner->context.prepared_or_stopped());
        EXPECT_EQ(runner->frame, relay.runners.front()->frame);
    }
    relay.runners.back()->context.retire();
    pool_.release(stack);
}

// How many frames an unwinder sees from here outward; -1 when it does not find an end.
int count_frames() {
    int count = 0;
    const auto result = _Unwind_Backtrace(
        [](_Unwind_Context*, void* counter) {
            ++*static_cast<int*>(counter);
            return *static_cast<int*>(counter) < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
        },
        &count);
    return result == _URC_END_OF_STACK ? count : -1;
}

TEST_F(ContextTest, BacktraceEndsAtTheFirstFrame) {
    int frames = 0;
    const auto strand = start([&](Strand&) { frames = count_frames(); });
    strand->resume();
    EXPECT_GT(frames, 1);
    EXPECT_LT(frames, 30);
}

// What CPython does to a daemon thread at the interpreter's end. Not under sanitizers: TSan aborts
// in pthread_exit() on any stack but the thread's first, and ASan takes the frames that are dropped
// on that one for live ones.
#if !defined(SCHED_ASAN) && !defined(SCHED_TSAN)
TEST_F(ContextTest, ThreadMayExitOnAnyStack) {
    struct Exit {
        StackPool pool;
        Context home;
        std::unique_ptr<Strand> strand;
        bool was_unwound = false;
        bool came_back = false;
    } state;
    pthread_t thread{};
    const auto thread_main = [](void* argument) -> void* {
        auto& dying = *static_cast<Exit*>(argument);
        dying.strand = std::make_unique<Strand>(dying.pool, dying.home, [&dying](Strand&) {
            struct Witness {
                bool& was_unwound;
                ~Witness() { was_unwound = true; }
            };
            const Witness witness{dying.was_unwound};
            pthread_exit(&dying);
        });
        dying.strand->resume();
        dying.came_back = true;
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, nullptr, thread_main, &state), 0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, &state);
    EXPECT_TRUE(state.was_unwound);
    EXPECT_FALSE(state.came_back);
}
#endif

TEST_F(ContextTest, ThreadsSwitchTheirOwnStacksAtTheSameTime) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 2000;
    std::vector<int> counts(kThreads, 0);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&count = counts[static_cast<std::size_t>(i)]] {
            StackPool pool;
            Context home;
            Strand strand(pool, home, [&count](Strand& self) {
                for (int round = 0; round < kRounds; ++round) {
                    ++count;
                    self.go_home();
                }
            });
            while (!strand.is_done()) {
                strand.resume();
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(counts, std::vector<int>(kThreads, kRounds));
}

TEST_F(ContextDeathTest, SwitchToAnEmptyContext) {
    Context empty;
    EXPECT_DEATH(Context::switch_to(home_, empty), "running or has ended");
}

TEST_F(ContextDeathTest, SwitchToAFinishedContext) {
    const auto strand = start([](Strand&) {});
    strand->resume();
    EXPECT_DEATH(strand->resume(), "running or has ended");
}

TEST_F(ContextDeathTest, PrepareOfAStackThatHasYetToRun) {
    const auto strand = start([](Strand&) {});
    EXPECT_DEATH(strand->context().prepare<do_nothing>(strand->span(), nullptr),
                 "has yet to go on");
}

TEST_F(ContextDeathTest, AdoptForAContextThatHasAStack) {
    const auto strand = start([](Strand&) {});
    EXPECT_DEATH(Context::adopt(home_, strand->context()), "has a stack");
}

TEST_F(ContextDeathTest, EntryThatReturns) {
    Context context;
    Stack* const stack = pool_.acquire();
    context.prepare<do_nothing>(*stack, nullptr);
    EXPECT_DEATH(Context::switch_to(home_, context), "entry function of a stack returned");
    context.retire();
    pool_.release(stack);
}

TEST_F(ContextDeathTest, ExceptionThatLeavesTheEntry) {
    const auto strand = start([](Strand&) { throw std::runtime_error("nobody's"); });
    EXPECT_DEATH(strand->resume(), "nobody's");
}

TEST_F(ContextDeathTest, StackOverflowHitsTheGuard) {
    const auto strand = start([](Strand&) {
        std::uintptr_t lowest = UINTPTR_MAX;
        dig(kDefaultStackBytes, lowest);
    });
    EXPECT_DEATH(strand->resume(), "");
}

}  // namespace
