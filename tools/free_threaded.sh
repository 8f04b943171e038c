#!/usr/bin/env bash
# Builds the free-threaded CPython 3.13 from Debian's source package, into the cache; `--place` says where.
# With `--tsan` in front another one that has ThreadSanitizer in it, without which TSan knows nothing of the
# locks and atomics of CPython.
#
# By hand: Debian 12 has no such interpreter, and what others offer for download has no test modules of
# CPython (ours use one). A later Debian has its sources. apt checks signatures and checksums, and keeps what
# it learns there in a directory of its own: the system's configuration and lists stay as they are.
. "$(dirname "$0")/common.sh"

release=trixie
package=python3.13
name=python3.13t
# Without a profiling run, which takes long, and without warnings, which are not for us.
configure=(
    --disable-gil
    --enable-shared
    --without-static-libpython
    --without-ensurepip # pip comes with the virtual environments
    CFLAGS_NODIST=-w
)
install=(install)
if [ "${1:-}" = --tsan ]; then
    shift
    name+=-tsan
    configure+=(--with-thread-sanitizer)
    install+=(COMPILEALL_OPTS=--help) # else it takes ten minutes to compile a library that is hardly imported
fi
# Built against the libraries of the system, so it is of no use to another release.
system=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}") || system=
place=$(place $name $release $package "${configure[@]}" "$system")
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
    local run=(tools/fixed_addresses.sh env -C "$work/source") # what is built runs then, too
    logged free-threaded "Configuring CPython 3.13t" "${run[@]}" ./configure -q \
        "${configure[@]}" --prefix="$place" LDFLAGS="-Wl,-rpath,$place/lib"
    logged free-threaded "Compiling CPython 3.13t, which takes a few minutes" "${run[@]}" make -s -j"$(nproc)"
    logged free-threaded "Installing CPython 3.13t" "${run[@]}" make -s "${install[@]}" \
        DESTDIR="$work/root"
    cp "$work/source/Tools/tsan/suppressions_free_threading.txt" "$installed/lib"
    # What pip and the tests need, and what is left out silently where a library is missing.
    LD_LIBRARY_PATH=$installed/lib tools/fixed_addresses.sh "$installed/bin/python3.13t" -c '
import _testinternalcapi, ctypes, ensurepip, ssl, sys, zlib
assert not sys._is_gil_enabled()'
    mv "$installed" "$work/entry"
}

debian_mirror "the free-threaded CPython 3.13 can be built. Elsewhere, install one that was configured with \
--enable-shared, and have python3.13t on PATH."
make_entry "$place" build
echo "CPython 3.13t is in $place."
