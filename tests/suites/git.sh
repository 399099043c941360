#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git's own test suite with its trash folders on a share, and the same on the plain file system.
#   git.sh [PATTERN…]     which scripts (shell patterns in git's t/); without: t0 to t7 without networks
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"

apt_source git
source_dir=$(ls -d "$suites"/src/git-[0-9]*/ | head -1)
make -C "$source_dir" -j2 CFLAGS="-O0 -w" NO_CURL=1 NO_OPENSSL=1 NO_EXPAT=1 NO_GETTEXT=1 NO_TCLTK=1 NO_PYTHON=1 all \
    >"$suites/git-build.log" 2>&1 || { tail "$suites/git-build.log" >&2; exit 1; }
cd "$source_dir/t"
[ $# -gt 0 ] || set -- 't[0-57]*.sh'
# shellcheck disable=SC2086 # patterns
mapfile -t scripts < <(printf '%s\n' $* | grep -Ev 'svn|p4|cvs|http|daemon|^t9')

# In the listing of results: script, number, name of each test that failed.
cat >"$scratch/each.sh" <<'EACH'
root=$1 out=$2
shift 2
mkdir -p "$root/trash"
for script; do
    printf '== %s\n' "$script"
    timeout 900 ./"$script" --root="$root/trash" 2>&1 | grep -E '^(not )?ok |^1\.\.|^# |^FATAL|^error' || true
done >"$out"
EACH
export TEST_NO_MALLOC_CHECK=1 GIT_SKIP_TESTS=${GIT_SKIP_TESTS:-}

on_share bash "$scratch/each.sh" "$share" "$scratch/share.out" "${scripts[@]}"
on_plain bash "$scratch/each.sh" "$plain" "$scratch/plain.out" "${scripts[@]}"
. "$room/compare.sh"
