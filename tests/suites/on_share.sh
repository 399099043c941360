# SPDX-License-Identifier: Apache-2.0
# Sourced by the suites. on_share COMMAND…: runs it with $share being a folder on a mounted union, over an empty
# lower folder or the one in $lower. $build_bin: where serve-share is. $scratch: outside the repository.
set -euo pipefail
room=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_bin=${CARREL_BIN_DIR:-$room/../../build/dev/bin}
suites=${CARREL_SUITES_DIR:-$HOME/.cache/carrel-suites}

refuse() {
    echo "$1" >&2
    [ -n "${CI:-}" ] && exit 1 # never silently where everything must be there
    exit 77
}
[ -r /dev/fuse ] && [ -w /dev/fuse ] ||
    refuse "SKIPPED: this account has no /dev/fuse that it may open, so that nothing can be mounted."
unshare -Urm true 2>/dev/null || refuse "SKIPPED: unprivileged user namespaces are switched off on this computer."
[ -x "$build_bin/serve-share" ] || { echo "serve-share is not built in $build_bin" >&2; exit 1; }

mkdir -p "$suites"
scratch=$(mktemp -d "$suites/run.XXXXXX")
trap 'chmod -R u+rwX "$scratch" 2>/dev/null || true; rm -rf "$scratch"' EXIT
lower=$scratch/lower share=$scratch/share plain=$scratch/plain
fresh() { # empty folders, whatever was there before
    if [ -d "$lower" ]; then
        chmod -R u+rwX "$lower" "$scratch/upper" "$plain"
        rm -rf "$lower" "$scratch/upper" "$plain"
    fi
    mkdir -p "$lower" "$scratch/upper" "$share" "$plain"
}
fresh
export lower share plain scratch

# A mount wants user 0 of a namespace. The command runs in one below it, as the account that it is: tests of
# permissions mean nothing to user 0.
account=(unshare -U --map-user="$(id -u)" --map-group="$(id -g)")
on_share() { unshare -Urm "$build_bin/serve-share" "$lower" "$scratch/upper" "$share" "${account[@]}" "$@"; }
# The control: the same account, the same folder name's length, the plain file system.
on_plain() { unshare -Urm "${account[@]}" "$@"; }

# apt_source PACKAGE: its source in $source_dir, below $suites/src, by Debian's client from where this computer takes its
# packages. Needs no root: the lists are fetched into a folder of the suites.
apt_source() {
    local to=$suites/src/$1
    [ -d "$to" ] || fetch_source "$1" "$to" || refuse "SKIPPED: the source package $1 could not be fetched (see above)."
    source_dir=$(ls -d "$to/$1-"[0-9]*/ | head -1)
    source_dir=${source_dir%/}
}
fetch_source() { # every step by itself: "set -e" does not hold where the caller looks at the result
    rm -rf "$2.part"
    mkdir -p "$suites/apt/lists/partial" "$suites/apt/archives/partial" "$2.part" || return
    local listed=$suites/apt/src.list
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then
        listed=$suites/apt/src.sources
        sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$listed" || return
    else
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$listed" || return
    fi
    local options=(-q -o Dir::Etc::sourcelist="$listed" -o Dir::Etc::sourceparts=/nonexistent
        -o Dir::State::lists="$suites/apt/lists" -o Dir::Cache="$suites/apt" -o APT::Update::Error-Mode=any)
    apt-get "${options[@]}" update && (cd "$2.part" && apt-get "${options[@]}" source "$1") && mv "$2.part" "$2"
}

cc=gcc
command -v ccache >/dev/null && cc="ccache gcc"
