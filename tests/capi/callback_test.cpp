// Members 25 to 28: callbacks.
#include "fixture.h"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace capi_test {
namespace {

// A callback whose references are counted. No function: free-threaded Python 3.13 makes those immortal once
// there have been threads.
constexpr char kCounted[] = "type('Callback', (), {'__call__': lambda *_: None})()";

class CallbackTest : public CApiTest {
  protected:
    void TearDown() override {
        api->PyScheduler_SetChannelCallback(nullptr);
        api->PyScheduler_SetScheduleCallback(nullptr);
        api->PyScheduler_SetScheduleFastCallback(nullptr);
        CApiTest::TearDown();
    }
};

// The two callbacks behave alike as far as setting them goes.
struct Slot {
    const char* python_name;
    SchedulerCAPI::PyScheduler_SetChannelCallback_Routine SchedulerCAPI::* setter;
};

class CallbackSlotTest : public CallbackTest, public ::testing::WithParamInterface<Slot> {
  protected:
    int set(PyObject* callable) { return (api->*GetParam().setter)(callable); }
    // The installed callback as Python sees it.
    Ref get() { return eval("scheduler.get_" + std::string(GetParam().python_name) + "()"); }
};

INSTANTIATE_TEST_SUITE_P(
    Both, CallbackSlotTest,
    ::testing::Values(Slot{"channel_callback", &SchedulerCAPI::PyScheduler_SetChannelCallback},
                      Slot{"schedule_callback", &SchedulerCAPI::PyScheduler_SetScheduleCallback}),
    [](const auto& test) { return std::string(test.param.python_name); });

TEST_P(CallbackSlotTest, TheTableOwnsTheCallback) {
    SPEC("K-27", "D-09", "G-10");
    const Ref callback = eval(kCounted);
    const Py_ssize_t ours = callback.count();
    EXPECT_EQ(set(callback.get()), 0);
    EXPECT_EQ(callback.count(), ours + 1);
    EXPECT_EQ(set(callback.get()), 0);
    EXPECT_EQ(callback.count(), ours + 1);
    EXPECT_EQ(get().get(), callback.get());
    EXPECT_EQ(set(nullptr), 0);
    EXPECT_EQ(callback.count(), ours);
    EXPECT_EQ(get().get(), Py_None);
    EXPECT_EQ(set(nullptr), 0);
}

TEST_P(CallbackSlotTest, ItIsSharedWithThePythonFunctions) {
    SPEC("K-27", "B-01", "B-02", "D-07");
    const std::string setter = "scheduler.set_" + std::string(GetParam().python_name);
    name("from_c", eval("lambda *_: 1"));
    name("from_python", eval("lambda *_: 2"));
    EXPECT_EQ(set(eval("from_c").get()), 0);
    EXPECT_EQ(text(setter + "(from_python) is from_c"), "True");
    EXPECT_EQ(set(nullptr), 0);
    EXPECT_EQ(text(setter + "(None) is None"), "True");
}

TEST_P(CallbackSlotTest, WhatCannotBeCalledIsRefused) {
    SPEC("K-07", "K-08");
    const Ref callback = eval("lambda *_: None");
    ASSERT_EQ(set(callback.get()), 0);
    for (const char* bad : {"None", "3", "'text'", "()"}) {
        EXPECT_EQ(set(eval(bad).get()), -1) << bad;
        EXPECT_EQ(take_error(), "TypeError") << bad;
        EXPECT_EQ(get().get(), callback.get()) << bad;
    }
}

TEST_F(CallbackTest, TheChannelCallbackIsReadAsABorrowedReference) {
    SPEC("K-27", "D-10", "18-18");
    EXPECT_EQ(api->PyScheduler_GetChannelCallback(), Py_None);
    const Ref callback = eval(kCounted);
    const Py_ssize_t ours = callback.count();
    ASSERT_EQ(api->PyScheduler_SetChannelCallback(callback.get()), 0);
    EXPECT_EQ(api->PyScheduler_GetChannelCallback(), callback.get());
    EXPECT_EQ(callback.count(), ours + 1);
}

TEST_F(CallbackTest, TheChannelCallbackSeesOperationsOfC) {
    SPEC("B-01", "P-24");
    run("log = []\n"
        "def callback(channel, tasklet, sending, will_block):\n"
        "    log.append((channel is c, tasklet is scheduler.getcurrent(), sending, will_block,\n"
        "                c.balance))");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref sender = queued_tasklet("c_send", "(c, None)");
    const Ref receiver = queued_tasklet("c_receive", "(c,)");
    ASSERT_EQ(api->PyScheduler_SetChannelCallback(eval("callback").get()), 0);
    run_all();
    EXPECT_EQ(text("log"), "[(True, True, True, True, 0), (True, True, False, False, 1)]");
}

TEST_F(CallbackTest, TheScheduleCallbackSeesSwitchesOfC) {
    SPEC("B-02", "B-03");
    run("log = []\n"
        "def callback(previous, next):\n"
        "    log.append((previous.is_main, next.is_main, previous is scheduler.getcurrent()))");
    queued_tasklet("c_schedule");
    ASSERT_EQ(api->PyScheduler_SetScheduleCallback(eval("callback").get()), 0);
    run_all();
    EXPECT_EQ(
        text("log"),
        "[(True, False, True), (False, True, True), (True, False, True), (False, True, True)]");
}

using Pair = std::pair<PyObject*, PyObject*>;
std::vector<Pair> switches;
bool always_attached;

int note_switch(PyTaskletObject* from, PyTaskletObject* to) {
    switches.emplace_back(reinterpret_cast<PyObject*>(from), reinterpret_cast<PyObject*>(to));
    always_attached = always_attached && PyGILState_Check() == 1;
    return -1;  // ignored
}

TEST_F(CallbackTest, TheFastCallbackSeesEverySwitch) {
    SPEC("K-06", "B-03", "B-04");
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    const Ref tasklet = queued_tasklet("len", "([],)");
    switches.clear();
    always_attached = true;
    const Py_ssize_t main_count = main.count();
    api->PyScheduler_SetScheduleFastCallback(note_switch);
    run_all();
    const std::vector<Pair> expected = {{main.get(), tasklet.get()}, {tasklet.get(), main.get()}};
    EXPECT_EQ(switches, expected);
    EXPECT_TRUE(always_attached);
    EXPECT_EQ(main.count(), main_count);  // borrowed tasklets
    EXPECT_EQ(tasklet.count(), 1);

    api->PyScheduler_SetScheduleFastCallback(nullptr);
    queued_tasklet("len", "([],)");
    run_all();
    EXPECT_EQ(switches, expected);
}

TEST_F(CallbackTest, TheFastCallbackSeesOtherThreads) {
    SPEC("K-06", "H-04");
    switches.clear();
    always_attached = true;
    api->PyScheduler_SetScheduleFastCallback(note_switch);
    on_other_thread([] {
        const PyGILState_STATE state = PyGILState_Ensure();
        {
            const Ref arguments = Ref::steal(Py_BuildValue("(O)", &PyTuple_Type));
            const Ref tasklet =
                Ref::steal(table().PyTasklet_New(table().PyTaskletType, arguments.get()));
            const Ref none = Ref::steal(PyTuple_New(0));
            EXPECT_EQ(table().PyTasklet_Setup(tasklet.tasklet(), none.get(), nullptr), 0);
            EXPECT_EQ(Ref::steal(table().PyScheduler_RunNTasklets(1)).get(), Py_None);
        }
        PyGILState_Release(state);
    });
    EXPECT_EQ(switches.size(), 2U);
    EXPECT_TRUE(always_attached);
}

std::string order;

PyObject* note_python(PyObject*, PyObject*) {
    order += 'p';
    Py_RETURN_NONE;
}
PyMethodDef kNotePython = {"note_python", note_python, METH_VARARGS, nullptr};

int note_native(PyTaskletObject*, PyTaskletObject*) {
    order += 'n';
    return 0;
}

TEST_F(CallbackTest, TheFastCallbackComesAfterThePythonOne) {
    SPEC("B-04");
    order.clear();
    const Ref python = Ref::steal(PyCFunction_New(&kNotePython, nullptr));
    ASSERT_EQ(api->PyScheduler_SetScheduleCallback(python.get()), 0);
    api->PyScheduler_SetScheduleFastCallback(note_native);
    queued_tasklet("len", "([],)");
    run_all();
    EXPECT_EQ(order, "pnpn");
}

}  // namespace
}  // namespace capi_test
