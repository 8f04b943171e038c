// A tasklet as the binding knows it: the core's tasklet and the Python objects that go with it.
//
// Two callables must be told apart. The *bound* one waits for the next setup(); the *target*
// belongs to the activation that has its arguments and is alive. The body holds the target and its
// arguments until the end, although the tasklet's stack uses them: so the cycle collector sees them.
#pragma once

#include <Python.h>

#include <array>
#include <atomic>

#include "binding/interp/interp_state.h"
#include "binding/module/module.h"
#include "binding/python/refs.h"
#include "core/tasklet.h"

namespace scheduler::binding {

struct ManagerBody;

// What has become of the last activation; TaskletBody::args has what goes with it.
enum class Outcome : unsigned char {
    kNone,  // it is not over, or there was none, or it is of no interest any more
    kReturned,  // the value; empty: None
    kRaised,  // the exception, for result()
    kFailed,  // the class of an exception that went to the driver
    kKilled,
};

// Attributes that few tasklets have. Any thread. They go with the tasklet, and not before: whoever has
// found it in a live list may read them while the collector clears it.
struct TaskletNotes {
    SharedRef own_name;  // str; empty: that of the callable
    SharedRef exception_handler;
    SharedRef failure_handler;
    SharedRef context_manager_getter;
    SharedRef context_text;  // str
    SharedRef parent_callsite;  // str
    SharedRef scope;  // the innermost scheduler.timeout() that the tasklet is in
    core::RelaxedAtomic<std::int64_t> scope_deadline = core::kNever;  // the earliest of all of them
    core::RelaxedAtomic<bool> in_scope = false;
    // Who is told of a failure: (tasklet, exception to interrupt it with, list of failures). Until the
    // activation's end.
    SharedRef group;
    SharedRef interrupts;  // list: those not raised yet, see ManagerBody::interrupt()
    SharedRef bond;  // to a Task of asyncio, see aio/bond.h
    core::RelaxedAtomic<double> run_time = 0.0;
    core::RelaxedAtomic<bool> highlighted = false;
    core::RelaxedAtomic<bool> has_made_up_name = false;  // the callable has none

    std::array<SharedRef*, 10> references() {
        return {&own_name,        &exception_handler,
                &failure_handler, &context_text,
                &parent_callsite, &context_manager_getter,
                &scope,           &group,
                &interrupts,      &bond};
    }
};

struct TaskletBody : core::Tasklet {
    TaskletBody(ModuleState& of_module, PyObject* self) : object(self), module_state(of_module) {}

    // Constant.
    PyObject* const object;  // whose body this is; borrowed
    ModuleState& module_state;  // not to be asked of the type, which may be torn down first

    // Owner thread, and what is RelaxedAtomic or shared: any thread may read it, and write what a program
    // can write.
    // Where the interpreter stopped on this tasklet's stack: set while another tasklet runs.
    InterpState* suspended = nullptr;
    PyRef pending;  // exception instance to raise at the next turn
    core::RelaxedAtomic<bool> pending_kill = false;  // kill(pending=True) has not been delivered
    core::RelaxedAtomic<bool> block_trap = false;
    core::RelaxedAtomic<bool> context_is_set = false;  // by set_context(), to be used as it is
    core::RelaxedAtomic<bool> dont_raise = false;
    bool contained = false;  // dont_raise as it was when the callable was bound
    core::RelaxedAtomic<bool> ended = false;  // its thread has ended while it was alive
    // Waits in a wait queue of joiners for the outcome. Read under that channel's lock.
    core::RelaxedAtomic<bool> asks = false;
    // Others look at it, and at `args` then, under the registry's lock, which a change back to kNone takes.
    std::atomic<Outcome> outcome{Outcome::kNone};
    SharedRef bound_callable;
    PyRef target;
    PyRef args;  // and then the outcome
    PyRef kwargs;
    SharedRef context_object;  // contextvars.Context for the first turn; then the thread state's
    SharedRef name;  // of what was bound last: str, str, code object; all empty before
    SharedRef module;
    SharedRef code;
    std::atomic<TaskletNotes*> notes{nullptr};  // owned

