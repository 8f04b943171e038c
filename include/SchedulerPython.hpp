// SchedulerPython.hpp: what SchedulerCpp.hpp needs of Python itself. C++17; include SchedulerCpp.hpp.
//
// References to objects, errors as exceptions, the GIL, and the interpreter of a program that embeds
// Python. Values of C++ as objects, and functions that Python can call, are in SchedulerValues.hpp.
#pragma once

#include <Scheduler.h>

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace scheduler {

class Object;

namespace detail {

// Is this thread attached to Python? Also where there is no Python (yet, or any more).
inline bool is_attached() {
    return PyGILState_GetThisThreadState() != nullptr && PyGILState_Check() != 0;
}

template <typename... Arguments>
Object call(PyObject* callable, const Arguments&... arguments);

}  // namespace detail

// Owns a reference to a Python object, or is empty. Copies share the object. To copy one and to call
// its members the GIL must be held; one that is dropped without it attaches its thread for that, and
// leaves the reference alone where Python has ended.
class Object {
  public:
    Object() = default;
    Object(const Object& other) : object_(other.object_) { Py_XINCREF(object_); }
    Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Object& operator=(Object other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Object() {
        if (object_ != nullptr) drop();
    }

    // Takes over a new reference, as functions of Python's C API return it. NULL, which says that an
    // error is set, is thrown as a PythonError.
    static Object steal(PyObject* object);
    // Shares an object that is somebody else's; NULL gives an empty one.
    static Object borrow(PyObject* object) {
        Py_XINCREF(object);
        return Object(object);
    }

    PyObject* get() const { return object_; }  // borrowed
    PyObject* needed() const;  // the same; PythonError (TypeError) if it is empty
    [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }  // the caller's
    explicit operator bool() const { return object_ != nullptr; }  // not empty?

    // `object.name`.
    Object attr(const char* name) const { return steal(PyObject_GetAttrString(needed(), name)); }
    // `object(*arguments)`: see Convert for what arguments may be.
    template <typename... Arguments>
    Object operator()(const Arguments&... arguments) const {
        return detail::call(needed(), arguments...);
    }
    // The value in C++: see Convert. PythonError: TypeError or OverflowError if it has none.
    template <typename T>
    T as() const;

  private:
    explicit Object(PyObject* object) : object_(object) {}
    void drop() {
        if (detail::is_attached()) {
            Py_DECREF(object_);
        } else if (Py_IsInitialized() != 0) {
            const PyGILState_STATE state = PyGILState_Ensure();
            Py_DECREF(object_);
            PyGILState_Release(state);
        }
    }

    PyObject* object_ = nullptr;
};

// A Python exception as one of C++. Every function of these headers that fails throws it; the Python
// error is then not set any more, but in here. What is caught may be looked at, dropped, thrown on, or
// given back to Python by restore(). Exceptions rather than results: a tasklet that is killed while it
// waits in C++ code is to unwind that code, and each call would have to be asked otherwise.
class PythonError : public std::exception {
  public:
    // Takes the error that is set. Without one, which a thread that is not attached cannot have, it
    // has only a text.
    static PythonError fetch() {
        if (!detail::is_attached()) return PythonError("no Python error: this thread needs a Gil");
        PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
        PyErr_Fetch(&type, &value, &traceback);
        if (type == nullptr) return PythonError("a call has failed without a Python error");
        PyErr_NormalizeException(&type, &value, &traceback);
        if (traceback != nullptr) PyException_SetTraceback(value, traceback);
        Py_XDECREF(traceback);
        Py_DECREF(type);
        return PythonError(Object::steal(value));
    }
    // One to throw in C++: `type(text)`, for instance of PyExc_ValueError.
    PythonError(PyObject* type, const std::string& text) : PythonError(make(type, text)) {}
    // Of a failure that is none of Python's.
    explicit PythonError(const std::string& text) : shared_(new Shared{Object(), text}) {}

    // "KeyError: 'no'".
    const char* what() const noexcept override { return shared_->text.c_str(); }
    // The exception object; empty if there is none.
    const Object& value() const { return shared_->value; }
    // Is it of the class `type`, or of one derived from it?
    bool matches(PyObject* type) const {
        return value() && PyErr_GivenExceptionMatches(value().get(), type) != 0;
    }
    // Sets it as the error of this thread, with its traceback: before a C function returns NULL.
    void restore() const {
        if (!value()) return PyErr_SetString(PyExc_RuntimeError, what());
        PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(value().get()));
        Py_INCREF(type);
        PyErr_Restore(type, Object(value()).release(), PyException_GetTraceback(value().get()));
    }

  private:
    struct Shared {
        Object value;
        std::string text;
    };

    explicit PythonError(Object value) : shared_(new Shared{value, describe(value)}) {}
    static Object make(PyObject* type, const std::string& text) {
        return Object::steal(PyObject_CallFunction(type, "s", text.c_str()));
    }
    static std::string describe(const Object& value) {
        std::string text = Py_TYPE(value.get())->tp_name;
        PyObject* const shown = PyObject_Str(value.get());
        const char* const utf8 = shown != nullptr ? PyUnicode_AsUTF8(shown) : nullptr;
        if (utf8 != nullptr && *utf8 != '\0') text += std::string(": ") + utf8;
        PyErr_Clear();
        Py_XDECREF(shown);
        return text;
    }

    std::shared_ptr<const Shared> shared_;  // an exception is copied where the GIL may not be held
};

inline Object Object::steal(PyObject* object) {
    if (object == nullptr) throw PythonError::fetch();
    return Object(object);
}

inline PyObject* Object::needed() const {
    if (object_ != nullptr) return object_;
    throw PythonError(PyExc_TypeError, "a scheduler::Object that is empty refers to no object");
}

namespace detail {

inline void check(bool ok) {
    if (!ok) throw PythonError::fetch();
}

}  // namespace detail

// `None`.
inline Object none() { return Object::borrow(Py_None); }

// Imports a module; of "a.b" it is b.
inline Object import_module(const char* name) { return Object::steal(PyImport_ImportModule(name)); }

// Attaches this thread, which may be one that Python does not know, for the life of the guard. Then
// errors, and the tasklets of this thread, stay from call to call. Inside another one it does nothing.
class Gil {
  public:
    Gil() {
        if (Py_IsInitialized() == 0)
            throw PythonError("Python is not running: no thread can attach");
        state_ = PyGILState_Ensure();
    }
    Gil(const Gil&) = delete;
    Gil& operator=(const Gil&) = delete;
    ~Gil() { PyGILState_Release(state_); }

  private:
    PyGILState_STATE state_;
};

// Detaches this thread, so that others may run Python meanwhile. To attach again may end a thread that
// is still there when Python ends, so the destructor lets CPython unwind the stack.
class Detached {
  public:
    Detached() : state_(PyEval_SaveThread()) {}
    Detached(const Detached&) = delete;
    Detached& operator=(const Detached&) = delete;
    ~Detached() noexcept(false) { PyEval_RestoreThread(state_); }

  private:
    PyThreadState* state_;
};

// ---- the interpreter ---------------------------------------------------------------------------

// Runs Python in this program for the life of the object, on the thread that makes it, which holds
// the GIL then. PythonError if Python is running, or cannot start. Handles may live longer. In a program
// that starts Python again, import_module("scheduler") comes before all else.
class Interpreter {
  public:
    // `program`: the `python` whose installation and packages are to be used, for instance that of a
    // virtual environment; NULL leaves it to Python.
    explicit Interpreter(const char* program = nullptr) {
        if (Py_IsInitialized() != 0) throw PythonError("Python is running already");
        PyConfig config;
        PyConfig_InitPythonConfig(&config);
        PyStatus status = PyStatus_Ok();
        if (program != nullptr) {
            status = PyConfig_SetBytesString(&config, &config.program_name, program);
        }
        if (PyStatus_Exception(status) == 0) status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
        if (PyStatus_Exception(status) == 0) return;
        throw PythonError(status.err_msg != nullptr ? status.err_msg : "Python cannot start");
    }
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;
    ~Interpreter() { finish(); }

    // Puts a directory at the end of sys.path.
    void add_path(std::string_view directory) {
        import_module("sys").attr("path").attr("append")(directory);
    }

    // Ends Python now. Returns false if it could not write what was left to be written.
    bool finish() { return Py_IsInitialized() == 0 || Py_FinalizeEx() == 0; }
};

}  // namespace scheduler
