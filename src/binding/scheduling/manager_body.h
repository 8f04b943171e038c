// A schedule manager as the binding knows it: the core's manager, the thread state it belongs to, and
// what is put aside in the middle of a switch.
#pragma once

#include <Python.h>

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "binding/module/module.h"
#include "binding/scheduling/held_error.h"
#include "binding/scheduling/hosting.h"
#include "binding/scheduling/tasklet_body.h"
#include "core/channel.h"
#include "core/float_control.h"
#include "core/manager.h"

namespace scheduler::binding {

struct ThreadGuard;

// References that are put aside, with room for more than one switch needs.
struct DeferredReferences : std::vector<PyObject*> {
    DeferredReferences() { reserve(64); }
};

// Why the current tasklet must not wait.
enum class Obstacle : unsigned char {
    kNone,
    kPending,
    kScopeExpired,
    kBlockTrap,
    kMainMustNotWait,
    kDeadlock,
    kThreadEnding,
    kNoSwitch,
};
// Is it raised even where the channel is closing?
inline bool precedes_closing(Obstacle obstacle) {
    return obstacle == Obstacle::kPending || obstacle == Obstacle::kBlockTrap;
}

// What a wait is for. All but a join respect the tasklet's block trap. A transfer is refused to a main
// tasklet that nobody could serve; the others find that out while they wait, for the time may come first.
enum class WaitFor : unsigned char { kTransfer, kTransferOrTime, kJoin };

// Of the list of managers, under its lock.
using ManagerNode = core::ListNode<struct IsListed>;

// The methods stand in groups, each headed by the file that defines it. All are for the owner thread,
// with the GIL. Those that return bool, unless they answer a question: false with an error set.
struct ManagerBody : core::ScheduleManager, ManagerNode {
    // The room is made before: what can fail comes before there is a manager.
    struct Room {
        DeferredReferences decrefs, orphans, cycles;
    };
    ManagerBody(ModuleState& module_state, PyThreadState* thread, TaskletBody& main_tasklet,
                Room room);
    ~ManagerBody();

    ModuleState& state;
    PyThreadState* thread_state;  // of the owner thread; nullptr when that is gone
    const ThreadKey thread_key;
    const unsigned long thread_id;  // threading.get_ident() of the owner thread
    // The OS thread that runs it now: where that has `last_manager`, and the C++ runtime's record of
    // exceptions in flight there. The thread state of a sub-interpreter may move. nullptr without one.
    ManagerBody** tls_slot = nullptr;
    // The same, or nullptr while must_look(): then no operation finds the manager by the short way, and
    // those that switch look first whether they may.
    ManagerBody** open_tls_slot = nullptr;
    void* cxx_globals = nullptr;
    void take_tls_slot();
    // The main tasklet's when this was made: each activation starts with them, whoever gave it its stack.
    const core::FloatControl float_control = core::FloatControl::current();
    PyObject* object = nullptr;  // the ScheduleManager object: borrowed, nullptr at the end
    ThreadGuard* guard = nullptr;  // what ends it with the thread

    // ---- owner thread, with the GIL
    // Why an innermost loop failed: owned until its driver has control.
    PyRef failure;
    // In the middle of a switch: Python code that runs now must not switch.
    bool switching = false;
    bool must_catch_up = false;  // see catch_up_later()
    // The thread is ending: nobody gets an ordinary turn any more.
    bool ending = false;
    // The thread has been waiting and is about to take the GIL; it counts in ModuleState::attaching.
    // Whoever ends the interpreter below a daemon thread reads it.
    core::RelaxedAtomic<bool> attaching = false;
    // Tasklets that are being unwound, each in the middle of the next.
    int unwindings = 0;
    HeldError held_error{*this};
    // A signal handler has ended main's wait, with an error.
    bool interrupted = false;
    std::size_t selects = 0;  // so far: where each begins to look goes round
    // How long other threads have to bring something before a clock that is stopped moves on.
    std::int64_t patience = 0;
    // In whose wait queue those stand that sleep; nobody sends there.
    core::Channel sleepers{nullptr};
    LoopWaker loop_waker;
    bool pumping = false;
    // str: the text of the error that main's waits raise; empty: it may wait.
    PyRef main_refusal;

    // Does something forbid the current tasklet to give control away, or do so before it has raised what
    // it holds back?
    bool must_look() const {
        return switching || ending || unwindings != 0 || trap_level() != 0 ||
               held_error.holder() != nullptr || main_must_stay() || trace() != nullptr;
    }
    // It must not wait, nor give way to others.
    bool main_must_stay() const { return main_refusal && loop() == nullptr; }
    // Returns what it was.
    PyRef exchange_main_refusal(PyRef message) {
        PyRef previous = std::exchange(main_refusal, std::move(message));
        update_tls_slot();
        return previous;
    }
    // After each change of these.
    void update_tls_slot() { open_tls_slot = must_look() ? nullptr : tls_slot; }
    void set_trap(int level) {
        set_trap_level(level);
        update_tls_slot();
    }

