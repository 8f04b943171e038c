#include "binding/interp/interpreter.h"

#include "binding/interp/c_stack.h"

namespace scheduler::binding {

bool check_interpreter() {
    constexpr unsigned long kMinorVersion = 16;  // bits of Py_Version below it
    if (Py_Version >> kMinorVersion != PY_VERSION_HEX >> kMinorVersion) {
        PyErr_Format(
            PyExc_ImportError,
            "this _scheduler was built for CPython %d.%d, and this is %lu.%lu: install the "
            "scheduler again with it",
            PY_MAJOR_VERSION, PY_MINOR_VERSION, Py_Version >> 24, Py_Version >> 16 & 0xFF);
        return false;
    }
    if (!find_c_stack_bounds(this_thread_state())) {
        PyErr_Format(
            PyExc_ImportError,
            "this _scheduler, built with CPython " PY_VERSION
            ", cannot find where CPython %lu.%lu.%lu keeps the bounds of the C stack: build "
            "the scheduler from source with it, or take a newer release",
            Py_Version >> 24, Py_Version >> 16 & 0xFF, Py_Version >> 8 & 0xFF);
        return false;
    }
    return true;
}

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
// _PyGC_BITS_FINALIZED and _PyGC_BITS_UNREACHABLE of pycore_gc.h, which is not C++. The collector sets
// the second one while all threads stand still, and until it is cleared the bits are the collector's.
constexpr std::uint8_t kFinalized = 2;
constexpr std::uint8_t kUnreachable = 4;
bool is_being_collected(PyObject* object) {
    return (_Py_atomic_load_uint8_relaxed(&object->ob_gc_bits) & kUnreachable) != 0;
}
bool is_found_by_collector(PyObject* object) { return is_being_collected(object); }
void mark_finalized(PyObject* object, std::uint8_t mark) {
    const std::uint8_t bits = _Py_atomic_load_uint8_relaxed(&object->ob_gc_bits);
    if ((bits & kUnreachable) != 0) return;
    const auto marked = static_cast<std::uint8_t>((bits & ~kFinalized) | mark);
    if (marked != bits) _Py_atomic_store_uint8_relaxed(&object->ob_gc_bits, marked);
}
void allow_finalizing_again(PyObject* object) { mark_finalized(object, 0); }
void forbid_finalizing(PyObject* object) { mark_finalized(object, kFinalized); }
#else
// The collector holds a reference of its own, beside those of the cycle.
bool is_found_by_collector(PyObject* object) { return Py_REFCNT(object) > 1; }
// The word before the object is PyGC_Head::_gc_prev; its lowest bits are _PyGC_PREV_MASK_FINALIZED and
// _PyGC_PREV_MASK_COLLECTING of pycore_gc.h, which is not C++. While finalizers run the second one is set
// in what the collection has found, and in nothing else.
constexpr std::uintptr_t kFinalized = 1;
constexpr std::uintptr_t kCollecting = 2;
std::uintptr_t& collector_bits(PyObject* object) {
    return reinterpret_cast<std::uintptr_t*>(object)[-1];
}
bool is_being_collected(PyObject* object) { return (collector_bits(object) & kCollecting) != 0; }
void allow_finalizing_again(PyObject* object) { collector_bits(object) &= ~kFinalized; }
void forbid_finalizing(PyObject* object) { collector_bits(object) |= kFinalized; }
#endif

#if PY_VERSION_HEX >= 0x030E0000
void allow_try_incref(PyObject* object) { PyUnstable_EnableTryIncRef(object); }
bool try_incref(PyObject* object) { return PyUnstable_TryIncRef(object) != 0; }
#elif defined(Py_GIL_DISABLED)
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
#else
void allow_try_incref(PyObject*) {}
bool try_incref(PyObject* object) {
    if (Py_REFCNT(object) == 0) return false;
    Py_INCREF(object);
    return true;
}
#endif

// Without the lock of CPython's list, which other threads may change meanwhile. Two words are read, and
// no entry but the calling thread's own: a thread that is there all the time stands before it, and then
// it is not the head, or behind it, and then it has a next one. Of a thread that comes or goes either
// answer is right.
bool has_other_threads() {
    PyThreadState* const thread = this_thread_state();
    return PyInterpreterState_ThreadHead(thread->interp) != thread ||
           PyThreadState_Next(thread) != nullptr;
}

ThreadKey key_of(PyThreadState* thread) {
    return {PyInterpreterState_GetID(thread->interp), PyThreadState_GetID(thread)};
}

#if PY_VERSION_HEX >= 0x030C0000
bool is_being_cleared(PyThreadState* thread) { return thread->_status.finalizing != 0; }
#else
bool is_being_cleared(PyThreadState*) { return false; }
#endif

bool has_dictionary(PyThreadState* thread) { return thread->dict != nullptr; }

bool has_context(PyThreadState* thread) { return thread->context != nullptr; }

}  // namespace scheduler::binding
