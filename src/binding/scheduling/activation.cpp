// The life of one activation on its own stack: calling the target, and what becomes of its result.

#include "binding/scheduling/manager_body.h"

#include "binding/diagnostics/repr.h"
#include "binding/interp/interpreter.h"
#include "binding/python/errors.h"

namespace scheduler::binding {

namespace {

PyRef traceback_of(PyObject* error) { return PyRef::steal(PyException_GetTraceback(error)); }

void display(PyObject* error) {
    PyRef traceback = traceback_of(error);
    PyErr_Display(reinterpret_cast<PyObject*>(Py_TYPE(error)), error, traceback.get());
}

constexpr const char* kNote = "raised in tasklet ";

// Is there a note already, of a tasklet further in?
bool has_note(PyObject* error) {
    PyRef notes = PyRef::steal(PyObject_GetAttrString(error, "__notes__"));
    if (!notes || !PyList_Check(notes.get())) {
        PyErr_Clear();
        return false;
    }
    PyRef prefix = PyRef::steal(PyUnicode_FromString(kNote));
    for (Py_ssize_t i = 0; prefix && i < PyList_GET_SIZE(notes.get()); ++i) {
        PyRef note = PyRef::share(PyList_GET_ITEM(notes.get(), i));
        if (PyUnicode_Check(note.get()) &&
            PyUnicode_Tailmatch(note.get(), prefix.get(), 0, PY_SSIZE_T_MAX, -1) == 1) {
            return true;
        }
    }
    return false;
}

// An exception that leaves the tasklet says where it comes from. Without memory, or if it takes no notes,
// it goes without.
[[gnu::noinline]] void note_name(const TaskletBody& tasklet, PyObject* error) {
    if (PyErr_GivenExceptionMatches(error, tasklet.module_state.tasklet_exit) != 0) return;
    PyRef name = has_note(error) ? PyRef() : name_of(tasklet);
    // PyObject_Repr() would run signal handlers, and what they raise would be lost here.
    PyRef quoted = PyRef::steal(name ? PyUnicode_Type.tp_repr(name.get()) : nullptr);
    if (!quoted) return PyErr_Clear();
    PyRef note = PyRef::steal(PyUnicode_FromFormat("%s%U", kNote, quoted.get()));
    PyRef added =
        PyRef::steal(note ? PyObject_CallMethod(error, "add_note", "O", note.get()) : nullptr);
    if (!added && PyErr_ExceptionMatches(PyExc_Exception) == 0) report_unraisable(tasklet.object);
    PyErr_Clear();
}

// What a handler raises itself is printed together with the contained exception, and goes no further.
void display_failed(PyObject* contained) {
    PyRef error = PyRef::steal(take_error());
    display(contained);
    display(error.get());
}

void call_exception_handler(TaskletBody& tasklet, PyObject* handler, PyObject* contained) {
    PyRef text;
    if (PyRef flags = PyRef::steal(describe_flags(tasklet))) {
        text = PyRef::steal(PyUnicode_FromFormat("Unhandled exception in %U", flags.get()));
    }
    PyRef result;
    if (text) result = PyRef::steal(PyObject_CallOneArg(handler, text.get()));
    if (!result) display_failed(contained);
}

// Handlers see the contained exception as the one being handled.
void call_handlers(TaskletBody& tasklet, PyObject* contained) {
    PyRef handler = tasklet.get_note(&TaskletNotes::exception_handler);
    PyRef failure_handler = tasklet.get_note(&TaskletNotes::failure_handler);
    if (!handler && !failure_handler) return;
    PyRef outer = PyRef::steal(PyErr_GetHandledException());
    PyErr_SetHandledException(contained);
    if (handler) call_exception_handler(tasklet, handler.get(), contained);
    if (failure_handler) {
        PyObject* const both[] = {tasklet.object, contained};
        PyRef result = PyRef::steal(PyObject_Vectorcall(failure_handler.get(), both, 2, nullptr));
        if (!result) display_failed(contained);
    }
    PyErr_SetHandledException(outer.get());
}

bool call_exit(PyObject* context_manager, PyObject* error) {
    PyRef exit = PyRef::steal(PyObject_GetAttrString(context_manager, "__exit__"));
    if (!exit) return false;
    PyRef traceback = error != nullptr ? traceback_of(error) : PyRef();
    PyObject* type = error != nullptr ? reinterpret_cast<PyObject*>(Py_TYPE(error)) : Py_None;
    PyObject* const triple[] = {type, error != nullptr ? error : Py_None,
                                traceback ? traceback.get() : Py_None};
    return static_cast<bool>(PyRef::steal(PyObject_Vectorcall(exit.get(), triple, 3, nullptr)));
}

// PyObject_Call() with keywords, which holds all arguments once more until it returns, where the
// collector cannot see that. Here the tasklet does: values and names take the place of tuple and
// dictionary.
PyObject* call_with_keywords(TaskletBody& tasklet) {
    const Py_ssize_t positional = PyTuple_GET_SIZE(tasklet.args.get());
    const Py_ssize_t named = PyDict_GET_SIZE(tasklet.kwargs.get());
    PyRef values = PyRef::steal(PyTuple_New(positional + named));
    PyRef names = PyRef::steal(values ? PyTuple_New(named) : nullptr);
    if (!names) return nullptr;
    for (Py_ssize_t i = 0; i < positional; ++i) {
        PyTuple_SET_ITEM(values.get(), i, Py_NewRef(PyTuple_GET_ITEM(tasklet.args.get(), i)));
    }
    PyObject *name, *value;
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; PyDict_Next(tasklet.kwargs.get(), &at, &name, &value) != 0; ++i) {
        PyTuple_SET_ITEM(names.get(), i, Py_NewRef(name));
        PyTuple_SET_ITEM(values.get(), positional + i, Py_NewRef(value));
        if (PyUnicode_Check(name) != 0) continue;
        PyErr_SetString(PyExc_TypeError, "keywords must be strings");
        return nullptr;
    }
    tasklet.args = std::move(values);
    tasklet.kwargs = std::move(names);
    return PyObject_Vectorcall(tasklet.target.get(), &PyTuple_GET_ITEM(tasklet.args.get(), 0),
                               static_cast<std::size_t>(positional), tasklet.kwargs.get());
}

// Empty with the error set that it raised.
PyRef call_target(TaskletBody& tasklet) {
    return PyRef::steal(tasklet.kwargs
                            ? call_with_keywords(tasklet)
                            : PyObject_Call(tasklet.target.get(), tasklet.args.get(), nullptr));
}

// The target of a tasklet with dont_raise: like a `with` statement around the call that swallows
// every exception but TaskletExit. Empty with `contained` set: it has swallowed that one. Empty with an
// error set: TaskletExit, or an error of the context manager itself.
PyRef call_contained(ManagerBody& manager, TaskletBody& tasklet, PyRef& contained) {
    PyRef context_manager;
    if (PyRef getter = tasklet.get_note(&TaskletNotes::context_manager_getter)) {
        context_manager = PyRef::steal(PyObject_CallOneArg(getter.get(), tasklet.object));
        if (!context_manager) return {};
        PyRef entered =
            PyRef::steal(PyObject_CallMethod(context_manager.get(), "__enter__", nullptr));
        if (!entered) return {};
    }
    PyRef result = call_target(tasklet);
    PyRef error = PyRef::steal(result ? nullptr : take_error());
    const bool killed =
        error && PyErr_GivenExceptionMatches(error.get(), manager.state.tasklet_exit) != 0;
    if (error && !killed) {
        note_name(tasklet, error.get());
        call_handlers(tasklet, error.get());
    }
    if (context_manager && !call_exit(context_manager.get(), killed ? error.get() : nullptr)) {
        return {};
    }
    if (killed) {
        raise_error(error.release());
    } else {
        contained = std::move(error);
    }
    return result;
}

}  // namespace

PyObject* ManagerBody::run_activation(TaskletBody& tasklet) {
    // The collector has found it before it ever ran, and somebody has brought it back since.
    if (PyObject_GC_IsFinalized(tasklet.object) != 0) [[unlikely]]
        state.survivors.add(tasklet.object);
    PyRef contained;
    PyRef result =
        tasklet.contained ? call_contained(*this, tasklet, contained) : call_target(tasklet);
    tasklet.end_time = core::ScheduleManager::now();
    PyRef error = PyRef::steal(result ? nullptr : take_error());
    tasklet.target.reset();
    tasklet.args.reset();
    tasklet.kwargs.reset();
    if (error) {
        note_name(tasklet, error.get());
        return fail(tasklet, std::move(error));
    }
    if (contained) {
        tasklet.set_outcome(Outcome::kRaised, std::move(contained));
    } else {
        if (result.get() == Py_None) result.reset();
        tasklet.set_outcome(Outcome::kReturned, std::move(result));
    }
    return nullptr;
}

}  // namespace scheduler::binding
