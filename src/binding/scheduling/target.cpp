#include "binding/scheduling/target.h"

namespace scheduler::binding {

namespace {

// A tasklet that was dead already when its thread ended is not marked by that.
bool has_no_thread(const TaskletBody& tasklet) {
    return tasklet.ended || tasklet.manager->finished();
}

}  // namespace

bool refused(Refusal refusal) {
    refuse(refusal);
    return false;
}

bool refused_type(Refusal refusal, PyObject* given) {
    refuse_type(refusal, given);
    return false;
}

bool refused_dead(const TaskletBody& tasklet) {
    if (has_no_thread(tasklet)) return refused(Refusal::kThreadEnded);
    if (tasklet.bound_callable) return refused(Refusal::kNotSetUp);
    return refused(tasklet.name ? Refusal::kDead : Refusal::kUnbound);
}

bool refused_without_callable(const TaskletBody& tasklet) {
    return refused(tasklet.name ? Refusal::kCallableUsedUp : Refusal::kNoCallable);
}

bool refused_elsewhere(const TaskletBody& tasklet) {
    return refused(has_no_thread(tasklet) ? Refusal::kThreadEnded : Refusal::kOtherThread);
}

bool ManagerBody::check_own_thread(const TaskletBody& tasklet) const {
    const bool may = !has_no_thread(tasklet) && !is_foreign(tasklet);
    return may || refused_elsewhere(tasklet);
}

bool ManagerBody::check_runnable(TaskletBody& tasklet) {
    if (!is_foreign(tasklet)) await_delivery(tasklet);
    if (!tasklet.alive()) return refused_dead(tasklet);
    return !tasklet.blocked() || refused(Refusal::kBlocked);
}

bool ManagerBody::check_switch_target(const TaskletBody& target) const {
    const bool nested = state.nested.load(std::memory_order_relaxed);
    if (&target == &current()) {
        if (!nested) refuse(Refusal::kCurrentFlat);
        return nested;
    }
    if (target.is_main) {
        refuse(Refusal::kMainTasklet);
    } else if (target.has_turn()) {
        refuse(nested ? Refusal::kAncestorNested : Refusal::kAncestorFlat);
    } else if (switching) {
        refuse(Refusal::kInCallback);
    } else if (trap_level() != 0) {
        refuse(Refusal::kSwitchTrap);
    } else if (ending) {
        refuse(Refusal::kThreadEnding);
    } else {
        return true;
    }
    return false;
}

bool post(TaskletBody& tasklet, std::uint32_t bits) {
    return tasklet.manager->post(tasklet, bits) || refused(Refusal::kThreadEnded);
}

}  // namespace scheduler::binding
