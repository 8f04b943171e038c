#!/usr/bin/env bash
# tools/bootstrap.sh ARGUMENTS...: finds a Python, or installs the system's, puts nox into an environment under
# build/, and hands over to it. By hand: there may be no Python yet, and so no tool that could bring one.
. "$(dirname "$0")/common.sh"
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV # which lead an interpreter to other packages than its own
nox_version=2026.10.20

# With its standard library and venv: Debian ships parts of it separately.
usable() {
    "$1" -c 'import ensurepip, json, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
    for name in python3 python3.{15,14,13,12,11} /usr/bin/python3 "$pyenv"/3.1[1-5]*/bin/python \
        python3.13t; do
        if usable "$name"; then
            echo "$name"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    echo "No Python 3.11 or later found that has the module venv"
    tools/system_packages.sh python3 python3-dev python3-venv
    python=$(find_python)
    [ -n "$python" ] || fail "This system's own Python is older than 3.11: install CPython 3.11 to 3.15."
fi

# Environments and CMake builds hold absolute paths: useless once the directory has moved.
if [ "$(cat build/root 2>/dev/null)" != "$PWD" ]; then
    rm -rf build/[!l]* # but the logs
    mkdir -p build
    echo "$PWD" >build/root
fi
# Also another one than outside where in_root.sh has brought us.
environment=build/nox${IN_ROOT:-}
wanted="nox==$nox_version $(command -v "$python")"
if [ "$(cat $environment/made 2>/dev/null)" != "$wanted" ]; then
    rm -rf $environment
    "$python" -m venv $environment
    $environment/bin/python -m pip install -q --disable-pip-version-check "${wanted%% *}"
    echo "$wanted" >$environment/made
fi
exec $environment/bin/python -B -m nox --session "$@"
