# Runs PROGRAM, which must end well, print what the file EXPECTED holds, and nothing to stderr.
execute_process(COMMAND "${PROGRAM}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors TIMEOUT 60)
file(READ "${EXPECTED}" expected)
if(NOT "${result}|${errors}|${output}" STREQUAL "0||${expected}")
    message(FATAL_ERROR "${PROGRAM} ended with ${result}, stderr:\n${errors}\n"
        "printed:\n${output}\nexpected:\n${expected}")
endif()
