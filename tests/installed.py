"""Run in a fresh environment: is all there that an installation has, and needs it no Boost?"""

import importlib.metadata
import re
from pathlib import Path

import _scheduler
import scheduler
from scheduler._helpers import find_cmake_package

assert scheduler.__version__ == importlib.metadata.version("tasklets"), scheduler.__version__
for header in ("Scheduler.h", "SchedulerCpp.hpp", "SchedulerPython.hpp", "SchedulerValues.hpp"):
    assert Path(scheduler.get_include(), header).is_file()
assert Path(find_cmake_package(), "scheduler-config-version.cmake").is_file()
task = scheduler.tasklet(print)(f"{_scheduler.__file__} works; libraries in use:")
scheduler.run()
assert not task.alive
# Those in the process once tasklets have run.
paths = set(re.findall(r"/\S+\.so[.\d]*$", Path("/proc/self/maps").read_text(), re.MULTILINE))
print(*sorted(paths), sep="\n")
assert any("_scheduler" in path for path in paths)
assert not any("boost" in path for path in paths)
