#include "binding/scheduling/select.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <new>
#include <optional>
#include <vector>

#include "binding/diagnostics/tracing.h"
#include "binding/python/errors.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/timed_wait.h"
#include "binding/scheduling/transfer.h"
#include "binding/threads/park.h"
#include "binding/types/channel_type.h"
#include "binding/types/tasklet_object.h"
#include "core/select.h"

namespace scheduler::binding {

namespace {

using core::Channel;
using core::Direction;
using core::Ending;
using core::Parcel;
using core::RendezvousResult;
using core::SelectCase;
using core::Selection;

PyStructSequence_Field send_case_fields[] = {
    {"channel", "where to send"},
    {"value", "what to send"},
    {nullptr, nullptr},
};

struct Case {
    Case(Channel& on, Direction direction) : core(on, direction, {}) {}

    SelectCase core;
    PyRef keep;  // what its channel belongs to
    PyRef items;  // the deque of a QueueChannel
    QueueMutex* queue_mutex = nullptr;  // of that
};

// The cases of one call, and the arrays of pointers that the core works on.
struct Cases {
    std::deque<Case> all;
    std::vector<SelectCase*> pointers;
    std::vector<Channel*> locks;
    std::vector<QueueMutex*> queues;  // by address, each once
    std::vector<std::optional<QueueGuard>> guards;  // of these

    // Nothing is allocated after this.
    void finish() {
        for (Case& one : all) {
            pointers.push_back(&one.core);
            if (one.queue_mutex != nullptr) queues.push_back(one.queue_mutex);
        }
        locks.resize(all.size());
        std::sort(queues.begin(), queues.end(), std::less<>());
        queues.erase(std::unique(queues.begin(), queues.end()), queues.end());
        guards = std::vector<std::optional<QueueGuard>>(queues.size());
    }
    std::size_t index_of(const SelectCase* one) const {
        const auto at = std::find(pointers.begin(), pointers.end(), one);
        return static_cast<std::size_t>(at - pointers.begin());
    }
    // What was to be sent, and has not been.
    void drop_parcels(ManagerBody& manager) {
        for (Case& one : all) {
            manager.defer_decref(static_cast<PyObject*>(one.core.parcel.take_payload()));
        }
    }
};

// Nothing comes between the look at a QueueChannel's deque and the step that depends on it: see
// QueueGuard.
class QueueGuards {
  public:
    explicit QueueGuards(Cases& cases) : cases_(cases) {
        for (std::size_t i = 0; i < cases.queues.size(); ++i) {
            cases.guards[i].emplace(cases.queues[i]);
        }
    }
    QueueGuards(const QueueGuards&) = delete;
    QueueGuards& operator=(const QueueGuards&) = delete;
    ~QueueGuards() {
        for (std::optional<QueueGuard>& guard : cases_.guards) guard.reset();
    }

