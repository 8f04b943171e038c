// A host program as it was written for the reference, with each of the 40 names that this has. It must
// compile and work as it stands, by every standard from C++11 on: no change here is right but to say
// more of what such programs do. Called by host_source_test.cpp.
#include <Scheduler.h>

#include <cstring>

int OldNamesHostRuns();

#define CHECK(step, condition) \
    if (!(condition)) return step

namespace {

int s_switches = 0;

int OnSwitch(PyTaskletObject* from, PyTaskletObject* to) {
    s_switches += from != to ? 1 : 0;
    return 0;
}

PyObject* Function(const char* name) {
    PyObject* module = PyImport_ImportModule("builtins");
    PyObject* function = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return function;
}

PyTaskletObject* Spawn(PyObject* callable, PyObject* argument) {
    SchedulerCAPI* api = SchedulerAPI();
    PyObject* args = PyTuple_Pack(1, callable);
    PyTaskletObject* tasklet = api->PyTasklet_New(api->PyTaskletType, args);
    Py_DECREF(args);
    args = argument != nullptr ? PyTuple_Pack(1, argument) : PyTuple_New(0);
    const int result = api->PyTasklet_Setup(tasklet, args, nullptr);
    Py_DECREF(args);
    return result == 0 ? tasklet : nullptr;
}

bool Done(PyObject* none) {
    Py_XDECREF(none);
    return none == Py_None;
}

int Tasklets(SchedulerCAPI* api, PyObject* repr) {
    const int ever = api->PyScheduler_GetAllTimeTaskletCount();
    const int active = api->PyScheduler_GetActiveTaskletCount();
    PyTaskletObject* tasklet = Spawn(repr, Py_None);
    CHECK(10, tasklet != nullptr);
    CHECK(11, api->PyTasklet_Check((PyObject*)tasklet) && !api->PyTasklet_Check(Py_None));
    CHECK(12, api->PyTasklet_Alive(tasklet) && !api->PyTasklet_IsMain(tasklet));
    CHECK(13, api->PyTasklet_Insert(tasklet) == 0);  // it is queued already
    CHECK(14, api->PyScheduler_GetRunCount() == 2);
    api->PyTasklet_SetBlockTrap(tasklet, 1);
    CHECK(15, api->PyTasklet_GetBlockTrap(tasklet) == 1);
    CHECK(16, std::strlen(api->PyTasklet_GetContext(tasklet)) == 0);
    CHECK(17, Done(api->PyScheduler_RunNTasklets(1)));
    CHECK(18, api->PyTasklet_GetTimesSwitchedTo(tasklet) == 1 && !api->PyTasklet_Alive(tasklet));
    CHECK(19, api->PyTasklet_Kill(tasklet) == 0);  // dead
    CHECK(20, api->PyScheduler_GetAllTimeTaskletCount() == ever + 1);
    CHECK(21, api->PyScheduler_GetActiveTaskletCount() == active + 1);
    Py_DECREF((PyObject*)tasklet);
    return 0;
}

int Channels(SchedulerCAPI* api) {
    const int channels = api->PyScheduler_GetNumberOfActiveChannels();
    PyChannelObject* channel = api->PyChannel_New(api->PyChannelType);
    CHECK(30, api->PyChannel_Check((PyObject*)channel));
    CHECK(31, api->PyScheduler_GetNumberOfActiveChannels() == channels + 1);
    CHECK(32, api->PyChannel_GetPreference(channel) == -1);
    PyObject* receive = PyObject_GetAttrString((PyObject*)channel, "receive");
    PyTaskletObject* receiver = Spawn(receive, nullptr);
    CHECK(33, Done(api->PyScheduler_RunWithTimeout(1000000000)));
    CHECK(34, api->PyScheduler_GetTaskletsCompletedLastRunWithTimeout() == 1);
    CHECK(35, api->PyScheduler_GetTaskletsSwitchedLastRunWithTimeout() == 2);
    CHECK(36, api->PyChannel_GetBalance(channel) == -1);
    PyObject* first = api->PyChannel_GetQueue(channel);
    CHECK(37, first == (PyObject*)receiver);
    Py_DECREF(first);
    CHECK(38, api->PyChannel_Send(channel, Py_True) == 0);
    CHECK(39, !api->PyTasklet_Alive(receiver));
    Py_DECREF((PyObject*)receiver);

    // Exceptions, by both ways, to a receiver that ends by them.
    receiver = Spawn(receive, nullptr);
    CHECK(40, Done(api->PyScheduler_RunWithTimeout(1000000000)));
    CHECK(41, api->PyChannel_SendException(channel, *api->TaskletExit, nullptr) == 0);
    Py_DECREF((PyObject*)receiver);
    receiver = Spawn(receive, nullptr);
    CHECK(42, Done(api->PyScheduler_RunWithTimeout(1000000000)));
    CHECK(43, api->PyChannel_SendThrow(channel, *api->TaskletExit, nullptr, nullptr) == 0);
    CHECK(44, !api->PyTasklet_Alive(receiver));
    Py_DECREF((PyObject*)receiver);

    PyObject* send = PyObject_GetAttrString((PyObject*)channel, "send");
    PyTaskletObject* sender = Spawn(send, Py_False);
    api->PyChannel_SetPreference(channel, 1);
    PyObject* value = api->PyChannel_Receive(channel);
    CHECK(45, value == Py_False);
    Py_DECREF(value);
    while (api->PyTasklet_Alive(sender)) CHECK(46, Done(api->PyScheduler_Schedule(Py_None, 0)));
    Py_DECREF((PyObject*)sender);
    Py_DECREF(send);
    Py_DECREF(receive);
    Py_DECREF((PyObject*)channel);
    return 0;
}

int Manager(SchedulerCAPI* api, PyObject* repr) {
    CHECK(50, api->PyScheduler_GetNumberOfActiveScheduleManagers() >= 1);
    PyObject* manager = api->PyScheduler_GetScheduler();  // a new reference
    CHECK(51, manager != nullptr);
    Py_DECREF(manager);
    PyObject* current = api->PyScheduler_GetCurrent();
    CHECK(52, api->PyTasklet_IsMain((PyTaskletObject*)current));
    Py_DECREF(current);

    PyObject* ignore =
        Function("max");  // takes as many arguments as it gets: so a callback raises none
    CHECK(53, api->PyScheduler_SetChannelCallback(ignore) == 0);
    CHECK(54, api->PyScheduler_GetChannelCallback() == ignore);  // borrowed
    CHECK(55, api->PyScheduler_SetChannelCallback(nullptr) == 0);
    Py_DECREF(ignore);
    PyObject* show = Function("print");
    CHECK(56, api->PyScheduler_SetScheduleCallback(show) == 0);
    CHECK(57, api->PyScheduler_SetScheduleCallback(nullptr) == 0);
    Py_DECREF(show);
    api->PyScheduler_SetScheduleFastCallback(OnSwitch);
    PyTaskletObject* tasklet = Spawn(repr, Py_None);
    CHECK(58, Done(api->PyScheduler_RunNTasklets(1)));
    api->PyScheduler_SetScheduleFastCallback(nullptr);
    CHECK(59, s_switches == 2);
    Py_DECREF((PyObject*)tasklet);
    return 0;
}

}  // namespace

// Gives 0, or the number of the step that failed.
int OldNamesHostRuns() {
    s_switches = 0;
    SchedulerCAPI* api = SchedulerAPI();
    CHECK(1, api != nullptr);
    // Aliases of the functions' types are used to keep single ones.
    SchedulerCAPI::PyScheduler_GetRunCount_Routine getRunCount = api->PyScheduler_GetRunCount;
    CHECK(2, getRunCount() == 1);
    PyObject* repr = Function("repr");
    int failed = Tasklets(api, repr);
    if (failed == 0) failed = Channels(api);
    if (failed == 0) failed = Manager(api, repr);
    Py_DECREF(repr);
    CHECK(3, failed != 0 || getRunCount() == 1);
    return failed;
}
