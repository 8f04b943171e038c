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

}  // namespace scheduler::binding
