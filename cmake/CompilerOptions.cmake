# The target `scheduler_options`: language level, warnings, sanitizers. All our targets link it.

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_library(scheduler_options INTERFACE)
target_compile_features(scheduler_options INTERFACE cxx_std_20)

if(MSVC)
    message(FATAL_ERROR "The compiler must be GCC or Clang: MSVC's options are not known here.")
endif()

target_compile_options(scheduler_options INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wundef
    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang,AppleClang>:-Wthread-safety>
    $<$<BOOL:${SCHEDULER_WERROR}>:-Werror>
)

if(NOT SCHEDULER_CLANG_TIDY)
    # Debian's headers of debug interpreters are links to those of the others, but for pyconfig.h, which
    # GCC would look for where the links lead.
    target_compile_options(scheduler_options INTERFACE
        $<$<CXX_COMPILER_ID:GNU>:-fno-canonical-system-headers>)
    # A switch loads words that have been stored one by one just before: two in one go would have to wait
    # for the stores to reach the cache.
    target_compile_options(scheduler_options INTERFACE
        $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-tree-slp-vectorize>)
endif()

if(SCHEDULER_SANITIZE STREQUAL "address")
    set(sanitizer_flags -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(SCHEDULER_SANITIZE STREQUAL "thread")
    set(sanitizer_flags -fsanitize=thread)
elseif(NOT SCHEDULER_SANITIZE STREQUAL "none")
    message(FATAL_ERROR "SCHEDULER_SANITIZE=${SCHEDULER_SANITIZE}: use none, address or thread.")
endif()
if(sanitizer_flags)
    target_compile_options(scheduler_options INTERFACE ${sanitizer_flags} -fno-omit-frame-pointer)
    target_link_options(scheduler_options INTERFACE ${sanitizer_flags})
endif()

if(SCHEDULER_LTO)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT lto_works OUTPUT lto_output LANGUAGES CXX)
    if(lto_works)
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE ON)
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELWITHDEBINFO ON)
    else()
        message(STATUS "No link-time optimisation: ${lto_output}")
    endif()
endif()

# Symbols of static libraries (Boost's jump_fcontext) stay inside the module: another extension in
# the same process may bring a different version of them.
function(scheduler_hide_library_symbols target)
    if(NOT APPLE)
        target_link_options(${target} PRIVATE LINKER:--exclude-libs,ALL)
    endif()
endfunction()

# Most of the work is to read headers. Source files that are compiled as one tell their names in unnamed
# namespaces apart. That each includes what it needs is seen where this is off: by clang-tidy.
function(scheduler_compile_together target)
    set_target_properties(${target} PROPERTIES
        UNITY_BUILD ${SCHEDULER_QUICK_BUILD} UNITY_BUILD_BATCH_SIZE 10)
endfunction()
