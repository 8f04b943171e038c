// The attributes of scheduler.Tasklet.

#include <new>

#include "binding/diagnostics/repr.h"
#include "binding/diagnostics/tracing.h"
#include "binding/interp/interpreter.h"
#include "binding/python/errors.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"
#include "binding/types/tasklet_docs.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

using Read = PyObject* (*)(TaskletBody&);
using Write = bool (*)(TaskletBody&, PyObject*, const char* attribute);

template <Read Function>
PyObject* getter(PyObject* self, void*) {
    if (!check_initialised<TaskletObject>(self)) return nullptr;
    return Function(body_of(self));
}

// `closure` is the attribute's name.
template <Write Function>
int setter(PyObject* self, PyObject* value, void* closure) {
    if (!check_initialised<TaskletObject>(self)) return -1;
    if (value == nullptr) {
        PyErr_Format(PyExc_TypeError, "%s cannot be deleted", static_cast<const char*>(closure));
        return -1;
    }
    try {
        return Function(body_of(self), value, static_cast<const char*>(closure)) ? 0 : -1;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return -1;
    }
}

bool wrong_type(PyObject* error, const char* attribute, const char* expected, PyObject* value) {
    PyErr_Format(error, "%s must be %s, not %.200s", attribute, expected, Py_TYPE(value)->tp_name);
    return false;
}

// ---- state -------------------------------------------------------------------------------------

template <bool (*Flag)(TaskletBody&)>
PyObject* flag(TaskletBody& body) {
    return PyBool_FromLong(Flag(body));
}

bool is_alive(TaskletBody& body) { return body.alive(); }
bool is_blocked(TaskletBody& body) { return body.blocked(); }
bool is_scheduled(TaskletBody& body) { return body.alive() && body.scheduled(); }
bool is_paused_now(TaskletBody& body) { return is_paused(body); }
bool is_main(TaskletBody& body) { return body.is_main; }
bool is_current(TaskletBody& body) {
    ManagerBody* here = existing_manager_of_this_thread(body.get_manager()->state);
    return here != nullptr && &here->current() == &body;
}
bool has_block_trap(TaskletBody& body) { return body.block_trap; }
bool has_dont_raise(TaskletBody& body) { return body.dont_raise; }
bool is_highlighted(TaskletBody& body) {
    const TaskletNotes* notes = body.notes.load();
    return notes != nullptr && notes->highlighted;
}

PyObject* thread_id(TaskletBody& body) { return thread_id_of(body).release(); }

// The queue and the frames of another thread stand still only while this one has the GIL.
bool may_look_into(ManagerBody& manager) {
    return kHasGil || existing_manager_of_this_thread(manager.state) == &manager;
}

using Neighbour = core::Tasklet* (core::ScheduleManager::*)(const core::Tasklet&) const;
template <Neighbour Find>
PyObject* neighbour(TaskletBody& body) {
    ManagerBody& manager = *body.get_manager();
    if (body.ended || !may_look_into(manager)) Py_RETURN_NONE;
    if (existing_manager_of_this_thread(manager.state) == &manager) enter(manager.state);
    const core::ScheduleManager& in_core = manager;
    core::Tasklet* found = (in_core.*Find)(body);
    return new_or_none(found != nullptr ? object_of(*found) : nullptr);
}

PyObject* frame(TaskletBody& body) {
    PyObject* found = nullptr;
    if (!body.alive() || !may_look_into(*body.get_manager())) Py_RETURN_NONE;
    if (body.suspended != nullptr) {
        found = body.suspended->frame(this_thread_state());
    } else if (body.started() && body.get_state() == core::TaskletState::kRunning) {
        found =
            reinterpret_cast<PyObject*>(PyThreadState_GetFrame(body.get_manager()->thread_state));
    }
    return found != nullptr ? found : Py_NewRef(Py_None);
}

// ---- figures -----------------------------------------------------------------------------------

PyObject* times_switched_to(TaskletBody& body) {
    return PyLong_FromUnsignedLongLong(body.times_switched_to);
}
PyObject* start_time(TaskletBody& body) { return PyLong_FromLongLong(body.start_time); }
PyObject* end_time(TaskletBody& body) { return PyLong_FromLongLong(body.end_time); }
PyObject* seconds_or_none(std::int64_t nanoseconds) {
    if (nanoseconds == 0) Py_RETURN_NONE;
    return PyFloat_FromDouble(static_cast<double>(nanoseconds) / 1e9);
}
PyObject* start_seconds(TaskletBody& body) { return seconds_or_none(body.start_time); }
PyObject* end_seconds(TaskletBody& body) { return seconds_or_none(body.end_time); }
PyObject* run_time(TaskletBody& body) {
    const TaskletNotes* notes = body.notes.load();
    return PyFloat_FromDouble(notes != nullptr ? static_cast<double>(notes->run_time) : 0.0);
}
bool set_run_time(TaskletBody& body, PyObject* value, const char*) {
    const double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred() != nullptr) return false;
    body.get_notes().run_time = seconds;
    return true;
}

// ---- flags a program sets ----------------------------------------------------------------------

bool set_block_trap(TaskletBody& body, PyObject* value, const char* attribute) {
    if (!PyBool_Check(value)) return wrong_type(PyExc_RuntimeError, attribute, "a bool", value);
    body.block_trap = value == Py_True;
    return true;
}
bool set_dont_raise(TaskletBody& body, PyObject* value, const char* attribute) {
    if (!PyBool_Check(value)) return wrong_type(PyExc_TypeError, attribute, "a bool", value);
    if (body.name) {
        refuse(Refusal::kDontRaiseBound);
        return false;
    }
    body.dont_raise = value == Py_True;
    return true;
}
bool set_highlighted(TaskletBody& body, PyObject* value, const char* attribute) {
    if (!PyBool_Check(value)) return wrong_type(PyExc_TypeError, attribute, "a bool", value);
    body.get_notes().highlighted = value == Py_True;
    return true;
}

