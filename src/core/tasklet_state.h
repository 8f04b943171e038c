// The state of a tasklet, and every way from one to another.
//
//           become_new             start_turn              end_turn
//     kDead ----------> kNew ---------------> kRunning ------------> kReady (queued or paused)
//       ^                                      |   ^                  |
//       |                                      |   +------------------+ start_turn
//       |  die                                 | block
//       +------ any state but kBlocked         v      leave_queue
//                                            kBlocked ------------> kReady
//                                              |  leave_queue_to_other_thread
//                                              +----------> kInTransit ----> kReady
//                                                                     arrive
//
// A main tasklet never stands in a runnables queue: out of a wait queue, it goes on at once, by go_on().
//
// Threads: only the owner thread changes the state, with two exceptions. Whoever holds the lock of the
// channel where the tasklet waits takes it out of kBlocked; whoever destroys one that has never run, out
// of kNew. Any thread may read it.
#pragma once

#include <cstdint>

#include "atomic.h"
#include "check.h"

namespace scheduler::core {

enum class TaskletState : std::uint8_t {
    kDead,  // no activation: never bound, ended, killed or unbound
    kNew,  // knows its arguments, has no stack yet
    kReady,  // started and suspended, waiting for a turn or paused
    kRunning,  // has its turn: current, or the driver of a run loop
    kBlocked,  // in the wait queue of a channel
    kInTransit,  // left the wait queue by the hand of another thread; its mail is on the way
};

class StateOfTasklet {
  public:
    explicit StateOfTasklet(TaskletState state = TaskletState::kDead) : state_(state) {}

    TaskletState get(std::memory_order order = std::memory_order_acquire) const {
        return state_.load(order);
    }

    // A dead one has been given a callable and arguments.
    void become_new() { change<TaskletState::kDead>(TaskletState::kNew); }
    // Also from kRunning: a driver of a run loop that gives itself a turn.
    void start_turn() {
        change<TaskletState::kNew, TaskletState::kReady, TaskletState::kRunning>(
            TaskletState::kRunning);
    }
    // It goes on later.
    void end_turn() { change<TaskletState::kRunning>(TaskletState::kReady); }
    // It is in a wait queue from now on, whose lock the caller holds.
    void block() { change<TaskletState::kRunning>(TaskletState::kBlocked); }
    // Out of the wait queue, under its lock, by its own thread or by whoever ends its thread's tasklets.
    void leave_queue() { change<TaskletState::kBlocked>(TaskletState::kReady); }
    // The same by another thread, which posts it before it releases the lock.
    void leave_queue_to_other_thread() { change<TaskletState::kBlocked>(TaskletState::kInTransit); }
    // Its own thread knows that it is out of the wait queue, and makes it runnable.
    void arrive() { change<TaskletState::kReady, TaskletState::kInTransit>(TaskletState::kReady); }
    // The same for a main tasklet. From kDead: it begins, as the thread gets its manager.
    void go_on() {
        change<TaskletState::kDead, TaskletState::kReady, TaskletState::kInTransit>(
            TaskletState::kRunning);
    }
    // The activation is over, or its thread.
    void die(std::memory_order order = std::memory_order_release) {
        change<TaskletState::kDead, TaskletState::kNew, TaskletState::kReady,
               TaskletState::kRunning, TaskletState::kInTransit>(TaskletState::kDead, order);
    }
    // Any thread. True: it was new, and the caller has ended it.
    bool die_if_new() {
        TaskletState expected = TaskletState::kNew;
        return state_.compare_exchange_strong(expected, TaskletState::kDead);
    }

  private:
    // In a model each look is a step, whose interleavings would have to be explored.
#if defined(NDEBUG) || defined(SCHED_MODEL)
    static constexpr bool kChecks = false;
#else
    static constexpr bool kChecks = true;
#endif

    template <TaskletState... From>
    void change(TaskletState to, std::memory_order order = std::memory_order_release) {
        if constexpr (kChecks) {
            const TaskletState from = get();
            SCHED_CHECK(((from == From) || ...), "no way from the state that a tasklet is in");
        }
        state_.store(to, order);
    }

    Atomic<TaskletState> state_;
};

}  // namespace scheduler::core
