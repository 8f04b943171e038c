// Members 40 to 43: sleeping, and transfers with a time-out.
#include "fixture.h"

#include <cfloat>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace capi_test {
namespace {

constexpr double kSoon = 0.02;
constexpr double kLate = 30;

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// One of the functions that wait, with a channel on which nobody waits; true if it failed.
struct Wait {
    const char* member;
    bool (*fails)(SchedulerCAPI& api, PyChannelObject* channel, double seconds);
};

bool select_fails(SchedulerCAPI& api, PyChannelObject* channel, double seconds, int kind) {
    const SchedulerCase one = {kind, reinterpret_cast<PyObject*>(channel), Py_None};
    return api.PyScheduler_Select(&one, 1, seconds, 0, nullptr) == -1;
}

const Wait kSleep = {"Sleep", [](SchedulerCAPI& api, PyChannelObject*, double seconds) {
                         return api.PyScheduler_Sleep(seconds) == -1;
                     }};
// Those that need a partner.
const Wait kTransfers[] = {
    {"Send",
     [](SchedulerCAPI& api, PyChannelObject* channel, double seconds) {
         return api.PyChannel_SendWithTimeout(channel, Py_None, seconds) == -1;
     }},
    {"Receive",
     [](SchedulerCAPI& api, PyChannelObject* channel, double seconds) {
         return api.PyChannel_ReceiveWithTimeout(channel, seconds) == nullptr;
     }},
    {"SendException",
     [](SchedulerCAPI& api, PyChannelObject* channel, double seconds) {
         return api.PyChannel_SendExceptionWithTimeout(channel, PyExc_KeyError, nullptr, seconds) ==
                -1;
     }},
    {"SelectToReceive",
     [](SchedulerCAPI& api, PyChannelObject* channel, double seconds) {
         return select_fails(api, channel, seconds, SCHEDULER_CASE_RECEIVE);
     }},
    {"SelectToSend",
     [](SchedulerCAPI& api, PyChannelObject* channel, double seconds) {
         return select_fails(api, channel, seconds, SCHEDULER_CASE_SEND);
     }},
};

std::vector<Wait> all_waits() {
    std::vector<Wait> all(std::begin(kTransfers), std::end(kTransfers));
    all.push_back(kSleep);
    return all;
}

class WaitsTest : public CApiTest {
  protected:
    void expect_error(const Wait& wait, const Ref& channel, double seconds, const char* error) {
        EXPECT_TRUE(wait.fails(*api, channel.channel(), seconds)) << wait.member << seconds;
        EXPECT_EQ(take_error(), error) << wait.member << " " << seconds;
    }
};

// ---- each of them ------------------------------------------------------------------------------

class EachWaitTest : public WaitsTest, public ::testing::WithParamInterface<Wait> {};
class EachTransferTest : public EachWaitTest {};
const auto kWaitName = [](const auto& test) { return std::string(test.param.member); };
INSTANTIATE_TEST_SUITE_P(Member, EachWaitTest, ::testing::ValuesIn(all_waits()), kWaitName);
INSTANTIATE_TEST_SUITE_P(Member, EachTransferTest, ::testing::ValuesIn(kTransfers), kWaitName);

TEST_P(EachWaitTest, ATimeThatMakesNoSenseIsRefusedBeforeAnythingHappens) {
    SPEC("K-29", "DEC-12");
    run("log = []");
    const Ref channel = new_channel();
    queued_tasklet("log.append", "(1,)");
    for (const double seconds : {-1.0, -1e-9, -DBL_MAX, -HUGE_VAL, std::nan("")}) {
        expect_error(GetParam(), channel, seconds, "ValueError");
    }
    EXPECT_EQ(text("log"), "[]");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    run_all();
}

TEST_P(EachTransferTest, WhenNobodyComesItTimesOutAndNothingRemains) {
    SPEC("K-29", "DEC-12", "DEC-10");
    const Ref channel = new_channel();
    const double begin = now();
    expect_error(GetParam(), channel, kSoon, "TimeoutError");
    EXPECT_GE(now() - begin, kSoon);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    EXPECT_EQ(channel.count(), 1);
}

TEST_P(EachTransferTest, ZeroTriesOnceAlsoWhereWaitingIsForbidden) {
    SPEC("K-29", "DEC-12", "X-03");
    const Ref channel = new_channel();
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    expect_error(GetParam(), channel, 0, "TimeoutError");
    api->PyTasklet_SetBlockTrap(main.tasklet(), 1);
    run("scheduler.switch_trap(1)");
    expect_error(GetParam(), channel, 0, "TimeoutError");
    run("scheduler.switch_trap(-1)");
    api->PyTasklet_SetBlockTrap(main.tasklet(), 0);
}

TEST_P(EachWaitTest, ATrapForbidsToWait) {
    SPEC("K-29", "DEC-12");
    const Ref channel = new_channel();
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    api->PyTasklet_SetBlockTrap(main.tasklet(), 1);
    expect_error(GetParam(), channel, kLate, "RuntimeError");
    api->PyTasklet_SetBlockTrap(main.tasklet(), 0);
    run("scheduler.switch_trap(1)");
    expect_error(GetParam(), channel, kLate, "RuntimeError");
    run("scheduler.switch_trap(-1)");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_P(EachTransferTest, AClosedChannelIsRefused) {
    SPEC("K-29", "C-40");
    const Ref channel = new_channel();
    name("c", channel);
    run("c.close()");
    for (const double seconds : {0.0, kLate, SCHEDULER_NO_LIMIT}) {
        expect_error(GetParam(), channel, seconds, "ValueError");
    }
}

TEST_P(EachTransferTest, MainGetsADeadlockErrorOnlyWithoutALimit) {
    SPEC("K-29", "R-03");
    expect_error(GetParam(), new_channel(), SCHEDULER_NO_LIMIT, "RuntimeError");
}

// What each function gave inside a schedule hook.
const Wait* in_hook = nullptr;
PyChannelObject* hook_channel = nullptr;
std::vector<std::string> hook_errors;

int wait_in_hook(PyTaskletObject*, PyTaskletObject*) {
    hook_errors.push_back(in_hook->fails(table(), hook_channel, kLate) ? take_error_and_text()
                                                                       : "none");
    return 0;
}

TEST_P(EachWaitTest, ItIsRefusedInAScheduleHook) {
    SPEC("K-29", "B-02");
    const Ref channel = new_channel();
    in_hook = &GetParam();
    hook_channel = channel.channel();
    hook_errors.clear();
    api->PyScheduler_SetScheduleFastCallback(wait_in_hook);
    queued_tasklet("len", "([],)");
    run_all();
    api->PyScheduler_SetScheduleFastCallback(nullptr);
    ASSERT_EQ(hook_errors.size(), 2U);
    for (const std::string& error : hook_errors) {
        EXPECT_EQ(error.rfind("RuntimeError: ", 0), 0U) << error;
        EXPECT_NE(error.find("callback"), std::string::npos) << error;
    }
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_P(EachWaitTest, AThreadThatPythonDoesNotKnowMayCall) {
    SPEC("K-29", "K-06");
    const Ref channel = new_channel();
    bool sleeps = false, fails = false, refuses = false;
    on_other_thread([&, wait = GetParam()] {
        fails = wait.fails(*api, channel.channel(), kSoon);
        refuses = wait.fails(*api, channel.channel(), -1);
        sleeps = api->PyScheduler_Sleep(kSoon) == 0;
    });
    EXPECT_EQ(fails, GetParam().member != kSleep.member);
    EXPECT_TRUE(refuses);
    EXPECT_TRUE(sleeps);
    EXPECT_EQ(take_error(), "");
}

// ---- sleep -------------------------------------------------------------------------------------

TEST_F(WaitsTest, OthersRunWhileMainSleeps) {
    SPEC("K-29", "DEC-12");
    run("log = []");
    queued_tasklet("log.append", "(1,)");
    const double begin = now();
    EXPECT_EQ(api->PyScheduler_Sleep(kSoon), 0);
    EXPECT_GE(now() - begin, kSoon);
    EXPECT_EQ(text("log"), "[1]");
}

TEST_F(WaitsTest, TheShorterSleepEndsFirst) {
    SPEC("K-29", "K-24");
    run("log = []\n"
        "def nap(seconds):\n"
        "    c_sleep(seconds)\n"
        "    log.append(seconds)");
    queued_tasklet("nap", "(0.03,)");
    queued_tasklet("nap", "(0.01,)");
    run("scheduler.run(threadblock=True)");
    EXPECT_EQ(text("log"), "[0.01, 0.03]");
}

TEST_F(WaitsTest, ToSleepForNoTimeGivesWay) {
    SPEC("K-29", "DEC-12");
    run("log = []");
    queued_tasklet("log.append", "(1,)");
    EXPECT_EQ(api->PyScheduler_Sleep(0), 0);
    EXPECT_EQ(text("log"), "[1]");
}

TEST_F(WaitsTest, AChannelCallbackMaySleep) {
    SPEC("K-29", "B-01");
    const Ref channel = new_channel();
    name("c", channel);
    run("log = []\n"
        "def note(*arguments):\n"
        "    scheduler.set_channel_callback(None)\n"
        "    c_sleep(0.01)\n"
        "    log.append('slept')");
    queued_tasklet("log.append", "('others ran',)");
    EXPECT_EQ(api->PyScheduler_SetChannelCallback(eval("note").get()), 0);
    EXPECT_EQ(api->PyChannel_ReceiveWithTimeout(channel.channel(), 0), nullptr);
    EXPECT_EQ(take_error(), "TimeoutError");
    EXPECT_EQ(text("log"), "['others ran', 'slept']");
}

// ---- transfers ---------------------------------------------------------------------------------

TEST_F(WaitsTest, APartnerThatIsThereIsServedWhateverTheTime) {
    SPEC("K-29", "DEC-12");
    const Ref channel = new_channel();
    name("c", channel);
    run("got = []\n"
        "def take(c): got.append(c.receive())");
    for (const double seconds : {0.0, 1e-300, kLate, 1e18, DBL_MAX, SCHEDULER_NO_LIMIT}) {
        const Ref sender = queued_tasklet("c.send", "(7,)");
        run_all();
        const Ref value = Ref::steal(api->PyChannel_ReceiveWithTimeout(channel.channel(), seconds));
        EXPECT_EQ(value.get(), eval("7").get()) << seconds << take_error_and_text();
        const Ref receiver = queued_tasklet("take", "(c,)");
        run_all();
        EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), value.get(), seconds), 0);
        run_all();
    }
    EXPECT_EQ(text("got"), "[7, 7, 7, 7, 7, 7]");
}

