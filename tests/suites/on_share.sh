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
[ -c /dev/fuse ] || refuse "SKIPPED: this computer has no /dev/fuse, so that nothing can be mounted."
unshare -Urm true 2>/dev/null || refuse "SKIPPED: unprivileged user namespaces are switched off on this computer."
[ -x "$build_bin/serve-share" ] || { echo "serve-share is not built in $build_bin" >&2; exit 1; }

mkdir -p "$suites"
scratch=$(mktemp -d "$suites/run.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
lower=$scratch/lower share=$scratch/share plain=$scratch/plain
mkdir "$lower" "$scratch/upper" "$share" "$plain"
export lower share plain scratch

on_share() { unshare -Urm "$build_bin/serve-share" "$lower" "$scratch/upper" "$share" "$@"; }
# The control: the same account numbers, the same folder name's length, the plain file system.
on_plain() { unshare -Urm "$@"; }

# apt_source PACKAGE: its source below $suites/src, by Debian's client from where this computer takes its packages.
apt_source() {
    ls -d "$suites/src/$1-"[0-9]*/ >/dev/null 2>&1 && return
    mkdir -p "$suites/apt/lists/partial" "$suites/apt/archives/partial" "$suites/src"
    local listed=$suites/apt/src.list
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then
        listed=$suites/apt/src.sources
        sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$listed"
    else
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$listed"
    fi
    local options=(-q -o Dir::Etc::sourcelist="$listed" -o Dir::Etc::sourceparts=/nonexistent
        -o Dir::State::lists="$suites/apt/lists" -o Dir::Cache="$suites/apt")
    apt-get "${options[@]}" update
    (cd "$suites/src" && apt-get "${options[@]}" source "$1")
}
