#include "binding/scheduling/bind.h"

#include "binding/scheduling/enter.h"
#include "binding/scheduling/kill_throw.h"
#include "binding/scheduling/target.h"

namespace scheduler::binding {

namespace {

bool check_arguments(PyObject* args, PyObject* kwargs) {
    if (args != nullptr && args != Py_None && !PyTuple_Check(args)) {
        return refused_type(Refusal::kArgsNotTuple, args);
    }
    return kwargs == nullptr || kwargs == Py_None || PyDict_Check(kwargs) ||
           refused_type(Refusal::kKwargsNotDict, kwargs);
}

constexpr const char* kGeneratorText =
    "%R is a generator function: its call makes a generator and runs nothing, so the tasklet ends "
    "at once. Call scheduler.schedule() where it yields, or give the tasklet a function that "
    "iterates over it";
constexpr const char* kAsyncText =
    "%R is an async function: its call runs nothing, so the tasklet ends at once. Leave out async "
    "and await, which tasklets need not to wait, or give the tasklet a function that calls "
    "asyncio.run()";

// Of a generator function or an `async def` a call runs nothing, so that the tasklet would end without a
// word. False if the program has made an error of the warning. The program's code may run in here.
bool warn_if_nothing_would_run(PyObject* callable) {
    PyObject* function = PyMethod_Check(callable) ? PyMethod_GET_FUNCTION(callable) : callable;
    if (!PyFunction_Check(function)) return true;
    const int flags = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function))->co_flags;
    if ((flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) == 0) return true;
    const char* const text = (flags & CO_GENERATOR) != 0 ? kGeneratorText : kAsyncText;
    return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, text, callable) == 0;
}

// A fresh activation with these arguments, in the place of a present one: a new tasklet keeps its
// place in the queue, one that has started is unwound first.
bool replace_activation(ManagerBody& manager, TaskletBody& tasklet, PyObject* args,
                        PyObject* kwargs) {
    PyRef own_args =
        args == nullptr || args == Py_None ? PyRef::steal(PyTuple_New(0)) : PyRef::share(args);
    if (!own_args) return false;
    PyRef own_kwargs;
    if (kwargs != nullptr && kwargs != Py_None && PyDict_GET_SIZE(kwargs) != 0) {
        own_kwargs = PyRef::steal(PyDict_Copy(kwargs));
        if (!own_kwargs) return false;
    }
    PyRef context;
    if (!copy_current_context(manager.thread_state, context)) return false;
    if (tasklet.started() && manager.switching) return refused(Refusal::kInCallback);
    if (tasklet.started()) manager.end_present_activation(tasklet);
    // Code of the program has run, which may have been at this tasklet again.
    if (tasklet.started()) return refused(Refusal::kBindCurrent);
    if (!tasklet.bound_callable) return refused_without_callable(tasklet);
    manager.make_activation(tasklet, std::move(own_args), std::move(own_kwargs),
                            std::move(context));
    return true;
}

bool unbind(ManagerBody& manager, TaskletBody& tasklet) {
    if (&tasklet == &manager.current()) return refused(Refusal::kUnbindCurrent);
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (tasklet.scheduled() || tasklet.has_turn()) return refused(Refusal::kUnbindScheduled);
    if (tasklet.started() && manager.switching) return refused(Refusal::kInCallback);
    const bool was_paused = tasklet.paused;
    manager.end_present_activation(tasklet);
    // Code of the program has run, which may have been at this tasklet again.
    if (tasklet.alive()) return refused(Refusal::kUnbindScheduled);
    tasklet.paused = was_paused;
    unbind_callable(tasklet);
    manager.run_deferred();
    return true;
}

}  // namespace

void ManagerBody::end_present_activation(TaskletBody& tasklet) {
    if (!tasklet.alive() || tasklet.has_turn()) return;
    if (tasklet.get_state() == core::TaskletState::kNew) {
        trace_event(core::TraceKind::kDied, &tasklet);
        end_activation(tasklet);
        return;
    }
    ErrorStash stash;
    PyRef exit = make_exit(state);
    // Whatever is raised in there unwinds it.
    if (!exit) exit = PyRef::steal(take_error());
    // On 3.11 that may have started a collection, and code that has been at this tasklet.
    if (!tasklet.started() || tasklet.has_turn()) return;
    if (PyRef membership = interrupt_wait(tasklet)) defer_decref(std::move(membership));
    if (has_mail()) read_mail();
    if (take_out(tasklet)) defer_decref(tasklet.object);
    unwind(tasklet, std::move(exit));
}

bool bind(TaskletBody& tasklet, PyObject* callable, PyObject* args, PyObject* kwargs) {
    const bool has_callable = callable != nullptr && callable != Py_None;
    if (has_callable && PyCallable_Check(callable) == 0) {
        return refused_type(Refusal::kNotCallable, callable);
    }
    if (!check_arguments(args, kwargs)) return false;
    if (has_callable && !warn_if_nothing_would_run(callable)) return false;
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr || !manager->check_own_thread(tasklet)) return false;
    const bool has_arguments = args != nullptr || kwargs != nullptr;
    if (callable == Py_None && !has_arguments) return unbind(*manager, tasklet);
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);

    if (has_arguments) {
        if (tasklet.has_turn()) return refused(Refusal::kBindCurrent);
        if (!has_callable && !tasklet.bound_callable) return refused_without_callable(tasklet);
        if (has_callable && !bind_callable(tasklet, callable)) return false;
        if (!replace_activation(*manager, tasklet, args, kwargs)) return false;
        if (manager->has_deferred()) manager->run_deferred();
    } else if (has_callable && !bind_callable(tasklet, callable)) {
        return false;
    }
    tasklet.times_switched_to = 0;
    return true;
}

bool setup(TaskletBody& tasklet, PyObject* args, PyObject* kwargs) {
    ManagerBody* manager = enter(tasklet.get_manager()->state);
    if (manager == nullptr || !manager->check_own_thread(tasklet)) return false;
    if (tasklet.is_main) return refused(Refusal::kMainTasklet);
    if (!tasklet.bound_callable) return refused_without_callable(tasklet);
    if (tasklet.has_turn()) return refused(Refusal::kBindCurrent);
    // One that is queued keeps its place, also when it has to be unwound outside the queue.
    core::Tasklet* before = manager->previous_in_queue(tasklet);
    PyRef place = PyRef::share(before != nullptr ? object_of(*before) : nullptr);
    if (!replace_activation(*manager, tasklet, args, kwargs)) return false;
    tasklet.paused = false;
    if (place ? manager->insert_behind(body_of(place.get()), tasklet) : manager->insert(tasklet)) {
        Py_INCREF(tasklet.object);
    }
    if (manager->has_deferred()) manager->run_deferred();
    return true;
}

}  // namespace scheduler::binding
