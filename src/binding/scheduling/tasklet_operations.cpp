#include "binding/scheduling/tasklet_operations.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/switcher.h"
#include "binding/scheduling/target.h"

namespace scheduler::binding {

using core::Ending;
namespace mail = core::mail;

void queue(ManagerBody& manager, TaskletBody& tasklet, PyRef membership) {
    const bool was_paused = tasklet.paused;
    if (manager.insert(tasklet)) {
        if (!membership) membership = PyRef::share(tasklet.object);
        static_cast<void>(membership.release());
    }
    tasklet.paused = was_paused;
}

bool insert(TaskletBody& tasklet) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr) return false;
    if (tasklet.blocked()) return refused(Refusal::kBlocked);
    if (!tasklet.alive()) return refused_dead(tasklet);
    if (is_foreign(*manager, tasklet)) return post(tasklet, mail::kInsert);
    if (manager->insert(tasklet)) Py_INCREF(tasklet.object);
    return true;
}

bool remove(TaskletBody& tasklet) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr) return false;
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (tasklet.ended) return refused(Refusal::kThreadEnded);
    if (tasklet.has_turn()) return refused(Refusal::kHasTurn);
    if (is_foreign(*manager, tasklet)) {
        return !tasklet.scheduled() || post(tasklet, mail::kRemove);
    }
    if (!manager->take_out(tasklet)) return true;
    tasklet.paused = true;
    Py_DECREF(tasklet.object);  // the caller holds it as well
    return true;
}

bool run(TaskletBody& tasklet) {
    ManagerBody* manager = enter_to_switch(tasklet.get_manager()->state);
    if (manager == nullptr || !check_runnable(*manager, tasklet)) return false;
    if (is_foreign(*manager, tasklet)) {
        return tasklet.is_main ? refused(Refusal::kMainTasklet) : post(tasklet, mail::kInsert);
    }
    return check_switch_target(*manager, tasklet) && switch_now(*manager, tasklet);
}

bool switch_to_tasklet(TaskletBody& target) {
    ManagerBody* manager = enter_to_switch(target.get_manager()->state);
    if (manager == nullptr || !check_runnable(*manager, target)) return false;
    if (is_foreign(*manager, target)) {
        return target.is_main ? refused(Refusal::kMainTasklet) : post(target, mail::kInsert);
    }
    TaskletBody& caller = manager->current_body();
    if (&target == &caller) return true;
    if (target.is_main) return refused(Refusal::kMainTasklet);
    if (target.has_turn()) return refused(Refusal::kAncestorNested);
    if (cannot_switch(*manager)) return check_can_switch(*manager);

    const bool was_queued = target.queued();
    caller.paused = true;
    if (!was_queued) queue(*manager, target, {});
    bool ok = run_queue(*manager, &target);
    if (ok && was_queued) {
        ok = suspend(*manager, Ending::kLeave);
        if (!caller.is_main && ok) return true;
    }
    caller.paused = false;
    return ok;
}

}  // namespace scheduler::binding
