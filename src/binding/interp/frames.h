// The Python frames of a stack that does not run.
#pragma once

#include "binding/interp/thread_fields.h"

namespace scheduler::binding {

inline PyCodeObject* code_of(_PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030D0000
    return _PyFrame_GetCode(frame);
#else
    return frame->f_code;
#endif
}

// For tp_traverse: what the chain of frames that begins at `innermost` refers to. What only C code holds
// stays unseen, and before 3.14 part of what evaluation stacks hold: that makes the collector think it
// reachable, no more.
int visit_frames(_PyInterpreterFrame* innermost, visitproc visit, void* arg);

// Generators and coroutines that run on such a stack would be closed, which fails, if the collector found
// them before it has found the tasklet: it is kept from that until they run again. Returns whether there
// are any.
bool spare_generators(_PyInterpreterFrame* innermost);
// They run again. Returns whether there are any that a collection has found which is not over: these stay
// spared, see visit_generators_being_collected().
bool stop_sparing_generators(_PyInterpreterFrame* innermost);

// The same as visit_frames() for the list that c_stack_references() begins.
int visit_c_stack_references(void* references, visitproc visit, void* arg);

// Returns what stands for `frames` (as get_frames() gives them) when the thread's state is gone, where
// the chain leads from 3.15 on. `thread` may be gone already: it is not looked into.
void* cut_off_frames(void* frames, PyThreadState* thread);

}  // namespace scheduler::binding
