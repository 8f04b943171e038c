#include "binding/threads/park.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "binding/diagnostics/snapshot.h"
#include "binding/threads/signal_pipe.h"
#include "core/select.h"

namespace scheduler::binding {

namespace {

using core::kNever;
using core::kSecond;
using core::Wakeup;

// How long yield_gil() lets a thread that is on its way take to get the GIL.
constexpr std::int64_t kHandOverTime = 1'000'000;
// How often a thread that waits for work looks whether anybody is left who could bring some.
constexpr std::int64_t kLookForOthers = kSecond;
// The process's main thread sleeps that long on the futex, which is quicker to fall asleep on. It then
// looks for a signal that came just before the sleep, and goes on in a SignalPipe; or here, and looks
// again each time, if there is none to be had.
constexpr std::int64_t kLookForSignals = kSecond / 20;

// Takes the GIL again. Not noexcept: while the interpreter finalises, it ends a daemon thread here.
void attach(ManagerBody& manager, PyThreadState* thread) {
    ModuleState& state = manager.state;
    manager.attaching = true;
    ++state.attaching;
    PyEval_RestoreThread(thread);
    --state.attaching;
    manager.attaching = false;
    ++state.attached;
    if (state.yielding_gil != 0) core::wake_all(state.attached);
}

enum class Waited : unsigned char { kWorkCame, kTimeout, kError };

// Signal handlers run in the middle of a wait. What they may do to those who wait does not always queue a
// tasklet: one that sends may serve main itself, and timeout.reschedule() moves a timer.
class Waits {
  public:
    explicit Waits(const ManagerBody& manager)
        : manager_(manager), main_(state_of_main()), deadline_(manager.next_deadline()) {}
    bool have_changed() const {
        return state_of_main() != main_ || manager_.next_deadline() != deadline_;
    }

  private:
    core::TaskletState state_of_main() const { return manager_.main().get_state(); }

    const ManagerBody& manager_;
    const core::TaskletState main_;
    const std::int64_t deadline_;
};

Waited park_here(ManagerBody& manager, std::int64_t deadline) {
    const bool looks_for_signals = manager.runs_signal_handlers();
    const Waits waits(manager);
    for (bool is_long = false;;) {
        SignalPipe pipe;
        const bool has_pipe = is_long && looks_for_signals && pipe.open(manager.state);
        // A signal that came before does not end the sleep.
        if (PyErr_CheckSignals() != 0) return Waited::kError;
        if (manager.has_mail() || !manager.queue_empty() || waits.have_changed()) {
            return Waited::kWorkCame;
        }
        core::Parking& parking = manager.parking();
        parking.announce();
        if (manager.has_mail()) {
            parking.cancel();
            return Waited::kWorkCame;
        }
        manager.trace_event(core::TraceKind::kParks, nullptr);
        PyThreadState* const thread = PyEval_SaveThread();
        const bool is_to_look = looks_for_signals && !has_pipe;
        const std::int64_t until =
            is_to_look ? std::min(deadline, deadline_after(kLookForSignals)) : deadline;
        const Wakeup wakeup = has_pipe ? parking.wait_in(pipe, until) : parking.wait(until);
        attach(manager, thread);
        manager.trace_event(core::TraceKind::kUnparks, nullptr);
        is_long = wakeup == Wakeup::kTimeout;
        if (is_long && until == deadline && !manager.has_mail()) return Waited::kTimeout;
    }
}

// The host is not woken meanwhile.
Waited park(ManagerBody& manager, std::int64_t deadline) {
    const bool was_in_event_loop = manager.return_from_event_loop();
    const Waited waited = park_here(manager, deadline);
    if (was_in_event_loop) manager.go_to_event_loop_or_wake();
    return waited;
}

// As people write it. Empty with an error set.
PyRef seconds_text(std::int64_t nanoseconds) {
    PyRef seconds = PyRef::steal(
        PyFloat_FromDouble(static_cast<double>(nanoseconds) / static_cast<double>(kSecond)));
    return PyRef::steal(seconds ? PyFloat_Type.tp_repr(seconds.get()) : nullptr);
}

// Raises Deadlock in a main tasklet that has waited for `timeout`. False: in the last moment somebody
// has served it.
bool give_up(ManagerBody& manager, std::int64_t timeout) {
    core::Tasklet& main = manager.main();
    const core::Channel* const place = main.channel.load();  // lives as long as main waits there
    const bool is_closed = place != nullptr && place->closing();
    if (!core::cancel_wait(main)) return false;
    main.state.go_on();
    if (is_closed) {
        PyRef message = PyRef::steal(PyUnicode_FromString(
            "Deadlock: the channel on which the main tasklet waits has been closed meanwhile; "
            "close(wake=True) ends such waits, which close() leaves as they are"));
        if (message) refuse_deadlock(manager, message.get());
        return true;
    }
    if (timeout == 0) {
        refuse_deadlock(manager);
        return true;
    }
    PyRef seconds = seconds_text(timeout);
    if (!seconds) return true;
    PyRef message = PyRef::steal(PyUnicode_FromFormat(
        "Deadlock: no tasklet of this thread is runnable, and no other thread has served the main "
        "tasklet for %U seconds; set_deadlock_timeout() changes that time",
        seconds.get()));
    if (message) refuse_deadlock(manager, message.get());
    return true;
}

}  // namespace

bool ManagerBody::runs_signal_handlers() const {
    return state.of_main_interpreter && ::syscall(SYS_gettid) == ::getpid();
}

bool to_nanoseconds(double seconds, std::int64_t* nanoseconds) {
    if (std::isnan(seconds) || seconds < 0) return false;
    *nanoseconds = kNever;
    const double exact = seconds * static_cast<double>(kSecond);
    if (exact >= static_cast<double>(kNever)) return true;
    const auto whole = static_cast<std::int64_t>(exact);
    *nanoseconds = static_cast<double>(whole) < exact ? whole + 1 : whole;  // not too early
    return true;
}

bool parse_any_timeout(PyObject* seconds, const char* name, std::int64_t* nanoseconds) {
    *nanoseconds = kNever;
    if (seconds == nullptr || seconds == Py_None) return true;
    const double value =
        PyFloat_CheckExact(seconds) ? PyFloat_AS_DOUBLE(seconds) : PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != nullptr) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
            PyErr_Format(PyExc_TypeError, "%s must be a number of seconds or None, not %.200s",
                         name, Py_TYPE(seconds)->tp_name);
        }
        return false;
    }
    if (to_nanoseconds(value, nanoseconds)) return true;
    PyErr_Format(PyExc_ValueError, "%s must be 0 or more seconds, or None for no limit", name);
    return false;
}

