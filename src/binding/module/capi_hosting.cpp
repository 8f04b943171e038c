#include "binding/module/capi_hosting.h"

#include "binding/diagnostics/tracing.h"
#include "binding/module/capi_call.h"
#include "binding/module/capi_waits.h"
#include "binding/scheduling/hosting.h"
#include "binding/scheduling/tasklet_operations.h"

namespace scheduler::binding::capi {

int pump_some(long long turns, double seconds) {
    return attached(-1, [=] {
        if (turns < SCHEDULER_ANY_TURNS) {
            PyErr_SetString(PyExc_ValueError, "turns must be 0 or more, or SCHEDULER_ANY_TURNS");
            return -1;
        }
        std::int64_t nanoseconds = 0;
        if (!parse_seconds(seconds, &nanoseconds)) return -1;
        return pump(*table_state, turns == SCHEDULER_ANY_TURNS ? core::kNever : turns, nanoseconds);
    });
}

double get_next_deadline() {
    return attached(-1.0, [] { return tell_next_deadline(*table_state); });
}

int set_waker_function(scheduler_waker_func* function, void* data) {
    return attached(-1, [=] {
        LoopWaker waker;
        waker.function = function;
        waker.data = data;
        return zero_or_error(set_waker(*table_state, waker, LoopWaker::Kind::kFunction));
    });
}

int set_waker_fd(int fd) {
    return attached(-1, [fd] {
        LoopWaker waker;
        waker.fd = fd;
        if (fd != -1 && !check_waker_fd(fd)) return -1;
        return zero_or_error(set_waker(*table_state, waker, LoopWaker::Kind::kDescriptor));
    });
}

int forbid_waits(const char* message) {
    return attached(-1, [message] {
        PyRef text = PyRef::steal(message != nullptr ? PyUnicode_FromString(message) : nullptr);
        if (message != nullptr && !text) return -1;
        ManagerBody* const manager = enter(*table_state);
        if (manager == nullptr) return -1;
        manager->exchange_main_refusal(std::move(text));
        return 0;
    });
}

int mark_in_trace(const char* name) {
    return attached(-1, [name] {
        if (name == nullptr) {
            PyErr_SetString(PyExc_TypeError, "the name of a mark must not be NULL");
            return -1;
        }
        if (mark_trace(*table_state, name)) return 1;
        return PyErr_Occurred() == nullptr ? 0 : -1;
    });
}

int tasklet_resume(PyTaskletObject* tasklet) {
    return with_tasklet(tasklet, -1, [](TaskletBody& body) { return zero_or_error(resume(body)); });
}

}  // namespace scheduler::binding::capi
