// What this module asks of CPython and what has another answer in each version: the error indicator,
// references across threads, the collector's marks, thread states.
//
// The files of this directory are the only ones that know CPython's internals and that ask for a version.
#pragma once

#include <Python.h>

#include <cstdint>

namespace scheduler::binding {

// Built for an interpreter with the GIL: one thread at a time runs Python and our own code.
#ifdef Py_GIL_DISABLED
inline constexpr bool kHasGil = false;
#else
inline constexpr bool kHasGil = true;
#endif

// Does the calling thread hold the GIL? PyGILState_Check() says yes to everybody from the moment on
// that a sub-interpreter has been made.
bool holds_gil();

// Is the running interpreter one that this module was built for? Else ImportError is set.
bool check_interpreter();

// The error indicator of the running thread, taken out and put back: it must be empty while stacks
// are switched, and while code runs that may raise errors of its own.
PyObject* take_error();  // new reference to the exception raised, or nullptr
void raise_error(PyObject* stolen);  // makes it the one raised; nullptr clears
// Raises an exception that comes from elsewhere, as `raise` does: what is being handled here becomes
// its context.
void raise_here(PyObject* stolen);

class ErrorStash {
  public:
    ErrorStash() : error_(take_error()) {}
    ErrorStash(const ErrorStash&) = delete;
    ErrorStash& operator=(const ErrorStash&) = delete;
    ~ErrorStash() {  // without the GIL when a daemon thread is ended: see refs.h
        if (error_ != nullptr && holds_gil()) raise_error(error_);
    }

  private:
    PyObject* error_;
};

// For objects that others find by a list which owns no references: the new object is prepared for
// try_incref(), which adds a reference unless the last one is gone already. Then it returns false.
void allow_try_incref(PyObject* object);
bool try_incref(PyObject* object);

// In tp_finalize: has the collector found the object? Else its last reference is gone.
bool is_found_by_collector(PyObject* object);

// Is the object among what a collection has found, whose finalizers are being called?
bool is_being_collected(PyObject* object);

// CPython calls tp_finalize once in an object's life, so one that has survived it would be cleared
// together with what it still needs. Afterwards it is called again. Not while it is being collected. Owner
// thread of the tasklet.
void allow_finalizing_again(PyObject* object);
void forbid_finalizing(PyObject* object);  // as if it had been

// The calling thread's state, or nullptr without the GIL.
PyThreadState* this_thread_state();

// Is this the state of the running thread? If it is some thread's at all, it is this one's, the caller
// knows, who has one. From 3.12 on it says so itself, which saves a call; without the GIL others may run as well.
template <typename ThreadState>
bool is_current(const ThreadState* thread) {
    if constexpr (kHasGil && requires { thread->_status.active; }) {
        return thread->_status.active != 0;
    } else {
        return thread == this_thread_state();
    }
}

// Does the interpreter have more Python threads than the calling one? May be out of date at once.
bool has_other_threads();

// Names a Python thread state for good: no later one of the process has the same name, though it may lie
// at the same address.
struct ThreadKey {
    std::int64_t interpreter = -1;
    std::uint64_t thread = 0;

    bool operator==(const ThreadKey&) const = default;
};
ThreadKey key_of(PyThreadState* thread);

// Is this thread state about to be deleted? What it held is being dropped then. 3.11 does not say so.
bool is_being_cleared(PyThreadState* thread);
// Has it a dictionary? It gets one when somebody asks for it, and loses it when it is cleared.
bool has_dictionary(PyThreadState* thread);

// Does the stack that runs have a contextvars.Context yet?
bool has_context(PyThreadState* thread);

}  // namespace scheduler::binding
