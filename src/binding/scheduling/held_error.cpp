#include "binding/scheduling/held_error.h"
#include "binding/scheduling/transfer.h"

#include "binding/threads/current_manager.h"

#include <algorithm>

#include "binding/python/errors.h"
#include "binding/scheduling/switcher.h"
#include "binding/threads/park.h"

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

// The calls that a main tasklet's operation has been reached by. Where one of them is still the
// innermost, it has just returned, and its result is not stored yet.
void note_calls(ManagerBody& manager) {
    NoSwitchScope no_switch(
        manager);  // on 3.11 to make the objects of frames may start a collection
    manager.calls.clear();
    PyRef frame = current_frame(manager);
    while (frame) {
        manager.calls.push_back(call_in(frame));
        frame = PyRef::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(as_frame(frame))));
    }
    PyErr_Clear();  // no memory for one of the frames
}

int raise_when_stored(void* of_module);

// False: CPython has no room for the call.
bool ask_interpreter(ModuleState& state) {
    return Py_AddPendingCall(raise_when_stored, &state) == 0;
}

// Called by the interpreter on its main thread, between two instructions.
int raise_when_stored(void* of_module) {
    ModuleState& state = *static_cast<ModuleState*>(of_module);
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    const bool is_held = manager != nullptr && manager->holder == &manager->main_body();
    PyRef frame = is_held ? current_frame(*manager) : PyRef();
    if (frame) {  // without one, the interpreter is ending
        const CallInProgress call = call_in(frame);
        const bool is_stored =
            std::find(manager->calls.begin(), manager->calls.end(), call) == manager->calls.end();
        const bool may_raise = is_stored && manager->current_is_main() && !manager->switching;
        if (!may_raise && ask_interpreter(state)) return 0;
        state.release();
        return may_raise && !nothing_held(*manager) ? -1 : 0;
    }
    state.release();
    return 0;
}

// Whoever presses Ctrl-C is not to wait for an operation that may never come.
void raise_soon(ManagerBody& manager) {
    note_calls(manager);
    manager.state.hold();
    if (!ask_interpreter(manager.state)) manager.state.release();
}

}  // namespace

bool hold_error(ManagerBody& manager) {
    TaskletBody& self = manager.current_body();
    const bool is_exit = PyErr_ExceptionMatches(manager.state.tasklet_exit) != 0;
    if (manager.unwinding_current() || (is_exit && !self.is_main)) return false;
    manager.defer_decref(std::move(self.pending));
    self.pending = PyRef::steal(take_error());
    manager.set_holder(&self);
    const bool is_interrupt =
        PyErr_GivenExceptionMatches(self.pending.get(), PyExc_KeyboardInterrupt);
    const bool is_urgent = std::exchange(manager.interrupted, false) || is_interrupt;
    if (self.is_main && is_urgent && runs_signal_handlers(manager)) raise_soon(manager);
    return true;
}

bool nothing_held(ManagerBody& manager) {
    if (manager.holder != &manager.current_body()) return true;
    manager.set_holder(nullptr);
    return check_nothing_pending(manager);
}

void report_held(ManagerBody& manager) {
    TaskletBody& main = manager.main_body();
    if (manager.holder == &main) manager.set_holder(nullptr);
    if (!main.pending) return;
    raise_error(main.pending.release());
    report_unraisable(main.object);
}

}  // namespace scheduler::binding
