#include "binding/scheduling/tasklet_operations.h"

#include "binding/threads/mail.h"

#include <chrono>

#include "binding/python/errors.h"
#include "binding/scheduling/held_error.h"
#include "binding/scheduling/switcher.h"
#include "binding/threads/park.h"
#include "binding/types/channel_object.h"
#include "core/channel.h"

namespace scheduler::binding {

namespace {

using core::Ending;
namespace mail = core::mail;

bool refused(Refusal refusal) {
    refuse(refusal);
    return false;
}

bool refused_type(Refusal refusal, PyObject* given) {
    refuse_type(refusal, given);
    return false;
}

// A tasklet that was dead already when its thread ended is not marked by that.
bool has_no_thread(const TaskletBody& tasklet) {
    return tasklet.ended || tasklet.manager->finished();
}

// It cannot run: its thread has ended, or it has not begun yet, or has ended by itself.
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

// For what only the tasklet's own thread may do.
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

PyRef make_exit(const ModuleState& state) {
    return PyRef::steal(PyObject_CallNoArgs(state.tasklet_exit));
}

// A tasklet of this thread leaves the wait queue of its channel, with the wait queue's reference for
// the caller. Empty: it does not wait. What it had to send is dropped later (defer_decref()); the empty
// envelope tells the sender that nobody took it.
PyRef interrupt_wait(ManagerBody& manager, TaskletBody& tasklet) {
    if (!cancel_wait(manager, tasklet)) return {};
    const core::Parcel::Kind kind = tasklet.parcel.kind();
    drop_parcel(manager, tasklet);
    tasklet.parcel = core::Parcel(kind, nullptr);
    return PyRef::steal(tasklet.object);
}

// Appends a tasklet of this thread that is in no list, with `membership` as the queue's reference (a
// new one if that is empty). The paused flag stays as it is.
void queue(ManagerBody& manager, TaskletBody& tasklet, PyRef membership) {
    const bool was_paused = tasklet.paused;
    if (manager.insert(tasklet)) {
        if (!membership) membership = PyRef::share(tasklet.object);
        static_cast<void>(membership.release());
    }
    tasklet.paused = was_paused;
}

// Delivers `error` right now: the tasklet is got going, and raises it.
bool deliver_now(ManagerBody& manager, TaskletBody& tasklet, PyRef error) {
    if (!check_switch_target(manager, tasklet)) return false;
    if (PyRef membership = interrupt_wait(manager, tasklet)) {
        queue(manager, tasklet, std::move(membership));
    }
    manager.defer_decref(std::move(tasklet.pending));
    tasklet.pending = std::move(error);
    tasklet.pending_kill = false;
    return switch_now(manager, tasklet);
}

// DEC-2: the owner thread raises it when the tasklet next has a turn.
bool post_error(TaskletBody& tasklet, PyRef error, bool kill) {
    PyRef replaced = error_in(tasklet.posted.put({error.release(), kill}));
    return cancel_remote_wait(tasklet) || post(tasklet, mail::kError);
}

bool check_arguments(PyObject* args, PyObject* kwargs) {
    if (args != nullptr && args != Py_None && !PyTuple_Check(args)) {
        return refused_type(Refusal::kArgsNotTuple, args);
    }
    return kwargs == nullptr || kwargs == Py_None || PyDict_Check(kwargs) ||
           refused_type(Refusal::kKwargsNotDict, kwargs);
}

// A fresh activation with these arguments, in the place of a present one: a new tasklet keeps its
// place in the queue, one that has started is unwound first.
bool replace_activation(ManagerBody& manager, TaskletBody& tasklet, PyObject* args,
                        PyObject* kwargs) {
    PyRef own_args =
        args == nullptr || args == Py_None ? PyRef::steal(PyTuple_New(0)) : PyRef::share(args);
    if (!own_args) return false;
    PyRef own_kwargs;
    if (kwargs != nullptr && kwargs != Py_None && PyDict_GET_SIZE(kwargs) != 0) {
        own_kwargs = PyRef::steal(PyDict_Copy(kwargs));
        if (!own_kwargs) return false;
    }
    PyRef context;
    if (!copy_current_context(manager.thread_state, context)) return false;
    if (tasklet.started() && manager.switching) return refused(Refusal::kInCallback);
    if (tasklet.started()) end_present_activation(manager, tasklet);
    // Code of the program has run, which may have been at this tasklet again.
    if (tasklet.started()) return refused(Refusal::kBindCurrent);
    if (!tasklet.bound_callable) return refused_without_callable(tasklet);
    make_activation(manager, tasklet, std::move(own_args), std::move(own_kwargs),
                    std::move(context));
    return true;
}

bool unbind(ManagerBody& manager, TaskletBody& tasklet) {
    if (&tasklet == &manager.current()) return refused(Refusal::kUnbindCurrent);
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (tasklet.scheduled() || tasklet.has_turn()) return refused(Refusal::kUnbindScheduled);
    if (tasklet.started() && manager.switching) return refused(Refusal::kInCallback);
    const bool was_paused = tasklet.paused;
    end_present_activation(manager, tasklet);
    // Code of the program has run, which may have been at this tasklet again.
    if (tasklet.alive()) return refused(Refusal::kUnbindScheduled);
    tasklet.paused = was_paused;
    unbind_callable(tasklet);
    manager.run_deferred();
    return true;
}

// Drives the queue with a limit that `set` puts in place; afterwards that is gone, also for a run
// around this one. Only turns handed out by main are limited: another tasklet, which may be suspended
// before it gets as far as to end the limit, sets none.
template <typename Set>
bool run_queue_limited(ManagerBody& manager, Set set) {
    if (manager.switching) return run_queue(manager, nullptr);  // refused
    manager.limit().clear();
    if (manager.current_is_main()) set(manager.limit());
    const bool ok = run_queue(manager, nullptr);
    manager.limit().clear();
    return ok;
}

}  // namespace

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

// ---- arguments ---------------------------------------------------------------------------------

void end_present_activation(ManagerBody& manager, TaskletBody& tasklet) {
    if (!tasklet.alive() || tasklet.has_turn()) return;
    if (tasklet.get_state() == core::TaskletState::kNew) {
        end_activation(tasklet, manager);
        return;
    }
    ErrorStash stash;
    PyRef exit = make_exit(manager.state);
    // Whatever is raised in there unwinds it.
    if (!exit) exit = PyRef::steal(take_error());
    // On 3.11 that may have started a collection, and code that has been at this tasklet.
    if (!tasklet.started() || tasklet.has_turn()) return;
    if (PyRef membership = interrupt_wait(manager, tasklet))
        manager.defer_decref(std::move(membership));
    if (manager.has_mail()) read_mail(manager);
    if (manager.take_out(tasklet)) manager.defer_decref(tasklet.object);
    unwind(manager, tasklet, std::move(exit));
}

bool bind(TaskletBody& tasklet, PyObject* callable, PyObject* args, PyObject* kwargs) {
    const bool has_callable = callable != nullptr && callable != Py_None;
    if (has_callable && PyCallable_Check(callable) == 0) {
        return refused_type(Refusal::kNotCallable, callable);
    }
    if (!check_arguments(args, kwargs)) return false;
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr || !check_own_thread(*manager, tasklet)) return false;
    const bool has_arguments = args != nullptr || kwargs != nullptr;
    if (callable == Py_None && !has_arguments) return unbind(*manager, tasklet);
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);

    if (has_arguments) {
        if (tasklet.has_turn()) return refused(Refusal::kBindCurrent);
        if (!has_callable && !tasklet.bound_callable) return refused_without_callable(tasklet);
        if (has_callable && !bind_callable(tasklet, callable)) return false;
        if (!replace_activation(*manager, tasklet, args, kwargs)) return false;
        if (manager->has_deferred()) manager->run_deferred();
    } else if (has_callable && !bind_callable(tasklet, callable)) {
        return false;
    }
    tasklet.times_switched_to = 0;
    return true;
}