    TaskletBody& current_body() const { return body_of(current()); }
    TaskletBody& main_body() const { return body_of(main()); }
    // Is the current tasklet being unwound, so that it must not suspend?
    bool unwinding_current() const { return loop() != nullptr && loop()->unwinding == &current(); }

    // ---- obstacle.cpp: may the current tasklet give control away, or wait?
    // Not with a switch trap set, inside a schedule callback, or while it is being unwound (then
    // TaskletExit is raised once more).
    bool can_switch() const { return trap_level() == 0 && !switching && !unwinding_current(); }
    bool check_can_switch();
    // Raises what is pending on it, if anything: false then. It came during the turn, and one that would
    // leave the queue may never have another turn for it.
    bool check_nothing_pending();
    // Nothing is in the way of any wait, nor has it an end of its own: the rule, told at a glance.
    SCHED_ALWAYS_INLINE bool waits_freely() const {
        const TaskletBody& self = current_body();
        return open_tls_slot != nullptr && !self.pending && !self.is_main && !self.block_trap &&
               !self.is_in_scope();
    }
    // To be asked once: other threads may change the answer.
    Obstacle find_obstacle(WaitFor wait) const;
    // But for what ends one wait and not the next: an exception that is pending, a scope that has expired.
    Obstacle find_lasting_obstacle(WaitFor wait) const;
    // Sets the error that belongs to it: false. kNone: true.
    bool check_obstacle(Obstacle obstacle);
    bool check_main_may_wait() const;

    // ---- target.cpp: may an operation act on this tasklet?
    bool is_foreign(const TaskletBody& tasklet) const { return tasklet.manager != this; }
    // For what only the tasklet's own thread may do.
    bool check_own_thread(const TaskletBody& tasklet) const;
    bool check_runnable(TaskletBody& tasklet);
    // Would switch_now() refuse to act on it?
    bool check_switch_target(const TaskletBody& tasklet) const;

    // ---- switcher.cpp: where control goes
    // Hands out turns with the current tasklet as driver: from `first` to the last entry of the queue as
    // of now, or without `first` to all that stand behind the driver, until nothing is left.
    bool run_queue(TaskletBody* first);
    // Gives a tasklet, queued or not, one turn, and nobody else; returns when that is over, however it ended.
    bool give_turn(TaskletBody& target);
    // The current tasklet's turn ends; returns when it has its next one. Main, which has no turn, drives
    // its queue instead. A pending exception is raised.
    //
    // kBlock: it is in the wait queue of a channel. Main waits for other threads if nothing on its own can
    // unblock it, and fails with Deadlock if they do not. On failure the caller is out of the wait queue.
    //
    // Call it at one place for all cases, in a function that is not inlined into these: the processor predicts
    // where a call returns to by the calls that came before, and is right after a switch only if both stacks
    // have made the same.
    bool suspend(core::Ending how);
    // The same, inline: suspend.h.
    bool suspend_here(core::Ending how);
    // Its two ways. Leaves the current tasklet `self` for `to`, which has been suspended.
    bool suspend_for(TaskletBody& self, TaskletBody& to);
    // With everything that may come between.
    bool suspend_carefully(core::Ending how);
    // Raises `exit` in a tasklet that is suspended, in no queue and no wait queue, and lets it run until it
    // is dead. One that suspends again and again is abandoned. Errors are reported as unraisable. No error
    // may be set.
    void unwind(TaskletBody& victim, PyRef exit);

    // ---- tracing.cpp: what happens, for people to look at
    // Begins or stops to take part in the trace, if there is another one than before. Its own thread, or with
    // the GIL. Runs no Python.
    void follow_trace() {
        if (trace_serial_ != state.trace.serial()) change_trace();
    }
    // The thread ends.
    void leave_trace();
    // `tasklet` has its turn from now on, or from the last event on, if nothing has run since. There is a trace.
    void trace_turn(const TaskletBody& tasklet, bool at_once);
    // The turn of the current tasklet is over, `how` as for suspend(). There is a trace.
    void trace_end_of_turn(const TaskletBody& tasklet, core::Ending how);

    // ---- callbacks.cpp
    // "Current is about to change": called before the change, in the middle of the switch. May run
    // Python, which must not switch. With nobody watching it costs a load and a test.
    void notify_switch(TaskletBody& from, TaskletBody& to) {
        if (state.has_schedule_callbacks()) call_schedule_callbacks(from, to);
    }
    void call_schedule_callbacks(TaskletBody& from, TaskletBody& to);

