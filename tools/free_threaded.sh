#!/usr/bin/env bash
# Builds the free-threaded CPython 3.13 from Debian's source package, into the cache; `--place` says where.
#
# By hand: Debian 12 has no such interpreter, and what others offer for download has no test modules of
# CPython (ours use one). A later Debian has its sources. apt checks signatures and checksums, and keeps what
# it learns there in a directory of its own: the system's configuration and lists stay as they are.
. "$(dirname "$0")/common.sh"

release=trixie
package=python3.13
# Without a profiling run, which takes long, and without warnings, which are not for us.
configure=(
    --disable-gil
    --enable-shared
    --without-static-libpython
    --without-ensurepip # pip comes with the virtual environments
    CFLAGS_NODIST=-w
)
# Built against the libraries of the system, so it is of no use to another release.
system=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}") || system=
place=$(place python3.13t $release $package "${configure[@]}" "$system")
if [ "${1:-}" = --place ]; then
    echo "$place"
    exit
fi

build() {
    local work=$1 apt=$1/apt installed=$1/root$place option
    tools/system_packages.sh g++ make xz-utils zlib1g-dev libssl-dev libffi-dev
    mkdir -p "$work/source" "$apt"/{sources,lists/partial,cache/archives/partial}
    echo "deb-src [signed-by=$keyring] $mirror $release main" >"$apt/sources/debian.list"
    local get=(env -C "$apt" apt-get -q)
    for option in Etc::sourcelist=/dev/null Etc::sourceparts="$apt/sources" \
        State::lists="$apt/lists" Cache="$apt/cache"; do
        get+=(-o "Dir::$option")
    done
    logged free-threaded "Reading what Debian $release has" "${get[@]}" update
    logged free-threaded "Downloading the sources of $package" "${get[@]}" source --download-only $package
    tar -xf "$apt"/*.orig.tar.xz -C "$work/source" --strip-components=1

    # Installed below another root, but for the place where it will be.
    local make=(make -s -C "$work/source")
    logged free-threaded "Configuring CPython 3.13t" env -C "$work/source" ./configure -q \
        "${configure[@]}" --prefix="$place" LDFLAGS="-Wl,-rpath,$place/lib"
    logged free-threaded "Compiling CPython 3.13t, which takes a few minutes" "${make[@]}" -j"$(nproc)"
    logged free-threaded "Installing CPython 3.13t" "${make[@]}" install DESTDIR="$work/root"
    # What pip and the tests need, and what is left out silently where a library is missing.
    LD_LIBRARY_PATH=$installed/lib "$installed/bin/python3.13t" -c '
import _testinternalcapi, ctypes, ensurepip, ssl, sys, zlib
assert not sys._is_gil_enabled()'
    mv "$installed" "$work/entry"
}

debian_mirror "the free-threaded CPython 3.13 can be built. Elsewhere, install one that was configured with \
--enable-shared, and have python3.13t on PATH."
make_entry "$place" build
echo "CPython 3.13t is in $place."
