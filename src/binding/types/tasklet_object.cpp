// Construction, destruction and methods of scheduler.Tasklet.

#include "binding/types/tasklet_object.h"
#include "binding/scheduling/bind.h"
#include "binding/threads/current_manager.h"

#include <structmember.h>

#include <new>

#include "binding/diagnostics/repr.h"
#include "binding/interp/visibility.h"
#include "binding/python/errors.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/manager_body.h"
#include "binding/types/tasklet_docs.h"

namespace scheduler::binding {

namespace {

// ---- construction and destruction --------------------------------------------------------------

PyObject* make(ModuleState& state, PyTypeObject* type) {
    PyObject* self = type->tp_alloc(type, 0);
    if (self != nullptr) construct_body(state, self);
    return self;
}

PyObject* tasklet_new(PyTypeObject* type, PyObject*, PyObject*) {
    ModuleState* state = state_of_type(type);
    return state != nullptr ? make(*state, type) : nullptr;
}

int init(PyObject* self, PyObject* callable) {
    if (callable != Py_None && PyCallable_Check(callable) == 0) {
        refuse_type(Refusal::kNotCallable, callable);
        return -1;
    }
    TaskletBody& body = body_of(self);
    if (body.manager == nullptr) {
        ManagerBody* manager = manager_of_this_thread(body.module_state);
        if (manager == nullptr) return -1;
        manager->add_reference();
        body.manager = manager;
    }
    return callable == Py_None || bind(body, callable, nullptr, nullptr) ? 0 : -1;
}

bool check_construction(Py_ssize_t count) {
    if (count <= 1) return true;
    PyErr_Format(
        PyExc_TypeError,
        "tasklet expected at most 1 argument, got %zd: what its callable is to get is given "
        "by a call of the tasklet, as in tasklet(f)(x, y)",
        count);
    return false;
}

int tasklet_init(PyObject* self, PyObject* args, PyObject* kwargs);

constexpr Constructor kTaskletConstructor = {
    tasklet_new, tasklet_init, "name",
    "tasklet() ignores all keywords but name=: what its callable is to get is given by a call of "
    "the tasklet, as in tasklet(f)(x, y=1)"};

// Its name, if it is given one. False with an error set.
bool use_keywords(PyObject* self, PyObject* kwargs) {
    PyObject* name = nullptr;
    if (!parse_constructor(kTaskletConstructor, self, 0, kwargs, &name)) return false;
    if (name == nullptr) return true;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "name must be a str, not %.200s", Py_TYPE(name)->tp_name);
        return false;
    }
    try {
        body_of(self).get_notes().own_name.set(PyRef::share(name));
        return true;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return false;
    }
}

int tasklet_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    if (!check_construction(count) || (kwargs != nullptr && !use_keywords(self, kwargs))) return -1;
    return init(self, count == 1 ? PyTuple_GET_ITEM(args, 0) : Py_None);
}

// A call with keywords, which few make.
[[gnu::noinline]] PyObject* construct_by_init(PyObject* type, PyObject* const* args,
                                              Py_ssize_t count, PyObject* names) {
    PyRef positional = PyRef::steal(PyTuple_New(count));
    PyRef named = PyRef::steal(PyDict_New());
    if (!positional || !named) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
        if (PyDict_SetItem(named.get(), PyTuple_GET_ITEM(names, i), args[count + i]) < 0)
            return nullptr;
    }
    return PyType_Type.tp_call(type, positional.get(), named.get());
}

bool is_on_own_thread(const TaskletBody& body) {
    ManagerBody* const manager = body.get_manager();
    return existing_manager_of_this_thread(manager->state) == manager;
}

// Suspended with frames on its stack, and not by way of a run loop that still needs it.
bool needs_unwinding(const TaskletBody& body) {
    return body.started() && !body.is_main && !body.has_turn() && !body.manager->finished();
}

// Only its own thread may destroy it: it has to be unwound, or a run loop of that thread names it.
bool has_to_end_on_own_thread(const TaskletBody& body) {
    if (needs_unwinding(body)) return true;
    return body.manager != nullptr && body.loop_marks.load(std::memory_order_acquire) != 0 &&
           !body.manager->finished() && !is_on_own_thread(body);
}

// A tasklet that never ran has nothing to unwind: it is just not alive any more.
void die_if_new(TaskletBody& body) {
    if (body.get_state() != core::TaskletState::kNew || !body.state.die_if_new()) return;
    body.manager->leave_live_list(body);
    body.manager->wake();  // see end_tasklets()
}

