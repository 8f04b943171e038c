#include "fixture.h"

namespace capi_test {
namespace {

PyTaskletObject* as_tasklet(PyObject* object) { return reinterpret_cast<PyTaskletObject*>(object); }
PyChannelObject* as_channel(PyObject* object) { return reinterpret_cast<PyChannelObject*>(object); }

PyObject* none_or_error(int result) {
    if (result != 0) return nullptr;
    Py_RETURN_NONE;
}

PyObject* c_send(PyObject*, PyObject* arguments) {
    PyObject *channel, *value;
    if (!PyArg_ParseTuple(arguments, "OO", &channel, &value)) return nullptr;
    return none_or_error(table().PyChannel_Send(as_channel(channel), value));
}

PyObject* c_receive(PyObject*, PyObject* arguments) {
    PyObject* channel;
    if (!PyArg_ParseTuple(arguments, "O", &channel)) return nullptr;
    return table().PyChannel_Receive(as_channel(channel));
}

PyObject* c_send_exception(PyObject*, PyObject* arguments) {
    PyObject *channel, *klass, *value = nullptr;
    if (!PyArg_ParseTuple(arguments, "OO|O", &channel, &klass, &value)) return nullptr;
    return none_or_error(table().PyChannel_SendException(as_channel(channel), klass, value));
}

PyObject* c_send_throw(PyObject*, PyObject* arguments) {
    PyObject *channel, *exc, *val = nullptr, *tb = nullptr;
    if (!PyArg_ParseTuple(arguments, "OO|OO", &channel, &exc, &val, &tb)) return nullptr;
    return none_or_error(table().PyChannel_SendThrow(as_channel(channel), exc, val, tb));
}

PyObject* c_sleep(PyObject*, PyObject* arguments) {
    double seconds;
    if (!PyArg_ParseTuple(arguments, "d", &seconds)) return nullptr;
    return none_or_error(table().PyScheduler_Sleep(seconds));
}

PyObject* c_send_for(PyObject*, PyObject* arguments) {
    PyObject *channel, *value;
    double seconds;
    if (!PyArg_ParseTuple(arguments, "OOd", &channel, &value, &seconds)) return nullptr;
    return none_or_error(table().PyChannel_SendWithTimeout(as_channel(channel), value, seconds));
}

PyObject* c_receive_for(PyObject*, PyObject* arguments) {
    PyObject* channel;
    double seconds;
    if (!PyArg_ParseTuple(arguments, "Od", &channel, &seconds)) return nullptr;
    return table().PyChannel_ReceiveWithTimeout(as_channel(channel), seconds);
}

// Receives from the first of two channels, or sends the value to it.
PyObject* c_select(PyObject*, PyObject* arguments) {
    PyObject *left, *right, *sent = nullptr, *value = nullptr;
    double seconds;
    if (!PyArg_ParseTuple(arguments, "OOd|O", &left, &right, &seconds, &sent)) return nullptr;
    const int kind = sent == nullptr ? SCHEDULER_CASE_RECEIVE : SCHEDULER_CASE_SEND;
    const SchedulerCase cases[] = {{kind, left, sent}, {kind, right, sent}};
    const Py_ssize_t index = table().PyScheduler_Select(cases, 2, seconds, 0, &value);
    return index < 0 ? nullptr : Py_BuildValue("(nN)", index, value);
}

PyObject* c_schedule(PyObject*, PyObject* arguments) {
    int remove = 0;
    if (!PyArg_ParseTuple(arguments, "|p", &remove)) return nullptr;
    return table().PyScheduler_Schedule(nullptr, remove);
}

// Returns the result of PyTasklet_Kill when no error is set.
PyObject* c_kill(PyObject*, PyObject* arguments) {
    PyObject* tasklet;
    if (!PyArg_ParseTuple(arguments, "O", &tasklet)) return nullptr;
    const int result = table().PyTasklet_Kill(as_tasklet(tasklet));
    return PyErr_Occurred() ? nullptr : PyLong_FromLong(result);
}

// Calls its first argument with the rest: a C frame between two Python frames.
PyObject* c_call(PyObject*, PyObject* arguments) {
    const Ref rest = Ref::steal(PySequence_GetSlice(arguments, 1, PyTuple_GET_SIZE(arguments)));
    return rest ? PyObject_CallObject(PyTuple_GetItem(arguments, 0), rest.get()) : nullptr;
}

PyMethodDef kNativeFunctions[] = {
    {"c_send", c_send, METH_VARARGS, nullptr},
    {"c_receive", c_receive, METH_VARARGS, nullptr},
    {"c_send_exception", c_send_exception, METH_VARARGS, nullptr},
    {"c_send_throw", c_send_throw, METH_VARARGS, nullptr},
    {"c_sleep", c_sleep, METH_VARARGS, nullptr},
    {"c_send_for", c_send_for, METH_VARARGS, nullptr},
    {"c_receive_for", c_receive_for, METH_VARARGS, nullptr},
    {"c_select", c_select, METH_VARARGS, nullptr},
    {"c_schedule", c_schedule, METH_VARARGS, nullptr},
    {"c_kill", c_kill, METH_VARARGS, nullptr},
    {"c_call", c_call, METH_VARARGS, nullptr},
};

// Fails the test if an error is set.
void expect_no_error(const std::string& where) {
    if (!PyErr_Occurred()) return;
    ADD_FAILURE() << where << ": " << take_error_and_text();
}

}  // namespace

SchedulerCAPI& table() { return *SchedulerAPI(); }

std::string take_error() {
    const std::string all = take_error_and_text();
    return all.substr(0, all.find(':'));
}

std::string take_error_and_text() {
    if (!PyErr_Occurred()) return "";
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    const Ref owned[] = {Ref::steal(type), Ref::steal(value), Ref::steal(traceback)};
    std::string result = reinterpret_cast<PyTypeObject*>(type)->tp_name;
    result.erase(0, result.rfind('.') + 1);
    const Ref shown = Ref::steal(value ? PyObject_Str(value) : nullptr);
    if (shown) result += std::string(": ") + PyUnicode_AsUTF8(shown.get());
    PyErr_Clear();
    return result;
}

void CApiTest::SetUp() {
    api = SchedulerAPI();
    ASSERT_NE(api, nullptr) << take_error_and_text();
    names_ = Ref::steal(PyDict_New());
    for (PyMethodDef& function : kNativeFunctions) {
        name(function.ml_name, Ref::steal(PyCFunction_New(&function, nullptr)));
    }
    run("import gc, sys, scheduler");
    ASSERT_EQ(api->PyScheduler_GetRunCount(), 1);  // makes the manager, should there be none yet
    before_ = counts();
}

void CApiTest::TearDown() {
    expect_no_error("left behind");
    if (!names_) return;
    run("callbacks = scheduler.get_schedule_callback(), scheduler.get_channel_callback()");
    EXPECT_EQ(text("callbacks"), "(None, None)");
    EXPECT_EQ(text("scheduler.switch_trap(0)"), "0");
    EXPECT_EQ(text("scheduler.get_use_nested_tasklets()"), "True");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    PyDict_Clear(names_.get());
    PyGC_Collect();
    EXPECT_TRUE(counts() == before_) << "tasklets, channels or managers are left over";
}

CApiTest::Counts CApiTest::counts() const {
    return {api->PyScheduler_GetNumberOfActiveScheduleManagers(),
            api->PyScheduler_GetNumberOfActiveChannels(), api->PyScheduler_GetActiveTaskletCount()};
}

void CApiTest::run(const std::string& code) {
    const Ref done = Ref::steal(
        PyRun_StringFlags(code.c_str(), Py_file_input, names_.get(), names_.get(), nullptr));
    expect_no_error(code);
}

Ref CApiTest::eval(const std::string& expression) {
    Ref value = Ref::steal(
        PyRun_StringFlags(expression.c_str(), Py_eval_input, names_.get(), names_.get(), nullptr));
    expect_no_error(expression);
    return value;
}

std::string CApiTest::text(const std::string& expression) {
    const Ref value = eval(expression);
    if (!value) return "(error)";
    const Ref shown = Ref::steal(PyObject_Repr(value.get()));
    return shown ? PyUnicode_AsUTF8(shown.get()) : "(error)";
}

void CApiTest::name(const char* name, const Ref& object) {
    ASSERT_EQ(PyDict_SetItemString(names_.get(), name, object.get()), 0);
}

Ref CApiTest::new_tasklet(const char* callable) {
    const Ref function = eval(callable);
    const Ref arguments = Ref::steal(PyTuple_Pack(1, function.get()));
    Ref tasklet = Ref::steal(api->PyTasklet_New(api->PyTaskletType, arguments.get()));
    expect_no_error("PyTasklet_New");
    return tasklet;
}

Ref CApiTest::queued_tasklet(const char* callable, const char* arguments) {
    Ref tasklet = new_tasklet(callable);
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), eval(arguments).get(), nullptr), 0);
    expect_no_error("PyTasklet_Setup");
    return tasklet;
}

Ref CApiTest::new_channel() {
    Ref channel = Ref::steal(api->PyChannel_New(api->PyChannelType));
    expect_no_error("PyChannel_New");
    return channel;
}

void CApiTest::run_all() {
    while (api->PyScheduler_GetRunCount() > 1) {
        const Ref none = Ref::steal(api->PyScheduler_RunNTasklets(1));
        ASSERT_EQ(none.get(), Py_None) << take_error_and_text();
    }
}

}  // namespace capi_test
