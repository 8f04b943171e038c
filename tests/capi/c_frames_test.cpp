// Switching with frames of C code between: C called by the Python code of a tasklet.
#include "fixture.h"

#include <array>
#include <string>

namespace capi_test {
namespace {

class CFramesTest : public CApiTest {};

// ping(channel, n, marker): receives n values, keeping state of its own on the C stack; returns how
// often that state was found as it was left.
PyObject* ping(PyObject*, PyObject* arguments) {
    PyObject* channel;
    int rounds;
    int marker;
    if (!PyArg_ParseTuple(arguments, "Oii", &channel, &rounds, &marker)) return nullptr;
    std::array<int, 200> local;
    local.fill(marker);
    int intact = 0;
    for (int i = 0; i < rounds; ++i) {
        const Ref value =
            Ref::steal(table().PyChannel_Receive(reinterpret_cast<PyChannelObject*>(channel)));
        if (!value) return nullptr;
        bool same = true;
        for (int& slot : local) {
            same = same && slot == marker + i;
            ++slot;
        }
        intact += same ? 1 : 0;
    }
    return PyLong_FromLong(intact);
}
PyMethodDef kPing = {"ping", ping, METH_VARARGS, nullptr};

TEST_F(CFramesTest, EachTaskletKeepsItsOwnCStack) {
    SPEC("K-24", "C-15");
    const Ref channel = new_channel();
    name("c", channel);
    name("ping", Ref::steal(PyCFunction_New(&kPing, nullptr)));
    run("intact = []\n"
        "def waiter(marker): intact.append(ping(c, 5, marker))\n"
        "for marker in range(20):\n"
        "    scheduler.tasklet(waiter)(marker * 1000)");
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -20);
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(api->PyChannel_Send(channel.channel(), Py_None), 0) << take_error_and_text();
    }
    run_all();
    EXPECT_EQ(text("intact"), text("[5] * 20"));
}

TEST_F(CFramesTest, ASortKeyMayWait) {
    SPEC("K-24");
    const Ref channel = new_channel();
    name("c", channel);
    run("results = []\n"
        "def sorter(): results.append(sorted([1, 2, 3], key=lambda _: c_receive(c)))\n"
        "def feeder(values):\n"
        "    for value in values: c_send(c, value)");
    const Ref sorter = queued_tasklet("sorter");
    const Ref feeder = queued_tasklet("feeder", "([30, 10, 20],)");
    run_all();
    EXPECT_EQ(text("results"), "[[2, 3, 1]]");
}

TEST_F(CFramesTest, EverySwitchingMemberWorksDeepInC) {
    SPEC("K-24", "C-30", "C-31");
    const Ref channel = new_channel();
    name("c", channel);
    run("log = []\n"
        "def deep(level, function, *arguments):\n"
        "    if level:\n"
        "        return c_call(deep, level - 1, function, *arguments)\n"
        "    return c_call(function, *arguments)\n"
        "def sender(level):\n"
        "    deep(level, c_send, c, level)\n"
        "    deep(level, c_send_exception, c, ValueError, (level,))\n"
        "    deep(level, c_schedule)\n"
        "    deep(level, c_send_throw, c, KeyError, level)\n"
        "def receiver(level):\n"
        "    for _ in range(3):\n"
        "        try:\n"
        "            log.append(deep(level, c_receive, c))\n"
        "        except (ValueError, KeyError) as error:\n"
        "            log.append((type(error).__name__, error.args))");
    const Ref sender = queued_tasklet("sender", "(10,)");
    const Ref receiver = queued_tasklet("receiver", "(7,)");
    run_all();
    EXPECT_EQ(text("log"), "[10, ('ValueError', (10,)), ('KeyError', (10,))]");
    EXPECT_EQ(api->PyTasklet_Alive(sender.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Alive(receiver.tasklet()), 0);
}

TEST_F(CFramesTest, RemovalInCIsEndedByAnotherTasklet) {
    SPEC("K-24", "K-25");
    run("log = []\n"
        "def sleeper():\n"
        "    c_call(c_schedule, True)\n"
        "    log.append('woken')\n"
        "def waker(t):\n"
        "    log.append('waking')\n"
        "    t.insert()");
    const Ref sleeper = queued_tasklet("sleeper");
    name("t", sleeper);
    const Ref waker = queued_tasklet("waker", "(t,)");
    run_all();
    EXPECT_EQ(text("log"), "['waking', 'woken']");
}

TEST_F(CFramesTest, AKillUnwindsTheCFramesInOrder) {
    SPEC("K-23", "K-24", "E-10");
    const Ref channel = new_channel();
    name("c", channel);
    run("log = []\n"
        "def level(n):\n"
        "    try:\n"
        "        if n: c_call(level, n - 1)\n"
        "        else: c_receive(c)\n"
        "    finally: log.append(n)");
    const Ref tasklet = queued_tasklet("level", "(3,)");
    run_all();
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_EQ(text("log"), "[0, 1, 2, 3]");
}

TEST_F(CFramesTest, ANestedRunInCReturnsToItsCaller) {
    SPEC("K-24", "R-12", "R-13");
    run("log = []\n"
        "def outer():\n"
        "    scheduler.tasklet(log.append)('inner')\n"
        "    c_call(scheduler.run)\n"
        "    log.append('back')\n"
        "    c_schedule()\n"
        "    log.append('end')");
    const Ref tasklet = queued_tasklet("outer");
    run_all();
    EXPECT_EQ(text("log"), "['inner', 'back', 'end']");
}

}  // namespace
}  // namespace capi_test
