/* The header as a C11 program sees it; called by header_test.cpp. */
#include <Scheduler.h>

int c11_slots(void);
int c11_hook(PyTaskletObject* from, PyTaskletObject* to);
int c11_uses_the_table(void);

int c11_slots(void) { return (int)(sizeof(SchedulerCAPI) / sizeof(void*)); }

int c11_hook(PyTaskletObject* from, PyTaskletObject* to) {
    (void)from;
    (void)to;
    return 0;
}

/* Gives 0, or the number of the step that failed. */
int c11_uses_the_table(void) {
    struct SchedulerCAPI* api = SchedulerAPI();
    if (api == NULL) return 1;
    schedule_hook_func* hook = c11_hook;
    api->PyScheduler_SetScheduleFastCallback(hook);
    api->PyScheduler_SetScheduleFastCallback(NULL);
    PyChannelObject* channel = api->PyChannel_New(api->PyChannelType);
    if (channel == NULL) return 2;
    const int is_channel = api->PyChannel_Check((PyObject*)channel);
    const SchedulerCase cases[] = {{SCHEDULER_CASE_RECEIVE, (PyObject*)channel, NULL}};
    const Py_ssize_t done = api->PyScheduler_Select(cases, 1, 0, 0, NULL);
    Py_DECREF((PyObject*)channel);
    if (is_channel != 1) return 3;
    if (done != -1 || !PyErr_ExceptionMatches(PyExc_TimeoutError)) return 5;
    PyErr_Clear();
    if (api->PyScheduler_Sleep(0) != 0) return 6;
    if (!PyType_IsSubtype((PyTypeObject*)*api->TaskletExit, (PyTypeObject*)PyExc_SystemExit))
        return 4;
    return 0;
}
