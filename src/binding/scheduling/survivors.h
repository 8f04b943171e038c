// Tasklets that go on after the collector has called their finalizer.
//
// CPython calls a finalizer once in an object's life. A tasklet may wait again afterwards and be garbage again,
// so it has to be called again. But not in the same collection: that calls all finalizers, then looks once
// more at what nobody can reach, and clears it. Whoever waits again by then would be cleared, with all that
// its stack needs, and is therefore held until the collection is over.
#pragma once

#include <Python.h>

#include "binding/python/refs.h"

namespace scheduler::binding {

// One for each interpreter.
class Survivors {
  public:
    // Comes first. False, with an exception: no memory, or no module `gc`.
    bool prepare();

    // The finalizer of `object`, a tasklet that goes on, is to be called again, by the next collection or when
    // the last reference goes. On the tasklet's thread, or in its finalizer; the caller has a reference, or the
    // collector.
    void add(PyObject* object) {
        if (is_being_collected(object)) [[unlikely]] {
            hold(object);
        } else {
            allow_finalizing_again(object);
        }
    }
    // The same for the generators on the running stack that have been spared, see spare_generators().
    void add_running_generators(PyThreadState* thread);

  private:
    void hold(PyObject* object);

    PyRef held_;  // list
    PyRef release_;  // empties it; is put into gc.callbacks when it is first needed
};

}  // namespace scheduler::binding
