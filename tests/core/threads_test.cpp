// Several threads, each with its manager, at work at the same time: only the core's own
// locks stand between them. A thread with nothing to do looks at its mail until there is some.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::testing::Killed;
using scheduler::core::testing::TestTasklet;
using scheduler::core::testing::TestThread;
namespace mail = scheduler::core::mail;

// Runs all tasklets of the calling thread, and those that other threads wake, to their end.
void run_until(TestThread& thread, const std::function<bool()>& done) {
    for (;;) {
        thread.read_mail();
        thread.run();
        if (done()) return;
        if (!thread.manager().has_mail()) std::this_thread::yield();
    }
}

void run_to_the_end(TestThread& thread, const std::vector<TestTasklet*>& tasklets) {
    run_until(thread, [&] {
        for (const TestTasklet* tasklet : tasklets) {
            if (tasklet->alive()) return false;
        }
        return true;
    });
}

// Starts all threads at once, and waits for their end.
void run_threads(const std::vector<std::function<void()>>& bodies) {
    std::latch start(static_cast<std::ptrdiff_t>(bodies.size()));
    std::vector<std::thread> threads;
    for (const auto& body : bodies) {
        threads.emplace_back([&start, &body] {
            start.arrive_and_wait();
            body();
        });
    }
    for (auto& thread : threads) thread.join();
}

// How often each value has arrived.
class Arrivals {
  public:
    explicit Arrivals(int values) : counts_(static_cast<std::size_t>(values)) {}
    void note(int value) { ++counts_.at(static_cast<std::size_t>(value)); }
    void expect_each(int times) const {
        for (std::size_t i = 0; i < counts_.size(); ++i) EXPECT_EQ(counts_[i], times) << i;
    }

  private:
    std::vector<std::atomic<int>> counts_;
};

class AcrossThreads : public testing::TestWithParam<int> {};

// SPEC: H-02, C-02, C-14
TEST_P(AcrossThreads, EveryValueArrivesOnce) {
    constexpr int kThreads = 2;  // of senders, and as many of receivers
    constexpr int kTasklets = 4;
    constexpr int kValues = 250;
    Channel channel;
    channel.set_preference(GetParam());
    Arrivals arrivals(kThreads * kTasklets * kValues);
    std::vector<std::function<void()>> bodies;
    for (int i = 0; i < kThreads; ++i) {
        bodies.emplace_back([&, i] {
            TestThread thread;
            std::vector<TestTasklet*> tasklets;
            for (int t = 0; t < kTasklets; ++t) {
                tasklets.push_back(&thread.make("sender", [&, t] {
                    const int first = (i * kTasklets + t) * kValues;
                    for (int k = 0; k < kValues; ++k) thread.send(channel, first + k);
                }));
            }
            run_to_the_end(thread, tasklets);
        });
        bodies.emplace_back([&] {
            TestThread thread;
            std::vector<TestTasklet*> tasklets;
            for (int t = 0; t < kTasklets; ++t) {
                tasklets.push_back(&thread.make("receiver", [&] {
                    for (int k = 0; k < kValues; ++k) arrivals.note(thread.receive(channel));
                }));
            }
            run_to_the_end(thread, tasklets);
        });
    }
    run_threads(bodies);
    arrivals.expect_each(1);
    EXPECT_EQ(channel.balance(), 0);
}

// Each side waits for the other at every step, so that each transfer is one wake-up by mail.
// SPEC: H-02
TEST_P(AcrossThreads, PingPong) {
    constexpr int kRounds = 500;
    Channel there;
    Channel back;
    there.set_preference(GetParam());
    back.set_preference(GetParam());
    const auto ping = [&] {
        TestThread thread;
        run_to_the_end(thread, {&thread.make("ping", [&] {
                           for (int i = 0; i < kRounds; ++i) {
                               thread.send(there, i);
                               EXPECT_EQ(thread.receive(back), i + 1);
                           }
                       })});
    };
    const auto pong = [&] {
        TestThread thread;
        run_to_the_end(thread, {&thread.make("pong", [&] {
                           for (int i = 0; i < kRounds; ++i) {
                               thread.send(back, thread.receive(there) + 1);
                           }
                       })});
    };
    run_threads({ping, pong});
    EXPECT_EQ(there.balance(), 0);
    EXPECT_EQ(back.balance(), 0);
}

