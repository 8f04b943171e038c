// What the cycle collector can be shown.
#pragma once

#include <Python.h>

namespace scheduler::binding {

// Does InterpState::traverse() see every reference that Python frames own? Before 3.14 evaluation stacks
// hide some; without the GIL deferred references are not counted.
#if PY_VERSION_HEX >= 0x030E0000 && !defined(Py_GIL_DISABLED)
inline constexpr bool kSeesWholeFrames = true;
#else
inline constexpr bool kSeesWholeFrames = false;
#endif

// Calls `visit` with each generator on the running stack that a collection has found which is not over. It is
// not to be finalised: see spare_generators().
void visit_generators_being_collected(PyThreadState* thread, visitproc visit, void* arg);

}  // namespace scheduler::binding
