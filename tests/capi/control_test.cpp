// Members 53 to 57 and 62: what a tasklet is to do, its end, and runs that wait.
#include "fixture.h"

#include <cmath>
#include <initializer_list>
#include <string>

namespace capi_test {
namespace {

class ControlTest : public CApiTest {
  protected:
    void SetUp() override {
        CApiTest::SetUp();
        run("log = []\n"
            "def work(*args, **kwargs):\n"
            "    log.append((args, kwargs))\n"
            "    scheduler.schedule()\n"
            "    return 'done'\n"
            "def wait():\n"
            "    try:\n"
            "        scheduler.schedule_remove()\n"
            "    except BaseException as error:\n"
            "        log.append(type(error).__name__)\n"
            "        raise\n");
    }
    int bind(const Ref& tasklet, const char* callable, PyObject* args, PyObject* kwds) {
        const Ref function = callable != nullptr ? eval(callable) : Ref();
        return api->PyTasklet_Bind(tasklet.tasklet(), function.get(), args, kwds);
    }
};

// ---- Bind --------------------------------------------------------------------------------------

TEST_F(ControlTest, ABoundTaskletIsAliveAndNotQueued) {
    SPEC("K-31");
    const Ref tasklet = Ref::steal(api->PyTasklet_New(api->PyTaskletType, nullptr));
    const Ref args = eval("(1, 2)");
    const Ref kwds = eval("{'key': 3}");
    EXPECT_EQ(bind(tasklet, "work", args.get(), kwds.get()), 0);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), 0);
    run_all();
    EXPECT_EQ(text("log"), "[((1, 2), {'key': 3})]");
}

TEST_F(ControlTest, EachOfTheThreeMayBeLeftOut) {
    SPEC("K-31");
    const Ref tasklet = Ref::steal(api->PyTasklet_New(api->PyTaskletType, nullptr));
    EXPECT_EQ(bind(tasklet, "work", nullptr, nullptr), 0);  // for a later setup
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    EXPECT_EQ(bind(tasklet, nullptr, eval("(1,)").get(), nullptr), 0);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1);
    EXPECT_EQ(bind(tasklet, "work", Py_None, eval("{'key': 2}").get()), 0);
    EXPECT_EQ(bind(tasklet, nullptr, nullptr, nullptr), 0);  // keeps everything
    EXPECT_EQ(api->PyTasklet_Resume(tasklet.tasklet()), 0);
    EXPECT_EQ(text("log"), "[((), {'key': 2})]");
    EXPECT_EQ(api->PyTasklet_Remove(tasklet.tasklet()), 0);
    EXPECT_EQ(bind(tasklet, "None", nullptr, nullptr), 0);  // unbinds, and unwinds it
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), eval("()").get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

