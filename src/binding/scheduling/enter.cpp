#include "binding/scheduling/enter.h"

#include "binding/scheduling/held_error.h"
#include "binding/threads/mail.h"

namespace scheduler::binding {

ManagerBody* enter_with_mail(ManagerBody& manager) {
    // run_deferred() may run Python, during which more mail may come.
    while (!manager.switching && manager.has_mail()) {
        read_mail(manager);
        manager.run_deferred();
    }
    return &manager;
}

ManagerBody* enter_carefully(ModuleState& state) {
    ManagerBody* manager = enter(state);
    return manager != nullptr && nothing_held(*manager) ? manager : nullptr;
}

}  // namespace scheduler::binding