INSTANTIATE_TEST_SUITE_P(Preferences, AcrossThreads, testing::Values(-1, 0, 1),
                         [](const auto& test) {
                             return test.param < 0    ? "Receiver"
                                    : test.param == 0 ? "Neither"
                                                      : "Sender";
                         });

// A blocked main is served by another thread while a tasklet of its own keeps yielding.
// SPEC: H-03, C-22
TEST(Threads, BlockedMainIsServedWhileItsTaskletsRun) {
    constexpr int kRounds = 300;
    Channel channel;
    channel.set_preference(Channel::kPreferNeither);
    const auto receiver = [&] {
        TestThread thread;
        bool stop = false;
        thread.make("busy", [&] {
            while (!stop) thread.schedule();
        });
        for (int i = 0; i < kRounds; ++i) EXPECT_EQ(thread.receive(channel), i);
        stop = true;
        thread.run();
    };
    const auto sender = [&] {
        TestThread thread;
        run_to_the_end(thread, {&thread.make("sender", [&] {
                           for (int i = 0; i < kRounds; ++i) thread.send(channel, i);
                       })});
    };
    run_threads({receiver, sender});
    EXPECT_EQ(channel.balance(), 0);
}

// Each waiting receiver either gets a value or is cancelled, never both and never neither.
// SPEC: C-53, DEC-2
TEST(Threads, EvictAgainstMatch) {
    constexpr int kReceivers = 8;
    for (int round = 0; round < 60; ++round) {
        Channel channel;
        channel.set_preference(round % 2 == 0 ? Channel::kPreferNeither : Channel::kPreferReceiver);
        std::array<TestTasklet*, kReceivers> receivers{};
        std::latch all_wait(3);
        std::latch all_over(3);
        std::atomic<int> received{0};
        std::atomic<int> killed{0};
        int sent = 0;
        int cancelled = 0;
        const auto owner = [&] {
            TestThread thread;
            for (TestTasklet*& receiver : receivers) {
                receiver = &thread.make("receiver", [&] {
                    try {
                        thread.receive(channel);
                        ++received;
                    } catch (const Killed&) {
                        ++killed;
                    }
                });
            }
            thread.run();
            all_wait.arrive_and_wait();
            run_to_the_end(thread, {receivers.begin(), receivers.end()});
            all_over.arrive_and_wait();  // the others may look at the tasklets until then
        };
        const auto sender = [&] {
            TestThread thread;
            all_wait.arrive_and_wait();
            for (int i = 0; i < kReceivers / 2; ++i) {
                thread.main().parcel = scheduler::core::testing::make_parcel(i);
                const auto match =
                    channel.rendezvous(scheduler::core::Direction::kSend, thread.main(), false);
                if (match.result == scheduler::core::RendezvousResult::kMatchedRemote) ++sent;
                scheduler::core::testing::drop_parcel(thread.main().parcel);
            }
            all_over.arrive_and_wait();
        };
        const auto killer = [&] {
            all_wait.arrive_and_wait();
            while (cancelled + kReceivers / 2 < kReceivers) {
                for (TestTasklet* receiver : receivers) {
                    if (cancelled + kReceivers / 2 == kReceivers) break;
                    receiver->posted.put({receiver, true});
                    if (channel.cancel_remote_wait(*receiver)) ++cancelled;
                }
            }
            all_over.arrive_and_wait();
        };
        run_threads({owner, sender, killer});
        EXPECT_EQ(sent, kReceivers / 2);
        EXPECT_EQ(received, sent);
        EXPECT_EQ(killed, cancelled);
        EXPECT_EQ(channel.balance(), 0);
    }
}

