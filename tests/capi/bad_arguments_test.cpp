// NULL, wrong types and objects that were never initialised, for every member that takes an object.
#include "fixture.h"

#include <initializer_list>
#include <ostream>
#include <string>

namespace capi_test {
namespace {

using Api = SchedulerCAPI;
using Tasklet = PyTaskletObject;
using Channel = PyChannelObject;

// A member called with a bad tasklet or channel; gives whether the failure value came back.
template <typename Object>
struct Call {
    const char* member;
    bool (*fails)(Api& api, Object* bad);

    friend std::ostream& operator<<(std::ostream& out, const Call& call) {
        return out << call.member;
    }
};

// For members without a result: only the error tells.
constexpr bool kNoResult = true;

// PyScheduler_Select() with one case, which tries once.
template <typename Object>
bool select_fails(Api& api, int kind, Object* object) {
    const SchedulerCase one = {kind, reinterpret_cast<PyObject*>(object), Py_None};
    PyObject* value = Py_None;
    return api.PyScheduler_Select(&one, 1, 0, 0, &value) == -1 && value == nullptr;
}

Ref empty_tuple() { return Ref::steal(PyTuple_New(0)); }

const Call<Tasklet> kTaskletCalls[] = {
    {"Setup",
     [](Api& api, Tasklet* t) {
         return api.PyTasklet_Setup(t, empty_tuple().get(), nullptr) == -1;
     }},
    {"Insert", [](Api& api, Tasklet* t) { return api.PyTasklet_Insert(t) == -1; }},
    {"GetBlockTrap", [](Api& api, Tasklet* t) { return api.PyTasklet_GetBlockTrap(t) == -1; }},
    {"SetBlockTrap",
     [](Api& api, Tasklet* t) {
         api.PyTasklet_SetBlockTrap(t, 1);
         return kNoResult;
     }},
    {"IsMain", [](Api& api, Tasklet* t) { return api.PyTasklet_IsMain(t) == -1; }},
    {"Alive", [](Api& api, Tasklet* t) { return api.PyTasklet_Alive(t) == -1; }},
    {"Kill", [](Api& api, Tasklet* t) { return api.PyTasklet_Kill(t) == 0; }},
    {"KillAlone", [](Api& api, Tasklet* t) { return api.PyTasklet_KillAlone(t) == -1; }},
    {"Resume", [](Api& api, Tasklet* t) { return api.PyTasklet_Resume(t) == -1; }},
    {"ThrowAlone",
     [](Api& api, Tasklet* t) {
         return api.PyTasklet_ThrowAlone(t, PyExc_ValueError, nullptr, nullptr) == -1;
     }},
    {"Bind",
     [](Api& api, Tasklet* t) { return api.PyTasklet_Bind(t, nullptr, Py_None, nullptr) == -1; }},
    {"Remove", [](Api& api, Tasklet* t) { return api.PyTasklet_Remove(t) == -1; }},
    {"Throw",
     [](Api& api, Tasklet* t) {
         return api.PyTasklet_Throw(t, PyExc_ValueError, nullptr, nullptr, 0) == -1;
     }},
    {"Join", [](Api& api, Tasklet* t) { return api.PyTasklet_Join(t, 0) == -1; }},
    {"Result", [](Api& api, Tasklet* t) { return api.PyTasklet_Result(t, 0) == nullptr; }},
    {"GetTimesSwitchedTo",
     [](Api& api, Tasklet* t) { return api.PyTasklet_GetTimesSwitchedTo(t) == -1; }},
    {"GetContext", [](Api& api, Tasklet* t) { return api.PyTasklet_GetContext(t) == nullptr; }},
    {"SelectToJoin",
     [](Api& api, Tasklet* t) { return select_fails(api, SCHEDULER_CASE_JOIN, t); }},
};

const Call<Channel> kChannelCalls[] = {
    {"Send", [](Api& api, Channel* c) { return api.PyChannel_Send(c, Py_None) == -1; }},
    {"Receive", [](Api& api, Channel* c) { return api.PyChannel_Receive(c) == nullptr; }},
    {"SendException",
     [](Api& api, Channel* c) {
         return api.PyChannel_SendException(c, PyExc_ValueError, nullptr) == -1;
     }},
    {"GetQueue", [](Api& api, Channel* c) { return api.PyChannel_GetQueue(c) == nullptr; }},
    {"GetPreference", [](Api& api, Channel* c) { return api.PyChannel_GetPreference(c) == -1; }},
    {"SetPreference",
     [](Api& api, Channel* c) {
         api.PyChannel_SetPreference(c, 1);
         return kNoResult;
     }},
    {"GetBalance", [](Api& api, Channel* c) { return api.PyChannel_GetBalance(c) == -1; }},
    {"SendThrow",
     [](Api& api, Channel* c) {
         return api.PyChannel_SendThrow(c, PyExc_ValueError, nullptr, nullptr) == -1;
     }},
    {"SendWithTimeout",
     [](Api& api, Channel* c) { return api.PyChannel_SendWithTimeout(c, Py_None, 0) == -1; }},
    {"ReceiveWithTimeout",
     [](Api& api, Channel* c) { return api.PyChannel_ReceiveWithTimeout(c, 0) == nullptr; }},
    {"SendExceptionWithTimeout",
     [](Api& api, Channel* c) {
         return api.PyChannel_SendExceptionWithTimeout(c, PyExc_ValueError, nullptr, 0) == -1;
     }},
    {"Close", [](Api& api, Channel* c) { return api.PyChannel_Close(c, 1) == -1; }},
    {"Clear", [](Api& api, Channel* c) { return api.PyChannel_Clear(c) == -1; }},
    {"SelectToReceive",
     [](Api& api, Channel* c) { return select_fails(api, SCHEDULER_CASE_RECEIVE, c); }},
    {"SelectToSend",
     [](Api& api, Channel* c) { return select_fails(api, SCHEDULER_CASE_SEND, c); }},
};

template <typename Object>
class BadObjectTest : public CApiTest, public ::testing::WithParamInterface<Call<Object>> {
  protected:
    void expect_error(PyObject* bad, const char* error, const char* what) {
        EXPECT_TRUE(this->GetParam().fails(*api, reinterpret_cast<Object*>(bad))) << what;
        EXPECT_EQ(take_error(), error) << what;
    }

