#include "select.h"

#include <algorithm>
#include <functional>

namespace scheduler::core {

SelectLocks::SelectLocks(std::span<SelectCase*> cases,
                         std::span<Channel*> room) SCHED_NO_THREAD_SAFETY_ANALYSIS {
    std::transform(cases.begin(), cases.end(), room.begin(),
                   [](const SelectCase* one) { return &one->channel; });
    // Any order does in which all take them.
    // NOLINTNEXTLINE(bugprone-nondeterministic-pointer-iteration-order)
    std::sort(room.begin(), room.end(), std::less<>());
    const auto end = std::unique(room.begin(), room.end());
    channels_ = room.first(static_cast<std::size_t>(end - room.begin()));
    for (Channel* channel : channels_) channel->lock();
}

SelectLocks::~SelectLocks() SCHED_NO_THREAD_SAFETY_ANALYSIS {
    for (Channel* channel : channels_) channel->unlock();
}

namespace {

// The first of `cases`, from `first` on and around, for which `predicate` is true.
template <typename Predicate>
SelectCase* find_from(std::span<SelectCase*> cases, std::size_t first, Predicate predicate) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
        SelectCase* const one = cases[(first + i) % cases.size()];
        if (predicate(*one)) return one;
    }
    return nullptr;
}

}  // namespace

Found find_done_locked(std::span<SelectCase*> cases, std::size_t first,
                       Tasklet& self) SCHED_NO_THREAD_SAFETY_ANALYSIS {
    Found found;
    found.done = find_from(cases, first, [&](SelectCase& one) {
        if (one.is_ready || (one.is_gate && one.channel.closing_locked())) return true;
        found.served = one.channel.serve_first_locked(one.direction, self, one.parcel);
        return found.served.partner != nullptr ||
               one.channel.use_buffer_locked(one.direction, one.parcel);
    });
    return found;
}

SelectCase* find_closing_locked(std::span<SelectCase*> cases,
                                std::size_t first) SCHED_NO_THREAD_SAFETY_ANALYSIS {
    return find_from(cases, first,
                     [](const SelectCase& one) { return one.channel.closing_locked(); });
}

void enqueue_locked(Wait& wait, std::span<SelectCase*> cases) SCHED_NO_THREAD_SAFETY_ANALYSIS {
    Tasklet& self = wait.tasklet;
    self.manager->leave_queue_to_wait(self);
    wait.cases = cases;
    self.state.block();
    for (SelectCase* one : cases) {
        one->wait = &wait;
        one->channel.enqueue_locked(*one, one->direction);
    }
}

bool cancel_wait(Tasklet& tasklet) {
    Wait* const wait = tasklet.wait;
    if (wait == nullptr || !wait->is_select()) {
        Channel* const channel = tasklet.channel.load();
        return channel != nullptr && channel->cancel_wait(tasklet);
    }
    if (!tasklet.blocked() || !wait->claim()) {
        tasklet.manager->complete_delivery(tasklet);
        return false;
    }
    for (SelectCase* one : wait->cases) one->channel.leave(*one);
    tasklet.state.leave_queue();
    return true;
}

}  // namespace scheduler::core
