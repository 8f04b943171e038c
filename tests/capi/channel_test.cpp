// Members 9 to 17: channels, but for the sending of exceptions.
#include "fixture.h"

#include <climits>
#include <utility>

namespace capi_test {
namespace {

class ChannelTest : public CApiTest {};

TEST_F(ChannelTest, NewCallsTheType) {
    SPEC("K-07", "K-21");
    run("class Derived(scheduler.channel): pass");
    const Ref derived = eval("Derived");
    const Ref plain = Ref::steal(api->PyChannel_New(api->PyChannelType));
    const Ref by_null = Ref::steal(api->PyChannel_New(nullptr));
    const Ref subclass = Ref::steal(api->PyChannel_New(derived.type()));
    ASSERT_TRUE(plain && by_null && subclass);
    EXPECT_EQ(Py_TYPE(plain.get()), api->PyChannelType);
    EXPECT_EQ(Py_TYPE(by_null.get()), api->PyChannelType);
    EXPECT_EQ(Py_TYPE(subclass.get()), derived.type());
    EXPECT_EQ(plain.count(), 1);
}

TEST_F(ChannelTest, NewPassesOnWhatTheConstructorRaises) {
    SPEC("K-08");
    run("class Failing(scheduler.channel):\n"
        "    def __init__(self): raise KeyError('no')");
    EXPECT_EQ(api->PyChannel_New(eval("Failing").type()), nullptr);
    EXPECT_EQ(take_error(), "KeyError");
}

TEST_F(ChannelTest, SendServesAWaitingReceiver) {
    SPEC("C-10", "C-14", "K-08");
    run("def take(c): global got; got = c.receive()");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref receiver = queued_tasklet("take", "(c,)");
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -1);
    const Ref value = eval("[1, 2]");
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), value.get()), 0);
    EXPECT_EQ(text("got"), "[1, 2]");  // preference -1: the receiver went first
    EXPECT_EQ(eval("got").get(), value.get());
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_F(ChannelTest, ReceiveServesAWaitingSender) {
    SPEC("C-11", "C-14", "K-08");
    const Ref channel = new_channel();
    name("c", channel);
    name("v", eval("object()"));
    const Ref sender = queued_tasklet("c_send", "(c, v)");
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 1);
    const Ref value = Ref::steal(api->PyChannel_Receive(channel.channel()));
    EXPECT_EQ(value.get(), eval("v").get());
    run_all();
    run("del v");
    EXPECT_EQ(value.count(), 1);
}

TEST_F(ChannelTest, AnyObjectTravelsAsItIs) {
    SPEC("C-14");
    const Ref channel = new_channel();
    name("c", channel);
    for (const char* expression :
         {"None", "ValueError('not raised')", "scheduler.TaskletExit", "c"}) {
        name("v", eval(expression));
        const Ref sender = queued_tasklet("c_send", "(c, v)");
        run_all();
        const Ref value = Ref::steal(api->PyChannel_Receive(channel.channel()));
        EXPECT_EQ(value.get(), eval("v").get()) << expression << take_error_and_text();
        run_all();
    }
}

TEST_F(ChannelTest, MainGetsADeadlockErrorWithNothingToRun) {
    SPEC("R-03", "K-08", "P-16");
    const Ref channel = new_channel();
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_EQ(take_error_and_text().rfind("RuntimeError: Deadlock", 0), 0U);
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_True), -1);
    EXPECT_EQ(take_error_and_text().rfind("RuntimeError: Deadlock", 0), 0U);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_F(ChannelTest, AClosingChannelRefusesToLetWait) {
    SPEC("C-40", "K-08");
    const Ref channel = new_channel();
    name("c", channel);
    run("c.close()");
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_None), -1);
    EXPECT_EQ(take_error(), "ValueError");
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_EQ(take_error(), "ValueError");
}

TEST_F(ChannelTest, AFailedSendKeepsNoReferenceToTheValue) {
    SPEC("G-09", "K-07");
    const Ref channel = new_channel();
    const Ref value = eval("object()");
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), value.get()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(value.count(), 1);
}

