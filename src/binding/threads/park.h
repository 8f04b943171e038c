// Waiting for other threads with the GIL released: lengths of time, and the methods of ManagerBody.
#pragma once

#include <cstdint>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// A wait with a time is no deadlock. One that long is for waits that are none and have no end: a clock that is
// stopped does not move on to its deadline.
inline constexpr std::int64_t kEndlessWait = 220 * std::int64_t{365} * 86400 * core::kSecond;

// False, without an error, for a negative number and nan. More than there is room for is for ever
// (core::kNever).
bool to_nanoseconds(double seconds, std::int64_t* nanoseconds);
// A time in nanoseconds, of an argument in seconds: None means for ever (core::kNever). False with
// TypeError or ValueError set.
bool parse_any_timeout(PyObject* seconds, const char* name, std::int64_t* nanoseconds);
inline bool parse_timeout(PyObject* seconds, const char* name, std::int64_t* nanoseconds) {
    if (seconds != nullptr && PyLong_CheckExact(seconds)) {
        int too_large = 0;
        const long whole = PyLong_AsLongAndOverflow(seconds, &too_large);
        if (whole >= 0 && whole < core::kNever / core::kSecond) {
            *nanoseconds = whole * core::kSecond;
            return true;
        }
    }
    return parse_any_timeout(seconds, name, nanoseconds);
}
// When a wait of that length that begins now is over, by the monotonic clock.
std::int64_t deadline_after(std::int64_t nanoseconds);
// Sets TimeoutError: `what` (stolen; nullptr with an error set: that stays) was not done in that time, for
// `why`.
void raise_timeout(PyObject* what, std::int64_t nanoseconds, const char* why = "nobody came");

template <typename Predicate>
void ManagerBody::wait_for_others(Predicate has_come) {
    if (has_come()) return;
    const bool was_in_event_loop = return_from_event_loop();
    do {
        parking().announce();
        if (has_come()) {
            parking().cancel();
            break;
        }
        PyThreadState* const thread = PyEval_SaveThread();
        parking().wait(core::kNever);
        PyEval_RestoreThread(thread);
    } while (!has_come());
    if (was_in_event_loop) go_to_event_loop_or_wake();
}

}  // namespace scheduler::binding
