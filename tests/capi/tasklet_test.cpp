// Members 0 to 8, 38 and 39: tasklets.
#include "fixture.h"

namespace capi_test {
namespace {

class TaskletTest : public CApiTest {};

TEST_F(TaskletTest, NewCallsTheTypeAndQueuesNothing) {
    SPEC("K-07", "T-11");
    const Ref print = eval("print");
    const Ref arguments = Ref::steal(PyTuple_Pack(1, print.get()));
    const Ref tasklet = Ref::steal(api->PyTasklet_New(api->PyTaskletType, arguments.get()));
    ASSERT_TRUE(tasklet);
    EXPECT_EQ(Py_TYPE(tasklet.get()), api->PyTaskletType);
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
}

TEST_F(TaskletTest, NewWithoutArgumentsMakesAnUnboundTasklet) {
    SPEC("K-07", "T-10");
    const Ref by_null = Ref::steal(api->PyTasklet_New(api->PyTaskletType, nullptr));
    const Ref by_empty = Ref::steal(api->PyTasklet_New(api->PyTaskletType, eval("()").get()));
    ASSERT_TRUE(by_null && by_empty);
    EXPECT_EQ(api->PyTasklet_Setup(by_null.tasklet(), eval("()").get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyTasklet_Setup(by_empty.tasklet(), eval("()").get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
}

TEST_F(TaskletTest, NewAcceptsADerivedType) {
    SPEC("K-07");
    run("class Derived(scheduler.tasklet):\n"
        "    def __init__(self, function, note):\n"
        "        super().__init__(function)\n"
        "        self.note = note");
    const Ref type = eval("Derived");
    const Ref tasklet = Ref::steal(api->PyTasklet_New(type.type(), eval("(len, 'n')").get()));
    ASSERT_TRUE(tasklet);
    name("t", tasklet);
    EXPECT_EQ(text("type(t) is Derived and t.note"), "'n'");
    EXPECT_EQ(api->PyTasklet_Check(tasklet.get()), 1);
}

TEST_F(TaskletTest, NewPassesOnWhatTheConstructorRaises) {
    SPEC("K-08", "D-17");
    const Ref arguments = eval("('not callable',)");
    const Py_ssize_t before = arguments.count();
    EXPECT_EQ(api->PyTasklet_New(api->PyTaskletType, arguments.get()), nullptr);
    EXPECT_NE(take_error_and_text().find("callable"), std::string::npos);
    EXPECT_EQ(arguments.count(), before);
}

TEST_F(TaskletTest, SetupQueuesWithTheArguments) {
    SPEC("K-07", "T-22", "D-13");
    run("def take(*args, **kwargs): global got; got = args, kwargs");
    const Ref tasklet = new_tasklet("take");
    const Ref args = eval("(1, 'two')");
    const Ref kwds = eval("{'three': 3}");
    const Py_ssize_t before = kwds.count();
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), args.get(), kwds.get()), 0);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
    EXPECT_EQ(text("got"), "((1, 'two'), {'three': 3})");
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
    EXPECT_EQ(kwds.count(), before);
}

TEST_F(TaskletTest, ReferencesOverALife) {
    SPEC("K-22", "G-01", "T-23");
    const Ref tasklet = new_tasklet("lambda: None");
    const Ref no_arguments = eval("()");
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), no_arguments.get(), nullptr), 0);
    EXPECT_EQ(tasklet.count(), 2);
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), no_arguments.get(), nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(tasklet.count(), 2);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
    EXPECT_EQ(take_error(), "");
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(api->PyTasklet_Alive(tasklet.tasklet()), 0);
}

TEST_F(TaskletTest, InsertQueuesAPausedTasklet) {
    SPEC("T-24", "K-25");
    run("ran = []");
    const Ref tasklet = new_tasklet("ran.append");
    name("t", tasklet);
    run("t.bind(None, (1,))");
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), 0);
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), 0);  // queued already
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 2);
    run_all();
    EXPECT_EQ(text("ran"), "[1]");
}

TEST_F(TaskletTest, InsertOfADeadTaskletFails) {
    SPEC("T-24", "K-08");
    const Ref tasklet = new_tasklet("len");
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), -1);
    const std::string error = take_error_and_text();
    EXPECT_EQ(error.rfind("RuntimeError", 0), 0U) << error;
    EXPECT_NE(error.find("dead"), std::string::npos) << error;
}

TEST_F(TaskletTest, InsertOfABlockedTaskletFails) {
    SPEC("T-24", "K-08");
    const Ref channel = new_channel();
    name("c", channel);
    const Ref tasklet = queued_tasklet("c.receive");
    run_all();
    EXPECT_EQ(api->PyTasklet_Insert(tasklet.tasklet()), -1);
    const std::string error = take_error_and_text();
    EXPECT_NE(error.find("blocked"), std::string::npos) << error;
    EXPECT_EQ(api->PyTasklet_Kill(tasklet.tasklet()), 0);
}