TEST_F(ChannelTest, TheQueueIsTheHeadOfTheLine) {
    SPEC("C-03", "K-07", "18-19");
    const Ref channel = new_channel();
    name("c", channel);
    EXPECT_EQ(api->PyChannel_GetQueue(channel.channel()), nullptr);
    EXPECT_EQ(take_error(), "");  // nobody: NULL without an error
    const Ref first = queued_tasklet("c_send", "(c, 1)");
    const Ref second = queued_tasklet("c_send", "(c, 2)");
    run_all();
    const Py_ssize_t before = first.count();
    Ref head = Ref::steal(api->PyChannel_GetQueue(channel.channel()));
    EXPECT_EQ(head.get(), first.get());
    EXPECT_EQ(first.count(), before + 1);
    head.reset();
    run("c.receive()");
    EXPECT_EQ(Ref::steal(api->PyChannel_GetQueue(channel.channel())).get(), second.get());
    run("c.receive()");
    run_all();
    EXPECT_EQ(api->PyChannel_GetQueue(channel.channel()), nullptr);
}

TEST_F(ChannelTest, ThePreferenceIsClamped) {
    SPEC("C-04", "D-37");
    const Ref channel = new_channel();
    name("c", channel);
    EXPECT_EQ(api->PyChannel_GetPreference(channel.channel()), -1);
    EXPECT_EQ(take_error(), "");
    const std::pair<int, int> set_and_got[] = {{0, 0},   {1, 1},    {-1, -1},      {2, 1},
                                               {-2, -1}, {1000, 1}, {INT_MIN, -1}, {INT_MAX, 1}};
    for (const auto& [set, got] : set_and_got) {
        api->PyChannel_SetPreference(channel.channel(), set);
        EXPECT_EQ(api->PyChannel_GetPreference(channel.channel()), got) << set;
        EXPECT_EQ(text("c.preference"), std::to_string(got));
    }
}

TEST_F(ChannelTest, ThePreferenceSaysWhoGoesFirst) {
    SPEC("C-20");
    run("def sender(c):\n"
        "    c_send(c, None)\n"
        "    log.append('s')\n"
        "def receiver(c):\n"
        "    c_receive(c)\n"
        "    log.append('r')");
    const Ref channel = new_channel();
    name("c", channel);
    for (const auto& [preference, order] :
         {std::pair(-1, "['r', 's']"), std::pair(0, "['s', 'r']"), std::pair(1, "['s', 'r']")}) {
        api->PyChannel_SetPreference(channel.channel(), preference);
        run("log = []");
        const Ref receiver = queued_tasklet("receiver", "(c,)");
        const Ref sender = queued_tasklet("sender", "(c,)");
        run_all();
        EXPECT_EQ(text("log"), order) << preference;
    }
}

TEST_F(ChannelTest, TheBalanceCountsTheWaiting) {
    SPEC("C-02");
    const Ref channel = new_channel();
    name("c", channel);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    const Ref receivers[] = {queued_tasklet("c.receive"), queued_tasklet("c.receive")};
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -2);
    run("c.clear()");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    const Ref sender = queued_tasklet("c.send", "(None,)");
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 1);
    run("c.clear()");
}

TEST_F(ChannelTest, CheckTellsChannelsFromOthers) {
    SPEC("K-03", "K-07");
    EXPECT_EQ(api->PyChannel_Check(new_channel().get()), 1);
    EXPECT_EQ(api->PyChannel_Check(eval("scheduler.QueueChannel()").get()), 1);
    EXPECT_EQ(api->PyChannel_Check(eval("scheduler.channel").get()), 0);
    EXPECT_EQ(api->PyChannel_Check(new_tasklet("len").get()), 0);
    EXPECT_EQ(api->PyChannel_Check(Py_None), 0);
    EXPECT_EQ(api->PyChannel_Check(nullptr), 0);
    EXPECT_EQ(take_error(), "");
}

}  // namespace
}  // namespace capi_test