TEST_F(WaitsTest, APartnerThatComesInTimeEndsTheWait) {
    SPEC("K-29", "DEC-12", "K-24");
    const Ref channel = new_channel();
    name("c", channel);
    run("got = []\n"
        "def take(c): got.append(c_receive_for(c, 30))");
    queued_tasklet("c_send_for", "(c, 'in', 30)");
    const Ref value = Ref::steal(api->PyChannel_ReceiveWithTimeout(channel.channel(), kLate));
    ASSERT_TRUE(value) << take_error_and_text();
    EXPECT_STREQ(PyUnicode_AsUTF8(value.get()), "in");
    queued_tasklet("take", "(c,)");
    EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), eval("'out'").get(), kLate), 0);
    run_all();
    EXPECT_EQ(text("got"), "['out']");
}

TEST_F(WaitsTest, TheErrorNamesTheOperationTheChannelAndTheSeconds) {
    SPEC("K-29", "DEC-12");
    const Ref channel = new_channel();
    name("c", channel);
    run("text = 'TimeoutError: receive() on ' + repr(c) + ': '");
    EXPECT_EQ(api->PyChannel_ReceiveWithTimeout(channel.channel(), kSoon), nullptr);
    name("soon", Ref::steal(PyUnicode_FromString(take_error_and_text().c_str())));
    EXPECT_EQ(text("soon == text + 'nobody came within 0.02 seconds' or soon"), "True");
    EXPECT_EQ(api->PyChannel_ReceiveWithTimeout(channel.channel(), 0), nullptr);
    name("zero", Ref::steal(PyUnicode_FromString(take_error_and_text().c_str())));
    EXPECT_EQ(text("zero == text + 'it would have had to wait' or zero"), "True");
}

