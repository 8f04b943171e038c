#include "binding/module/capi.h"
#include "binding/scheduling/bind.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/kill_throw.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/transfer.h"

#define SCHEDULER_MODULE
#include "Scheduler.h"

#include <atomic>

#include "binding/interp/interpreter.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/tasklet_operations.h"
#include "binding/types/channel_type.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

// ---- what the table's functions share ----------------------------------------------------------

// The table serves the main interpreter, to which PyGILState attaches threads, and the module that it
// imported first; until then, the first module of any interpreter. Written with the GIL held.
ModuleState* table_state = nullptr;
PyObject* table_tasklet_exit = nullptr;

// A module may outlive its interpreter, kept by what a daemon thread has left behind.
bool takes_over_table(const ModuleState& state) {
    if (table_state == nullptr || table_state->at_exit) return true;
    return state.of_main_interpreter && !table_state->of_main_interpreter;
}

// Is there a module that the calling code's interpreter may use? Sets the error.
bool has_module() {
    if (table_state == nullptr || table_state->tasklet_type == nullptr) {
        PyErr_SetString(PyExc_RuntimeError,
                        "no interpreter has the module scheduler: import it before the C table is "
                        "used, and again after that interpreter has ended");
        return false;
    }
    if (table_state->interpreter == PyInterpreterState_GetID(PyInterpreterState_Get())) return true;
    PyErr_SetString(PyExc_RuntimeError,
                    "the C table serves the main interpreter, or the first one to import "
                    "scheduler, and this call comes from another one: use the Python API there");
    return false;
}

// Runs `function` attached, or returns `failure` with an error set; without Python there is none to set.
// The thread that ends the interpreter is attached and has its errors, though Py_IsInitialized() says no;
// any other one could not attach any more.
// PyGILState_Release() is called by hand: a destructor would run, without the GIL, when a daemon thread
// is ended in here.
template <typename Result, typename Function>
Result attached(Result failure, Function function) {
    if (holds_gil()) return has_module() ? function() : failure;
    if (Py_IsInitialized() == 0) return failure;
    const PyGILState_STATE gil = PyGILState_Ensure();
    const Result result = has_module() ? function() : failure;
    PyGILState_Release(gil);
    return result;
}
constexpr PyObject* kNull = nullptr;

// "New reference to None, or NULL": from success or failure.
PyObject* none_or_null(bool ok) { return none_if(ok); }
int zero_or_error(bool ok) { return ok ? 0 : -1; }

// An argument as an object of our type that is fit for use; nullptr with an error set.
template <typename Object>
PyObject* checked(void* argument, PyTypeObject* type) {
    auto* object = static_cast<PyObject*>(argument);
    if (object == nullptr) {
        PyErr_Format(PyExc_TypeError, "expected a %s, not NULL", type->tp_name);
        return nullptr;
    }
    if (!PyObject_TypeCheck(object, type)) {
        PyErr_Format(PyExc_TypeError, "expected a %s, not %.200s", type->tp_name,
                     Py_TYPE(object)->tp_name);
        return nullptr;
    }
    return check_initialised<Object>(object) ? object : nullptr;
}

// Calls `function(TaskletBody&)` attached; `failure` for an argument that is no tasklet.
template <typename Result, typename Function>
Result with_tasklet(PyTaskletObject* tasklet, Result failure, Function function) {
    return attached(failure, [&]() -> Result {
        PyRef object = PyRef::share(checked<TaskletObject>(tasklet, table_state->tasklet_type));
        return object ? function(body_of(object.get())) : failure;
    });
}

// The same for a channel, as an object.
template <typename Result, typename Function>
Result with_channel(PyChannelObject* channel, Result failure, Function function) {
    return attached(failure, [&]() -> Result {
        PyRef object = PyRef::share(checked<ChannelObject>(channel, table_state->channel_type));
        return object ? function(object.get()) : failure;
    });
}

template <typename Function>
int with_manager(Function function) {
    return attached(-1, [&] {
        ManagerBody* manager = enter(*table_state);
        return manager != nullptr ? function(*manager) : -1;
    });
}

bool check_type_argument(PyTypeObject* type, PyTypeObject* base) {
    if (type != nullptr && PyType_Check(reinterpret_cast<PyObject*>(type)) &&
        PyType_IsSubtype(type, base) != 0) {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "the type must be %R or derived from it", base);
    return false;
}

int is_instance(PyObject* object, PyTypeObject* ModuleState::* type) {
    if (object == nullptr) return 0;
    return attached(0, [&] { return PyObject_TypeCheck(object, table_state->*type) ? 1 : 0; });
}

// ---- tasklets ----------------------------------------------------------------------------------