    // Makes the call with NULL and with the value of each expression.
    void expect_type_error(std::initializer_list<const char*> expressions) {
        expect_error(nullptr, "TypeError", "NULL");
        for (const char* expression : expressions) {
            const Ref bad = eval(expression);
            const Py_ssize_t before = bad.count();
            expect_error(bad.get(), "TypeError", expression);
            EXPECT_EQ(bad.count(), before) << expression;
        }
    }
    // Makes the call with an instance of a subclass of `base` that skips its __init__.
    void expect_refusal_of_uninitialised(const std::string& base) {
        run("class Raw(scheduler." + base + "):\n    def __init__(self): pass");
        expect_error(eval("Raw()").get(), "RuntimeError", "Raw()");
    }
};

const auto kMemberName = [](const auto& test) { return std::string(test.param.member); };

class BadTaskletTest : public BadObjectTest<Tasklet> {};
INSTANTIATE_TEST_SUITE_P(Member, BadTaskletTest, ::testing::ValuesIn(kTaskletCalls), kMemberName);

TEST_P(BadTaskletTest, MustBeATasklet) {
    SPEC("K-07", "K-08");
    expect_type_error({"None", "3", "scheduler.tasklet", "scheduler.channel()",
                       "scheduler.get_schedule_manager()"});
}

TEST_P(BadTaskletTest, MustBeInitialised) {
    SPEC("M-10", "K-07");
    expect_refusal_of_uninitialised("tasklet");
}

class BadChannelTest : public BadObjectTest<Channel> {};
INSTANTIATE_TEST_SUITE_P(Member, BadChannelTest, ::testing::ValuesIn(kChannelCalls), kMemberName);

TEST_P(BadChannelTest, MustBeAChannel) {
    SPEC("K-07", "K-08");
    expect_type_error({"None", "3", "scheduler.channel", "scheduler.tasklet(len)"});
}

TEST_P(BadChannelTest, MustBeInitialised) {
    SPEC("M-10", "K-07");
    expect_refusal_of_uninitialised("channel");
}

class BadArgumentTest : public CApiTest {};

TEST_F(BadArgumentTest, TaskletTypesAreTypesOfTasklets) {
    SPEC("K-07", "K-08");
    EXPECT_EQ(api->PyTasklet_New(nullptr, nullptr), nullptr);
    EXPECT_EQ(take_error(), "TypeError");
    for (const char* bad : {"None", "3", "int", "scheduler.channel", "scheduler.getmain()"}) {
        EXPECT_EQ(api->PyTasklet_New(eval(bad).type(), nullptr), nullptr) << bad;
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
}

TEST_F(BadArgumentTest, ChannelTypesAreTypesOfChannels) {
    SPEC("K-07", "K-08");  // NULL is allowed here
    for (const char* bad : {"None", "3", "int", "scheduler.tasklet", "scheduler.channel()"}) {
        EXPECT_EQ(api->PyChannel_New(eval(bad).type()), nullptr) << bad;
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
}

TEST_F(BadArgumentTest, TaskletArgumentsAreATuple) {
    SPEC("K-07", "D-21");
    EXPECT_EQ(api->PyTasklet_New(api->PyTaskletType, eval("[len]").get()), nullptr);
    EXPECT_EQ(take_error(), "TypeError");
    const Ref tasklet = new_tasklet("len");
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), nullptr, nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    for (const char* bad : {"[]", "{}", "None", "3"}) {
        EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), eval(bad).get(), nullptr), -1) << bad;
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
    for (const char* bad : {"[]", "()", "None", "3"}) {
        EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), eval("()").get(), eval(bad).get()), -1);
        EXPECT_EQ(take_error(), "TypeError") << bad;
    }
    // All refused: still bound, not queued, and usable.
    EXPECT_EQ(api->PyScheduler_GetRunCount(), 1);
    EXPECT_EQ(tasklet.count(), 1);
    EXPECT_EQ(api->PyTasklet_Setup(tasklet.tasklet(), eval("([],)").get(), nullptr), 0);
    run_all();
}

TEST_F(BadArgumentTest, ASentValueIsNotNull) {
    SPEC("K-07", "K-08");
    const Ref channel = new_channel();
    EXPECT_EQ(api->PyChannel_Send(channel.channel(), nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 0);
}

}  // namespace
}  // namespace capi_test
