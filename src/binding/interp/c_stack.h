// How deep C code may go on a stack: up to 3.13 CPython counts calls, from 3.14 on it compares the stack
// pointer with bounds that lie in its thread state.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "binding/interp/interp_state.h"
#include "binding/interp/thread_fields.h"
#include "core/context.h"

namespace scheduler::binding {

// How many levels of C recursion a stack has room for. Used up to 3.13.
int recursion_allowance(const core::StackSpan& stack);

// With the GIL, the calling thread's state: where do the bounds lie? False: not where they could be.
bool find_c_stack_bounds(PyThreadState* thread);

// What CPython would give to this stack if it were a thread's own.
CStackBounds bounds_of(const core::StackSpan& stack);

#if PY_VERSION_HEX >= 0x030E0000

// Bytes from the beginning of a thread state to its bounds, the same for all threads. They moved within
// 3.14, so they are looked for when the module is imported.
extern std::atomic<std::ptrdiff_t> c_stack_bounds_offset;

inline CStackBounds* c_stack_bounds(PyThreadState* thread) {
    return reinterpret_cast<CStackBounds*>(reinterpret_cast<std::byte*>(thread) +
                                           c_stack_bounds_offset.load(std::memory_order_relaxed));
}
inline CStackBounds get_c_stack_bounds(PyThreadState* thread) { return *c_stack_bounds(thread); }
// Word by word, as they were stored: a wider load would wait for these stores.
inline void set_c_stack_bounds(PyThreadState* thread, const CStackBounds& bounds) {
    CStackBounds& own = *c_stack_bounds(thread);
    own.top = bounds.top;
    own.soft_limit = bounds.soft_limit;
    own.hard_limit = bounds.hard_limit;
}

// Two thread states of the calling OS thread, of which `host` has the bounds of the stack that is
// running: `thread`, which runs on it now, gets them too if its own are those of another stack.
void share_c_stack(PyThreadState& host, PyThreadState& thread);

#else

inline CStackBounds get_c_stack_bounds(PyThreadState*) { return {}; }
inline void set_c_stack_bounds(PyThreadState*, const CStackBounds&) {}

#endif

// Without the GIL, from 3.14 on: what C code of this stack refers to, linked from frame to frame.
#if PY_VERSION_HEX >= 0x030E0000 && defined(Py_GIL_DISABLED)
inline _PyCStackRef*& c_stack_references(PyThreadState* thread) {
    constexpr std::size_t kBehindBounds =
        offsetof(_PyThreadStateImpl, c_stack_refs) - offsetof(_PyThreadStateImpl, c_stack_top);
    auto* const bounds = reinterpret_cast<std::byte*>(c_stack_bounds(thread));
    return *reinterpret_cast<_PyCStackRef**>(bounds + kBehindBounds);
}
inline void* get_c_stack_references(PyThreadState* thread) { return c_stack_references(thread); }
inline void set_c_stack_references(PyThreadState* thread, void* references) {
    c_stack_references(thread) = static_cast<_PyCStackRef*>(references);
}
#else
inline void* get_c_stack_references(PyThreadState*) { return nullptr; }
inline void set_c_stack_references(PyThreadState*, void*) {}
#endif

}  // namespace scheduler::binding
