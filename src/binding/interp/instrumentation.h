// What tools that trace, profile or monitor have CPython put into the code that they watch. From 3.12
// on, when the events that some tool wants change, CPython does that at once for the code of all frames
// in the chains of its threads, and for other code when that is called next. The frames of a stack that
// does not run are in no chain: they get theirs when the stack goes on.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>

namespace scheduler::binding {

// Does a function of such a tool run, between two instructions of the code that it watches?
inline bool in_trace_function(const PyThreadState* thread) { return thread->tracing != 0; }

// One for each interpreter.
class Instrumentation {
  public:
    // Gives the frames of the stack that runs what CPython would have given them meanwhile. Runs no
    // Python code; no error may be set. Without memory they miss events.
    void catch_up(PyThreadState* thread);

  private:
    bool is_current(std::uint64_t version, std::uint64_t current) const;
    void note_same(std::uint64_t before, std::uint64_t after);

    // From 3.14 on to give a tool's number back counts as a change. The first and the last version of the
    // newest that differ by nothing else: 32 bits each.
    std::atomic<std::uint64_t> same_{0};
};

}  // namespace scheduler::binding
