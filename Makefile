# What a newcomer and CI type. Each target is a session of noxfile.py.
#
#   PYTHON_VERSIONS="3.12 3.15d"      only these interpreters (default: 3.11 to 3.15, 3.13t)
#   REQUIRE_PYTHONS="3.11 3.12 3.13"  fail when one of these is not found (default: any one will do)
#   FULL_TESTS_ON="3.12 3.15"         the heavy tests on these, too (default: none)
#   FUZZ_SECONDS=1800                 how long `make fuzz` takes, for all interpreters together
#   PYTEST_ARGS="-k channel -x"       arguments for pytest

SHELL := bash
NOX := tools/bootstrap.sh
.DEFAULT_GOAL := help
.PHONY: help demo test newer-pythons free-threaded test-core test-debug test-jit \
	compile-free-threaded asan tsan asan-module tsan-module fuzz counts \
	package wheel types docs lint format bench clean clean-cache

help:          # this list
	@echo "make TARGET, for example: make test PYTHON_VERSIONS=3.12 PYTEST_ARGS='-k channel'"
	@awk -F ': .*# ' '/^[a-z-]+: .*# / { printf "  make %-21s %s\n", $$1, $$2 }' Makefile
	@sed -n 's/^#   /  /p' Makefile

# The versions that these are for, unless there are others in PYTHON_VERSIONS.
test-debug: export PYTHON_VERSIONS ?= 3.11d 3.12d 3.13d 3.14d 3.15d
test-jit compile-free-threaded: export PYTHON_VERSIONS ?= 3.14 3.15
fuzz: export PYTHON_VERSIONS ?= 3.12 3.13t 3.15
asan-module: export PYTHON_VERSIONS ?= 3.12
tsan-module: export PYTHON_VERSIONS = 3.13t

demo:                  ; @$(NOX) demo                           # install the module under build/, run an example
test:                  ; @$(NOX) all -- core build test counts  # every suite on every supported interpreter found
newer-pythons:         ; @tools/newer_pythons.sh                # CPython 3.14 and 3.15 on Debian 12, for `test`
free-threaded:         ; @tools/free_threaded.sh                # build the free-threaded CPython 3.13, for `test`
test-core:             ; @$(NOX) core -- core                   # the core's suite, without Python
asan:                  ; @$(NOX) core -- core-asan              # the same with AddressSanitizer and UBSan
tsan:                  ; @$(NOX) core -- core-tsan              # the same with ThreadSanitizer
asan-module:           ; @$(NOX) all -- asan                    # the module with ASan and UBSan: main suites, fuzz
tsan-module:           ; @tools/free_threaded.sh --tsan && $(NOX) all -- tsan # with TSan, on a 3.13t with TSan
fuzz:                  ; @$(NOX) all -- build fuzz              # random programs and events, for FUZZ_SECONDS (180)
test-debug:            ; @$(NOX) all -- build main              # the main suites on debug builds of CPython
compile-free-threaded: ; @$(NOX) all -- compile_free_threaded   # for 3.14t and 3.15t, which are not run
test-jit:              ; @$(NOX) all -- build jit               # the tests of switching with CPython's JIT
counts:                ; @$(NOX) all -- counts                  # instructions and allocations, against the baseline
package:               ; @$(NOX) package                        # check sdist, wheel and editable installation
wheel:                 ; @$(NOX) wheel                          # a wheel for other Linux systems, in build/dist
types:                 ; @$(NOX) types                          # stubtest, mypy and pyright
docs:                  ; @$(NOX) docs                           # the documentation as a site, in build/docs/html
lint:                  ; @$(NOX) lint                           # clang-format, clang-tidy, ruff and the like
format:                ; @$(NOX) lint -- clang-format           # clang-format in place
bench:                 ; @$(NOX) bench                          # benchmarks, on this machine
clean:                 ; rm -rf build                           # remove all that these have made, but interpreters
clean-cache:           ; @. tools/common.sh && remove "$$cache" # remove the interpreters that these have made