TEST_F(ControlTest, BindRefusesWhatCannotBeCalled) {
    SPEC("K-31", "K-07", "K-08");
    const Ref tasklet = Ref::steal(api->PyTasklet_New(api->PyTaskletType, nullptr));
    const Ref tuple = eval("()");
    EXPECT_EQ(bind(tasklet, nullptr, tuple.get(), nullptr), -1);  // no callable
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(bind(tasklet, "3", nullptr, nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(bind(tasklet, "len", eval("[]").get(), nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(bind(tasklet, "len", nullptr, tuple.get()), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    EXPECT_EQ(bind(main, "len", tuple.get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

// ---- Remove ------------------------------------------------------------------------------------

TEST_F(ControlTest, ARemovedTaskletIsPausedUntilItIsInserted) {
    SPEC("K-31");
    const Ref tasklet = queued_tasklet("work");
    EXPECT_EQ(api->PyTasklet_Remove(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Remove(tasklet.tasklet()), 0);  // no effect
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1);
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), 0);
    run_all();
    EXPECT_EQ(text("len(log)"), "1");
    EXPECT_EQ(api->PyTasklet_Remove(tasklet.tasklet()), 0);  // dead: no effect
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    EXPECT_EQ(api->PyTasklet_Remove(main.tasklet()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

// ---- Throw -------------------------------------------------------------------------------------

TEST_F(ControlTest, AnExceptionIsThrownNow) {
    SPEC("K-31");
    const Ref tasklet = queued_tasklet("wait");
    run_all();
    const Ref value = eval("'no'");
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), PyExc_KeyError, value.get(), Py_None, 0), -1);
    EXPECT_EQ(take_error_and_text(), "KeyError: 'no'");
    EXPECT_EQ(text("log"), "['KeyError']");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
}

TEST_F(ControlTest, AnExceptionIsThrownAtTheNextTurn) {
    SPEC("K-31");
    const Ref tasklet = queued_tasklet("wait");
    run_all();
    const Ref error = eval("KeyError(7)");
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), error.get(), nullptr, nullptr, 1), 0);
    EXPECT_EQ(text("log"), "[]");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    EXPECT_EQ(api->PyScheduler_Run(0, SCHEDULER_NO_LIMIT), -1);
    EXPECT_EQ(take_error_and_text(), "KeyError: 7");
    EXPECT_EQ(text("log"), "['KeyError']");
}

TEST_F(ControlTest, ThrowRefusesWhatIsNoException) {
    SPEC("K-31", "K-07", "K-08");
    const Ref tasklet = queued_tasklet("wait");
    run_all();
    for (const char* bad : {"None", "3", "int"}) {
        EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), eval(bad).get(), nullptr, nullptr, 0),
                  -1);
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), nullptr, nullptr, nullptr, 1), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), PyExc_KeyError, nullptr, eval("3").get(), 0),
              -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(text("log"), "[]");
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), *api->TaskletExit, nullptr, nullptr, 0), 0);
    // Dead now: an exit does nothing, anything else is refused.
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), *api->TaskletExit, nullptr, nullptr, 0), 0);
    EXPECT_EQ(api->PyTasklet_Throw(tasklet.tasklet(), PyExc_KeyError, nullptr, nullptr, 0), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

// ---- Join and Result ---------------------------------------------------------------------------

TEST_F(ControlTest, AJoinRunsTheTaskletToItsEnd) {
    SPEC("K-31");
    const Ref tasklet = queued_tasklet("work");
    EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), 0), 0);  // only asks
    EXPECT_EQ(text("log"), "[]");
    EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), SCHEDULER_NO_LIMIT), 1);
    EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), 0), 1);
    const Ref done = Ref::steal(api->PyTasklet_Result(tasklet.tasklet(), 0));
    EXPECT_EQ(std::string(PyUnicode_AsUTF8(done.get())), "done");
}

TEST_F(ControlTest, TheTimeToWaitForATaskletIsLimited) {
    SPEC("K-31", "K-29");
    const Ref tasklet = queued_tasklet("wait");
    EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), 0.001), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_EQ(api->PyTasklet_Result(tasklet.tasklet(), 0.001), nullptr);
    EXPECT_EQ(take_error(), "TimeoutError");
    for (const double bad : {-1.0, std::nan("")}) {
        EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), bad), -1);
        EXPECT_EQ(take_error(), "ValueError") << bad;
        EXPECT_EQ(api->PyTasklet_Result(tasklet.tasklet(), bad), nullptr);
        EXPECT_EQ(take_error(), "ValueError") << bad;
    }
    EXPECT_EQ(api->PyTasklet_Join(tasklet.tasklet(), SCHEDULER_NO_LIMIT), -1);
    EXPECT_EQ(take_error_and_text().rfind("RuntimeError: Deadlock", 0), 0U);
    EXPECT_EQ(api->PyTasklet_KillAlone(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Result(tasklet.tasklet(), 0), nullptr);
    EXPECT_EQ(take_error(), "RuntimeError");
}

TEST_F(ControlTest, OneCannotWaitForOneself) {
    SPEC("K-31");
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    EXPECT_EQ(api->PyTasklet_Join(main.tasklet(), 1), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyTasklet_Result(main.tasklet(), 1), nullptr);
    EXPECT_EQ(take_error(), "RuntimeError");
}