bool setup(TaskletBody& tasklet, PyObject* args, PyObject* kwargs) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr || !check_own_thread(*manager, tasklet)) return false;
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (!tasklet.bound_callable) return refused_without_callable(tasklet);
    if (tasklet.has_turn()) return refused(Refusal::kBindCurrent);
    // One that is queued keeps its place, also when it has to be unwound outside the queue.
    core::Tasklet* before = manager->previous_in_queue(tasklet);
    PyRef place = PyRef::share(before != nullptr ? object_of(*before) : nullptr);
    if (!replace_activation(*manager, tasklet, args, kwargs)) return false;
    tasklet.paused = false;
    if (place ? manager->insert_behind(body_of(place.get()), tasklet) : manager->insert(tasklet)) {
        Py_INCREF(tasklet.object);
    }
    if (manager->has_deferred()) manager->run_deferred();
    return true;
}

// ---- the queue ---------------------------------------------------------------------------------

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

// ---- exceptions --------------------------------------------------------------------------------

void make_pending(ManagerBody& manager, TaskletBody& tasklet, PyRef error, bool kill) {
    if (!tasklet.alive()) {
        manager.defer_decref(std::move(error));
        return;
    }
    PyRef membership = interrupt_wait(manager, tasklet);
    if (!tasklet.queued() && !tasklet.has_turn()) {
        queue(manager, tasklet, std::move(membership));
    }
    manager.defer_decref(std::move(tasklet.pending));
    tasklet.pending = std::move(error);
    tasklet.pending_kill = kill;
}

