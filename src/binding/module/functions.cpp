#include "binding/module/functions.h"

#include <type_traits>

#include "binding/scheduling/enter.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/select.h"
#include "binding/scheduling/sleep.h"

#include "binding/threads/current_manager.h"

#include "binding/aio/bond.h"
#include "binding/diagnostics/snapshot.h"
#include "binding/module/clock_functions.h"
#include "binding/module/function_docs.h"
#include "binding/module/group_functions.h"
#include "binding/module/host_functions.h"
#include "binding/module/module.h"
#include "binding/module/stack_functions.h"
#include "binding/module/trace_functions.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/tasklet_operations.h"
#include "binding/scheduling/timed_wait.h"
#include "binding/threads/park.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding {

namespace {

// A function without parameters. `Function` is PyObject* (*)(ModuleState&) or PyObject* (*)(PyObject* module).
template <auto Function, const char* Name>
PyObject* no_parameters(PyObject* module, PyObject* const*, Py_ssize_t count) {
    if (!check_count(Name, count, 0, 0)) return nullptr;
    return guard_memory([module] {
        if constexpr (std::is_invocable_v<decltype(Function), PyObject*>) {
            return Function(module);
        } else {
            return Function(state_of_module(module));
        }
    });
}

// A function with one parameter. `Function` is PyObject* (*)(ModuleState&, PyObject*).
template <PyObject* (*Function)(ModuleState&, PyObject*)>
PyObject* one_parameter(PyObject* module, PyObject* argument) {
    return guard_memory([&] { return Function(state_of_module(module), argument); });
}

// A function that ignores what it is given.
template <PyObject* (*Function)(ModuleState&)>
PyObject* any_parameters(PyObject* module, PyObject* const*, Py_ssize_t) {
    return Function(state_of_module(module));
}

// ---- tasklets and the queue --------------------------------------------------------------------

PyObject* getcurrent(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    return manager != nullptr ? Py_NewRef(manager->current_body().object) : nullptr;
}
PyObject* getmain(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    return manager != nullptr ? Py_NewRef(manager->main_body().object) : nullptr;
}
PyObject* getruncount(ModuleState& state) {
    ManagerBody* manager = enter(state);
    return manager != nullptr ? PyLong_FromSize_t(manager->run_count()) : nullptr;
}
PyObject* calculateruncount(ModuleState& state) {
    ManagerBody* manager = enter(state);
    return manager != nullptr ? PyLong_FromSize_t(manager->count_runnables()) : nullptr;
}
PyObject* run_function(PyObject* module, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"threadblock", "timeout", nullptr};
    PyObject *threadblock = Py_False, *seconds = nullptr;
    std::int64_t timeout = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:run", const_cast<char**>(names),
                                     &threadblock, &seconds)) {
        return nullptr;
    }
    // A number in its place is meant as a time limit, and would let the thread wait without one.
    if (!PyBool_Check(threadblock)) {
        return PyErr_Format(
            PyExc_TypeError,
            "threadblock must be True or False, not %.200s; a time limit is given by "
            "name: run(timeout=seconds)",
            Py_TYPE(threadblock)->tp_name);
    }
    if (!parse_timeout(seconds, "timeout", &timeout)) return nullptr;
    return guard_memory([&] {
        ModuleState& state = state_of_module(module);
        const bool blocks = threadblock == Py_True;
        const bool is_plain = !blocks && timeout == core::kNever;
        return none_if(is_plain ? run_all(state) : run_waiting(state, blocks, timeout));
    });
}
PyObject* sleep_function(ModuleState& state, PyObject* seconds) {
    std::int64_t nanoseconds = 0;
    if (seconds == Py_None) {
        PyErr_SetString(PyExc_TypeError,
                        "sleep() needs a number of seconds, not None; math.inf is for ever");
        return nullptr;
    }
    if (!parse_timeout(seconds, "seconds", &nanoseconds)) return nullptr;
    return none_if(sleep_for(state, nanoseconds));
}
// ---- for scheduler.timeout()

PyObject* get_timeout_scope(ModuleState& state, PyObject* tasklet) {
    if (PyObject_TypeCheck(tasklet, state.tasklet_type) == 0) {
        return PyErr_Format(PyExc_TypeError, "the argument must be a tasklet");
    }
    return new_or_none(body_of(tasklet).get_note(&TaskletNotes::scope));
}
// _set_timeout_scope(tasklet, scope or None, deadline in nanoseconds or None)
PyObject* set_timeout_scope_function(PyObject* module, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("_set_timeout_scope", count, 3, 3)) return nullptr;
    if (PyObject_TypeCheck(args[0], state_of_module(module).tasklet_type) == 0) {
        return PyErr_Format(PyExc_TypeError, "the first argument must be a tasklet");
    }
    std::int64_t deadline = core::kNever;
    if (args[2] != Py_None) {
        deadline = PyLong_AsLongLong(args[2]);
        if (deadline == -1 && PyErr_Occurred() != nullptr) return nullptr;
    }
    return guard_memory(
        [&] { return none_if(set_timeout_scope(body_of(args[0]), args[1], deadline)); });
}

