#include "binding/scheduling/enter.h"

namespace scheduler::binding {

ManagerBody* enter_carefully(ModuleState& state) {
    ManagerBody* manager = enter(state);
    if (manager != nullptr) manager->follow_trace();
    return manager != nullptr && manager->held_error.check_none() ? manager : nullptr;
}

}  // namespace scheduler::binding
