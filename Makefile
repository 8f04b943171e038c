# What a newcomer and CI type. Each target is one call of tools/dev.py, which says what it does.
#
#   PYTHON_VERSIONS="3.12 3.15d"      only these interpreters (default: 3.11 to 3.15, 3.13t)
#   REQUIRE_PYTHONS="3.11 3.12 3.13"  fail when one of these is not found (default: any one will do)
#   FULL_TESTS_ON="3.12 3.15"         the heavy tests on these, too (default: none)
#   FUZZ_SECONDS=1800                 how long `make fuzz` takes, for all interpreters together
#   PYTEST_ARGS="-k channel -x"       arguments for pytest

.DEFAULT_GOAL := help
.PHONY: help demo test newer-pythons free-threaded test-core test-debug test-jit \
	compile-free-threaded asan tsan asan-module fuzz counts \
	package wheel types docs lint format bench clean clean-cache

help:          # this list
	@echo "make TARGET, for example: make test PYTHON_VERSIONS=3.12 PYTEST_ARGS='-k channel'"
	@awk -F ': .*# ' '/^[a-z-]+: .*# / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@sed -n 's/^#   /  /p' Makefile

demo:          ; @tools/bootstrap.sh demo            # install the module under build/, run an example
test:          ; @tools/bootstrap.sh test            # every suite on every supported interpreter found
newer-pythons: ; @tools/bootstrap.sh newer-pythons   # CPython 3.14 and 3.15 on Debian 12, for `test`
free-threaded: ; @tools/bootstrap.sh free-threaded   # build the free-threaded CPython 3.13, for `test`
test-core:     ; @tools/bootstrap.sh core core       # the core's suite, without Python
asan:          ; @tools/bootstrap.sh core core-asan  # the same with AddressSanitizer and UBSan
tsan:          ; @tools/bootstrap.sh core core-tsan  # the same with ThreadSanitizer
asan-module:   ; @tools/bootstrap.sh asan-module     # the module with ASan and UBSan: main suites, fuzz
fuzz:          ; @tools/bootstrap.sh fuzz            # random programs and events, for FUZZ_SECONDS (180)
test-debug:    ; @tools/bootstrap.sh debug           # the main suites on debug builds of CPython
compile-free-threaded: ; @tools/bootstrap.sh compile-free-threaded  # for 3.14t and 3.15t, which are not run
test-jit:      ; @tools/bootstrap.sh jit             # the tests of switching with CPython's JIT
counts:        ; @tools/bootstrap.sh counts          # instructions and allocations, against the baseline
package:       ; @tools/bootstrap.sh package         # check sdist, wheel and editable installation
wheel:         ; @tools/bootstrap.sh wheel           # a wheel for other Linux systems, in build/dist
types:         ; @tools/bootstrap.sh types           # stubtest, mypy and pyright
docs:          ; @tools/bootstrap.sh docs            # the documentation as a site, in build/docs/html
lint:          ; @tools/bootstrap.sh lint            # clang-format, clang-tidy, ruff and the like
format:        ; @tools/bootstrap.sh format          # clang-format in place
bench:         ; @tools/bootstrap.sh bench           # benchmarks, on this machine
clean:         ; rm -rf build                        # remove all that these have made, but interpreters
clean-cache:   ; @tools/bootstrap.sh clean-cache     # remove the interpreters that these have made
