#!/bin/sh
# tools/in_root.sh ROOT COMMAND...: runs a command in the Debian system below ROOT, as root.
#
# The current directory, /tmp, /dev and /proc are there under their usual names. The mounts are in a
# namespace of the command's own, so that none outlives it and nothing is mounted below ROOT for
# others. Files of this machine's configuration are copied: a package's scripts may write there.
# Variables that speak of this machine's compiler, libraries and interpreters are not handed on.
set -eu
root=$1
shift
if [ ! -d "$root/usr" ]; then
    echo "tools/in_root.sh: there is no Debian system below '$root'" >&2
    exit 2
fi
if [ -z "${IN_MOUNT_NAMESPACE:-}" ]; then
    IN_MOUNT_NAMESPACE=1 exec unshare --mount "$0" "$root" "$@"
fi
unset IN_MOUNT_NAMESPACE

for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    if [ -f "$file" ] && ! cmp -s "$file" "$root$file"; then
        mkdir -p "$root${file%/*}"
        cp -L "$file" "$root$file.$$"
        mv -f "$root$file.$$" "$root$file"
    fi
done
mount --bind "$root" "$root" # so that / is a mount point in there, too, and this can be nested
for place in /proc /dev /tmp "$PWD"; do
    mkdir -p "$root$place"
    mount --rbind "$place" "$root$place"
done
exec chroot "$root" env -C "$PWD" -u CC -u CXX -u CFLAGS -u CXXFLAGS -u LDFLAGS -u CPATH -u LIBRARY_PATH \
    -u LD_LIBRARY_PATH -u CMAKE_PREFIX_PATH -u TMPDIR -u PYENV_ROOT -u XDG_CACHE_HOME \
    IN_ROOT=-in-root HOME=/root "$@"