// select(*cases, timeout=None, ordered=False)
PyObject* select_function(PyObject* module, PyObject* const* args, Py_ssize_t count,
                          PyObject* keywords) {
    static constexpr std::string_view kParameters[] = {"timeout", "ordered"};
    PyObject* given[2];
    std::int64_t timeout = 0;
    if (!parse_arguments("select", kParameters, 0, args + count, 0, keywords, given) ||
        !parse_timeout(given[0], "timeout", &timeout)) {
        return nullptr;
    }
    const int ordered = given[1] != nullptr ? PyObject_IsTrue(given[1]) : 0;
    if (ordered < 0) return nullptr;
    return guard_memory([&] {
        const std::span cases(args, static_cast<std::size_t>(count));
        return select(state_of_module(module), cases, timeout, ordered != 0);
    });
}
// For scheduler.sync: raises what an earlier wait of the current tasklet holds back.
PyObject* raise_held(ModuleState& state) { return none_if(enter_carefully(state) != nullptr); }
PyObject* schedule_function(PyObject* module) { return none_if(schedule(module, false)); }
PyObject* schedule_remove(PyObject* module) { return none_if(schedule(module, true)); }

PyObject* run_n_tasklets(ModuleState& state, PyObject* argument) {
    PyRef number = PyRef::steal(PyNumber_Index(argument));
    if (!number) return nullptr;
    int overflow = 0;
    long long turns = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    if (overflow != 0) turns = overflow > 0 ? PY_LLONG_MAX : PY_LLONG_MIN;
    return none_if(run_turns(state, turns));
}

PyObject* switch_trap(ModuleState& state, PyObject* argument) {
    const int delta = int_argument(argument);
    if (delta == -1 && PyErr_Occurred() != nullptr) return nullptr;
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    const int level = manager->trap_level();
    int raised = 0;
    if (__builtin_add_overflow(level, delta, &raised)) {
        PyErr_SetString(PyExc_OverflowError, "the switch trap level would be too large");
        return nullptr;
    }
    manager->set_trap(raised);
    return PyLong_FromLong(level);
}

PyObject* get_thread_info(ModuleState& state) {
    ManagerBody* manager = enter(state);
    if (manager == nullptr) return nullptr;
    return Py_BuildValue("(OOn)", manager->main_body().object, manager->current_body().object,
                         static_cast<Py_ssize_t>(manager->run_count()));
}

PyObject* get_schedule_manager(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    return manager->object != nullptr ? Py_NewRef(manager->object) : refuse(Refusal::kThreadEnding);
}

PyObject* unblock_all_channels(ModuleState& state) {
    const int count = clear_all_channels(state);
    return count >= 0 ? PyLong_FromLong(count) : nullptr;
}

// ---- callbacks ---------------------------------------------------------------------------------

using CallbackSlot = SharedRef ModuleState::*;

template <CallbackSlot Slot>
PyObject* get_callback(ModuleState& state) {
    return new_or_none((state.*Slot).get());
}

// The functions of the schedule callback are about the calling thread as well: they make its manager.
PyObject* get_schedule_callback(ModuleState& state) {
    if (manager_of_this_thread(state) == nullptr) return nullptr;
    return get_callback<&ModuleState::schedule_callback>(state);
}

template <CallbackSlot Slot>
PyObject* set_callback(ModuleState& state, PyObject* callback) {
    if (callback != Py_None && PyCallable_Check(callback) == 0) {
        PyErr_Format(PyExc_TypeError, "the callback must be callable or None, not %.200s",
                     Py_TYPE(callback)->tp_name);
        return nullptr;
    }
    PyRef replacement = PyRef::share(callback == Py_None ? nullptr : callback);
    return new_or_none((state.*Slot).exchange(std::move(replacement)));
}

PyObject* set_schedule_callback(ModuleState& state, PyObject* callback) {
    if (manager_of_this_thread(state) == nullptr) return nullptr;
    return set_callback<&ModuleState::schedule_callback>(state, callback);
}

// ---- mode and counters -------------------------------------------------------------------------

