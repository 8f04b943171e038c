#include "binding/scheduling/tasklet_operations.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/target.h"

namespace scheduler::binding {

using core::Ending;
namespace mail = core::mail;

void ManagerBody::queue(TaskletBody& tasklet, PyRef membership) {
    const bool was_paused = tasklet.paused;
    if (insert(tasklet)) {
        if (!membership) membership = PyRef::share(tasklet.object);
        static_cast<void>(membership.release());
    }
    tasklet.paused = was_paused;
}

bool ManagerBody::switch_now(TaskletBody& target) {
    // A tasklet that is being unwound is in no queue: it cannot step back behind another one.
    if (state.nested.load(std::memory_order_relaxed) || unwinding_current()) {
        if (!target.queued()) queue(target, {});
        return run_queue(&target);
    }
    if (insert_behind_current(target)) Py_INCREF(target.object);
    return suspend(Ending::kRequeueBehindNext);
}

bool ManagerBody::turn_now(TaskletBody& target) {
    if (state.has_schedule_callbacks()) {
        notify_switch(current_body(), target);
        // The callback may have changed everything.
        if (!check_runnable(target) || !check_switch_target(target)) return false;
    }
    return give_turn(target);
}

bool insert(TaskletBody& tasklet) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr) return false;
    if (tasklet.blocked()) return refused(Refusal::kBlocked);
    if (!tasklet.alive()) return refused_dead(tasklet);
    if (manager->is_foreign(tasklet)) return post(tasklet, mail::kInsert);
    if (manager->insert(tasklet)) Py_INCREF(tasklet.object);
    return true;
}

bool remove(TaskletBody& tasklet) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr) return false;
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (tasklet.ended) return refused(Refusal::kThreadEnded);
    if (tasklet.has_turn()) return refused(Refusal::kHasTurn);
    if (manager->is_foreign(tasklet)) {
        return !tasklet.scheduled() || post(tasklet, mail::kRemove);
    }
    if (!manager->take_out(tasklet)) return true;
    manager->trace_event(core::TraceKind::kRemoved, &tasklet);
    tasklet.paused = true;
    Py_DECREF(tasklet.object);  // the caller holds it as well
    return true;
}

bool run(TaskletBody& tasklet) {
    ManagerBody* manager = enter_to_switch(tasklet.get_manager()->state);
    if (manager == nullptr || !manager->check_runnable(tasklet)) return false;
    if (manager->is_foreign(tasklet)) {
        return tasklet.is_main ? refused(Refusal::kMainTasklet) : post(tasklet, mail::kInsert);
    }
    return manager->check_switch_target(tasklet) && manager->switch_now(tasklet);
}

bool resume(TaskletBody& tasklet) {
    ManagerBody* manager = enter_to_switch(tasklet.get_manager()->state);
    if (manager == nullptr || !manager->check_own_thread(tasklet)) return false;
    if (&tasklet == &manager->current()) return refused(Refusal::kResumeCurrent);
    return manager->check_runnable(tasklet) && manager->check_switch_target(tasklet) &&
           manager->turn_now(tasklet);
}

bool switch_to_tasklet(TaskletBody& target) {
    ManagerBody* manager = enter_to_switch(target.get_manager()->state);
    if (manager == nullptr || !manager->check_runnable(target)) return false;
    if (manager->is_foreign(target)) {
        return target.is_main ? refused(Refusal::kMainTasklet) : post(target, mail::kInsert);
    }
    TaskletBody& caller = manager->current_body();
    if (&target == &caller) return true;
    if (target.is_main) return refused(Refusal::kMainTasklet);
    if (target.has_turn()) return refused(Refusal::kAncestorNested);
    if (!manager->can_switch()) return manager->check_can_switch();

    const bool was_queued = target.queued();
    caller.paused = true;
    if (!was_queued) manager->queue(target, {});
    bool ok = manager->run_queue(&target);
    if (ok && was_queued) {
        ok = manager->suspend(Ending::kLeave);
        if (!caller.is_main && ok) return true;
    }
    caller.paused = false;
    return ok;
}

}  // namespace scheduler::binding
