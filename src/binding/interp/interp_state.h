// What CPython keeps per C stack although it lies in the thread state, swapped at every switch.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>

#include "core/context.h"

namespace scheduler::binding {

// What a tasklet's stack needs at least with this CPython.
extern const std::size_t kLeastStackBytes;

// From 3.14 on, as they lie in the thread state: at `soft_limit` CPython raises RecursionError, below
// `hard_limit` it ends the process.
struct CStackBounds {
    std::uintptr_t top;
    std::uintptr_t soft_limit;
    std::uintptr_t hard_limit;
};

// The state of a stack that does not run. It lies on that stack, which never moves.
class InterpState {
  public:
    // What the interpreter reads first when the stopped stack goes on.
    const void* first_read() const;
    // Whoever leaves a stack calls save(), and restore() for the one he leaves to; a fresh one calls
    // StackBase::enter(). Nothing may run between these, nor before the jump.
    void save(PyThreadState* thread);
    // False: the frames of the stack have to catch up with tools, see instrumentation.h.
    [[nodiscard]] bool restore(PyThreadState* thread) const;

    // The innermost frame of the stopped stack: a new reference, or nullptr (no error set).
    PyObject* frame(PyThreadState* thread) const;
    // For tp_traverse: what the frames of the stopped stack and its handled exceptions refer to. What
    // only C code holds stays unseen, which makes the collector think it reachable, no more.
    int traverse(visitproc visit, void* arg) const;
    // The stack will never go on, and the state of its thread is going away.
    void cut_off();

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
    int event_;
    mutable bool generators_spared_;  // where the collector sees whole frames
    PyObject* executor_;  // owned; from 3.14
    CStackBounds c_stack_bounds_;  // from 3.14
    std::uintptr_t critical_section_;  // without the GIL
    void* c_stack_references_;  // without the GIL, from 3.14
    std::uintptr_t instrumentation_word_;  // from 3.12
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
