#include "binding/interp/sub_interpreters.h"

#include "binding/interp/c_stack.h"
#include "binding/interp/interpreter.h"

namespace scheduler::binding {

#if PY_VERSION_HEX >= 0x030E0000

namespace {

constexpr char kMaker[] = "_interpreters";

std::atomic<HostThread> host_thread{nullptr};
std::atomic<bool> has_hook{false};

int share_stack_with_host(const char*, PyObject*, void*) {
    PyThreadState* const host = host_thread.load(std::memory_order_relaxed)();
    PyThreadState* const thread = this_thread_state();
    if (host != nullptr && thread != nullptr && host != thread) share_c_stack(*host, *thread);
    return 0;
}

bool add_hook() {
    if (has_hook.exchange(true)) return true;
    if (PySys_AddAuditHook(share_stack_with_host, nullptr) == 0) return true;
    has_hook = false;
    return false;
}

// Of the modules that have been imported.
int see_import(PyDict_WatchEvent event, PyObject*, PyObject* name, PyObject*) {
    const bool is_maker = event == PyDict_EVENT_ADDED && name != nullptr &&
                          PyUnicode_CheckExact(name) &&
                          PyUnicode_CompareWithASCIIString(name, kMaker) == 0;
    return is_maker && !add_hook() ? -1 : 0;
}

}  // namespace

bool watch_sub_interpreters(HostThread host, int& watcher) {
    host_thread = host;
    PyObject* const modules = PyImport_GetModuleDict();  // borrowed
    const bool has_some = PyInterpreterState_Get() != PyInterpreterState_Main() ||
                          PyInterpreterState_Next(PyInterpreterState_Head()) != nullptr ||
                          PyDict_GetItemString(modules, kMaker) != nullptr;
    if (has_some || has_hook) return add_hook();
    watcher = PyDict_AddWatcher(see_import);
    if (watcher != kNoWatcher) return PyDict_Watch(watcher, modules) == 0;
    PyErr_Clear();  // there are eight for an interpreter, and others have taken all
    return add_hook();
}

void unwatch_sub_interpreters(int watcher) {
    if (watcher != kNoWatcher && PyDict_ClearWatcher(watcher) != 0) PyErr_Clear();
}

#else

bool watch_sub_interpreters(HostThread, int&) { return true; }
void unwatch_sub_interpreters(int) {}

#endif

}  // namespace scheduler::binding