// Requests of other threads come while the tasklet is being handed from line to queue.
// SPEC: H-01, DEC-1
TEST(Threads, PostAgainstMatch) {
    constexpr int kValues = 1'000;
    Channel channel;
    TestTasklet* receiver = nullptr;
    std::latch made(3);
    std::atomic<bool> over{false};
    std::latch left(3);
    const auto owner = [&] {
        TestThread thread;
        receiver = &thread.make("receiver", [&] {
            for (int i = 0; i < kValues; ++i) EXPECT_EQ(thread.receive(channel), i);
        });
        made.arrive_and_wait();
        run_to_the_end(thread, {receiver});
        over = true;
        left.arrive_and_wait();
    };
    const auto sender = [&] {
        TestThread thread;
        made.arrive_and_wait();
        run_to_the_end(thread, {&thread.make("sender", [&] {
                           for (int i = 0; i < kValues; ++i) thread.send(channel, i);
                       })});
        left.arrive_and_wait();
    };
    const auto poster = [&] {
        made.arrive_and_wait();
        while (!over) {
            receiver->manager->post(*receiver, mail::kInsert);
            std::this_thread::yield();
        }
        left.arrive_and_wait();
    };
    run_threads({owner, sender, poster});
    EXPECT_EQ(channel.balance(), 0);
}

// A thread ends while others send to its waiting tasklets: a value is either received or stays with
// its sender, and everybody comes back.
// SPEC: H-05
TEST(Threads, EndOfAThreadAgainstMatch) {
    constexpr int kReceivers = 8;
    for (int round = 0; round < 60; ++round) {
        Channel channel;
        std::latch all_wait(2);
        std::atomic<int> unwound{0};
        int sent = 0;
        const auto owner = [&] {
            TestThread thread;
            for (int i = 0; i < kReceivers; ++i) {
                thread.make("receiver", [&] {
                    try {
                        thread.receive(channel);
                    } catch (const Killed&) {
                        ++unwound;
                        throw;
                    }
                });
            }
            thread.run();
            all_wait.arrive_and_wait();
        };
        const auto sender = [&] {
            TestThread thread;
            all_wait.arrive_and_wait();
            for (int i = 0; i < kReceivers; ++i) {
                thread.main().parcel = scheduler::core::testing::make_parcel(i);
                const auto match =
                    channel.rendezvous(scheduler::core::Direction::kSend, thread.main(), false);
                if (match.result == scheduler::core::RendezvousResult::kMatchedRemote) ++sent;
                scheduler::core::testing::drop_parcel(thread.main().parcel);
            }
        };
        run_threads({owner, sender});
        EXPECT_EQ(unwound, kReceivers) << "served or not, none has an ordinary turn any more";
        EXPECT_LE(sent, kReceivers);
        EXPECT_EQ(channel.balance(), 0);
    }
}

// post() against finish(): what was accepted is read by the owner, and the rest is refused.
// SPEC: H-06
TEST(Threads, PostAgainstFinish) {
    constexpr int kTasklets = 16;
    for (int round = 0; round < 60; ++round) {
        std::array<TestTasklet*, kTasklets> tasklets{};
        std::latch made(3);
        std::latch posted(3);
        std::array<int, 2> accepted{};
        int read = 0;
        const auto owner = [&] {
            TestThread thread;
            for (TestTasklet*& tasklet : tasklets) tasklet = &thread.make_paused("t", [] {});
            made.arrive_and_wait();
            thread.manager().finish();
            posted.arrive_and_wait();
            while (thread.manager().has_mail()) {
                const auto message = thread.manager().take_mail();
                ASSERT_NE(message.tasklet, nullptr);
                EXPECT_NE(message.bits & mail::kUnwind, 0U);
                --static_cast<TestTasklet*>(message.tasklet)->references;
                ++read;
            }
        };
        // Each poster has tasklets of its own, so that every message is one post.
        const auto poster = [&](std::size_t which) {
            made.arrive_and_wait();
            for (std::size_t i = which; i < kTasklets; i += 2) {
                auto& manager = *tasklets[i]->manager;
                if (manager.post(*tasklets[i], mail::kUnwind)) ++accepted.at(which);
            }
            posted.arrive_and_wait();
        };
        run_threads({owner, [&] { poster(0); }, [&] { poster(1); }});
        EXPECT_EQ(read, accepted[0] + accepted[1]);
    }
}

}  // namespace
