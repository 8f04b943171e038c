// The fields, by version, are those of `struct _ts` in CPython's Include/cpython/pystate.h.

#include "interp_state.h"

#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#ifdef Py_GIL_DISABLED
#include <internal/pycore_critical_section.h>
#endif
#undef Py_BUILD_CORE

#include <new>
#include <utility>

#include "core/check.h"
#include "core/stack_pool.h"

namespace scheduler::binding {

namespace {

// Before 3.12 one count serves Python calls and C calls.
constexpr bool kCountsPythonCalls = PY_VERSION_HEX < 0x030C0000;
constexpr bool kCollectsWhenAllocating = PY_VERSION_HEX < 0x030C0000;

// What is left of a stack when C recursion has used up its allowance, for code that CPython does not
// count (no more than half of a stack), and the bytes of C stack that one counted level may cost at
// most. The dearest is a sort key that sorts: 5,003 bytes, and counted twice on 3.11 but three times
// and more later. With these every construct that CPython counts ends in RecursionError on stacks of
// any size.
constexpr std::size_t kReserveBytes = std::size_t{52} << 10;
constexpr std::size_t kBytesPerLevel = kCountsPythonCalls ? 2560 : 1750;

int recursion_allowance(const core::StackSpan& stack) {
    const auto bytes = static_cast<std::size_t>(stack.split - stack.bottom);
    const std::size_t reserve = bytes / 2 < kReserveBytes ? bytes / 2 : kReserveBytes;
    return static_cast<int>((bytes - reserve) / kBytesPerLevel);
}

// The root chunk of the interpreter's frame memory, laid over [split, top). Its first slot stays
// unused: by that CPython knows that the root chunk is empty and never frees it.
_PyStackChunk* root_chunk(const core::StackSpan& stack) {
    return reinterpret_cast<_PyStackChunk*>(stack.split);
}

#if PY_VERSION_HEX >= 0x030C0000
int* recursion_remaining(PyThreadState* thread) { return &thread->py_recursion_remaining; }
int recursion_limit(PyThreadState* thread) { return thread->py_recursion_limit; }
#else
int* recursion_remaining(PyThreadState* thread) { return &thread->recursion_remaining; }
int recursion_limit(PyThreadState* thread) { return thread->recursion_limit; }
#endif

#if PY_VERSION_HEX >= 0x030C0000
int get_c_recursion(PyThreadState* thread) { return thread->c_recursion_remaining; }
void set_c_recursion(PyThreadState* thread, int value) { thread->c_recursion_remaining = value; }
#else
int get_c_recursion(PyThreadState*) { return 0; }
void set_c_recursion(PyThreadState*, int) {}
#endif

// How deep the destruction of containers is nested on this stack. From 3.13 on the chain of those
// that wait belongs to the thread alone: whoever next has recursion to spare works it off.
#if PY_VERSION_HEX >= 0x030D0000
int get_trash_nesting(PyThreadState*) { return 0; }
void set_trash_nesting(PyThreadState*, int) {}
#elif PY_VERSION_HEX >= 0x030C0000
int get_trash_nesting(PyThreadState* thread) { return thread->trash.delete_nesting; }
void set_trash_nesting(PyThreadState* thread, int value) { thread->trash.delete_nesting = value; }
#else
int get_trash_nesting(PyThreadState* thread) { return thread->trash_delete_nesting; }
void set_trash_nesting(PyThreadState* thread, int value) { thread->trash_delete_nesting = value; }
#endif

// Without the GIL: the locks of objects that C code of this stack is working on. A stack that does not
// run must not keep them, or its own thread would wait for them in vain. Giving them back is what
// CPython does when a thread waits, see detach_thread() in its pystate.c: the code that has them copes.
#ifdef Py_GIL_DISABLED
std::uintptr_t suspend_critical_sections(PyThreadState* thread) {
    if (thread->critical_section == 0) return 0;
    _PyCriticalSection_SuspendAll(thread);
    return std::exchange(thread->critical_section, 0);
}
// May wait for another thread, and let the collector run meanwhile.
void resume_critical_sections(PyThreadState* thread, std::uintptr_t sections) {
    if (sections == 0) return;
    thread->critical_section = sections;
    _PyCriticalSection_Resume(thread);
}
#else
std::uintptr_t suspend_critical_sections(PyThreadState*) { return 0; }
void resume_critical_sections(PyThreadState*, std::uintptr_t) {}
#endif

// The chain of Python frames: up to 3.12 a record on the C stack points at it.
#if PY_VERSION_HEX >= 0x030D0000
void* get_frames(PyThreadState* thread) { return thread->current_frame; }
void set_frames(PyThreadState* thread, void* frames) {
    thread->current_frame = static_cast<_PyInterpreterFrame*>(frames);
}
_PyInterpreterFrame* innermost(void* frames) { return static_cast<_PyInterpreterFrame*>(frames); }
void* no_frames(PyThreadState*, void*) { return nullptr; }
#else
void* get_frames(PyThreadState* thread) { return thread->cframe; }
void set_frames(PyThreadState* thread, void* frames) {
    thread->cframe = static_cast<_PyCFrame*>(frames);
}
_PyInterpreterFrame* innermost(void* frames) {
    return static_cast<_PyCFrame*>(frames)->current_frame;
}
void* no_frames(PyThreadState* thread, void* room) {
    static_assert(sizeof(_PyCFrame) <= 3 * sizeof(void*));
    auto* c_frame = new (room) _PyCFrame{};
    c_frame->previous = &thread->root_cframe;
    return c_frame;
}
#endif

#if PY_VERSION_HEX < 0x030C0000
// In 3.11 the eval loop looks for "is this thread traced" in the C frame of each stack.
void refresh_use_tracing(PyThreadState* thread) {
    const bool traced = thread->tracing == 0 &&
                        (thread->c_tracefunc != nullptr || thread->c_profilefunc != nullptr);
    thread->cframe->use_tracing = traced ? 255 : 0;
}
#else
void refresh_use_tracing(PyThreadState*) {}
#endif

PyCodeObject* code_of(_PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030D0000
    return _PyFrame_GetCode(frame);
#else
    return frame->f_code;
#endif
}

PyObject* function_of(_PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030C0000
    return frame->f_funcobj;
#else
    return reinterpret_cast<PyObject*>(frame->f_func);
#endif
}

// A frame that the evaluation loop is in has no valid stack pointer: its local variables are all that
// can be seen of it. One that has called another Python function shows its stack as well.
int visit_locals(_PyInterpreterFrame* frame, visitproc visit, void* arg) {
    const int count = frame->stacktop >= 0 ? frame->stacktop : code_of(frame)->co_nlocalsplus;
    for (int i = 0; i < count; ++i) Py_VISIT(frame->localsplus[i]);
    return 0;
}

// A frame of the C stack has no fields. A generator visits its own frame, but not the local variables
// of one that runs (see gen_traverse and _PyFrame_Traverse).
int visit_frame(_PyInterpreterFrame* frame, visitproc visit, void* arg) {
    if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
        return frame->stacktop < 0 ? visit_locals(frame, visit, arg) : 0;
    }
    if (frame->owner != FRAME_OWNED_BY_THREAD) return 0;
    const int result = visit(reinterpret_cast<PyObject*>(code_of(frame)), arg);
    if (result != 0) return result;
    Py_VISIT(function_of(frame));
    Py_VISIT(frame->f_locals);
    Py_VISIT(frame->frame_obj);
    return visit_locals(frame, visit, arg);
}

}  // namespace

