#include "binding/scheduling/manager_body.h"

#include <cxxabi.h>
#include <structmember.h>

#include "binding/diagnostics/overflow_report.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/held_error.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/switcher.h"
#include "binding/scheduling/tasklet_operations.h"
#include "binding/threads/manager_list.h"
#include "binding/types/tasklet_object.h"
#include "core/channel.h"

namespace scheduler::binding {

constinit thread_local ManagerBody* last_manager = nullptr;

// Lives in the dictionary of a Python thread state and dies with it, wherever references to the
// manager object may still be held.
struct ThreadGuard {
    PyObject ob_base;
    ManagerBody* body;  // nullptr when that has ended
    PyObject* manager_object;
};

namespace {

struct ManagerObject {
    PyObject ob_base;
    ManagerBody* body;  // counted; nullptr only until it is made
    PyObject* weak_references;
};

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

// The Python thread that a manager has ended with, last on this OS thread, because its state is being
// deleted. What is dropped after that must not make a manager that nobody would end.
constinit thread_local ThreadKey ended_thread;

bool is_thread_ending(PyThreadState* thread) {
    return is_being_cleared(thread) || ended_thread == key_of(thread);
}

// ---- the end of a thread -----------------------------------------------------------------------

// Waits until `has_come` is true, which another thread is about to make it, and to wake this one.
template <typename Predicate>
void wait_for_others(ManagerBody& manager, Predicate has_come) {
    while (!has_come()) {
        manager.parking().announce();
        if (has_come()) {
            manager.parking().cancel();
            return;
        }
        PyThreadState* const thread = PyEval_SaveThread();
        manager.parking().wait(core::kNever);
        PyEval_RestoreThread(thread);
    }
}

// Every tasklet that is still alive dies, on its own thread, by unwinding if it has started. Nobody is
// started any more, so code that makes new ones meanwhile does not keep this going.
void end_tasklets(ManagerBody& manager) {
    for (;;) {
        read_mail(manager);
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
            wait_for_others(
                manager, [&manager] { return manager.has_mail() || !manager.has_live_tasklets(); });
            continue;
        }
        PyRef keep = PyRef::steal(object_of(*tasklet));
        body_of(*tasklet).ended = true;
        end_present_activation(manager, body_of(*tasklet));
        manager.run_deferred();
    }
}

// Takes a tasklet whose thread is gone out of its wait queue, where nobody could serve it any more.
void abandon_wait(TaskletBody& tasklet) {
    if (core::Channel* channel = tasklet.channel.load()) channel->cancel_wait(tasklet);
}

void detach_main(ManagerBody& manager) {
    TaskletBody& main = manager.main_body();
    main.set_state(core::TaskletState::kDead);
    main.ended = true;
}

// The owner thread itself, with its main tasklet current.
void end_manager(ManagerBody& manager) {
    manager.ending = true;
    manager.update_tls_slot();
    report_held(manager);
    end_tasklets(manager);
    manager.finish();
    read_mail(manager);
    end_tasklets(manager);
    detach_main(manager);
    release_joiners(manager, manager.main_body());
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
    manager.object = nullptr;
    while (core::Tasklet* tasklet = manager.any_live_tasklet()) {  // the reference is never dropped
        TaskletBody& body = body_of(*tasklet);
        body.ended = true;
        if (body.suspended != nullptr) body.suspended->cut_off(manager.thread_state);
        abandon_wait(body);
        body.set_state(core::TaskletState::kDead);
        body.driving = 0;
        manager.leave_live_list(body);
        release_joiners(manager, body, false);
    }
    abandon_wait(manager.main_body());
    detach_main(manager);
    release_joiners(manager, manager.main_body(), false);
    if (manager.attaching) --manager.state.attaching;
    manager.main_body().driving = 0;
    manager.main_body().suspended = nullptr;  // it lay on the stack of the thread that is gone
    manager.free_stacks();
    manager.thread_state = nullptr;
    --manager.state.managers;
}

// The owner thread itself, with its main tasklet current. The guard may be dropped later.
void end_at_home(ManagerBody& manager) {
    ModuleState& state = manager.state;
    state.hold();
    manager.guard->body = nullptr;
    manager.take_tls_slot();
    if (!has_dictionary(manager.thread_state)) ended_thread = manager.thread_key;
    end_manager(manager);
    state.release();
}

// The guard of a manager is dropped.
void end_with_guard(ManagerBody& manager) {
    const bool is_home = manager.thread_state == this_thread_state();
    // A tasklet of it that is current though the thread is back at its end lies on the stack of one of
    // another module object, which called it and was suspended with it. It ends when that one does.
    while (is_home && !manager.current_is_main()) {
        ManagerBody* const other = idle_manager_of_this_thread();
        if (other == nullptr) break;
        end_at_home(*other);
    }
    if (is_home && manager.current_is_main()) {
        end_at_home(manager);
    } else {
        abandon_manager(manager);
    }
}

// ---- the objects -------------------------------------------------------------------------------

void guard_dealloc(PyObject* self) {
    auto* guard = reinterpret_cast<ThreadGuard*>(self);
    PyTypeObject* type = Py_TYPE(self);
    if (guard->body != nullptr) {
        ErrorStash stash;
        end_with_guard(*guard->body);
    }
    Py_XDECREF(guard->manager_object);
    PyObject_Free(self);
    Py_DECREF(type);
}

void manager_dealloc(PyObject* self) {
    auto* object = reinterpret_cast<ManagerObject*>(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    if (object->body != nullptr) object->body->drop_reference();
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyObject* manager_repr(PyObject* self) {
    const ManagerBody& body = *reinterpret_cast<ManagerObject*>(self)->body;
    PyRef type = full_type_name(self);
    if (!type) return nullptr;
    if (body.finished()) return PyUnicode_FromFormat("<%U ended at %p>", type.get(), self);
    // The queue of another thread stands still only while this one has the GIL.
    if (!kHasGil && existing_manager_of_this_thread(body.state) != &body) {
        return PyUnicode_FromFormat("<%U thread=%lu at %p>", type.get(), body.thread_id, self);
    }
    return PyUnicode_FromFormat("<%U thread=%lu runcount=%zu at %p>", type.get(), body.thread_id,
                                body.run_count(), self);
}

int manager_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

PyMemberDef manager_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ManagerObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyDoc_STRVAR(
    manager_doc,
    "The scheduling state of one thread. get_schedule_manager() returns it; it has no public "
    "attributes and cannot be made by a program.");

PyType_Slot manager_slots[] = {
    {Py_tp_doc, const_cast<char*>(manager_doc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(manager_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(manager_traverse)},
    {Py_tp_repr, reinterpret_cast<void*>(manager_repr)},
    {Py_tp_members, manager_members},
    {0, nullptr},
};

PyType_Slot thread_guard_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(guard_dealloc)},
    {0, nullptr},
};

PyRef make_main_tasklet(ModuleState& state) {
    return PyRef::steal(state.tasklet_type->tp_alloc(state.tasklet_type, 0));
}

PyObject* guard_in(PyObject* thread_dict, const ModuleState& state) {
    return thread_dict != nullptr ? PyDict_GetItemWithError(thread_dict, state.guard_key) : nullptr;
}

// Makes the manager, its object and the guard that ends it with the thread.
ManagerBody* make_manager(ModuleState& state, PyObject* thread_dict) {
    PyRef guard = PyRef::steal(
        reinterpret_cast<PyObject*>(PyObject_New(ThreadGuard, state.thread_guard_type)));
    if (!guard) return nullptr;
    auto* guard_object = reinterpret_cast<ThreadGuard*>(guard.get());
    guard_object->body = nullptr;
    guard_object->manager_object = nullptr;
    auto* object = PyObject_GC_New(ManagerObject, state.manager_type);
    if (object == nullptr) return nullptr;
    object->weak_references = nullptr;
    object->body = nullptr;
    guard_object->manager_object = reinterpret_cast<PyObject*>(object);

    PyRef main = make_main_tasklet(state);
    if (!main) return nullptr;
    construct_body(state, main.get());
    // On 3.11 the objects made above may have started a collection, and its finalizers have been here.
    if (guard_in(thread_dict, state) != nullptr) return existing_manager_of_this_thread(state);
    ManagerBody* body = nullptr;
    try {
        body = new ManagerBody(state, this_thread_state(), body_of(main.get()), {});
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
    static_cast<void>(main.release());  // owned by the manager until end_manager()
    body->object = guard_object->manager_object;
    body->add_reference();
    object->body = body;
    body->guard = guard_object;
    guard_object->body = body;
    list_manager(*body);
    PyObject_GC_Track(reinterpret_cast<PyObject*>(object));
    ++state.managers;
    if (PyDict_SetItem(thread_dict, state.guard_key, guard.get()) < 0) return nullptr;
    return body;
}

}  // namespace

PyType_Spec manager_type_spec = {"scheduler.ScheduleManager", sizeof(ManagerObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                     Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                                 manager_slots};

PyType_Spec thread_guard_type_spec = {
    "scheduler._ThreadGuard", sizeof(ThreadGuard), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    thread_guard_slots};

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
        while (PyRef object = take_last(decrefs_)) object.reset();
    } while (!switching && unwind_one());
    if (!orphans_.empty() || !cycles_.empty()) has_deferred_ = true;
    self.parcel = std::move(received);
}

bool ManagerBody::unwind_one() {
    const bool in_cycle = !cycles_.empty();
    PyRef orphan = take_last(in_cycle ? cycles_ : orphans_);
    if (!orphan) return false;
    TaskletBody& tasklet = body_of(orphan.get());
    if (in_cycle && kHasGil && tasklet.scheduled()) return true;  // it can go on after all
    // One that is back with its users is left to the last of them. Without the GIL the count says
    // little: whoever posted it to its own thread may still hold it for a moment. Then it is unwound
    // whoever has it.
    if (in_cycle || !kHasGil || Py_REFCNT(orphan.get()) == 1) {
        end_present_activation(*this, tasklet);
    } else {
        allow_finalizing_again(orphan.get());
    }
    orphan.reset();
    return true;
}

ManagerBody* existing_manager_of_this_thread(ModuleState& state) {
    if (ManagerBody* manager = last_manager_if_right(state)) return manager;
    PyThreadState* const thread = this_thread_state();
    if (thread == nullptr) return nullptr;
    ManagerBody* const last = last_manager;
    if (last != nullptr && &last->state == &state && last->tls_slot == &last_manager &&
        last->thread_state == thread) {
        return last;
    }
    ManagerBody* found = nullptr;
    if (!has_dictionary(thread)) {  // to ask for it would make one, which a dying thread leaks
        found = listed_manager_of_this_thread(state);
    } else if (PyObject* guard = guard_in(PyThreadState_GetDict(), state)) {
        found = reinterpret_cast<ThreadGuard*>(guard)->body;
    } else {
        PyErr_Clear();
    }
    if (found != nullptr) found->take_tls_slot();
    return found;
}

ManagerBody* find_or_make_manager(ModuleState& state) {
    if (ManagerBody* manager = existing_manager_of_this_thread(state)) return manager;
    PyThreadState* const thread = this_thread_state();
    if (thread == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "the calling thread has no Python thread state left");
        return nullptr;
    }
    if (is_thread_ending(thread) || state.tasklet_type == nullptr) {
        refuse(Refusal::kThreadEnding);
        return nullptr;
    }
    PyObject* thread_dict = PyThreadState_GetDict();
    if (thread_dict == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    return make_manager(state, thread_dict);
}

void finish_manager_of_this_thread(ModuleState& state) {
    ManagerBody* manager = existing_manager_of_this_thread(state);
    if (manager == nullptr || !manager->current_is_main() || manager->loop() != nullptr) return;
    PyObject* thread_dict = PyThreadState_GetDict();
    if (thread_dict != nullptr && PyDict_DelItem(thread_dict, state.guard_key) < 0) PyErr_Clear();
}

void read_mail(ManagerBody& manager) {
    while (manager.has_mail()) {
        core::Mail message = manager.take_mail();
        if (message.tasklet == nullptr) return;
        TaskletBody& tasklet = body_of(*message.tasklet);
        if ((message.bits & core::mail::kError) != 0) {
            const core::PostedError::Content posted = tasklet.posted.take();
            PyRef error = error_in(posted);
            if (error) make_pending(manager, tasklet, std::move(error), posted.kills);
        }
        if ((message.bits & (core::mail::kUnwind | core::mail::kUnwindCycle)) != 0) {
            const bool in_cycle = (message.bits & core::mail::kUnwindCycle) != 0;
            manager.unwind_later(Py_NewRef(tasklet.object), in_cycle);
        }
        for (; message.references > 0; --message.references) manager.defer_decref(tasklet.object);
    }
}

bool cancel_wait(ManagerBody& manager, TaskletBody& tasklet) {
    core::Channel* const channel = tasklet.channel.load();
    if (channel != nullptr && channel->cancel_wait(tasklet)) return true;
    await_delivery(manager, tasklet);
    return false;
}

void await_delivery(ManagerBody& manager, TaskletBody& tasklet) {
    const auto is_away = [&tasklet] {
        const core::TaskletState state = tasklet.get_state();
        // Out of the wait queue, and not yet marked as in transit.
        const bool leaves =
            state == core::TaskletState::kBlocked && tasklet.channel.load() == nullptr;
        return leaves || state == core::TaskletState::kInTransit;
    };
    while (is_away()) {
        wait_for_others(manager, [&manager] { return manager.has_mail(); });
        read_mail(manager);
    }
}

}  // namespace scheduler::binding