PyObject* set_use_nested_tasklets(ModuleState& state, PyObject* argument) {
    const int flag = int_argument(argument);
    if (flag == -1 && PyErr_Occurred() != nullptr) return nullptr;
    if (flag < 0 || flag > 255) {
        PyErr_SetString(PyExc_OverflowError, "the flag must be a bool, or an int from 0 to 255");
        return nullptr;
    }
    state.nested = flag != 0;
    Py_RETURN_NONE;
}
PyObject* get_use_nested_tasklets(ModuleState& state) {
    return PyBool_FromLong(state.nested.load());
}

PyObject* set_deadlock_timeout(ModuleState& state, PyObject* seconds) {
    std::int64_t timeout = 0;
    if (!parse_timeout(seconds, "the deadlock timeout", &timeout)) return nullptr;
    state.deadlock_timeout = timeout;
    Py_RETURN_NONE;
}
PyObject* get_deadlock_timeout(ModuleState& state) {
    const std::int64_t timeout = state.deadlock_timeout;
    if (timeout == core::kNever) Py_RETURN_NONE;
    return PyFloat_FromDouble(static_cast<double>(timeout) / 1e9);
}

template <Counter ModuleState::* Number>
PyObject* counter(ModuleState& state) {
    return PyLong_FromLong(state.*Number);
}

PyObject* report_to_function(PyObject* module, PyObject* const* args, Py_ssize_t count) {
    return guard_memory([&] { return report_to(state_of_module(module), args, count); });
}

PyObject* enable_softswitch(ModuleState&, PyObject* argument) {
    if (argument == Py_None) Py_RETURN_FALSE;
    return refuse(Refusal::kSoftSwitch);
}

// For scheduler.aio: that of the tasklet, or None.
PyObject* get_bond(ModuleState& state, PyObject* tasklet) {
    if (PyObject_TypeCheck(tasklet, state.tasklet_type) == 0) {
        return PyErr_Format(PyExc_TypeError, "the argument must be a tasklet");
    }
    return new_or_none(body_of(tasklet).get_note(&TaskletNotes::bond));
}

}  // namespace

