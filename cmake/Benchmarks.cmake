# The benchmarks of the core alone, with Google Benchmark. See benchmarks/README.md.

find_package(benchmark QUIET)
if(NOT TARGET benchmark::benchmark_main)
    message(FATAL_ERROR
        "Google Benchmark was not found. Install it with\n"
        "    Debian, Ubuntu:  apt-get install libbenchmark-dev\n"
        "    Fedora:          dnf install google-benchmark-devel\n"
        "    macOS:           brew install google-benchmark\n"
        "    vcpkg:           vcpkg install benchmark")
endif()

function(scheduler_add_core_benchmarks)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/benchmarks/core/*_bench.cpp")
    add_executable(core_benchmarks ${sources})
    target_include_directories(core_benchmarks PRIVATE benchmarks/core)
    target_link_libraries(core_benchmarks PRIVATE
        scheduler_core scheduler_options benchmark::benchmark_main)
endfunction()
