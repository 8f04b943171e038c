#include "binding/module/trace_functions.h"

#include "binding/diagnostics/tracing.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"

namespace scheduler::binding {

namespace {

PyObject* none_if_started(ModuleState& state,
                          const std::shared_ptr<core::TraceRecorder>& recorder) {
    return none_if(start_trace(state, recorder));
}

}  // namespace

PyObject* trace_mark(ModuleState& state, PyObject* name) {
    if (!PyUnicode_Check(name)) {
        return PyErr_Format(PyExc_TypeError, "the name of a mark must be a str, not %.200s",
                            Py_TYPE(name)->tp_name);
    }
    PyRef bytes = PyRef::steal(PyUnicode_AsEncodedString(name, "utf-8", "backslashreplace"));
    if (!bytes) return nullptr;
    const std::string_view text(PyBytes_AS_STRING(bytes.get()),
                                static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get())));
    const bool marked = mark_trace(state, text);
    if (!marked && PyErr_Occurred() != nullptr) return nullptr;
    return PyBool_FromLong(marked ? 1 : 0);
}

PyObject* trace_to_file(PyObject* module, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("_trace_to_file", count, 2, 2)) return nullptr;
    const int fd = int_argument(args[0]);
    if (fd == -1 && PyErr_Occurred() != nullptr) return nullptr;
    const std::size_t max_bytes = PyLong_AsSize_t(args[1]);
    if (max_bytes == static_cast<std::size_t>(-1) && PyErr_Occurred() != nullptr) return nullptr;
    return guard_memory([&] {
        return none_if_started(state_of_module(module),
                               core::TraceRecorder::to_file(fd, max_bytes));
    });
}

PyObject* trace_in_memory(ModuleState& state, PyObject* bytes_per_thread) {
    const std::size_t bytes = PyLong_AsSize_t(bytes_per_thread);
    if (bytes == static_cast<std::size_t>(-1) && PyErr_Occurred() != nullptr) return nullptr;
    return none_if_started(state, core::TraceRecorder::in_memory(bytes));
}

PyObject* trace_stop(ModuleState& state) {
    const std::shared_ptr<core::TraceRecorder> recorder = stop_trace(state);
    if (!recorder) Py_RETURN_NONE;
    return PyLong_FromLong(recorder->error());
}

PyObject* trace_forget(ModuleState& state) {
    forget_trace(state);
    Py_RETURN_NONE;
}

PyObject* trace_copy(ModuleState& state) {
    const std::shared_ptr<core::TraceRecorder> recorder = state.trace.get().recorder;
    if (!recorder || !recorder->is_flight_recorder()) Py_RETURN_NONE;
    const std::string raw = copy_trace(state, *recorder);
    return PyBytes_FromStringAndSize(raw.data(), static_cast<Py_ssize_t>(raw.size()));
}

PyObject* trace_clock(ModuleState&) {
    return Py_BuildValue("(KK)", static_cast<unsigned long long>(core::TraceClock().ticks()),
                         static_cast<unsigned long long>(core::monotonic_nanoseconds()));
}

PyObject* trace_on_failure(ModuleState& state, PyObject* function) {
    if (function != Py_None && PyCallable_Check(function) == 0) {
        return PyErr_Format(PyExc_TypeError, "the argument must be callable or None, not %.200s",
                            Py_TYPE(function)->tp_name);
    }
    state.trace.on_failure.set(PyRef::share(function == Py_None ? nullptr : function));
    Py_RETURN_NONE;
}

}  // namespace scheduler::binding
