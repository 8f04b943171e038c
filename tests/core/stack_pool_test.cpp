#include "core/stack_pool.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using scheduler::core::kDefaultStackBytes;
using scheduler::core::kMinStackBytes;
using scheduler::core::Stack;
using scheduler::core::StackPool;

constexpr std::size_t kKiB = 1024;
// What the table in stack_pool.h says.
constexpr std::size_t kHotStacks = 64;
constexpr std::size_t kKeptStacks = kHotStacks + 1024;
constexpr std::size_t kMostKeptStacks = 16384;

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

std::byte* page_of(std::byte* address) { return address - number(address) % page_bytes(); }

std::size_t guard_bytes(std::size_t slot_bytes) {
    return StackPool::layout_for(slot_bytes).guard_bytes;
}

// Pages of [begin, end) that are in memory.
std::size_t resident_pages(std::byte* begin, std::byte* end) {
    const auto bytes = static_cast<std::size_t>(end - begin);
    std::vector<unsigned char> pages(bytes / page_bytes() + 1);
    EXPECT_EQ(mincore(begin, bytes, pages.data()), 0);
    return static_cast<std::size_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

std::size_t resident_pages(const Stack& stack) { return resident_pages(stack.bottom, stack.top); }

// Dirties a stack as `bytes` of C frames do.
void use_c_stack(const Stack& stack, std::size_t bytes) {
    std::fill(stack.split - bytes, stack.split, std::byte{0xA5});
}

std::vector<Stack*> acquire_many(StackPool& pool, std::size_t count) {
    std::vector<Stack*> stacks(count);
    std::generate(stacks.begin(), stacks.end(), [&] { return pool.acquire(); });
    EXPECT_EQ(std::count(stacks.begin(), stacks.end(), nullptr), 0);
    return stacks;
}

void release_all(StackPool& pool, const std::vector<Stack*>& stacks) {
    for (Stack* stack : stacks) {
        pool.release(stack);
    }
}

std::size_t count_mappings() {
    std::ifstream maps("/proc/self/maps");
    return static_cast<std::size_t>(
        std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n'));
}

std::size_t max_map_count() {
    std::size_t count = 0;
    std::ifstream("/proc/sys/vm/max_map_count") >> count;
    return count;
}

// Runs `body` in a child process, for what would spoil this one; true when it returns true.
bool holds_in_child(const std::function<bool()>& body) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(body() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

constexpr unsigned kMadvGuardInstall = 102;

bool has_guard_install() {
    return madvise(nullptr, 0, static_cast<int>(kMadvGuardInstall)) == 0;  // no page, no effect
}

// Makes the kernel refuse this process a system call with this third argument. There is no way back.
bool refuse_call(std::uint32_t call, std::uint32_t third_argument, std::uint32_t error) {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, third_argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{std::size(program), program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Like a kernel that has no MADV_GUARD_INSTALL.
bool forget_guard_install() { return refuse_call(SYS_madvise, kMadvGuardInstall, EINVAL); }

// Like a system that refuses guards of any kind: nothing can be made PROT_NONE either.
bool refuse_guards() {
    return forget_guard_install() && refuse_call(SYS_mprotect, PROT_NONE, ENOMEM);
}

// Lets this process map `bytes` more than it has. There is no way back.
bool limit_address_space(std::size_t bytes) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit{};
    limit.rlim_cur = limit.rlim_max = pages * page_bytes() + bytes;
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

// ---- Layout

TEST(StackPool, StacksLieApartEachAfterAGuardOfItsOwn) {
    StackPool pool;
    auto stacks = acquire_many(pool, 1000);
    std::sort(stacks.begin(), stacks.end(),
              [](const Stack* a, const Stack* b) { return a->bottom < b->bottom; });
    for (std::size_t i = 1; i < stacks.size(); ++i) {
        EXPECT_GE(stacks[i]->bottom, stacks[i - 1]->top + guard_bytes(kDefaultStackBytes));
    }
}

TEST(StackPool, AllOfAStackIsUsable) {
    StackPool pool;
    for (Stack* stack : acquire_many(pool, 3)) {
        std::fill(stack->bottom, stack->top, std::byte{0x5A});
        EXPECT_EQ(std::count(stack->bottom, stack->top, std::byte{0x5A}),
                  stack->top - stack->bottom);
    }
}

TEST(StackPool, SplitLiesInAPageThatBothPartsShare) {
    StackPool pool;
    for (Stack* stack : acquire_many(pool, 64)) {
        std::byte* const page = page_of(stack->split);
        EXPECT_EQ(number(stack->split) % 16, 0U);
        EXPECT_GE(stack->split - page, std::ptrdiff_t{2 * kKiB});
        EXPECT_GE(page + page_bytes() - stack->split, std::ptrdiff_t{1 * kKiB});
        EXPECT_GE(stack->top - stack->split, std::ptrdiff_t{16 * kKiB});
        EXPECT_LE(stack->top - stack->split, static_cast<std::ptrdiff_t>(16 * kKiB + page_bytes()));
    }
}

TEST(StackPool, StacksDoNotCompeteForTheSameCacheSets) {
    StackPool pool;
    std::set<std::uintptr_t> lines;
    std::set<std::uintptr_t> tlb_sets;
    for (Stack* stack : acquire_many(pool, 16)) {  // the first slab
        lines.insert(number(stack->split) % page_bytes() / 64);
        tlb_sets.insert(number(stack->split) / page_bytes() % 16);
    }
    EXPECT_EQ(lines.size(), 16U);
    EXPECT_EQ(tlb_sets.size(), 16U);
}

class StackPoolSize : public testing::TestWithParam<std::size_t> {};

TEST_P(StackPoolSize, IsWhatWasAskedForWithItsGuard) {
    const std::size_t wanted = GetParam();
    StackPool pool(wanted);
    const Stack* const stack = pool.acquire();
    ASSERT_NE(stack, nullptr);
    const auto bytes = static_cast<std::size_t>(stack->top - stack->bottom);
    const std::size_t slot = bytes + guard_bytes(wanted);
    EXPECT_EQ(pool.stats().stack_bytes, bytes);
    EXPECT_GE(bytes, kMinStackBytes);
    EXPECT_EQ(slot / page_bytes() % 2, 1U);
    EXPECT_EQ(pool.acquire()->bottom - stack->bottom, static_cast<std::ptrdiff_t>(slot));
    const std::size_t span = page_bytes() / 8 * page_bytes();
    const std::size_t rounded = wanted > span ? (wanted + span - 1) / span * span : wanted;
    EXPECT_GE(slot + 2 * page_bytes(), rounded);
    if (wanted >= 2 * kMinStackBytes) {
        EXPECT_LT(slot, rounded + page_bytes());
        EXPECT_GE(guard_bytes(wanted) + page_bytes(), std::min(slot / 8, 1024 * kKiB));
        EXPECT_LE(guard_bytes(wanted), slot / 8 + page_bytes());
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, StackPoolSize,
                         testing::Values(0, kMinStackBytes, 68 * kKiB, 100'000, 128 * kKiB,
                                         256 * kKiB, 512 * kKiB, 1024 * kKiB, 2048 * kKiB,
                                         2049 * kKiB, 3072 * kKiB, kDefaultStackBytes,
                                         kDefaultStackBytes + 1, 20'000 * kKiB));

TEST(StackPool, GuardsNeedNoPageTableOfTheirOwn) {
    const std::size_t span = page_bytes() / 8 * page_bytes();
    StackPool pool;
    const auto stacks = acquire_many(pool, 1000);
    std::set<std::uintptr_t> spans;
    for (const Stack* stack : stacks) {
        spans.insert(number(stack->split) / span);
        spans.insert((number(stack->bottom) - 1) / span);
        spans.insert((number(stack->bottom) - guard_bytes(kDefaultStackBytes)) / span);
    }
    EXPECT_LE(spans.size(), stacks.size() + pool.stats().slab_count);
}

// ---- Recycling

TEST(StackPool, LastReleasedIsFirstAcquired) {
    StackPool pool;
    Stack* const first = pool.acquire();
    Stack* const second = pool.acquire();
    pool.release(first);
    pool.release(second);
    EXPECT_EQ(pool.acquire(), second);
    EXPECT_EQ(pool.acquire(), first);
}

TEST(StackPool, AcquiresEveryReleasedStackBeforeANewOne) {
    StackPool pool(kMinStackBytes);
    const auto before = acquire_many(pool, kKeptStacks + 100);
    release_all(pool, before);
    const auto after = acquire_many(pool, kKeptStacks + 100);
    EXPECT_EQ(std::set<Stack*>(before.begin(), before.end()),
              std::set<Stack*>(after.begin(), after.end()));
}

TEST(StackPool, StatsCountStacks) {
    StackPool pool;
    EXPECT_EQ(pool.stats().reserved, 0U);
    EXPECT_EQ(pool.stats().slab_count, 0U);
    const auto stacks = acquire_many(pool, 100);
    EXPECT_EQ(pool.stats().in_use, 100U);
    EXPECT_EQ(pool.stats().pooled, 0U);
    EXPECT_EQ(pool.stats().guarded, 100U);
    EXPECT_EQ(pool.stats().slab_count, 3U);
    EXPECT_EQ(pool.stats().reserved, 16U + 32U + 64U);
    for (std::size_t i = 0; i < 90; ++i) {  // some to the hot and some to the warm list
        pool.release(stacks[i]);
    }
    EXPECT_EQ(pool.stats().in_use, 10U);
    EXPECT_EQ(pool.stats().pooled, 90U);
    pool.acquire();
    EXPECT_EQ(pool.stats().in_use, 11U);
    EXPECT_EQ(pool.stats().pooled, 89U);
    EXPECT_EQ(pool.stats().guarded, 100U);
}

TEST(StackPoolDeathTest, ReleaseOfAStackThatIsNotInUse) {
    StackPool pool;
    pool.acquire();
    Stack* const stack = pool.acquire();
    pool.release(stack);
    EXPECT_DEATH(pool.release(stack), "not in use");
}

// ---- Memory

TEST(StackPool, UntouchedStackTakesNoMemory) {
    StackPool pool;
    const auto stacks = acquire_many(pool, 50);
    for (const Stack* stack : stacks) {
        EXPECT_EQ(resident_pages(*stack), 0U);
    }
    release_all(pool, stacks);
    for (Stack* stack : stacks) {  // the free list is kept elsewhere
        EXPECT_EQ(resident_pages(page_of(stack->split), stack->top), 0U);
    }
}

TEST(StackPool, ShallowUseOfBothPartsTakesOnePage) {
    StackPool pool;
    const Stack* const stack = pool.acquire();
    use_c_stack(*stack, 1200);
    std::fill(stack->split, stack->split + 512, std::byte{1});
    EXPECT_EQ(resident_pages(*stack), 1U);
}

// How much of a stack is still there after its release, by how deep it was used and by how many
// stacks were released before it.
struct Retention {
    const char* name;
    std::size_t released_before;
    std::size_t used_bytes;
    bool keeps_deep_pages;
    bool keeps_shared_page;

    friend void PrintTo(const Retention& self, std::ostream* out) { *out << self.name; }
};

class StackPoolRetention : public testing::TestWithParam<Retention> {};

TEST_P(StackPoolRetention, IsAsTheTableSays) {
    const Retention& expected = GetParam();
    StackPool pool;
    const auto stacks = acquire_many(pool, expected.released_before + 1);
    Stack* const stack = stacks.back();
    use_c_stack(*stack, expected.used_bytes);
    std::fill(stack->split, stack->top, std::byte{2});
    release_all(pool, stacks);

    std::byte* const shared = page_of(stack->split);
    // The deepest page that was used whole, and the last one of the frames.
    std::byte* const deepest = page_of(stack->split - expected.used_bytes) + page_bytes();
    std::byte* const last = stack->top - page_bytes();
    EXPECT_EQ(resident_pages(deepest, deepest + page_bytes()), expected.keeps_deep_pages);
    EXPECT_EQ(resident_pages(last, stack->top), expected.keeps_deep_pages);
    EXPECT_EQ(resident_pages(shared, shared + page_bytes()), expected.keeps_shared_page);
}

INSTANTIATE_TEST_SUITE_P(
    Table, StackPoolRetention,
    testing::Values(Retention{"HotShallow", 0, 56 * kKiB, true, true},
                    Retention{"HotDeep", 0, 80 * kKiB, false, true},
                    Retention{"HotVeryDeep", kHotStacks - 1, 900 * kKiB, false, true},
                    Retention{"WarmShallow", kHotStacks, 12 * kKiB, true, true},
                    Retention{"WarmDeep", kHotStacks, 40 * kKiB, false, true},
                    Retention{"WarmVeryDeep", kKeptStacks - 1, 900 * kKiB, false, true},
                    Retention{"Empty", kKeptStacks, 12 * kKiB, false, false}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(StackPool, GivesBackAgainAfterEachDeepUse) {
    StackPool pool;
    for (int round = 0; round < 3; ++round) {
        Stack* const stack = pool.acquire();
        use_c_stack(*stack, 500 * kKiB);
        EXPECT_GE(resident_pages(*stack), 500 * kKiB / page_bytes());
        pool.release(stack);
        EXPECT_LE(resident_pages(*stack), 2U);  // the shared page; the zero page that was looked at
    }
}

// A thread that ran a crowd once goes on with a few tasklets: they find memory that is warm.
TEST(StackPool, CrowdInThePastDoesNotSlowAFew) {
    StackPool pool(kMinStackBytes);
    release_all(pool, acquire_many(pool, kKeptStacks + 1000));
    Stack* const stack = pool.acquire();
    use_c_stack(*stack, 32 * kKiB);
    pool.release(stack);
    EXPECT_EQ(pool.acquire(), stack);
    EXPECT_GE(resident_pages(*stack), 32 * kKiB / page_bytes());
}

// How many of these stacks still have the page that is used first.
std::size_t count_warm(const std::vector<Stack*>& stacks) {
    return static_cast<std::size_t>(std::count_if(stacks.begin(), stacks.end(), [](Stack* stack) {
        std::byte* const shared = page_of(stack->split);
        return resident_pages(shared, shared + page_bytes()) != 0;
    }));
}

// One wave: so many stacks at once, a page of each used.
std::vector<Stack*> run_crowd(StackPool& pool, std::size_t count) {
    const auto stacks = acquire_many(pool, count);
    for (const Stack* stack : stacks) {
        use_c_stack(*stack, 100);
    }
    release_all(pool, stacks);
    return stacks;
}

TEST(StackPool, CrowdThatCameOnceIsNotKept) {
    StackPool pool(kMinStackBytes);
    const auto stacks = run_crowd(pool, 8000);
    EXPECT_EQ(count_warm(stacks), kKeptStacks);
}

TEST(StackPool, CrowdThatComesAgainIsKept) {
    StackPool pool(kMinStackBytes);
    run_crowd(pool, 8000);
    for (int wave = 0; wave < 3; ++wave) {
        const auto stacks = run_crowd(pool, 8000);
        EXPECT_EQ(count_warm(stacks), 8000U);
    }
    const auto largest = run_crowd(pool, 20'000);
    EXPECT_GE(count_warm(largest), 8000U);
    run_crowd(pool, 20'000);
    EXPECT_EQ(count_warm(run_crowd(pool, 20'000)), kMostKeptStacks);
}

// So many tasklets one after another, as a thread runs them that is not busy.
void run_a_few(StackPool& pool) {
    for (int i = 0; i < 100; ++i) {
        pool.release(pool.acquire());
    }
}

TEST(StackPool, WhatNobodyNeedsForASecondIsGivenBack) {
    StackPool pool(kMinStackBytes);
    run_crowd(pool, 4000);
    const auto stacks = run_crowd(pool, 4000);
    run_a_few(pool);  // the first look begins the second
    const std::size_t at_first = count_warm(stacks);
    EXPECT_GE(at_first, 4000U - 1024U);
    for (int seconds = 0; seconds < 4; ++seconds) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1050));
        const std::size_t before = count_warm(stacks);
        run_a_few(pool);
        EXPECT_GE(count_warm(stacks) + 1024, before);  // at most so many at a time
    }
    EXPECT_EQ(count_warm(stacks), kKeptStacks);
    EXPECT_EQ(pool.stats().pooled, 4000U);
}

TEST(StackPool, TrimKeepsNothing) {
    StackPool pool(kMinStackBytes);
    const auto stacks = run_crowd(pool, 2000);
    const auto slabs = pool.stats().slab_count;
    Stack* const used = pool.acquire();
    use_c_stack(*used, 100);
    pool.trim();
    EXPECT_EQ(pool.stats().in_use, 1U);
    EXPECT_EQ(pool.stats().slab_count, 1U);
    EXPECT_LT(pool.stats().slab_count, slabs);
    EXPECT_EQ(used->split[-1], std::byte{0xA5});
    std::size_t resident = 0;
    ASSERT_TRUE(pool.add_resident(resident));
    EXPECT_EQ(resident, page_bytes());
    // What is left of the slab serves, and is guarded.
    EXPECT_EQ(pool.stats().guarded, pool.stats().in_use + pool.stats().pooled);
    release_all(pool, acquire_many(pool, 2000));
    EXPECT_EQ(pool.stats().guarded, 2001U);
    pool.release(used);
    pool.trim();
    EXPECT_EQ(pool.stats().reserved, 0U);
    EXPECT_EQ(pool.stats().slab_count, 0U);
    EXPECT_EQ(pool.stats().guarded, 0U);
    EXPECT_EQ(pool.stats().pooled, 0U);
    pool.release(pool.acquire());
    EXPECT_EQ(pool.stats().reserved, 16U);  // as at first
}

TEST(StackPool, TrimOfAnUnusedPoolDoesNothing) {
    StackPool pool;
    pool.trim();
    EXPECT_EQ(pool.stats().slab_count, 0U);
}

TEST(StackPool, DestructorUnmapsEverything) {
    std::vector<std::byte*> pages;
    {
        StackPool pool;
        for (Stack* stack : acquire_many(pool, 100)) {
            use_c_stack(*stack, 100);
            pages.push_back(page_of(stack->split));
        }
    }
    for (std::byte* page : pages) {
        unsigned char resident = 0;
        EXPECT_EQ(mincore(page, page_bytes(), &resident), -1);
        EXPECT_EQ(errno, ENOMEM);
    }
}

TEST(StackPool, ManyStacksTakeFewMappings) {
    const std::size_t before = count_mappings();
    StackPool pool;
    acquire_many(pool, 100'000);
    EXPECT_LE(count_mappings(), before + 64 + (has_guard_install() ? 0 : max_map_count() / 2));
}

TEST(StackPool, NoAddressSpaceLeftIsANullPointer) {
    EXPECT_TRUE(holds_in_child([] {
        StackPool pool;
        return limit_address_space(kDefaultStackBytes / 2) && pool.acquire() == nullptr &&
               pool.acquire() == nullptr && pool.stats().in_use == 0 && pool.stats().reserved == 0;
    }));
}

TEST(StackPool, SmallerSlabsServeWhenLargeOnesAreRefused) {
    EXPECT_TRUE(holds_in_child([] {
        constexpr std::size_t kRoom =
            45;  // 16 + 16 + 8 + 4, and the rest is for the guards and their alignment
        StackPool pool;
        if (!limit_address_space(kRoom * kDefaultStackBytes)) {
            return false;
        }
        Stack* last = nullptr;
        while (Stack* const stack = pool.acquire()) {
            last = stack;
        }
        const std::size_t count = pool.stats().in_use;
        pool.release(last);
        return count >= kRoom - 3 && count <= kRoom && pool.acquire() == last &&
               pool.acquire() == nullptr && pool.stats().in_use == count;
    }));
}

// ---- Guard pages

TEST(StackPoolDeathTest, WriteBelowAStackDies) {
    StackPool pool;
    pool.acquire();
    Stack* const stack = pool.acquire();  // below it lies another stack, not the end of the slab
    for (const std::size_t below :
         {std::size_t{1}, page_bytes(), guard_bytes(kDefaultStackBytes)}) {
        volatile std::byte* const guard = stack->bottom - below;
        EXPECT_DEATH(*guard = std::byte{1}, "");
    }
}

TEST(StackPoolDeathTest, WriteBelowAStackOfACrowdDies) {
    StackPool pool;
    Stack* const stack = acquire_many(pool, 2000).back();
    for (const std::size_t below : {std::size_t{1}, 64 * kKiB}) {
        volatile std::byte* const guard = stack->bottom - below;
        EXPECT_DEATH(*guard = std::byte{1}, "");
    }
}

TEST(StackPoolDeathTest, RecycledStackKeepsItsGuard) {
    StackPool pool;
    pool.acquire();
    Stack* const stack = pool.acquire();
    use_c_stack(*stack, 500 * kKiB);
    pool.release(stack);
    ASSERT_EQ(pool.acquire(), stack);
    volatile std::byte* const guard = stack->bottom - guard_bytes(kDefaultStackBytes);
    EXPECT_DEATH(*guard = std::byte{1}, "");
}

TEST(StackPoolDeathTest, OlderKernelsGuardTooByMprotect) {
    EXPECT_DEATH(
        {
            StackPool pool;
            if (forget_guard_install() && pool.acquire() != nullptr) {
                Stack* const stack = pool.acquire();
                if (pool.stats().guarded == 2) {
                    *const_cast<volatile std::byte*>(
                        stack->bottom - guard_bytes(kDefaultStackBytes)) = std::byte{1};
                }
            }
            _exit(0);
        },
        "");
}

TEST(StackPool, OlderKernelsKeepMostMappingsForOthers) {
    EXPECT_TRUE(holds_in_child([] {
        if (!forget_guard_install()) {
            return false;
        }
        const std::size_t limit = max_map_count();
        const std::size_t before = count_mappings();
        const auto guards_of_a_crowd = [&] {
            StackPool pool(kMinStackBytes);
            acquire_many(pool, limit / 4 + 1000);
            return count_mappings() <= before + limit / 2 + 64 ? pool.stats().guarded : 0;
        };
        // The second time shows that the first pool gave back what it had taken of the budget.
        return !has_guard_install() && guards_of_a_crowd() == limit / 4 &&
               guards_of_a_crowd() == limit / 4;
    }));
}

// A sanitizer has mappings of its own for what is written to the stacks.
#ifdef SCHED_ANY_SANITIZER
constexpr bool kMapsMemoryItself = true;
#else
constexpr bool kMapsMemoryItself = false;
#endif

TEST(StackPool, StacksWithoutGuardsServeAsWell) {
    EXPECT_TRUE(holds_in_child([] {
        if (!refuse_guards()) {
            return false;
        }
        const std::size_t before = count_mappings();
        StackPool pool;
        const auto stacks = acquire_many(pool, 100);
        for (const Stack* stack : stacks) {
            std::fill(stack->bottom, stack->top, std::byte{0x5A});
        }
        release_all(pool, stacks);
        return pool.stats().guarded == 0 && pool.stats().pooled == 100 &&
               (kMapsMemoryItself || count_mappings() <= before + 4);
    }));
}

// ---- Threads and processes

TEST(StackPool, EachThreadHasItsOwn) {
    constexpr int kThreads = 4;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([] {
            StackPool pool;
            for (int round = 0; round < 20; ++round) {
                const auto stacks = acquire_many(pool, 100);
                for (const Stack* stack : stacks) {
                    use_c_stack(*stack, 2 * kKiB);
                }
                release_all(pool, stacks);
            }
            EXPECT_EQ(pool.stats().pooled, 100U);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST(StackPool, ForkedChildHasACopy) {
    StackPool pool;
    Stack* const stack = pool.acquire();
    use_c_stack(*stack, 100);
    EXPECT_TRUE(holds_in_child([&] {
        const bool is_same = stack->split[-1] == std::byte{0xA5};
        std::fill(stack->split - 100, stack->split, std::byte{7});
        pool.release(stack);
        return is_same && pool.acquire() == stack && pool.acquire() != nullptr;
    }));
    EXPECT_EQ(stack->split[-1], std::byte{0xA5});
    EXPECT_EQ(pool.stats().in_use, 1U);
}

}  // namespace
