// A piece of a host program, written as such programs were for the reference: it must compile and
// work as it stands. Hence its own style: struct tags, casts, the table fetched at each call.
#include <Python.h>

#include <Scheduler.h>

#include <vector>

#include "spec.h"

struct PyTaskletObject;
struct PyChannelObject;
struct SchedulerCAPI;

int OldNamesHostRuns();

namespace {

class Host {
  public:
    bool Initialise() {
        m_api = SchedulerAPI();
        return m_api != nullptr;
    }

    PyTaskletObject* Spawn(PyObject* callable) {
        PyObject* args = PyTuple_New(1);
        Py_INCREF(callable);
        PyTuple_SetItem(args, 0, callable);
        PyTaskletObject* tasklet =
            SchedulerAPI()->PyTasklet_New(SchedulerAPI()->PyTaskletType, args);
        Py_DECREF(args);
        if (tasklet == nullptr) return nullptr;
        PyObject* callableArgs = PyTuple_New(0);
        if (SchedulerAPI()->PyTasklet_Setup(tasklet, callableArgs, nullptr) != 0) {
            Py_DECREF(reinterpret_cast<PyObject*>(tasklet));
            tasklet = nullptr;
        }
        Py_DECREF(callableArgs);
        return tasklet;
    }

    bool Frame(long long nanoseconds) {
        PyObject* result = m_api->PyScheduler_RunWithTimeout(nanoseconds);
        if (result == nullptr) return false;
        Py_DECREF(result);
        return true;
    }

  private:
    SchedulerCAPI* m_api = nullptr;
};

int s_switches = 0;

int OnSwitch(struct PyTaskletObject* from, struct PyTaskletObject* to) {
    s_switches += from != to ? 1 : 0;
    return 0;
}

// Routine aliases are used to keep single functions.
SchedulerCAPI::PyScheduler_GetRunCount_Routine s_getRunCount = nullptr;
SchedulerCAPI::PyChannel_New_Routine s_newChannel = nullptr;

// C code of the host that a tasklet runs.
PyObject* WaitOn(PyObject* self, PyObject*) {
    return SchedulerAPI()->PyChannel_Receive(reinterpret_cast<PyChannelObject*>(self));
}
PyMethodDef s_waitOn = {"wait_on", (PyCFunction)WaitOn, METH_NOARGS, nullptr};

TEST(HostSourceTest, AHostWrittenForTheReferenceWorksUnchanged) {
    SPEC("K-02", "K-03", "K-04");
    s_switches = 0;
    Host host;
    ASSERT_TRUE(host.Initialise());
    s_getRunCount = SchedulerAPI()->PyScheduler_GetRunCount;
    s_newChannel = SchedulerAPI()->PyChannel_New;

    PyChannelObject* channel = s_newChannel(SchedulerAPI()->PyChannelType);
    ASSERT_TRUE(SchedulerAPI()->PyChannel_Check((PyObject*)channel));
    PyObject* waitOn = PyCFunction_New(&s_waitOn, (PyObject*)channel);

    SchedulerAPI()->PyScheduler_SetScheduleFastCallback(&OnSwitch);
    std::vector<PyTaskletObject*> tasklets = {host.Spawn(waitOn), host.Spawn(waitOn)};
    EXPECT_EQ(s_getRunCount(), 3);
    EXPECT_TRUE(host.Frame(1000000000));
    EXPECT_EQ(s_switches, 4);
    EXPECT_EQ(SchedulerAPI()->PyChannel_GetBalance(channel), -2);

    EXPECT_EQ(SchedulerAPI()->PyChannel_Send(channel, Py_True), 0);
    EXPECT_FALSE(SchedulerAPI()->PyTasklet_Alive(tasklets[0]));
    EXPECT_TRUE(SchedulerAPI()->PyTasklet_Alive(tasklets[1]));
    EXPECT_EQ(SchedulerAPI()->PyTasklet_Kill(tasklets[1]), 0);
    EXPECT_FALSE(PyErr_Occurred());
    EXPECT_EQ(SchedulerAPI()->PyChannel_GetBalance(channel), 0);

    // An exit raised at the host's own code is told by the class in the table.
    PyObject* current = SchedulerAPI()->PyScheduler_GetCurrent();
    SchedulerAPI()->PyTasklet_Kill(reinterpret_cast<PyTaskletObject*>(current));
    EXPECT_TRUE(PyErr_ExceptionMatches(*SchedulerAPI()->TaskletExit));
    PyErr_Clear();
    Py_DECREF(current);

    SchedulerAPI()->PyScheduler_SetScheduleFastCallback(nullptr);
    for (PyTaskletObject* tasklet : tasklets) Py_DECREF(reinterpret_cast<PyObject*>(tasklet));
    Py_DECREF(waitOn);
    Py_DECREF((PyObject*)channel);
    EXPECT_EQ(s_getRunCount(), 1);
}

TEST(HostSourceTest, EachNameOfTheReferenceWorksUnchanged) {
    SPEC("K-02", "K-04", "K-05", "K-08");
    EXPECT_EQ(OldNamesHostRuns(), 0);
    EXPECT_FALSE(PyErr_Occurred());
}

}  // namespace
