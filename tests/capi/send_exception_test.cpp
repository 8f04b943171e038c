// Members 12 and 18: sending exceptions.
#include "fixture.h"

#include <utility>

namespace capi_test {
namespace {

class SendExceptionTest : public CApiTest {
  protected:
    void SetUp() override {
        CApiTest::SetUp();
        channel = new_channel();
        name("c", channel);
        run("class Problem(Exception): pass\n"
            "def receiver():\n"
            "    global caught\n"
            "    try:\n"
            "        c_receive(c)\n"
            "    except BaseException as error:\n"
            "        caught = type(error).__name__, error.args");
    }
    void TearDown() override {
        channel.reset();
        CApiTest::TearDown();
    }

    // Sends to a receiver that waits; `value` is an expression, "" for NULL. Gives what it caught.
    std::string send_exception(const char* klass, const char* value) {
        const Ref receiver = queued_tasklet("receiver");
        run_all();
        const Ref exception = eval(klass);
        const Ref argument = *value != '\0' ? eval(value) : Ref();
        EXPECT_EQ(api->PyChannel_SendException(channel.channel(), exception.get(), argument.get()),
                  0);
        run_all();
        return text("caught");
    }
    std::string send_throw(const char* exc, const char* val) {
        const Ref receiver = queued_tasklet("receiver");
        run_all();
        const Ref exception = eval(exc);
        const Ref argument = *val != '\0' ? eval(val) : Ref();
        EXPECT_EQ(
            api->PyChannel_SendThrow(channel.channel(), exception.get(), argument.get(), nullptr),
            0);
        run_all();
        return text("caught");
    }

    Ref channel;
};

TEST_F(SendExceptionTest, TheReceiverGetsTheClassCalledWithTheValue) {
    SPEC("C-30", "D-11", "D-30");
    EXPECT_EQ(send_exception("Problem", ""), "('Problem', ())");
    EXPECT_EQ(send_exception("Problem", "None"), "('Problem', ())");
    EXPECT_EQ(send_exception("Problem", "(1, 2, 3)"), "('Problem', (1, 2, 3))");
    EXPECT_EQ(send_exception("Problem", "'why'"), "('Problem', ('why',))");
    EXPECT_EQ(send_exception("Exception", "Problem(4)"), "('Problem', (4,))");
    EXPECT_EQ(send_exception("Problem(5)", ""), "('Problem', (5,))");
    EXPECT_EQ(send_exception("KeyboardInterrupt", ""), "('KeyboardInterrupt', ())");
}

TEST_F(SendExceptionTest, ThrowNormalisesAlike) {
    SPEC("C-31", "D-30");
    EXPECT_EQ(send_throw("Problem", ""), "('Problem', ())");
    EXPECT_EQ(send_throw("Problem", "None"), "('Problem', ())");
    EXPECT_EQ(send_throw("Problem", "(1, 2)"), "('Problem', (1, 2))");
    EXPECT_EQ(send_throw("Problem", "Problem(3)"), "('Problem', (3,))");
    EXPECT_EQ(send_throw("Problem(4)", ""), "('Problem', (4,))");
}

TEST_F(SendExceptionTest, ASenderMayWaitForTheReceiver) {
    SPEC("C-30", "C-31", "C-33", "P-15");
    for (const char* sender : {"c_send_exception", "c_send_throw"}) {
        const Ref tasklet = queued_tasklet(sender, "(c, Problem, ('late',))");
        run_all();
        EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 1);
        EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
        EXPECT_EQ(take_error_and_text(), "Problem: late");
        EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);  // the sender is queued
        run_all();
    }
}

TEST_F(SendExceptionTest, ReceivingInCGivesNullWithTheError) {
    SPEC("C-11", "C-34", "K-08");
    run("def sender(): c.send_exception(Problem, 'sent')");
    const Ref sender = queued_tasklet("sender");
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_EQ(take_error_and_text(), "Problem: sent");
    run_all();
}

TEST_F(SendExceptionTest, NoReferencesAreLost) {
    SPEC("D-11", "K-07");
    const Ref klass = eval("Problem");
    const Ref value = eval("object()");
    const Py_ssize_t classes = klass.count();
    const Ref receiver = queued_tasklet("receiver");
    run_all();
    ASSERT_EQ(api->PyChannel_SendException(channel.channel(), klass.get(), value.get()), 0);
    run("del caught");
    EXPECT_EQ(value.count(), 1);
    EXPECT_EQ(klass.count(), classes);
    // A sender that gives up keeps neither.
    ASSERT_EQ(api->PyChannel_SendException(channel.channel(), klass.get(), value.get()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(value.count(), 1);
    EXPECT_EQ(klass.count(), classes);
    ASSERT_EQ(api->PyChannel_SendThrow(channel.channel(), klass.get(), value.get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(value.count(), 1);
    EXPECT_EQ(klass.count(), classes);
}

TEST_F(SendExceptionTest, ThrowCarriesTheTraceback) {
    SPEC("C-31");
    run("import traceback\n"
        "def origin(): raise Problem('deep')\n"
        "def receiver():\n"
        "    global frames\n"
        "    try:\n"
        "        c_receive(c)\n"
        "    except Problem as error:\n"
        "        frames = [entry.name for entry in traceback.extract_tb(error.__traceback__)]\n"
        "def forward():\n"
        "    try:\n"
        "        origin()\n"
        "    except Problem:\n"
        "        c_send_throw(c, *sys.exc_info())");
    for (const auto& [first, second] :
         {std::pair("receiver", "forward"), std::pair("forward", "receiver")}) {
        const Ref earlier = queued_tasklet(first);
        const Ref later = queued_tasklet(second);
        run_all();
        EXPECT_EQ(text("frames"), "['receiver', 'forward', 'origin']");
    }
}

TEST_F(SendExceptionTest, WhatIsNoExceptionIsRefused) {
    SPEC("K-07", "C-30", "C-31");
    const Ref bad[] = {Ref(), eval("None"), eval("3"), eval("int"), eval("'Problem'")};
    for (const Ref& exception : bad) {
        EXPECT_EQ(api->PyChannel_SendException(channel.channel(), exception.get(), nullptr), -1);
        EXPECT_EQ(take_error(), "RuntimeError");
        EXPECT_EQ(api->PyChannel_SendThrow(channel.channel(), exception.get(), nullptr, nullptr),
                  -1);
        EXPECT_EQ(take_error(), "RuntimeError");
    }
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

TEST_F(SendExceptionTest, AnInstanceTakesNoArguments) {
    SPEC("C-30", "D-30");
    const Ref instance = eval("Problem(1)");
    EXPECT_EQ(api->PyChannel_SendException(channel.channel(), instance.get(), eval("2").get()), -1);
    EXPECT_EQ(take_error(), "TypeError");
}

TEST_F(SendExceptionTest, ATracebackMustBeOne) {
    SPEC("C-31", "D-30");
    const Ref klass = eval("Problem");
    EXPECT_EQ(api->PyChannel_SendThrow(channel.channel(), klass.get(), nullptr, eval("3").get()),
              -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyChannel_SendThrow(channel.channel(), klass.get(), Py_None, Py_None), -1);
    EXPECT_EQ(take_error_and_text().rfind("RuntimeError: Deadlock", 0), 0U);  // None is allowed
}

}  // namespace
}  // namespace capi_test
