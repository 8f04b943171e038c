# What a newcomer and CI type. Each target is one call of tools/dev.py, which says what it does.
#
#   PYTHON_VERSIONS="3.12"            only these interpreters (default: 3.11 3.12 3.13 3.13t)
#   REQUIRE_PYTHONS="3.11 3.12 3.13"  fail when one of these is not found (default: any one will do)

.PHONY: demo test free-threaded test-core asan tsan package wheel types lint format bench clean

demo:          ; @tools/bootstrap.sh demo
test:          ; @tools/bootstrap.sh test
free-threaded: ; @tools/bootstrap.sh free-threaded
test-core:     ; @tools/bootstrap.sh core core
asan:          ; @tools/bootstrap.sh core core-asan
tsan:          ; @tools/bootstrap.sh core core-tsan
package:       ; @tools/bootstrap.sh package
wheel:         ; @tools/bootstrap.sh wheel
types:         ; @tools/bootstrap.sh types
lint:          ; @tools/bootstrap.sh lint
format:        ; @tools/bootstrap.sh format
bench:         ; @tools/bootstrap.sh bench
clean:         ; rm -rf build