// One row a function without parameters; its name is needed for the message as well.
#define SCHED_PLAIN(name, function) \
    {#name, as_method(no_parameters<function, names::name>), METH_FASTCALL, docs::name}
#define SCHED_NAME(name) constexpr char name[] = #name

namespace {
namespace names {
SCHED_NAME(getcurrent);
SCHED_NAME(getmain);
SCHED_NAME(getruncount);
SCHED_NAME(calculateruncount);
SCHED_NAME(schedule);
SCHED_NAME(schedule_remove);
SCHED_NAME(get_schedule_callback);
SCHED_NAME(get_schedule_manager);
SCHED_NAME(get_use_nested_tasklets);
SCHED_NAME(get_deadlock_timeout);
SCHED_NAME(get_stack_size);
SCHED_NAME(stack_stats);
SCHED_NAME(trim_stacks);
SCHED_NAME(unblock_all_channels);
SCHED_NAME(get_number_of_active_schedule_managers);
SCHED_NAME(get_number_of_active_channels);
SCHED_NAME(get_all_time_tasklet_count);
SCHED_NAME(get_active_tasklet_count);
SCHED_NAME(next_deadline);
constexpr char live_tasklets[] = "_live_tasklets";
constexpr char tasklets[] = "_tasklets";
constexpr char can_wait[] = "_can_wait";
constexpr char clock[] = "_clock";
constexpr char raise_held[] = "_raise_held";
constexpr char trace_stop[] = "_trace_stop";
constexpr char trace_forget[] = "_trace_forget";
constexpr char trace_copy[] = "_trace_copy";
constexpr char trace_clock[] = "_trace_clock";
}  // namespace names
}  // namespace

PyMethodDef module_functions[] = {
    SCHED_PLAIN(getcurrent, getcurrent),
    SCHED_PLAIN(getmain, getmain),
    SCHED_PLAIN(getruncount, getruncount),
    SCHED_PLAIN(calculateruncount, calculateruncount),
    SCHED_PLAIN(schedule, schedule_function),
    SCHED_PLAIN(schedule_remove, schedule_remove),
    SCHED_PLAIN(get_schedule_callback, get_schedule_callback),
    SCHED_PLAIN(get_schedule_manager, get_schedule_manager),
    SCHED_PLAIN(get_use_nested_tasklets, get_use_nested_tasklets),
    SCHED_PLAIN(get_deadlock_timeout, get_deadlock_timeout),
    SCHED_PLAIN(get_stack_size, get_stack_size),
    SCHED_PLAIN(stack_stats, stack_stats),
    SCHED_PLAIN(trim_stacks, trim_stacks),
    SCHED_PLAIN(unblock_all_channels, unblock_all_channels),
    SCHED_PLAIN(get_number_of_active_schedule_managers, counter<&ModuleState::managers>),
    SCHED_PLAIN(get_number_of_active_channels, counter<&ModuleState::channels>),
    SCHED_PLAIN(get_all_time_tasklet_count, counter<&ModuleState::tasklets_ever>),
    SCHED_PLAIN(get_active_tasklet_count, counter<&ModuleState::tasklets>),
    SCHED_PLAIN(next_deadline, next_deadline),
    {"forbid_main_waits", one_parameter<forbid_main_waits>, METH_O, docs::forbid_main_waits},
    {"pump", as_method(pump_function), METH_FASTCALL | METH_KEYWORDS, docs::pump},
    {"set_waker", one_parameter<set_waker_function>, METH_O, docs::set_waker},
    {"_get_timeout_scope", one_parameter<get_timeout_scope>, METH_O, nullptr},
    {"_set_timeout_scope", as_method(set_timeout_scope_function), METH_FASTCALL, nullptr},
    {"_live_tasklets", as_method(no_parameters<list_tasklets, names::live_tasklets>), METH_FASTCALL,
     nullptr},
    {"_tasklets", as_method(no_parameters<list_tasklets_only, names::tasklets>), METH_FASTCALL,
     nullptr},
    {"_clock", as_method(no_parameters<read_clock, names::clock>), METH_FASTCALL, nullptr},
    {"_stop_clock", one_parameter<stop_clock>, METH_O, nullptr},
    {"_advance_clock", one_parameter<advance_clock>, METH_O, nullptr},
    {"trace_mark", one_parameter<trace_mark>, METH_O, docs::trace_mark},
    {"_trace_to_file", as_method(trace_to_file), METH_FASTCALL, nullptr},
    {"_trace_in_memory", one_parameter<trace_in_memory>, METH_O, nullptr},
    {"_trace_stop", as_method(no_parameters<trace_stop, names::trace_stop>), METH_FASTCALL,
     nullptr},
    {"_trace_forget", as_method(no_parameters<trace_forget, names::trace_forget>), METH_FASTCALL,
     nullptr},
    {"_trace_copy", as_method(no_parameters<trace_copy, names::trace_copy>), METH_FASTCALL,
     nullptr},
    {"_trace_clock", as_method(no_parameters<trace_clock, names::trace_clock>), METH_FASTCALL,
     nullptr},
    {"_trace_on_failure", one_parameter<trace_on_failure>, METH_O, nullptr},
    {"_can_wait", as_method(no_parameters<can_wait, names::can_wait>), METH_FASTCALL, nullptr},
    {"_raise_held", as_method(no_parameters<raise_held, names::raise_held>), METH_FASTCALL,
     nullptr},
    {"_report_to", as_method(report_to_function), METH_FASTCALL, nullptr},
    {"_interrupt", one_parameter<interrupt_current>, METH_O, nullptr},
    {"_discard_interrupt", one_parameter<discard_interrupt>, METH_O, nullptr},
    {"_await", as_method(await_function), METH_FASTCALL, nullptr},
    {"_get_bond", one_parameter<get_bond>, METH_O, nullptr},
    {"get_channel_callback",
     as_method(any_parameters<get_callback<&ModuleState::channel_callback>>), METH_FASTCALL,
     docs::get_channel_callback},
    {"get_thread_info", as_method(any_parameters<get_thread_info>), METH_FASTCALL,
     docs::get_thread_info},
    {"run", as_method(run_function), METH_VARARGS | METH_KEYWORDS, docs::run},
    {"set_deadlock_timeout", one_parameter<set_deadlock_timeout>, METH_O,
     docs::set_deadlock_timeout},
    {"run_n_tasklets", one_parameter<run_n_tasklets>, METH_O, docs::run_n_tasklets},
    {"select", as_method(select_function), METH_FASTCALL | METH_KEYWORDS, docs::select},
    {"sleep", one_parameter<sleep_function>, METH_O, docs::sleep},
    {"switch_trap", one_parameter<switch_trap>, METH_O, docs::switch_trap},
    {"set_channel_callback", one_parameter<set_callback<&ModuleState::channel_callback>>, METH_O,
     docs::set_channel_callback},
    {"set_schedule_callback", one_parameter<set_schedule_callback>, METH_O,
     docs::set_schedule_callback},
    {"set_use_nested_tasklets", one_parameter<set_use_nested_tasklets>, METH_O,
     docs::set_use_nested_tasklets},
    {"set_stack_size", one_parameter<set_stack_size>, METH_O, docs::set_stack_size},
    {"enable_softswitch", one_parameter<enable_softswitch>, METH_O, docs::enable_softswitch},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace scheduler::binding
