// A tasklet that overflows its stack ends the process with a message that names it.
//
// CPython counts most recursion in C and ends it in RecursionError long before. What it does not count
// runs into the guard: SIGSEGV, on a stack that has no room for a handler. So each thread that has
// a schedule manager gets an alternate stack for signals, unless it has one, and the process a handler
// that looks whether the address is that of a guard. The handler that was there before is called
// afterwards, and at once for any other fault.
//
// A program may set its own handler later, as faulthandler.enable() does: it then runs instead, on the
// alternate stack if it asks for one.
#pragma once

namespace scheduler::binding {

// Prepares the process and the calling thread. Cheap when that has been done.
void watch_for_overflow();

}  // namespace scheduler::binding
