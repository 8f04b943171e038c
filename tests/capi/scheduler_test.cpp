// Members 19 to 24 and 29 to 34: the schedule manager of the thread, and the counters.
#include "fixture.h"

#include <climits>

namespace capi_test {
namespace {

constexpr long long kTenSeconds = 10'000'000'000;

class SchedulerTest : public CApiTest {};

TEST_F(SchedulerTest, TheManagerIsANewReference) {
    SPEC("K-07", "D-10", "S-01", "N-05", "18-17");
    const Ref manager = Ref::steal(api->PyScheduler_GetScheduler());
    ASSERT_TRUE(manager);
    EXPECT_EQ(manager.count(), 2);  // the thread's and ours
    {
        const Ref again = Ref::steal(api->PyScheduler_GetScheduler());
        EXPECT_EQ(again.get(), manager.get());
        EXPECT_EQ(manager.count(), 3);
    }
    EXPECT_EQ(manager.count(), 2);
    EXPECT_EQ(eval("scheduler.get_schedule_manager()").get(), manager.get());
}

TEST_F(SchedulerTest, TheCurrentTaskletIsANewReference) {
    SPEC("K-07", "S-06");
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    EXPECT_EQ(main.get(), eval("scheduler.getmain()").get());
    const Py_ssize_t before = main.count();
    {
        const Ref again = Ref::steal(api->PyScheduler_GetCurrent());
        EXPECT_EQ(main.count(), before + 1);
    }
    EXPECT_EQ(main.count(), before);
}

PyObject* current_by_table(PyObject*, PyObject*) { return table().PyScheduler_GetCurrent(); }
PyMethodDef kCurrentByTable = {"current_by_table", current_by_table, METH_NOARGS, nullptr};

TEST_F(SchedulerTest, TheCurrentTaskletIsTheOneThatCalls) {
    SPEC("S-06");
    name("current_by_table", Ref::steal(PyCFunction_New(&kCurrentByTable, nullptr)));
    run("def look(): global seen; seen = current_by_table()");
    const Ref tasklet = queued_tasklet("look");
    run_all();
    EXPECT_EQ(eval("seen").get(), tasklet.get());
}

TEST_F(SchedulerTest, ScheduleRunsTheOthers) {
    SPEC("K-07", "R-04", "P-07");
    run("log = []");
    const Ref tasklet = queued_tasklet("log.append", "(1,)");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    const Ref none = Ref::steal(api->PyScheduler_Schedule(nullptr, 0));
    EXPECT_EQ(none.get(), Py_None);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(text("log"), "[1]");
    const Ref ignored = Ref::steal(api->PyScheduler_Schedule(tasklet.get(), 0));
    EXPECT_EQ(ignored.get(), Py_None);
}

TEST_F(SchedulerTest, ScheduleRequeuesTheCaller) {
    SPEC("R-04", "K-24");
    run("log = []\n"
        "def twice(mark):\n"
        "    log.append(mark)\n"
        "    c_schedule()\n"
        "    log.append(mark.upper())");
    const Ref a = queued_tasklet("twice", "('a',)");
    const Ref b = queued_tasklet("twice", "('b',)");
    run_all();
    EXPECT_EQ(text("log"), "['a', 'b', 'A', 'B']");
}

TEST_F(SchedulerTest, ScheduleRemoveLeavesTheTaskletOut) {
    SPEC("K-25", "R-05", "T-26");
    run("log = []\n"
        "def pausing():\n"
        "    log.append('before')\n"
        "    c_schedule(True)\n"
        "    log.append('after')");
    const Ref tasklet = queued_tasklet("pausing");
    run_all();
    EXPECT_EQ(text("log"), "['before']");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
    EXPECT_EQ(text("log"), "['before', 'after']");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

TEST_F(SchedulerTest, ScheduleUnderASwitchTrapFails) {
    SPEC("B-21", "K-08");
    const Ref tasklet = queued_tasklet("len", "([],)");
    run("scheduler.switch_trap(1)");
    for (const int remove : {0, 1}) {
        EXPECT_EQ(api->PyScheduler_Schedule(nullptr, remove), nullptr);
        EXPECT_NE(take_error_and_text().find("switch_trap"), std::string::npos);
    }
    run("scheduler.switch_trap(-1)");
    run_all();
}

TEST_F(SchedulerTest, RunNTaskletsRunsThatMany) {
    SPEC("L-01", "K-07");
    run("log = []");
    for (const char* arguments : {"(1,)", "(2,)", "(3,)"}) queued_tasklet("log.append", arguments);
    EXPECT_EQ(Ref::steal(api->PyScheduler_RunNTasklets(1)).get(), Py_None);
    EXPECT_EQ(text("log"), "[1]");
    EXPECT_EQ(Ref::steal(api->PyScheduler_RunNTasklets(INT_MAX)).get(), Py_None);
    EXPECT_EQ(text("log"), "[1, 2, 3]");
    EXPECT_EQ(Ref::steal(api->PyScheduler_RunNTasklets(1)).get(), Py_None);  // nothing to run
}

TEST_F(SchedulerTest, RunNTaskletsRefusesNumbersBelowOne) {
    SPEC("D-44", "L-01", "K-08");
    const Ref tasklet = queued_tasklet("len", "([],)");
    for (const int number : {0, -1, INT_MIN}) {
        EXPECT_EQ(api->PyScheduler_RunNTasklets(number), nullptr);
        EXPECT_EQ(take_error(), "RuntimeError");
    }
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
}

TEST_F(SchedulerTest, RunsPassOnWhatATaskletRaises) {
    SPEC("E-20", "K-08");
    run("def fail(): raise LookupError('lost')");
    queued_tasklet("fail");
    EXPECT_EQ(api->PyScheduler_RunNTasklets(5), nullptr);
    EXPECT_EQ(take_error_and_text(), "LookupError: lost");
    queued_tasklet("fail");
    EXPECT_EQ(api->PyScheduler_RunWithTimeout(kTenSeconds), nullptr);
    EXPECT_EQ(take_error_and_text(), "LookupError: lost");
    queued_tasklet("fail");
    EXPECT_EQ(api->PyScheduler_Schedule(nullptr, 0), nullptr);
    EXPECT_EQ(take_error_and_text(), "LookupError: lost");
}

TEST_F(SchedulerTest, ALongTimeLimitRunsAll) {
    SPEC("L-04", "L-05");
    for (int i = 0; i < 3; ++i) queued_tasklet("len", "([],)");
    EXPECT_EQ(Ref::steal(api->PyScheduler_RunWithTimeout(kTenSeconds)).get(), Py_None);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyScheduler_GetTaskletsCompletedLastRunWithTimeout(), 3);
    EXPECT_EQ(api->PyScheduler_GetTaskletsSwitchedLastRunWithTimeout(), 6);
    // Other runs leave the counters alone; the next one resets them.
    queued_tasklet("len", "([],)");
    run_all();
    EXPECT_EQ(api->PyScheduler_GetTaskletsCompletedLastRunWithTimeout(), 3);
    EXPECT_EQ(Ref::steal(api->PyScheduler_RunWithTimeout(kTenSeconds)).get(), Py_None);
    EXPECT_EQ(api->PyScheduler_GetTaskletsCompletedLastRunWithTimeout(), 0);
    EXPECT_EQ(api->PyScheduler_GetTaskletsSwitchedLastRunWithTimeout(), 0);
}

TEST_F(SchedulerTest, AnElapsedTimeLimitStillRunsTwoTasklets) {
    SPEC("L-04");
    for (const long long limit : {0LL, -1LL}) {
        for (int i = 0; i < 4; ++i) queued_tasklet("len", "([],)");
        for (int left = 4; left > 0; left -= 2) {
            EXPECT_EQ(api->PyScheduler_GetRunCount(), left + 1);
            EXPECT_EQ(Ref::steal(api->PyScheduler_RunWithTimeout(limit)).get(), Py_None);
        }
        EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    }
}

TEST_F(SchedulerTest, RepeatedTinyLimitsEmptyTheQueue) {
    SPEC("K-26", "L-04");
    run("log = []\n"
        "def steps(n):\n"
        "    for step in range(3):\n"
        "        log.append((n, step))\n"
        "        scheduler.schedule()");
    for (const char* arguments : {"(0,)", "(1,)", "(2,)", "(3,)"})
        queued_tasklet("steps", arguments);
    int rounds = 0;
    while (api->PyScheduler_GetRunCount() > 1) {
        ASSERT_EQ(Ref::steal(api->PyScheduler_RunWithTimeout(1)).get(), Py_None);
        ASSERT_LT(++rounds, 1000);
    }
    EXPECT_EQ(text("sorted(log) == [(n, step) for n in range(4) for step in range(3)]"), "True");
}

TEST_F(SchedulerTest, TheRunCountIncludesMainAndTheQueue) {
    SPEC("S-05");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    queued_tasklet("len", "([],)");
    queued_tasklet("len", "([],)");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 3);
    EXPECT_EQ(text("scheduler.getruncount()"), "3");
    run_all();
}

TEST_F(SchedulerTest, ChannelsAreCountedAtOnce) {
    SPEC("K-21", "N-02");
    const int before = api->PyScheduler_GetNumberOfActiveChannels();
    {
        const Ref one = new_channel();
        EXPECT_EQ(api->PyScheduler_GetNumberOfActiveChannels(), before + 1);
        const Ref two = new_channel();
        EXPECT_EQ(api->PyScheduler_GetNumberOfActiveChannels(), before + 2);
    }
    EXPECT_EQ(api->PyScheduler_GetNumberOfActiveChannels(), before);
}

TEST_F(SchedulerTest, TaskletsAreCountedAtOnce) {
    SPEC("K-21", "N-03", "N-04");
    const int ever = api->PyScheduler_GetAllTimeTaskletCount();
    const int now = api->PyScheduler_GetActiveTaskletCount();
    {
        const Ref one = new_tasklet("len");
        const Ref two = new_tasklet("len");
        EXPECT_EQ(api->PyScheduler_GetAllTimeTaskletCount(), ever + 2);
        EXPECT_EQ(api->PyScheduler_GetActiveTaskletCount(), now + 2);
    }
    EXPECT_EQ(api->PyScheduler_GetAllTimeTaskletCount(), ever + 2);
    EXPECT_EQ(api->PyScheduler_GetActiveTaskletCount(), now);
}

TEST_F(SchedulerTest, OneThreadHasOneManager) {
    SPEC("N-01");
    EXPECT_EQ(api->PyScheduler_GetNumberOfActiveScheduleManagers(), 1);
}

}  // namespace
}  // namespace capi_test
