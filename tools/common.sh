# Sourced by the scripts beside it: messages, logs, and the cache of interpreters.
#
# What takes minutes to make and is the same for every checkout is kept outside of them, in
# ${XDG_CACHE_HOME:-~/.cache}/scheduler-dev/<name>-<hash of its recipe>. An entry that is there is complete:
# it was made in another directory and renamed. `make clean-cache` removes all of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/scheduler-dev

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# logged LOG WHAT COMMAND...: the output only matters when the command fails; it goes to build/logs.
logged() {
    local log=$PWD/build/logs/$1.log what=$2 code=0
    shift 2
    mkdir -p build/logs
    echo "$what (output: build/logs/${log##*/})"
    echo "+ $*" >>"$log"
    "$@" </dev/null >>"$log" 2>&1 || code=$?
    if [ $code != 0 ]; then
        tail -n 15 "$log" >&2
        fail "$what: failed with exit code $code, see $log"
    fi
}

# place NAME RECIPE...: where the entry that this recipe makes is, or will be.
place() {
    local name=$1 hash
    shift
    hash=$({ printf %s "$(uname -m)"; printf '\0%s' "$@"; } | sha256sum)
    echo "$cache/$name-${hash:0:12}"
}

# make_entry PLACE BUILD: makes an entry, unless it is there. `BUILD WORK` gets an empty directory to work in,
# and leaves the entry in WORK/entry. What an interrupted call has left is removed by the next one.
make_entry() {
    local work
    mkdir -p "$cache"
    exec 9>"$1.lock"
    if ! flock -n 9; then
        echo "Another process makes $1: waiting for it"
        flock 9
    fi
    if [ -d "$1" ]; then
        echo "$1 is there already."
        return
    fi
    remove "$1".partial-*
    # Not under the name of an interrupted call, whose commands may still be running.
    work=$(mktemp -d "$1.partial-XXXXXX")
    chmod 755 "$work"
    "$2" "$work" 9>&-
    mv "$work/entry" "$1"
    remove "$work"
}

# remove DIRECTORY...: with all that is in there, but never through something that is mounted.
remove() {
    local directory mounted
    for directory; do
        mounted=$(awk -v d="$directory" '$5 == d || index($5, d "/") == 1 { print $5; exit }' \
            "${MOUNTS:-/proc/self/mountinfo}")
        [ -z "$mounted" ] || fail "$directory stays: $mounted is mounted there. Unmount it first."
        rm -rf -- "$directory"
    done
}

# debian_mirror: sets `mirror` and `keyring` to where this machine's apt finds main of its own release, so
# that other releases can be fetched from there, too. apt knows all formats that its sources may have.
debian_mirror() {
    local entry file release
    entry=$(. "${OS_RELEASE:-/etc/os-release}" && echo "$ID ${VERSION_CODENAME:-stable}") || entry=
    [[ $entry == "debian "* ]] && command -v apt-get >/dev/null || fail "Only on Debian $1"
    release=${entry#* }
    entry=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(SITE) $(SOURCESENTRY)' \
        'Created-By: Packages' | awk -v r="$release" '$1 == r && $2 == "main" && !n++ { print $3, $4 }')
    [ -n "$entry" ] || fail "apt's configuration has no entry for main of $release."
    mirror=${entry% *} file=${entry##* }
    keyring=$(sed -nE '/^[^#]*signed-by[:=] *([^] ]+).*/I { s//\1/p; q }' "${file%:*}")
    : "${keyring:=/usr/share/keyrings/debian-archive-keyring.gpg}"
}
