#include "binding/scheduling/held_error.h"

#include <algorithm>
#include <utility>

#include "binding/interp/instrumentation.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

PyRef current_frame(const ManagerBody& manager) {
    return PyRef::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(manager.thread_state)));
}

PyFrameObject* as_frame(const PyRef& frame) {
    return reinterpret_cast<PyFrameObject*>(frame.get());
}

CallInProgress call_in(const PyRef& frame) {
    return {as_frame(frame), PyFrame_GetLasti(as_frame(frame))};
}

}  // namespace

void HeldError::set_holder(TaskletBody* tasklet) {
    holder_ = tasklet;
    manager_.update_tls_slot();
}

// The calls that a main tasklet's operation has been reached by. Where one of them is still the
// innermost, it has just returned, and its result is not stored yet.
void HeldError::note_calls() {
    // On 3.11 to make the objects of frames may start a collection.
    NoSwitchScope no_switch(manager_);
    calls_.clear();
    PyRef frame = current_frame(manager_);
    while (frame) {
        calls_.push_back(call_in(frame));
        frame = PyRef::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(as_frame(frame))));
    }
    PyErr_Clear();  // no memory for one of the frames
}

bool HeldError::ask_interpreter(ModuleState& state) {
    return Py_AddPendingCall(raise_when_stored, &state) == 0;
}

int HeldError::raise_when_stored(void* of_module) {
    ModuleState& state = *static_cast<ModuleState*>(of_module);
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    const bool is_held =
        manager != nullptr && manager->held_error.holder() == &manager->main_body();
    PyRef frame = is_held ? current_frame(*manager) : PyRef();
    if (frame) {  // without one, the interpreter is ending
        HeldError& held = manager->held_error;
        const bool is_stored =
            std::find(held.calls_.begin(), held.calls_.end(), call_in(frame)) == held.calls_.end();
        // What a trace function has interrupted may be about to store it.
        const bool may_raise = is_stored && manager->current_is_main() && !manager->switching &&
                               !in_trace_function(manager->thread_state);
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
