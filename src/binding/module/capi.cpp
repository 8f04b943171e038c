#include "binding/module/capi.h"

#include <atomic>

#include "binding/module/capi_call.h"
#include "binding/module/capi_channels.h"
#include "binding/module/capi_hosting.h"
#include "binding/module/capi_tasklets.h"
#include "binding/module/capi_waits.h"
#include "binding/python/errors.h"
#include "binding/scheduling/bind.h"
#include "binding/scheduling/kill_throw.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/tasklet_operations.h"
#include "binding/types/channel_type.h"

namespace scheduler::binding {

namespace capi {

ModuleState* table_state = nullptr;

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

namespace {

PyObject* table_tasklet_exit = nullptr;

// A module may outlive its interpreter, kept by what a daemon thread has left behind.
bool takes_over_table(const ModuleState& state) {
    if (table_state == nullptr || table_state->at_exit) return true;
    return state.of_main_interpreter && !table_state->of_main_interpreter;
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
        static_cast<void>(kill(body, Delivery::kNow));
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
        table_state->set_fast_callback(func);
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
    sleep_seconds,
    channel_send_with_timeout,
    channel_receive_with_timeout,
    channel_send_exception_with_timeout,
    select_cases,
    pump_some,
    get_next_deadline,
    set_waker_function,
    set_waker_fd,
    forbid_waits,
    tasklet_resume,
    tasklet_kill_alone,
    tasklet_throw_alone,
    tasklet_bind,
    tasklet_remove,
    tasklet_throw,
    tasklet_join,
    tasklet_result,
    channel_close,
    channel_clear,
    queue_channel_new,
    queue_channel_check,
    run_until,
    mark_in_trace,
};

}  // namespace

}  // namespace capi

bool publish_table(PyObject* module, ModuleState& state) {
    using namespace capi;
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
    if (capi::table_state == &state) std::atomic_ref(capi::table_state).store(nullptr);
}

}  // namespace scheduler::binding
