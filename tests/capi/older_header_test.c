/* A program that was compiled with an earlier Scheduler.h, that of 40 members, without its comments; called
 * by table_size_test.cpp. */
#include <Python.h>

#include <stddef.h>
#include <string.h>

typedef struct PyTaskletObject PyTaskletObject;
typedef struct PyChannelObject PyChannelObject;
typedef int(schedule_hook_func)(PyTaskletObject* from, PyTaskletObject* to);

#define MEMBER(result, name, parameters) result(*name) parameters

// clang-format off
typedef struct SchedulerCAPI {
    MEMBER(PyTaskletObject*, PyTasklet_New, (PyTypeObject* type, PyObject* args));
    MEMBER(int, PyTasklet_Setup,
                      (PyTaskletObject* tasklet, PyObject* args, PyObject* kwds));
    MEMBER(int, PyTasklet_Insert, (PyTaskletObject* tasklet));
    MEMBER(int, PyTasklet_GetBlockTrap, (PyTaskletObject* tasklet));
    MEMBER(void, PyTasklet_SetBlockTrap, (PyTaskletObject* tasklet, int value));
    MEMBER(int, PyTasklet_IsMain, (PyTaskletObject* tasklet));
    MEMBER(int, PyTasklet_Check, (PyObject* object));
    MEMBER(int, PyTasklet_Alive, (PyTaskletObject* tasklet));
    MEMBER(int, PyTasklet_Kill, (PyTaskletObject* tasklet));
    MEMBER(PyChannelObject*, PyChannel_New, (PyTypeObject* type));
    MEMBER(int, PyChannel_Send, (PyChannelObject* channel, PyObject* value));
    MEMBER(PyObject*, PyChannel_Receive, (PyChannelObject* channel));
    MEMBER(int, PyChannel_SendException,
                      (PyChannelObject* channel, PyObject* klass, PyObject* value));
    MEMBER(PyObject*, PyChannel_GetQueue, (PyChannelObject* channel));
    MEMBER(int, PyChannel_GetPreference, (PyChannelObject* channel));
    MEMBER(void, PyChannel_SetPreference, (PyChannelObject* channel, int value));
    MEMBER(int, PyChannel_GetBalance, (PyChannelObject* channel));
    MEMBER(int, PyChannel_Check, (PyObject* object));
    MEMBER(int, PyChannel_SendThrow,
                      (PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb));
    MEMBER(PyObject*, PyScheduler_GetScheduler, (void));
    MEMBER(PyObject*, PyScheduler_Schedule, (PyObject* retval, int remove));
    MEMBER(int, PyScheduler_GetRunCount, (void));
    MEMBER(PyObject*, PyScheduler_GetCurrent, (void));
    MEMBER(PyObject*, PyScheduler_RunWithTimeout, (long long timeout_ns));
    MEMBER(PyObject*, PyScheduler_RunNTasklets, (int number));
    MEMBER(int, PyScheduler_SetChannelCallback, (PyObject* callable));
    MEMBER(PyObject*, PyScheduler_GetChannelCallback, (void));
    MEMBER(int, PyScheduler_SetScheduleCallback, (PyObject* callable));
    MEMBER(void, PyScheduler_SetScheduleFastCallback, (schedule_hook_func func));
    MEMBER(int, PyScheduler_GetNumberOfActiveScheduleManagers, (void));
    MEMBER(int, PyScheduler_GetNumberOfActiveChannels, (void));
    MEMBER(int, PyScheduler_GetAllTimeTaskletCount, (void));
    MEMBER(int, PyScheduler_GetActiveTaskletCount, (void));
    MEMBER(int, PyScheduler_GetTaskletsCompletedLastRunWithTimeout, (void));
    MEMBER(int, PyScheduler_GetTaskletsSwitchedLastRunWithTimeout, (void));
    PyTypeObject* PyTaskletType;
    PyTypeObject* PyChannelType;
    PyObject** TaskletExit;
    MEMBER(long, PyTasklet_GetTimesSwitchedTo, (PyTaskletObject* tasklet));
    MEMBER(const char*, PyTasklet_GetContext, (PyTaskletObject* tasklet));
} SchedulerCAPI;
// clang-format on

static inline SchedulerCAPI* SchedulerAPI(void) {
    static SchedulerCAPI* table = NULL;
    if (table == NULL) {
        PyObject* package = PyImport_ImportModule("scheduler");
        PyObject* capsule = package != NULL ? PyObject_GetAttrString(package, "_C_API") : NULL;
        SchedulerCAPI* found = NULL;
        if (capsule != NULL) {
            found = (SchedulerCAPI*)PyCapsule_GetPointer(capsule, "scheduler._C_API");
        }
        if (found != NULL) {
            const size_t size = (size_t)PyCapsule_GetContext(capsule);
            if (size == 0 || size >= sizeof(SchedulerCAPI)) {
                table = found;
            } else {
                PyErr_Format(PyExc_ImportError,
                             "the module scheduler is older than the Scheduler.h that this program "
                             "was compiled with: its C table has %zu bytes, not %zu; update it",
                             size, sizeof(SchedulerCAPI));
            }
        }
        Py_XDECREF(capsule);
        Py_XDECREF(package);
    }
    return table;
}
int older_program_runs(void);

/* Gives 0, or the number of the step that failed. */
int older_program_runs(void) {
    SchedulerCAPI* api = SchedulerAPI();
    if (api == NULL) return 1;
    PyChannelObject* channel = api->PyChannel_New(NULL);
    if (channel == NULL) return 2;
    PyObject* send = PyObject_GetAttrString((PyObject*)channel, "send");
    PyObject* arguments = Py_BuildValue("(N)", send);
    PyTaskletObject* tasklet = api->PyTasklet_New(api->PyTaskletType, arguments);
    PyObject* values = Py_BuildValue("(i)", 7);
    if (tasklet == NULL || api->PyTasklet_Setup(tasklet, values, NULL) != 0) return 3;
    PyObject* value = api->PyChannel_Receive(channel);
    if (value == NULL || PyLong_AsLong(value) != 7) return 4;
    PyObject* none = api->PyScheduler_RunNTasklets(1);
    if (none != Py_None) return 5;
    /* The last member. */
    const char* context = api->PyTasklet_GetContext(tasklet);
    if (context == NULL || strlen(context) != 0) return 6;
    PyObject* const owned[] = {
        (PyObject*)channel, (PyObject*)tasklet, arguments, values, value, none};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; ++i) Py_DECREF(owned[i]);
    return 0;
}