// On 3.11 every Python call counts against the C stack. Three MiB give a tasklet the whole default
// recursion limit of 1,000; later versions count C calls only.
const std::size_t kStackBytes = (kCountsPythonCalls ? 3 : 1) * core::kDefaultStackBytes;

#if PY_VERSION_HEX >= 0x030C0000
PyObject* take_error() { return PyErr_GetRaisedException(); }
void raise_error(PyObject* stolen) { PyErr_SetRaisedException(stolen); }
#else
PyObject* take_error() {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == nullptr) return nullptr;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) PyException_SetTraceback(value, traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
}
void raise_error(PyObject* stolen) {
    if (stolen == nullptr) {
        PyErr_Clear();
        return;
    }
    PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(stolen))), stolen,
                  PyException_GetTraceback(stolen));
}
#endif

void raise_here(PyObject* stolen) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(stolen)), stolen);
    Py_DECREF(stolen);
}

#if PY_VERSION_HEX >= 0x030D0000
PyThreadState* this_thread_state() { return PyThreadState_GetUnchecked(); }
#else
PyThreadState* this_thread_state() { return _PyThreadState_UncheckedGet(); }
#endif

#if PY_VERSION_HEX >= 0x030C0000
bool holds_gil() { return this_thread_state() != nullptr; }
#else
// In 3.11 the current thread state is that of whoever holds the GIL. One of a sub-interpreter may be
// used by other threads than its own: then this is a guess.
bool holds_gil() {
    if (PyGILState_Check() == 0) return false;
    PyThreadState* const current = this_thread_state();
    if (current == nullptr || current == PyGILState_GetThisThreadState()) return current != nullptr;
    return current->thread_id == PyThread_get_thread_ident() ||
           current->interp != PyInterpreterState_Main();
}
#endif

