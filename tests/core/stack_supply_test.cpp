#include "core/stack_supply.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace {

using scheduler::core::kMaxStackBytes;
using scheduler::core::kMinStackBytes;
using scheduler::core::Stack;
using scheduler::core::StackPool;
using scheduler::core::StackSupply;

constexpr std::size_t kSmall = kMinStackBytes;
constexpr std::size_t kLarge = std::size_t{256} << 10;

bool is_mapped(const std::byte* address) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    auto* const begin =
        const_cast<std::byte*>(address - reinterpret_cast<std::uintptr_t>(address) % page);
    unsigned char resident = 0;
    return mincore(begin, page, &resident) == 0 || errno != ENOMEM;
}

std::size_t resident_bytes(const StackSupply& supply) {
    std::size_t bytes = 0;
    EXPECT_TRUE(supply.measure_resident(bytes));
    return bytes;
}

TEST(StackSupply, ReservesNothingBeforeTheFirstStack) {
    const StackSupply supply(kSmall);
    EXPECT_EQ(supply.stats().reserved, 0U);
    EXPECT_EQ(supply.stats().stack_bytes, kSmall);
    EXPECT_EQ(supply.in_use(), 0U);
    EXPECT_EQ(supply.high_water(), 0U);
    EXPECT_EQ(resident_bytes(supply), 0U);
}

TEST(StackSupply, GivesStacksOfTheSizeThatIsAskedFor) {
    StackSupply supply(kSmall);
    EXPECT_EQ(supply.acquire(kSmall)->bytes(), StackPool::stack_bytes_for(kSmall));
    EXPECT_EQ(supply.acquire(kLarge)->bytes(), StackPool::stack_bytes_for(kLarge));
    EXPECT_EQ(supply.stats().stack_bytes, StackPool::stack_bytes_for(kLarge));
    EXPECT_EQ(supply.acquire(kSmall)->bytes(), StackPool::stack_bytes_for(kSmall));
    EXPECT_EQ(supply.in_use(), 3U);
}

TEST(StackSupply, SizesThatRoundToTheSameShareAPool) {
    StackSupply supply(kSmall);
    supply.acquire(kSmall - 100);
    supply.acquire(kSmall);
    supply.acquire(kSmall - 1);
    EXPECT_EQ(supply.stats().slab_count, 1U);
}

TEST(StackSupply, AStackFitsForItsOwnSizeOnly) {
    StackSupply supply(kSmall);
    Stack* const small = supply.acquire(kSmall);
    EXPECT_TRUE(supply.fits(*small, kSmall));
    EXPECT_FALSE(supply.fits(*small, kLarge));
    Stack* const large = supply.acquire(kLarge);
    EXPECT_TRUE(supply.fits(*large, kLarge));
    EXPECT_FALSE(supply.fits(*small, kLarge));
    EXPECT_FALSE(supply.fits(*large, kSmall));
}

TEST(StackSupply, PoolOfAFormerSizeGoesWithItsLastStack) {
    StackSupply supply(kSmall);
    Stack* const first = supply.acquire(kSmall);
    Stack* const second = supply.acquire(kSmall);
    const std::byte* const bottom = first->bottom;
    supply.acquire(kLarge);
    supply.release(first);
    EXPECT_TRUE(is_mapped(bottom));
    supply.release(second);
    EXPECT_FALSE(is_mapped(bottom));
    EXPECT_EQ(supply.stats().slab_count, 1U);
    EXPECT_EQ(supply.stats().in_use, 1U);
    EXPECT_EQ(supply.stats().pooled, 0U);
}

TEST(StackSupply, PoolWithoutStacksInUseGoesWhenTheSizeChanges) {
    StackSupply supply(kSmall);
    supply.release(supply.acquire(kSmall));
    EXPECT_EQ(supply.stats().pooled, 1U);
    supply.acquire(kLarge);
    EXPECT_EQ(supply.stats().pooled, 0U);
    EXPECT_EQ(supply.stats().slab_count, 1U);
}

TEST(StackSupply, ReturnsToAFormerSizeThatIsStillInUse) {
    StackSupply supply(kSmall);
    supply.acquire(kSmall);
    Stack* const pooled = supply.acquire(kSmall);
    supply.release(pooled);
    Stack* const large = supply.acquire(kLarge);
    EXPECT_EQ(supply.acquire(kSmall), pooled);
    EXPECT_EQ(supply.stats().slab_count, 2U);
    supply.release(large);
    EXPECT_EQ(supply.stats().slab_count, 1U);
}

TEST(StackSupply, ReleasesInAnyOrderOverManySizes) {
    StackSupply supply(kSmall);
    std::vector<Stack*> stacks;
    for (std::size_t round = 0; round < 5; ++round) {
        for (std::size_t size = 1; size <= 8; ++size) {
            stacks.push_back(supply.acquire(size * kSmall));
        }
    }
    EXPECT_EQ(supply.stats().slab_count, 8U);
    std::reverse(stacks.begin() + 3, stacks.end() - 5);
    for (Stack* stack : stacks) supply.release(stack);
    EXPECT_EQ(supply.in_use(), 0U);
    EXPECT_EQ(supply.high_water(), 40U);
    EXPECT_EQ(supply.stats().slab_count, 1U);
    EXPECT_EQ(supply.stats().pooled, 5U);
}

TEST(StackSupply, HighWaterCountsAllSizesAtOnce) {
    StackSupply supply(kSmall);
    Stack* const first = supply.acquire(kSmall);
    Stack* const second = supply.acquire(kLarge);
    EXPECT_EQ(supply.high_water(), 2U);
    supply.release(first);
    supply.acquire(kLarge);
    EXPECT_EQ(supply.high_water(), 2U);
    supply.release(second);
    EXPECT_EQ(supply.high_water(), 2U);
}

TEST(StackSupply, ResidentBytesAreThePagesThatWereTouched) {
    StackSupply supply(kSmall);
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const Stack* const small = supply.acquire(kSmall);
    const Stack* const large = supply.acquire(kLarge);
    EXPECT_EQ(resident_bytes(supply), 0U);
    *small->bottom = std::byte{1};
    std::fill(large->bottom, large->bottom + 10 * page, std::byte{1});
    EXPECT_EQ(resident_bytes(supply), 11 * page);
}

TEST(StackSupply, TheLargestSizeIsGiven) {
    StackSupply supply(kSmall);
    const Stack* const stack = supply.acquire(kMaxStackBytes);
    ASSERT_NE(stack, nullptr);
    *stack->bottom = std::byte{1};
    *(stack->top - 1) = std::byte{1};
}

TEST(StackSupplyDeathTest, ReleaseOfAStackOfAnotherSupply) {
    StackSupply one(kSmall);
    one.acquire(kSmall);
    StackSupply other(kLarge);
    Stack* const stack = other.acquire(kLarge);
    EXPECT_DEATH(one.release(stack), "another thread");
}

}  // namespace