PyTaskletObject* tasklet_new(PyTypeObject* type, PyObject* args) {
    return attached(static_cast<PyTaskletObject*>(nullptr), [&]() -> PyTaskletObject* {
        if (!check_type_argument(type, table_state->tasklet_type)) return nullptr;
        if (args != nullptr && !PyTuple_Check(args)) {
            refuse(Refusal::kArgsNotTuple);
            return nullptr;
        }
        auto* callable = reinterpret_cast<PyObject*>(type);
        PyObject* made = args != nullptr ? PyObject_Call(callable, args, nullptr)
                                         : PyObject_CallNoArgs(callable);
        return reinterpret_cast<PyTaskletObject*>(made);
    });
}

int tasklet_setup(PyTaskletObject* tasklet, PyObject* args, PyObject* kwds) {
    return with_tasklet(tasklet, -1, [&](TaskletBody& body) {
        if (args == nullptr || !PyTuple_Check(args)) {
            refuse(Refusal::kArgsNotTuple);
            return -1;
        }
        if (kwds != nullptr && !PyDict_Check(kwds)) {
            refuse(Refusal::kKwargsNotDict);
            return -1;
        }
        return zero_or_error(setup(body, args, kwds));
    });
}

int tasklet_insert(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return zero_or_error(insert(body)); });
}

int tasklet_get_block_trap(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return body.block_trap ? 1 : 0; });
}

void tasklet_set_block_trap(PyTaskletObject* tasklet, int value) {
    with_tasklet(tasklet, -1, [value](TaskletBody& body) {
        body.block_trap = value != 0;
        return 0;
    });
}

int tasklet_is_main(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return body.is_main ? 1 : 0; });
}

int tasklet_check(PyObject* object) { return is_instance(object, &ModuleState::tasklet_type); }

int tasklet_alive(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return body.alive() ? 1 : 0; });
}

int tasklet_kill(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, 0, [](TaskletBody& body) {
        static_cast<void>(kill(body, false));
        return 0;
    });
}

long tasklet_get_times_switched_to(PyTaskletObject* tasklet) {
    return with_tasklet(
        tasklet, -1L, [](TaskletBody& body) { return static_cast<long>(body.times_switched_to); });
}

const char* tasklet_get_context(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, static_cast<const char*>(nullptr), [](TaskletBody& body) {
        const TaskletNotes* notes = body.notes.load();
        if (notes == nullptr || !notes->context_text) return "";
        return PyUnicode_AsUTF8(notes->context_text.borrow());
    });
}

// ---- channels ----------------------------------------------------------------------------------

PyChannelObject* channel_new(PyTypeObject* type) {
    return attached(static_cast<PyChannelObject*>(nullptr), [&]() -> PyChannelObject* {
        if (type == nullptr) type = table_state->channel_type;
        if (!check_type_argument(type, table_state->channel_type)) return nullptr;
        return reinterpret_cast<PyChannelObject*>(
            PyObject_CallNoArgs(reinterpret_cast<PyObject*>(type)));
    });
}

int send(PyObject* channel, core::Parcel::Kind kind, PyObject* stolen) {
    return zero_or_error(static_cast<bool>(PyRef::steal(exchange(channel, kind, stolen))));
}

int channel_send(PyChannelObject* channel, PyObject* value) {
    return with_channel(channel, -1, [value](PyObject* object) {
        if (value != nullptr) return send(object, core::Parcel::Kind::kValue, Py_NewRef(value));
        PyErr_SetString(PyExc_TypeError, "the value to send must not be NULL");
        return -1;
    });
}

PyObject* channel_receive(PyChannelObject* channel) {
    return with_channel(channel, static_cast<PyObject*>(nullptr), [](PyObject* object) {
        return exchange(object, core::Parcel::Kind::kEmpty, nullptr);
    });
}

int send_made(PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb,
              ReadyInstance ready) {
    return with_channel(channel, -1, [&](PyObject* object) {
        PyObject* error = make_exception(exc, val, tb, PyExc_RuntimeError, ready);
        return error != nullptr ? send(object, core::Parcel::Kind::kError, error) : -1;
    });
}

int channel_send_throw(PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb) {
    return send_made(channel, exc, val, tb, ReadyInstance::kOfExactClass);
}

int channel_send_exception(PyChannelObject* channel, PyObject* klass, PyObject* value) {
    return send_made(channel, klass, value, nullptr, ReadyInstance::kOfClass);
}

PyObject* channel_get_queue(PyChannelObject* channel) {
    return with_channel(channel, static_cast<PyObject*>(nullptr), first_waiting);
}

int channel_get_preference(PyChannelObject* channel) {
    return with_channel(channel, -1,
                        [](PyObject* object) { return channel_of(object).channel.preference(); });
}

void channel_set_preference(PyChannelObject* channel, int value) {
    with_channel(channel, -1, [value](PyObject* object) {
        channel_of(object).channel.set_preference(value < -1 ? -1 : value > 1 ? 1 : value);
        return 0;
    });
}

int channel_get_balance(PyChannelObject* channel) {
    return with_channel(channel, -1,
                        [](PyObject* object) { return channel_of(object).channel.balance(); });
}

