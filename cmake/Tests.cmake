# The GoogleTest suites. Every test file of a directory is taken: one that nobody listed would pass by
# not running.

find_package(GTest QUIET)
if(NOT TARGET GTest::gtest)
    message(FATAL_ERROR
        "GoogleTest was not found. Install it with\n"
        "    Debian, Ubuntu:  apt-get install libgtest-dev\n"
        "    Fedora:          dnf install gtest-devel\n"
        "    macOS:           brew install googletest\n"
        "    vcpkg:           vcpkg install gtest")
endif()
include(GoogleTest)
enable_language(C)  # a test of the C table is written in C

# Tests are listed when they are run (PRE_TEST): a sanitizer's run-time may need settings by then
# which the build does not have. A prefix tells the tests of two programs apart.
function(scheduler_discover_tests target label)
    gtest_discover_tests(${target}
        DISCOVERY_MODE PRE_TEST
        TEST_PREFIX "${ARGV2}"
        PROPERTIES LABELS ${label} TIMEOUT 120
    )
endfunction()

# Test programs, whose files must not know of each other, read GoogleTest's headers once.
function(scheduler_precompile_headers target)
    if(SCHEDULER_QUICK_BUILD)
        target_precompile_headers(${target} PRIVATE
            $<$<COMPILE_LANGUAGE:CXX>:<functional$<ANGLE-R>>
            $<$<COMPILE_LANGUAGE:CXX>:<thread$<ANGLE-R>>
            $<$<COMPILE_LANGUAGE:CXX>:<gtest/gtest.h$<ANGLE-R>>)
    endif()
endfunction()

# What is tested is in a library: the tests themselves need little optimisation, which takes long.
function(scheduler_optimise_little target)
    set_target_properties(${target} PROPERTIES
        INTERPROCEDURAL_OPTIMIZATION_RELEASE OFF INTERPROCEDURAL_OPTIMIZATION_RELWITHDEBINFO OFF)
    target_compile_options(${target} PRIVATE -O1)
endfunction()

