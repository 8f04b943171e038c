// Checks of the core's own invariants. A failed check is a defect of this library or of the code
// that drives it, never an error of a user's program: those come back as values.
//
// SCHED_CHECK guards memory, so it stays on in every build. SCHED_DCHECK is for what is too dear
// for a hot path; it vanishes with NDEBUG, but its condition must still compile.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace scheduler::core {

// Prints "file:line: message (condition)" on stderr and aborts. Out of line and cold, so that a
// check costs its caller one compare and one jump that is never taken.
[[noreturn, gnu::cold, gnu::noinline]] inline void check_failed(const char* condition,
                                                                const char* message,
                                                                const char* file, int line) {
    std::fprintf(stderr, "scheduler: %s:%d: check failed: %s (%s)\n", file, line, message,
                 condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace scheduler::core

#define SCHED_CHECK(condition, message) \
    (__builtin_expect(!!(condition), 1) \
         ? static_cast<void>(0)         \
         : ::scheduler::core::check_failed(#condition, message, __FILE__, __LINE__))

#ifdef NDEBUG
#define SCHED_DCHECK(condition, message) static_cast<void>(sizeof(!(condition)))
#else
#define SCHED_DCHECK(condition, message) SCHED_CHECK(condition, message)
#endif
