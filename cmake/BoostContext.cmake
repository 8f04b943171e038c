# The target `scheduler_boost_context`: Boost.Context, from its static library where there is one,
# so that what we build needs no Boost at run time.

set(boost_version 1.65)

# Boost's own package files first; FindBoost.cmake for installations that have none.
macro(scheduler_find_boost)
    find_package(Boost ${boost_version} QUIET CONFIG COMPONENTS context)
    if(NOT TARGET Boost::context AND EXISTS "${CMAKE_ROOT}/Modules/FindBoost.cmake")
        if(POLICY CMP0167)
            cmake_policy(SET CMP0167 OLD)
        endif()
        find_package(Boost ${boost_version} QUIET MODULE COMPONENTS context)
    endif()
endmacro()

set(Boost_USE_STATIC_LIBS ${SCHEDULER_STATIC_BOOST})
scheduler_find_boost()
if(NOT TARGET Boost::context AND SCHEDULER_STATIC_BOOST)
    set(Boost_USE_STATIC_LIBS OFF)
    scheduler_find_boost()
    if(TARGET Boost::context)
        message(STATUS "No static Boost.Context: the shared one will be needed at run time")
    endif()
endif()

if(NOT TARGET Boost::context)
    message(FATAL_ERROR
        "Boost.Context (Boost ${boost_version} or later) was not found. Install it with\n"
        "    Debian, Ubuntu:  apt-get install libboost-context-dev\n"
        "    Fedora:          dnf install boost-devel boost-static\n"
        "    macOS:           brew install boost\n"
        "    vcpkg:           vcpkg install boost-context\n"
        "or, when it is installed in an unusual place, name that place by -DCMAKE_PREFIX_PATH=...")
endif()

# A static library that is not position independent cannot become part of a module.
if(Boost_USE_STATIC_LIBS AND NOT APPLE)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS -fPIC)
    set(CMAKE_REQUIRED_LINK_OPTIONS -shared)
    set(CMAKE_REQUIRED_LIBRARIES Boost::context)
    check_cxx_source_compiles(
        "#include <boost/context/detail/fcontext.hpp>
        namespace fc = boost::context::detail;
        void* use(fc::fcontext_t to, void (*entry)(fc::transfer_t)) {
            return fc::jump_fcontext(to, fc::make_fcontext(nullptr, 0, entry)).data;
        }"
        SCHEDULER_BOOST_FITS_INTO_MODULE)
    unset(CMAKE_REQUIRED_FLAGS)
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(NOT SCHEDULER_BOOST_FITS_INTO_MODULE)
        message(FATAL_ERROR
            "The static library of Boost.Context cannot be linked into a shared module. Configure "
            "with -DSCHEDULER_STATIC_BOOST=OFF (pip: CMAKE_ARGS=-DSCHEDULER_STATIC_BOOST=OFF).")
    endif()
endif()

add_library(scheduler_boost_context INTERFACE)
target_link_libraries(scheduler_boost_context INTERFACE Boost::context)
