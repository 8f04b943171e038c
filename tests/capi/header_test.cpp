// The header: signatures, layout, names, and how a program gets at the table.
#include "fixture.h"

#include <cstring>
#include <type_traits>

extern "C" {
int c11_slots(void);
int c11_uses_the_table(void);
}

namespace capi_test {
namespace {

using Table = SchedulerCAPI;
using Tasklet = PyTaskletObject*;
using Channel = PyChannelObject*;

// The nested alias names the member's type, and that is the signature given.
#define EXPECT_SIGNATURE(name, ...)                                                        \
    static_assert(std::is_same_v<Table::name##_Routine, std::add_pointer_t<__VA_ARGS__>>); \
    static_assert(std::is_same_v<Table::name##_Routine, decltype(Table::name)>)

EXPECT_SIGNATURE(PyTasklet_New, Tasklet(PyTypeObject*, PyObject*));
EXPECT_SIGNATURE(PyTasklet_Setup, int(Tasklet, PyObject*, PyObject*));
EXPECT_SIGNATURE(PyTasklet_Insert, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_GetBlockTrap, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_SetBlockTrap, void(Tasklet, int));
EXPECT_SIGNATURE(PyTasklet_IsMain, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_Check, int(PyObject*));
EXPECT_SIGNATURE(PyTasklet_Alive, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_Kill, int(Tasklet));
EXPECT_SIGNATURE(PyChannel_New, Channel(PyTypeObject*));
EXPECT_SIGNATURE(PyChannel_Send, int(Channel, PyObject*));
EXPECT_SIGNATURE(PyChannel_Receive, PyObject*(Channel));
EXPECT_SIGNATURE(PyChannel_SendException, int(Channel, PyObject*, PyObject*));
EXPECT_SIGNATURE(PyChannel_GetQueue, PyObject*(Channel));
EXPECT_SIGNATURE(PyChannel_GetPreference, int(Channel));
EXPECT_SIGNATURE(PyChannel_SetPreference, void(Channel, int));
EXPECT_SIGNATURE(PyChannel_GetBalance, int(Channel));
EXPECT_SIGNATURE(PyChannel_Check, int(PyObject*));
EXPECT_SIGNATURE(PyChannel_SendThrow, int(Channel, PyObject*, PyObject*, PyObject*));
EXPECT_SIGNATURE(PyScheduler_GetScheduler, PyObject*());
EXPECT_SIGNATURE(PyScheduler_Schedule, PyObject*(PyObject*, int));
EXPECT_SIGNATURE(PyScheduler_GetRunCount, int());
EXPECT_SIGNATURE(PyScheduler_GetCurrent, PyObject*());
EXPECT_SIGNATURE(PyScheduler_RunWithTimeout, PyObject*(long long));
EXPECT_SIGNATURE(PyScheduler_RunNTasklets, PyObject*(int));
EXPECT_SIGNATURE(PyScheduler_SetChannelCallback, int(PyObject*));
EXPECT_SIGNATURE(PyScheduler_GetChannelCallback, PyObject*());
EXPECT_SIGNATURE(PyScheduler_SetScheduleCallback, int(PyObject*));
EXPECT_SIGNATURE(PyScheduler_SetScheduleFastCallback, void(schedule_hook_func));
EXPECT_SIGNATURE(PyScheduler_GetNumberOfActiveScheduleManagers, int());
EXPECT_SIGNATURE(PyScheduler_GetNumberOfActiveChannels, int());
EXPECT_SIGNATURE(PyScheduler_GetAllTimeTaskletCount, int());
EXPECT_SIGNATURE(PyScheduler_GetActiveTaskletCount, int());
EXPECT_SIGNATURE(PyScheduler_GetTaskletsCompletedLastRunWithTimeout, int());
EXPECT_SIGNATURE(PyScheduler_GetTaskletsSwitchedLastRunWithTimeout, int());
EXPECT_SIGNATURE(PyTasklet_GetTimesSwitchedTo, long(Tasklet));
EXPECT_SIGNATURE(PyTasklet_GetContext, const char*(Tasklet));
EXPECT_SIGNATURE(PyScheduler_Sleep, int(double));
EXPECT_SIGNATURE(PyChannel_SendWithTimeout, int(Channel, PyObject*, double));
EXPECT_SIGNATURE(PyChannel_ReceiveWithTimeout, PyObject*(Channel, double));
EXPECT_SIGNATURE(PyChannel_SendExceptionWithTimeout, int(Channel, PyObject*, PyObject*, double));
EXPECT_SIGNATURE(PyScheduler_Select,
                 Py_ssize_t(const SchedulerCase*, Py_ssize_t, double, int, PyObject**));
EXPECT_SIGNATURE(PyScheduler_Pump, int(long long, double));
EXPECT_SIGNATURE(PyScheduler_NextDeadline, double());
EXPECT_SIGNATURE(PyScheduler_SetWaker, int(scheduler_waker_func, void*));
EXPECT_SIGNATURE(PyScheduler_SetWakerFd, int(int));
EXPECT_SIGNATURE(PyScheduler_ForbidMainWaits, int(const char*));
EXPECT_SIGNATURE(PyTasklet_Resume, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_KillAlone, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_ThrowAlone, int(Tasklet, PyObject*, PyObject*, PyObject*));
EXPECT_SIGNATURE(PyTasklet_Bind, int(Tasklet, PyObject*, PyObject*, PyObject*));
EXPECT_SIGNATURE(PyTasklet_Remove, int(Tasklet));
EXPECT_SIGNATURE(PyTasklet_Throw, int(Tasklet, PyObject*, PyObject*, PyObject*, int));
EXPECT_SIGNATURE(PyTasklet_Join, int(Tasklet, double));
EXPECT_SIGNATURE(PyTasklet_Result, PyObject*(Tasklet, double));
EXPECT_SIGNATURE(PyChannel_Close, int(Channel, int));
EXPECT_SIGNATURE(PyChannel_Clear, int(Channel));
EXPECT_SIGNATURE(PyQueueChannel_New, Channel(PyTypeObject*));
EXPECT_SIGNATURE(PyQueueChannel_Check, int(PyObject*));
EXPECT_SIGNATURE(PyScheduler_Run, int(int, double));
EXPECT_SIGNATURE(PyScheduler_TraceMark, int(const char*));

static_assert(std::is_same_v<decltype(Table::PyTaskletType), PyTypeObject*>);
static_assert(std::is_same_v<decltype(Table::PyChannelType), PyTypeObject*>);
static_assert(std::is_same_v<decltype(Table::TaskletExit), PyObject**>);
static_assert(std::is_same_v<schedule_hook_func, int(Tasklet, Tasklet)>);
static_assert(std::is_standard_layout_v<Table>);
static_assert(std::is_standard_layout_v<SchedulerCase>);
static_assert(sizeof(SchedulerCase) == 3 * sizeof(void*));

class HeaderTest : public CApiTest {};

// The order of the first 40 is fixed by the header's own assertions.
TEST_F(HeaderTest, TheTableHasFortyPointersAndThoseThatCameLater) {
    SPEC("K-04", "K-05");
    EXPECT_EQ(offsetof(Table, PyTasklet_GetContext), 39 * sizeof(void*));
    EXPECT_EQ(sizeof(Table), 64 * sizeof(void*));
    // In particular none of them is NULL.
    void* slots[64];
    std::memcpy(slots, api, sizeof(slots));
    for (int i = 0; i < 64; ++i) EXPECT_NE(slots[i], nullptr) << i;
}

TEST_F(HeaderTest, TheCapsuleIsInBothModules) {
    SPEC("K-01", "K-02", "M-03");
    EXPECT_EQ(PyCapsule_Import("scheduler._C_API", 0), api);
    const Ref capsule = eval("scheduler._C_API");
    EXPECT_STREQ(PyCapsule_GetName(capsule.get()), "scheduler._C_API");
    EXPECT_EQ(PyCapsule_GetPointer(capsule.get(), "scheduler._C_API"), api);
    run("import _scheduler");
    EXPECT_EQ(eval("_scheduler._C_API").get(), capsule.get());
}

TEST_F(HeaderTest, TheTypesAreThoseOfTheModule) {
    SPEC("K-07", "M-04", "M-06");
    EXPECT_EQ(eval("scheduler.tasklet").type(), api->PyTaskletType);
    EXPECT_EQ(eval("scheduler.channel").type(), api->PyChannelType);
    EXPECT_EQ(eval("scheduler.TaskletExit").get(), *api->TaskletExit);
}

TEST_F(HeaderTest, TheHeaderIsWhereThePackageSays) {
    SPEC("K-02");
    run("import os");
    EXPECT_EQ(text("os.path.isfile(os.path.join(scheduler.get_include(), 'Scheduler.h'))"), "True");
}

TEST_F(HeaderTest, TheHeaderReadsAsC11) {
    SPEC("K-02", "K-05");
    EXPECT_EQ(c11_slots(), 64);
    EXPECT_EQ(c11_uses_the_table(), 0);
}

}  // namespace
}  // namespace capi_test
