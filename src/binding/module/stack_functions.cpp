#include "binding/module/stack_functions.h"

#include "binding/threads/current_manager.h"

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

namespace {

// False with TypeError or ValueError set.
bool parse_size(PyObject* argument, std::size_t* bytes) {
    if (PyIndex_Check(argument) == 0) {
        PyErr_Format(PyExc_TypeError, "the stack size must be an int (bytes), not %.200s",
                     Py_TYPE(argument)->tp_name);
        return false;
    }
    PyRef number = PyRef::steal(PyNumber_Index(argument));
    if (!number) return false;
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    if (value == -1 && PyErr_Occurred() != nullptr) return false;
    const auto least = static_cast<long long>(least_stack_bytes());
    constexpr auto kMost = static_cast<long long>(core::kMaxStackBytes);
    if (overflow != 0 || value < least || value > kMost) {
        PyErr_Format(PyExc_ValueError,
                     "the stack size must be from %lld bytes (%lld KiB) to %lld (4 GiB), not %S",
                     least, least / 1024, kMost, number.get());
        return false;
    }
    *bytes = static_cast<std::size_t>(value);
    return true;
}

}  // namespace

PyObject* set_stack_size(ModuleState& state, PyObject* argument) {
    std::size_t bytes = 0;
    if (!parse_size(argument, &bytes)) return nullptr;
    return PyLong_FromSize_t(state.stack_bytes.exchange(bytes));
}

PyObject* get_stack_size(ModuleState& state) { return PyLong_FromSize_t(state.stack_bytes); }

PyObject* trim_stacks(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    core::StackSupply& stacks = manager->stacks();
    std::size_t before = 0;
    std::size_t after = 0;
    const bool is_known = stacks.measure_resident(before);
    stacks.trim();
    if (!is_known || !stacks.measure_resident(after)) Py_RETURN_NONE;
    return PyLong_FromSize_t(before - after);
}

PyObject* stack_stats(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    const core::StackSupply& stacks = manager->stacks();
    const core::StackStats stats = stacks.stats();
    const std::size_t stack_bytes = core::StackPool::stack_bytes_for(state.wanted_stack());
    std::size_t bytes = 0;
    PyRef resident = stacks.measure_resident(bytes) ? PyRef::steal(PyLong_FromSize_t(bytes))
                                                    : PyRef::share(Py_None);
    if (!resident) return nullptr;
    const auto number = [](std::size_t count) { return static_cast<Py_ssize_t>(count); };
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:n,s:O}", "stack_bytes", number(stack_bytes),
                         "reserved", number(stats.reserved), "in_use", number(stats.in_use),
                         "high_water", number(stacks.high_water()), "pooled", number(stats.pooled),
                         "guarded", number(stats.guarded), "mappings", number(stats.slab_count),
                         "resident_bytes", resident.get());
}

}  // namespace scheduler::binding