// Code of the program may run, as in any finalizer.
[[gnu::noinline]] void warn_of_never_called(PyObject* self) {
    ErrorStash stash;
    PyRef who = identify(body_of(self));
    if (who && PyErr_WarnFormat(PyExc_ResourceWarning, 1,
                                "%U has not been called since it was given its callable, which "
                                "has not run: write tasklet(f)(), or bind(None)",
                                who.get()) == 0) {
        return;
    }
    // Where warnings are errors it cannot go anywhere. Others come while the interpreter ends.
    if (PyErr_ExceptionMatches(PyExc_Warning) != 0) report_unraisable(self);
    PyErr_Clear();
}

// A suspended tasklet that nobody can resume any more is unwound, so that its `finally` blocks run. On
// another thread, or in the middle of a switch, it lives on until that can be done.
void tasklet_finalize(PyObject* self) {
    TaskletBody& body = body_of(self);
    if (body.bound_callable) warn_of_never_called(self);
    Survivors& survivors = body.module_state.survivors;
    if (body.has_turn() && !body.is_main) survivors.add(self);  // it has gone on since it was found
    if (!has_to_end_on_own_thread(body)) return;
    ErrorStash stash;
    ManagerBody& manager = *body.get_manager();
    const bool in_cycle = is_found_by_collector(self);
    if (in_cycle && kHasGil && body.scheduled()) {  // by the end of another one of the cycle
        survivors.add(self);
        return;
    }
    if (!is_on_own_thread(body)) {
        manager.post(body, in_cycle ? core::mail::kUnwindCycle : core::mail::kUnwind);
    } else if (manager.switching) {
        manager.unwind_later(Py_NewRef(self), in_cycle);
    } else {
        manager.end_present_activation(body);
        manager.run_deferred();
        if (body.alive()) survivors.add(self);
    }
}

// CPython calls tp_finalize once in an object's life, and not at all when a subclass has a __del__
// that forgets its base: here is the last chance. True: the object lives on.
bool finalize_in_dealloc(PyObject* self) {
    if (Py_TYPE(self)->tp_finalize == tasklet_finalize &&
        !has_to_end_on_own_thread(body_of(self))) {
        return false;
    }
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return true;
    if (!has_to_end_on_own_thread(body_of(self))) return false;
    Py_SET_REFCNT(self, 1);
    tasklet_finalize(self);
    Py_DECREF(self);  // if that was the last one, all this begins anew
    return true;
}

int tasklet_clear(PyObject* self) {
    TaskletBody& body = body_of(self);
    die_if_new(body);
    // The collector calls tp_finalize once in an object's life, and not at all when a subclass has a
    // __del__ that forgets its base.
    if (needs_unwinding(body)) tasklet_finalize(self);
    if (body.started()) return 0;  // abandoned, or brought back to life: its stack needs all this
    unbind_callable(body);
    body.pending.reset();
    body.context_object.set({});
    if (TaskletNotes* const notes = body.notes.load()) {
        for (SharedRef* reference : notes->references()) reference->set({});
    }
    return 0;
}

void destroy(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    auto* object = reinterpret_cast<TaskletObject*>(self);
    die_if_new(object->body);  // before code runs that might find it in the live list
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    tasklet_clear(self);
    TaskletBody& body = object->body;
    if (!body.posted.empty()) error_in(body.posted.take()).reset();
    Py_XDECREF(static_cast<PyObject*>(body.parcel.take_payload()));
    if (ManagerBody* manager = body.get_manager()) {
        manager->detach_from_loops(body);
        manager->drop_reference();
    }
    delete_join_queue(body);
    delete body.notes.load();
    ModuleState& state = body.module_state;
    --state.tasklets;
    body.~TaskletBody();
    state.release();
    type->tp_free(self);
    Py_DECREF(type);
}

