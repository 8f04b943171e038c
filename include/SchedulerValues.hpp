// SchedulerValues.hpp: values of C++ as Python objects and back, and C++ functions that Python can call.
// C++17; include SchedulerCpp.hpp.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "SchedulerPython.hpp"

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace scheduler {

// ---- values ------------------------------------------------------------------------------------

// A value of C++ as an object, and back: integers, floating-point numbers, bool, std::string, and
// objects themselves; texts that are not owned, and nullptr for None, in the one direction only. For
// a type of your own write a specialisation with these two functions.
template <typename T, typename = void>
struct Convert {
    static_assert(sizeof(T) == 0, "write a specialisation of scheduler::Convert for this type");
    static Object to_python(const T& value);
    static T from_python(const Object& object);
};

template <typename T>
struct Convert<T, std::enable_if_t<std::is_base_of_v<Object, T>>> {
    static Object to_python(const T& value) { return Object::borrow(value.needed()); }
    static T from_python(const Object& object) { return T(object); }
};

template <>
struct Convert<bool> {
    static Object to_python(bool value) { return Object::borrow(value ? Py_True : Py_False); }
    static bool from_python(const Object& object) {
        if (!PyBool_Check(object.get())) throw PythonError(PyExc_TypeError, "expected a bool");
        return object.get() == Py_True;
    }
};

template <typename T>
struct Convert<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
    static Object to_python(T value) {
        if constexpr (std::is_signed_v<T>) return Object::steal(PyLong_FromLongLong(value));
        return Object::steal(PyLong_FromUnsignedLongLong(static_cast<unsigned long long>(value)));
    }
    static T from_python(const Object& object) {
        const Object number = Object::steal(PyNumber_Index(object.get()));
        using Wide = std::conditional_t<std::is_signed_v<T>, long long, unsigned long long>;
        Wide wide{};
        if constexpr (std::is_signed_v<T>) {
            wide = PyLong_AsLongLong(number.get());
        } else {
            wide = PyLong_AsUnsignedLongLong(number.get());
        }
        detail::check(PyErr_Occurred() == nullptr);
        if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) {
            throw PythonError(PyExc_OverflowError, "the int is too large for the type in C++");
        }
        return static_cast<T>(wide);
    }
};

template <typename T>
struct Convert<T, std::enable_if_t<std::is_floating_point_v<T>>> {
    static Object to_python(T value) { return Object::steal(PyFloat_FromDouble(value)); }
    static T from_python(const Object& object) {
        const double number = PyFloat_AsDouble(object.get());
        detail::check(PyErr_Occurred() == nullptr);
        return static_cast<T>(number);
    }
};

template <>
struct Convert<std::string_view> {
    static Object to_python(std::string_view text) {  // UTF-8
        const auto size = static_cast<Py_ssize_t>(text.size());
        return Object::steal(PyUnicode_FromStringAndSize(text.data(), size));
    }
};

template <>
struct Convert<std::string> : Convert<std::string_view> {
    static std::string from_python(const Object& object) {
        Py_ssize_t size = 0;
        const char* const text = PyUnicode_AsUTF8AndSize(object.get(), &size);
        detail::check(text != nullptr);
        return std::string(text, static_cast<std::size_t>(size));
    }
};

template <>
struct Convert<const char*> : Convert<std::string_view> {};
template <>
struct Convert<char*> : Convert<std::string_view> {};

template <>
struct Convert<std::nullptr_t> {
    static Object to_python(std::nullptr_t) { return none(); }
};

template <typename T>
Object to_python(const T& value) {
    return Convert<std::decay_t<const T>>::to_python(value);
}

template <typename T>
T Object::as() const {
    static_cast<void>(needed());
    return Convert<T>::from_python(*this);
}

