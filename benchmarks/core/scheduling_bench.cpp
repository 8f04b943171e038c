// Turns and lives of tasklets.
#include <benchmark/benchmark.h>

#include <memory>

#include "host.h"

namespace {

using scheduler::core::bench::BenchTasklet;
using scheduler::core::bench::BenchThread;

struct Round {
    BenchThread& thread;
    benchmark::State& state;
    bool over = false;
};

// Every tasklet has its turn once in each iteration.
void yield(benchmark::State& state) {
    BenchThread thread;
    const auto count = static_cast<std::size_t>(state.range(0));
    Round round{thread, state};
    const auto tasklets = std::make_unique<BenchTasklet[]>(count);
    const auto others = [](void* argument) {
        auto& mine = *static_cast<Round*>(argument);
        while (!mine.over) mine.thread.yield();
    };
    const auto counting = [](void* argument) {
        auto& mine = *static_cast<Round*>(argument);
        mine.thread.yield();  // the others have started
        for (auto _ : mine.state) mine.thread.yield();
        mine.over = true;
    };
    thread.spawn(tasklets[0], counting, &round);
    for (std::size_t i = 1; i < count; ++i) thread.spawn(tasklets[i], others, &round);
    thread.run();
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(yield)->Arg(2)->Arg(100)->Arg(10'000);

// Queueing, running and ending a batch.
void spawn(benchmark::State& state) {
    BenchThread thread;
    const auto count = static_cast<std::size_t>(state.range(0));
    const auto tasklets = std::make_unique<BenchTasklet[]>(count);
    for (auto _ : state) {
        for (std::size_t i = 0; i < count; ++i) {
            thread.spawn(tasklets[i], [](void*) {}, nullptr);
        }
        thread.run();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(spawn)->Arg(1000);

}  // namespace