# Without Python.
function(scheduler_add_core_tests)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/core/*_test.cpp")
    add_executable(core_tests ${sources})
    target_include_directories(core_tests PRIVATE tests/core)
    target_link_libraries(core_tests PRIVATE scheduler_core scheduler_options GTest::gtest_main)
    scheduler_optimise_little(core_tests)
    scheduler_precompile_headers(core_tests)
    scheduler_discover_tests(core_tests core)

    # The jump that is for other machines, too.
    add_executable(core_plain_jump_tests
        tests/core/context_test.cpp
        tests/core/jump_test.cpp
        src/core/guard_index.cpp
        src/core/jump.S
        src/core/stack_pool.cpp
    )
    target_include_directories(core_plain_jump_tests PRIVATE src)
    target_compile_definitions(core_plain_jump_tests PRIVATE SCHED_PLAIN_JUMP)
    target_link_libraries(core_plain_jump_tests PRIVATE
        scheduler_boost_context scheduler_options GTest::gtest_main)
    scheduler_optimise_little(core_plain_jump_tests)
    scheduler_discover_tests(core_plain_jump_tests core PlainJump.)
endfunction()

# The core once more, with atomics that give the tests the choice of who goes on at each step.
function(scheduler_add_core_model_tests)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/core/model/*.cpp")
    add_executable(core_model_tests ${sources}
        src/core/channel.cpp
        src/core/guard_index.cpp
        src/core/jump.S
        src/core/manager.cpp
        src/core/select.cpp
        src/core/stack_pool.cpp
        src/core/stack_supply.cpp
        src/core/timers.cpp
        src/core/trace.cpp
        src/core/trace_clock.cpp
    )
    target_include_directories(core_model_tests PRIVATE src tests/core/model)
    target_compile_definitions(core_model_tests PRIVATE SCHED_MODEL="model_atomic.h")
    # The core's own checks are on in release builds too. Not under TSan: the count of held locks, a
    # thread_local, is shared by all model threads, which are threads to it.
    set(without_checks $<STREQUAL:${SCHEDULER_SANITIZE},thread>)
    target_compile_options(core_model_tests PRIVATE $<IF:${without_checks},-DNDEBUG,-UNDEBUG>)
    target_link_libraries(core_model_tests PRIVATE
        scheduler_boost_context scheduler_options GTest::gtest_main)
    scheduler_precompile_headers(core_model_tests)
    scheduler_discover_tests(core_model_tests core)
endfunction()

# With the interpreter embedded in the test program.
function(scheduler_add_capi_tests)
    find_package(Python 3.11 COMPONENTS Interpreter Development.Module Development.Embed)
    if(NOT Python_Development.Embed_FOUND)
        message(FATAL_ERROR
            "${Python_EXECUTABLE} has no library to embed (libpython), which tests/capi need. "
            "Debian, Ubuntu: apt-get install python3-dev. Built from source: configure it with "
            "--enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared).")
    endif()

    file(GLOB sources CONFIGURE_DEPENDS
        "${PROJECT_SOURCE_DIR}/tests/capi/*.cpp" "${PROJECT_SOURCE_DIR}/tests/capi/*.c")
    add_executable(capi_tests ${sources})
    target_compile_features(capi_tests PRIVATE c_std_11)
    target_include_directories(capi_tests PRIVATE include tests/capi)
    target_link_libraries(capi_tests PRIVATE scheduler_options Python::Python GTest::gtest)
    # When libpython is static, modules find the interpreter's functions in the program.
    set_target_properties(capi_tests PROPERTIES ENABLE_EXPORTS ON C_EXTENSIONS OFF)
    scheduler_optimise_little(capi_tests)
    scheduler_precompile_headers(capi_tests)
    add_dependencies(capi_tests _scheduler)

    # The embedded interpreter would look for its home beside the first `python3` on PATH, which may
    # be another one. It imports the module and the package of this build.
    execute_process(
        COMMAND "${Python_EXECUTABLE}" -c "import sys; print(sys.base_prefix)"
        OUTPUT_VARIABLE home OUTPUT_STRIP_TRAILING_WHITESPACE)
    set(environment
        "PYTHONHOME=${home}"
        "PYTHONPATH=$<TARGET_FILE_DIR:_scheduler>:${PROJECT_SOURCE_DIR}/python")
    if(Python_SOABI MATCHES "^cpython-[0-9]+t")
        # Free-threaded: no imported extension shall bring the GIL back unnoticed.
        list(APPEND environment "PYTHON_GIL=0")
    endif()
    # To start Python takes longer than a test, and each leaves things as it found them: they share a few
    # processes. GTEST_FILTER=KillTest.* in ctest's environment chooses some.
    set(shards 8)
    foreach(shard RANGE 1 ${shards})
        math(EXPR index "${shard} - 1")
        add_test(NAME capi_${shard}_of_${shards} COMMAND capi_tests)
        set_tests_properties(capi_${shard}_of_${shards} PROPERTIES LABELS capi TIMEOUT 300
            ENVIRONMENT "${environment};GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${index}")
    endforeach()
    scheduler_add_embedding_example("${environment}")
endfunction()

# examples/embedding, built as a project of its own, as its reader does, and what it prints.
function(scheduler_add_embedding_example environment)
    set(source "${PROJECT_SOURCE_DIR}/examples/embedding")
    set(build "${CMAKE_CURRENT_BINARY_DIR}/embedding")
    add_test(NAME example_embedding_build
        COMMAND "${CMAKE_CTEST_COMMAND}" --build-and-test "${source}" "${build}"
            --build-generator "${CMAKE_GENERATOR}" --build-makeprogram "${CMAKE_MAKE_PROGRAM}"
            --build-options "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}"
            "-DPython_EXECUTABLE=${Python_EXECUTABLE}" -DPython_FIND_STRATEGY=LOCATION
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
    add_test(NAME example_embedding
        COMMAND "${CMAKE_COMMAND}" "-DPROGRAM=${build}/embedding"
            "-DEXPECTED=${source}/expected.txt"
            -P "${PROJECT_SOURCE_DIR}/cmake/CompareOutput.cmake")
    set_tests_properties(example_embedding_build PROPERTIES FIXTURES_SETUP embedding)
    set_tests_properties(example_embedding PROPERTIES FIXTURES_REQUIRED embedding)
    set_tests_properties(example_embedding_build example_embedding PROPERTIES
        LABELS capi TIMEOUT 300 ENVIRONMENT "${environment}")
endfunction()