namespace detail {

// What a function returns: an object that is empty stands for None.
template <typename T>
Object to_result(const T& value) {
    if constexpr (std::is_base_of_v<Object, T>) {
        if (!value) return none();
    }
    return to_python(value);
}

template <typename... Arguments>
Object tuple(const Arguments&... arguments) {
    const Object owned[] = {to_python(arguments)..., Object()};
    Object made = Object::steal(PyTuple_New(sizeof...(arguments)));
    for (std::size_t i = 0; i < sizeof...(arguments); ++i) {
        PyTuple_SET_ITEM(made.get(), static_cast<Py_ssize_t>(i), Object(owned[i]).release());
    }
    return made;
}

template <typename... Arguments>
Object call(PyObject* callable, const Arguments&... arguments) {
    return Object::steal(PyObject_CallObject(callable, tuple(arguments...).get()));
}

}  // namespace detail

// ---- functions that Python can call ------------------------------------------------------------

// Calls `body()` for a C function: what it returns as a new reference (nothing, or an empty Object, as
// None), or NULL with the error set that it has thrown: a PythonError as it is, MemoryError for
// std::bad_alloc, RuntimeError with its text for another C++ exception.
template <typename Body>
PyObject* guarded(Body&& body) {
    try {
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            return none().release();
        } else {
            return detail::to_result(body()).release();
        }
    } catch (const PythonError& error) {
        error.restore();
#if defined(__GLIBCXX__)
    } catch (const abi::__forced_unwind&) {  // CPython ends this thread
        throw;
#endif
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "a C++ exception that is no std::exception");
    }
    return nullptr;
}

namespace detail {

inline constexpr char kNativeName[] = "scheduler.native_function";

struct Native {
    std::string name;
    std::function<Object(PyObject*)> call;
    PyMethodDef method{};
};

inline PyObject* call_native(PyObject* capsule, PyObject* arguments) {
    auto* const native = static_cast<Native*>(PyCapsule_GetPointer(capsule, kNativeName));
    return guarded([&] { return native->call(arguments); });
}

inline void delete_native(PyObject* capsule) {
    delete static_cast<Native*>(PyCapsule_GetPointer(capsule, kNativeName));
}

template <typename Result, typename... Parameters, std::size_t... Index>
Object call_with(const std::function<Result(Parameters...)>& function, PyObject* arguments,
                 std::index_sequence<Index...>) {
    if (PyTuple_GET_SIZE(arguments) != static_cast<Py_ssize_t>(sizeof...(Parameters))) {
        throw PythonError(PyExc_TypeError,
                          "the C++ function takes " + std::to_string(sizeof...(Parameters)) +
                              " arguments, not " + std::to_string(PyTuple_GET_SIZE(arguments)));
    }
    const auto call = [&] {
        return function(Object::borrow(PyTuple_GET_ITEM(arguments, static_cast<Py_ssize_t>(Index)))
                            .template as<std::decay_t<Parameters>>()...);
    };
    if constexpr (std::is_void_v<Result>) {
        call();
        return none();
    } else {
        return to_result(call());
    }
}

template <typename Result, typename... Parameters>
Object wrap(const char* name, std::function<Result(Parameters...)> function) {
    auto native = std::make_unique<Native>();
    native->name = name;
    native->call = [function = std::move(function)](PyObject* arguments) {
        return call_with(function, arguments, std::index_sequence_for<Parameters...>());
    };
    native->method = {native->name.c_str(), call_native, METH_VARARGS, nullptr};
    const Object capsule = Object::steal(PyCapsule_New(native.get(), kNativeName, delete_native));
    PyMethodDef* const method = &native.release()->method;  // as long as the capsule
    return Object::steal(PyCFunction_New(method, capsule.get()));
}

}  // namespace detail

// A Python function that calls `callable`, a function or a copyable object with one `operator()`. Its
// parameters and its result are converted, see Convert; what it throws is raised, see guarded(). It may
// wait: the C++ frame stays where it is, on the stack of the tasklet that has called. What `callable`
// has captured lives as long as the function; references among it are unknown to Python's collector.
template <typename Callable>
Object function(const char* name, Callable callable) {
    return detail::wrap(name, std::function(std::move(callable)));
}

}  // namespace scheduler