TEST_F(TaskletTest, BlockTrapIsReadAndWritten) {
    SPEC("K-07", "B-10");
    const Ref tasklet = new_tasklet("len");
    name("t", tasklet);
    EXPECT_EQ(api->PyTasklet_GetBlockTrap(tasklet.tasklet()), 0);
    api->PyTasklet_SetBlockTrap(tasklet.tasklet(), 1);
    EXPECT_EQ(api->PyTasklet_GetBlockTrap(tasklet.tasklet()), 1);
    EXPECT_EQ(text("t.block_trap"), "True");
    api->PyTasklet_SetBlockTrap(tasklet.tasklet(), 0);
    EXPECT_EQ(text("t.block_trap"), "False");
    for (const int truth : {-1, 256, 1 << 30}) {
        api->PyTasklet_SetBlockTrap(tasklet.tasklet(), truth);
        EXPECT_EQ(api->PyTasklet_GetBlockTrap(tasklet.tasklet()), 1) << truth;
        api->PyTasklet_SetBlockTrap(tasklet.tasklet(), 0);
    }
}

TEST_F(TaskletTest, BlockTrapRefusesToWaitInC) {
    SPEC("B-10", "C-12");
    const Ref channel = new_channel();
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    api->PyTasklet_SetBlockTrap(main.tasklet(), 1);
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_NE(take_error_and_text().find("block_trap"), std::string::npos);
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_None), -1);
    EXPECT_NE(take_error_and_text().find("block_trap"), std::string::npos);
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
    api->PyTasklet_SetBlockTrap(main.tasklet(), 0);
}

TEST_F(TaskletTest, IsMainTellsTheMainTasklet) {
    SPEC("K-07", "A-03");
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    EXPECT_EQ(api->PyTasklet_IsMain(main.tasklet()), 1);
    EXPECT_EQ(api->PyTasklet_IsMain(new_tasklet("len").tasklet()), 0);
}

TEST_F(TaskletTest, CheckTellsTaskletsFromOthers) {
    SPEC("K-03", "K-07");
    run("class Derived(scheduler.tasklet): pass");
    EXPECT_EQ(api->PyTasklet_Check(new_tasklet("len").get()), 1);
    EXPECT_EQ(api->PyTasklet_Check(eval("Derived(len)").get()), 1);
    EXPECT_EQ(api->PyTasklet_Check(eval("scheduler.getmain()").get()), 1);
    EXPECT_EQ(api->PyTasklet_Check(eval("scheduler.tasklet").get()), 0);
    EXPECT_EQ(api->PyTasklet_Check(new_channel().get()), 0);
    EXPECT_EQ(api->PyTasklet_Check(Py_None), 0);
    EXPECT_EQ(api->PyTasklet_Check(nullptr), 0);
    EXPECT_EQ(take_error(), "");
}

TEST_F(TaskletTest, TimesSwitchedToCountsTurns) {
    SPEC("A-06", "T-16");
    const Ref tasklet = queued_tasklet("scheduler.schedule");
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(tasklet.tasklet()), 0L);
    run_all();
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(tasklet.tasklet()), 2L);
    name("t", tasklet);
    run("t.bind(len)");
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(tasklet.tasklet()), 0L);
}

TEST_F(TaskletTest, ContextIsUtf8OwnedByTheTasklet) {
    SPEC("D-12", "A-09");
    const Ref tasklet = new_tasklet("len");
    name("t", tasklet);
    EXPECT_STREQ(api->PyTasklet_GetContext(tasklet.tasklet()), "");
    run("t.context = 'gr\\u00f6\\u00dfe ' + 'x' * 500");
    const std::string expected =
        "gr\xc3\xb6\xc3\x9f"
        "e " +
        std::string(500, 'x');
    const char* context = api->PyTasklet_GetContext(tasklet.tasklet());
    ASSERT_NE(context, nullptr);
    // Room for somebody else to take the memory, were it freed.
    run("filler = [bytes(range(33, 133)) * k for k in range(300)]");
    EXPECT_EQ(context, expected);
    EXPECT_EQ(api->PyTasklet_GetContext(tasklet.tasklet()), expected);
    run("t.context = 'short'");
    EXPECT_STREQ(api->PyTasklet_GetContext(tasklet.tasklet()), "short");
}

TEST_F(TaskletTest, ContextThatIsNoUtf8Fails) {
    SPEC("K-08");
    const Ref tasklet = new_tasklet("len");
    name("t", tasklet);
    run("t.context = '\\ud800'");
    EXPECT_EQ(api->PyTasklet_GetContext(tasklet.tasklet()), nullptr);
    EXPECT_EQ(take_error(), "UnicodeEncodeError");
}

}  // namespace
}  // namespace capi_test
