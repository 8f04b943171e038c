#include "binding/threads/manager_list.h"

#include <algorithm>

#include "core/lock.h"

namespace scheduler::binding {

namespace {

using Managers = core::IntrusiveList<ManagerBody, IsListed>;

core::Lock list_lock;
constinit Managers managers SCHED_GUARDED_BY(list_lock);  // newest first

template <typename Predicate>
ManagerBody* find_here(Predicate predicate) {
    const ThreadKey here = key_of(this_thread_state());
    core::LockGuard guard(list_lock);
    for (ManagerBody* m = managers.front(); m != nullptr; m = managers.after(m)) {
        if (m->thread_key == here && predicate(*m)) return m;
    }
    return nullptr;
}

}  // namespace

void list_manager(ManagerBody& manager) {
    core::LockGuard guard(list_lock);
    managers.push_front(manager);
}

void unlist_manager(ManagerBody& manager) {
    core::LockGuard guard(list_lock);
    managers.remove(manager);
}

std::vector<ListedManager> managers_of(const ModuleState& state) {
    std::vector<ListedManager> found;
    for (std::size_t room = 0;;) {
        found.reserve(room);
        core::LockGuard guard(list_lock);  // no allocation while it is held
        room = managers.size();
        if (found.capacity() < room) continue;
        for (ManagerBody* m = managers.front(); m != nullptr; m = managers.after(m)) {
            if (&m->state != &state) continue;
            // Before it drops its main tasklet a manager leaves the list.
            found.push_back({ManagerRef(*m), PyRef::share(m->main_body().object)});
        }
        break;
    }
    std::reverse(found.begin(), found.end());
    return found;
}

ManagerBody* listed_manager_of_this_thread(const ModuleState& state) {
    return find_here([&state](const ManagerBody& manager) { return &manager.state == &state; });
}

ManagerBody* idle_manager_of_this_thread() {
    return find_here([](const ManagerBody& manager) { return manager.current_is_main(); });
}

}  // namespace scheduler::binding
