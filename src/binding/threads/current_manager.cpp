#include "binding/threads/current_manager.h"

#include "binding/python/errors.h"
#include "binding/threads/manager_list.h"
#include "binding/threads/thread_end.h"
#include "binding/types/manager_type.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

constinit thread_local ManagerBody* last_manager = nullptr;

namespace {

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
    body->follow_trace();
    PyObject_GC_Track(reinterpret_cast<PyObject*>(object));
    ++state.managers;
    if (PyDict_SetItem(thread_dict, state.guard_key, guard.get()) < 0) return nullptr;
    return body;
}

}  // namespace

ManagerBody* existing_manager_of_this_thread(ModuleState& state) {
    if (ManagerBody* last = last_manager_by(&ManagerBody::tls_slot, state)) return last;
    PyThreadState* const thread = this_thread_state();
    if (thread == nullptr) return nullptr;
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

}  // namespace scheduler::binding