void tasklet_dealloc(PyObject* self) {
    if (finalize_in_dealloc(self)) return;
    const TaskletBody& body = body_of(self);
    if (!body.bound_callable && !body.target && !body.args && !body.kwargs) {
        PyObject_GC_UnTrack(self);
        destroy(self);
        return;
    }
    if (body.bound_callable && PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyObject_GC_UnTrack(self);
    // A callable may be a tasklet again, and so on.
    Py_TRASHCAN_BEGIN(self, tasklet_dealloc) destroy(self);
    Py_TRASHCAN_END
}

// May the collector take it for garbage, if nobody refers to it but the wait queue where it waits? Then
// it must be sure that tasklet_finalize() is called before anything is cleared, and that nobody else
// wakes it.
bool is_kept_by_wait_queue_only(const TaskletBody& waiting) {
    return waiting.suspended != nullptr && !waiting.is_main &&
           (waiting.wait == nullptr || (!waiting.wait->is_set() && !waiting.wait->is_select())) &&
           Py_TYPE(waiting.object)->tp_finalize == tasklet_finalize &&
           PyObject_GC_IsFinalized(waiting.object) == 0;
}

// What it waits in is kept by the operation that waits: see block_or_yield() and join().
int visit_place(const TaskletBody& body, visitproc visit, void* arg) {
    if constexpr (kSeesWholeFrames) {
        const core::Channel* const place = body.channel.load(std::memory_order_relaxed);
        if (place != nullptr && place->owner() != nullptr)
            Py_VISIT(static_cast<PyObject*>(place->owner()));
    }
    return 0;
}

int tasklet_traverse(PyObject* self, visitproc visit, void* arg) {
    TaskletBody& body = body_of(self);
    Py_VISIT(Py_TYPE(self));
    for (const PyRef* reference : {&body.target, &body.args, &body.kwargs, &body.pending}) {
        Py_VISIT(reference->get());
    }
    for (const SharedRef* reference :
         {&body.bound_callable, &body.context_object, &body.name, &body.module, &body.code}) {
        Py_VISIT(reference->borrow());
    }
    if (TaskletNotes* const notes = body.notes.load()) {
        for (const SharedRef* reference : notes->references()) Py_VISIT(reference->borrow());
    }
    Py_VISIT(static_cast<PyObject*>(body.posted.borrow()));
    Py_VISIT(static_cast<PyObject*>(body.parcel.payload()));
    if (const core::Channel* const queue = body.joiners.load()) {
        const int result = visit_wait_queue(*queue, visit, arg);
        if (result != 0) return result;
    }
    // The main tasklet's frames are the thread's: they are never garbage.
    if (body.suspended == nullptr || body.is_main) return 0;
    const int result = visit_place(body, visit, arg);
    return result != 0 ? result : body.suspended->traverse(visit, arg);
}

PyObject* tasklet_repr(PyObject* self) { return describe(body_of(self)).release(); }

// For programs that write it down to know the tasklet by. A class that has its own repr() is content with
// that, as usual.
PyObject* tasklet_str(PyObject* self) {
    if (Py_TYPE(self)->tp_repr != tasklet_repr) return PyObject_Repr(self);
    return identify(body_of(self)).release();
}

PyMemberDef tasklet_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TaskletHead, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot tasklet_slots[] = {
    {Py_tp_doc, const_cast<char*>(docs::tasklet)},
    {Py_tp_new, reinterpret_cast<void*>(tasklet_new)},
    {Py_tp_init, reinterpret_cast<void*>(tasklet_init)},
    {Py_tp_finalize, reinterpret_cast<void*>(tasklet_finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(tasklet_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(tasklet_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(tasklet_clear)},
    {Py_tp_repr, reinterpret_cast<void*>(tasklet_repr)},
    {Py_tp_str, reinterpret_cast<void*>(tasklet_str)},
    {Py_tp_call, reinterpret_cast<void*>(tasklet_call)},
    {Py_tp_methods, tasklet_methods},
    {Py_tp_getset, tasklet_attributes},
    {Py_tp_members, tasklet_members},
    {0, nullptr},
};

}  // namespace

PyType_Spec tasklet_type_spec = {
    "scheduler.Tasklet", sizeof(TaskletObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tasklet_slots};

PyObject* tasklet_vectorcall(PyObject* type, PyObject* const* args, std::size_t flags_and_count,
                             PyObject* names) {
    const Py_ssize_t count = PyVectorcall_NARGS(flags_and_count);
    if (names != nullptr) return construct_by_init(type, args, count, names);
    if (!check_construction(count)) return nullptr;
    auto* exact_type = reinterpret_cast<PyTypeObject*>(type);
    ManagerBody* const manager = last_manager;
    const bool is_right = manager != nullptr && manager->state.tasklet_type == exact_type;
    ModuleState* state = is_right ? &manager->state : state_of_type(exact_type);
    PyObject* self = state != nullptr ? make(*state, exact_type) : nullptr;
    if (self == nullptr || init(self, count == 1 ? args[0] : Py_None) == 0) return self;
    Py_DECREF(self);
    return nullptr;
}

int visit_wait_queue(const core::Channel& channel, visitproc visit, void* arg) {
    int result = 0;
    if constexpr (kSeesWholeFrames) {
        channel.visit_waiting([&](const core::Tasklet& tasklet) {
            const auto& waiting = static_cast<const TaskletBody&>(tasklet);
            if (is_kept_by_wait_queue_only(waiting)) result = visit(waiting.object, arg);
            return result == 0;
        });
    }
    return result;
}

void construct_body(ModuleState& state, PyObject* tasklet) {
    state.hold();
    new (&body_of(tasklet)) TaskletBody(state, tasklet);
    allow_try_incref(tasklet);
    ++state.tasklets_ever;
    ++state.tasklets;
}

}  // namespace scheduler::binding
