#include "binding/threads/thread_end.h"

#include "binding/threads/current_manager.h"
#include "binding/threads/manager_list.h"
#include "binding/threads/park.h"
#include "binding/types/manager_type.h"
#include "core/select.h"

namespace scheduler::binding {

namespace {

// The Python thread that a manager has ended with, last on this OS thread, because its state is being
// deleted. What is dropped after that must not make a manager that nobody would end.
constinit thread_local ThreadKey ended_thread;

// Every tasklet that is still alive dies, on its own thread, by unwinding if it has started. Nobody is
// started any more, so code that makes new ones meanwhile does not keep this going.
void end_tasklets(ManagerBody& manager) {
    for (;;) {
        manager.read_mail();
        core::Tasklet* queued = manager.first_runnable();
        for (; queued != nullptr && manager.has_room(); queued = manager.first_runnable()) {
            manager.take_out(*queued);
            manager.defer_decref(object_of(*queued));
        }
        manager.run_deferred();
        if (queued != nullptr) continue;
        core::Tasklet* tasklet = manager.any_live_tasklet();
        if (tasklet == nullptr) {
            if (!manager.has_live_tasklets()) return;
            // Other threads are about to destroy the last ones: those that have started come back by
            // mail, new ones leave the live list.
            manager.wait_for_others(
                [&manager] { return manager.has_mail() || !manager.has_live_tasklets(); });
            continue;
        }
        PyRef keep = PyRef::steal(object_of(*tasklet));
        body_of(*tasklet).ended = true;
        manager.end_present_activation(body_of(*tasklet));
        manager.run_deferred();
    }
}

// Takes a tasklet whose thread is gone out of its wait queue, where nobody could serve it any more.
void abandon_wait(TaskletBody& tasklet) { core::cancel_wait(tasklet); }

void detach_main(ManagerBody& manager) {
    TaskletBody& main = manager.main_body();
    main.state.die();
    main.ended = true;
}

// The owner thread itself, with its main tasklet current.
void end_manager(ManagerBody& manager) {
    manager.ending = true;
    manager.replace_waker({});
    manager.main_refusal.reset();
    manager.update_tls_slot();
    manager.held_error.report();
    end_tasklets(manager);
    manager.finish();
    manager.read_mail();
    end_tasklets(manager);
    detach_main(manager);
    manager.release_joiners(manager.main_body());
    manager.leave_trace();
    manager.object = nullptr;
    manager.free_stacks();
    unlist_manager(manager);
    if (last_manager == &manager) last_manager = nullptr;
    --manager.state.managers;
    PyRef main = PyRef::steal(manager.main_body().object);
    manager.drop_reference();
}

// Another thread drops the guard: after fork(), when the interpreter ends below a daemon thread, or when
// somebody held the dictionary of a thread that has ended, as gc.get_objects() does.
// The tasklets' stacks cannot be run here. Their objects stay behind as they are.
void abandon_manager(ManagerBody& manager) {
    unlist_manager(manager);
    manager.finish();
    manager.replace_waker({});
    manager.object = nullptr;
    while (core::Tasklet* tasklet = manager.any_live_tasklet()) {  // the reference is never dropped
        TaskletBody& body = body_of(*tasklet);
        body.ended = true;
        if (body.suspended != nullptr) body.suspended->cut_off(manager.thread_state);
        abandon_wait(body);
        body.state.die();
        body.driving = 0;
        manager.leave_live_list(body);
        manager.release_joiners(body, false);
    }
    abandon_wait(manager.main_body());
    detach_main(manager);
    manager.release_joiners(manager.main_body(), false);
    if (manager.attaching) --manager.state.attaching;
    manager.main_body().driving = 0;
    manager.main_body().suspended = nullptr;  // it lay on the stack of the thread that is gone
    manager.free_stacks();
    manager.thread_state = nullptr;
    manager.tls_slot = manager.open_tls_slot = nullptr;
    --manager.state.managers;
}

// The owner thread itself, with its main tasklet current. The guard may be dropped later.
void end_on_own_thread(ManagerBody& manager) {
    ModuleState& state = manager.state;
    state.hold();
    manager.guard->body = nullptr;
    manager.take_tls_slot();
    if (!has_dictionary(manager.thread_state)) ended_thread = manager.thread_key;
    end_manager(manager);
    state.release();
}

}  // namespace

bool is_thread_ending(PyThreadState* thread) {
    return is_being_cleared(thread) || ended_thread == key_of(thread);
}

void ManagerBody::end_with_guard() {
    const bool is_own_thread = thread_state == this_thread_state();
    // A tasklet of it that is current though the thread is back at its end lies on the stack of one of
    // another module object, which called it and was suspended with it. It ends when that one does.
    while (is_own_thread && !current_is_main()) {
        ManagerBody* const other = idle_manager_of_this_thread();
        if (other == nullptr) break;
        end_on_own_thread(*other);
    }
    if (is_own_thread && current_is_main()) {
        end_on_own_thread(*this);
    } else {
        abandon_manager(*this);
    }
}

}  // namespace scheduler::binding
