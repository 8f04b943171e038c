// Mail from other threads: posting it to a thread that is awake, and reading it.
#include <benchmark/benchmark.h>

#include "host.h"

namespace {

using scheduler::core::bench::BenchTasklet;
using scheduler::core::bench::BenchThread;
namespace mail = scheduler::core::mail;

// One message after another, by the thread that reads it: no other core is waited for.
void post_and_read(benchmark::State& state) {
    BenchThread thread;
    BenchTasklet tasklet;
    tasklet.manager = &thread.manager();
    for (auto _ : state) {
        thread.manager().post(tasklet, mail::kRemove);
        benchmark::DoNotOptimize(thread.read_mail());
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(post_and_read);

struct Posted {
    Posted() { tasklet.manager = &owner.manager(); }

    BenchThread owner;
    BenchTasklet tasklet;
};

// Several threads ask something of the same tasklet: the first one posts it, the others add a bit.
void post_what_is_posted(benchmark::State& state) {
    static Posted posted;
    for (auto _ : state) posted.owner.manager().post(posted.tasklet, mail::kRemove);
    state.SetItemsProcessed(state.iterations());
    if (state.thread_index() == 0) posted.owner.read_mail();
}
BENCHMARK(post_what_is_posted)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
