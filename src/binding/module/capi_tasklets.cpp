#include "binding/module/capi_tasklets.h"

#include "binding/module/capi_call.h"
#include "binding/module/capi_waits.h"
#include "binding/python/errors.h"
#include "binding/scheduling/bind.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/kill_throw.h"
#include "binding/scheduling/outcome.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/tasklet_operations.h"

namespace scheduler::binding::capi {

namespace {

int deliver(PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb, Delivery how) {
    return with_tasklet(tasklet, -1, [&](TaskletBody& body) {
        PyObject* const error = make_exception(exc, val, tb, PyExc_TypeError);
        return zero_or_error(error != nullptr && throw_at(body, error, how));
    });
}

}  // namespace

int tasklet_bind(PyTaskletObject* tasklet, PyObject* callable, PyObject* args, PyObject* kwds) {
    return with_tasklet(tasklet, -1, [&](TaskletBody& body) {
        return zero_or_error(bind(body, callable, args, kwds));
    });
}

int tasklet_remove(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return zero_or_error(remove(body)); });
}

int tasklet_throw(PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb,
                  int pending) {
    return deliver(tasklet, exc, val, tb, pending != 0 ? Delivery::kPending : Delivery::kNow);
}

int tasklet_throw_alone(PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb) {
    return deliver(tasklet, exc, val, tb, Delivery::kAlone);
}

int tasklet_kill_alone(PyTaskletObject* tasklet) {
    return with_tasklet(
        tasklet, -1, [](TaskletBody& body) { return zero_or_error(kill(body, Delivery::kAlone)); });
}

int tasklet_join(PyTaskletObject* tasklet, double seconds) {
    return with_tasklet(tasklet, -1, [seconds](TaskletBody& body) {
        std::int64_t timeout = 0;
        return parse_seconds(seconds, &timeout) ? join(body, timeout) : -1;
    });
}

PyObject* tasklet_result(PyTaskletObject* tasklet, double seconds) {
    return with_tasklet(tasklet, kNull, [seconds](TaskletBody& body) {
        std::int64_t timeout = 0;
        return parse_seconds(seconds, &timeout) ? result(body, timeout) : nullptr;
    });
}

int run_until(int threadblock, double seconds) {
    return attached(-1, [=] {
        std::int64_t timeout = 0;
        if (!parse_seconds(seconds, &timeout)) return -1;
        const bool is_plain = threadblock == 0 && timeout == core::kNever;
        return zero_or_error(is_plain ? run_all(*table_state)
                                      : run_waiting(*table_state, threadblock != 0, timeout));
    });
}

}  // namespace scheduler::binding::capi
