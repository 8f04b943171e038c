#!/usr/bin/env bash
# Finds a Python that can run tools/dev.py, or installs the system's, and hands over to it.
set -euo pipefail
cd "$(dirname "$0")/.."

# With its standard library: Debian's python3-minimal is not enough.
usable() { "$1" -c 'import json, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

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
    install="apt-get install -y --no-install-recommends python3 python3-dev python3-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "No Python 3.11 or later found: $install (output: build/logs/apt.log)"
        export DEBIAN_FRONTEND=noninteractive
        mkdir -p build/logs
        if ! { apt-get update -q && $install -q; } </dev/null >>build/logs/apt.log 2>&1; then
            tail -n 15 build/logs/apt.log >&2
            echo "apt-get failed, see $PWD/build/logs/apt.log" >&2
            exit 1
        fi
        python=$(find_python)
    else
        echo "Python 3.11 or later is needed. Debian, Ubuntu: sudo $install" >&2
        exit 1
    fi
fi
if [ -z "$python" ]; then
    echo "This system's own Python is older than 3.11: install CPython 3.11 to 3.15." >&2
    exit 1
fi

exec "$python" -B tools/dev.py "$@"