// ---- texts and hooks a program sets ------------------------------------------------------------

using Note = SharedRef TaskletNotes::*;

template <Note Text>
PyObject* text(TaskletBody& body) {
    PyRef value = body.get_note(Text);
    return value ? value.release() : PyUnicode_FromString("");
}
template <Note Text>
bool set_text(TaskletBody& body, PyObject* value, const char* attribute) {
    if (!PyUnicode_Check(value)) return wrong_type(PyExc_TypeError, attribute, "a str", value);
    (body.get_notes().*Text).set(PyRef::share(value));
    return true;
}
bool set_name(TaskletBody& body, PyObject* value, const char* attribute) {
    if (!set_text<&TaskletNotes::own_name>(body, value, attribute)) return false;
    if (body.module_state.is_traced()) trace_tasklet(body, core::TraceKind::kNamed);
    return true;
}
template <Note Hook>
PyObject* hook(TaskletBody& body) {
    return new_or_none(body.get_note(Hook));
}
template <Note Hook>
bool set_hook(TaskletBody& body, PyObject* value, const char* attribute) {
    if (value != Py_None && PyCallable_Check(value) == 0) {
        return wrong_type(PyExc_TypeError, attribute, "callable or None", value);
    }
    (body.get_notes().*Hook).set(PyRef::share(value == Py_None ? nullptr : value));
    return true;
}

PyObject* name(TaskletBody& body) { return name_of(body).release(); }

// ---- what was bound last -----------------------------------------------------------------------

PyObject* text_or_empty(const SharedRef& text) {
    PyRef value = text.get();
    return value ? value.release() : PyUnicode_FromString("");
}
PyObject* method_name(TaskletBody& body) {
    // As programs for this API know it.
    if (body.has_made_up_name()) return PyUnicode_FromString("unknown_method");
    return text_or_empty(body.name);
}
PyObject* module_name(TaskletBody& body) { return text_or_empty(body.module); }
PyObject* file_name(TaskletBody& body) {
    if (PyRef code = body.code.get()) return PyObject_GetAttrString(code.get(), "co_filename");
    return PyUnicode_FromString(body.name ? "unknown_file" : "");
}
PyObject* line_number(TaskletBody& body) {
    if (PyRef code = body.code.get()) return PyObject_GetAttrString(code.get(), "co_firstlineno");
    return PyLong_FromLong(0);
}

// ---- the table ---------------------------------------------------------------------------------

template <Read Function>
constexpr PyGetSetDef read_only(const char* name, const char* doc) {
    return {name, getter<Function>, nullptr, doc, nullptr};
}
template <Read ReadFunction, Write WriteFunction>
PyGetSetDef writable(const char* name, const char* doc) {
    return {name, getter<ReadFunction>, setter<WriteFunction>, doc, const_cast<char*>(name)};
}

}  // namespace

PyGetSetDef tasklet_attributes[] = {
    read_only<flag<is_alive>>("alive", docs::alive),
    read_only<flag<is_blocked>>("blocked", docs::blocked),
    read_only<flag<is_scheduled>>("scheduled", docs::scheduled),
    read_only<flag<is_paused_now>>("paused", docs::paused),
    read_only<flag<is_main>>("is_main", docs::is_main),
    read_only<flag<is_current>>("is_current", docs::is_current),
    read_only<thread_id>("thread_id", docs::thread_id),
    read_only<neighbour<&core::ScheduleManager::next_in_queue>>("next", docs::next),
    read_only<neighbour<&core::ScheduleManager::previous_in_queue>>("prev", docs::prev),
    read_only<frame>("frame", docs::frame),
    read_only<times_switched_to>("times_switched_to", docs::times_switched_to),
    read_only<start_time>("startTime", docs::start_time),
    read_only<end_time>("endTime", docs::end_time),
    read_only<start_seconds>("start_time", docs::start_seconds),
    read_only<end_seconds>("end_time", docs::end_seconds),
    writable<run_time, set_run_time>("runTime", docs::run_time),
    writable<flag<has_block_trap>, set_block_trap>("block_trap", docs::block_trap),
    writable<flag<has_dont_raise>, set_dont_raise>("dont_raise", docs::dont_raise),
    writable<flag<is_highlighted>, set_highlighted>("highlighted", docs::highlighted),
    writable<text<&TaskletNotes::context_text>, set_text<&TaskletNotes::context_text>>(
        "context", docs::context),
    writable<name, set_name>("name", docs::name),
    writable<text<&TaskletNotes::parent_callsite>, set_text<&TaskletNotes::parent_callsite>>(
        "parent_callsite", docs::parent_callsite),
    writable<hook<&TaskletNotes::exception_handler>, set_hook<&TaskletNotes::exception_handler>>(
        "exception_handler", docs::exception_handler),
    writable<hook<&TaskletNotes::failure_handler>, set_hook<&TaskletNotes::failure_handler>>(
        "failure_handler", docs::failure_handler),
    writable<hook<&TaskletNotes::context_manager_getter>,
             set_hook<&TaskletNotes::context_manager_getter>>("context_manager_getter",
                                                              docs::context_manager_getter),
    read_only<method_name>("method_name", docs::method_name),
    read_only<module_name>("module_name", docs::module_name),
    read_only<file_name>("file_name", docs::file_name),
    read_only<line_number>("line_number", docs::line_number),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace scheduler::binding
