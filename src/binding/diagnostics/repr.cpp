#include "binding/diagnostics/repr.h"

#include <algorithm>

#include "binding/threads/current_manager.h"

#include "binding/python/method_helpers.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

// PyObject_Repr() would run signal handlers.
PyRef quoted(const PyRef& text) { return PyRef::steal(PyUnicode_Type.tp_repr(text.get())); }

}  // namespace

PyRef name_of(const TaskletBody& tasklet) {
    PyRef name = tasklet.get_note(&TaskletNotes::own_name);
    if (!name) name = tasklet.name.get();
    if (name) return PyRef::steal(PyUnicode_FromObject(name.get()));
    return PyRef::steal(PyUnicode_FromString(tasklet.is_main ? "main" : ""));
}

PyRef thread_id_of(const TaskletBody& tasklet) {
    if (tasklet.ended) return PyRef::steal(PyLong_FromLong(-1));
    return PyRef::steal(PyLong_FromUnsignedLong(tasklet.get_manager()->thread_id));
}

PyRef identify(const TaskletBody& tasklet) {
    PyRef type = full_type_name(tasklet.object);
    PyRef name = type ? name_of(tasklet) : PyRef();
    if (name) name = quoted(name);
    if (!name) return {};
    return PyRef::steal(PyUnicode_FromFormat("<%U %U at %p>", type.get(), name.get(),
                                             static_cast<void*>(tasklet.object)));
}

PyRef describe(const TaskletBody& tasklet) {
    PyRef type = full_type_name(tasklet.object);
    if (!type) return {};
    if (tasklet.manager == nullptr) {
        return PyRef::steal(PyUnicode_FromFormat("<%U not initialised at %p>", type.get(),
                                                 static_cast<void*>(tasklet.object)));
    }
    PyRef name = name_of(tasklet);
    if (name) name = quoted(name);
    if (!name) return {};
    PyRef thread = thread_id_of(tasklet);
    if (!thread) return {};
    PyRef number = PyRef::steal(PyLong_Type.tp_repr(thread.get()));
    if (!number) return {};
    return PyRef::steal(PyUnicode_FromFormat("<%U %U %s thread=%U at %p>", type.get(), name.get(),
                                             describe_state(tasklet), number.get(),
                                             static_cast<void*>(tasklet.object)));
}

PyRef describe(const ChannelObject& object) {
    const core::Channel& channel = object.channel;
    const char* state = channel.closed() ? "closed" : channel.closing() ? "closing" : "open";
    PyRef name = full_type_name(const_cast<PyObject*>(&object.ob_base));
    if (!name) return {};
    if (channel.capacity() != 0) {
        name = PyRef::steal(PyUnicode_FromFormat("%U queued=%zu/%zu", name.get(),
                                                 channel.count_buffered(), channel.capacity()));
        if (!name) return {};
    }
    return PyRef::steal(PyUnicode_FromFormat("<%U balance=%d preference=%d %s at %p>", name.get(),
                                             channel.balance(), channel.preference(), state,
                                             static_cast<const void*>(&object)));
}

namespace {

// Where a tasklet waits: a channel, or in join() the tasklet that is to end.
struct Place {
    PyRef object;  // empty: nowhere, or what it waits for is being destroyed
    core::Direction direction = core::Direction::kReceive;  // of a channel
    bool is_join = false;
};

Place place_of(const TaskletBody& tasklet) {
    // A channel is not destroyed under this lock, nor the wait queue of those who join a tasklet.
    core::LockGuard guard(tasklet.module_state.registry_lock);
    const core::Channel* const channel = tasklet.channel.load(std::memory_order_acquire);
    if (channel == nullptr) return {};
    const int balance = channel->balance();
    auto* const owner = static_cast<PyObject*>(channel->owner());
    const bool is_there = tasklet.channel.load() == channel;
    if (owner == nullptr || !is_there || !try_incref(owner)) return {};
    const bool is_join = &channel_of(owner).channel != channel;
    return {PyRef::steal(owner), balance > 0 ? core::Direction::kSend : core::Direction::kReceive,
            is_join};
}

// Without the GIL only its own thread may look at the record of its wait.
const core::Wait* readable_wait(const TaskletBody& tasklet) {
    const bool is_readable =
        kHasGil || existing_manager_of_this_thread(tasklet.module_state) == tasklet.manager;
    return is_readable && tasklet.blocked() ? tasklet.wait : nullptr;
}

PyRef describe_reason(const TaskletBody& tasklet, const core::Wait* wait) {
    if (wait != nullptr && wait->is_select()) {
        return PyRef::steal(
            PyUnicode_FromFormat("waits in select() on %zu cases", wait->cases.size()));
    }
    if (tasklet.channel.load() == &tasklet.get_manager()->sleepers) {
        return PyRef::steal(PyUnicode_FromString("sleeps"));
    }
    const Place place = place_of(tasklet);
    if (!place.object) return {};
    PyRef object = place.is_join ? describe(body_of(place.object.get()))
                                 : describe(channel_of(place.object.get()));
    if (!object) return {};
    const char* const verb = place.is_join                               ? "joins"
                             : place.direction == core::Direction::kSend ? "sends on"
                                                                         : "receives on";
    const bool is_stranded = !place.is_join && channel_of(place.object.get()).channel.closing();
    return PyRef::steal(PyUnicode_FromFormat(
        "%s %U%s", verb, object.get(),
        is_stranded ? ", which is closed: close(wake=True) wakes those who wait" : ""));
}

}  // namespace

PyRef describe_wait(const TaskletBody& tasklet) {
    if (tasklet.manager == nullptr) return {};
    const core::Wait* const wait = readable_wait(tasklet);
    PyRef reason = describe_reason(tasklet, wait);
    if (!reason || wait == nullptr || !wait->is_set()) return reason;
    const std::int64_t left = wait->deadline() - tasklet.get_manager()->clock().time();
    const std::int64_t tenths = std::max<std::int64_t>(left, 0) / (core::kSecond / 10);
    return PyRef::steal(PyUnicode_FromFormat("%U, %lld.%d s left", reason.get(),
                                             static_cast<long long>(tenths / 10),
                                             static_cast<int>(tenths % 10)));
}

}  // namespace scheduler::binding