bool kill(TaskletBody& tasklet, bool pending) {
    // Made first: on 3.11 that may start a collection, and with it code of the program.
    PyRef exit = make_exit(tasklet.module_state);
    ModuleState& state = tasklet.module_state;
    ManagerBody* manager = !exit ? nullptr : pending ? enter(state) : enter_to_switch(state);
    if (manager == nullptr) return false;
    const bool foreign = is_foreign(*manager, tasklet);
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
    if (!pending) return deliver_now(*manager, tasklet, std::move(exit));
    make_pending(*manager, tasklet, std::move(exit), true);
    manager->run_deferred();
    return true;
}

bool throw_at(TaskletBody& tasklet, PyObject* error, bool pending) {
    PyRef own = PyRef::steal(error);
    ModuleState& state = tasklet.get_manager()->state;
    ManagerBody* manager = pending ? enter(state) : enter_to_switch(state);
    if (manager == nullptr) return false;
    const bool foreign = is_foreign(*manager, tasklet);
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
    if (!pending) return deliver_now(*manager, tasklet, std::move(own));
    make_pending(*manager, tasklet, std::move(own), false);
    manager->run_deferred();
    return true;
}

// ---- the calling thread ------------------------------------------------------------------------

bool schedule(ModuleState& state, bool remove) {
    ManagerBody* manager = enter_to_switch(state);
    return manager != nullptr && suspend(*manager, remove ? Ending::kLeave : Ending::kRequeue);
}

bool run_all(ModuleState& state) {
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return false;
    const std::uint64_t switched = manager->switched();
    if (!run_queue(*manager, nullptr)) return false;
    // A loop around run() would keep the others from doing what its tasklets wait for.
    const bool waits_for_others =
        manager->switched() == switched && state.managers > 1 && manager->has_live_tasklets();
    if (waits_for_others) yield_gil(*manager);
    return true;
}

bool run_waiting(ModuleState& state, bool threadblock, std::int64_t timeout) {
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return false;
    if (!manager->current_is_main()) return refused(Refusal::kOnlyMainWaits);
    const std::int64_t deadline = deadline_after(timeout);
    for (;;) {
        const bool ok = run_queue_limited(*manager, [deadline](core::RunLimit& limit) {
            if (deadline == core::kNever) return;
            limit.set_time(std::chrono::nanoseconds(deadline - core::ScheduleManager::now()));
        });
        if (!ok) return false;
        if (!threadblock || core::ScheduleManager::now() >= deadline) return true;
        enter_with_mail(*manager);
        if (!manager->queue_empty()) continue;
        if (!manager->has_live_tasklets()) return true;
        if (!park_for_work(*manager, deadline)) return false;
    }
}

bool run_turns(ModuleState& state, long long turns) {
    if (turns < 1) return refused(Refusal::kTooFewTurns);
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return false;
    return run_queue_limited(*manager, [turns](core::RunLimit& limit) {
        limit.set_turns(static_cast<std::uint64_t>(turns));
    });
}

bool run_for(ModuleState& state, long long nanoseconds) {
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return false;
    const std::uint64_t completed = manager->completed();
    const std::uint64_t switched = manager->switched();
    state.last_run_completed = state.last_run_switched = 0;
    const bool ok = run_queue_limited(*manager, [nanoseconds](core::RunLimit& limit) {
        limit.set_lenient_time(std::chrono::nanoseconds(nanoseconds));
    });
    state.last_run_completed = static_cast<int>(manager->completed() - completed);
    state.last_run_switched = static_cast<int>(manager->switched() - switched);
    return ok;
}

}  // namespace scheduler::binding
