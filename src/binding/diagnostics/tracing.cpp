#include "binding/diagnostics/tracing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <utility>

#include "binding/diagnostics/repr.h"
#include "binding/diagnostics/snapshot.h"
#include "binding/python/errors.h"
#include "binding/threads/current_manager.h"
#include "binding/threads/manager_list.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding {

namespace {

using core::Ending;
using core::TraceBuffer;
using core::TraceKind;
using core::TraceState;
using core::TraceWhy;

// Empty if it cannot be told.
std::string_view text_of(const PyRef& text) {
    Py_ssize_t length = 0;
    const char* const bytes = text && PyUnicode_Check(text.get())
                                  ? PyUnicode_AsUTF8AndSize(text.get(), &length)
                                  : nullptr;
    if (bytes == nullptr) {
        PyErr_Clear();  // surrogates, or no memory
        return {};
    }
    return {bytes, static_cast<std::size_t>(length)};
}

// Of what is told of a tasklet; what is longer is cut off.
class ShortText {
  public:
    std::string_view view() const { return {bytes_.data(), size_}; }
    void append(std::string_view text, std::size_t limit = TraceBuffer::kLongestText) {
        text = text.substr(0, limit - std::min(limit, size_));
        size_ += text.copy(&bytes_[size_], text.size());
    }
    void append(int number) {
        const auto end = std::to_chars(&bytes_[size_], bytes_.end(), number).ptr;
        size_ = static_cast<std::size_t>(end - bytes_.begin());
    }

  private:
    std::array<char, TraceBuffer::kLongestText + 16> bytes_;  // with a number
    std::size_t size_ = 0;
};

// "agent\0agents.py:12": the name, and where its function begins.
ShortText describe_for_trace(const TaskletBody& tasklet) {
    PyRef name = tasklet.get_note(&TaskletNotes::own_name);
    if (!name) name = tasklet.name.get();
    ShortText text;
    text.append(name || !tasklet.is_main ? text_of(name) : "main", TraceBuffer::kLongestText / 2);
    text.append({"\0", 1});
    const PyRef code = tasklet.code.get();
    if (!code) return text;
    const auto* const object = reinterpret_cast<PyCodeObject*>(code.get());
    const PyRef path = PyRef::share(object->co_filename);
    std::string_view file = text_of(path);
    file.remove_prefix(file.rfind('/') + 1);  // all of it if there is none
    text.append(file);
    text.append(":");
    text.append(object->co_firstlineno);
    return text;
}

// As threading knows it, if anybody has imported that; no code of the program runs.
std::string name_of_thread(unsigned long ident) {
    PyRef module_name = PyRef::steal(PyUnicode_FromString("threading"));
    PyRef module = PyRef::steal(module_name ? PyImport_GetModule(module_name.get()) : nullptr);
    PyRef active = PyRef::steal(module ? PyObject_GetAttrString(module.get(), "_active") : nullptr);
    PyRef key = PyRef::steal(active ? PyLong_FromUnsignedLong(ident) : nullptr);
    PyRef thread = PyRef::steal(
        key && PyDict_Check(active.get()) ? PyObject_GetItem(active.get(), key.get()) : nullptr);
    PyRef name = PyRef::steal(thread ? PyObject_GetAttrString(thread.get(), "_name") : nullptr);
    std::string text(text_of(name));
    PyErr_Clear();
    return text;
}

TraceState state_for_trace(const ManagerBody& manager, const TaskletBody& tasklet) {
    const bool is_blocked_main = tasklet.is_main && tasklet.blocked();
    if (&tasklet == &manager.current() && tasklet.driving == 0 && !is_blocked_main) {
        return TraceState::kRunning;
    }
    if (tasklet.blocked()) return TraceState::kBlocked;
    if (tasklet.driving != 0) return TraceState::kDriving;
    return tasklet.in_runnables ? TraceState::kReady : TraceState::kIdle;
}

// The thread, and the tasklets that it has already.
void introduce(ManagerBody& manager, TraceBuffer& trace) {
    ManagerBody* const here = existing_manager_of_this_thread(manager.state);
    trace.write_text(TraceKind::kThread, &manager.main(), name_of_thread(manager.thread_id));
    for (PyRef& found : find_tasklets(manager.state, Which::kAlive)) {
        const TaskletBody& tasklet = body_of(found.get());
        if (tasklet.manager == &manager) {
            trace.write_text(TraceKind::kKnown, &tasklet, describe_for_trace(tasklet).view(),
                             static_cast<std::uint8_t>(state_for_trace(manager, tasklet)),
                             tasklet.channel.load());
        }
        if (here != nullptr) here->defer_decref(std::move(found));
    }
}

TraceBuffer* trace_of_this_thread(ModuleState& state) {
    const ManagerBody* const manager = existing_manager_of_this_thread(state);
    return manager != nullptr ? manager->trace() : nullptr;
}

void let_all_follow(ModuleState& state) {
    if constexpr (kHasGil) {
        for (const ListedManager& listed : managers_of(state)) listed.manager->follow_trace();
    } else if (ManagerBody* const manager = existing_manager_of_this_thread(state)) {
        manager->follow_trace();
    }
}

// What a tasklet waits for that is about to suspend in a wait queue. `channel`: which one, if it is one.
TraceWhy reason_of(const ManagerBody& manager, const TaskletBody& tasklet,
                   const core::Channel*& channel) {
    if (tasklet.wait != nullptr && tasklet.wait->is_select()) return TraceWhy::kSelects;
    const core::Channel* const place = tasklet.channel.load();
    if (place == &manager.sleepers) return TraceWhy::kSleeps;
    auto* const owner = static_cast<PyObject*>(place != nullptr ? place->owner() : nullptr);
    if (owner != nullptr && PyObject_TypeCheck(owner, manager.state.tasklet_type) != 0) {
        return TraceWhy::kJoins;
    }
    channel = place;  // nullptr: it has been served by another thread meanwhile
    return TraceWhy::kBlocked;
}

TraceWhy reason_of_end(const TaskletBody& tasklet) {
    switch (tasklet.outcome.load(std::memory_order_relaxed)) {
        case Outcome::kRaised:
        case Outcome::kFailed:
            return TraceWhy::kFailed;
        case Outcome::kKilled:
            return TraceWhy::kKilled;
        default:
            return TraceWhy::kEnded;
    }
}

}  // namespace

