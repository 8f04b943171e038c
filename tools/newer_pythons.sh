#!/usr/bin/env bash
# CPython 3.14 and 3.15 for a Debian that has none: a Debian unstable in the cache; `--place` says where.
#
# By hand: their binaries need a newer C library than Debian 12 has, so they, the compiler and the libraries
# are that Debian's, and every command for them runs inside it: in_root.sh. Containers need more rights and
# more tools than CI has.
. "$(dirname "$0")/common.sh"

suite=unstable
versions=(3.14 3.15)
packages=(cmake g++ libboost-context-dev libgtest-dev ninja-build valgrind)
for version in "${versions[@]}"; do
    packages+=(python"$version"-{dev,venv,dbg})
done
# The suite's index may be a mirror's old one.
apt_settings=$'Acquire::Check-Valid-Until "false";\n'
# Nothing here is worth a wait for the disk, and nobody reads here.
dpkg_settings=$'force-unsafe-io\npath-exclude=/usr/share/doc/*\n'
dpkg_settings+=$'path-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n'
place=$(place debian-unstable $suite "${packages[@]}" "$apt_settings" "$dpkg_settings")
if [ "${1:-}" = --place ]; then
    echo "$place"
    exit
fi

build() {
    local root=$1/entry version
    local get=(tools/in_root.sh "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q)
    tools/system_packages.sh debootstrap
    # It mounts /proc.
    logged newer-pythons "Making a minimal Debian $suite, which takes a minute" \
        unshare --mount debootstrap --variant=minbase $suite "$root" "$mirror"
    printf %s "$apt_settings" >"$root/etc/apt/apt.conf.d/99build"
    printf %s "$dpkg_settings" >"$root/etc/dpkg/dpkg.cfg.d/99build"
    logged newer-pythons "Reading what it can install" "${get[@]}" update
    logged newer-pythons "Installing ${#packages[@]} packages and what they need, which takes some minutes" \
        "${get[@]}" install -y --no-install-recommends "${packages[@]}"
    logged newer-pythons "Removing what was downloaded" "${get[@]}" clean
    for version in "${versions[@]}"; do
        tools/in_root.sh "$root" python"$version" -c "import ctypes, ensurepip, ssl, venv, zlib"
    done
}

debian_mirror "this can be done. Elsewhere, install CPython 3.14 and 3.15 with their headers."
[ "$(id -u)" = 0 ] || fail "Only root can do this: it makes a Debian system in a directory and mounts."
make_entry "$place" build
echo "CPython ${versions[*]} are in $place."
