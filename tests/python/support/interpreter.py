"""What the interpreter that runs the tests can do."""

from __future__ import annotations

import sys
import sysconfig

# Whether one thread at a time runs Python code. Without the GIL a reference count may be out of date
# where other threads take part, and what only the owner of a tasklet can see is None elsewhere.
HAS_GIL = not sysconfig.get_config_var("Py_GIL_DISABLED")

# Whether the collector sees enough of suspended frames to find blocked tasklets that nobody can reach.
FINDS_BLOCKED = HAS_GIL and sys.version_info >= (3, 14)

# The smallest stack that set_stack_size() takes, in KiB. From 3.14 on CPython keeps margins at a stack's
# end, which are larger in its debug builds; the JIT of 3.14 works in large buffers there.
if sys.version_info < (3, 14):
    LEAST_STACK = 64
elif sys.version_info < (3, 15) and sys._jit.is_enabled():
    LEAST_STACK = 176
else:
    LEAST_STACK = 224 if hasattr(sys, "gettotalrefcount") else 112
