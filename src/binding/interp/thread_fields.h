// The fields of CPython's thread state (struct _ts in its Include/cpython/pystate.h) that are not the
// same in every version, under one name each. For this directory only.
#pragma once

#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#error "scheduler needs CPython 3.11 or later."
#elif PY_VERSION_HEX >= 0x03100000
#error "This release of scheduler knows CPython up to 3.15: a newer release is needed for this one."
#elif PY_VERSION_HEX >= 0x030F0000 && PY_VERSION_HEX < 0x030F00C1
#error "scheduler does not know the pre-releases of CPython 3.15: install the release itself."
#endif

#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe.h>
#include <internal/pycore_pythonrun.h>
#include <internal/pycore_tstate.h>
#endif
#ifdef Py_GIL_DISABLED
#include <internal/pycore_critical_section.h>
#endif
#undef Py_BUILD_CORE

#include <cstdint>
#include <new>
#include <utility>

namespace scheduler::binding {

// Before 3.12 one count serves Python calls and C calls.
inline constexpr bool kCountsPythonCalls = PY_VERSION_HEX < 0x030C0000;

#if PY_VERSION_HEX >= 0x030C0000
inline int* recursion_remaining(PyThreadState* thread) { return &thread->py_recursion_remaining; }
inline int recursion_limit(PyThreadState* thread) { return thread->py_recursion_limit; }
#else
inline int* recursion_remaining(PyThreadState* thread) { return &thread->recursion_remaining; }
inline int recursion_limit(PyThreadState* thread) { return thread->recursion_limit; }
#endif

// How many more C calls may nest. Before 3.12 the count above serves for that too; from 3.14 on the
// bounds of the C stack do.
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030E0000
inline int get_c_recursion(PyThreadState* thread) { return thread->c_recursion_remaining; }
inline void set_c_recursion(PyThreadState* thread, int value) {
    thread->c_recursion_remaining = value;
}
#else
inline int get_c_recursion(PyThreadState*) { return 0; }
inline void set_c_recursion(PyThreadState*, int) {}
#endif

// How deep the destruction of containers is nested on this stack. From 3.13 on the chain of those
// that wait belongs to the thread alone: whoever next has recursion to spare works it off.
#if PY_VERSION_HEX >= 0x030D0000
inline int get_trash_nesting(const PyThreadState*) { return 0; }
inline void set_trash_nesting(PyThreadState*, int) {}
#elif PY_VERSION_HEX >= 0x030C0000
inline int get_trash_nesting(const PyThreadState* thread) { return thread->trash.delete_nesting; }
inline void set_trash_nesting(PyThreadState* thread, int value) {
    thread->trash.delete_nesting = value;
}
#else
inline int get_trash_nesting(const PyThreadState* thread) { return thread->trash_delete_nesting; }
inline void set_trash_nesting(PyThreadState* thread, int value) {
    thread->trash_delete_nesting = value;
}
#endif

// The event that a trace function or a tool is being called for; a debugger may jump at some only.
#if PY_VERSION_HEX >= 0x030C0000
inline constexpr int kNoEvent = -1;
inline int get_event(const PyThreadState* thread) { return thread->what_event; }
inline void set_event(PyThreadState* thread, int event) { thread->what_event = event; }
#else
inline constexpr int kNoEvent = 0;
inline int get_event(const PyThreadState* thread) { return thread->tracing_what; }
inline void set_event(PyThreadState* thread, int event) { thread->tracing_what = event; }
#endif

// The optimised trace that is being executed, borrowed. The interpreter destroys those that are out of
// date but for the ones that threads name here; others would go below the stack that is to come back.
#if PY_VERSION_HEX >= 0x030E0000
inline PyObject* get_executor(const PyThreadState* thread) { return thread->current_executor; }
inline void set_executor(PyThreadState* thread, PyObject* executor) {
    thread->current_executor = executor;
}
#else
inline PyObject* get_executor(const PyThreadState*) { return nullptr; }
inline void set_executor(PyThreadState*, PyObject*) {}
#endif

// Without the GIL: the locks of objects that C code of this stack is working on. A stack that does not
// run must not keep them, or its own thread would wait for them in vain. Giving them back is what
// CPython does when a thread waits, see detach_thread() in its pystate.c: the code that has them copes.
#ifdef Py_GIL_DISABLED
inline std::uintptr_t suspend_critical_sections(PyThreadState* thread) {
    if (thread->critical_section == 0) return 0;
    _PyCriticalSection_SuspendAll(thread);
    return std::exchange(thread->critical_section, 0);
}
// May wait for another thread, and let the collector run meanwhile.
inline void resume_critical_sections(PyThreadState* thread, std::uintptr_t sections) {
    if (sections == 0) return;
    thread->critical_section = sections;
    _PyCriticalSection_Resume(thread);
}
#else
inline std::uintptr_t suspend_critical_sections(PyThreadState*) { return 0; }
inline void resume_critical_sections(PyThreadState*, std::uintptr_t) {}
#endif

// The chain of Python frames: up to 3.12 a record on the C stack points at it. From 3.15 on its last
// frame is always one of the thread state's, which profilers look for.
#if PY_VERSION_HEX >= 0x030D0000
inline void* get_frames(PyThreadState* thread) { return thread->current_frame; }
inline void set_frames(PyThreadState* thread, void* frames) {
    thread->current_frame = static_cast<_PyInterpreterFrame*>(frames);
}
inline _PyInterpreterFrame* innermost(void* frames) {
    return static_cast<_PyInterpreterFrame*>(frames);
}
#if PY_VERSION_HEX >= 0x030F0000
inline void* no_frames(PyThreadState* thread, void*) { return thread->base_frame; }
#else
inline void* no_frames(PyThreadState*, void*) { return nullptr; }
#endif
#else
inline void* get_frames(PyThreadState* thread) { return thread->cframe; }
inline void set_frames(PyThreadState* thread, void* frames) {
    thread->cframe = static_cast<_PyCFrame*>(frames);
}
inline _PyInterpreterFrame* innermost(void* frames) {
    return static_cast<_PyCFrame*>(frames)->current_frame;
}
inline void* no_frames(PyThreadState* thread, void* room) {
    static_assert(sizeof(_PyCFrame) <= 3 * sizeof(void*));
    auto* c_frame = new (room) _PyCFrame{};
    c_frame->previous = &thread->root_cframe;
    return c_frame;
}
#endif

// How often the events that tools want have changed, in steps, as far as this thread knows; below one
// step there may be other bits. Code says for which version it was changed.
#if PY_VERSION_HEX >= 0x030D0000
inline constexpr int kEventBits = 8;  // _PY_EVAL_EVENTS_BITS in pycore_ceval.h, which is not C++
inline constexpr std::uintptr_t kVersionStep = std::uintptr_t{1} << kEventBits;
inline std::uintptr_t instrumentation_word(PyThreadState* thread) {
    return _Py_atomic_load_uintptr_relaxed(&thread->eval_breaker);
}
#elif PY_VERSION_HEX >= 0x030C0000
struct InterpreterHead {  // the beginning of struct _is in pycore_interp.h, which is not C++
    PyInterpreterState* next;
    std::int64_t id;
    std::int64_t id_refcount;
    int requires_idref;
    PyThread_type_lock id_mutex;
    int initialized;
    int finalizing;
    std::uint64_t monitoring_version;
};
inline constexpr std::uintptr_t kVersionStep = 1;
inline std::uintptr_t instrumentation_word(PyThreadState* thread) {
    return reinterpret_cast<const InterpreterHead*>(thread->interp)->monitoring_version;
}
#else
inline constexpr std::uintptr_t kVersionStep = 1;
inline std::uintptr_t instrumentation_word(PyThreadState*) { return 0; }
#endif
inline std::uintptr_t instrumentation_version(PyThreadState* thread) {
    return instrumentation_word(thread) & ~(kVersionStep - 1);
}

#if PY_VERSION_HEX < 0x030C0000
// In 3.11 the eval loop looks for "is this thread traced" in the C frame of each stack.
inline void refresh_use_tracing(PyThreadState* thread) {
    const bool traced = thread->tracing == 0 &&
                        (thread->c_tracefunc != nullptr || thread->c_profilefunc != nullptr);
    thread->cframe->use_tracing = traced ? 255 : 0;
}
#else
inline void refresh_use_tracing(PyThreadState*) {}
#endif

}  // namespace scheduler::binding
