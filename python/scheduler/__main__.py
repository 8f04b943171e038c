"""`python -m scheduler`: facts about version, system and limits, and where files for hosts are; `top`."""

from __future__ import annotations

import argparse
import importlib.metadata
import mmap
import platform
import resource
import sys
import sysconfig
from pathlib import Path

import _scheduler
import scheduler
from scheduler._helpers import find_cmake_package

MADV_GUARD_INSTALL = 102  # Linux 6.13; mmap has no name for it


def main() -> None:
    if sys.argv[1:2] == ["trace"]:
        from scheduler.tracing import _command

        _command.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["top"]:
        from scheduler.monitoring import _top

        _top.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(
        prog="python -m scheduler",
        description="Facts about the package, for bug reports and for builds of hosts in C and C++.",
        epilog="help(scheduler) has the documentation of every function. "
        "python -m scheduler trace PROGRAM.py runs a program and writes what its tasklets do to a file; "
        "python -m scheduler top [PID-or-NAME] shows the tasklets of a running program.",
        allow_abbrev=False,
    )
    options = parser.add_mutually_exclusive_group()
    options.add_argument(
        "--info", action="store_true", help="what a bug report should say: versions, stack, limits"
    )
    options.add_argument(
        "--include-dir",
        action="store_true",
        help="the directory of Scheduler.h and SchedulerCpp.hpp, for hosts in C and C++",
    )
    options.add_argument(
        "--cmake-dir",
        action="store_true",
        help="the directory to set scheduler_DIR to, for find_package(scheduler) of CMake",
    )
    options.add_argument("--version", action="version", version=describe_distribution())
    chosen = parser.parse_args()
    if chosen.info:
        print_table(describe())
    elif chosen.include_dir:
        print(scheduler.get_include())
    elif chosen.cmake_dir:
        print(find_cmake_package())
    else:
        parser.print_help()


def print_table(facts: dict[str, str]) -> None:
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name + ':':<{width}}{value}")


def describe() -> dict[str, str]:
    return {
        "distribution": describe_distribution(),
        "extension": _scheduler.__file__,
        "Python": f"{platform.python_implementation()} {' '.join(sys.version.split())}",
        "GIL": describe_gil(),
        "platform": platform.platform(),
        "switched by": _scheduler._jump_library.replace("_", "."),
        "stack of a tasklet": f"{scheduler.get_stack_size()} bytes",
        "guard pages": describe_guards(),
        "vm.max_map_count": describe_max_map_count(),
        "address space": describe_address_space(),
        "recursion limit": str(sys.getrecursionlimit()),
    }


def describe_distribution() -> str:
    """Its name and version, and whether one that has files of the same names is there as well."""
    own = f"tasklets {scheduler.__version__}"
    try:
        other = importlib.metadata.version("scheduler")
    except importlib.metadata.PackageNotFoundError:
        return own
    return f"{own}; scheduler {other}, another project, is here too: uninstall both, install one"


def describe_gil() -> str:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "yes"
    is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)  # from 3.13 on
    return "free-threaded build, " + ("but switched on" if is_enabled() else "off")


def describe_guards() -> str:
    """Whether stacks have a guard page, as seen on one, and of which kind."""
    guarded: list[int] = []
    scheduler.tasklet(lambda: guarded.append(scheduler.stack_stats()["guarded"]))()
    scheduler.run()
    if guarded == [0]:
        return "none: overflows of a stack are not noticed"
    if kernel_marks_guards():
        return "marks in the page table, for every stack"
    return "mappings of their own, two for each, for as many stacks as vm.max_map_count lets"


def kernel_marks_guards() -> bool:
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
        try:
            page.madvise(MADV_GUARD_INSTALL)
        except OSError:
            return False
        return True


def describe_max_map_count() -> str:
    try:
        return Path("/proc/sys/vm/max_map_count").read_text().strip()
    except OSError as error:
        return f"unknown ({error.strerror})"


def describe_address_space() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "unlimited" if limit == resource.RLIM_INFINITY else f"{limit} bytes (ulimit -v)"


if __name__ == "__main__":
    main()
