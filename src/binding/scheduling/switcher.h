// Where control goes: the only callers of core::Context. Run loops, suspending, and the beginning and
// end of a tasklet's stack.
//
// The core decides and this file acts. Between the end of one turn and the beginning of the next the
// code runs on the stack of the tasklet that gives control away, although the core already names
// another one as current. No Python may switch then, and what has to be dropped goes to the
// manager's deferred references, for whoever has control next.
//
// All functions: owner thread, with the GIL. Those that return bool: false with an error set.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// May the current tasklet give control away at all? Not with a switch trap set, inside a schedule
// callback, or while it is being unwound (then TaskletExit is raised once more).
bool check_can_switch(ManagerBody& manager);
bool cannot_switch(const ManagerBody& manager);

// Hands out turns with the current tasklet as driver: from `first` to the last entry of the queue as
// of now, or without `first` to all that stand behind the driver, until nothing is left.
bool run_queue(ManagerBody& manager, TaskletBody* first);

// Raises what is pending on the current tasklet, if anything: false then. It came during the turn, and
// one that would leave the queue may never have another turn for it.
bool check_nothing_pending(ManagerBody& manager);

// The current tasklet's turn ends; returns when it has its next one. Main, which has no turn, drives
// its queue instead. A pending exception is raised.
//
// kBlock: it is in the wait queue of a channel. Main waits for other threads if nothing on its own can
// unblock it, and fails with Deadlock if they do not. On failure the caller is out of the wait queue.
//
// Call it at one place for all cases: the processor predicts where a call returns to by the calls that
// came before, and is right after a switch only if both stacks have made the same.
bool suspend(ManagerBody& manager, core::Ending how);

// Gets `target` going at once, according to the mode: nested, a loop that starts at it; flat, it goes
// next and the current tasklet after it.
bool switch_now(ManagerBody& manager, TaskletBody& target);
// Would switch_now() refuse to act on this target? Sets the error.
bool check_switch_target(ManagerBody& manager, const TaskletBody& target);

// Raises `exit` in a tasklet that is suspended, in no queue and no wait queue, and lets it run until it
// is dead. One that suspends again and again is abandoned. Errors are reported as unraisable. No error
// may be set.
void unwind(ManagerBody& manager, TaskletBody& victim, PyRef exit);

}  // namespace scheduler::binding