// ---- by threads -----------------------------------------------------------------------------------

void ManagerBody::change_trace() {
    ErrorStash stash;
    const TraceSwitch::State now = state.trace.get();
    trace_serial_ = now.serial;
    set_trace(nullptr);
    trace_buffer_.reset();
    if (now.recorder) {
        try {
            trace_buffer_ = now.recorder->add_thread();
            introduce(*this, *trace_buffer_);
            set_trace(trace_buffer_.get());
        } catch (const std::bad_alloc&) {
            trace_buffer_.reset();  // this thread is not in the trace
        }
    }
    update_tls_slot();
}

void ManagerBody::leave_trace() {
    if (trace_buffer_) trace_buffer_->end();
    set_trace(nullptr);
    trace_buffer_.reset();
    update_tls_slot();
}

void ManagerBody::trace_turn(const TaskletBody& tasklet, bool at_once) {
    TraceBuffer& buffer = *trace();
    const auto stacks_in_use = static_cast<std::uint32_t>(stacks().in_use());
    buffer.write_at(at_once ? buffer.last_time() : buffer.look(), TraceKind::kTurnBegins, &tasklet,
                    nullptr, 0, stacks_in_use);
}

void ManagerBody::trace_end_of_turn(const TaskletBody& tasklet, Ending how) {
    const core::Channel* channel = nullptr;
    TraceWhy why = TraceWhy::kYielded;
    if (how == Ending::kBlock) {
        why = reason_of(*this, tasklet, channel);
    } else if (how == Ending::kLeave && !tasklet.insert_again) {
        why = TraceWhy::kRemoved;
    } else if (how >= Ending::kReturn) {
        why = reason_of_end(tasklet);
        if (trace()->recorder().is_flight_recorder()) trace_tasklet(tasklet, TraceKind::kNamed);
    }
    trace()->write(TraceKind::kTurnEnds, &tasklet, channel, static_cast<std::uint8_t>(why));
}