TEST_F(WaitsTest, WhatWasNotSentIsNotKept) {
    SPEC("K-29", "G-09");
    const Ref channel = new_channel();
    const Ref value = eval("object()");
    for (const double seconds : {0.0, kSoon, -1.0, SCHEDULER_NO_LIMIT}) {
        EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), value.get(), seconds), -1);
        EXPECT_NE(take_error(), "") << seconds;
        EXPECT_EQ(value.count(), 1) << seconds;
    }
    const Ref error = eval("KeyError(1)");
    for (const double seconds : {0.0, kSoon, -1.0}) {
        EXPECT_EQ(api->PyChannel_SendExceptionWithTimeout(channel.channel(), error.get(), nullptr,
                                                          seconds),
                  -1);
        EXPECT_NE(take_error(), "") << seconds;
        EXPECT_EQ(error.count(), 1) << seconds;
    }
}

TEST_F(WaitsTest, ASentValueIsNotNull) {
    SPEC("K-29", "K-07");
    const Ref channel = new_channel();
    EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), nullptr, kLate), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyChannel_SendExceptionWithTimeout(channel.channel(), nullptr, nullptr, kLate),
              -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyChannel_SendExceptionWithTimeout(channel.channel(), Py_None, nullptr, kLate),
              -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_F(WaitsTest, AnExceptionIsRaisedInTheReceiver) {
    SPEC("K-29", "C-30");
    const Ref channel = new_channel();
    name("c", channel);
    run("log = []\n"
        "def take(c):\n"
        "    try: c_receive_for(c, 30)\n"
        "    except KeyError as error: log.append(error.args)");
    queued_tasklet("take", "(c,)");
    EXPECT_EQ(api->PyChannel_SendExceptionWithTimeout(channel.channel(), PyExc_KeyError,
                                                      eval("(1, 2)").get(), kLate),
              0);
    run_all();
    EXPECT_EQ(text("log"), "[(1, 2)]");
}

