#include "binding/scheduling/held_error.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "binding/interp/instrumentation.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

// What CPython calls by itself in between, a signal's handler or a finalizer, has ended by then.
constexpr auto kLongestInBetween = std::chrono::seconds(1);

PyRef current_frame(const ManagerBody& manager) {
    return PyRef::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(manager.thread_state)));
}

PyFrameObject* as_frame(const PyRef& frame) {
    return reinterpret_cast<PyFrameObject*>(frame.get());
}

PyRef caller_of(const PyRef& frame) {
    return PyRef::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(as_frame(frame))));
}

}  // namespace

void HeldError::set_holder(TaskletBody* tasklet) {
    holder_ = tasklet;
    manager_.update_tls_slot();
}

// The calls that a main tasklet's operation has been reached by.
void HeldError::note_calls() {
    // On 3.11 to make the objects of frames may start a collection.
    NoSwitchScope no_switch(manager_);
    calls_.clear();
    PyRef frame = current_frame(manager_);
    while (frame) {
        calls_.push_back({as_frame(frame), PyFrame_GetLasti(as_frame(frame))});
        frame = caller_of(frame);
    }
    PyErr_Clear();  // no memory for one of the frames
    noted_at_ = std::chrono::steady_clock::now();
}

// Where the innermost of the noted calls that have not ended is at the same instruction, that has just
// been left, or something runs before what follows it.
bool HeldError::is_stored() const {
    NoSwitchScope no_switch(manager_);
    PyRef frame = current_frame(manager_);
    bool is_innermost = true;
    while (frame) {
        const auto call = std::find_if(
            calls_.begin(), calls_.end(),
            [&frame](const CallInProgress& noted) { return noted.frame == as_frame(frame); });
        if (call != calls_.end()) {
            if (call->instruction != PyFrame_GetLasti(as_frame(frame))) return true;
            // What C code has called since then, an event loop for example, looks alike.
            const bool may_be_in_c = !is_innermost && call != calls_.begin();
            return may_be_in_c && std::chrono::steady_clock::now() - noted_at_ > kLongestInBetween;
        }
        is_innermost = false;
        frame = caller_of(frame);
    }
    PyErr_Clear();  // no memory for one of the frames
    return true;
}

bool HeldError::ask_interpreter(ModuleState& state) {
    return Py_AddPendingCall(raise_when_stored, &state) == 0;
}

int HeldError::raise_when_stored(void* of_module) {
    ModuleState& state = *static_cast<ModuleState*>(of_module);
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    const bool is_held =
        manager != nullptr && manager->held_error.holder() == &manager->main_body();
    if (is_held && current_frame(*manager)) {  // without a frame, the interpreter is ending
        HeldError& held = manager->held_error;
        // What a trace function has interrupted may be about to store it.
        const bool may_raise = manager->current_is_main() && !manager->switching &&
                               !in_trace_function(manager->thread_state) && held.is_stored();
        if (!may_raise && ask_interpreter(state)) return 0;
        state.release();
        return may_raise && !held.check_none() ? -1 : 0;
    }
    state.release();
    return 0;
}

// Whoever presses Ctrl-C is not to wait for an operation that may never come.
void HeldError::raise_soon() {
    note_calls();
    manager_.state.hold();
    if (!ask_interpreter(manager_.state)) manager_.state.release();
}

bool HeldError::hold() {
    TaskletBody& self = manager_.current_body();
    const bool is_exit = PyErr_ExceptionMatches(manager_.state.tasklet_exit) != 0;
    if (manager_.unwinding_current() || (is_exit && !self.is_main)) return false;
    manager_.defer_decref(std::move(self.pending));
    self.pending = PyRef::steal(take_error());
    set_holder(&self);
    const bool is_interrupt =
        PyErr_GivenExceptionMatches(self.pending.get(), PyExc_KeyboardInterrupt);
    const bool is_urgent = std::exchange(manager_.interrupted, false) || is_interrupt;
    if (self.is_main && is_urgent && manager_.runs_signal_handlers()) raise_soon();
    return true;
}

void HeldError::hold_pending() {
    if (holder_ == nullptr) set_holder(&manager_.current_body());
}

void HeldError::release_pending() {
    if (holder_ == &manager_.current_body()) set_holder(nullptr);
}

bool HeldError::check_none() {
    if (holder_ != &manager_.current_body()) return true;
    set_holder(nullptr);
    return manager_.check_nothing_pending();
}

void HeldError::report() {
    TaskletBody& main = manager_.main_body();
    if (holder_ == &main) set_holder(nullptr);
    if (!main.pending) return;
    raise_error(main.pending.release());
    report_unraisable(main.object);
}

}  // namespace scheduler::binding
