// Method tables without repetition: what every method of our types does first.
#pragma once

#include <Python.h>

#include <exception>
#include <new>
#include <span>
#include <string_view>

#include "binding/python/errors.h"
#include "binding/python/refs.h"

namespace scheduler::binding {

// The object's base __init__ has run. Asked before any argument is looked at.
template <typename Object>
bool is_initialised(PyObject* self);

template <typename Object>
bool check_initialised(PyObject* self) {
    if (is_initialised<Object>(self)) return true;
    refuse(Refusal::kNotInitialised);
    return false;
}

// The wrong number of arguments: TypeError as CPython words it.
bool check_count(const char* name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most);

// The slots of one of our types, and the one keyword that its constructor knows.
struct Constructor {
    newfunc make;
    initproc init;
    const char* keyword;
    const char* warning;  // RuntimeWarning: what else is ignored, and what to write instead
};
// What came to `constructor.init` beyond what it takes: `extra` positional arguments and these keywords.
// `value` gets that of the keyword (borrowed), or nullptr. All else is ignored, as programs for this
// API expect, but not without a word. A class with an __init__ of its own may pass on what it likes, and
// with nothing but a __new__ of its own all was for that. False with an error set.
bool parse_constructor(const Constructor& constructor, PyObject* self, Py_ssize_t extra,
                       PyObject* kwargs, PyObject** value);

// An int argument; -1 with an error set if it is none, or too large.
int int_argument(PyObject* argument);

// "module.qualified_name" of the object's type, for repr().
PyRef full_type_name(PyObject* self);

// Sets MemoryError. Noexcept, so that whoever catches bad_alloc needs no registers for it.
[[gnu::cold]] void raise_no_memory() noexcept;

// Runs `call`, turning a lack of memory in C++ code into MemoryError.
template <typename Call>
PyObject* guard_memory(Call call) {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        raise_no_memory();
        return nullptr;
    }
}

// A method with positional arguments only, as METH_FASTCALL, which CPython calls fastest.
// `Function` is PyObject* (*)(PyObject* self, PyObject* const* args, Py_ssize_t count).
template <typename Object, auto Function>
PyObject* fast_method(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!check_initialised<Object>(self)) return nullptr;
    return guard_memory([&] { return Function(self, args, count); });
}

// The arguments of a METH_FASTCALL | METH_KEYWORDS function: borrowed, in the order of the parameters,
// nullptr where none was given. A parameter with an empty name is positional only.
[[gnu::noinline]] bool parse_named_arguments(const char* function,
                                             std::span<const std::string_view> parameters,
                                             Py_ssize_t required, PyObject* const* args,
                                             Py_ssize_t count, PyObject* keywords,
                                             std::span<PyObject*> parsed);

// The same, at once where none is given by its name.
inline bool parse_arguments(const char* function, std::span<const std::string_view> parameters,
                            Py_ssize_t required, PyObject* const* args, Py_ssize_t count,
                            PyObject* keywords, std::span<PyObject*> parsed) {
    const auto given = static_cast<std::size_t>(count);
    if (keywords != nullptr || count < required || given > parameters.size()) {
        return parse_named_arguments(function, parameters, required, args, count, keywords, parsed);
    }
    for (std::size_t i = 0; i < parsed.size(); ++i) parsed[i] = i < given ? args[i] : nullptr;
    return true;
}

// The same with keywords, as METH_FASTCALL | METH_KEYWORDS; see parse_arguments().
template <typename Object, auto Function>
PyObject* keyword_fast_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                              PyObject* keywords) {
    if (!check_initialised<Object>(self)) return nullptr;
    return guard_memory([&] { return Function(self, args, count, keywords); });
}

// A method with keywords, as METH_VARARGS | METH_KEYWORDS.
template <typename Object, auto Function>
PyObject* keyword_method(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (!check_initialised<Object>(self)) return nullptr;
    return guard_memory([&] { return Function(self, args, kwargs); });
}

template <typename Function>
PyCFunction as_method(Function function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

// __reduce__: TypeError, before copyreg tries to construct one from the other.
PyObject* refuse_to_pickle(PyObject* self, PyObject*);

inline PyObject* none_if(bool ok) {
    if (!ok) return nullptr;
    Py_RETURN_NONE;  // not counted where it need not be
}

}  // namespace scheduler::binding
