#include "core/guard_index.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/stack_pool.h"

namespace {

using scheduler::core::find_guard;
using scheduler::core::forget_guards;
using scheduler::core::GuardIndexEntry;
using scheduler::core::kMinStackBytes;
using scheduler::core::note_guards;
using scheduler::core::Stack;
using scheduler::core::StackPool;

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

TEST(GuardIndex, FindsTheStackThatAGuardBelongsTo) {
    StackPool pool;
    for (int i = 0; i < 100; ++i) {
        const Stack& stack = *pool.acquire();
        const std::uintptr_t bottom = number(stack.bottom);
        for (const std::uintptr_t address : {bottom - 1, bottom - 8, bottom - page_bytes()}) {
            EXPECT_EQ(find_guard(address).bottom, bottom);
            EXPECT_EQ(find_guard(address).bytes, stack.bytes());
        }
    }
}

TEST(GuardIndex, FindsNothingElsewhere) {
    StackPool pool;
    const Stack& stack = *pool.acquire();
    const int local = 0;
    EXPECT_FALSE(find_guard(number(stack.bottom)));
    EXPECT_FALSE(find_guard(number(stack.split)));
    EXPECT_FALSE(find_guard(number(stack.top) - 1));
    EXPECT_FALSE(find_guard(number(stack.bottom) - page_bytes() - 1));
    EXPECT_FALSE(find_guard(number(&local)));
    EXPECT_FALSE(find_guard(0));
    EXPECT_FALSE(find_guard(1));
    EXPECT_FALSE(find_guard(UINTPTR_MAX));
}

TEST(GuardIndex, KnowsTheSizeOfEachPool) {
    StackPool small(kMinStackBytes);
    StackPool large(16 * kMinStackBytes);
    const Stack& one = *small.acquire();
    const Stack& other = *large.acquire();
    EXPECT_EQ(find_guard(number(one.bottom) - 1).bytes, one.bytes());
    EXPECT_EQ(find_guard(number(other.bottom) - 1).bytes, other.bytes());
}

TEST(GuardIndex, ForgetsAPoolThatIsGone) {
    auto pool = std::make_unique<StackPool>();
    const std::uintptr_t guard = number(pool->acquire()->bottom) - 1;
    EXPECT_TRUE(find_guard(guard));
    pool.reset();
    EXPECT_FALSE(find_guard(guard));
}

TEST(GuardIndex, GrowsAsNeededAndUsesPlacesAgain) {
    constexpr std::uintptr_t kBase = std::uintptr_t{1} << 20;
    constexpr std::size_t kMany = 1000;
    std::vector<GuardIndexEntry*> first_round;
    for (int round = 0; round < 2; ++round) {
        std::vector<GuardIndexEntry*> entries;
        for (std::size_t i = 0; i < kMany; ++i) {
            entries.push_back(note_guards(
                {.begin = kBase + i * 4096, .bytes = 4096, .slot_bytes = 1024, .guard_bytes = 16}));
            ASSERT_NE(entries.back(), nullptr);
        }
        for (std::size_t i = 0; i < kMany; ++i) {
            EXPECT_EQ(find_guard(kBase + i * 4096 + 1024).bottom, kBase + i * 4096 + 1024 + 16);
            EXPECT_EQ(find_guard(kBase + i * 4096 + 1024).bytes, 1024U - 16U);
        }
        for (GuardIndexEntry* entry : entries) forget_guards(entry);
        EXPECT_FALSE(find_guard(kBase + 1024));
        if (round == 1) {
            EXPECT_EQ(entries, first_round);
        }
        first_round = entries;
    }
    forget_guards(nullptr);
}

TEST(GuardIndex, IsReadWhileOtherThreadsChangeIt) {
    StackPool pool;
    const Stack& stack = *pool.acquire();
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (std::uintptr_t i = 1; i <= 2; ++i) {
        threads.emplace_back([i, &stop] {
            while (!stop.load()) {
                GuardIndexEntry* const entry = note_guards(
                    {.begin = i << 16, .bytes = 1024, .slot_bytes = 1024, .guard_bytes = 16});
                EXPECT_EQ(find_guard(i << 16).bytes, 1024U - 16U);
                forget_guards(entry);
            }
        });
    }
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_EQ(find_guard(number(stack.bottom) - 1).bottom, number(stack.bottom));
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
