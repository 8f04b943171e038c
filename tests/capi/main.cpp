// Starts the interpreter, runs the tests inside it, and ends it.
//
// The package is found by PYTHONPATH. A test runs on the main thread with the GIL held.
#include "fixture.h"

#include <cstdio>

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    // Discovery of the tests needs no interpreter.
    if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();

    Py_InitializeEx(0);
    if (SchedulerAPI() == nullptr) {
        PyErr_Print();
        std::fputs("The package `scheduler` cannot be imported: set PYTHONPATH.\n", stderr);
        return 1;
    }
    const int failed = RUN_ALL_TESTS();
    const int unclean = Py_FinalizeEx();
    if (unclean != 0) std::fputs("The interpreter did not end cleanly.\n", stderr);
    return failed != 0 || unclean != 0 ? 1 : 0;
}