    // ---- the life of an activation
    // tasklet_body.cpp: makes a fresh one out of the bound callable with these arguments (`kwargs` may be
    // empty): alive, paused, not queued unless it was. It runs in `context`, unless one was set. The
    // tasklet must be dead or new; what a new one had before is dropped later. Runs no Python.
    void make_activation(TaskletBody& tasklet, PyRef args, PyRef kwargs, PyRef context);
    // activation.cpp: runs the current tasklet's target. TaskletExit ends it silently; with dont_raise,
    // other exceptions are contained. Returns the exception that goes to the driver (a new reference), or
    // nullptr. Runs Python, and is away whenever the tasklet is suspended.
    PyObject* run_activation(TaskletBody& tasklet);
    // outcome.cpp: the present one ends by `error`. Returns that if it goes to the driver: not TaskletExit,
    // nor what a group or one who waits in result() is told.
    PyObject* fail(TaskletBody& tasklet, PyRef error);
    // bind.cpp: the present one, if any, is over; if it has started, it is unwound.
    void end_present_activation(TaskletBody& tasklet);
    // tasklet_body.cpp: it is over: dead, off the live list, pending exceptions forgotten, joiners served.
    // What must be dropped is dropped later, for the caller may be in the middle of a switch.
    void end_activation(TaskletBody& tasklet);
    // join.cpp: the tasklet has died, and whoever joined it goes on, with the outcome. Its owner thread, or the one that
    // abandons it; runs no Python. `serve_own`: those of the same thread are queued there.
    void release_joiners(TaskletBody& tasklet, bool serve_own = true);

    // ---- mail.cpp: what other threads ask of the tasklets of this one
    // Reads the mail of other threads and acts on it. Runs no Python.
    void read_mail();
    // The same until there is none, and what came with it is dropped, which may run Python. In the middle
    // of a switch it does nothing. Returns this manager, which its callers then need not keep.
    ManagerBody* catch_up_with_mail();
    // Takes a tasklet of this thread out of the wait queue of its channel. False: it was in none, or
    // another thread has served it; then its mail has been read.
    bool cancel_wait(TaskletBody& tasklet);
    // A tasklet of this thread that another one has just taken out of a wait queue is posted to its own
    // thread while that thread holds the channel's lock: waits for this moment. Afterwards the tasklet is
    // not in transit.
    void await_delivery(TaskletBody& tasklet);

    // ---- kill_throw.cpp
    // Queues a tasklet of this thread with an exception for its next turn.
    void make_pending(TaskletBody& tasklet, PyRef error, bool kill);
    // A tasklet of this thread leaves the wait queue of its channel, with the wait queue's reference for
    // the caller. Empty: it does not wait. What it had to send is dropped later; the empty envelope tells
    // the sender that nobody took it.
    PyRef interrupt_wait(TaskletBody& tasklet);

    // ---- interrupt.cpp: what goes before all that a tasklet waits for or runs
    // Raises `error` (borrowed) in a tasklet of this thread: where it waits, in the run() or the like that it
    // stands in, or by its next operation that can give control away; after what is pending on it already.
    void interrupt(TaskletBody& tasklet, PyObject* error);
    // Not any more, if it has not been raised yet. The tasklet is current.
    void discard_interrupt(TaskletBody& tasklet, PyObject* error);
    // `raised` is about to be raised in the current tasklet: is there an interrupt left for later?
    void interrupt_further(TaskletBody& tasklet, PyObject* raised);

    // ---- tasklet_operations.cpp
    // Appends a tasklet of this thread that is in no list, with `membership` as the queue's reference (a
    // new one if that is empty). The paused flag stays as it is.
    void queue(TaskletBody& tasklet, PyRef membership);
    // Gets `target` going at once, according to the mode: nested, a loop that starts at it; flat, it goes
    // next and the current tasklet after it.
    bool switch_now(TaskletBody& target);
    // Gives `target` one turn at once, and nobody else, in either mode.
    bool turn_now(TaskletBody& target);