int channel_check(PyObject* object) { return is_instance(object, &ModuleState::channel_type); }

// ---- the calling thread's manager --------------------------------------------------------------

PyObject* get_scheduler() {
    return attached(kNull, []() -> PyObject* {
        ManagerBody* manager = enter(*table_state);
        if (manager == nullptr) return nullptr;
        return manager->object != nullptr ? Py_NewRef(manager->object)
                                          : refuse(Refusal::kThreadEnding);
    });
}

PyObject* schedule_current(PyObject*, int remove) {
    return attached(kNull, [remove] { return none_or_null(schedule(*table_state, remove != 0)); });
}

int get_run_count() {
    return with_manager([](ManagerBody& manager) { return static_cast<int>(manager.run_count()); });
}

PyObject* get_current() {
    return attached(kNull, []() -> PyObject* {
        ManagerBody* manager = enter(*table_state);
        return manager != nullptr ? Py_NewRef(manager->current_body().object) : nullptr;
    });
}

PyObject* run_with_timeout(long long timeout_ns) {
    return attached(kNull,
                    [timeout_ns] { return none_or_null(run_for(*table_state, timeout_ns)); });
}

PyObject* run_n_tasklets(int number) {
    return attached(kNull, [number] { return none_or_null(run_turns(*table_state, number)); });
}

// ---- callbacks ---------------------------------------------------------------------------------

int set_callback(SharedRef ModuleState::* slot, PyObject* callable) {
    return attached(-1, [&] {
        if (callable != nullptr && (callable == Py_None || PyCallable_Check(callable) == 0)) {
            PyErr_SetString(PyExc_TypeError, "the callback must be callable, or NULL for none");
            return -1;
        }
        (table_state->*slot).set(PyRef::share(callable));
        return 0;
    });
}

int set_channel_callback(PyObject* callable) {
    return set_callback(&ModuleState::channel_callback, callable);
}
int set_schedule_callback(PyObject* callable) {
    return set_callback(&ModuleState::schedule_callback, callable);
}
PyObject* get_channel_callback() {
    return attached(kNull, [] {
        PyObject* callback = table_state->channel_callback.borrow();
        return callback != nullptr ? callback : Py_None;
    });
}
void set_fast_callback(schedule_hook_func func) {
    attached(-1, [func] {
        table_state->fast_callback = func;
        return 0;
    });
}

// ---- counters ----------------------------------------------------------------------------------

// Nothing exists where no interpreter has the module. Needs no GIL.
template <auto Number>
int counter() {
    ModuleState* const state = std::atomic_ref(table_state).load();
    return state != nullptr ? static_cast<int>(state->*Number) : 0;
}

SchedulerCAPI table = {
    tasklet_new,
    tasklet_setup,
    tasklet_insert,
    tasklet_get_block_trap,
    tasklet_set_block_trap,
    tasklet_is_main,
    tasklet_check,
    tasklet_alive,
    tasklet_kill,
    channel_new,
    channel_send,
    channel_receive,
    channel_send_exception,
    channel_get_queue,
    channel_get_preference,
    channel_set_preference,
    channel_get_balance,
    channel_check,
    channel_send_throw,
    get_scheduler,
    schedule_current,
    get_run_count,
    get_current,
    run_with_timeout,
    run_n_tasklets,
    set_channel_callback,
    get_channel_callback,
    set_schedule_callback,
    set_fast_callback,
    counter<&ModuleState::managers>,
    counter<&ModuleState::channels>,
    counter<&ModuleState::tasklets_ever>,
    counter<&ModuleState::tasklets>,
    counter<&ModuleState::last_run_completed>,
    counter<&ModuleState::last_run_switched>,
    nullptr,  // PyTaskletType, PyChannelType, TaskletExit: see publish_table()
    nullptr,
    nullptr,
    tasklet_get_times_switched_to,
    tasklet_get_context,
};

}  // namespace

bool publish_table(PyObject* module, ModuleState& state) {
    if (takes_over_table(state)) {
        std::atomic_ref(table_state).store(&state);
        table_tasklet_exit = state.tasklet_exit;
        table.PyTaskletType = state.tasklet_type;
        table.PyChannelType = state.channel_type;
        table.TaskletExit = &table_tasklet_exit;
    }
    PyRef capsule = PyRef::steal(PyCapsule_New(&table, "scheduler._C_API", nullptr));
    void* const size = reinterpret_cast<void*>(sizeof table);  // NOLINT(performance-no-int-to-ptr)
    return capsule && PyCapsule_SetContext(capsule.get(), size) == 0 &&
           PyModule_AddObjectRef(module, "_C_API", capsule.get()) == 0;
}

void forget_state(ModuleState& state) {
    if (table_state == &state) std::atomic_ref(table_state).store(nullptr);
}

}  // namespace scheduler::binding
