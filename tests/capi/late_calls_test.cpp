// Calls at times when there is no interpreter, or not much of it: none crashes, each that fails has an
// error if there can be one. Each test runs in a process of its own.
#include "own_process.h"

namespace capi_test {
namespace {

class LateCallsDeathTest : public DeathTest {};

enum class Expected {
    kSilence,  // nothing works, and no error can be set
    kErrors,  // nothing works
    kTypeErrors,  // the arguments are wrong
};

// The result of a call that must have failed.
template <typename Result>
void check(Expected expected, Result result, Result failure, const char* what) {
    require(result == failure, what);
    if (expected == Expected::kSilence) return;
    require(PyErr_Occurred() != nullptr, what);
    require(PyErr_ExceptionMatches(expected == Expected::kErrors ? PyExc_RuntimeError
                                                                 : PyExc_TypeError),
            what);
    PyErr_Clear();
}

// A PyObject that is none of ours; without Python it is not looked at.
void call_with_wrong_objects(SchedulerCAPI& t, Expected expected, PyObject* object) {
    auto* tasklet = reinterpret_cast<PyTaskletObject*>(object);
    auto* channel = reinterpret_cast<PyChannelObject*>(object);
    auto* type = reinterpret_cast<PyTypeObject*>(object);
    PyObject* const null = nullptr;
    const int done = 0;
#define FAILS(failure, call) check(expected, t.call, failure, #call)
#define FAILS_SILENTLY(call) (t.call, check(expected, 0, 0, #call))
    FAILS(static_cast<PyTaskletObject*>(nullptr), PyTasklet_New(type, nullptr));
    FAILS(-1, PyTasklet_Setup(tasklet, object, nullptr));
    FAILS(-1, PyTasklet_Insert(tasklet));
    FAILS(-1, PyTasklet_GetBlockTrap(tasklet));
    FAILS_SILENTLY(PyTasklet_SetBlockTrap(tasklet, 1));
    FAILS(-1, PyTasklet_IsMain(tasklet));
    FAILS(-1, PyTasklet_Alive(tasklet));
    FAILS(done, PyTasklet_Kill(tasklet));
    FAILS(-1L, PyTasklet_GetTimesSwitchedTo(tasklet));
    FAILS(-1, PyTasklet_Resume(tasklet));
    FAILS(-1, PyTasklet_KillAlone(tasklet));
    FAILS(-1, PyTasklet_ThrowAlone(tasklet, object, nullptr, nullptr));
    FAILS(-1, PyTasklet_Bind(tasklet, object, nullptr, nullptr));
    FAILS(-1, PyTasklet_Remove(tasklet));
    FAILS(-1, PyTasklet_Throw(tasklet, object, nullptr, nullptr, 0));
    FAILS(-1, PyTasklet_Join(tasklet, 0));
    FAILS(null, PyTasklet_Result(tasklet, 0));
    FAILS(static_cast<const char*>(nullptr), PyTasklet_GetContext(tasklet));
    FAILS(static_cast<PyChannelObject*>(nullptr), PyChannel_New(type));
    FAILS(-1, PyChannel_Send(channel, object));
    FAILS(null, PyChannel_Receive(channel));
    FAILS(-1, PyChannel_SendException(channel, object, nullptr));
    FAILS(-1, PyChannel_SendThrow(channel, object, nullptr, nullptr));
    FAILS(null, PyChannel_GetQueue(channel));
    FAILS(-1, PyChannel_GetPreference(channel));
    FAILS_SILENTLY(PyChannel_SetPreference(channel, 1));
    FAILS(-1, PyChannel_GetBalance(channel));
    FAILS(-1, PyChannel_SendWithTimeout(channel, object, 0));
    FAILS(null, PyChannel_ReceiveWithTimeout(channel, 0));
    FAILS(-1, PyChannel_SendExceptionWithTimeout(channel, object, nullptr, 0));
    FAILS(-1, PyChannel_Close(channel, 1));
    FAILS(-1, PyChannel_Clear(channel));
    FAILS(static_cast<PyChannelObject*>(nullptr), PyQueueChannel_New(type));
    const SchedulerCase one = {SCHEDULER_CASE_RECEIVE, object, nullptr};
    PyObject* value = object;
    FAILS(Py_ssize_t{-1}, PyScheduler_Select(&one, 1, 0, 0, &value));
    require(value == nullptr, "PyScheduler_Select() leaves no value");
    FAILS(-1, PyScheduler_SetChannelCallback(object));
    FAILS(-1, PyScheduler_SetScheduleCallback(object));
}

// What needs no object: it may work for as long as there is a module.
void call_without_objects(SchedulerCAPI& t, Expected expected) {
    PyObject* const null = nullptr;
    FAILS(null, PyScheduler_GetScheduler());
    FAILS(null, PyScheduler_Schedule(nullptr, 0));
    FAILS(-1, PyScheduler_GetRunCount());
    FAILS(null, PyScheduler_GetCurrent());
    FAILS(null, PyScheduler_RunWithTimeout(0));
    FAILS(null, PyScheduler_RunNTasklets(1));
    FAILS(-1, PyScheduler_Run(0, 0));
    FAILS(-1, PyScheduler_TraceMark(nullptr));
    FAILS(-1, PyScheduler_Sleep(0));
    FAILS(-1, PyScheduler_Pump(1, 1));
    FAILS(-1.0, PyScheduler_NextDeadline());
    FAILS(-1, PyScheduler_SetWaker(nullptr, nullptr));
    FAILS(-1, PyScheduler_SetWakerFd(-1));
    FAILS(-1, PyScheduler_ForbidMainWaits(nullptr));
    FAILS(null, PyScheduler_GetChannelCallback());
    FAILS_SILENTLY(PyScheduler_SetScheduleFastCallback(nullptr));
#undef FAILS
#undef FAILS_SILENTLY
}

// These never fail, and have nothing to tell where nothing is.
void call_counters(SchedulerCAPI& t) {
    REQUIRE(t.PyScheduler_GetNumberOfActiveScheduleManagers() == 0);
    REQUIRE(t.PyScheduler_GetNumberOfActiveChannels() == 0);
    REQUIRE(t.PyScheduler_GetAllTimeTaskletCount() == 0);
    REQUIRE(t.PyScheduler_GetActiveTaskletCount() == 0);
    REQUIRE(t.PyScheduler_GetTaskletsCompletedLastRunWithTimeout() == 0);
    REQUIRE(t.PyScheduler_GetTaskletsSwitchedLastRunWithTimeout() == 0);
}

// The table: after the end nothing may be asked of Python to find it.
SchedulerCAPI* api = nullptr;
int calls = 0;

void call_all_without_python() {
    static PyObject nothing{};
    REQUIRE(api->PyTasklet_Check(&nothing) == 0);
    REQUIRE(api->PyChannel_Check(&nothing) == 0);
    REQUIRE(api->PyQueueChannel_Check(&nothing) == 0);
    call_with_wrong_objects(*api, Expected::kSilence, &nothing);
    call_without_objects(*api, Expected::kSilence);
    ++calls;
}

void call_from_here_and_elsewhere() {
    call_all_without_python();
    call_counters(*api);
    std::thread(call_all_without_python).join();
}

[[noreturn]] void check_after_the_end() {
    api = &table();
    REQUIRE(api->PyScheduler_GetRunCount() == 1);
    REQUIRE(Py_AtExit(call_from_here_and_elsewhere) == 0);
    REQUIRE(Py_FinalizeEx() == 0);
    REQUIRE(calls == 2);
    call_from_here_and_elsewhere();
    // Where static objects are destroyed.
    REQUIRE(std::atexit([] {
                call_from_here_and_elsewhere();
                std::_Exit(calls == 6 ? 0 : 1);
            }) == 0);
    std::exit(1);
}

TEST_F(LateCallsDeathTest, NoEntryCrashesAfterTheEnd) {
    SPEC("K-01", "K-08");
    EXPECT_EXIT(check_after_the_end(), ::testing::ExitedWithCode(0), "");
}

// Without the GIL one collection takes all modules apart, in any order.
#ifdef Py_GIL_DISABLED
constexpr bool kIsOrderKnown = false;
#else
constexpr bool kIsOrderKnown = true;
#endif

// In a destructor that runs while the interpreter ends, attached. Other threads have no way in.
void call_while_modules_are_there() {
    call_with_wrong_objects(*api, Expected::kTypeErrors, Py_None);
    REQUIRE(api->PyTasklet_Check(Py_None) == 0);
    const Ref main = Ref::steal(api->PyScheduler_GetCurrent());
    REQUIRE(api->PyTasklet_IsMain(main.tasklet()) == 1);
    std::thread(call_all_without_python).join();
}

// The same where the module has been taken apart already.
void call_when_the_module_is_gone() {
    call_with_wrong_objects(*api, Expected::kErrors, Py_None);
    call_without_objects(*api, Expected::kErrors);
    if (kIsOrderKnown) call_counters(*api);  // else other objects may still be there
    std::thread(call_all_without_python).join();
}

void call_from_destructor(bool is_early) {
    const bool is_gone = api->PyScheduler_GetRunCount() == -1;
    PyErr_Clear();
    REQUIRE(!kIsOrderKnown || is_gone != is_early);
    is_gone ? call_when_the_module_is_gone() : call_while_modules_are_there();
}

// The dictionary of the interpreter goes before the module, which a function of atexit keeps; sys, which has
// been emptied by then, is emptied once more after it.
void stay_longer(PyObject*) {
    Ref late =
        Ref::steal(PyCapsule_New(&calls, nullptr, [](PyObject*) { call_from_destructor(false); }));
    REQUIRE(PySys_SetObject("late", late.get()) == 0);
}

[[noreturn]] void check_during_the_end() {
    api = &table();
    REQUIRE(api->PyScheduler_GetRunCount() == 1);
    Ref early =
        Ref::steal(PyCapsule_New(&calls, nullptr, [](PyObject*) { call_from_destructor(true); }));
    Ref last = Ref::steal(PyCapsule_New(&calls, nullptr, stay_longer));
    REQUIRE(PyObject_SetAttrString(PyImport_AddModule("__main__"), "early", early.get()) == 0);
    REQUIRE(PyDict_SetItemString(PyInterpreterState_GetDict(PyInterpreterState_Get()), "last",
                                 last.get()) == 0);
    early.reset();
    last.reset();
    REQUIRE(Py_FinalizeEx() == 0);
    std::_Exit(calls == 2 ? 0 : 1);
}

TEST_F(LateCallsDeathTest, NoEntryCrashesDuringTheEnd) {
    SPEC("K-01", "K-08");
    EXPECT_EXIT(check_during_the_end(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace capi_test
