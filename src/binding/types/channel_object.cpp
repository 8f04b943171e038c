// Ending the waits of a channel: closing it, and killing those who wait.

#include "binding/types/channel_object.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/kill_throw.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "binding/python/errors.h"

namespace scheduler::binding {

namespace {

bool waits_on(const TaskletBody& tasklet, const core::Channel& channel) {
    if (!tasklet.blocked() || tasklet.channel == &channel) return tasklet.blocked();
    bool is_among = false;  // by a case of select()
    channel.visit_waiting([&](const core::Tasklet& waiting) {
        is_among = &waiting == &tasklet;
        return !is_among;
    });
    return is_among;
}

}  // namespace

std::vector<PyRef> who_waits(const core::Channel& channel) {
    std::vector<PyRef> waiting;
    waiting.reserve(channel.count_waiting());
    channel.visit_waiting([&waiting](core::Tasklet& tasklet) {  // no allocation under the lock
        if (waiting.size() == waiting.capacity()) return false;
        waiting.push_back(PyRef::share(object_of(tasklet)));
        return true;
    });
    // By several cases of a select() a tasklet is there several times.
    std::unordered_set<PyObject*> seen;
    std::erase_if(waiting, [&](const PyRef& one) { return !seen.insert(one.get()).second; });
    return waiting;
}

PyObject* first_waiting(PyObject* channel) {
    PyObject* first = nullptr;
    channel_of(channel).channel.visit_waiting([&first](core::Tasklet& tasklet) {
        first = Py_NewRef(object_of(tasklet));
        return false;
    });
    return first;
}

bool cancel_remote_wait(TaskletBody& tasklet) {
    // A channel is not destroyed under this lock, and one that a tasklet waits on is alive.
    core::LockGuard guard(tasklet.module_state.registry_lock);
    core::Channel* const channel = tasklet.channel.load(std::memory_order_acquire);
    return channel != nullptr && channel->cancel_remote_wait(tasklet);
}

bool close_and_wake(PyObject* object) {
    core::Channel& channel = channel_of(object).channel;
    ManagerBody* const manager = enter(*channel_of(object).state);
    if (manager == nullptr) return false;
    std::vector<core::Served> released(channel.count_waiting());
    std::size_t count = 0;  // may grow until the lock is held again
    while ((count = channel.close_and_release(*manager, released)) > released.size()) {
        released.resize(count);
    }
    for (std::size_t i = 0; i < count; ++i) {
        core::Tasklet* const partner = core::Channel::finish(released[i]).own_partner();
        if (partner == nullptr) continue;
        manager->make_runnable(*partner, false);
        manager->trace_ready(*partner, &manager->current());
    }
    return true;
}

bool clear_channel(PyObject* object) {
    ChannelObject& channel = channel_of(object);
    ManagerBody* manager = enter(*channel.state);
    if (manager == nullptr) return false;
    PyRef keep = PyRef::share(object);
    std::vector<PyRef> victims = who_waits(channel.channel);
    // Main tasklets cannot be killed.
    std::erase_if(victims, [](const PyRef& one) { return body_of(one.get()).is_main; });
    const bool ours = std::any_of(victims.begin(), victims.end(), [manager](const PyRef& victim) {
        return body_of(victim.get()).manager == manager;
    });
    if (ours && !manager->check_can_switch()) return false;
    for (const PyRef& victim : victims) {
        TaskletBody& tasklet = body_of(victim.get());
        // Those killed before have run, and may have served this one.
        const Delivery how = tasklet.get_manager() != manager ? Delivery::kPending : Delivery::kNow;
        if (waits_on(tasklet, channel.channel) && !kill(tasklet, how)) return false;
    }
    return true;
}

int clear_all_channels(ModuleState& state) {
    std::vector<PyRef> busy;
    busy.reserve(static_cast<std::size_t>(state.channels));
    {
        core::LockGuard guard(state.registry_lock);  // no allocation while it is held
        for (ChannelObject* c = state.registry.front();
             c != nullptr && busy.size() < busy.capacity(); c = state.registry.after(c)) {
            // One that is being destroyed has nobody waiting.
            if (c->channel.count_waiting() != 0 && try_incref(&c->ob_base)) {
                busy.push_back(PyRef::steal(&c->ob_base));
            }
        }
    }
    for (const PyRef& channel : busy) {
        if (!clear_channel(channel.get())) return -1;
    }
    return static_cast<int>(busy.size());
}

}  // namespace scheduler::binding
