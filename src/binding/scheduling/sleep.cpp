#include "binding/scheduling/sleep.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/run.h"
#include "binding/threads/park.h"
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
    core::Wait wait(self);
    manager->begin_wait(wait, deadline_after(nanoseconds));
    manager->sleepers.rendezvous(core::Direction::kReceive, self, true);
    const bool resumed = manager->suspend(core::Ending::kBlock);
    manager->end_wait(wait);
    if (resumed) return true;
    ErrorStash stash;
    manager->run_deferred();
    return false;
}

}  // namespace scheduler::binding
