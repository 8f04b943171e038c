// One send and one receive, by a tasklet each.
#include <benchmark/benchmark.h>

#include "host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::bench::BenchTasklet;
using scheduler::core::bench::BenchThread;

struct Conversation {
    BenchThread& thread;
    benchmark::State& state;
    Channel channel{};
    int item = 0;
};

// The argument is the channel's preference.
void send_receive(benchmark::State& state) {
    BenchThread thread;
    Conversation conversation{thread, state};
    conversation.channel.set_preference(static_cast<int>(state.range(0)));
    BenchTasklet sender;
    BenchTasklet receiver;
    const auto sending = [](void* argument) {
        auto& mine = *static_cast<Conversation*>(argument);
        for (auto _ : mine.state) mine.thread.send(mine.channel, &mine.item);
        mine.thread.send(mine.channel, nullptr);
    };
    const auto receiving = [](void* argument) {
        auto& mine = *static_cast<Conversation*>(argument);
        while (mine.thread.receive(mine.channel) != nullptr) {
        }
    };
    thread.spawn(sender, sending, &conversation);
    thread.spawn(receiver, receiving, &conversation);
    thread.run();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_receive)->Arg(-1)->Arg(0)->Arg(1);

}  // namespace