#ifdef Py_GIL_DISABLED
// A thread that does not own the object sees only the references of threads that do not own it
// either, unless the object is marked: the owner then makes its own visible before it destroys the
// object (_Py_TryIncref() and _PyObject_SetMaybeWeakref() in CPython's pycore_object.h).
void allow_try_incref(PyObject* object) {
    Py_ssize_t shared = _Py_atomic_load_ssize_relaxed(&object->ob_ref_shared);
    while ((shared & _Py_REF_SHARED_FLAG_MASK) == 0 &&
           _Py_atomic_compare_exchange_ssize(&object->ob_ref_shared, &shared,
                                             shared | _Py_REF_MAYBE_WEAKREF) == 0) {
    }
}
bool try_incref(PyObject* object) {
    if (_Py_IsOwnedByCurrentThread(object) != 0) {
        if (Py_REFCNT(object) == 0) return false;
        Py_INCREF(object);
        return true;
    }
    Py_ssize_t shared = _Py_atomic_load_ssize_relaxed(&object->ob_ref_shared);
    do {
        if (shared == 0 || shared == _Py_REF_MERGED) return false;
    } while (_Py_atomic_compare_exchange_ssize(&object->ob_ref_shared, &shared,
                                               shared + (1 << _Py_REF_SHARED_SHIFT)) == 0);
    return true;
}
// _PyGC_BITS_FINALIZED and _PyGC_BITS_UNREACHABLE of pycore_gc.h, which is not C++. The collector sets
// the second one while all threads stand still, and until it is cleared the bits are the collector's.
constexpr std::uint8_t kFinalized = 2;
constexpr std::uint8_t kUnreachable = 4;
bool is_found_by_collector(PyObject* object) {
    return (_Py_atomic_load_uint8_relaxed(&object->ob_gc_bits) & kUnreachable) != 0;
}
void allow_finalizing_again(PyObject* object) {
    const std::uint8_t bits = _Py_atomic_load_uint8_relaxed(&object->ob_gc_bits);
    if ((bits & (kFinalized | kUnreachable)) != kFinalized) return;
    _Py_atomic_store_uint8_relaxed(&object->ob_gc_bits,
                                   static_cast<std::uint8_t>(bits & ~kFinalized));
}
#else
// The collector holds a reference of its own, beside those of the cycle.
bool is_found_by_collector(PyObject* object) { return Py_REFCNT(object) > 1; }
// The second word before the object is PyGC_Head::_gc_prev, whose lowest bit says "finalized"
// (_PyGC_PREV_MASK_FINALIZED in pycore_gc.h, which is not C++).
void allow_finalizing_again(PyObject* object) {
    reinterpret_cast<std::uintptr_t*>(object)[-1] &= ~std::uintptr_t{1};
}
void allow_try_incref(PyObject*) {}
bool try_incref(PyObject* object) {
    if (Py_REFCNT(object) == 0) return false;
    Py_INCREF(object);
    return true;
}
#endif

bool has_other_threads() {
    PyThreadState* const thread = this_thread_state();
    return PyInterpreterState_ThreadHead(thread->interp) != thread ||
           PyThreadState_Next(thread) != nullptr;
}

ThreadName name_of(PyThreadState* thread) {
    return {PyInterpreterState_GetID(thread->interp), PyThreadState_GetID(thread)};
}

#if PY_VERSION_HEX >= 0x030C0000
bool is_being_cleared(PyThreadState* thread) { return thread->_status.finalizing != 0; }
#else
bool is_being_cleared(PyThreadState*) { return false; }
#endif

bool has_dictionary(PyThreadState* thread) { return thread->dict != nullptr; }

bool has_context(PyThreadState* thread) { return thread->context != nullptr; }

void InterpState::save(PyThreadState* thread) {
    critical_section_ = suspend_critical_sections(thread);
    frames_ = get_frames(thread);
    exc_info_ = thread->exc_info;
    datastack_chunk_ = thread->datastack_chunk;
    datastack_top_ = thread->datastack_top;
    datastack_limit_ = thread->datastack_limit;
    context_ = thread->context;
    limit_ = recursion_limit(thread);
    depth_ = limit_ - *recursion_remaining(thread);
    c_recursion_remaining_ = get_c_recursion(thread);
    trash_nesting_ = get_trash_nesting(thread);
    tracing_ = thread->tracing;
}

