// ScheduleManager::pass_turn() does what end_turn(), next_turn() and begin_turn() do.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::TestThread;

// What a program did, step by step, and the books at its end.
struct Outcome {
    std::string log;
    int passed = 0;
};

// A program by chance: tasklets that yield, leave the queue, insert each other, meet at channels, and
// run loops of their own. The same for the same seed.
Outcome run_program(unsigned seed, bool passes_turns) {
    constexpr int kTasklets = 6;
    constexpr int kSteps = 30;
    TestThread thread;
    thread.passes_turns = passes_turns;
    Channel channel;
    channel.set_preference(static_cast<int>(seed % 3) - 1);
    std::mt19937 random(seed);
    std::vector<TestTasklet*> tasklets;
    Outcome result;
    const auto step = [&](TestTasklet& self) {
        result.log += self.name + std::to_string(self.paused) + " ";
        TestTasklet& other = *tasklets[random() % kTasklets];
        switch (random() % 10) {
            case 0:
                if (other.alive() && !other.blocked() && !other.has_turn()) thread.insert(other);
                break;
            case 1:
                thread.run();
                break;
            case 2:
                // Somebody shall be left to wake the others.
                if (thread.manager().run_count() > 3) thread.schedule_remove();
                break;
            case 3:
            case 4:
                if (channel.balance() < 0 || thread.manager().run_count() > 3) {
                    thread.send(channel, 1);
                }
                break;
            case 5:
            case 6:
                if (channel.balance() > 0 || thread.manager().run_count() > 3) {
                    static_cast<void>(thread.receive(channel));
                }
                break;
            default:
                thread.schedule();
        }
    };
    for (int i = 0; i < kTasklets; ++i) {
        tasklets.push_back(&thread.make(std::string(1, static_cast<char>('a' + i)), [&, i] {
            for (int n = 0; n < kSteps; ++n) step(*tasklets[static_cast<std::size_t>(i)]);
        }));
    }
    for (int round = 0; round < 10; ++round) {
        if (seed % 2 == 0) {
            thread.run();
        } else {
            thread.run_turns(7);
        }
        result.log += "| ";
    }
    const auto& manager = thread.manager();
    result.log += std::to_string(manager.completed()) + " of " + std::to_string(manager.switched());
    for (const TestTasklet* tasklet : tasklets) {
        result.log += " " + std::to_string(tasklet->times_switched_to) +
                      std::to_string(tasklet->paused) + std::to_string(tasklet->insert_again);
    }
    result.log += " " + std::to_string(thread.main().times_switched_to);
    result.passed = thread.passed;
    return result;
}

TEST(PassTurn, DoesWhatItsThreeStepsDo) {
    int passed = 0;
    for (unsigned seed = 0; seed < 300; ++seed) {
        const Outcome at_once = run_program(seed, true);
        EXPECT_EQ(at_once.log, run_program(seed, false).log) << "seed " << seed;
        passed += at_once.passed;
    }
    EXPECT_GT(passed, 300);
}

}  // namespace
