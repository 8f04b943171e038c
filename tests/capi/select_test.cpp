// Member 44: waiting for the first of several things. What it has in common with other waits is in
// waits_test.cpp, wrong objects are in bad_arguments_test.cpp.
#include "fixture.h"

#include <array>
#include <climits>
#include <initializer_list>
#include <string>
#include <vector>

namespace capi_test {
namespace {

constexpr double kSoon = 0.02;
constexpr double kLate = 30;

SchedulerCase receiving(const Ref& channel) {
    return {SCHEDULER_CASE_RECEIVE, channel.get(), nullptr};
}
SchedulerCase sending(const Ref& channel, PyObject* value) {
    return {SCHEDULER_CASE_SEND, channel.get(), value};
}
SchedulerCase joining(const Ref& tasklet) { return {SCHEDULER_CASE_JOIN, tasklet.get(), nullptr}; }
SchedulerCase awaiting(const Ref& event) { return {SCHEDULER_CASE_EVENT, event.get(), nullptr}; }

class SelectTest : public CApiTest {
  protected:
    void SetUp() override {
        CApiTest::SetUp();
        left = new_channel();
        right = new_channel();
        name("left", left);
        name("right", right);
    }
    void TearDown() override {
        EXPECT_EQ(api->PyChannel_GetBalance(left.channel()), 0);
        EXPECT_EQ(api->PyChannel_GetBalance(right.channel()), 0);
        left.reset();
        right.reset();
        CApiTest::TearDown();
    }

    // The index of the case that was done, and in `value` what it brought.
    Py_ssize_t select(std::initializer_list<SchedulerCase> cases, double seconds = kLate,
                      int ordered = 0) {
        PyObject* brought = Py_None;
        const Py_ssize_t index = api->PyScheduler_Select(
            std::data(cases), static_cast<Py_ssize_t>(cases.size()), seconds, ordered, &brought);
        EXPECT_EQ(index == -1, brought == nullptr);
        EXPECT_EQ(index == -1, PyErr_Occurred() != nullptr);
        value = Ref::steal(brought);
        return index;
    }
    void expect_refusal(std::initializer_list<SchedulerCase> cases, const char* error,
                        double seconds = kLate) {
        EXPECT_EQ(select(cases, seconds), -1);
        EXPECT_EQ(take_error(), error);
    }

