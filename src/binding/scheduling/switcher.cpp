// Where control goes: the only callers of core::Context. Run loops, suspending, and the beginning and
// end of a tasklet's stack.
//
// The core decides and this file acts. Between the end of one turn and the beginning of the next the
// code runs on the stack of the tasklet that gives control away, although the core already names
// another one as current. No Python may switch then, and what has to be dropped goes to the
// manager's deferred references, for whoever has control next.

#include <utility>

#include "binding/diagnostics/tracing.h"
#include "binding/interp/interp_state.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/suspend.h"
#include "core/check.h"

namespace scheduler::binding {

namespace {

using core::Ending;
using core::EndOfTurn;
using core::RunLoop;
using core::TaskletState;
using core::Turn;

// ---- from one stack to another, with all that belongs to a stack

// The C++ runtime's list of exceptions in flight belongs to a stack as well: without this a rethrow
// on one stack raises what another one has caught.
struct CxxExceptions {  // __cxa_eh_globals of the Itanium C++ ABI
    void* caught;
    unsigned int uncaught;
};
CxxExceptions& cxx_exceptions(ManagerBody& manager) {
    return *static_cast<CxxExceptions*>(manager.cxx_globals);
}

// Has the running stack nothing to take with it but its InterpState? One test for all that is rare.
SCHED_ALWAYS_INLINE bool has_only_words(ManagerBody& manager) {
    const CxxExceptions& exceptions = cxx_exceptions(manager);
    return (reinterpret_cast<std::uintptr_t>(exceptions.caught) | exceptions.uncaught |
            PassingState::find_any(manager.thread_state)) == 0;
}

// The interpreter is about to go on with `to`. A stack that nobody has run on yet does the rest itself.
void restore_state(ManagerBody& manager, TaskletBody& to) {
    const InterpState* const words = std::exchange(to.suspended, nullptr);
    if (words != nullptr && !words->restore(manager.thread_state)) [[unlikely]] {
        manager.catch_up_later();
    }
}

// The stack has just been entered.
SCHED_ALWAYS_INLINE void catch_up_frames(ManagerBody& manager) {
    if (std::exchange(manager.must_catch_up, false)) [[unlikely]] {
        manager.state.instrumentation.catch_up(manager.thread_state);
        manager.state.survivors.add_running_generators(manager.thread_state);
    }
}

// Leaves the current stack for that of `to`; returns when somebody comes back. Whoever leaves prepares
// all for whom he leaves to, by `restore(manager, to)`.
template <typename Restore>
SCHED_ALWAYS_INLINE void switch_words(ManagerBody& manager, TaskletBody& from, TaskletBody& to,
                                      Restore restore) {
    SCHED_DCHECK(core::held_locks() == 0, "a lock is held across a switch");
    SCHED_DCHECK(PyErr_Occurred() == nullptr, "an error is set across a switch");
    InterpState words;
    words.save(manager.thread_state);
    from.suspended = &words;
    from.prefetch_hint = words.prefetch_hint();
    restore(manager, to);  // nothing else may run from here to the jump
    core::Context::switch_to(from.context, to.context);
}

// The same with all that may come between: who comes to a stack finds no C++ exceptions in flight and no
// passing state. The thread state's error indicator must be empty.
[[gnu::noinline]] void switch_to(ManagerBody& manager, TaskletBody& from, TaskletBody& to) {
    if (!has_only_words(manager)) {
        const CxxExceptions exceptions = std::exchange(cxx_exceptions(manager), {});
        const PassingState state(manager.thread_state);
        switch_to(manager, from, to);
        state.put_back(manager.thread_state);
        // Those of another thread, perhaps: a sub-interpreter is not bound to one.
        cxx_exceptions(manager) = exceptions;
        return;
    }
    switch_words(manager, from, to, restore_state);
    catch_up_frames(manager);
}

// ---- who is next

// The innermost loop has failed with the exception that is set now.
void fail_loop(ManagerBody& manager) {
    manager.loop()->failed = true;
    manager.failure = PyRef::steal(take_error());
}

[[noreturn]] void run_stack(void* first);

// A stack of its own for a tasklet that is about to have its first turn. False: the loop has failed.
bool give_stack(ManagerBody& manager, TaskletBody& tasklet) {
    tasklet.stack = manager.stacks().acquire(manager.state.wanted_stack());
    if (tasklet.stack == nullptr) {
        NoSwitchScope mid_switch(manager);
        PyErr_SetString(PyExc_MemoryError, "no memory for the stack of a tasklet");
        fail_loop(manager);
        return false;
    }
    if (core::TraceBuffer* const trace = manager.trace()) {
        trace->write_at(trace->last_time(), core::TraceKind::kStackTaken, &tasklet, nullptr, 0,
                        static_cast<std::uint32_t>(manager.stacks().in_use()));
    }
    tasklet.context.prepare<run_stack>(*tasklet.stack, &tasklet);
    return true;
}

// The stack of a tasklet that has just ended, and when it did; empty: none has.
struct ReusableStack {
    const core::Stack* stack = nullptr;
    std::int64_t since = 0;
};

// May the next tasklet have that stack? Not after set_stack_size().
bool can_adopt(ManagerBody& manager, ReusableStack vacated) {
    return vacated.stack != nullptr &&
           manager.stacks().fits(*vacated.stack, manager.state.wanted_stack());
}

// The turn of a tasklet that never ran is due, but an exception waits for it. Returns whether the
// loop goes on.
bool finish_unstarted(ManagerBody& manager, TaskletBody& tasklet) {
    PyRef error = PyRef::steal(manager.fail(tasklet, std::move(tasklet.pending)));
    const bool silently = !error;
    const EndOfTurn end = manager.finish_unstarted(tasklet, silently);
    manager.end_activation(tasklet);
    manager.defer_decref(tasklet.object);  // the queue's reference
    if (silently) return end.loop_goes_on && !manager.driver_is_served();
    manager.loop()->failed = true;
    manager.failure = std::move(error);
    return false;
}

// Tells of the switch from the driver, which is current, to `next`. A driver that stands still lends its
// context variables. By hand: no destructor may do that when a daemon thread is ended in here.
void notify_as_driver(ManagerBody& manager, TaskletBody& driver, TaskletBody& next) {
    InterpState* const elsewhere = driver.suspended;
    if (elsewhere != nullptr) elsewhere->trade_context(manager.thread_state);
    manager.notify_switch(driver, next);
    if (elsewhere != nullptr) elsewhere->trade_context(manager.thread_state);
}

// The schedule callback may have changed everything: is `tasklet` still the one to go next?
bool is_next(ManagerBody& manager, const TaskletBody& tasklet) {
    const Turn turn = manager.next_turn();
    const bool ends_unstarted = tasklet.get_state() == TaskletState::kNew && tasklet.pending;
    return turn.kind == Turn::Kind::kGive && turn.tasklet == &tasklet && !ends_unstarted;
}

// choose_next() with everything that may come between.
[[gnu::noinline]] TaskletBody& choose_next_carefully(ManagerBody& manager, ReusableStack vacated) {
    for (;;) {
        if (manager.has_mail()) manager.read_mail();
        if (manager.is_timer_due()) manager.fire_timers();
        TaskletBody& driver = body_of(*manager.loop()->driver);
        const Turn turn = manager.next_turn();
        if (turn.kind != Turn::Kind::kGive) {
            NoSwitchScope mid_switch(manager);
            if (turn.kind == Turn::Kind::kIsAncestor) refuse(Refusal::kAncestorNested);
            if (turn.kind == Turn::Kind::kTrapped) refuse(Refusal::kSwitchTrap);
            if (turn.kind != Turn::Kind::kLoopEnds) fail_loop(manager);
            return driver;
        }
        TaskletBody& next = body_of(*turn.tasklet);
        const bool is_new = next.get_state() == TaskletState::kNew;
        if (is_new && next.pending) {
            if (!finish_unstarted(manager, next)) return driver;
            continue;
        }
        const bool has_callbacks = manager.state.has_schedule_callbacks();
        if (has_callbacks) {
            notify_as_driver(manager, driver, next);
            if (!is_next(manager, next)) continue;
        }
        if (is_new && !can_adopt(manager, vacated) && !give_stack(manager, next)) return driver;
        manager.begin_turn(next);
        if (manager.trace() != nullptr) manager.trace_turn(next, !has_callbacks);
        return next;
    }
}

// The driver of the innermost loop is current. Finds the next tasklet and begins its turn; returns
// the driver itself when the loop is over. A new tasklet gets a stack, unless it can have the one that is
// `vacated`: then its first turn begins at the time when that became free.
SCHED_ALWAYS_INLINE TaskletBody& choose_next(ManagerBody& manager, ReusableStack vacated) {
    if (!manager.has_mail() && !manager.is_timer_due() && !manager.state.watches_switches()) {
        const Turn turn = manager.next_turn();
        if (turn.kind == Turn::Kind::kGive) {
            TaskletBody& next = body_of(*turn.tasklet);
            const bool is_ready = next.get_state() == TaskletState::kReady;
            if (is_ready || (!next.pending && can_adopt(manager, vacated))) {
                manager.prefetch_behind(next);
                manager.begin_turn(next, vacated.since);
                return next;
            }
        }
    }
    return choose_next_carefully(manager, vacated);
}

// The turn of `self` is about to end, and somebody watches.
[[gnu::noinline]] void tell_end_of_turn(ManagerBody& manager, TaskletBody& self,
                                        TaskletBody& driver, Ending how) {
    if (manager.trace() != nullptr) manager.trace_end_of_turn(self, how);
    if (!manager.unwinding_current()) manager.notify_switch(self, driver);
}

// The current tasklet's turn is over: who has control next? `vacated` as for choose_next().
SCHED_ALWAYS_INLINE TaskletBody& end_turn(ManagerBody& manager, Ending how,
                                          ReusableStack vacated = {}) {
    TaskletBody& driver = body_of(*manager.loop()->driver);
    TaskletBody& self = manager.current_body();
    if (manager.state.watches_switches()) tell_end_of_turn(manager, self, driver, how);
    const EndOfTurn end = manager.end_turn(how);
    if (how >= Ending::kReturn) manager.end_activation(self);
    if (end.left != nullptr) manager.defer_decref(object_of(*end.left));
    // The end of a tasklet serves those who have joined it.
    if (how >= Ending::kReturn && manager.driver_is_served()) return driver;
    if (!end.loop_goes_on || manager.loop()->failed) return driver;
    return choose_next(manager, vacated);
}

// ---- run loops and stacks

// Runs the loop that the current tasklet has just opened, until it ends.
bool run_loop(ManagerBody& manager, RunLoop& loop, TaskletBody& driver, TaskletBody& first) {
    if (manager.main_refusal) manager.update_tls_slot();
    if (&first != &driver) switch_to(manager, driver, first);
    manager.close_loop(loop);
    if (manager.main_refusal) manager.update_tls_slot();
    if (driver.is_main) manager.limit().clear();  // it is not for what is run from run_deferred()
    PyRef failure = std::move(manager.failure);
    // A loop that has failed without one has been interrupted.
    const bool is_interrupted = loop.failed && !failure;
    PyRef interrupt = is_interrupted ? std::move(driver.pending) : PyRef();
    // A main tasklet in a wait queue settles when it is out of it: code run here may wait itself.
    if (manager.has_deferred() && !driver.blocked()) manager.run_deferred();
    if (!loop.failed) return true;
    if (is_interrupted) return driver.raise_taken(std::move(interrupt));
    raise_error(failure.release());
    if (driver.is_main && !driver.blocked()) tell_failure(manager);
    return false;
}

// The entry function of every stack: runs tasklets one after another for as long as the next one to
// go is new, then leaves for good. Not noexcept, and no destructor here may need the GIL: a daemon
// thread that dies while the interpreter finalises is unwound through this frame.
[[noreturn]] void run_stack(void* first) {
    auto* tasklet = static_cast<TaskletBody*>(first);
    ManagerBody& manager = *tasklet->get_manager();
    core::Stack* const stack = tasklet->stack;
    StackBase base;
    for (;;) {
        manager.float_control.apply();
        base.enter(manager.thread_state, *stack, tasklet->context_object.take().release());
        if (manager.has_deferred()) manager.run_deferred();
        PyObject* const error = manager.run_activation(*tasklet);
        tasklet->stack = nullptr;
        if (error != nullptr) {
            manager.loop()->failed = true;
            manager.failure = PyRef::steal(error);
        }
        const Ending how = error != nullptr ? Ending::kFail : Ending::kReturn;
        TaskletBody& next = end_turn(manager, how, {stack, tasklet->end_time});
        manager.defer_decref(StackBase::leave(manager.thread_state, *stack));
        const bool next_needs_stack = next.stack == nullptr && !next.is_main;
        if (!next_needs_stack) {
            tasklet->stack = stack;
            manager.release_stack_later(*tasklet);
            restore_state(manager, next);
            core::Context::finish(tasklet->context, next.context);
        }
        next.stack = stack;
        if (&next != tasklet) core::Context::adopt(tasklet->context, next.context);
        tasklet = &next;
    }
}

}  // namespace

void ManagerBody::abandon_current() {
    TaskletBody& victim = current_body();
    TaskletBody& driver = body_of(*loop()->driver);
    Py_INCREF(victim.object);
    --state.tasklets;  // gone, as far as a program can tell
    static_cast<void>(binding::end_turn(*this, Ending::kFail));
    victim.stack = nullptr;
    NoSwitchScope mid_switch(*this);
    PyErr_SetString(
        PyExc_RuntimeError,
        "a tasklet that was being destroyed caught TaskletExit and suspended again, 100 "
        "times over; it has been abandoned");
    fail_loop(*this);
    switching = false;  // no destructor runs here
    --unwindings;
    update_tls_slot();
    defer_decref(StackBase::abandon(thread_state));
    restore_state(*this, driver);
    core::Context::finish(victim.context, driver.context);
}

bool ManagerBody::run_queue(TaskletBody* first) {
    if (switching || ending) {
        refuse(switching ? Refusal::kInCallback : Refusal::kThreadEnding);
        return false;
    }
    TaskletBody& driver = current_body();
    RunLoop loop;
    open_loop(loop, first);
    return run_loop(*this, loop, driver, choose_next(*this, {}));
}

bool ManagerBody::give_turn(TaskletBody& target) {
    TaskletBody& driver = current_body();
    RunLoop loop;
    open_turn(loop, target);
    if (!target.queued()) queue(target, {});
    const bool is_new = target.get_state() == TaskletState::kNew;
    if (is_new && target.pending) {
        static_cast<void>(binding::finish_unstarted(*this, target));
        return run_loop(*this, loop, driver, driver);
    }
    if (is_new && !binding::give_stack(*this, target)) return run_loop(*this, loop, driver, driver);
    begin_turn(target);
    if (trace() != nullptr) trace_turn(target, true);
    return run_loop(*this, loop, driver, target);
}

namespace {

// The current tasklet has control again. run_deferred() may run Python, which has no part in what was
// pending before.
[[gnu::noinline]] bool run_deferred_and_raise(ManagerBody& manager, TaskletBody& self) {
    catch_up_frames(manager);
    PyRef pending = std::move(self.pending);
    if (manager.has_deferred()) manager.run_deferred();
    return self.raise_taken(std::move(pending));
}

bool wait_as_main(ManagerBody& manager) {
    for (;;) {
        if (!manager.run_queue(nullptr)) return false;
        for (;;) {  // what the end of a loop drops, and late mail, may have queued somebody
            if (manager.has_mail()) manager.read_mail();
            if (manager.has_timers()) manager.fire_timers();
            // In transit without mail is a moment that the thread which serves it needs.
            if (manager.main().get_state() == core::TaskletState::kRunning) {
                if (manager.has_deferred()) manager.run_deferred();
                return true;
            }
            if (!manager.queue_empty()) break;
            if (!manager.park_main()) return false;
        }
    }
}

bool suspend_main(ManagerBody& manager, Ending how) {
    if (how != Ending::kBlock) {
        manager.look_at_next_turn();
        return manager.run_queue(nullptr);
    }
    TaskletBody& main = manager.main_body();
    if (manager.trace() != nullptr) manager.trace_end_of_turn(main, how);
    const bool is_served = wait_as_main(manager);
    if (manager.trace() != nullptr) manager.trace_turn(main, false);
    if (is_served) return true;
    if (manager.cancel_wait(main)) {
        main.state.go_on();
        manager.interrupted = false;
        tell_failure(manager);
    }
    return false;
}

[[gnu::noinline]] bool switch_and_raise(ManagerBody& manager, TaskletBody& self,
                                        TaskletBody& next) {
    switch_to(manager, self, next);
    return run_deferred_and_raise(manager, self);
}

// Gives the turn of the current tasklet to another one, and tells a trace of it.
TaskletBody* pass_traced_turn(ManagerBody& manager, Ending how) {
    TaskletBody& self = manager.current_body();
    core::Tasklet* const to = manager.pass_turn(how);
    if (to == nullptr) return nullptr;
    manager.prefetch_behind(*to);
    manager.trace_end_of_turn(self, how);
    manager.trace_turn(body_of(*to), true);
    return &body_of(*to);
}

}  // namespace

// The plain way calls nothing but the jump, so that the registers that it needs are free.
bool ManagerBody::suspend_for(TaskletBody& self, TaskletBody& to) {
    const InterpState* const words = to.suspended;
    if (!has_only_words(*this) || !words->is_up_to_date(thread_state)) [[unlikely]] {
        return switch_and_raise(*this, self, to);
    }
    switch_words(*this, self, to, [words](ManagerBody& manager, TaskletBody& entered) {
        entered.suspended = nullptr;
        words->restore_words(manager.thread_state);
    });
    if (!has_deferred() && !self.pending) [[likely]]
        return true;
    return run_deferred_and_raise(*this, self);
}

bool ManagerBody::suspend(Ending how) { return suspend_here(how); }

[[gnu::noinline]] bool ManagerBody::suspend_carefully(Ending how) {
    follow_trace();
    if (current_is_main()) return suspend_main(*this, how);
    if (how == Ending::kLeave && !check_nothing_pending()) return false;
    if (!can_switch() && !check_can_switch()) return false;
    TaskletBody& self = current_body();
    const bool only_traced = trace() != nullptr && !state.has_schedule_callbacks() && !has_mail();
    if (only_traced && how <= Ending::kBlock && !is_timer_due()) {
        TaskletBody* const ready = pass_traced_turn(*this, how);
        if (ready != nullptr) return suspend_for(self, *ready);
    }
    TaskletBody& to = binding::end_turn(*this, how);
    if (&to != &self) return switch_and_raise(*this, self, to);
    return run_deferred_and_raise(*this, self);
}

void ManagerBody::unwind(TaskletBody& victim, PyRef exit) {
    PyRef keep = PyRef::share(victim.object);
    defer_decref(std::move(victim.pending));
    victim.pending = std::move(exit);
    TaskletBody& driver = current_body();
    RunLoop loop;
    open_unwinding(loop, victim);
    begin_turn(victim);
    if (trace() != nullptr) trace_turn(victim, true);
    ++unwindings;
    update_tls_slot();
    const bool ended = run_loop(*this, loop, driver, victim);
    --unwindings;
    update_tls_slot();
    if (!ended) report_unraisable(victim.object);
}

}  // namespace scheduler::binding
