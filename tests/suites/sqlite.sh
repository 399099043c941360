#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SQLite's own test suite with its databases on a share, and the same on the plain file system.
#   sqlite.sh [--resume] [TEST…]   which (as in SQLite's test/); without: the chosen ones
#   sqlite.sh [--resume] whole     what SQLite calls veryquick
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"
. "$room/both.sh"

apt_source sqlite3
mkdir -p "$suites/sqlite-build"
(
    cd "$suites/sqlite-build"
    [ -e Makefile ] || CC="$cc" "$source_dir/configure" --with-tcl=/usr/lib/tcl8.6
    make CFLAGS="-O0 -w" testfixture
) >"$suites/sqlite-build.log" 2>&1 || { tail "$suites/sqlite-build.log" >&2; exit 1; }
testfixture=$suites/sqlite-build/testfixture
case "${1:-}" in
whole)
    cat >"$scratch/list.tcl" <<'LIST'
set argv {}
set argv0 $env(TESTS)/list.tcl
source $env(TESTS)/permutations.test
array set options $::testspec(veryquick)
foreach file $options(-files) { puts [file rootname [file tail $file]] }
exit
LIST
    mapfile -t tests < <(cd "$scratch" && TESTS="$source_dir/test" "$testfixture" list.tcl)
    ;;
# Locks, journals, WAL with its shared memory, mapped reading, crashes in between, temporary files.
'') tests=(wal wal2 lock) ;;
*) tests=("$@") ;;
esac

cat >"$scratch/each.sh" <<'EACH'
cd "$3"
timeout 1800 "$1" "$2" 2>&1 | awk '
    /\.\.\. Ok$/ { sub(/\.\.\. Ok$/, ""); print "ok - " $0; next }
    /\.\.\.$/ { name = $0; sub(/\.\.\.$/, "", name) }
    name != "" && /^(!.* expected: |Error: )/ { print "not ok - " name; name = "" }
    { print; fflush() }'
exit "${PIPESTATUS[0]}"
EACH
for test in "${tests[@]}"; do
    both "$test" bash "$scratch/each.sh" "$testfixture" "$source_dir/test/$test.test"
done
tell "${tests[@]}"
