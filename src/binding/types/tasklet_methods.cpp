// The methods of scheduler.Tasklet.

#include "binding/types/tasklet_object.h"

#include "binding/python/errors.h"
#include "binding/scheduling/bind.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/kill_throw.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/outcome.h"
#include "binding/scheduling/tasklet_operations.h"
#include "binding/threads/park.h"
#include "binding/types/tasklet_docs.h"

namespace scheduler::binding {

namespace {

// insert() and remove() return the tasklet, the others None.
template <bool (*Operation)(TaskletBody&), const char* Name, bool ReturnsSelf>
PyObject* simple(PyObject* self, PyObject* const*, Py_ssize_t count) {
    if (!check_count(Name, count, 0, 0) || !Operation(body_of(self))) return nullptr;
    return Py_NewRef(ReturnsSelf ? self : Py_None);
}

constexpr char kInsert[] = "insert", kRemove[] = "remove", kRun[] = "run", kSwitch[] = "switch",
               kResume[] = "resume";

PyObject* tasklet_bind(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"callable", "args", "kwargs", nullptr};
    PyObject *callable = nullptr, *call_args = nullptr, *call_kwargs = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:bind", const_cast<char**>(names),
                                     &callable, &call_args, &call_kwargs) ||
        !bind(body_of(self), callable, call_args, call_kwargs)) {
        return nullptr;
    }
    return Py_NewRef(self);
}

PyObject* tasklet_setup(PyObject* self, PyObject* args, PyObject* kwargs) {
    return setup(body_of(self), args, kwargs) ? Py_NewRef(self) : nullptr;
}

// False with ValueError set.
bool parse_delivery(int pending, int alone, Delivery* how) {
    *how = pending != 0 ? Delivery::kPending : alone != 0 ? Delivery::kAlone : Delivery::kNow;
    if (pending == 0 || alone == 0) return true;
    PyErr_SetString(
        PyExc_ValueError,
        "pending and alone exclude each other: with alone the tasklet has its turn now");
    return false;
}

PyObject* tasklet_kill(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"pending", "alone", nullptr};
    int pending = 0, alone = 0;
    Delivery how{};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p$p:kill", const_cast<char**>(names), &pending,
                                     &alone) ||
        !parse_delivery(pending, alone, &how)) {
        return nullptr;
    }
    return none_if(kill(body_of(self), how));
}

PyObject* tasklet_throw(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"exc", "val", "tb", "pending", "alone", nullptr};
    PyObject *exc = nullptr, *val = nullptr, *tb = nullptr;
    int pending = 0, alone = 0;
    Delivery how{};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOp$p:throw", const_cast<char**>(names), &exc,
                                     &val, &tb, &pending, &alone) ||
        !parse_delivery(pending, alone, &how)) {
        return nullptr;
    }
    PyObject* error = make_exception(exc, val, tb, PyExc_TypeError);
    return error != nullptr ? none_if(throw_at(body_of(self), error, how)) : nullptr;
}

PyObject* tasklet_raise_exception(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                  PyObject* keywords) {
    static constexpr std::string_view kParameters[] = {"", "", "alone"};
    PyObject* given[3];
    if (!check_count("raise_exception", count, 1, 2) ||
        !parse_arguments("raise_exception", kParameters, 1, args, count, keywords, given)) {
        return nullptr;
    }
    const int alone = given[2] != nullptr ? PyObject_IsTrue(given[2]) : 0;
    if (alone < 0) return nullptr;
    PyObject* error = make_exception(given[0], given[1], nullptr, PyExc_TypeError);
    if (error == nullptr) return nullptr;
    return none_if(throw_at(body_of(self), error, alone != 0 ? Delivery::kAlone : Delivery::kNow));
}

bool parse_only_timeout(PyObject* args, PyObject* kwargs, const char* format,
                        std::int64_t* timeout) {
    static const char* const names[] = {"timeout", nullptr};
    PyObject* seconds = nullptr;
    return PyArg_ParseTupleAndKeywords(args, kwargs, format, const_cast<char**>(names), &seconds) !=
               0 &&
           parse_timeout(seconds, "timeout", timeout);
}

PyObject* tasklet_join(PyObject* self, PyObject* args, PyObject* kwargs) {
    std::int64_t timeout = 0;
    if (!parse_only_timeout(args, kwargs, "|O:join", &timeout)) return nullptr;
    const int joined = join(body_of(self), timeout);
    return joined >= 0 ? PyBool_FromLong(joined) : nullptr;
}

PyObject* tasklet_result(PyObject* self, PyObject* args, PyObject* kwargs) {
    std::int64_t timeout = 0;
    if (!parse_only_timeout(args, kwargs, "|O:result", &timeout)) return nullptr;
    return result(body_of(self), timeout);
}

PyObject* tasklet_set_context(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("set_context", count, 1, 1)) return nullptr;
    if (!PyContext_CheckExact(args[0])) {
        PyErr_Format(PyExc_TypeError, "set_context() takes a contextvars.Context, not %.200s",
                     Py_TYPE(args[0])->tp_name);
        return nullptr;
    }
    TaskletBody& body = body_of(self);
    if (body.is_main || body.started()) return refuse(Refusal::kAlreadyStarted);
    body.context_is_set = true;
    body.context_object.set(PyRef::share(args[0]));
    return Py_NewRef(self);
}

template <auto Function>
constexpr auto on_tasklet = fast_method<TaskletObject, Function>;
template <auto Function>
constexpr auto with_keywords = keyword_method<TaskletObject, Function>;

}  // namespace

PyObject* tasklet_call(PyObject* self, PyObject* args, PyObject* kwargs) {
    return with_keywords<tasklet_setup>(self, args, kwargs);
}

PyMethodDef tasklet_methods[] = {
    {"bind", as_method(with_keywords<tasklet_bind>), METH_VARARGS | METH_KEYWORDS, docs::bind},
    {"setup", as_method(with_keywords<tasklet_setup>), METH_VARARGS | METH_KEYWORDS, docs::setup},
    {"insert", as_method(on_tasklet<simple<insert, kInsert, true>>), METH_FASTCALL, docs::insert},
    {"remove", as_method(on_tasklet<simple<remove, kRemove, true>>), METH_FASTCALL, docs::remove},
    {"run", as_method(on_tasklet<simple<run, kRun, false>>), METH_FASTCALL, docs::run},
    {"resume", as_method(on_tasklet<simple<resume, kResume, false>>), METH_FASTCALL, docs::resume},
    {"switch", as_method(on_tasklet<simple<switch_to_tasklet, kSwitch, false>>), METH_FASTCALL,
     docs::switch_},
    {"kill", as_method(with_keywords<tasklet_kill>), METH_VARARGS | METH_KEYWORDS, docs::kill},
    {"throw", as_method(with_keywords<tasklet_throw>), METH_VARARGS | METH_KEYWORDS, docs::throw_},
    {"raise_exception", as_method(keyword_fast_method<TaskletObject, tasklet_raise_exception>),
     METH_FASTCALL | METH_KEYWORDS, docs::raise_exception},
    {"join", as_method(with_keywords<tasklet_join>), METH_VARARGS | METH_KEYWORDS, docs::join},
    {"result", as_method(with_keywords<tasklet_result>), METH_VARARGS | METH_KEYWORDS,
     docs::result},
    {"set_context", as_method(on_tasklet<tasklet_set_context>), METH_FASTCALL, docs::set_context},
    {"__reduce__", refuse_to_pickle, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, docs::tasklet_class_getitem},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace scheduler::binding
