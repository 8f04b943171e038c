#include "binding/interp/c_stack.h"

#include <algorithm>
#include <cstring>

#include "core/stack_pool.h"

#if PY_VERSION_HEX >= 0x030E0000
// The first releases of 3.14 lack this function, in their headers as well.
PyAPI_FUNC(int) PyUnstable_ThreadState_SetStackProtection(PyThreadState*, void*, std::size_t);
#pragma weak PyUnstable_ThreadState_SetStackProtection
#endif

namespace scheduler::binding {

namespace {

// What is left of a stack when C recursion has used up its allowance, for code that CPython does not
// count (no more than half of a stack), and the bytes of C stack that one counted level may cost at
// most. The dearest is a sort key that sorts: 5,003 bytes, and counted twice on 3.11 but three times
// and more later. With these every construct that CPython counts ends in RecursionError on stacks of
// any size.
constexpr std::size_t kReserveBytes = std::size_t{52} << 10;
constexpr std::size_t kBytesPerLevel = kCountsPythonCalls ? 2560 : 1750;

}  // namespace

int recursion_allowance(const core::StackSpan& stack) {
    const auto bytes = static_cast<std::size_t>(stack.split - stack.bottom);
    const std::size_t reserve = bytes / 2 < kReserveBytes ? bytes / 2 : kReserveBytes;
    return static_cast<int>((bytes - reserve) / kBytesPerLevel);
}

#if PY_VERSION_HEX >= 0x030E0000

std::atomic<std::ptrdiff_t> c_stack_bounds_offset{offsetof(_PyThreadStateImpl, c_stack_top)};

namespace {

constexpr std::uintptr_t kMargin = _PyOS_STACK_MARGIN_BYTES;

// How far from where this module's headers have them the bounds may lie, in words. Both ends are inside
// of the thread state of every release.
constexpr std::ptrdiff_t kWordsBefore = 8;
constexpr std::ptrdiff_t kWordsBehind = 4;

CStackBounds read_bounds(const std::byte* at) {
    CStackBounds bounds;
    std::memcpy(&bounds, at, sizeof bounds);
    return bounds;
}

// Calls `fits(bounds)` for each place where they may lie; the only one that fits, or nullptr.
template <typename Fits>
std::byte* only_place(PyThreadState* thread, Fits fits) {
    auto* const expected =
        reinterpret_cast<std::byte*>(thread) + offsetof(_PyThreadStateImpl, c_stack_top);
    constexpr std::ptrdiff_t kWord = sizeof(std::uintptr_t);
    std::byte* found = nullptr;
    for (std::ptrdiff_t word = -kWordsBefore; word <= kWordsBehind; ++word) {
        std::byte* const at = expected + word * kWord;
        if (!fits(read_bounds(at))) continue;
        if (found != nullptr) return nullptr;
        found = at;
    }
    return found;
}

// Sets bounds that nobody else has, looks where they appear, and takes them out again.
std::byte* find_by_setting(PyThreadState* thread) {
    std::byte before[(kWordsBefore + kWordsBehind + 3) * sizeof(std::uintptr_t)];
    std::byte* const window = reinterpret_cast<std::byte*>(thread) +
                              offsetof(_PyThreadStateImpl, c_stack_top) -
                              kWordsBefore * sizeof(std::uintptr_t);
    std::memcpy(before, window, sizeof before);
    // Around the stack pointer: whoever checks the bounds meanwhile is inside of them.
    auto* const bottom = reinterpret_cast<std::byte*>(&before) - 64 * kMargin;
    const CStackBounds set = bounds_of({bottom, bottom + 128 * kMargin, nullptr});
    if (PyUnstable_ThreadState_SetStackProtection(thread, bottom, 128 * kMargin) != 0) {
        PyErr_Clear();
        return nullptr;
    }
    std::byte* const found = only_place(thread, [&set](const CStackBounds& at) {
        return at.top == set.top && at.soft_limit > at.hard_limit && at.soft_limit < set.top &&
               at.hard_limit >= set.hard_limit - kMargin;
    });
    std::memcpy(window, before, sizeof before);
    return found;
}

// The bounds that the interpreter has found out by itself: around the stack that is running, or around
// another one of this thread.
std::byte* find_by_looking(PyThreadState* thread) {
    constexpr std::uintptr_t kLargest = std::uintptr_t{1} << 36;
    return only_place(thread, [](const CStackBounds& at) {
        return at.hard_limit % alignof(void*) == 0 && at.soft_limit - at.hard_limit == kMargin &&
               at.top > at.soft_limit && at.top - at.soft_limit < kLargest;
    });
}

}  // namespace

bool find_c_stack_bounds(PyThreadState* thread) {
    std::byte* const found = &PyUnstable_ThreadState_SetStackProtection != nullptr
                                 ? find_by_setting(thread)
                                 : find_by_looking(thread);
    if (found == nullptr) return false;
    c_stack_bounds_offset = found - reinterpret_cast<std::byte*>(thread);
    return true;
}

void share_c_stack(PyThreadState& host, PyThreadState& thread) {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    const auto encloses = [here](const CStackBounds& bounds) {
        return bounds.hard_limit - kMargin <= here && here < bounds.top;
    };
    CStackBounds& own = *c_stack_bounds(&thread);
    const CStackBounds& running = *c_stack_bounds(&host);
    if (!encloses(own) && encloses(running)) own = running;
}

namespace {

// CPython 3.14 optimises in buffers on the C stack.
bool jit_needs_stack() {
    if (PY_VERSION_HEX >= 0x030F0000) return false;
    PyObject* const jit = PySys_GetObject("_jit");
    PyObject* const answer =
        jit != nullptr ? PyObject_CallMethod(jit, "is_enabled", nullptr) : nullptr;
    const bool is_enabled = answer == Py_True;
    Py_XDECREF(answer);
    PyErr_Clear();
    return is_enabled;
}

}  // namespace

// Two margins lie below the limit, and `except RecursionError` at the top of the stack needs most of
// another two above it. With the guard and the frames 100 KiB were enough for each construct that
// recurses, and 162 KiB where traces are optimised there.
std::size_t least_stack_bytes() {
    static const std::size_t least = (jit_needs_stack() ? 11 : 7) * kMargin;
    return std::max(core::kMinStackBytes, least);
}

CStackBounds bounds_of(const core::StackSpan& stack) {
    const auto bottom = reinterpret_cast<std::uintptr_t>(stack.bottom);
    return {reinterpret_cast<std::uintptr_t>(stack.split), bottom + 2 * kMargin, bottom + kMargin};
}

#else

std::size_t least_stack_bytes() { return core::kMinStackBytes; }
bool find_c_stack_bounds(PyThreadState*) { return true; }
CStackBounds bounds_of(const core::StackSpan&) { return {}; }

#endif

}  // namespace scheduler::binding
