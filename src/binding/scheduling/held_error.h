// Errors that come too late to fail a wait.
//
// A wait that was served succeeds: one that fails says that nothing was transferred. What would have
// ended it (a signal handler's exception, throw(), the failure of another tasklet) is held back, and
// raised by the tasklet's next operation that can give control away, before that does anything. The one
// that holds an error is current, or drives those that are, until then.
//
// Owner thread, with the GIL.
#pragma once

#include <Python.h>

#include <chrono>
#include <vector>

namespace scheduler::binding {

struct ManagerBody;
struct ModuleState;
struct TaskletBody;

// A Python frame, borrowed and only compared, and the offset of its instruction.
struct CallInProgress {
    const PyFrameObject* frame;
    int instruction;
};

// Of one thread: there is one at most.
class HeldError {
  public:
    explicit HeldError(ManagerBody& manager) : manager_(manager) {}

    // Who has it as its pending error; nullptr: there is none.
    const TaskletBody* holder() const { return holder_; }
    // The current tasklet's operation is complete: holds back the error that is set, and clears it. False
    // for a tasklet that is to die of it, with what it has received.
    bool hold();
    // What is pending on the current tasklet is raised by its next operation.
    void hold_pending();
    // The current tasklet holds nothing back any more.
    void release_pending();
    // Raises it if the current tasklet holds it back: false then.
    bool check_none();
    // The thread ends: its main tasklet has no next operation. Reports what that holds back.
    void report();

  private:
    void set_holder(TaskletBody* tasklet);
    void raise_soon();
    void note_calls();
    // Is the result of the operation where an exception cannot lose it any more?
    bool is_stored() const;
    // Called by the interpreter on its main thread, between two instructions.
    static int raise_when_stored(void* of_module);
    static bool ask_interpreter(ModuleState& state);  // false: CPython has no room for the call

    ManagerBody& manager_;
    TaskletBody* holder_ = nullptr;
    // Of main, when it began to hold one back for which the interpreter was asked.
    std::vector<CallInProgress> calls_;  // the innermost first
    std::chrono::steady_clock::time_point noted_at_;
};

}  // namespace scheduler::binding
