# Asked by find_package(scheduler VERSION). A later version of the same major one has all members that
# an earlier one has. The version is in a line of a file: in a checkout in that of the project.
set(scheduler_version_file "${CMAKE_CURRENT_LIST_DIR}/version.txt")
if(NOT EXISTS "${scheduler_version_file}")
    set(scheduler_version_file "${CMAKE_CURRENT_LIST_DIR}/../../pyproject.toml")
endif()
file(STRINGS "${scheduler_version_file}" PACKAGE_VERSION REGEX "^version = ")
string(REGEX REPLACE "^version = \"([0-9.]+).*" "\\1" PACKAGE_VERSION "${PACKAGE_VERSION}")
unset(scheduler_version_file)

string(REGEX MATCH "^[0-9]+" scheduler_major "${PACKAGE_VERSION}")
if(PACKAGE_FIND_VERSION_MAJOR STREQUAL scheduler_major
        AND NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_COMPATIBLE TRUE)
    if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
        set(PACKAGE_VERSION_EXACT TRUE)
    endif()
endif()
unset(scheduler_major)
