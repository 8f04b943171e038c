#include "binding/interp/frames.h"

#include <cstddef>

#include "binding/interp/interpreter.h"
#include "binding/interp/visibility.h"

namespace scheduler::binding {

namespace {

#if PY_VERSION_HEX >= 0x030F0000

int visit_reference(_PyStackRef& reference, visitproc visit, void* arg) {
    return PyStackRef_IsNullOrInt(reference) ? 0 : _PyGC_VisitStackRef(&reference, visit, arg);
}

#elif PY_VERSION_HEX >= 0x030E0000 && !defined(Py_GIL_DISABLED)

// A borrowed reference is counted elsewhere.
int visit_reference(_PyStackRef& reference, visitproc visit, void* arg) {
    if (PyStackRef_IsNullOrInt(reference) || (reference.bits & Py_TAG_REFCNT) != 0) return 0;
    return visit(PyStackRef_AsPyObjectBorrow(reference), arg);
}

#elif PY_VERSION_HEX >= 0x030E0000

// Without the GIL a deferred reference keeps its object alive without being counted: the collector must
// see it when it looks for what is reachable, and not when it compares counts. Which of the two it is
// about is known to CPython alone, and a generator's own traversal is the way there that it exports.
int visit_reference(_PyStackRef& reference, visitproc visit, void* arg) {
    if (PyStackRef_IsNullOrInt(reference)) return 0;
    PyGenObject carrier{};
    carrier.gi_frame_state = FRAME_SUSPENDED;
    carrier.gi_iframe.owner = FRAME_OWNED_BY_GENERATOR;
    carrier.gi_iframe.f_executable = PyStackRef_NULL;
    carrier.gi_iframe.f_funcobj = PyStackRef_NULL;
    carrier.gi_iframe.localsplus[0] = reference;
    carrier.gi_iframe.stackpointer = carrier.gi_iframe.localsplus + 1;
    return PyGen_Type.tp_traverse(reinterpret_cast<PyObject*>(&carrier), visit, arg);
}

#endif

#if PY_VERSION_HEX >= 0x030E0000

// All frames of a suspended stack are in a call, or in what looks like one: everything that they hold
// lies below their stack pointers. A generator visits its own frame.
int visit_frame(_PyInterpreterFrame* frame, visitproc visit, void* arg) {
    if (frame->owner != FRAME_OWNED_BY_THREAD) return 0;
    Py_VISIT(frame->f_locals);
    Py_VISIT(frame->frame_obj);
    int result = visit_reference(frame->f_executable, visit, arg);
    if (result == 0) result = visit_reference(frame->f_funcobj, visit, arg);
    for (_PyStackRef* at = frame->localsplus; result == 0 && at < frame->stackpointer; ++at) {
        result = visit_reference(*at, visit, arg);
    }
    return result;
}

#else

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

#endif

}  // namespace

int visit_frames(_PyInterpreterFrame* innermost, visitproc visit, void* arg) {
    for (auto* frame = innermost; frame != nullptr; frame = frame->previous) {
        const int result = visit_frame(frame, visit, arg);
        if (result != 0) return result;
    }
    return 0;
}

namespace {

// Calls `function` with each generator whose frame is in the chain.
template <typename Function>
void for_each_generator(_PyInterpreterFrame* innermost, Function function) {
    for (auto* frame = innermost; frame != nullptr; frame = frame->previous) {
        if (frame->owner != FRAME_OWNED_BY_GENERATOR) continue;
        std::byte* const generator =
            reinterpret_cast<std::byte*>(frame) - offsetof(PyGenObject, gi_iframe);
        function(reinterpret_cast<PyObject*>(generator));
    }
}

}  // namespace

bool spare_generators(_PyInterpreterFrame* innermost) {
    bool found = false;
    for_each_generator(innermost, [&found](PyObject* generator) {
        forbid_finalizing(generator);
        found = true;
    });
    return found;
}

bool stop_sparing_generators(_PyInterpreterFrame* innermost) {
    bool found = false;
    for_each_generator(innermost, [&found](PyObject* generator) {
        if (is_being_collected(generator)) {
            found = true;
        } else {
            allow_finalizing_again(generator);
        }
    });
    return found;
}

void visit_generators_being_collected(PyThreadState* thread, visitproc visit, void* arg) {
    for_each_generator(innermost(get_frames(thread)), [visit, arg](PyObject* generator) {
        if (is_being_collected(generator)) visit(generator, arg);
    });
}

#if PY_VERSION_HEX >= 0x030E0000 && defined(Py_GIL_DISABLED)
int visit_c_stack_references(void* references, visitproc visit, void* arg) {
    for (auto* at = static_cast<_PyCStackRef*>(references); at != nullptr; at = at->next) {
        const int result = visit_reference(at->ref, visit, arg);
        if (result != 0) return result;
    }
    return 0;
}
#else
int visit_c_stack_references(void*, visitproc, void*) { return 0; }
#endif

#if PY_VERSION_HEX >= 0x030F0000
void* cut_off_frames(void* frames, PyThreadState* thread) {
    const auto* const last = &reinterpret_cast<_PyThreadStateImpl*>(thread)->base_frame;
    auto* frame = static_cast<_PyInterpreterFrame*>(frames);
    if (frame == nullptr || frame == last) return nullptr;
    while (frame->previous != nullptr && frame->previous != last) frame = frame->previous;
    frame->previous = nullptr;
    return frames;
}
#else
void* cut_off_frames(void* frames, PyThreadState*) { return frames; }
#endif

}  // namespace scheduler::binding
