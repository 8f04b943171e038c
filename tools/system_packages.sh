#!/usr/bin/env bash
# tools/system_packages.sh PACKAGE...: installs those of these Debian packages whose programs or libraries
# are not here, or says what to install. By hand: PyPI has no compilers, headers and libraries.
. "$(dirname "$0")/common.sh"
compiler=${CXX:-c++}

# library NAME HEADER: can this be compiled with and linked? Who names a place of his own has it there.
library() {
    [ -n "${CMAKE_PREFIX_PATH:-}" ] && return
    echo "#include <$2>" | $compiler -E -x c++ - >/dev/null 2>&1 || return
    # The compiler answers with a path when it finds the file, else with the bare name.
    [[ $($compiler -print-file-name="lib$1.a") == /* || $($compiler -print-file-name="lib$1.so") == /* ]]
}

is_here() {
    case $1 in
        g++) command -v $compiler >/dev/null ;;
        xz-utils) command -v xz >/dev/null ;;
        libboost-context-dev) library boost_context boost/context/detail/fcontext.hpp ;;
        libgtest-dev) library gtest gtest/gtest.h ;;
        libbenchmark-dev) library benchmark benchmark/benchmark.h ;;
        zlib1g-dev) library z zlib.h ;;
        libssl-dev) library ssl openssl/ssl.h ;;
        libffi-dev) library ffi ffi.h ;;
        python3*) false ;; # whoever asks for one has looked
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for package; do
    is_here "$package" || missing+=("$package")
done
[ ${#missing[@]} != 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
command -v apt-get >/dev/null || fail "Missing here (names of Debian's packages): ${missing[*]}"
[ "$(id -u)" = 0 ] || fail "System packages are missing. Install them with
    sudo $install"
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$cache"
exec 8>"$cache/apt.lock"
flock 8 # another checkout may be at it
logged apt "Looking for what apt-get can install" apt-get update -q
logged apt "Installing missing system packages: ${missing[*]}" $install -q
