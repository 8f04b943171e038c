// Calls without the GIL, and from threads that Python does not know.
#include "fixture.h"

#include <string>

namespace capi_test {
namespace {

class ThreadTest : public CApiTest {};

TEST_F(ThreadTest, TaskletCallsAttachByThemselves) {
    SPEC("K-06");
    run("log = []");
    const Ref arguments = Ref::steal(PyTuple_Pack(1, eval("log.append").get()));
    const Ref one = eval("(1,)");
    PyTaskletObject* tasklet = nullptr;
    detached([&, &t = *api] {
        tasklet = t.PyTasklet_New(t.PyTaskletType, arguments.get());
        EXPECT_EQ(t.PyTasklet_Setup(tasklet, one.get(), nullptr), 0);
        EXPECT_EQ(t.PyTasklet_Insert(tasklet), 0);
        t.PyTasklet_SetBlockTrap(tasklet, 1);
        EXPECT_EQ(t.PyTasklet_GetBlockTrap(tasklet), 1);
        EXPECT_EQ(t.PyTasklet_IsMain(tasklet), 0);
        EXPECT_EQ(t.PyTasklet_Check(reinterpret_cast<PyObject*>(tasklet)), 1);
        EXPECT_EQ(t.PyTasklet_Alive(tasklet), 1);
        EXPECT_EQ(t.PyTasklet_GetTimesSwitchedTo(tasklet), 0L);
        EXPECT_STREQ(t.PyTasklet_GetContext(tasklet), "");
        EXPECT_EQ(t.PyTasklet_Kill(tasklet), 0);
        EXPECT_EQ(t.PyTasklet_Alive(tasklet), 0);
    });
    EXPECT_EQ(Ref::steal(tasklet).count(), 1);
    EXPECT_EQ(text("log"), "[]");
}

TEST_F(ThreadTest, RunningAndManagerCallsAttachByThemselves) {
    SPEC("K-06");
    run("log = []");
    for (const char* arguments : {"(1,)", "(2,)", "(3,)"}) queued_tasklet("log.append", arguments);
    PyObject *ran, *ran_for, *scheduled, *manager, *current;
    detached([&, &t = *api] {
        EXPECT_EQ(t.PyScheduler_GetRunCount(), 4);
        ran = t.PyScheduler_RunNTasklets(1);
        ran_for = t.PyScheduler_RunWithTimeout(0);
        EXPECT_EQ(t.PyScheduler_GetTaskletsCompletedLastRunWithTimeout(), 2);  // see L-04
        EXPECT_EQ(t.PyScheduler_GetTaskletsSwitchedLastRunWithTimeout(), 4);
        scheduled = t.PyScheduler_Schedule(nullptr, 0);
        manager = t.PyScheduler_GetScheduler();
        current = t.PyScheduler_GetCurrent();
    });
    for (PyObject* none : {ran, ran_for, scheduled}) EXPECT_EQ(Ref::steal(none).get(), Py_None);
    EXPECT_EQ(Ref::steal(manager).get(), eval("scheduler.get_schedule_manager()").get());
    EXPECT_EQ(Ref::steal(current).get(), eval("scheduler.getmain()").get());
    EXPECT_EQ(text("log"), "[1, 2, 3]");
}

TEST_F(ThreadTest, ChannelCallsAttachByThemselves) {
    SPEC("K-06");
    PyChannelObject* channel = nullptr;
    detached([&, &t = *api] {
        channel = t.PyChannel_New(nullptr);
        EXPECT_EQ(t.PyChannel_Check(reinterpret_cast<PyObject*>(channel)), 1);
        t.PyChannel_SetPreference(channel, 1);
        EXPECT_EQ(t.PyChannel_GetPreference(channel), 1);
        EXPECT_EQ(t.PyChannel_GetBalance(channel), 0);
        EXPECT_EQ(t.PyChannel_GetQueue(channel), nullptr);
    });
    EXPECT_EQ(Ref::steal(channel).count(), 1);
}

TEST_F(ThreadTest, CallbackAndCounterCallsAttachByThemselves) {
    SPEC("K-06");
    const Ref callback = eval("lambda *_: None");
    const Py_ssize_t ours = callback.count();
    detached([&, &t = *api] {
        EXPECT_EQ(t.PyScheduler_SetChannelCallback(callback.get()), 0);
        EXPECT_EQ(t.PyScheduler_GetChannelCallback(), callback.get());
        EXPECT_EQ(t.PyScheduler_SetChannelCallback(nullptr), 0);
        EXPECT_EQ(t.PyScheduler_SetScheduleCallback(callback.get()), 0);
        EXPECT_EQ(t.PyScheduler_SetScheduleCallback(nullptr), 0);
        t.PyScheduler_SetScheduleFastCallback(nullptr);
        EXPECT_EQ(t.PyScheduler_GetNumberOfActiveScheduleManagers(), 1);
        EXPECT_GE(t.PyScheduler_GetNumberOfActiveChannels(), 0);
        EXPECT_GE(t.PyScheduler_GetAllTimeTaskletCount(), 1);
        EXPECT_GE(t.PyScheduler_GetActiveTaskletCount(), 1);
    });
    EXPECT_EQ(callback.count(), ours);
}

TEST_F(ThreadTest, TransfersWorkDetached) {
    SPEC("K-06", "C-10", "C-11");
    run("got = []\n"
        "def receiver():\n"
        "    for _ in range(3):\n"
        "        try: got.append(c.receive())\n"
        "        except ValueError as error: got.append(error.args)\n"
        "    c.send('back')");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref receiver = queued_tasklet("receiver");
    run_all();
    const Ref value = eval("'value'");
    PyObject* back = nullptr;
    detached([&, &t = *api, line = channel.channel()] {
        EXPECT_EQ(t.PyChannel_Send(line, value.get()), 0);
        EXPECT_EQ(t.PyChannel_SendException(line, PyExc_ValueError, value.get()), 0);
        EXPECT_EQ(t.PyChannel_SendThrow(line, PyExc_ValueError, nullptr, nullptr), 0);
        back = t.PyChannel_Receive(line);
    });
    name("back", Ref::steal(back));
    EXPECT_EQ(text("got, back"), "(['value', ('value',), ()], 'back')");
    run_all();
}

TEST_F(ThreadTest, AnErrorSurvivesTheCall) {
    SPEC("K-06", "K-08");
    const Ref channel = new_channel();
    detached([&] { EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr); });
    EXPECT_EQ(take_error_and_text().rfind("RuntimeError: Deadlock", 0), 0U);
}

TEST_F(ThreadTest, AThreadThatPythonDoesNotKnowHasAManagerForTheCall) {
    SPEC("K-06", "S-01", "N-01");
    on_other_thread([] {
        EXPECT_EQ(table().PyScheduler_GetRunCount(), 1);
        EXPECT_EQ(table().PyScheduler_GetNumberOfActiveScheduleManagers(), 1);
    });
    EXPECT_EQ(api->PyScheduler_GetNumberOfActiveScheduleManagers(), 1);
}

TEST_F(ThreadTest, AnAttachedThreadKeepsItsManagerBetweenCalls) {
    SPEC("K-06", "H-05", "N-01");
    on_other_thread([] {
        const PyGILState_STATE state = PyGILState_Ensure();
        {
            const Ref main = Ref::steal(table().PyScheduler_GetCurrent());
            EXPECT_EQ(table().PyTasklet_IsMain(main.tasklet()), 1);
            EXPECT_EQ(table().PyScheduler_GetNumberOfActiveScheduleManagers(), 2);
            EXPECT_EQ(Ref::steal(table().PyScheduler_GetCurrent()).get(), main.get());
        }
        PyGILState_Release(state);
    });
    EXPECT_EQ(api->PyScheduler_GetNumberOfActiveScheduleManagers(), 1);
}

TEST_F(ThreadTest, InsertFromAnotherThreadQueuesOnItsOwn) {
    SPEC("K-06", "H-01");
    run("import threading\nran_on = []");
    const Ref tasklet = new_tasklet("lambda: ran_on.append(threading.get_ident())");
    name("t", tasklet);
    run("t.bind(None, ())");
    PyTaskletObject* foreign = tasklet.tasklet();
    on_other_thread([foreign] { EXPECT_EQ(table().PyTasklet_Insert(foreign), 0); });
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
    EXPECT_EQ(text("ran_on == [threading.get_ident()]"), "True");
}

TEST_F(ThreadTest, ATransferFromAnotherThreadQueuesTheReceiver) {
    SPEC("K-06", "H-02");
    run("def take(): global got; got = c.receive()");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref receiver = queued_tasklet("take");
    run_all();
    const Ref value = eval("'from afar'");
    PyObject* sent = value.get();
    PyChannelObject* line = channel.channel();
    on_other_thread([line, sent] { EXPECT_EQ(table().PyChannel_Send(line, sent), 0); });
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
    EXPECT_EQ(text("got"), "'from afar'");
}

TEST_F(ThreadTest, KillAndSetupAreRefusedFromAnotherThread) {
    SPEC("K-06", "K-08", "E-06", "H-01");
    const Ref queued = queued_tasklet("len", "([],)");
    const Ref bound = new_tasklet("len");
    std::string kill_error, setup_error;
    on_other_thread([&] {
        const PyGILState_STATE state = PyGILState_Ensure();
        EXPECT_EQ(table().PyTasklet_Kill(queued.tasklet()), 0);
        kill_error = take_error();
        PyObject* none = PyTuple_New(0);
        EXPECT_EQ(table().PyTasklet_Setup(bound.tasklet(), none, nullptr), -1);
        setup_error = take_error();
        Py_DECREF(none);
        PyGILState_Release(state);
    });
    EXPECT_EQ(kill_error, "RuntimeError");
    EXPECT_EQ(setup_error, "RuntimeError");
    EXPECT_EQ(bound.count(), 1);
    EXPECT_EQ(api->PyTasklet_Alive(queued.tasklet()), 1);
    run_all();
}

TEST_F(ThreadTest, AThreadThatEndsUnwindsItsTasklets) {
    SPEC("H-05", "K-06");
    run("log = []\n"
        "def waiter():\n"
        "    try: c_receive(c)\n"
        "    finally: log.append(sys.exc_info()[0].__name__)");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref arguments = Ref::steal(PyTuple_Pack(1, eval("waiter").get()));
    on_other_thread([&] {
        const PyGILState_STATE state = PyGILState_Ensure();
        {
            const Ref tasklet =
                Ref::steal(table().PyTasklet_New(table().PyTaskletType, arguments.get()));
            const Ref none = Ref::steal(PyTuple_New(0));
            EXPECT_EQ(table().PyTasklet_Setup(tasklet.tasklet(), none.get(), nullptr), 0);
            EXPECT_EQ(Ref::steal(table().PyScheduler_RunNTasklets(1)).get(), Py_None);
            EXPECT_EQ(table().PyChannel_GetBalance(channel.channel()), -1);
        }
        PyGILState_Release(state);
    });
    EXPECT_EQ(text("log"), "['TaskletExit']");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

}  // namespace
}  // namespace capi_test
