#include "binding/scheduling/kill_throw.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/target.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding {

namespace mail = core::mail;

namespace {

// Delivers `error` right now: the tasklet is got going, and raises it.
bool deliver_now(ManagerBody& manager, TaskletBody& tasklet, PyRef error, Delivery how) {
    if (!manager.check_switch_target(tasklet)) return false;
    if (PyRef membership = manager.interrupt_wait(tasklet)) {
        manager.queue(tasklet, std::move(membership));
    }
    manager.defer_decref(std::move(tasklet.pending));
    tasklet.pending = std::move(error);
    tasklet.pending_kill = false;
    return how == Delivery::kAlone ? manager.turn_now(tasklet) : manager.switch_now(tasklet);
}

// DEC-2: the owner thread raises it when the tasklet next has a turn.
bool post_error(TaskletBody& tasklet, PyRef error, bool kill) {
    PyRef replaced = error_in(tasklet.posted.put({error.release(), kill}));
    return cancel_remote_wait(tasklet) || post(tasklet, mail::kError);
}

}  // namespace

PyRef make_exit(const ModuleState& state) {
    return PyRef::steal(PyObject_CallNoArgs(state.tasklet_exit));
}

PyRef ManagerBody::interrupt_wait(TaskletBody& tasklet) {
    if (!cancel_wait(tasklet)) return {};
    const core::Parcel::Kind kind = tasklet.parcel.kind();
    drop_parcel(tasklet);
    tasklet.parcel = core::Parcel(kind, nullptr);
    return PyRef::steal(tasklet.object);
}

void ManagerBody::make_pending(TaskletBody& tasklet, PyRef error, bool kill) {
    if (!tasklet.alive()) {
        defer_decref(std::move(error));
        return;
    }
    PyRef membership = interrupt_wait(tasklet);
    if (!tasklet.queued() && !tasklet.has_turn()) {
        queue(tasklet, std::move(membership));
    }
    defer_decref(std::move(tasklet.pending));
    tasklet.pending = std::move(error);
    tasklet.pending_kill = kill;
}

bool kill(TaskletBody& tasklet, Delivery how) {
    const bool pending = how == Delivery::kPending;
    // Made first: on 3.11 that may start a collection, and with it code of the program.
    PyRef exit = make_exit(tasklet.module_state);
    ModuleState& state = tasklet.module_state;
    ManagerBody* manager = !exit ? nullptr : pending ? enter(state) : enter_to_switch(state);
    if (manager == nullptr) return false;
    const bool foreign = manager->is_foreign(tasklet);
    if ((foreign || tasklet.ended) && !pending) return refused_elsewhere(tasklet);
    if (!tasklet.alive()) return true;
    if (&tasklet == &manager->current()) {
        PyErr_SetNone(manager->state.tasklet_exit);
        return false;
    }
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    // One that is on its way already is enough, unless the tasklet has left the queue since.
    if (tasklet.posted.kills() || (tasklet.pending_kill && tasklet.queued())) return true;
    if (foreign) return post_error(tasklet, std::move(exit), true);
    manager->trace_event(core::TraceKind::kThrown, &tasklet, &manager->current(), 1);
    if (!pending) return deliver_now(*manager, tasklet, std::move(exit), how);
    manager->make_pending(tasklet, std::move(exit), true);
    manager->run_deferred();
    return true;
}

bool throw_at(TaskletBody& tasklet, PyObject* error, Delivery how) {
    const bool pending = how == Delivery::kPending;
    PyRef own = PyRef::steal(error);
    ModuleState& state = tasklet.get_manager()->state;
    ManagerBody* manager = pending ? enter(state) : enter_to_switch(state);
    if (manager == nullptr) return false;
    const bool foreign = manager->is_foreign(tasklet);
    if ((foreign || tasklet.ended) && !pending) return refused_elsewhere(tasklet);
    if (!tasklet.alive()) {
        return PyErr_GivenExceptionMatches(own.get(), manager->state.tasklet_exit) != 0 ||
               refused(Refusal::kThrowDead);
    }
    if (&tasklet == &manager->current()) {
        raise_here(own.release());
        return false;
    }
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (foreign) return post_error(tasklet, std::move(own), false);
    manager->trace_event(core::TraceKind::kThrown, &tasklet, &manager->current(), 0);
    if (!pending) return deliver_now(*manager, tasklet, std::move(own), how);
    manager->make_pending(tasklet, std::move(own), false);
    manager->run_deferred();
    return true;
}

}  // namespace scheduler::binding