void trace_tasklet(const TaskletBody& tasklet, TraceKind kind) {
    TraceBuffer* const trace = trace_of_this_thread(tasklet.module_state);
    if (trace == nullptr) return;
    ErrorStash stash;
    trace->write_text(kind, &tasklet, describe_for_trace(tasklet).view());
}

void trace_channel(ModuleState& state, const core::Channel& channel) {
    if (TraceBuffer* const trace = trace_of_this_thread(state)) {
        trace->write(TraceKind::kMade, nullptr, &channel);
    }
}

void trace_transfer(ManagerBody& manager, std::uint64_t time, const core::Channel& channel,
                    core::Direction direction, const core::Rendezvous& match) {
    if (manager.trace() == nullptr || match.partner == nullptr) return;
    unsigned bits = direction == core::Direction::kSend ? core::kTraceSends : 0;
    if (match.result == core::RendezvousResult::kMatchedRemote) bits |= core::kTraceRemote;
    manager.trace()->write_at(time, TraceKind::kTransfer, match.partner, &channel,
                              static_cast<std::uint8_t>(bits));
}

// ---- for all --------------------------------------------------------------------------------------

bool start_trace(ModuleState& state, const std::shared_ptr<core::TraceRecorder>& recorder) {
    ManagerBody* const manager = manager_of_this_thread(state);
    if (manager == nullptr) return false;
    if (!state.trace.start(recorder)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a trace or a flight recorder is on already: end it first, by stop_trace() "
                        "or flight_recorder(None)");
        return false;
    }
    state.set_watcher(ModuleState::kTraceWatches, true);
    let_all_follow(state);
    manager->run_deferred();
    return true;
}

std::shared_ptr<core::TraceRecorder> stop_trace(ModuleState& state) {
    std::shared_ptr<core::TraceRecorder> recorder = state.trace.stop();
    if (!recorder) return recorder;
    state.set_watcher(ModuleState::kTraceWatches, false);
    recorder->close();
    let_all_follow(state);
    return recorder;
}

void forget_trace(ModuleState& state) {
    const std::shared_ptr<core::TraceRecorder> recorder = state.trace.stop();
    if (!recorder) return;
    state.set_watcher(ModuleState::kTraceWatches, false);
    recorder->forget_file();
    if (ManagerBody* const manager = existing_manager_of_this_thread(state)) {
        manager->follow_trace();
    }
}

std::string copy_trace(ModuleState& state, const core::TraceRecorder& recorder) {
    std::string raw = recorder.copy();
    core::TraceNames names;
    for (const PyRef& found : find_tasklets(state, Which::kAlive)) {
        const TaskletBody& tasklet = body_of(found.get());
        const ManagerBody& manager = *tasklet.get_manager();
        const ShortText text = describe_for_trace(tasklet);
        // Without the GIL the state of those of other threads cannot be told.
        if (kHasGil && manager.trace() != nullptr) {
            names.add(&tasklet, text.view(), state_for_trace(manager, tasklet),
                      tasklet.channel.load(), manager.trace()->number());
        } else {
            names.add(&tasklet, text.view());
        }
    }
    names.copy_to(raw);
    return raw;
}

bool mark_trace(ModuleState& state, std::string_view text) {
    if (!state.is_traced()) return false;
    ManagerBody* const manager = manager_of_this_thread(state);
    if (manager == nullptr) return false;
    if (!manager->switching) manager->follow_trace();
    if (manager->trace() == nullptr) return false;
    manager->trace()->write_text(TraceKind::kMark, &manager->current(), text);
    return true;
}

void tell_failure(ManagerBody& manager) {
    PyRef function = manager.state.trace.on_failure.get();
    if (!function) return;
    ErrorStash stash;
    NoSwitchScope no_switch(manager);
    PyRef result = PyRef::steal(PyObject_CallNoArgs(function.get()));
    if (!result) report_unraisable(function.get());
    manager.defer_decref(std::move(function));
}

}  // namespace scheduler::binding
