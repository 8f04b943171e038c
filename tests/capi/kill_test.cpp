// Member 8: kill, above all of a tasklet that waits in C code.
#include "fixture.h"

namespace capi_test {
namespace {

class KillTest : public CApiTest {};

// What a channel operation in C gave when its tasklet was killed.
struct Outcome {
    bool failed = false;
    bool exit_set = false;
};
Outcome outcome;

PyChannelObject* only_argument(PyObject* arguments) {
    return reinterpret_cast<PyChannelObject*>(PyTuple_GetItem(arguments, 0));
}

bool exit_is_set() { return PyErr_ExceptionMatches(*table().TaskletExit) != 0; }

PyObject* receive_and_note(PyObject*, PyObject* arguments) {
    PyObject* value = table().PyChannel_Receive(only_argument(arguments));
    outcome = {value == nullptr, exit_is_set()};
    return value;
}

PyObject* send_and_note(PyObject*, PyObject* arguments) {
    const int result = table().PyChannel_Send(only_argument(arguments), Py_None);
    outcome = {result == -1, exit_is_set()};
    return nullptr;
}

PyMethodDef kReceiveAndNote = {"receive_and_note", receive_and_note, METH_VARARGS, nullptr};
PyMethodDef kSendAndNote = {"send_and_note", send_and_note, METH_VARARGS, nullptr};

class KillWaitingTest : public CApiTest, public ::testing::WithParamInterface<PyMethodDef*> {};

INSTANTIATE_TEST_SUITE_P(InC, KillWaitingTest, ::testing::Values(&kReceiveAndNote, &kSendAndNote),
                         [](const auto& test) { return std::string(test.param->ml_name); });

TEST_P(KillWaitingTest, TheCallFailsWithTaskletExit) {
    SPEC("K-23", "C-50", "E-10");
    outcome = {};
    const Ref channel = new_channel();
    name("c", channel);
    name("wait", Ref::steal(PyCFunction_New(GetParam(), nullptr)));
    run("after = []\n"
        "def waiter():\n"
        "    wait(c)\n"
        "    after.append(1)");
    const Ref tasklet = queued_tasklet("waiter");
    run_all();
    ASSERT_NE(api->PyChannel_GetBalance(channel.channel()), 0);
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_TRUE(outcome.failed);
    EXPECT_TRUE(outcome.exit_set);
    EXPECT_EQ(text("after"), "[]");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    EXPECT_EQ(tasklet.count(), 1);
}

TEST_F(KillTest, KilledSenderLeavesNoReferenceToItsValue) {
    SPEC("K-23", "G-09");
    const Ref value = eval("object()");
    const Ref channel = new_channel();
    name("c", channel);
    name("v", value);
    const Ref tasklet = queued_tasklet("c_send", "(c, v)");
    const Py_ssize_t before = value.count();
    run_all();
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(value.count(), before - 1);  // the argument tuple is gone too
}

TEST_F(KillTest, ANeverRunTaskletIsRemoved) {
    SPEC("E-10", "E-12", "K-22");
    run("ran = []");
    const Ref tasklet = queued_tasklet("ran.append", "(1,)");
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(tasklet.tasklet()), 0L);
    EXPECT_EQ(text("ran"), "[]");
}

TEST_F(KillTest, ADeadTaskletIsLeftAlone) {
    SPEC("E-10");
    const Ref tasklet = new_tasklet("len");
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
}

TEST_F(KillTest, AnErrorOfTheVictimIsSetAlthoughZeroIsReturned) {
    SPEC("K-08", "E-11");
    run("def stubborn():\n"
        "    try:\n"
        "        scheduler.schedule_remove()\n"
        "    except scheduler.TaskletExit:\n"
        "        raise ValueError('not like this')");
    const Ref tasklet = queued_tasklet("stubborn");
    run_all();
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error_and_text(), "ValueError: not like this");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
}

TEST_F(KillTest, TheCurrentTaskletGetsTaskletExitFromTheCall) {
    SPEC("E-10", "E-21");
    run("after = []\n"
        "def suicide():\n"
        "    try:\n"
        "        c_kill(scheduler.getcurrent())\n"
        "    finally:\n"
        "        after.append(sys.exc_info()[0].__name__)\n"
        "    after.append('not reached')");
    const Ref tasklet = queued_tasklet("suicide");
    run_all();
    EXPECT_EQ(text("after"), "['TaskletExit']");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
}

TEST_F(KillTest, ATaskletMayKillAnotherFromC) {
    SPEC("E-10", "E-11");
    run("log = []\n"
        "def victim():\n"
        "    try:\n"
        "        scheduler.schedule()\n"
        "    finally:\n"
        "        log.append('victim ends')\n"
        "def killer(t):\n"
        "    log.append(c_kill(t))");
    const Ref victim = queued_tasklet("victim");
    name("victim_tasklet", victim);
    const Ref killer = queued_tasklet("killer", "(victim_tasklet,)");
    run_all();
    EXPECT_EQ(text("log"), "['victim ends', 0]");
}

TEST_F(KillTest, UnderASwitchTrapTheErrorIsSetAndNothingChanges) {
    SPEC("K-08", "B-21", "B-22");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref tasklet = queued_tasklet("c_receive", "(c,)");
    run_all();
    run("scheduler.switch_trap(1)");
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_NE(take_error_and_text().find("switch_trap"), std::string::npos);
    run("scheduler.switch_trap(-1)");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -1);
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

}  // namespace
}  // namespace capi_test
