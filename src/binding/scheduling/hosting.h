// A thread whose main tasklet is in a loop of the program's, its host: an event loop, that of a game.
//
// The host pumps: it has the manager run what is runnable, for a while, and come back. In between it is
// with itself, asleep perhaps, and is woken when there is something to do.
//
// All functions need the GIL. Those that return bool: false with an error set.
#pragma once

#include <Python.h>

#include <cstdint>

#include "core/parking.h"

namespace scheduler::binding {

struct ManagerBody;
struct ModuleState;

// How the program wants its host to be woken: by eight bytes to a file descriptor, or by a function that
// leaves Python alone.
struct LoopWaker final : core::Waker {
    void wake() override;
    enum class Kind : unsigned char { kDescriptor, kFunction };
    bool is_set() const { return fd >= 0 || function != nullptr; }
    // Nothing is of either kind.
    bool is(Kind kind) const { return !is_set() || (fd < 0) == (kind == Kind::kFunction); }

    int fd = -1;
    void (*function)(void* data) = nullptr;
    void* data = nullptr;
};

// Can it be written to by anybody at any time?
bool check_waker_fd(int fd);

// How the loop of the calling thread is woken from now on, at once if there is something to do; if nothing is
// set, it is not. One of another kind is somebody else's, and is refused to be replaced.
bool set_waker(ModuleState& state, const LoopWaker& waker, LoopWaker::Kind kind,
               int* previous_fd = nullptr);

// Seconds until the next timer of the calling thread is due, 0 if one is; infinity: there is none.
double tell_next_deadline(ModuleState& state);

// For the main tasklet: runs what is queued, for `turns` and for `nanoseconds` at most. With neither
// (core::kNever), as many turns as tasklets are queued now. 1: more is runnable, 0: nothing is, -1: an
// error is set.
int pump(ModuleState& state, std::int64_t turns, std::int64_t nanoseconds);

}  // namespace scheduler::binding
