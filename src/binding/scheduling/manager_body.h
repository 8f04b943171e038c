// A schedule manager as the binding knows it: the core's manager, the thread state it belongs to, and
// what is put aside in the middle of a switch.
#pragma once

#include <Python.h>

#include <new>
#include <utility>
#include <vector>

#include "binding/module/module.h"
#include "binding/scheduling/tasklet_body.h"
#include "core/float_control.h"
#include "core/manager.h"

namespace scheduler::binding {

struct ThreadGuard;

// References that are put aside, with room for more than one switch needs.
struct DeferredReferences : std::vector<PyObject*> {
    DeferredReferences() { reserve(64); }
};

// A Python frame, borrowed and only compared, and the offset of its instruction.
struct CallInProgress {
    const PyFrameObject* frame;
    int instruction;

    bool operator==(const CallInProgress&) const = default;
};

// Of the list of managers, under its lock.
using ManagerNode = core::ListNode<struct IsListed>;

struct ManagerBody : core::ScheduleManager, ManagerNode {
    // The room is made before: what can fail comes before there is a manager.
    struct Room {
        DeferredReferences decrefs, orphans, cycles;
    };
    ManagerBody(ModuleState& module_state, PyThreadState* thread, TaskletBody& main_tasklet,
                Room room);
    ~ManagerBody();

    ModuleState& state;
    PyThreadState* thread_state;  // of the owner thread; nullptr when that is gone
    const ThreadKey thread_key;
    const unsigned long thread_id;  // threading.get_ident() of the owner thread
    // The OS thread that runs it now: where that has `last_manager`, and the C++ runtime's record of
    // exceptions in flight there. The thread state of a sub-interpreter may move.
    ManagerBody** tls_slot = nullptr;
    // The same, or nullptr while must_look(): then no operation finds the manager by the short way, and
    // those that switch look first whether they may.
    ManagerBody** open_tls_slot = nullptr;
    void* cxx_globals = nullptr;
    void take_tls_slot();
    // The main tasklet's when this was made: each activation starts with them, whoever gave it its stack.
    const core::FloatControl float_control = core::FloatControl::current();
    PyObject* object = nullptr;  // the ScheduleManager object: borrowed, nullptr at the end
    ThreadGuard* guard = nullptr;  // what ends it with the thread

    // ---- owner thread, with the GIL
    // Why an innermost loop failed: owned until its driver has control.
    PyRef failure;
    // In the middle of a switch: Python code that runs now must not switch.
    bool switching = false;
    // The stack that is about to go on has frames that have to catch up with tools, see
    // instrumentation.h.
    bool tools_changed = false;
    // The thread is ending: nobody gets an ordinary turn any more.
    bool ending = false;
    // The thread has been waiting and is about to take the GIL; it counts in ModuleState::attaching.
    bool attaching = false;
    // Tasklets that are being unwound, each in the middle of the next.
    int unwindings = 0;
    // Has an error to raise in its next operation: see held_error.h. Nobody else, or nullptr.
    TaskletBody* holder = nullptr;
    // Of main, when it began to hold one back for which the interpreter was asked.
    std::vector<CallInProgress> calls;
    // A signal handler has ended main's wait, with an error.
    bool interrupted = false;

    // Does something forbid the current tasklet to give control away, or do so before it has raised what
    // it holds back?
    bool must_look() const {
        return switching || ending || unwindings != 0 || trap_level() != 0 || holder != nullptr;
    }
    // After each change of these.
    void update_tls_slot() { open_tls_slot = must_look() ? nullptr : tls_slot; }
    void set_trap(int level) {
        set_trap_level(level);
        update_tls_slot();
    }
    void set_holder(TaskletBody* tasklet) {
        holder = tasklet;
        update_tls_slot();
    }

    TaskletBody& current_body() const { return body_of(current()); }
    TaskletBody& main_body() const { return body_of(main()); }
    // Is the current tasklet being unwound, so that it must not suspend?
    bool unwinding_current() const { return loop() != nullptr && loop()->unwinding == &current(); }

    // Owns `stolen` until run_deferred(), for dropping it runs Python.
    void defer_decref(PyObject* stolen) {
        if (stolen == nullptr) return;
        defer(decrefs_, stolen);
    }
    void defer_decref(PyRef object_ref) { defer_decref(object_ref.release()); }
    // A tasklet (reference stolen) that must be unwound but cannot be right now. One that the collector
    // has found has references, from its cycle; another one may have been brought back to its users
    // meanwhile, by a weak reference, and is left to them.
    void unwind_later(PyObject* stolen, bool in_cycle) {
        defer(in_cycle ? cycles_ : orphans_, stolen);
    }
    // The stack of `tasklet` has ended; whoever runs next recycles it.
    void release_stack_later(TaskletBody& tasklet) {
        stack_to_release_ = &tasklet;
        has_deferred_ = true;
    }
    bool has_deferred() const { return has_deferred_; }
    // Can one more reference be discarded without memory?
    bool has_room() const { return decrefs_.size() < decrefs_.capacity(); }
    // The first thing on a stack that has just got control: recycles the stack that ended, drops what
    // was put aside. May run Python, and may switch; the current tasklet must not be in a wait queue.
    // In the middle of a switch it does nothing.
    void run_deferred();

  private:
    bool unwind_one();  // false: there is none
    // Where no memory is left for a list that has outgrown its room, the reference is lost: nothing may
    // be thrown in the middle of a switch.
    void defer(DeferredReferences& list, PyObject* stolen) {
        bool kept = true;
        try {
            list.push_back(stolen);
        } catch (const std::bad_alloc&) {
            kept = false;
        }
        has_deferred_ = has_deferred_ || kept;
    }

    bool has_deferred_ = false;
    TaskletBody* stack_to_release_ = nullptr;
    DeferredReferences decrefs_;
    DeferredReferences orphans_;
    DeferredReferences cycles_;
};

inline ManagerBody* TaskletBody::get_manager() const { return static_cast<ManagerBody*>(manager); }

// In the middle of a switch: what runs meanwhile (a callback, or finalizers, for on 3.11 to make an
// error may start a collection) must not switch.
class NoSwitchScope {
  public:
    explicit NoSwitchScope(ManagerBody& manager)
        : manager_(manager), before_(std::exchange(manager.switching, true)) {
        manager.update_tls_slot();
    }
    NoSwitchScope(const NoSwitchScope&) = delete;
    NoSwitchScope& operator=(const NoSwitchScope&) = delete;
    ~NoSwitchScope() {
        manager_.switching = before_;
        manager_.update_tls_slot();
    }

  private:
    ManagerBody& manager_;
    const bool before_;
};

}  // namespace scheduler::binding
