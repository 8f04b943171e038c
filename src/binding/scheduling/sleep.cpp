#include "binding/scheduling/sleep.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/timed_wait.h"
#include "core/channel.h"

namespace scheduler::binding {

bool sleep_for(ModuleState& state, std::int64_t nanoseconds) {
    if (nanoseconds == 0) return schedule(state, false);
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr ||
        !manager->check_obstacle(manager->find_obstacle(WaitFor::kTransferOrTime))) {
        return false;
    }
    TaskletBody& self = manager->current_body();
    TimedWait wait(*manager, self, nanoseconds);
    manager->sleepers.rendezvous(core::Direction::kReceive, self, true);
    const bool resumed = manager->suspend(core::Ending::kBlock);
    wait.end();
    if (resumed && !wait.ended_by_scope()) return true;
    if (resumed) wait.raise_scope_expired();
    ErrorStash stash;
    manager->run_deferred();
    return false;
}

}  // namespace scheduler::binding
