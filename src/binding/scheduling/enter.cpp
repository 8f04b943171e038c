#include "binding/scheduling/enter.h"

namespace scheduler::binding {

ManagerBody* enter_carefully(ModuleState& state) {
    ManagerBody* manager = last_manager_by(&ManagerBody::tls_slot, state);
    if (manager == nullptr || manager->has_mail()) manager = enter(state);
    if (manager == nullptr) return nullptr;
    manager->follow_trace();
    return manager->held_error.check_none() ? manager : nullptr;
}

ManagerBody* enter_carefully(PyObject* module) { return enter_carefully(state_of_module(module)); }

}  // namespace scheduler::binding
