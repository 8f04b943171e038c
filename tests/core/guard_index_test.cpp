#include "core/guard_index.h"

#include <gtest/gtest.h>

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
using scheduler::core::kDefaultStackBytes;
using scheduler::core::kMinStackBytes;
using scheduler::core::note_guards;
using scheduler::core::SlotLayout;
using scheduler::core::Stack;
using scheduler::core::StackPool;

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

std::size_t guard_bytes(std::size_t slot_bytes = kDefaultStackBytes) {
    return StackPool::layout_for(slot_bytes).guard_bytes;
}

SlotLayout plain_layout(std::size_t guard, std::size_t stack) {
    return {.guard_bytes = guard, .stack_bytes = stack, .group_bytes = guard + stack};
}

TEST(GuardIndex, FindsTheStackThatAGuardBelongsTo) {
    for (const std::size_t size : {kMinStackBytes, kDefaultStackBytes}) {
        StackPool pool(size);
        for (int i = 0; i < 1000; ++i) {  // several groups of large slots
            const Stack& stack = *pool.acquire();
            const std::uintptr_t bottom = number(stack.bottom);
            for (const std::uintptr_t address :
                 {bottom - 1, bottom - 8, bottom - guard_bytes(size)}) {
                EXPECT_EQ(find_guard(address).bottom, bottom);
                EXPECT_EQ(find_guard(address).bytes, stack.bytes());
            }
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
    EXPECT_FALSE(find_guard(number(stack.bottom) - guard_bytes() - 1));
    EXPECT_FALSE(find_guard(number(&local)));
    EXPECT_FALSE(find_guard(0));
    EXPECT_FALSE(find_guard(1));
    EXPECT_FALSE(find_guard(UINTPTR_MAX));
}

TEST(GuardIndex, FindsNothingBetweenGroups) {
    GuardIndexEntry* const entry = note_guards(
        {.begin = 1 << 20,
         .bytes = 10'000,
         .layout = {.guard_bytes = 16, .stack_bytes = 84, .group_slots = 3, .group_bytes = 512}});
    for (const std::uintptr_t group : {1 << 20, (1 << 20) + 512}) {
        EXPECT_EQ(find_guard(group).bottom, group + 16);
        EXPECT_EQ(find_guard(group + 215).bottom, group + 216);
        EXPECT_FALSE(find_guard(group + 216));
        EXPECT_FALSE(find_guard(group + 300));  // where a fourth slot would begin
        EXPECT_FALSE(find_guard(group + 511));
    }
    forget_guards(entry);
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
                {.begin = kBase + i * 4096, .bytes = 4096, .layout = plain_layout(16, 1008)}));
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
                    {.begin = i << 16, .bytes = 1024, .layout = plain_layout(16, 1008)});
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
