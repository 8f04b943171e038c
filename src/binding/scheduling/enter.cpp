#include "binding/scheduling/enter.h"

namespace scheduler::binding {

ManagerBody* enter_carefully(ModuleState& state) {
    ManagerBody* manager = last_manager;
    const bool is_right = manager != nullptr && &manager->state == &state &&
                          is_of_this_thread(*manager, &ManagerBody::tls_slot);
    if (!is_right || manager->has_mail()) manager = enter(state);
    if (manager == nullptr) return nullptr;
    manager->follow_trace();
    return manager->held_error.check_none() ? manager : nullptr;
}

ManagerBody* enter_carefully(PyObject* module) { return enter_carefully(state_of_module(module)); }

}  // namespace scheduler::binding
