// Members 58 to 61: closing and clearing channels, and QueueChannel.
#include "fixture.h"

#include <string>

namespace capi_test {
namespace {

class ClosingTest : public CApiTest {
  protected:
    void SetUp() override {
        CApiTest::SetUp();
        run("log = []\n"
            "def receive(c):\n"
            "    try:\n"
            "        log.append(c.receive())\n"
            "    except BaseException as error:\n"
            "        log.append(type(error).__name__)\n"
            "        raise\n");
    }
    Ref waiting_receiver(const Ref& channel) {
        name("c", channel);
        Ref tasklet = queued_tasklet("receive", "(c,)");
        run_all();
        return tasklet;
    }
    std::string received(const Ref& channel) {
        const Ref value = Ref::steal(api->PyChannel_ReceiveWithTimeout(channel.channel(), 0));
        if (!value) return take_error_and_text();
        return PyUnicode_AsUTF8(Ref::steal(PyObject_Repr(value.get())).get());
    }
};

TEST_F(ClosingTest, WhoWaitsOnAClosingChannelCanStillBeServed) {
    SPEC("K-31", "C-40");
    const Ref channel = new_channel();
    const Ref tasklet = waiting_receiver(channel);
    EXPECT_EQ(api->PyChannel_Close(channel.channel(), 0), 0);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -1);
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_True), 0);
    EXPECT_EQ(text("log, c.closed"), "([True], True)");
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_True), -1);
    EXPECT_EQ(take_error(), "ValueError");
}

TEST_F(ClosingTest, AChannelThatIsClosedWithAWakeEndsTheWaits) {
    SPEC("K-31");
    const Ref channel = new_channel();
    const Ref tasklet = waiting_receiver(channel);
    EXPECT_EQ(api->PyChannel_Close(channel.channel(), 1), 0);
    EXPECT_EQ(text("log"), "[]");  // queued, nobody was run
    EXPECT_EQ(api->PyScheduler_Run(0, SCHEDULER_NO_LIMIT), -1);
    EXPECT_EQ(take_error(), "ChannelClosed");
    EXPECT_EQ(text("log"), "['ChannelClosed']");
    EXPECT_EQ(api->PyChannel_Close(channel.channel(), 1), 0);  // again: no effect
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_EQ(take_error(), "ChannelClosed");
}

TEST_F(ClosingTest, AnotherThreadMayClose) {
    SPEC("K-31", "H-03");
    const Ref channel = new_channel();
    const Ref tasklet = waiting_receiver(channel);
    on_other_thread([&] { EXPECT_EQ(api->PyChannel_Close(channel.channel(), 1), 0); });
    EXPECT_EQ(api->PyScheduler_Run(0, SCHEDULER_NO_LIMIT), -1);
    EXPECT_EQ(take_error(), "ChannelClosed");
}

