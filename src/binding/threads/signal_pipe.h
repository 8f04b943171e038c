// Where the process's main thread sleeps when it sleeps long: on a pipe that CPython's signal handler
// writes to.
//
// A signal ends a sleep on a futex, unless it comes in the moment between the last look for signals and
// the sleep. A byte in a pipe waits for whoever sleeps next.
#pragma once

#include "binding/module/module.h"
#include "core/parking.h"

namespace scheduler::binding {

// While it is open, signals write to it, as signal.set_wakeup_fd() has them do. A pipe of its own for
// each sleep, so that no program sees a file descriptor for long that it did not open, or closes ours.
class SignalPipe final : public core::SleepingPlace {
  public:
    // The process's main thread, attached, in all but wake().
    SignalPipe() = default;
    SignalPipe(const SignalPipe&) = delete;
    SignalPipe& operator=(const SignalPipe&) = delete;
    ~SignalPipe() { close(); }

    // False: there is none to be had, so signals have to be looked for.
    bool open(ModuleState& state);
    // The program's own wake-up file descriptor is set again, and gets what it would have got.
    void close();
    // In a process that another thread has forked: the sleeper is gone.
    static void close_all();

    core::Wakeup sleep(std::int64_t deadline) override;
    void wake() override;

  private:
    void pass_signals_on();

    static SignalPipe* innermost_;  // that is open
    SignalPipe* outer_ = nullptr;  // of a wait in which a signal handler waits in turn
    int read_end_ = -1;
    int write_end_ = -1;
    int others_ = -1;  // the program's, or -1
};

}  // namespace scheduler::binding
