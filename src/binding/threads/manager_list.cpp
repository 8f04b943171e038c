#include "binding/threads/manager_list.h"

#include <algorithm>

#include "core/lock.h"

namespace scheduler::binding {

namespace {

struct List {
    core::Lock lock;
    ManagerBody* first SCHED_GUARDED_BY(lock) = nullptr;
};
constinit List list;

template <typename Predicate>
ManagerBody* find_here(Predicate predicate) {
    const ThreadKey here = key_of(this_thread_state());
    core::LockGuard guard(list.lock);
    for (ManagerBody* m = list.first; m != nullptr; m = m->next_listed) {
        if (m->thread_key == here && predicate(*m)) return m;
    }
    return nullptr;
}

}  // namespace

void list_manager(ManagerBody& manager) {
    core::LockGuard guard(list.lock);
    manager.previous_listed = nullptr;
    manager.next_listed = list.first;
    if (list.first != nullptr) list.first->previous_listed = &manager;
    list.first = &manager;
}

void unlist_manager(ManagerBody& manager) {
    core::LockGuard guard(list.lock);
    ManagerBody* const next = manager.next_listed;
    if (manager.previous_listed != nullptr) {
        manager.previous_listed->next_listed = next;
    } else {
        list.first = next;
    }
    if (next != nullptr) next->previous_listed = manager.previous_listed;
}

std::vector<ListedManager> managers_of(const ModuleState& state) {
    std::vector<ListedManager> found;
    found.reserve(static_cast<std::size_t>(std::max(0L, long{state.managers})));
    {
        core::LockGuard guard(list.lock);  // no allocation while it is held
        for (ManagerBody* m = list.first; m != nullptr && found.size() < found.capacity();
             m = m->next_listed) {
            if (&m->state != &state) continue;
            // Before it drops its main tasklet a manager leaves the list.
            found.push_back({ManagerRef(*m), PyRef::share(m->main_body().object)});
        }
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