TEST_F(ClosingTest, AClearedChannelKillsAllWhoWait) {
    SPEC("K-31");
    const Ref channel = new_channel();
    EXPECT_EQ(api->PyChannel_Clear(channel.channel()), 0);  // nobody
    const Ref first = waiting_receiver(channel);
    const Ref second = waiting_receiver(channel);
    run("scheduler.switch_trap(1)");
    EXPECT_EQ(api->PyChannel_Clear(channel.channel()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    run("scheduler.switch_trap(-1)");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), -2);
    EXPECT_EQ(api->PyChannel_Clear(channel.channel()), 0);
    EXPECT_EQ(text("log"), "['TaskletExit', 'TaskletExit']");
    EXPECT_EQ(api->PyTasklet_Alive(first.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Alive(second.tasklet()), 0);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

// ---- QueueChannel ------------------------------------------------------------------------------

class QueueTest : public ClosingTest {
  protected:
    Ref new_queue() { return Ref::steal(api->PyQueueChannel_New(nullptr)); }
};

TEST_F(QueueTest, IsMadeAndTold) {
    SPEC("K-31");
    const Ref queue = new_queue();
    ASSERT_TRUE(queue);
    EXPECT_EQ(reinterpret_cast<PyObject*>(Py_TYPE(queue.get())),
              eval("scheduler.QueueChannel").get());
    EXPECT_EQ(api->PyQueueChannel_Check(queue.get()), 1);
    EXPECT_EQ(api->PyChannel_Check(queue.get()), 1);
    run("class Own(scheduler.QueueChannel): pass\n"
        "class Other(scheduler.channel): _items = []");
    const Ref own = Ref::steal(api->PyQueueChannel_New(eval("Own").type()));
    EXPECT_EQ(api->PyQueueChannel_Check(own.get()), 1);
    EXPECT_EQ(api->PyQueueChannel_Check(nullptr), 0);
    for (const char* other : {"None", "3", "scheduler.channel()", "scheduler.buffered(2)",
                              "scheduler.QueueChannel", "Other()"}) {
        EXPECT_EQ(api->PyQueueChannel_Check(eval(other).get()), 0) << other;
    }
    for (const char* bad : {"None", "3", "int", "scheduler.channel", "scheduler.tasklet"}) {
        EXPECT_EQ(api->PyQueueChannel_New(eval(bad).type()), nullptr) << bad;
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
}

TEST_F(QueueTest, WhatIsSentIsQueuedAndReceivedInOrder) {
    SPEC("K-31");
    const Ref queue = new_queue();
    PyChannelObject* const channel = queue.channel();
    const Ref value = eval("object()");
    EXPECT_EQ(api->PyChannel_Send(channel, value.get()), 0);
    EXPECT_EQ(value.count(), 2);
    EXPECT_EQ(api->PyChannel_SendWithTimeout(channel, Py_True, 1), 0);
    EXPECT_EQ(api->PyChannel_SendException(channel, PyExc_KeyError, eval("(7,)").get()), 0);
    const Ref error = eval("ValueError('late')");
    EXPECT_EQ(api->PyChannel_SendThrow(channel, error.get(), nullptr, nullptr), 0);
    EXPECT_EQ(api->PyChannel_GetBalance(channel), 4);
    name("queue", queue);
    EXPECT_EQ(text("len(queue), queue.balance"), "(4, 4)");
    EXPECT_EQ(Ref::steal(api->PyChannel_Receive(channel)).get(), value.get());
    EXPECT_EQ(value.count(), 1);
    EXPECT_EQ(received(queue), "True");
    EXPECT_EQ(received(queue), "KeyError: 7");
    EXPECT_EQ(received(queue), "ValueError: late");
    EXPECT_EQ(received(queue).rfind("TimeoutError", 0), 0U);
    EXPECT_EQ(api->PyChannel_GetBalance(channel), 0);
}

TEST_F(QueueTest, AReceiverThatWaitsIsServed) {
    SPEC("K-31");
    const Ref queue = new_queue();
    const Ref tasklet = waiting_receiver(queue);
    EXPECT_EQ(api->PyChannel_GetBalance(queue.channel()), -1);
    EXPECT_EQ(api->PyChannel_Send(queue.channel(), Py_True), 0);
    run_all();
    EXPECT_EQ(text("log"), "[True]");
    // One that waits in C.
    name("c", queue);
    run("def from_c(): log.append(c_receive_for(c, 60))");
    const Ref other = queued_tasklet("from_c");
    run_all();
    on_other_thread([&] { EXPECT_EQ(api->PyChannel_Send(queue.channel(), Py_False), 0); });
    run_all();
    EXPECT_EQ(text("log"), "[True, False]");
}

TEST_F(QueueTest, RefusesWhatAChannelRefuses) {
    SPEC("K-31", "K-07", "K-08");
    const Ref queue = new_queue();
    EXPECT_EQ(api->PyChannel_Send(queue.channel(), nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyChannel_SendException(queue.channel(), Py_None, nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyChannel_SendWithTimeout(queue.channel(), Py_None, -1), -1);
    EXPECT_EQ(take_error(), "ValueError");
    EXPECT_EQ(api->PyChannel_Send(queue.channel(), Py_True), 0);
    EXPECT_EQ(api->PyChannel_Close(queue.channel(), 1), 0);
    EXPECT_EQ(api->PyChannel_Send(queue.channel(), Py_True), -1);
    EXPECT_EQ(take_error(), "ChannelClosed");
    EXPECT_EQ(received(queue), "True");  // was queued before
    EXPECT_EQ(received(queue).rfind("ChannelClosed", 0), 0U);
}

TEST_F(QueueTest, AChannelWithItemsOfItsOwnIsNoQueue) {
    SPEC("K-31");
    run("class Other(scheduler.channel):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self._items = []\n");
    const Ref channel = eval("Other()");
    EXPECT_EQ(api->PyChannel_SendWithTimeout(channel.channel(), Py_True, 0), -1);
    EXPECT_EQ(take_error(), "TimeoutError");
    name("c", channel);
    EXPECT_EQ(text("c._items"), "[]");
}

}  // namespace
}  // namespace capi_test
