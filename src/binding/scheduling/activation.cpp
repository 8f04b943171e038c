// The life of one activation on its own stack: calling the target, and what becomes of its result.

#include "binding/scheduling/manager_body.h"

#include "binding/interp/interpreter.h"

namespace scheduler::binding {

namespace {

PyRef traceback_of(PyObject* error) { return PyRef::steal(PyException_GetTraceback(error)); }

void display(PyObject* error) {
    PyRef traceback = traceback_of(error);
    PyErr_Display(reinterpret_cast<PyObject*>(Py_TYPE(error)), error, traceback.get());
}

// The handler sees the contained exception as the one being handled. What it raises itself is
// printed together with that exception, and goes no further.
void call_exception_handler(TaskletBody& tasklet, PyObject* contained) {
    PyRef handler = tasklet.get_note(&TaskletNotes::exception_handler);
    if (!handler) return;
    PyRef outer = PyRef::steal(PyErr_GetHandledException());
    PyErr_SetHandledException(contained);
    PyRef text;
    if (PyRef flags = PyRef::steal(describe_flags(tasklet))) {
        text = PyRef::steal(PyUnicode_FromFormat("Unhandled exception in %U", flags.get()));
    }
    PyRef result;
    if (text) result = PyRef::steal(PyObject_CallOneArg(handler.get(), text.get()));
    if (!result) {
        PyRef error = PyRef::steal(take_error());
        display(contained);
        display(error.get());
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
    if (error && !killed) call_exception_handler(tasklet, error.get());
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
    PyRef contained;
    PyRef result =
        tasklet.contained ? call_contained(*this, tasklet, contained) : call_target(tasklet);
    tasklet.end_time = core::ScheduleManager::now();
    PyRef error = PyRef::steal(result ? nullptr : take_error());
    tasklet.target.reset();
    tasklet.args.reset();
    tasklet.kwargs.reset();
    if (error) return fail(tasklet, std::move(error));
    if (contained) {
        tasklet.set_outcome(Outcome::kRaised, std::move(contained));
    } else {
        if (result.get() == Py_None) result.reset();
        tasklet.set_outcome(Outcome::kReturned, std::move(result));
    }
    return nullptr;
}

}  // namespace scheduler::binding