TEST_F(ControlTest, AResultRaisesWhatTheCallableRaised) {
    SPEC("K-31");
    run("def fail(): raise KeyError(1)");
    const Ref tasklet = queued_tasklet("fail");
    EXPECT_EQ(api->PyTasklet_Result(tasklet.tasklet(), SCHEDULER_NO_LIMIT), nullptr);
    EXPECT_EQ(take_error_and_text(), "KeyError: 1");
}

// ---- other threads -----------------------------------------------------------------------------

TEST_F(ControlTest, AnotherThreadMayRemoveThrowLaterAndJoinButNotBind) {
    SPEC("K-31", "H-03");
    const Ref removed = queued_tasklet("work");
    const Ref thrown = queued_tasklet("wait");
    on_other_thread([&, &t = *api] {
        const PyGILState_STATE gil = PyGILState_Ensure();  // keeps errors
        EXPECT_EQ(t.PyTasklet_Remove(removed.tasklet()), 0);
        EXPECT_EQ(t.PyTasklet_Throw(thrown.tasklet(), *t.TaskletExit, nullptr, nullptr, 1), 0);
        EXPECT_EQ(t.PyTasklet_Join(removed.tasklet(), 0), 0);
        EXPECT_EQ(t.PyTasklet_Throw(thrown.tasklet(), *t.TaskletExit, nullptr, nullptr, 0), -1);
        EXPECT_EQ(take_error(), "RuntimeError");
        EXPECT_EQ(t.PyTasklet_Bind(removed.tasklet(), nullptr, Py_None, nullptr), -1);
        EXPECT_EQ(take_error(), "RuntimeError");
        PyGILState_Release(gil);
    });
    run_all();
    EXPECT_EQ(text("log"), "[]");  // the one removed, the other dead before it began
    EXPECT_EQ(api->PyTasklet_Alive(removed.tasklet()), 1);
    EXPECT_EQ(api->PyTasklet_Alive(thrown.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_KillAlone(removed.tasklet()), 0);
}

// ---- Run ---------------------------------------------------------------------------------------

TEST_F(ControlTest, ARunEndsWhenTheQueueIsEmpty) {
    SPEC("K-31");
    EXPECT_EQ(api->PyScheduler_Run(0, SCHEDULER_NO_LIMIT), 0);  // nothing to do
    const Ref waiting = queued_tasklet("wait");
    queued_tasklet("work");
    EXPECT_EQ(api->PyScheduler_Run(0, SCHEDULER_NO_LIMIT), 0);
    EXPECT_EQ(text("len(log)"), "1");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_KillAlone(waiting.tasklet()), 0);
}

TEST_F(ControlTest, ARunIsLimitedByTime) {
    SPEC("K-31", "K-29");
    run("def spin():\n"
        "    while True: scheduler.schedule()");
    const Ref spinning = queued_tasklet("spin");
    EXPECT_EQ(api->PyScheduler_Run(0, 0), 0);  // one turn
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(spinning.tasklet()), 1);
    EXPECT_EQ(api->PyScheduler_Run(0, 0.001), 0);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    for (const double bad : {-1.0, std::nan("")}) {
        EXPECT_EQ(api->PyScheduler_Run(0, bad), -1);
        EXPECT_EQ(take_error(), "ValueError") << bad;
    }
    EXPECT_EQ(api->PyTasklet_KillAlone(spinning.tasklet()), 0);
}

TEST_F(ControlTest, ARunWaitsUntilNobodyIsAlive) {
    SPEC("K-31");
    run("def nap():\n"
        "    scheduler.sleep(0.001)\n"
        "    log.append('awake')");
    const Ref tasklet = queued_tasklet("nap");
    EXPECT_EQ(api->PyScheduler_Run(1, SCHEDULER_NO_LIMIT), 0);
    EXPECT_EQ(text("log"), "['awake']");
    const Ref waiting = queued_tasklet("scheduler.sleep", "(3600,)");
    EXPECT_EQ(api->PyScheduler_Run(1, 0.001), 0);
    EXPECT_EQ(api->PyTasklet_Alive(waiting.tasklet()), 1);
    EXPECT_EQ(api->PyTasklet_KillAlone(waiting.tasklet()), 0);
}

}  // namespace
}  // namespace capi_test
