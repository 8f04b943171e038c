# find_package(scheduler): what a host program in C or C++ needs to compile. Where this file is, tells
# `python -m scheduler --cmake-dir`:
#
#     execute_process(COMMAND "${Python_EXECUTABLE}" -m scheduler --cmake-dir
#                     OUTPUT_VARIABLE scheduler_DIR OUTPUT_STRIP_TRAILING_WHITESPACE)
#     find_package(scheduler REQUIRED)
#     target_link_libraries(host PRIVATE scheduler::scheduler Python::Python)
#
# scheduler::scheduler has the directory of Scheduler.h and SchedulerCpp.hpp, and C++17 for programs in
# C++. There is no library to link: the table of functions is found at run time. Python is the program's
# own choice: Python::Python to embed it, Python::Module for an extension module.

get_filename_component(scheduler_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include" ABSOLUTE)
if(NOT EXISTS "${scheduler_INCLUDE_DIR}/Scheduler.h")  # a checkout
    get_filename_component(scheduler_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../../include" ABSOLUTE)
endif()
if(NOT EXISTS "${scheduler_INCLUDE_DIR}/Scheduler.h")
    set(scheduler_FOUND FALSE)
    set(scheduler_NOT_FOUND_MESSAGE
        "the package was installed without its headers: install it again, by python -m pip install")
    return()
endif()

if(NOT TARGET scheduler::scheduler)
    add_library(scheduler::scheduler INTERFACE IMPORTED)
    set_target_properties(scheduler::scheduler PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${scheduler_INCLUDE_DIR}")
    get_property(scheduler_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if("CXX" IN_LIST scheduler_languages)
        set_target_properties(scheduler::scheduler PROPERTIES INTERFACE_COMPILE_FEATURES cxx_std_17)
    endif()
    unset(scheduler_languages)
endif()
