// The jump alone: the least that a switch between two stacks costs.
#include <benchmark/benchmark.h>

#include "core/context.h"
#include "core/stack_pool.h"

namespace {

using scheduler::core::Context;
using scheduler::core::Stack;
using scheduler::core::StackPool;

struct Pair {
    Context here;
    Context there;
};

void jump_back(void* argument) {
    auto* pair = static_cast<Pair*>(argument);
    for (;;) Context::switch_to(pair->there, pair->here);
}

void jump(benchmark::State& state) {
    StackPool pool;
    Stack* stack = pool.acquire();
    Pair pair;
    pair.there.prepare<jump_back>(*stack, &pair);
    for (auto _ : state) Context::switch_to(pair.here, pair.there);
    state.SetItemsProcessed(2 * state.iterations());
    pair.there.retire();
    pool.release(stack);
}
BENCHMARK(jump);

}  // namespace
