#include "binding/scheduling/run.h"

#include <chrono>

#include "binding/scheduling/enter.h"
#include "binding/scheduling/target.h"
#include "binding/threads/park.h"

namespace scheduler::binding {

namespace {

ManagerBody* enter_to_run(ModuleState& state) {
    ManagerBody* const manager = enter_to_switch(state);
    if (manager != nullptr) manager->look_at_next_turn();
    return manager;
}

}  // namespace

bool run_all(ModuleState& state) {
    ManagerBody* manager = enter_to_run(state);
    if (manager == nullptr) return false;
    const std::uint64_t switched = manager->switched();
    if (!manager->run_queue(nullptr)) return false;
    // A loop around run() would keep the others from doing what its tasklets wait for.
    const bool waits_for_others =
        manager->switched() == switched && state.managers > 1 && manager->has_live_tasklets();
    if (waits_for_others) manager->yield_gil();
    return true;
}

bool run_waiting(ModuleState& state, bool threadblock, std::int64_t timeout) {
    ManagerBody* manager = enter_to_run(state);
    if (manager == nullptr) return false;
    if (!manager->current_is_main()) return refused(Refusal::kOnlyMainWaits);
    if (threadblock && !manager->check_main_may_wait()) return false;
    const std::int64_t deadline = deadline_after(timeout);
    for (;;) {
        const bool ok = run_queue_limited(*manager, [deadline](core::RunLimit& limit) {
            if (deadline == core::kNever) return;
            limit.set_time(std::chrono::nanoseconds(deadline - core::ScheduleManager::now()));
        });
        if (!ok) return false;
        if (!threadblock || core::ScheduleManager::now() >= deadline) return true;
        manager->catch_up_with_mail();
        if (!manager->queue_empty()) continue;
        if (!manager->has_live_tasklets()) return true;
        if (!manager->park_for_work(deadline)) return false;
    }
}

bool run_turns(ModuleState& state, long long turns) {
    if (turns < 1) return refused(Refusal::kTooFewTurns);
    ManagerBody* manager = enter_to_run(state);
    if (manager == nullptr) return false;
    return run_queue_limited(*manager, [turns](core::RunLimit& limit) {
        limit.set_turns(static_cast<std::uint64_t>(turns));
    });
}

bool run_for(ModuleState& state, long long nanoseconds) {
    ManagerBody* manager = enter_to_run(state);
    if (manager == nullptr) return false;
    const std::uint64_t completed = manager->completed();
    const std::uint64_t switched = manager->switched();
    state.last_run_completed = state.last_run_switched = 0;
    const bool ok = run_queue_limited(*manager, [nanoseconds](core::RunLimit& limit) {
        limit.set_lenient_time(std::chrono::nanoseconds(nanoseconds));
    });
    state.last_run_completed = static_cast<int>(manager->completed() - completed);
    state.last_run_switched = static_cast<int>(manager->switched() - switched);
    return ok;
}

}  // namespace scheduler::binding
