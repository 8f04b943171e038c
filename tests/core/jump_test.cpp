#include "core/jump.h"

#include <gtest/gtest.h>

#include "core/context.h"
#include "core/stack_pool.h"

namespace {

using scheduler::core::kPairsReturns;

TEST(JumpTest, IsTheOneThatThisProgramIsFor) {
#if defined(SCHED_PLAIN_JUMP) || defined(SCHED_ANY_SANITIZER) || !defined(__x86_64__)
    EXPECT_FALSE(kPairsReturns);
#elif !defined(__CET__)
    EXPECT_TRUE(kPairsReturns);
#endif
}

}  // namespace

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <ucontext.h>
#include <unwind.h>

#include <cstdint>
#include <set>

namespace {

using scheduler::core::Context;
using scheduler::core::Stack;
using scheduler::core::StackPool;

constexpr std::uint64_t kTrapFlag = 0x100;  // of the processor: a SIGTRAP after each instruction

// What an unwinder has found, at each instruction of scheduler_core_jump().
struct Seen {
    int instructions = 0;
    int without_end = 0;
    std::set<void*> callers;
};
Seen seen;

struct Walk {
    std::uintptr_t interrupted;
    bool passed = false;
    void* caller = nullptr;
    int frames = 0;
};

_Unwind_Reason_Code look_at(_Unwind_Context* frame, void* argument) {
    auto& walk = *static_cast<Walk*>(argument);
    const std::uintptr_t address = _Unwind_GetIP(frame);
    if (walk.passed && walk.caller == nullptr) {
        walk.caller = _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(address - 1));
    }
    walk.passed = walk.passed || address == walk.interrupted;
    return ++walk.frames < 100 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

void unwind_from(int, siginfo_t*, void* where) {
    auto& registers = static_cast<ucontext_t*>(where)->uc_mcontext.gregs;
    const auto address = static_cast<std::uintptr_t>(registers[REG_RIP]);
    void* const function = _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(address));
    if (function != reinterpret_cast<void*>(&scheduler_core_jump)) return;
    ++seen.instructions;
    Walk walk{.interrupted = address};
    if (_Unwind_Backtrace(look_at, &walk) != _URC_END_OF_STACK) ++seen.without_end;
    seen.callers.insert(walk.caller);
}

void set_flag(std::uint64_t flag, bool on) {
    const std::uint64_t flags = __builtin_ia32_readeflags_u64();
    __builtin_ia32_writeeflags_u64(on ? flags | flag : flags & ~flag);
}

struct Pair {
    Context here;
    Context there;
};

[[gnu::noinline]] void hop(Context& from, Context& to) { Context::switch_to(from, to); }

void hop_back(void* argument) {
    auto& pair = *static_cast<Pair*>(argument);
    for (;;) hop(pair.there, pair.here);
}

// As a profiler or a debugger may look at any moment.
TEST(JumpTest, AnUnwinderFindsTheCallerAtEachInstruction) {
    struct sigaction before{};
    struct sigaction action{};
    action.sa_sigaction = unwind_from;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGTRAP, &action, &before), 0);
    StackPool pool;
    Stack* const stack = pool.acquire();
    Pair pair;
    pair.there.prepare<hop_back>(*stack, &pair);
    hop(pair.here, pair.there);

    seen = Seen();
    set_flag(kTrapFlag, true);
    hop(pair.here, pair.there);
    hop(pair.here, pair.there);
    set_flag(kTrapFlag, false);

    sigaction(SIGTRAP, &before, nullptr);
    if (kPairsReturns) {
        EXPECT_GE(seen.instructions, 4 * 5);  // four jumps
        EXPECT_EQ(seen.callers.size(), 1U);  // hop()
    } else {
        EXPECT_EQ(seen.instructions, 0);
    }
    EXPECT_EQ(seen.callers.count(nullptr), 0U);
    EXPECT_EQ(seen.without_end, 0);
    pair.there.retire();
    pool.release(stack);
}

}  // namespace

#endif