const void* InterpState::first_read() const { return innermost(frames_); }

void InterpState::restore(PyThreadState* thread) const {
    set_frames(thread, frames_);
    thread->exc_info = exc_info_;
    thread->datastack_chunk = datastack_chunk_;
    thread->datastack_top = datastack_top_;
    thread->datastack_limit = datastack_limit_;
    thread->context = context_;
    ++thread->context_ver;
    const int limit = recursion_limit(thread);
    const bool is_new_limit = kCountsPythonCalls && limit != limit_;
    *recursion_remaining(thread) = limit - (is_new_limit ? depth_for_new_limit(thread) : depth_);
    set_c_recursion(thread, c_recursion_remaining_);
    set_trash_nesting(thread, trash_nesting_);
    thread->tracing = tracing_;
    refresh_use_tracing(thread);
    resume_critical_sections(thread, critical_section_);
}

// Where one count serves Python calls and C calls, a limit above what the stack has room for is
// honoured in part: the rest counts as used up. How much that is depends on the limit.
int InterpState::depth_for_new_limit(PyThreadState* thread) const {
    _PyErr_StackItem* handled = exc_info_;
    while (handled->previous_item != nullptr) handled = handled->previous_item;
    if (handled == &thread->exc_state) return depth_;  // the thread's own stack
    auto* base = reinterpret_cast<StackBase*>(reinterpret_cast<std::byte*>(handled) -
                                              offsetof(StackBase, handled_));
    const int calls = depth_ - base->withheld_;
    const int limit = recursion_limit(thread);
    base->withheld_ = limit > base->allowance_ ? limit - base->allowance_ : 0;
    return calls + base->withheld_;
}

void StackBase::enter(PyThreadState* thread, const core::StackSpan& stack, PyObject* context) {
    _PyStackChunk* chunk = root_chunk(stack);
    chunk->previous = nullptr;
    chunk->size = static_cast<std::size_t>(stack.top - stack.split);
    chunk->top = 0;
    thread->datastack_chunk = chunk;
    thread->datastack_top = &chunk->data[1];
    thread->datastack_limit = reinterpret_cast<PyObject**>(stack.top);

    handled_.exc_value = nullptr;
    handled_.previous_item = nullptr;
    thread->exc_info = &handled_;
    thread->context = context;
    ++thread->context_ver;
    thread->tracing = 0;
    set_trash_nesting(thread, 0);
    set_frames(thread, no_frames(thread, c_frame_));

    allowance_ = recursion_allowance(stack);
    const int limit = recursion_limit(thread);
    withheld_ = kCountsPythonCalls && allowance_ < limit ? limit - allowance_ : 0;
    *recursion_remaining(thread) = limit - withheld_;
    set_c_recursion(thread, allowance_);
    refresh_use_tracing(thread);
}

PyObject* StackBase::leave(PyThreadState* thread, const core::StackSpan& stack) {
    SCHED_CHECK(thread->datastack_chunk == root_chunk(stack) &&
                    thread->datastack_top == &root_chunk(stack)->data[1],
                "a tasklet ended with Python frames left on its stack");
    return abandon(thread);
}

PyObject* StackBase::abandon(PyThreadState* thread) {
    suspend_critical_sections(thread);
    PyObject* context = thread->context;
    thread->context = nullptr;
    return context;
}

PyObject* InterpState::frame(PyThreadState* thread) const {
    // CPython makes the frame object that the thread state points at. On 3.11 making one may start a
    // collection, whose finalizers must not run with the wrong frame in place.
    const int collecting = kCollectsWhenAllocating ? PyGC_Disable() : 0;
    void* const own = get_frames(thread);
    set_frames(thread, frames_);
    PyFrameObject* frame = PyThreadState_GetFrame(thread);
    set_frames(thread, own);
    if (collecting != 0) PyGC_Enable();
    return reinterpret_cast<PyObject*>(frame);
}

int InterpState::traverse(visitproc visit, void* arg) const {
    Py_VISIT(context_);
    for (auto* frame = innermost(frames_); frame != nullptr; frame = frame->previous) {
        const int result = visit_frame(frame, visit, arg);
        if (result != 0) return result;
    }
    const _PyErr_StackItem* handled = exc_info_;
    while (handled->previous_item != nullptr) handled = handled->previous_item;
    Py_VISIT(handled->exc_value);
    return 0;
}

}  // namespace scheduler::binding
