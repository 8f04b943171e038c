// The functions of the module.
#pragma once

#include <Python.h>

namespace scheduler::binding {

extern PyMethodDef module_functions[];

}  // namespace scheduler::binding
