// The jump from one C stack to another: the one file that knows Boost.Context, together with jump.S.
//
// A processor predicts where a `ret` leads by a stack of its own, which `call` fills. Boost's code for
// x86-64 goes on with the other stack by popping its return address and jumping there, so the entry of
// the `call` that led into that code stays, and every later `ret` is predicted one entry off: about 6 ns
// for each function that returns between the jump and a loop in which both stacks began. Entered
// without a `call`, by scheduler_core_jump(), it leaves as many entries as it finds.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <boost/version.hpp>
#include <cstddef>

#include "sanitizer.h"

extern "C" {
// In jump.S.
boost::context::detail::transfer_t scheduler_core_jump(boost::context::detail::fcontext_t to,
                                                       void* data);
}

namespace scheduler::core {

// Whose jump it is, for bug reports: such as "Boost.Context 1_74".
inline constexpr char kJumpLibrary[] = "Boost.Context " BOOST_LIB_VERSION;

// Is it entered without a `call`? Elsewhere than on x86-64 Boost's code ends by a `ret` of its own. Not
// with shadow stacks (-fcf-protection=full or return), where a `ret` without its `call` is an attack,
// and not under sanitizers, for which no speed is worth a difference.
#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__) && \
    !defined(SCHED_ANY_SANITIZER) && !defined(SCHED_PLAIN_JUMP)
#if defined(__CET__) && (__CET__ & 2) != 0
inline constexpr bool kPairsReturns = false;
#else
inline constexpr bool kPairsReturns = true;
#endif
#else
inline constexpr bool kPairsReturns = false;
#endif

// Where a stack that does not run goes on.
using StackPosition = boost::context::detail::fcontext_t;
// What a stack finds when it has been entered: `fctx`, where the one it came from stopped, and `data`.
using Arrival = boost::context::detail::transfer_t;

// Leaves the running stack and goes on at `to`. Returns when somebody jumps back.
SCHED_ALWAYS_INLINE Arrival jump(StackPosition to, void* data) {
    if constexpr (kPairsReturns) {
        return scheduler_core_jump(to, data);
    } else {
        return boost::context::detail::jump_fcontext(to, data);
    }
}

// Lays out the memory below `top` so that a jump to the result calls `begin` there.
inline StackPosition first_position(void* top, std::size_t bytes, void (*begin)(Arrival)) {
    return boost::context::detail::make_fcontext(top, bytes, begin);
}

}  // namespace scheduler::core
