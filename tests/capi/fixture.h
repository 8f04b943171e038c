// What the tests of the C table share: a fixture with a Python namespace, and an owning pointer.
//
// The interpreter is started once, by main(). Each test gets an empty namespace in which
// `scheduler` and the functions of kNativeFunctions (C code that Python code can call) are defined,
// and must leave no tasklet, channel, callback, queued entry or Python error behind.
#pragma once

#include <Scheduler.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>

#include "spec.h"

namespace capi_test {

// Owns one reference, or none.
class Ref {
  public:
    Ref() = default;
    template <typename Object>
    static Ref steal(Object* object) {
        Ref ref;
        ref.object_ = reinterpret_cast<PyObject*>(object);
        return ref;
    }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref&& other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() { reset(); }

    PyObject* get() const { return object_; }
    PyTaskletObject* tasklet() const { return reinterpret_cast<PyTaskletObject*>(object_); }
    PyChannelObject* channel() const { return reinterpret_cast<PyChannelObject*>(object_); }
    PyTypeObject* type() const { return reinterpret_cast<PyTypeObject*>(object_); }
    // How many references there are, this one included. Free-threaded CPython counts one more for
    // a function.
    Py_ssize_t count() const { return Py_REFCNT(object_); }
    explicit operator bool() const { return object_ != nullptr; }
    PyObject* release() { return std::exchange(object_, nullptr); }
    void reset() { Py_XDECREF(std::exchange(object_, nullptr)); }

  private:
    PyObject* object_ = nullptr;
};

// The table, for code that has no fixture at hand.
SchedulerCAPI& table();

// Clears the Python error and returns the name of its type, or "" when none was set.
std::string take_error();
// The same with its text: "ValueError: bad".
std::string take_error_and_text();

// Runs `work` on this thread without the GIL.
template <typename Work>
void detached(Work work) {
    PyThreadState* state = PyEval_SaveThread();
    work();
    PyEval_RestoreThread(state);
}

// Runs `work` on a new thread that Python does not know, and waits for its end without the GIL.
template <typename Work>
void on_other_thread(Work work) {
    std::thread thread(std::move(work));
    detached([&thread] { thread.join(); });
}

class CApiTest : public ::testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    // Executes statements in the namespace of the test; an error fails the test.
    void run(const std::string& code);
    // The value of an expression; empty, and the test failed, after an error.
    Ref eval(const std::string& expression);
    // repr() of an expression.
    std::string text(const std::string& expression);
    // Gives an object a name in the namespace.
    void name(const char* name, const Ref& object);

    // A tasklet made by the table, bound to the value of an expression.
    Ref new_tasklet(const char* callable);
    // The same, set up with the tuple that `arguments` evaluates to: queued.
    Ref queued_tasklet(const char* callable, const char* arguments = "()");
    Ref new_channel();
    // Runs until nothing is queued.
    void run_all();

    SchedulerCAPI* api = nullptr;

  private:
    struct Counts {
        int managers, channels, tasklets;
        bool operator==(const Counts&) const = default;
    };
    Counts counts() const;

    Ref names_;
    Counts before_{};
};

}  // namespace capi_test
