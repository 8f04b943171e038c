#include "binding/diagnostics/snapshot.h"

#include "binding/threads/current_manager.h"

#include <algorithm>
#include <new>

#include "binding/diagnostics/repr.h"
#include "binding/diagnostics/tracing.h"
#include "binding/python/errors.h"
#include "binding/threads/manager_list.h"

namespace scheduler::binding {

namespace {

// How many of those who wait an error message names.
constexpr std::size_t kMostNamed = 10;
constexpr std::size_t kSpareRoom = 16;

bool is_wanted(const core::Tasklet& tasklet, Which which) {
    return which == Which::kAlive ? tasklet.alive() : tasklet.blocked();
}

// False: not all fit into `found`, which does not grow under the lock.
bool add_tasklets(const ListedManager& listed, Which which, std::vector<PyRef>& found) {
    if (found.size() == found.capacity()) return false;
    if (is_wanted(body_of(listed.main.get()), which)) {
        found.push_back(PyRef::share(listed.main.get()));
    }
    const std::size_t begin = found.size();
    bool all_fit = true;
    listed.manager->visit_live_list([&found, &all_fit, which](core::Tasklet& tasklet) {
        all_fit = found.size() < found.capacity();
        if (!all_fit) return false;
        if (is_wanted(tasklet, which) && try_incref(object_of(tasklet))) {
            found.push_back(PyRef::steal(object_of(tasklet)));
        }
        return true;
    });
    std::reverse(found.begin() + static_cast<std::ptrdiff_t>(begin), found.end());
    return all_fit;
}

// "'name' receives on <scheduler.Channel ...>", or empty.
PyRef describe_waiting(const ManagerBody& here, const TaskletBody& tasklet) {
    PyRef wait = describe_wait(tasklet);
    if (!wait) return {};
    PyRef name = name_of(tasklet);
    if (!name) return {};
    if (tasklet.get_manager() == &here) {
        return PyRef::steal(PyUnicode_FromFormat("'%U' %U", name.get(), wait.get()));
    }
    return PyRef::steal(PyUnicode_FromFormat("'%U' of thread %lu %U", name.get(),
                                             tasklet.get_manager()->thread_id, wait.get()));
}

// `message`, with who waits for what behind it. Empty, perhaps with an error set: nobody waits, or that
// cannot be told.
PyRef add_waits(const ManagerBody& here, PyObject* message) {
    std::vector<PyRef> waiting = find_tasklets(here.state, Which::kBlocked);
    PyRef text = PyRef::share(message);
    std::size_t named = 0;
    for (; named < std::min(waiting.size(), kMostNamed); ++named) {
        PyRef wait = describe_waiting(here, body_of(waiting[named].get()));
        if (!wait && PyErr_Occurred() != nullptr) return {};
        if (!wait) continue;
        text = PyRef::steal(PyUnicode_FromFormat(
            "%U%s%U", text.get(), text.get() == message ? ". Waiting: " : "; ", wait.get()));
        if (!text) return {};
    }
    if (named == waiting.size()) return text;
    return PyRef::steal(
        PyUnicode_FromFormat("%U; and %zu more", text.get(), waiting.size() - named));
}

}  // namespace

std::vector<PyRef> find_tasklets(ModuleState& state, Which which) {
    std::vector<ListedManager> managers = managers_of(state);
    ManagerBody* const here = existing_manager_of_this_thread(state);
    std::stable_partition(managers.begin(), managers.end(), [here](const ListedManager& listed) {
        return listed.manager.get() == here;
    });
    std::vector<PyRef> found;
    const auto expected = static_cast<std::size_t>(std::max(0L, long{state.tasklets}));
    for (std::size_t room = expected + kSpareRoom;; room *= 2) {
        found.clear();
        found.reserve(room);
        const bool all_fit = std::ranges::all_of(managers, [&](const ListedManager& listed) {
            return add_tasklets(listed, which, found);
        });
        if (all_fit) return found;  // else other threads have made new ones meanwhile
    }
}

PyObject* list_tasklets(ModuleState& state) {
    const std::vector<PyRef> tasklets = find_tasklets(state, Which::kAlive);
    PyRef list = PyRef::steal(PyList_New(0));
    for (const PyRef& tasklet : tasklets) {
        if (!list) return nullptr;
        PyRef wait = describe_wait(body_of(tasklet.get()));
        if (!wait && PyErr_Occurred() != nullptr) return nullptr;
        PyRef entry =
            PyRef::steal(Py_BuildValue("(OO)", tasklet.get(), wait ? wait.get() : Py_None));
        if (!entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
    }
    return list.release();
}

PyObject* list_tasklets_only(ModuleState& state) {
    return list_of(find_tasklets(state, Which::kAlive));
}

void refuse_deadlock(ManagerBody& manager, PyObject* message) {
    NoSwitchScope no_switch(manager);  // on 3.11 a collection may begin here
    PyRef plain = message != nullptr
                      ? PyRef::share(message)
                      : PyRef::steal(PyUnicode_FromString(message_of(Refusal::kDeadlock)));
    PyRef text;
    try {
        if (plain) text = add_waits(manager, plain.get());
    } catch (const std::bad_alloc&) {
        text.reset();
    }
    if (!text) PyErr_Clear();
    if (text || plain) {
        PyErr_SetObject(PyExc_RuntimeError, text ? text.get() : plain.get());
    } else {
        refuse(Refusal::kDeadlock);
    }
    tell_failure(manager);
}

}  // namespace scheduler::binding
