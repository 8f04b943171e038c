#include "binding/scheduling/timed_wait.h"

#include "binding/python/errors.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

TimedWait::TimedWait(ManagerBody& manager, TaskletBody& who, std::int64_t timeout)
    : TimedWait(manager, who, timeout, manager.clock().time()) {}

TimedWait::TimedWait(ManagerBody& manager, TaskletBody& who, std::int64_t timeout, std::int64_t now)
    : Wait(who),
      manager_(manager),
      own_deadline_(timeout == 0 ? core::kNever : core::TimerClock::later(now, timeout)) {
    manager_.begin_wait(*this, std::min(own_deadline_, scope_deadline()), now);
}

void TimedWait::end() { manager_.end_wait(*this); }

void TimedWait::update() {
    if (timed_out) return;
    manager_.end_wait(*this);
    manager_.begin_wait(*this, std::min(own_deadline_, scope_deadline()));
}

void TimedWait::raise_scope_expired() const { raise_expired(body_of(tasklet)); }

void raise_expired(const TaskletBody& tasklet) {
    PyRef deadline = PyRef::steal(PyLong_FromLongLong(tasklet.scope_deadline()));
    if (deadline) PyErr_SetObject(tasklet.module_state.scope_expired, deadline.get());
}

bool set_timeout_scope(TaskletBody& tasklet, PyObject* scope, std::int64_t deadline) {
    ManagerBody* const manager = tasklet.get_manager();
    if (existing_manager_of_this_thread(tasklet.module_state) != manager) {
        refuse(Refusal::kOtherThread);
        return false;
    }
    TaskletNotes& notes = tasklet.get_notes();
    notes.scope_deadline = deadline;
    notes.in_scope = scope != Py_None;
    notes.scope.set(PyRef::share(scope == Py_None ? nullptr : scope));
    // Each wait of a tasklet that is in a scope is a TimedWait.
    if (tasklet.wait != nullptr && tasklet.blocked()) {
        static_cast<TimedWait*>(tasklet.wait)->update();
    }
    return true;
}

}  // namespace scheduler::binding