// Served, but it has its next turn only when the time is over.
TEST_F(WaitsTest, AWaitThatWasServedInTimeSucceeds) {
    SPEC("K-29", "DEC-10", "DEC-12");
    const Ref channel = new_channel();
    name("c", channel);
    api->PyChannel_SetPreference(channel.channel(), 1);
    run("got = []\n"
        "def take(c): got.append(c_receive_for(c, 0.01))");
    const Ref receiver = queued_tasklet("take", "(c,)");
    run_all();
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_True), 0);
    for (const double begin = now(); now() - begin < 2 * kSoon;) {
    }
    run_all();
    EXPECT_EQ(text("got"), "[True]");
}

TEST_F(WaitsTest, OneThatWaitsInCIsKilled) {
    SPEC("K-29", "K-23", "DEC-12");
    const Ref channel = new_channel();
    name("c", channel);
    for (const char* wait :
         {"c_sleep(1e9)", "c_sleep(float('inf'))", "c_receive_for(c, 30)", "c_send_for(c, 1, 30)",
          "c_select(c, c, 30)", "c_select(c, c, 30, 1)", "c_receive_for(c, float('inf'))"}) {
        run("log = []\n"
            "def work():\n"
            "    try: " +
            std::string(wait) +
            "\n"
            "    except scheduler.TaskletExit: log.append('exit'); raise");
        const Ref tasklet = queued_tasklet("work");
        run_all();
        EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1) << wait;
        EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
        EXPECT_EQ(take_error(), "") << wait;
        EXPECT_EQ(text("log"), "['exit']") << wait;
        EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0) << wait;
    }
}

TEST_F(WaitsTest, APartnerOfAnotherThreadIsServed) {
    SPEC("K-29", "K-06", "DEC-12");
    const Ref channel = new_channel();
    const Ref sent = eval("object()");
    int result = -1;
    std::thread sender(
        [&] { result = api->PyChannel_SendWithTimeout(channel.channel(), sent.get(), kLate); });
    Ref value = Ref::steal(api->PyChannel_ReceiveWithTimeout(channel.channel(), kLate));
    detached([&] { sender.join(); });
    EXPECT_EQ(value.get(), sent.get()) << take_error_and_text();
    EXPECT_EQ(result, 0);
    value.reset();

    PyObject* received = nullptr;
    std::thread receiver(
        [&] { received = api->PyChannel_ReceiveWithTimeout(channel.channel(), kLate); });
    EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), sent.get(), kLate), 0)
        << take_error_and_text();
    detached([&] { receiver.join(); });
    EXPECT_EQ(Ref::steal(received).get(), sent.get());
}

}  // namespace
}  // namespace capi_test
