#include "core/inbox.h"

#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace {

using scheduler::core::Inbox;
using scheduler::core::Tasklet;
namespace mail = scheduler::core::mail;

std::vector<Tasklet*> to_vector(Tasklet* first) {
    std::vector<Tasklet*> tasklets;
    for (; first != nullptr; first = first->mail_next) tasklets.push_back(first);
    return tasklets;
}

class InboxTest : public testing::Test {
  protected:
    Inbox inbox_;
    std::array<Tasklet, 3> t_;
};

TEST_F(InboxTest, NewOneIsEmpty) {
    EXPECT_TRUE(inbox_.empty());
    EXPECT_EQ(inbox_.take_all(), nullptr);
}

TEST_F(InboxTest, GivesTheOldestFirst) {
    for (Tasklet& tasklet : t_) EXPECT_TRUE(inbox_.push(tasklet));
    EXPECT_FALSE(inbox_.empty());
    EXPECT_EQ(to_vector(inbox_.take_all()), (std::vector<Tasklet*>{&t_[0], &t_[1], &t_[2]}));
    EXPECT_TRUE(inbox_.empty());
    EXPECT_EQ(inbox_.take_all(), nullptr);
}

TEST_F(InboxTest, TakesATaskletAgain) {
    for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(inbox_.push(t_[0]));
        EXPECT_EQ(to_vector(inbox_.take_all()), (std::vector<Tasklet*>{&t_[0]}));
    }
}

TEST_F(InboxTest, CloseGivesTheRestAndRefusesMore) {
    EXPECT_TRUE(inbox_.push(t_[0]));
    EXPECT_TRUE(inbox_.push(t_[1]));
    EXPECT_EQ(to_vector(inbox_.close()), (std::vector<Tasklet*>{&t_[0], &t_[1]}));
    EXPECT_FALSE(inbox_.push(t_[2]));
    EXPECT_TRUE(inbox_.empty()) << "nothing to fetch";
    EXPECT_EQ(inbox_.take_all(), nullptr);
    EXPECT_EQ(inbox_.close(), nullptr) << "a second time";
    EXPECT_FALSE(inbox_.push(t_[2]));
}

// What producers and the consumer of the stress tests agree on, as ScheduleManager::post() and
// take_mail() do it: whoever sets kPosted pushes.
constexpr std::uint32_t kFirstRequest = mail::kPosted << 1;

bool post(Inbox& inbox, Tasklet& tasklet, std::uint32_t request) {
    const auto bits = static_cast<std::uint16_t>(request | mail::kPosted);
    const std::uint32_t old = tasklet.mail.fetch_or(bits);
    return (old & mail::kPosted) != 0 || inbox.push(tasklet);
}

constexpr int kProducers = 3;
constexpr int kPerProducer = 20'000;

// Every producer has tasklets of its own: nothing is lost, nothing comes twice, and the mail of one
// producer comes in its order.
TEST(InboxThreads, EveryTaskletArrivesOnceAndInOrder) {
    Inbox inbox;
    std::array<std::unique_ptr<Tasklet[]>, kProducers> tasklets;
    for (auto& own : tasklets) own = std::make_unique<Tasklet[]>(kPerProducer + 1);  // last: unused
    std::latch start(kProducers + 1);
    std::vector<std::thread> producers;
    for (auto& own : tasklets) {
        producers.emplace_back([&inbox, &start, &own] {
            start.arrive_and_wait();
            for (int i = 0; i < kPerProducer; ++i) EXPECT_TRUE(inbox.push(own[i]));
        });
    }
    std::array<int, kProducers> next{};
    start.arrive_and_wait();
    for (int taken = 0; taken < kProducers * kPerProducer;) {
        const auto batch = to_vector(inbox.take_all());
        if (batch.empty()) std::this_thread::yield();
        for (Tasklet* tasklet : batch) {
            int from = 0;
            while (tasklet != &tasklets[from][next[from]]) {
                ASSERT_LT(++from, kProducers) << "out of order, or a second time";
            }
            ++next[from];
            ++taken;
        }
    }
    for (auto& producer : producers) producer.join();
    EXPECT_TRUE(inbox.empty());
}

// All producers ask the same few tasklets: each request is a bit of its own, and no
// producer asks again before it has been read.
TEST(InboxThreads, NoRequestIsLostWhenManyPostTheSameTasklet) {
    constexpr int kRounds = 5'000;
    Inbox inbox;
    std::array<Tasklet, 2> tasklets;
    // A producer goes on when its last request has been read.
    std::array<std::atomic<int>, kProducers> answered{};
    std::latch start(kProducers + 1);
    std::vector<std::thread> producers;
    for (int p = 0; p < kProducers; ++p) {
        producers.emplace_back([&, p] {
            start.arrive_and_wait();
            for (int i = 0; i < kRounds; ++i) {
                ASSERT_TRUE(post(inbox, tasklets[i % 2], kFirstRequest << p));
                while (answered[p].load() == i) std::this_thread::yield();
            }
        });
    }
    start.arrive_and_wait();
    for (int left = kProducers * kRounds; left > 0;) {
        Tasklet* tasklet = inbox.take_all();
        if (tasklet == nullptr) std::this_thread::yield();
        while (tasklet != nullptr) {
            Tasklet* const next = tasklet->mail_next;
            const std::uint32_t bits = tasklet->mail.exchange(0);
            EXPECT_NE(bits & mail::kPosted, 0U);
            for (int p = 0; p < kProducers; ++p) {
                if ((bits & kFirstRequest << p) == 0) continue;
                ++answered[p];
                --left;
            }
            tasklet = next;
        }
    }
    for (auto& producer : producers) producer.join();
    for (const auto& count : answered) EXPECT_EQ(count, kRounds);
    EXPECT_TRUE(inbox.empty());
}

// close() against push(): what push() accepted is in the last mail, what it refused is not.
TEST(InboxThreads, CloseSplitsMailIntoTakenAndRefused) {
    constexpr int kTasklets = 100;
    for (int round = 0; round < 100; ++round) {
        Inbox inbox;
        const auto tasklets = std::make_unique<Tasklet[]>(kTasklets);
        std::vector<Tasklet*> accepted;
        std::latch start(2);
        std::thread producer([&] {
            start.arrive_and_wait();
            for (int i = 0; i < kTasklets; ++i) {
                if (inbox.push(tasklets[i])) accepted.push_back(&tasklets[i]);
            }
        });
        start.arrive_and_wait();
        std::vector<Tasklet*> taken = to_vector(inbox.take_all());
        const std::vector<Tasklet*> rest = to_vector(inbox.close());
        producer.join();
        taken.insert(taken.end(), rest.begin(), rest.end());
        EXPECT_EQ(taken, accepted);
    }
}

}  // namespace
