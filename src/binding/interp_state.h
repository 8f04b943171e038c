// What CPython keeps per C stack although it lies in the thread state, swapped at every switch.
//
// This pair of files is the only place that knows CPython's internals and that asks for a version.
// Everything else sees words to save and to restore.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>

#include "core/context.h"

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

// The error indicator of the running thread, taken out and put back: it must be empty while stacks
// are switched, and while code runs that may raise errors of its own.
PyObject* take_error();              // new reference to the exception raised, or nullptr
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

// CPython calls tp_finalize once in an object's life, so one that has survived it would be cleared
// together with what it still needs. Afterwards it is called again. Owner thread of the tasklet.
void allow_finalizing_again(PyObject* object);

// The calling thread's state, or nullptr without the GIL.
PyThreadState* this_thread_state();

// Is this the state of the running thread? If it is some thread's at all, it is this one's, the caller
// knows. From 3.12 on it says so itself, which saves a call; without the GIL others may run as well.
template <typename ThreadState>
bool is_current(const ThreadState* thread) {
    if constexpr (kHasGil && requires { thread->_status.active; }) {
        return thread != nullptr && thread->_status.active != 0;
    } else {
        return thread == this_thread_state();
    }
}

// Does the interpreter have more Python threads than the calling one? May be out of date at once.
bool has_other_threads();

// Names a Python thread state for good: no later one of the process has the same name, though it may lie
// at the same address.
struct ThreadName {
    std::int64_t interpreter = -1;
    std::uint64_t thread = 0;

    bool operator==(const ThreadName&) const = default;
};
ThreadName name_of(PyThreadState* thread);

// Is this thread state about to be deleted? What it held is being dropped then. 3.11 does not say so.
bool is_being_cleared(PyThreadState* thread);
// Has it a dictionary? It gets one when somebody asks for it, and loses it when it is cleared.
bool has_dictionary(PyThreadState* thread);

// Does the stack that runs have a contextvars.Context yet?
bool has_context(PyThreadState* thread);

// Bytes that a tasklet's stack has by default with this CPython.
extern const std::size_t kStackBytes;

// The state of a stack that does not run. It lies on that stack, which never moves.
class InterpState {
  public:
    // What the interpreter reads first when the stopped stack goes on.
    const void* first_read() const;
    // Nothing may run between save() on one stack and restore() or StackBase::enter() on the next.
    void save(PyThreadState* thread);
    void restore(PyThreadState* thread) const;

    // The innermost frame of the stopped stack: a new reference, or nullptr (no error set).
    PyObject* frame(PyThreadState* thread) const;
    // For tp_traverse: what the frames of the stopped stack and its handled exceptions refer to. Part
    // of it stays unseen (values that C code or an evaluation stack holds), which only makes the
    // collector think them reachable.
    int traverse(visitproc visit, void* arg) const;

  private:
    int depth_for_new_limit(PyThreadState* thread) const;

    // A word that a version lacks stays unused there.
    void* frames_;  // 3.11, 3.12: the C frame; later: the innermost Python frame
    _PyErr_StackItem* exc_info_;
    _PyStackChunk* datastack_chunk_;
    PyObject** datastack_top_;
    PyObject** datastack_limit_;
    PyObject* context_;  // owned, as by the thread state
    int depth_;  // of Python calls, so that a new recursion limit is honoured
    int limit_;  // the recursion limit that goes with it; before 3.12
    int c_recursion_remaining_;  // from 3.12
    int trash_nesting_;  // before 3.13
    int tracing_;
    std::uintptr_t critical_section_;  // without the GIL
};

// The bottom of a stack of our own, as CPython wants to find it. It lies on that stack and is good
// for one tasklet after another.
class StackBase {
  public:
    // Makes `thread` run on the fresh stack, in `context` (stolen; may be nullptr).
    void enter(PyThreadState* thread, const core::StackSpan& stack, PyObject* context);
    // The end of what enter() began: returns the context to be dropped, or nullptr.
    static PyObject* leave(PyThreadState* thread, const core::StackSpan& stack);
    // The same for a stack that is left in the middle, with frames on it.
    static PyObject* abandon(PyThreadState* thread);

  private:
    friend class InterpState;

    void* c_frame_[3];  // room for the C frame of 3.11 and 3.12
    _PyErr_StackItem handled_;
    // Before 3.12: how deep calls may nest on this stack, and how much less that is than the limit.
    int allowance_;
    int withheld_;
};

}  // namespace scheduler::binding
