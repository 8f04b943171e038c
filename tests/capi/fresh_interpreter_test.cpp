// What a new interpreter starts from, and what its end leaves behind.
#include "own_process.h"

namespace capi_test {
namespace {

class FreshInterpreterDeathTest : public DeathTest {};

[[noreturn]] void check_start() {
    SchedulerCAPI& t = table();
    REQUIRE(t.PyScheduler_GetNumberOfActiveScheduleManagers() == 0);
    REQUIRE(t.PyScheduler_GetAllTimeTaskletCount() == 0);
    REQUIRE(t.PyScheduler_GetRunCount() == 1);
    REQUIRE(t.PyScheduler_GetNumberOfActiveScheduleManagers() == 1);
    REQUIRE(t.PyScheduler_GetAllTimeTaskletCount() == 1);
    REQUIRE(t.PyScheduler_GetActiveTaskletCount() == 1);
    REQUIRE(t.PyScheduler_GetNumberOfActiveChannels() == 0);
    REQUIRE(t.PyScheduler_GetTaskletsCompletedLastRunWithTimeout() == 0);
    REQUIRE(t.PyScheduler_GetTaskletsSwitchedLastRunWithTimeout() == 0);
    REQUIRE(t.PyScheduler_GetChannelCallback() == Py_None);
    REQUIRE(Py_FinalizeEx() == 0);
    std::_Exit(0);
}

TEST_F(FreshInterpreterDeathTest, OnlyMainExists) {
    SPEC("K-20", "N-01", "N-03");
    EXPECT_EXIT(check_start(), ::testing::ExitedWithCode(0), "");
}

int destroyed = 0;

PyObject* ignore(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyMethodDef kIgnore = {"ignore", ignore, METH_VARARGS, nullptr};

// A callable that counts its destruction.
Ref new_counted_callback() {
    const Ref capsule =
        Ref::steal(PyCapsule_New(&destroyed, nullptr, [](PyObject*) { ++destroyed; }));
    return Ref::steal(PyCFunction_New(&kIgnore, capsule.get()));
}

[[noreturn]] void check_end() {
    REQUIRE(table().PyScheduler_SetChannelCallback(new_counted_callback().get()) == 0);
    REQUIRE(table().PyScheduler_SetScheduleCallback(new_counted_callback().get()) == 0);
    REQUIRE(destroyed == 0);
    REQUIRE(Py_FinalizeEx() == 0);
    REQUIRE(destroyed == 2);
    std::_Exit(0);
}

TEST_F(FreshInterpreterDeathTest, TheEndDropsTheCallbacks) {
    SPEC("K-28");
    EXPECT_EXIT(check_end(), ::testing::ExitedWithCode(0), "");
}

// One tasklet of each kind that a host may leave over: new, suspended, blocked.
[[noreturn]] void check_leftovers() {
    REQUIRE(PyRun_SimpleString(
                "import scheduler\n"
                "c = scheduler.channel()\n"
                "def suspended():\n"
                "    try: scheduler.schedule_remove()\n"
                "    finally: pass\n"
                "kept = [scheduler.tasklet(suspended)(), scheduler.tasklet(c.receive)()]\n"
                "scheduler.run()\n"
                "kept.append(scheduler.tasklet(print)())\n") == 0);
    REQUIRE(Py_FinalizeEx() == 0);
    std::_Exit(0);
}

TEST_F(FreshInterpreterDeathTest, TheEndCopesWithTaskletsLeftOver) {
    SPEC("H-09");
    EXPECT_EXIT(check_leftovers(), ::testing::ExitedWithCode(0), "");
}

[[noreturn]] void check_restart() {
    const SchedulerCAPI* before = SchedulerAPI();
    REQUIRE(before->PyScheduler_GetRunCount() == 1);
    REQUIRE(Py_FinalizeEx() == 0);
    Py_InitializeEx(0);
    REQUIRE(PyCapsule_Import("scheduler._C_API", 0) == before);
    REQUIRE(table().PyScheduler_GetRunCount() == 1);
    {
        const Ref arguments = Ref::steal(Py_BuildValue("(O)", &PyTuple_Type));
        const Ref tasklet =
            Ref::steal(table().PyTasklet_New(table().PyTaskletType, arguments.get()));
        const Ref none = Ref::steal(PyTuple_New(0));
        REQUIRE(tasklet.get() != nullptr);
        REQUIRE(table().PyTasklet_Setup(tasklet.tasklet(), none.get(), nullptr) == 0);
        REQUIRE(Ref::steal(table().PyScheduler_RunNTasklets(1)).get() == Py_None);
        REQUIRE(table().PyTasklet_Alive(tasklet.tasklet()) == 0);
    }
    REQUIRE(Py_FinalizeEx() == 0);
    std::_Exit(0);
}

TEST_F(FreshInterpreterDeathTest, TheTableOutlivesTheInterpreter) {
    SPEC("K-01");
    EXPECT_EXIT(check_restart(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace capi_test