    Ref left, right, value;
};

TEST_F(SelectTest, ReceivesFromTheChannelWhereSomebodySends) {
    SPEC("K-29");
    name("v", eval("object()"));
    queued_tasklet("right.send", "(v,)");
    run_all();
    EXPECT_EQ(select({receiving(left), receiving(right)}), 1);
    EXPECT_EQ(value.get(), eval("v").get());
    run_all();
    run("del v");
    EXPECT_EQ(value.count(), 1);
}

TEST_F(SelectTest, SendsToTheChannelWhereSomebodyReceives) {
    SPEC("K-29");
    run("got = []\n"
        "def take(c): got.append(c.receive())");
    queued_tasklet("take", "(right,)");
    run_all();
    const Ref one = eval("object()");
    const Ref two = eval("object()");
    EXPECT_EQ(select({sending(left, one.get()), sending(right, two.get())}), 1);
    EXPECT_EQ(value.get(), Py_None);
    run_all();
    EXPECT_EQ(eval("got[0]").get(), two.get());
    run("del got");
    EXPECT_EQ(one.count(), 1);
    EXPECT_EQ(two.count(), 1);
}

TEST_F(SelectTest, JoinsATaskletThatIsDeadAndOneThatEndsMeanwhile) {
    SPEC("K-29");
    const Ref ends = queued_tasklet("len", "([],)");
    EXPECT_EQ(select({receiving(left), joining(ends)}), 1);
    EXPECT_EQ(value.get(), Py_None);
    EXPECT_EQ(api->PyTasklet_Alive(ends.tasklet()), 0);
    EXPECT_EQ(select({receiving(left), joining(ends)}, 0), 1);
    EXPECT_EQ(value.get(), Py_None);
    EXPECT_EQ(ends.count(), 1);
}

TEST_F(SelectTest, AwaitsAnEventThatIsSetAndOneThatIsSetMeanwhile) {
    SPEC("K-29");
    const Ref event = eval("__import__('scheduler.sync').sync.Event()");
    name("event", event);
    expect_refusal({receiving(left), awaiting(event)}, "TimeoutError", 0);
    queued_tasklet("event.set", "()");
    EXPECT_EQ(select({receiving(left), awaiting(event)}), 1);
    EXPECT_EQ(value.get(), Py_None);
    EXPECT_EQ(select({receiving(left), awaiting(event)}, 0), 1);
    run("del event");
    EXPECT_EQ(event.count(), 1);
}

TEST_F(SelectTest, ABufferedChannelTakesAndGivesWithoutAPartner) {
    SPEC("K-29");
    const Ref buffer = eval("scheduler.buffered(1)");
    const Ref sent = eval("object()");
    expect_refusal({receiving(left), receiving(buffer)}, "TimeoutError", 0);
    EXPECT_EQ(select({receiving(left), sending(buffer, sent.get())}), 1);
    expect_refusal({receiving(left), sending(buffer, sent.get())}, "TimeoutError", 0);
    EXPECT_EQ(sent.count(), 2);
    EXPECT_EQ(select({receiving(left), receiving(buffer)}), 1);
    EXPECT_EQ(value.get(), sent.get());
    expect_refusal({receiving(left), receiving(buffer)}, "TimeoutError", kSoon);
}

TEST_F(SelectTest, WaitsForTheFirstAndLeavesTheOthers) {
    SPEC("K-29", "K-24");
    run("got = []\n"
        "def work(): got.append(c_select(left, right, 30))");
    queued_tasklet("work");
    run_all();
    EXPECT_EQ(api->PyChannel_GetBalance(left.channel()), -1);
    EXPECT_EQ(api->PyChannel_GetBalance(right.channel()), -1);
    EXPECT_EQ(api->PyChannel_Send(right.channel(), Py_True), 0);
    run_all();
    EXPECT_EQ(text("got"), "[(1, True)]");
}

TEST_F(SelectTest, APartnerOfAnotherThreadIsServed) {
    SPEC("K-29", "K-06");
    int result = -1;
    std::thread sender(
        [&] { result = api->PyChannel_SendWithTimeout(right.channel(), Py_True, kLate); });
    EXPECT_EQ(select({receiving(left), receiving(right)}), 1);
    EXPECT_EQ(value.get(), Py_True);
    detached([&] { sender.join(); });
    EXPECT_EQ(result, 0);
}

TEST_F(SelectTest, TheArrayIsReadBeforeItWaits) {
    SPEC("K-29");
    static SchedulerCase cases[2];
    cases[0] = receiving(left);
    cases[1] = receiving(right);
    static const auto spoil = [](PyObject*, PyObject*) -> PyObject* {
        std::fill(std::begin(cases), std::end(cases), SchedulerCase{});
        Py_RETURN_NONE;
    };
    PyMethodDef method = {"spoil", spoil, METH_NOARGS, nullptr};
    name("spoil", Ref::steal(PyCFunction_New(&method, nullptr)));
    run("def work():\n"
        "    spoil()\n"
        "    right.send(1)");
    queued_tasklet("work");
    EXPECT_EQ(api->PyScheduler_Select(cases, 2, kLate, 0, nullptr), 1) << take_error_and_text();
    run_all();
    run("del spoil");
}

TEST_F(SelectTest, WhatItBringsMayBeDropped) {
    SPEC("K-29", "K-07");
    const Ref sent = eval("object()");
    name("v", sent);
    queued_tasklet("left.send", "(v,)");
    run("del v");
    const SchedulerCase one = receiving(left);
    EXPECT_EQ(api->PyScheduler_Select(&one, 1, kLate, 0, nullptr), 0);
    run_all();
    EXPECT_EQ(sent.count(), 1);
}

TEST_F(SelectTest, OrderedTakesTheFirstAndElseNoCaseStarves) {
    SPEC("K-29");
    run("def keep_sending(c):\n"
        "    while True: c.send(None)");
    queued_tasklet("keep_sending", "(left,)");
    queued_tasklet("keep_sending", "(right,)");
    run_all();
    for (const int ordered : {1, -1, INT_MAX}) {
        EXPECT_EQ(select({receiving(left), receiving(right)}, 0, ordered), 0);
        EXPECT_EQ(select({receiving(right), receiving(left)}, 0, ordered), 0);
        run_all();
    }
    std::array<int, 2> taken{};
    for (int i = 0; i < 4; ++i) {
        ++taken.at(static_cast<std::size_t>(select({receiving(left), receiving(right)}, 0)));
        run_all();
    }
    EXPECT_EQ(taken, (std::array{2, 2}));
    run("left.clear(), right.clear()");
}

TEST_F(SelectTest, TheErrorOfATimeOutTellsHowManyCases) {
    SPEC("K-29", "DEC-12");
    EXPECT_EQ(select({receiving(left), sending(right, Py_None)}, kSoon), -1);
    EXPECT_EQ(take_error_and_text(),
              "TimeoutError: select() on 2 cases: nobody came within 0.02 seconds");
}

TEST_F(SelectTest, AChannelMayBeInSeveralCasesButNobodyMeetsHimself) {
    SPEC("K-29");
    expect_refusal({receiving(left), sending(left, Py_None), receiving(left)}, "TimeoutError", 0);
    expect_refusal({receiving(left), sending(left, Py_None)}, "TimeoutError", kSoon);
    queued_tasklet("left.send", "(1,)");
    EXPECT_EQ(select({sending(left, Py_None), receiving(left)}), 1);
    run_all();
}

TEST_F(SelectTest, AnExceptionThatWasSentComesOut) {
    SPEC("K-29", "C-30");
    queued_tasklet("left.send_exception", "(KeyError, 1)");
    run_all();
    expect_refusal({receiving(left), receiving(right)}, "KeyError");
    run_all();
}

TEST_F(SelectTest, AClosedChannelRaisesOnlyIfNothingCanBeDone) {
    SPEC("K-29", "C-40");
    queued_tasklet("right.send", "(1,)");
    run_all();
    run("left.close()");
    EXPECT_EQ(select({receiving(left), receiving(right)}), 1);
    expect_refusal({receiving(left), receiving(right)}, "ValueError");
    expect_refusal({sending(left, Py_None), receiving(right)}, "ValueError", 0);
    run_all();
}

TEST_F(SelectTest, WhatAQueueChannelHasQueuedIsReceived) {
    SPEC("K-29", "DEC-6");
    const Ref queue = eval("scheduler.QueueChannel()");
    name("queue", queue);
    run("queue.send(7)");
    EXPECT_EQ(select({receiving(left), receiving(queue)}), 1);
    EXPECT_EQ(value.get(), eval("7").get());
}

TEST_F(SelectTest, ThereMustBeCases) {
    SPEC("K-29", "K-07");
    const SchedulerCase one = receiving(left);
    PyObject* brought = Py_None;
    for (const Py_ssize_t count : {Py_ssize_t{0}, Py_ssize_t{-1}, PY_SSIZE_T_MIN}) {
        EXPECT_EQ(api->PyScheduler_Select(&one, count, kLate, 0, &brought), -1);
        EXPECT_EQ(brought, nullptr);
        EXPECT_EQ(take_error(), "ValueError") << count;
        EXPECT_EQ(api->PyScheduler_Select(nullptr, count, kLate, 0, nullptr), -1);
        EXPECT_EQ(take_error(), "ValueError") << count;
    }
    EXPECT_EQ(api->PyScheduler_Select(nullptr, 1, kLate, 0, nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
}

TEST_F(SelectTest, OneWrongCaseMakesItFailBeforeAnythingHappens) {
    SPEC("K-29", "K-07");
    const Ref tasklet = new_tasklet("len");
    const Ref closed_case = eval("left.sending(1)");
    queued_tasklet("left.send", "(1,)");
    run_all();
    const struct {
        SchedulerCase wrong;
        const char* error;
    } table[] = {
        {{}, "ValueError"},
        {{5, right.get(), nullptr}, "ValueError"},
        {{-1, right.get(), nullptr}, "ValueError"},
        {{INT_MAX, nullptr, nullptr}, "ValueError"},
        {sending(right, nullptr), "TypeError"},
        {receiving(tasklet), "TypeError"},
        {receiving(closed_case), "TypeError"},
        {sending(tasklet, Py_None), "TypeError"},
        {joining(right), "TypeError"},
        {joining({}), "TypeError"},
        {awaiting(right), "TypeError"},
        {awaiting({}), "TypeError"},
    };
    for (const auto& [wrong, error] : table) {
        expect_refusal({receiving(left), wrong}, error);
        EXPECT_EQ(api->PyChannel_GetBalance(left.channel()), 1);
    }
    EXPECT_EQ(select({receiving(left)}), 0);
    run_all();
}

TEST_F(SelectTest, TaskletsThatCannotEndFirstAreRefused) {
    SPEC("K-29");
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    expect_refusal({receiving(left), joining(main)}, "RuntimeError");
}

}  // namespace
}  // namespace capi_test
