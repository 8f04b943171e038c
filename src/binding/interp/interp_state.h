// What CPython keeps per C stack although it lies in the thread state, swapped at every switch.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "binding/interp/interpreter.h"
#include "core/context.h"

namespace scheduler::binding {

// What a tasklet's stack needs at least with this CPython, for an `except RecursionError` at its top.
std::size_t least_stack_bytes();

// A member that takes part only if `TakesPart`: one that does not costs no instruction.
struct Absent {
    template <typename T>
    Absent& operator=(const T&) {
        return *this;
    }
    template <typename T>
    operator T() const {
        return T{};
    }
};
template <bool TakesPart, typename T>
using OnlyIf = std::conditional_t<TakesPart, T, Absent>;

inline constexpr bool kHasStackBounds = PY_VERSION_HEX >= 0x030E0000;

// From 3.14 on, as they lie in the thread state: at `soft_limit` CPython raises RecursionError, below
// `hard_limit` it ends the process.
struct CStackBounds {
    std::uintptr_t top;
    std::uintptr_t soft_limit;
    std::uintptr_t hard_limit;
};

// What nearly every stack has none of when it stops: code that handles a RecursionError, a trace function,
// the destruction of a container, a trace that is being executed. Whoever has any takes it out before he
// leaves his stack and puts it back when he is back, so that a switch finds none.
class PassingState {
  public:
    // 0: there is none.
    static std::uintptr_t find_any(const PyThreadState* thread);
    explicit PassingState(PyThreadState* thread);
    void put_back(PyThreadState* thread) const;
    // Forgets what a stack has that will not go on.
    static void clear(PyThreadState* thread);

  private:
    int recursion_headroom_;  // how many handlers of errors on this stack may go beyond the limit
    int tracing_;
    int event_;
    int trash_nesting_;
    PyObject* executor_;  // owned
};

// The state of a stack that does not run. It lies on that stack, which never moves.
class InterpState {
  public:
    // What the interpreter reads first when the stopped stack goes on.
    const void* prefetch_hint() const;
    // Whoever leaves a stack calls save(), and restore() for the one he leaves to; a fresh one calls
    // StackBase::enter(). Nothing may run between these, nor before the jump.
    void save(PyThreadState* thread);
    // False: the frames of the stack have to catch up with tools (instrumentation.h), or there are generators
    // for Survivors::add_running_generators().
    [[nodiscard]] bool restore(PyThreadState* thread) const;
    // Has nothing changed meanwhile that the stack depends on? Then restore_words() is all of it.
    bool is_up_to_date(PyThreadState* thread) const;
    void restore_words(PyThreadState* thread) const;

    // The innermost frame of the stopped stack: a new reference, or nullptr (no error set).
    PyObject* frame(PyThreadState* thread) const;
    // For tp_traverse: what the frames of the stopped stack and its handled exceptions refer to. What
    // only C code holds stays unseen, which makes the collector think it reachable, no more.
    int traverse(visitproc visit, void* arg) const;
    // Lets the running code use the context variables of the stopped stack; again: lets go of them.
    // Nobody may switch between these.
    void trade_context(PyThreadState* thread);
    // The stack will never go on, and the state of its thread is going away, or has gone.
    void cut_off(PyThreadState* thread);

  private:
    // Are the events that tools want still those for which the frames were made ready?
    bool has_same_tools(PyThreadState* thread) const;
    int recursion_remaining_of(int new_limit, PyThreadState* thread) const;

    void* frames_;  // 3.11, 3.12: the C frame; later: the innermost Python frame
    _PyErr_StackItem* exc_info_;
    _PyStackChunk* datastack_chunk_;
    PyObject** datastack_top_;
    PyObject** datastack_limit_;
    PyObject* context_;  // owned, as by the thread state
    int recursion_remaining_;
    int recursion_limit_;  // that goes with it
    // What some versions lack.
    [[no_unique_address]] OnlyIf<(PY_VERSION_HEX >= 0x030C0000 && !kHasStackBounds), int>
        c_recursion_remaining_;
    [[no_unique_address]] OnlyIf<kHasStackBounds, CStackBounds> c_stack_bounds_;
    [[no_unique_address]] OnlyIf<!kHasGil, std::uintptr_t> critical_section_;
    [[no_unique_address]] OnlyIf<!kHasGil && kHasStackBounds, void*> c_stack_references_;
    [[no_unique_address]] OnlyIf<(PY_VERSION_HEX >= 0x030C0000), std::uintptr_t>
        instrumentation_word_;
    // Where the collector sees whole frames.
    mutable bool generators_spared_;
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
