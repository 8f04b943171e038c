#include "binding/scheduling/tasklet_body.h"

#include <cstring>
#include <memory>

#include "binding/diagnostics/tracing.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "core/channel.h"

namespace scheduler::binding {

namespace {

// What has failed counts as "there is none", but for an interrupt: false then.
bool clear_unless_interrupted() {
    if (PyErr_Occurred() == nullptr) return true;
    if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return false;
    PyErr_Clear();
    return true;
}

// str(callable.NAME), or `unknown` when there is no such attribute, or empty if that is nullptr; empty with
// an error set.
PyRef text_attribute(PyObject* callable, const char* attribute, const char* unknown) {
    PyRef value = PyRef::steal(PyObject_GetAttrString(callable, attribute));
    // PyObject_Str() would run signal handlers, and what they raise would be taken for its failure.
    if (value && PyUnicode_CheckExact(value.get())) return value;
    PyRef text = value ? PyRef::steal(PyObject_Str(value.get())) : PyRef();
    if (text || !clear_unless_interrupted() || unknown == nullptr) return text;
    return PyRef::steal(PyUnicode_FromString(unknown));
}

// functools.partial or a class derived from it. Where nobody has imported that there is none.
bool is_partial(PyObject* callable) {
    PyRef module_name = PyRef::steal(PyUnicode_FromString("functools"));
    PyRef module = PyRef::steal(module_name ? PyImport_GetModule(module_name.get()) : nullptr);
    PyRef type = PyRef::steal(module ? PyObject_GetAttrString(module.get(), "partial") : nullptr);
    const bool is_one =
        type && PyType_Check(type.get()) != 0 &&
        PyObject_TypeCheck(callable, reinterpret_cast<PyTypeObject*>(type.get())) != 0;
    PyErr_Clear();
    return is_one;
}

constexpr int kMostPartials = 10;  // one may have been made part of itself

// The name of a callable, or if it has none what people would call it, with `made_up` set: a partial()
// after the function in it, another object after its class. Empty with an error set.
[[gnu::noinline]] PyRef name_of_callable(PyObject* callable, bool& made_up) {
    PyRef at = PyRef::share(callable);
    for (int i = 0;; ++i) {
        PyRef name = text_attribute(at.get(), "__name__", nullptr);
        if (name || PyErr_Occurred() != nullptr) return name;
        made_up = true;
        PyRef inner;
        if (i < kMostPartials && is_partial(at.get())) {
            inner = PyRef::steal(PyObject_GetAttrString(at.get(), "func"));
            if (!inner && !clear_unless_interrupted()) return {};
        }
        if (!inner) break;
        at = std::move(inner);
    }
    const char* const full_name = Py_TYPE(at.get())->tp_name;
    const char* const dot = std::strrchr(full_name, '.');
    return PyRef::steal(PyUnicode_FromString(dot != nullptr ? dot + 1 : full_name));
}

void set_description(TaskletBody& tasklet, PyRef name, PyRef module, PyRef code) {
    tasklet.name.set(std::move(name));
    tasklet.module.set(std::move(module));
    tasklet.code.set(std::move(code));
}

// False with an error set, and nothing changed.
[[gnu::noinline]] bool describe_other(TaskletBody& tasklet, PyObject* callable) {
    bool made_up = false;
    PyRef name = name_of_callable(callable, made_up);
    if (!name) return false;
    PyRef module = text_attribute(callable, "__module__", "unknown_module");
    if (!module) return false;
    PyRef code = PyRef::steal(PyObject_GetAttrString(callable, "__code__"));
    if (!code && !clear_unless_interrupted()) return false;
    if (code && !PyCode_Check(code.get())) code.reset();
    try {
        tasklet.mark_made_up_name(made_up);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return false;
    }
    set_description(tasklet, std::move(name), std::move(module), std::move(code));
    return true;
}

// Functions are read directly: binding one is part of making a tasklet. False with an error set, and
// nothing changed.
bool describe_callable(TaskletBody& tasklet, PyObject* callable) {
    PyObject* function = PyMethod_Check(callable) ? PyMethod_GET_FUNCTION(callable) : callable;
    auto* f = reinterpret_cast<PyFunctionObject*>(function);
    if (!PyFunction_Check(function) || f->func_module == nullptr ||
        !PyUnicode_CheckExact(f->func_module)) {
        return describe_other(tasklet, callable);
    }
    tasklet.mark_made_up_name(false);
    set_description(tasklet, PyRef::share(f->func_name), PyRef::share(f->func_module),
                    PyRef::share(f->func_code));
    return true;
}

}  // namespace

bool copy_current_context(PyThreadState* thread, PyRef& copy) {
    if (!has_context(thread)) return true;
    copy = PyRef::steal(PyContext_CopyCurrent());
    return static_cast<bool>(copy);
}

TaskletNotes& TaskletBody::get_notes() {
    TaskletNotes* found = notes.load();
    if (found != nullptr) return *found;
    auto made = std::make_unique<TaskletNotes>();
    // Another thread may be at it as well.
    return notes.compare_exchange_strong(found, made.get()) ? *made.release() : *found;
}

bool TaskletBody::raise_taken(PyRef was_pending) {
    if (!was_pending) return true;
    pending_kill = false;
    get_manager()->interrupt_further(*this, was_pending.get());
    raise_here(was_pending.release());
    return false;
}

PyRef TaskletBody::take_args() {
    if (outcome.load(std::memory_order_relaxed) == Outcome::kNone) return std::move(args);
    core::LockGuard guard(module_state.registry_lock);
    outcome.store(Outcome::kNone, std::memory_order_relaxed);
    return std::move(args);
}

core::Parcel TaskletBody::outcome_parcel() const {
    using core::Parcel;
    switch (outcome.load(std::memory_order_acquire)) {
        case Outcome::kReturned:
            return {Parcel::Kind::kValue, new_or_none(args.get())};
        case Outcome::kRaised:
        case Outcome::kFailed:
            return {Parcel::Kind::kError, Py_NewRef(args.get())};
        case Outcome::kNone:
        case Outcome::kKilled:
            break;
    }
    return {Parcel::Kind::kValue, nullptr};
}

bool bind_callable(TaskletBody& tasklet, PyObject* callable) {
    if (!describe_callable(tasklet, callable)) return false;
    tasklet.contained = tasklet.dont_raise;
    tasklet.bound_callable.set(PyRef::share(callable));
    if (tasklet.outcome.load(std::memory_order_relaxed) != Outcome::kNone) {
        tasklet.take_args().reset();
    }
    return true;
}

void unbind_callable(TaskletBody& tasklet) {
    // All are out before the first is dropped: that may run code which binds the tasklet again.
    PyRef dropped[] = {tasklet.bound_callable.take(),
                       std::move(tasklet.target),
                       tasklet.take_args(),
                       std::move(tasklet.kwargs),
                       tasklet.name.take(),
                       tasklet.module.take(),
                       tasklet.code.take()};
    tasklet.mark_made_up_name(false);
    for (PyRef& reference : dropped) reference.reset();
}

namespace {

// The manager's deferred references take what an activation holds before its first turn; not `args`.
void empty_activation(TaskletBody& tasklet, ManagerBody& manager) {
    tasklet.pending_kill = false;
    manager.defer_decref(std::move(tasklet.pending));
    manager.defer_decref(std::move(tasklet.target));
    manager.defer_decref(std::move(tasklet.kwargs));
}

}  // namespace

void ManagerBody::make_activation(TaskletBody& tasklet, PyRef args, PyRef kwargs, PyRef context) {
    if (!tasklet.context_is_set) {
        defer_decref(tasklet.context_object.exchange(std::move(context)));
    }
    empty_activation(tasklet, *this);
    defer_decref(tasklet.take_args());
    tasklet.target = tasklet.bound_callable.take();
    tasklet.args = std::move(args);
    tasklet.kwargs = std::move(kwargs);
    if (!tasklet.alive()) {
        tasklet.state.become_new();
        state.survivors.add(tasklet.object);
        join_live_list(tasklet);
        if (core::Channel* joiners = tasklet.joiners.load()) joiners->open();
    }
    if (TaskletNotes* const notes = tasklet.notes.load()) {
        notes->in_scope = false;
        notes->scope_deadline = core::kNever;
        defer_decref(notes->scope.take());
    }
    tasklet.paused = true;
    if (trace() != nullptr) [[unlikely]]
        trace_tasklet(tasklet, core::TraceKind::kCreated);
}

void ManagerBody::end_activation(TaskletBody& tasklet) {
    if (tasklet.outcome.load(std::memory_order_relaxed) == Outcome::kNone) {
        defer_decref(std::move(tasklet.args));
        tasklet.set_outcome(Outcome::kKilled, {});
    }
    // Without the GIL another thread may be about to join it: see join().
    tasklet.state.die(kHasGil ? std::memory_order_release : std::memory_order_seq_cst);
    leave_live_list(tasklet);
    release_joiners(tasklet);
    if (TaskletNotes* const notes = tasklet.notes.load()) {
        defer_decref(notes->group.take());
        defer_decref(notes->interrupts.take());
    }
    tasklet.insert_again = false;
    tasklet.context_is_set = false;
    empty_activation(tasklet, *this);
    defer_decref(tasklet.context_object.take());
}

PyObject* describe_flags(const TaskletBody& tasklet) {
    PyRef context = tasklet.get_note(&TaskletNotes::context_text);
    if (!context) context = PyRef::steal(PyUnicode_FromString(""));
    if (!context) return nullptr;
    return PyUnicode_FromFormat("<Tasklet alive=%d blocked=%d paused=%d scheduled=%d context=%U>",
                                tasklet.alive(), tasklet.blocked(), is_paused(tasklet),
                                tasklet.scheduled(), context.get());
}

const char* describe_state(const TaskletBody& tasklet) {
    if (tasklet.blocked()) return "blocked";
    if (tasklet.has_turn()) return "running";
    if (!tasklet.alive()) {
        return tasklet.is_main || tasklet.bound_callable || tasklet.name ? "dead" : "unbound";
    }
    if (is_paused(tasklet)) return "paused";
    return tasklet.get_state() == core::TaskletState::kNew ? "new" : "ready";
}

bool is_paused(const TaskletBody& tasklet) {
    const std::uint32_t bits = tasklet.get_mail();
    if ((bits & core::mail::kRemove) != 0) return true;
    return tasklet.paused && (bits & core::mail::kInsert) == 0;
}

}  // namespace scheduler::binding
