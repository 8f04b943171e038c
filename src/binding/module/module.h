// The state of one `_scheduler` module object: one per interpreter that imports it.
//
// It lives apart from the module, counted: when an interpreter ends, the collector may free the module
// before the last tasklets, channels and managers.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>

#include "binding/diagnostics/trace_switch.h"
#include "binding/interp/instrumentation.h"
#include "binding/python/refs.h"
#include "binding/scheduling/survivors.h"
#include "core/atomic.h"
#include "core/intrusive_list.h"
#include "core/lock.h"
#include "core/sanitizer.h"

struct PyTaskletObject;

namespace scheduler::binding {

struct ChannelObject;
using RegistryNode = core::ListNode<struct InRegistry>;

// include/Scheduler.h's schedule_hook_func.
using FastCallback = int (*)(PyTaskletObject* from, PyTaskletObject* to);

struct ModuleState {
    // Constant once the module is initialised; owned. The types are nullptr once the module has been
    // torn down.
    PyTypeObject* tasklet_type;
    PyTypeObject* channel_type;
    PyTypeObject* buffered_type;
    PyTypeObject* manager_type;
    PyTypeObject* bond_type;
    PyTypeObject* thread_guard_type;
    PyTypeObject* callable_wrapper_type;
    PyTypeObject* send_case_type;
    PyObject* tasklet_exit;
    PyObject* channel_closed;
    PyObject* scope_expired;  // raised in a tasklet that waits when the time of a scope is over
    PyObject* guard_key;  // of this module's guard in a thread's dictionary
    PyObject* cr_suspended;  // str: the name of a coroutine's attribute
    PyObject* timeout_name;  // str "timeout", as it is interned
    core::RelaxedAtomic<PyObject*> module;  // borrowed; nullptr once it has gone
    unsigned long serial;  // of this module object, never given twice
    std::int64_t interpreter;  // its id
    int sub_interpreter_watcher;
    bool of_main_interpreter;

    bool closes_signal_pipes = false;  // in children, see signal_pipe.cpp
    std::atomic<bool> at_exit;  // the atexit functions of the interpreter have begun
    std::atomic<bool> nested;  // `run` and its like start a loop of their own (else: flat)

    // Empty or nullptr: none.
    SharedRef schedule_callback;
    SharedRef channel_callback;
    // asyncio's function, from when there has been a bond to a Task.
    SharedRef current_task;
    std::atomic<FastCallback> fast_callback;
    // Who else than the schedule callback watches switches, as bits. It is asked for each of them.
    static constexpr unsigned kHookWatches = 1;  // fast_callback
    static constexpr unsigned kTraceWatches = 2;
    std::atomic<unsigned> watchers;

    // How long a main tasklet waits for other threads, in nanoseconds; core::kNever: for ever.
    std::atomic<std::int64_t> deadlock_timeout;
    // Of the stacks that tasklets get from now on.
    std::atomic<std::size_t> stack_bytes;
    // How large it is now, for the way of every spawn.
    std::size_t wanted_stack() const { return stack_bytes.load(std::memory_order_relaxed); }

    // Threads with a schedule manager that are about to take the GIL again; how many times one has
    // got it; threads that wait for such a time. See yield_gil().
    std::atomic<int> attaching;
    core::Atomic<std::uint32_t> attached;
    std::atomic<int> yielding_gil;

    Instrumentation instrumentation;

    Counter managers;
    // Of the last time-limited run.
    std::atomic<int> last_run_completed;
    std::atomic<int> last_run_switched;

    // What is from here on, each tasklet and channel that is made changes: it stays out of the cache lines
    // above, which each switch of each thread reads.
    alignas(core::kCacheLine) TraceSwitch trace;
    Counter channels;
    Counter tasklets_ever;
    Counter tasklets;
    // Every channel object, for unblock_all_channels().
    core::IntrusiveList<ChannelObject, InRegistry> registry SCHED_GUARDED_BY(registry_lock);
    core::Lock registry_lock;

    // The module object and everything that refers to this state.
    Counter users{1};

    Survivors survivors;

    // With the GIL.
    void hold() { ++users; }
    void release() {
        if (users.add(-1) != 0) return;
        Py_XDECREF(tasklet_exit);
        Py_XDECREF(channel_closed);
        Py_XDECREF(scope_expired);
        Py_XDECREF(guard_key);
        Py_XDECREF(cr_suspended);
        Py_XDECREF(timeout_name);
        delete this;
    }

    SCHED_ALWAYS_INLINE bool watches_switches() const {
        return schedule_callback || watchers.load(std::memory_order_relaxed) != 0;
    }
    bool is_traced() const {
        return (watchers.load(std::memory_order_relaxed) & kTraceWatches) != 0;
    }
    bool has_schedule_callbacks() const {
        return schedule_callback || (watchers.load(std::memory_order_relaxed) & kHookWatches) != 0;
    }
    void set_fast_callback(FastCallback hook) {
        fast_callback = hook;
        set_watcher(kHookWatches, hook != nullptr);
    }
    void set_watcher(unsigned bit, bool on) {
        if (on) {
            watchers |= bit;
        } else {
            watchers &= ~bit;
        }
    }
};

extern PyModuleDef module_definition;

inline ModuleState& state_of_module(PyObject* module) {
    return **static_cast<ModuleState**>(PyModule_GetState(module));
}
// The module state behind one of our types or a class derived from one; nullptr with TypeError set
// for any other type.
ModuleState* state_of_type(PyTypeObject* type);

}  // namespace scheduler::binding
