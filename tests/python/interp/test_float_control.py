"""Rounding and flush-to-zero: a tasklet that sets them sets them for itself (S-08, DEC-5)."""

from __future__ import annotations

import ctypes
import subprocess
import threading

import pytest

import scheduler
from support.compilers import c_compiler
from support.scheduling import queued, started
from support.waiting import TIMEOUT

SOURCE = """
#include <fenv.h>
void set_upward(int on) { fesetround(on ? FE_UPWARD : FE_TONEAREST); }
void set_flush(int on) {
#if defined(__x86_64__)
    unsigned word = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(on ? word | 0x8000 : word & ~0x8000u);
#else
    unsigned long word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    __asm__ volatile("msr fpcr, %0" : : "r"(on ? word | 1ul << 24 : word & ~(1ul << 24)));
#endif
}
int get(void) {
    volatile double one = 1, tiny = 0x1p-1000;
    volatile long double long_one = 1;
    volatile double third = one / 3, denormal = tiny * 0x1p-60;
    volatile long double long_third = long_one / 3;
    return (third != 0x1.5555555555555p-2) + 2 * (denormal == 0) + 4 * (long_third * 3 > 1);
}
"""
NORMAL = 0


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    directory = tmp_path_factory.mktemp("float_control")
    source, path = directory / "float_control.c", directory / "float_control.so"
    source.write_text(SOURCE)
    options = ["-O0", "-shared", "-fPIC"]
    command = [*c_compiler(), *options, str(source), "-o", str(path), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return ctypes.PyDLL(str(path))


@pytest.fixture(params=["set_upward", "set_flush"])
def setting(request, library):
    """A function that switches one of them on and off, and what get() says meanwhile."""
    switch = getattr(library, request.param)
    assert library.get() == NORMAL
    switch(1)
    changed = library.get()
    switch(0)
    assert changed != NORMAL
    yield switch, changed
    switch(0)


@pytest.mark.spec("S-08", "DEC-5")
@pytest.mark.usefixtures("mode")
def test_one_keeps_it_and_nobody_else_gets_it(drain, library, setting):
    switch, changed = setting
    seen = []

    def sets():
        switch(1)
        queued(other, "prepared on the stack of the one that has set it")
        scheduler.schedule()
        seen.append(("setter", library.get()))

    def other(name):
        seen.append((name, library.get()))
        scheduler.schedule()
        seen.append((name, library.get()))

    queued(other, "before")
    queued(sets)
    queued(other, "behind")
    drain()
    assert library.get() == NORMAL
    assert len(seen) == 7
    assert {(name, word) for name, word in seen if name != "setter"} == {
        (name, NORMAL)
        for name in ("before", "behind", "prepared on the stack of the one that has set it")
    }
    assert ("setter", changed) in seen


@pytest.mark.spec("S-08", "DEC-5")
@pytest.mark.usefixtures("mode")
def test_the_next_one_on_the_same_stack_starts_afresh(drain, library, setting):
    switch, _ = setting
    seen = []
    for _ in range(3):
        queued(switch, 1)
        queued(lambda: seen.append(library.get()))
    drain()
    assert seen == [NORMAL] * 3
    assert library.get() == NORMAL


@pytest.mark.spec("S-08", "DEC-5")
def test_one_that_is_bound_again_starts_afresh(library, setting):
    switch, _ = setting
    seen = []
    task = started(switch, 1)
    task.bind(lambda: seen.append(library.get()))
    task.setup()
    scheduler.run()
    assert seen == [NORMAL]


@pytest.mark.spec("S-08", "DEC-5")
def test_main_that_sets_it_later_sets_it_for_itself(library, setting):
    switch, changed = setting
    seen = []
    switch(1)
    started(lambda: seen.append(library.get()))
    assert library.get() == changed
    assert seen == [NORMAL]


@pytest.mark.spec("S-08", "DEC-5", "H-01")
def test_tasklets_start_as_their_thread_was_when_its_manager_was_made(library, setting):
    switch, changed = setting
    seen = []

    def work():
        switch(1)
        scheduler.getmain()
        switch(0)
        started(lambda: seen.append(library.get()))
        seen.append(library.get())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(TIMEOUT)
    assert seen == [changed, NORMAL]
