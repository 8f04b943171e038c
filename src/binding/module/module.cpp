#include "binding/module/module.h"

#include "binding/types/manager_type.h"

#include "binding/threads/current_manager.h"

#include <new>

#include "binding/aio/bond.h"
#include "binding/interp/sub_interpreters.h"
#include "binding/module/capi.h"
#include "binding/module/function_docs.h"
#include "binding/module/functions.h"
#include "binding/python/refs.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/select.h"
#include "binding/threads/park.h"
#include "binding/types/channel_type.h"
#include "binding/types/tasklet_object.h"
#include "core/context.h"

namespace scheduler::binding {

namespace {

// Two types are visible although no program can make or call one: their names are part of the API.
PyType_Slot callable_wrapper_slots[] = {
    {Py_tp_doc, const_cast<char*>("Part of the API by name only: cannot be instantiated.")},
    {0, nullptr},
};
PyType_Spec callable_wrapper_spec = {
    "scheduler.CallableWrapper", sizeof(PyObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    callable_wrapper_slots};

struct TypeEntry {
    PyTypeObject* ModuleState::* slot;
    PyType_Spec* spec;
    const char* name;  // nullptr: not visible
    PyTypeObject* ModuleState::* base = nullptr;  // one further up
};

const TypeEntry kTypes[] = {
    {&ModuleState::tasklet_type, &tasklet_type_spec, "tasklet"},
    {&ModuleState::channel_type, &channel_type_spec, "channel"},
    {&ModuleState::buffered_type, &buffered_type_spec, "buffered", &ModuleState::channel_type},
    {&ModuleState::manager_type, &manager_type_spec, "schedule_manager"},
    {&ModuleState::bond_type, &bond_type_spec, "_Bond"},
    {&ModuleState::callable_wrapper_type, &callable_wrapper_spec, "callable_wrapper"},
    {&ModuleState::thread_guard_type, &thread_guard_type_spec, nullptr},
};

bool add_types(PyObject* module, ModuleState& state) {
    for (const TypeEntry& entry : kTypes) {
        PyTypeObject* const base = entry.base != nullptr ? state.*entry.base : nullptr;
        PyObject* type =
            PyType_FromModuleAndSpec(module, entry.spec, reinterpret_cast<PyObject*>(base));
        if (type == nullptr) return false;
        state.*entry.slot = reinterpret_cast<PyTypeObject*>(type);
        if (entry.name != nullptr && PyModule_AddObjectRef(module, entry.name, type) < 0)
            return false;
    }
    state.tasklet_type->tp_vectorcall = tasklet_vectorcall;
    state.send_case_type = PyStructSequence_NewType(&send_case_description);
    return state.send_case_type != nullptr &&
           PyModule_AddObjectRef(module, "_SendCase",
                                 reinterpret_cast<PyObject*>(state.send_case_type)) == 0;
}

// At the end of the main thread, while modules are still whole, its tasklets are unwound.
PyObject* end_at_exit(PyObject* module, PyObject*) {
    state_of_module(module).at_exit = true;
    finish_manager_of_this_thread(state_of_module(module));
    Py_RETURN_NONE;
}
PyMethodDef end_at_exit_method = {"_end_at_exit", end_at_exit, METH_NOARGS, nullptr};

bool register_at_exit(PyObject* module) {
    PyRef function = PyRef::steal(PyCFunction_New(&end_at_exit_method, module));
    PyRef atexit = PyRef::steal(PyImport_ImportModule("atexit"));
    if (!function || !atexit) return false;
    return static_cast<bool>(
        PyRef::steal(PyObject_CallMethod(atexit.get(), "register", "O", function.get())));
}

bool add_endless_wait(PyObject* module) {
    const PyRef seconds = PyRef::steal(PyLong_FromLongLong(kEndlessWait / core::kSecond));
    return seconds && PyModule_AddObjectRef(module, "_endless_wait", seconds.get()) == 0;
}

PyThreadState* thread_of_last_manager() {
    return last_manager != nullptr ? last_manager->thread_state : nullptr;
}

int module_exec(PyObject* module) {
    if (!check_interpreter()) return -1;
    auto* made = new (std::nothrow) ModuleState{};
    if (made == nullptr) {
        PyErr_NoMemory();
        return -1;
    }
    *static_cast<ModuleState**>(PyModule_GetState(module)) = made;
    ModuleState& state = *made;
    static std::atomic<unsigned long> last_serial{0};
    state.module = module;
    state.serial = ++last_serial;
    state.nested = true;
    state.stack_bytes = core::kDefaultStackBytes;
    state.deadlock_timeout = 1'000'000'000;
    state.sub_interpreter_watcher = kNoWatcher;
    state.of_main_interpreter = PyInterpreterState_Get() == PyInterpreterState_Main();
    state.interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    // One key a module object: an interpreter may hold several, imported one after the other.
    state.guard_key = PyUnicode_FromFormat("_scheduler.thread_guard.%p", &state);
    state.cr_suspended = PyUnicode_InternFromString("cr_suspended");
    state.timeout_name = PyUnicode_InternFromString("timeout");
    state.tasklet_exit = PyErr_NewExceptionWithDoc("_scheduler.TaskletExit", docs::tasklet_exit,
                                                   PyExc_SystemExit, nullptr);
    state.channel_closed = PyErr_NewExceptionWithDoc(
        "scheduler.ChannelClosed", docs::channel_closed, PyExc_ValueError, nullptr);
    state.scope_expired = PyErr_NewExceptionWithDoc("_scheduler._ScopeExpired", docs::scope_expired,
                                                    PyExc_BaseException, nullptr);
    const bool ok = state.scope_expired != nullptr &&
                    PyModule_AddObjectRef(module, "_ScopeExpired", state.scope_expired) == 0 &&
                    state.guard_key != nullptr && state.cr_suspended != nullptr &&
                    state.timeout_name != nullptr && state.tasklet_exit != nullptr &&
                    PyModule_AddObjectRef(module, "TaskletExit", state.tasklet_exit) == 0 &&
                    PyModule_AddStringConstant(module, "_jump_library", core::kJumpLibrary) == 0 &&
                    add_endless_wait(module) && state.channel_closed != nullptr &&
                    PyModule_AddObjectRef(module, "ChannelClosed", state.channel_closed) == 0 &&
                    add_types(module, state) && publish_table(module, state) &&
                    register_at_exit(module) && state.survivors.prepare() &&
                    watch_sub_interpreters(thread_of_last_manager, state.sub_interpreter_watcher);
    return ok ? 0 : -1;
}

// False for a module whose initialisation has not begun.
bool has_state(PyObject* module) {
    auto** state = static_cast<ModuleState**>(PyModule_GetState(module));
    return state != nullptr && *state != nullptr;
}

int module_traverse(PyObject* module, visitproc visit, void* arg) {
    if (!has_state(module)) return 0;
    const ModuleState& state = state_of_module(module);
    for (const TypeEntry& entry : kTypes) Py_VISIT(state.*entry.slot);
    Py_VISIT(state.send_case_type);
    Py_VISIT(state.tasklet_exit);
    Py_VISIT(state.channel_closed);
    Py_VISIT(state.scope_expired);
    Py_VISIT(state.schedule_callback.borrow());
    Py_VISIT(state.channel_callback.borrow());
    Py_VISIT(state.current_task.borrow());
    Py_VISIT(state.trace.on_failure.borrow());
    return 0;
}

// TaskletExit and the key refer to nothing of the module, and are needed as long as tasklets live.
int module_clear(PyObject* module) {
    if (!has_state(module)) return 0;
    ModuleState& state = state_of_module(module);
    state.schedule_callback.set({});
    state.channel_callback.set({});
    state.current_task.set({});
    state.trace.on_failure.set({});
    for (const TypeEntry& entry : kTypes) Py_CLEAR(state.*entry.slot);
    Py_CLEAR(state.send_case_type);
    return 0;
}

void module_free(void* module) {
    auto* object = static_cast<PyObject*>(module);
    if (!has_state(object)) return;
    forget_state(state_of_module(object));
    unwatch_sub_interpreters(state_of_module(object).sub_interpreter_watcher);
    module_clear(object);
    state_of_module(object).module = nullptr;
    state_of_module(object).release();
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

}  // namespace

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_scheduler",    docs::module_, sizeof(ModuleState*), module_functions,
    module_slots,          module_traverse, module_clear,  module_free,
};

ModuleState* state_of_type(PyTypeObject* type) {
    PyObject* module = PyType_GetModuleByDef(type, &module_definition);
    return module != nullptr ? &state_of_module(module) : nullptr;
}

}  // namespace scheduler::binding

PyMODINIT_FUNC PyInit__scheduler() {
    return PyModuleDef_Init(&scheduler::binding::module_definition);
}