  private:
    Cases& cases_;
};

// The attribute, or empty, without an error if there is none.
PyRef optional_attribute(PyObject* object, const char* name) {
    PyRef value = PyRef::steal(PyObject_GetAttrString(object, name));
    if (!value && PyErr_ExceptionMatches(PyExc_AttributeError) != 0) PyErr_Clear();
    return value;
}

bool is_channel(const ModuleState& state, PyObject* object) {
    return PyObject_TypeCheck(object, state.channel_type) != 0;
}

// False with an error set.
bool add_receive(const ModuleState& state, Cases& cases, PyObject* channel) {
    PyRef items;
    if (Py_TYPE(channel) != state.channel_type && channel_of(channel).channel.capacity() == 0) {
        items = optional_attribute(channel, "_items");
        if (!items && PyErr_Occurred() != nullptr) return false;
    }
    Case& made = cases.all.emplace_back(channel_of(channel).channel, Direction::kReceive);
    made.keep = PyRef::share(channel);
    if (items) made.queue_mutex = &channel_of(channel).queue_mutex;
    made.items = std::move(items);
    return true;
}

bool add_send(const ModuleState& state, Cases& cases, PyObject* sending) {
    PyObject* const channel = PyStructSequence_GetItem(sending, 0);
    PyObject* const value = PyStructSequence_GetItem(sending, 1);
    if (!is_channel(state, channel)) {
        PyErr_Format(PyExc_TypeError, "a SendCase needs a channel to send to, not %.200s",
                     Py_TYPE(channel)->tp_name);
        return false;
    }
    if (!check_initialised<ChannelObject>(channel)) return false;
    Case& made = cases.all.emplace_back(channel_of(channel).channel, Direction::kSend);
    made.core.parcel = Parcel(Parcel::Kind::kValue, Py_NewRef(value));
    made.keep = PyRef::share(channel);
    return true;
}

bool add_join(const ManagerBody& manager, Cases& cases, PyObject* object) {
    TaskletBody& tasklet = body_of(object);
    if (!check_can_end_first(manager, tasklet)) return false;
    Case& made = cases.all.emplace_back(join_queue_of(tasklet), Direction::kReceive);
    made.keep = PyRef::share(object);
    made.core.is_gate = true;
    // It may have died before it could see the wait queue.
    made.core.is_ready = tasklet.state.get(std::memory_order_seq_cst) == core::TaskletState::kDead;
    return true;
}

bool add_gate(const ModuleState& state, Cases& cases, PyObject* object) {
    PyRef gate = optional_attribute(object, "_gate");
    if (!gate && PyErr_Occurred() != nullptr) return false;
    if (!gate || !is_channel(state, gate.get())) {
        PyErr_Format(PyExc_TypeError,
                     "a case of select() is a channel, channel.sending(value), a tasklet or an "
                     "Event, not %.200s",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    Case& made = cases.all.emplace_back(channel_of(gate.get()).channel, Direction::kReceive);
    made.core.is_gate = true;
    made.keep = std::move(gate);
    return true;
}

bool add_case(const ManagerBody& manager, Cases& cases, PyObject* object) {
    const ModuleState& state = manager.state;
    if (is_channel(state, object)) {
        return check_initialised<ChannelObject>(object) && add_receive(state, cases, object);
    }
    if (Py_TYPE(object) == state.send_case_type) return add_send(state, cases, object);
    if (PyObject_TypeCheck(object, state.tasklet_type) != 0) {
        return check_initialised<TaskletObject>(object) && add_join(manager, cases, object);
    }
    return add_gate(state, cases, object);
}

bool add_cases(const ManagerBody& manager, std::span<PyObject* const> objects, Cases& cases) {
    if (objects.empty()) {
        PyErr_SetString(PyExc_ValueError, "select() needs at least one case to wait for");
        return false;
    }
    const auto add = [&](PyObject* object) { return add_case(manager, cases, object); };
    try {
        if (!std::all_of(objects.begin(), objects.end(), add)) return false;
        cases.finish();
        return true;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return false;
    }
}

// A deque of exactly that type: the length is read where it lies. Receivers change it without a QueueGuard.
Py_ssize_t length_of(PyObject* deque) {
    auto& length = reinterpret_cast<PyVarObject*>(deque)->ob_size;
    return std::atomic_ref(length).load(std::memory_order_relaxed);
}

// With the QueueGuards held.
Selection look_and_enqueue(ManagerBody& manager, core::Wait& wait, Cases& cases, std::size_t first,
                           std::int64_t timeout, Obstacle& obstacle) {
    for (Case& one : cases.all) {
        if (one.items) one.core.is_ready = length_of(one.items.get()) > 0;
    }
    return core::select(wait, cases.pointers, first, cases.locks, [&] {
        if (timeout == 0) return false;
        obstacle = manager.find_obstacle(timeout == core::kNever ? WaitFor::kTransfer
                                                                 : WaitFor::kTransferOrTime);
        return obstacle == Obstacle::kNone;
    });
}

// A new reference to what an item of a queue brings, or nullptr with an error set: the one that was sent.
PyObject* open_item(PyObject* item) {
    PyObject *ok = nullptr, *data = nullptr;
    if (!PyArg_ParseTuple(item, "OO", &ok, &data)) return nullptr;
    if (ok == Py_True) return Py_NewRef(data);
    PyObject* const error = PyTuple_GetItem(data, 1);
    if (error != nullptr) raise_here(Py_NewRef(error));
    return nullptr;
}

PyObject* time_out(const Cases& cases, std::int64_t timeout) {
    raise_timeout(PyUnicode_FromFormat("select() on %zu cases", cases.all.size()), timeout);
    return nullptr;
}

// (index, value) of a case that is done; `value` is stolen, nullptr: the error that is set is raised.
PyObject* outcome(const Cases& cases, const SelectCase* done, PyObject* value) {
    if (value == nullptr) return nullptr;
    return Py_BuildValue("(nN)", static_cast<Py_ssize_t>(cases.index_of(done)), value);
}

// What a case that has been served brought; `parcel` has it if the case receives. What comes through a gate
// is the outcome of a tasklet, for those who ask for it.
PyObject* value_of(const ModuleState& state, const SelectCase* done, Parcel& parcel) {
    if (done->direction == Direction::kReceive && !done->is_gate) return open_parcel(state, parcel);
    Py_XDECREF(static_cast<PyObject*>(parcel.take_payload()));
    return Py_NewRef(Py_None);
}

// The wait is over by this case. Not by a transfer, but because its channel was closed?
bool is_closed(const SelectCase& one, const Parcel& received) {
    if (one.is_gate) return false;
    return one.direction == Direction::kReceive ? received.empty() : !one.parcel.empty();
}

class Select {
  public:
    Select(ManagerBody& manager, Cases& cases, std::int64_t timeout)
        : manager_(manager), self_(manager.current_body()), cases_(cases), timeout_(timeout) {}

    PyObject* run(std::size_t first) {
        self_.asks = false;  // for the outcome of a tasklet
        TimedWait wait(manager_, self_, timeout_);
        Obstacle obstacle = Obstacle::kNone;
        Selection selection{};
        const std::uint64_t time = trace_time(manager_);
        PyRef item;
        {
            const QueueGuards guards(cases_);
            do {
                selection = look_and_enqueue(manager_, wait, cases_, first, timeout_, obstacle);
            } while (selection.done != nullptr && selection.done->is_ready &&
                     !take(selection.done, item));
        }
        if (selection.done != nullptr) {
            trace_transfer(manager_, time, selection.done->channel, selection.done->direction,
                           selection);
        }
        const bool waits = selection.result == RendezvousResult::kEnqueued;
        const bool resumed = !waits || manager_.suspend(Ending::kBlock);
        wait.end();
        if (waits) return finish_wait(wait, resumed);
        return finish_at_once(selection, std::move(item), obstacle);
    }

  private:
    // Of a case that was ready: what it brings; empty with an error set. False: a receiver, which needs no
    // lock for that, has taken the item meanwhile.
    bool take(SelectCase* done, PyRef& brought) {
        Case& one = cases_.all[cases_.index_of(done)];
        if (!one.items) {
            brought = PyRef::share(Py_None);
            return true;
        }
        PyRef item = PyRef::steal(PyObject_CallMethod(one.items.get(), "popleft", nullptr));
        if (!item && PyErr_ExceptionMatches(PyExc_IndexError) != 0) {
            PyErr_Clear();
            return false;
        }
        brought = PyRef::steal(item ? open_item(item.get()) : nullptr);
        return true;
    }
    void settle() {
        cases_.drop_parcels(manager_);
        ErrorStash stash;
        manager_.run_deferred();
    }
    PyObject* finish_wait(const TimedWait& wait, bool resumed) {
        // A transfer that is complete succeeds, whatever came meanwhile.
        const bool closed = wait.served != nullptr && is_closed(*wait.served, self_.parcel);
        const bool done =
            wait.served != nullptr && !closed && (resumed || manager_.held_error.hold());
        Parcel received = std::move(self_.parcel);
        if (!done) manager_.defer_decref(static_cast<PyObject*>(received.take_payload()));
        settle();
        if (done)
            return outcome(cases_, wait.served, value_of(manager_.state, wait.served, received));
        if (closed && resumed) {
            return refuse(Refusal::kClosedMeanwhile, manager_.state.channel_closed);
        }
        if (resumed && wait.ended_by_scope()) wait.raise_scope_expired();
        return resumed && !wait.ended_by_scope() ? time_out(cases_, timeout_) : nullptr;
    }
    PyObject* finish_at_once(const Selection& selection, PyRef item, Obstacle obstacle) {
        SelectCase* const done = selection.done;
        switch (selection.result) {
            case RendezvousResult::kMatched:
            case RendezvousResult::kMatchedRemote: {
                if (done->is_ready) {
                    settle();
                    return outcome(cases_, done, item.release());
                }
                Parcel received = std::move(done->parcel);
                if (!give_way(selection, received)) return nullptr;
                settle();
                return outcome(cases_, done, value_of(manager_.state, done, received));
            }
            default:
                settle();
                if (selection.result == RendezvousResult::kClosing && !precedes_closing(obstacle)) {
                    return refuse_closing(done->channel, manager_.state);
                }
                if (timeout_ == 0) return time_out(cases_, timeout_);
                manager_.check_obstacle(obstacle);
                return nullptr;
        }
    }
    // The partner goes on first where the channel prefers that. What the caller has received lies in the
    // tasklet meanwhile. False with an error set.
    bool give_way(const Selection& selection, Parcel& received) {
        const bool yields = selection.done->channel.caller_yields(selection.done->direction);
        if (core::Tasklet* const own = selection.own_partner())
            manager_.make_runnable(*own, yields);
        if (!yields || selection.partner == nullptr || !may_give_way(manager_)) return true;
        self_.parcel = std::move(received);
        if (!manager_.suspend(Ending::kRequeue) && !manager_.held_error.hold()) {
            manager_.defer_decref(static_cast<PyObject*>(self_.parcel.take_payload()));
            settle();
            return false;
        }
        received = std::move(self_.parcel);
        return true;
    }

    ManagerBody& manager_;
    TaskletBody& self_;
    Cases& cases_;
    const std::int64_t timeout_;
};

}  // namespace

PyStructSequence_Desc send_case_description = {
    "scheduler.SendCase",
    "What channel.sending(value) makes: a case of select() that sends the value.", send_case_fields,
    2};

PyObject* new_send_case(const ModuleState& state, PyObject* channel, PyObject* value) {
    PyObject* made = PyStructSequence_New(state.send_case_type);
    if (made == nullptr) return nullptr;
    PyStructSequence_SetItem(made, 0, Py_NewRef(channel));
    PyStructSequence_SetItem(made, 1, Py_NewRef(value));
    return made;
}

PyObject* select(ModuleState& state, std::span<PyObject* const> objects, std::int64_t timeout,
                 bool ordered) {
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return nullptr;
    Cases cases;
    if (!add_cases(*manager, objects, cases)) {
        cases.drop_parcels(*manager);
        ErrorStash stash;
        manager->run_deferred();
        return nullptr;
    }
    const std::size_t first = ordered ? 0 : manager->selects++ % objects.size();
    return Select(*manager, cases, timeout).run(first);
}

}  // namespace scheduler::binding
