// Owners of Python references.
//
// A plain PyObject* is borrowed. A PyRef owns one reference; it is made by steal() or share() and
// given away by release(). Nothing converts implicitly.
//
// PyRefs stand on stacks from which Python code is called. When a daemon thread is ended by the
// interpreter's finalisation, its stack is unwound *without the GIL*: such a destructor must touch
// nothing, and the reference is lost with the process.
#pragma once

#include <Python.h>

#include <atomic>
#include <utility>
#include <vector>

#include "binding/interp/interpreter.h"
#include "core/lock.h"

namespace scheduler::binding {

class PyRef {
  public:
    PyRef() = default;
    PyRef(PyRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    PyRef& operator=(PyRef&& other) {
        reset(std::exchange(other.object_, nullptr));
        return *this;
    }
    PyRef(const PyRef&) = delete;
    PyRef& operator=(const PyRef&) = delete;
    ~PyRef() {
        if (object_ != nullptr) drop();
    }

    static PyRef steal(PyObject* object) { return PyRef(object); }
    static PyRef share(PyObject* object) {
        Py_XINCREF(object);
        return PyRef(object);
    }

    explicit operator bool() const { return object_ != nullptr; }
    PyObject* get() const { return object_; }
    [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
    // May run Python: drops the old reference, after the new one is in place.
    void reset(PyObject* stolen = nullptr) { Py_XDECREF(std::exchange(object_, stolen)); }

    // For tp_traverse.
    int visit(visitproc visitor, void* argument) const {
        return object_ != nullptr ? visitor(object_, argument) : 0;
    }

  private:
    explicit PyRef(PyObject* object) : object_(object) {}
    [[gnu::noinline]] void drop() {
        if (holds_gil()) Py_DECREF(object_);
    }

    PyObject* object_ = nullptr;
};
static_assert(sizeof(PyRef) == sizeof(PyObject*));

// An owned reference that any thread may read while another one replaces it. With the GIL that is no
// more than a pointer; without it a lock keeps the object from going between a look and Py_INCREF.
class SharedRef {
  public:
    SharedRef() = default;
    SharedRef(const SharedRef&) = delete;
    SharedRef& operator=(const SharedRef&) = delete;
    ~SharedRef() { exchange({}); }

    explicit operator bool() const { return borrow() != nullptr; }
    PyRef get() const {
        Guard guard(*this);
        return PyRef::share(borrow());
    }
    // What was there before; dropping it runs Python.
    PyRef exchange(PyRef value) {
        PyObject* const stolen = value.release();
        Guard guard(*this);
        PyObject* const before = borrow();
        object_.store(stolen, std::memory_order_release);
        return PyRef::steal(before);
    }
    PyRef take() { return exchange({}); }
    // May run Python: drops the old reference, after the new one is in place.
    void set(PyRef value) { exchange(std::move(value)); }

    // Good for as long as nobody can replace it.
    PyObject* borrow() const { return object_.load(std::memory_order_acquire); }

  private:
    std::atomic<PyObject*> object_{nullptr};
#ifdef Py_GIL_DISABLED
    mutable core::Lock lock_;

    struct Guard : core::LockGuard {
        explicit Guard(const SharedRef& ref) : core::LockGuard(ref.lock_) {}
    };
#else
    struct Guard {
        explicit Guard(const SharedRef&) {}
        ~Guard() {}
    };
#endif
};

// A number that any thread may read and change. With the GIL it is changed by one at a time.
class Counter {
  public:
    Counter() = default;
    explicit Counter(long value) : value_(value) {}
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    operator long() const { return value_.load(std::memory_order_relaxed); }
    // Returns the new value.
    long add(long change) {
        if constexpr (kHasGil) {
            const long value = *this + change;
            value_.store(value, std::memory_order_relaxed);
            return value;
        } else {
            return value_.fetch_add(change, std::memory_order_acq_rel) + change;
        }
    }
    void operator++() { add(1); }
    void operator--() { add(-1); }

  private:
    std::atomic<long> value_{0};
};

// A list of them: a new reference, or nullptr with an error set. Empties `objects`.
PyObject* list_of(std::vector<PyRef> objects);

// An optional object as Python sees it: a new reference to it, or to None.
inline PyObject* new_or_none(PyObject* object) {
    return Py_NewRef(object != nullptr ? object : Py_None);
}
inline PyObject* new_or_none(PyRef object) {
    return object ? object.release() : Py_NewRef(Py_None);
}

}  // namespace scheduler::binding