std::int64_t deadline_after(std::int64_t nanoseconds) {
    return core::TimerClock::later(core::ScheduleManager::now(), nanoseconds);
}

void raise_timeout(PyObject* what, std::int64_t nanoseconds, const char* why) {
    PyRef done = PyRef::steal(what);
    if (!done) return;
    if (nanoseconds == 0) {
        PyErr_Format(PyExc_TimeoutError, "%U: it would have had to wait", done.get());
        return;
    }
    PyRef seconds = seconds_text(nanoseconds);
    if (seconds) {
        PyErr_Format(PyExc_TimeoutError, "%U: %s within %U seconds", done.get(), why,
                     seconds.get());
    }
}

// Without the GIL a thread may post its last mail, and end, between any two looks: that nobody is left is
// looked at first, and then whether there is mail.

bool ManagerBody::may_main_wait() const {
    if (!queue_empty() || has_timers()) return true;
    return (state.deadlock_timeout != 0 && has_other_threads()) || has_mail();
}

std::int64_t ManagerBody::end_of_sleep() const {
    if (!has_timers()) return kNever;
    if (!clock().is_stopped()) return clock().real_time_of(next_deadline());
    const bool comes = next_deadline() - clock().time() < kEndlessWait / 2;
    return comes ? deadline_after(patience) : kNever;
}

void ManagerBody::skip_to_next_timer() {
    if (clock().is_stopped() && has_timers()) move_clock(next_deadline());
}

bool ManagerBody::park_main() {
    NoSwitchScope in_line(*this);
    const bool is_timed = has_timers();
    const std::int64_t timeout = has_other_threads() ? state.deadlock_timeout.load() : 0;
    Waited waited = Waited::kTimeout;
    if (is_timed) {
        waited = park(*this, end_of_sleep());
        if (waited == Waited::kTimeout) skip_to_next_timer();
    } else if (timeout != 0) {
        waited = park(*this, deadline_after(timeout));
    }
    interrupted = waited == Waited::kError;
    if (waited == Waited::kTimeout && !is_timed && !has_mail()) return !give_up(*this, timeout);
    return waited != Waited::kError;
}

bool ManagerBody::park_for_work(std::int64_t deadline) {
    const std::int64_t end = end_of_sleep();
    if (end != kNever || deadline != kNever || state.deadlock_timeout == kNever) {
        const Waited waited = park(*this, std::min(deadline, end));
        if (waited == Waited::kTimeout && end < deadline) skip_to_next_timer();
        return waited != Waited::kError;
    }
    while (has_other_threads()) {
        const Waited waited = park(*this, deadline_after(kLookForOthers));
        if (waited != Waited::kTimeout) return waited == Waited::kWorkCame;
    }
    if (has_mail()) return true;
    refuse_deadlock(*this);
    return false;
}

void ManagerBody::yield_gil() {
    PyThreadState* const thread = PyEval_SaveThread();
    ++state.yielding_gil;
    const std::uint32_t attached = state.attached;
    if (state.attaching != 0) {
        core::wait_on_word(state.attached, attached, deadline_after(kHandOverTime));
    } else {
        sched_yield();
    }
    --state.yielding_gil;
    attach(*this, thread);
}

}  // namespace scheduler::binding
