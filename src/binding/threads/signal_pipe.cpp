#include "binding/threads/signal_pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "binding/python/refs.h"
#include "core/manager.h"

namespace scheduler::binding {

namespace {

constexpr char kWoken = 0;  // the number of no signal

// Imports nothing: that could run a signal handler, whose exception would get lost here.
PyRef find_module(const char* name) {
    const PyRef key = PyRef::steal(PyUnicode_FromString(name));
    return PyRef::steal(key ? PyImport_GetModule(key.get()) : nullptr);
}

// Where signals write to from now on, and where they did before. False without an error set.
bool set_wakeup_fd(int fd, int* before) {
    const PyRef module = find_module("_signal");
    const PyRef result = PyRef::steal(
        module ? PyObject_CallMethod(module.get(), "set_wakeup_fd", "i", fd) : nullptr);
    if (result) *before = static_cast<int>(PyLong_AsLong(result.get()));
    PyErr_Clear();
    return static_cast<bool>(result);
}

PyObject* after_fork_in_child(PyObject*, PyObject*) {
    SignalPipe::close_all();
    Py_RETURN_NONE;
}
PyMethodDef after_fork_method = {"_close_signal_pipes", after_fork_in_child, METH_NOARGS, nullptr};

// Has every child close what is open when it is forked. False without an error set.
bool watch_forks() {
    const PyRef os = find_module("os");
    const PyRef watch =
        PyRef::steal(os ? PyObject_GetAttrString(os.get(), "register_at_fork") : nullptr);
    const PyRef none = PyRef::steal(watch ? PyTuple_New(0) : nullptr);
    const PyRef keywords =
        PyRef::steal(none ? Py_BuildValue("{s:N}", "after_in_child",
                                          PyCFunction_New(&after_fork_method, nullptr))
                          : nullptr);
    const PyRef result =
        PyRef::steal(keywords ? PyObject_Call(watch.get(), none.get(), keywords.get()) : nullptr);
    PyErr_Clear();
    return static_cast<bool>(result);
}

}  // namespace

SignalPipe* SignalPipe::innermost_ = nullptr;

bool SignalPipe::open(ModuleState& state) {
    state.closes_signal_pipes = state.closes_signal_pipes || watch_forks();
    int ends[2];
    if (!state.closes_signal_pipes || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    if (!set_wakeup_fd(ends[1], &others_)) {
        ::close(ends[0]);
        ::close(ends[1]);
        return false;
    }
    read_end_ = ends[0];
    write_end_ = ends[1];
    outer_ = std::exchange(innermost_, this);
    return true;
}

void SignalPipe::close() {
    if (write_end_ == -1) return;
    ErrorStash stash;
    innermost_ = outer_;
    int current = write_end_;
    set_wakeup_fd(others_, &current);
    // A handler has set another one meanwhile.
    if (current != write_end_) set_wakeup_fd(current, &current);
    if (others_ != -1) pass_signals_on();
    ::close(read_end_);
    ::close(std::exchange(write_end_, -1));
}

void SignalPipe::close_all() {
    while (innermost_ != nullptr) innermost_->close();
}

void SignalPipe::pass_signals_on() {
    char numbers[64];
    for (ssize_t count; (count = ::read(read_end_, numbers, sizeof numbers)) > 0;) {
        const char* const end = std::remove(numbers, numbers + count, kWoken);
        // As CPython does: one that has no room for them is not waited for.
        [[maybe_unused]] const ssize_t written =
            ::write(others_, numbers, static_cast<std::size_t>(end - numbers));
    }
}

core::Wakeup SignalPipe::sleep(std::int64_t deadline) {
    timespec left{};
    if (deadline != core::kNever) {
        const std::int64_t time =
            std::max<std::int64_t>(deadline - core::ScheduleManager::now(), 0);
        left = {time / core::kSecond, time % core::kSecond};
    }
    pollfd readable{read_end_, POLLIN, 0};
    const int count = ::ppoll(&readable, 1, deadline == core::kNever ? nullptr : &left, nullptr);
    return count == 0 ? core::Wakeup::kTimeout : core::Wakeup::kSignal;
}

void SignalPipe::wake() {
    // It fails if the pipe is full of signals: then there is something to read as well.
    [[maybe_unused]] const ssize_t written = ::write(write_end_, &kWoken, 1);
}

}  // namespace scheduler::binding