    // ---- park.cpp: threads that have nothing to do
    // In other threads no signal handlers of Python programs run. (Where a host has initialised Python in
    // another one, none is run while it waits.)
    bool runs_signal_handlers() const;
    // Is there anybody who could serve a main tasklet that waits on a channel?
    bool may_main_wait() const;
    // Main is in the wait queue and no tasklet of the thread is runnable: waits for mail or a timer. False
    // with an error set: a signal handler has raised one, or nobody is left to wait for (then main is out
    // of the wait queue). Main is to look whether it has been served, also after an error.
    bool park_main();
    // Every live tasklet of the thread waits, main is current: until mail, a timer or `deadline` comes.
    // False with an error set: from a signal handler, or a deadlock.
    bool park_for_work(std::int64_t deadline);
    // Until when a thread with nothing to do sleeps for its timers' sake, by the monotonic clock. If the
    // clock of its timers is stopped: until it may be moved on.
    std::int64_t end_of_sleep() const;
    // Nothing has come by then: a clock that is stopped moves on to the next deadline.
    void skip_to_next_timer();
    // A run() that has found nothing to do: lets another thread have the GIL before it returns. Does not
    // sleep.
    void yield_gil();
    // park.h: waits until `has_come` is true, which another thread is about to make it, and to wake this
    // one.
    template <typename Predicate>
    void wait_for_others(Predicate has_come);

    // ---- hosting.cpp
    // How the event loop is woken from now on; if nothing is set, it is not.
    void replace_waker(const LoopWaker& waker);

    // ---- thread_end.cpp
    // The guard is dropped: with the thread, which unwinds every live tasklet and may run Python, or
    // elsewhere, when that thread is gone.
    void end_with_guard();

    // ---- manager_body.cpp: what has to wait until the switch is over
    // Owns `stolen` until run_deferred(), for dropping it runs Python.
    void defer_decref(PyObject* stolen) {
        if (stolen == nullptr) return;
        defer(decrefs_, stolen);
    }
    void defer_decref(PyRef object_ref) { defer_decref(object_ref.release()); }
    // What a tasklet has sent or been given, and will not deliver or take any more.
    void drop_parcel(TaskletBody& tasklet) {
        defer_decref(static_cast<PyObject*>(tasklet.parcel.take_payload()));
    }
    // A tasklet (reference stolen) that must be unwound but cannot be right now. One that the collector
    // has found has references, from its cycle; another one may have been brought back to its users
    // meanwhile, by a weak reference, and is left to them.
    void unwind_later(PyObject* stolen, bool in_cycle) {
        defer(in_cycle ? cycles_ : orphans_, stolen);
    }
    // The stack of `tasklet` has ended; whoever runs next recycles it.
    void release_stack_later(TaskletBody& tasklet) {
        stack_to_release_ = &tasklet;
        has_deferred_ = true;
    }
    // The stack that is about to go on has frames that have to catch up, see InterpState::restore().
    void catch_up_later() { must_catch_up = has_deferred_ = true; }
    bool has_deferred() const { return has_deferred_; }
    // Can one more reference be discarded without memory?
    bool has_room() const { return decrefs_.size() < decrefs_.capacity(); }
    // The first thing on a stack that has just got control: recycles the stack that ended, drops what
    // was put aside. May run Python, and may switch; the current tasklet must not be in a wait queue.
    // In the middle of a switch it does nothing.
    void run_deferred();

  private:
    // switcher.cpp: the current tasklet is being unwound and will not end. Leaves its stack, never to come
    // back; the stack, and what its frames hold, stay behind.
    [[noreturn]] void abandon_current();
    bool unwind_one();  // false: there is none
    // Where no memory is left for a list that has outgrown its room, the reference is lost: nothing may
    // be thrown in the middle of a switch.
    void defer(DeferredReferences& list, PyObject* stolen) {
        bool kept = true;
        try {
            list.push_back(stolen);
        } catch (const std::bad_alloc&) {
            kept = false;
        }
        has_deferred_ = has_deferred_ || kept;
    }

    void change_trace();

    bool has_deferred_ = false;
    std::uint64_t trace_serial_ = 0;
    std::shared_ptr<core::TraceBuffer> trace_buffer_;
    TaskletBody* stack_to_release_ = nullptr;
    DeferredReferences decrefs_;
    DeferredReferences orphans_;
    DeferredReferences cycles_;
};

inline ManagerBody* TaskletBody::get_manager() const { return static_cast<ManagerBody*>(manager); }

// In the middle of a switch: what runs meanwhile (a callback, or finalizers, for on 3.11 to make an
// error may start a collection) must not switch.
class NoSwitchScope {
  public:
    explicit NoSwitchScope(ManagerBody& manager)
        : manager_(manager), before_(std::exchange(manager.switching, true)) {
        manager.update_tls_slot();
    }
    NoSwitchScope(const NoSwitchScope&) = delete;
    NoSwitchScope& operator=(const NoSwitchScope&) = delete;
    ~NoSwitchScope() {
        manager_.switching = before_;
        manager_.update_tls_slot();
    }

  private:
    ManagerBody& manager_;
    const bool before_;
};

}  // namespace scheduler::binding