    // Where those wait who have joined it; owned, nullptr before the first one; its owner is the
    // tasklet's object. See join.h.
    std::atomic<core::Channel*> joiners{nullptr};

    // nullptr before __init__. Constant afterwards; outlives the thread.
    ManagerBody* get_manager() const;
    TaskletNotes& get_notes();  // makes them
    // May throw bad_alloc if it is.
    void mark_made_up_name(bool is_made_up) {
        if (is_made_up || notes.load() != nullptr) get_notes().has_made_up_name = is_made_up;
    }
    bool has_made_up_name() const {
        const TaskletNotes* const found = notes.load();
        return found != nullptr && found->has_made_up_name;
    }
    // Of scheduler.timeout(). The deadline: core::kNever outside of them, and without one.
    SCHED_ALWAYS_INLINE bool is_in_scope() const {
        const TaskletNotes* const found = notes.load(std::memory_order_relaxed);
        return found != nullptr && found->in_scope;
    }
    std::int64_t scope_deadline() const {
        const TaskletNotes* const found = notes.load(std::memory_order_relaxed);
        return found != nullptr ? std::int64_t{found->scope_deadline} : core::kNever;
    }
    // The arguments, or the outcome of an activation that is over, which is forgotten.
    PyRef take_args();
    // Keeps it, in the place of the arguments, which are gone.
    void set_outcome(Outcome what, PyRef left) {
        args = std::move(left);
        outcome.store(what, std::memory_order_release);
    }
    // As one who has asked for it gets it, with references of its own: a value, or an error (the class of
    // one that went to the driver); nothing was left by one that was killed.
    core::Parcel outcome_parcel() const;
    // Raises what was pending on this, the current tasklet, and has been taken out: false then.
    bool raise_taken(PyRef was_pending);
    // The attribute of the notes, if there are any.
    PyRef get_note(SharedRef TaskletNotes::* attribute) const {
        const TaskletNotes* found = notes.load();
        return found != nullptr ? (found->*attribute).get() : PyRef();
    }
};

// The Python object. Its body is constructed by tp_new, and has no thread until __init__.
struct TaskletHead {
    PyObject ob_base;
    PyObject* weak_references;
};
struct TaskletObject : TaskletHead {
    TaskletBody body;
};

inline TaskletBody& body_of(PyObject* tasklet) {
    return reinterpret_cast<TaskletObject*>(tasklet)->body;
}
inline TaskletBody& body_of(core::Tasklet& tasklet) { return static_cast<TaskletBody&>(tasklet); }
// Borrowed.
inline PyObject* object_of(core::Tasklet& tasklet) { return body_of(tasklet).object; }
// What came out of Tasklet::posted: an exception instance, or empty.
inline PyRef error_in(const core::PostedError::Content& posted) {
    return PyRef::steal(static_cast<PyObject*>(posted.error));
}

// Remembers `callable` (borrowed, callable) and describes it. May run Python; false with an error set if
// that was interrupted.
[[nodiscard]] bool bind_callable(TaskletBody& tasklet, PyObject* callable);
// Forgets callables, arguments and description. May run Python.
void unbind_callable(TaskletBody& tasklet);

// Copies the calling code's context, so that a tasklet starts with its creator's values. None is copied
// if the creator has none yet, which leaves the tasklet without one as well. False with an error set.
bool copy_current_context(PyThreadState* thread, PyRef& copy);

// "<Tasklet alive=1 blocked=0 ...>" as exception handlers get it: new reference or nullptr.
PyObject* describe_flags(const TaskletBody& tasklet);
// For repr(): "dead", "new", "running"...
const char* describe_state(const TaskletBody& tasklet);
// The paused flag as any thread sees it, with mail that the owner has not read yet.
bool is_paused(const TaskletBody& tasklet);

}  // namespace scheduler::binding
