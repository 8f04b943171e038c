#include "binding/scheduling/manager_body.h"

#include <cxxabi.h>

#include "binding/diagnostics/overflow_report.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

// Empty: there is none.
PyRef take_last(std::vector<PyObject*>& references) {
    if (references.empty()) return {};
    PyObject* const last = references.back();
    references.pop_back();
    return PyRef::steal(last);
}

void retain_tasklet(core::Tasklet& tasklet) { Py_INCREF(object_of(tasklet)); }
bool try_retain_tasklet(core::Tasklet& tasklet) { return try_incref(object_of(tasklet)); }
void unretain_tasklet(core::Tasklet& tasklet) { Py_DECREF(object_of(tasklet)); }
void destroy_manager(core::ScheduleManager& manager) { delete static_cast<ManagerBody*>(&manager); }
constexpr core::Host kHost{retain_tasklet, try_retain_tasklet, unretain_tasklet, destroy_manager};

}  // namespace

ManagerBody::ManagerBody(ModuleState& module_state, PyThreadState* thread,
                         TaskletBody& main_tasklet, Room room)
    : core::ScheduleManager(kHost, main_tasklet, module_state.wanted_stack()),
      state(module_state),
      thread_state(thread),
      thread_key(key_of(thread)),
      thread_id(PyThread_get_thread_ident()),
      decrefs_(std::move(room.decrefs)),
      orphans_(std::move(room.orphans)),
      cycles_(std::move(room.cycles)) {
    state.hold();
    add_reference();  // main's
    take_tls_slot();
}

void ManagerBody::take_tls_slot() {
    tls_slot = &last_manager;
    update_tls_slot();
    cxx_globals = abi::__cxa_get_globals();
    last_manager = this;
    watch_for_overflow();
}

ManagerBody::~ManagerBody() { state.release(); }

void ManagerBody::run_deferred() {
    if (switching) return;
    has_deferred_ = false;
    // What the current tasklet has received and not looked at yet is not for the code run here.
    TaskletBody& self = current_body();
    core::Parcel received = std::move(self.parcel);
    if (stack_to_release_ != nullptr) {
        TaskletBody& tasklet = *std::exchange(stack_to_release_, nullptr);
        tasklet.context.retire();
        stacks().release(std::exchange(tasklet.stack, nullptr));
    }
    do {
        while (PyRef last = take_last(decrefs_)) last.reset();
    } while (!switching && unwind_one());
    if (!orphans_.empty() || !cycles_.empty()) has_deferred_ = true;
    self.parcel = std::move(received);
}

bool ManagerBody::unwind_one() {
    const bool in_cycle = !cycles_.empty();
    PyRef orphan = take_last(in_cycle ? cycles_ : orphans_);
    if (!orphan) return false;
    TaskletBody& tasklet = body_of(orphan.get());
    // One of a cycle can go on if another one's end has queued it. One that is back with its users is left
    // to the last of them. Without the GIL the count says little: whoever posted it to its own thread may
    // still hold it for a moment. Then it is unwound whoever has it.
    const bool is_garbage =
        in_cycle ? !kHasGil || !tasklet.scheduled() : !kHasGil || Py_REFCNT(orphan.get()) == 1;
    if (is_garbage) end_present_activation(tasklet);
    if (tasklet.alive()) state.survivors.add(orphan.get());
    orphan.reset();
    return true;
}

}  // namespace scheduler::binding
