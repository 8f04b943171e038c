// One send and one receive, by a tasklet each.
#include <benchmark/benchmark.h>

#include "host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::bench::BenchTasklet;
using scheduler::core::bench::BenchThread;

struct RendezvousResult {
    BenchThread& thread;
    benchmark::State& state;
    Channel channel;
    int item = 0;
};

// The argument is the channel's preference.
void send_receive(benchmark::State& state) {
    BenchThread thread;
    RendezvousResult result{thread, state, {}};
    meeting.channel.set_preference(static_cast<int>(state.range(0)));
    BenchTasklet sender;
    BenchTasklet receiver;
    const auto sending = [](void* argument) {
        auto& mine = *static_cast<RendezvousResult*>(argument);
        for (auto _ : mine.state) mine.thread.send(mine.channel, &mine.item);
        mine.thread.send(mine.channel, nullptr);
    };
    const auto receiving = [](void* argument) {
        auto& mine = *static_cast<RendezvousResult*>(argument);
        while (mine.thread.receive(mine.channel) != nullptr) {
        }
    };
    thread.spawn(sender, sending, &meeting);
    thread.spawn(receiver, receiving, &meeting);
    thread.run();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_receive)->Arg(-1)->Arg(0)->Arg(1);

}  // namespace
