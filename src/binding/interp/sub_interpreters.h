// Sub-interpreters on tasklets' stacks. Code that an interpreter runs on a tasklet's stack has a thread
// state of its own, which from CPython 3.14 on knows the bounds of the OS thread's stack only: there
// destructors would be put off for ever and RecursionError would come too late.
//
// Nobody tells when such code begins. An audit hook sees it, but one slows the interpreter (40 ns for
// each call of id()), so it is added when the module that makes sub-interpreters is imported, and no
// earlier.
#pragma once

#include <Python.h>

namespace scheduler::binding {

// The thread state that has the bounds of the stack on which the calling OS thread runs a tasklet, or
// nullptr.
using HostThread = PyThreadState* (*)();

inline constexpr int kNoWatcher = -1;

// To be called once for each module object; `watcher` is for unwatch_sub_interpreters(). False with an
// error set. Before 3.14 there is nothing to do.
bool watch_sub_interpreters(HostThread host, int& watcher);
void unwatch_sub_interpreters(int watcher);

}  // namespace scheduler::binding
