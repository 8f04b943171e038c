#include "binding/scheduling/target.h"

#include "binding/threads/mail.h"

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

bool is_foreign(const ManagerBody& here, const TaskletBody& tasklet) {
    return tasklet.get_manager() != &here;
}

bool refused_elsewhere(const TaskletBody& tasklet) {
    return refused(has_no_thread(tasklet) ? Refusal::kThreadEnded : Refusal::kOtherThread);
}

bool check_own_thread(const ManagerBody& here, const TaskletBody& tasklet) {
    const bool may = !has_no_thread(tasklet) && !is_foreign(here, tasklet);
    return may || refused_elsewhere(tasklet);
}

bool check_runnable(ManagerBody& here, TaskletBody& tasklet) {
    if (!is_foreign(here, tasklet)) await_delivery(here, tasklet);
    if (!tasklet.alive()) return refused_dead(tasklet);
    return !tasklet.blocked() || refused(Refusal::kBlocked);
}

bool post(TaskletBody& tasklet, std::uint32_t bits) {
    return tasklet.manager->post(tasklet, bits) || refused(Refusal::kThreadEnded);
}

}  // namespace scheduler::binding
