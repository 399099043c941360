#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SQLite's own test suite with its databases on a share, and the same on the plain file system.
#   sqlite.sh [--resume] [TEST…]   which (as in SQLite's test/); without: the chosen ones
#   sqlite.sh [--resume] whole     what SQLite calls veryquick
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"
. "$room/both.sh"
varying='^avtrans-9[.].*$' # named by the size that random rows came to

apt_source sqlite3
mkdir -p "$suites/sqlite-build"
(
    cd "$suites/sqlite-build"
    [ -e Makefile ] || CC="$cc" "$source_dir/configure" --with-tcl=/usr/lib/tcl8.6 --enable-all
    make CFLAGS="-O0 -w" testfixture
) >"$suites/sqlite-build.log" 2>&1 || { tail "$suites/sqlite-build.log" >&2; exit 1; }
testfixture=$suites/sqlite-build/testfixture
ran=()
case "${1:-}" in
whole)
    cat >"$scratch/list.tcl" <<'LIST'
set argv {}
set argv0 $env(TESTS)/list.tcl
source $env(TESTS)/permutations.test
array set options $::testspec(veryquick)
foreach file $options(-files) { puts $file }
exit
LIST
    mapfile -t tests < <(cd "$scratch" && TESTS="$source_dir/test" "$testfixture" list.tcl)
    [ ${#tests[@]} -gt 1000 ] || { echo "SQLite does not tell what veryquick is: ${tests[*]}" >&2; exit 1; }
    ;;
# Locks, journals, WAL with its shared memory, mapped reading, crashes in between, temporary files.
'') tests=(wal wal2 wal3 wal5 walmode walro walpersist walshared walcrash lock lock2 lock3 lock4 lock5 journal1 journal2
    jrnlmode mmap1 mmap2 mmap3 pager1 sync shared tempdb attach vacuum crash crash2 crash5 crash8 exclusive savepoint
    delete_db busy2) ;;
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
for test in "${tests[@]}"; do # some are with the extension that they test
    case $test in */*) ;; *) test=$source_dir/test/${test%.test}.test ;; esac
    name=$(basename "$test" .test)
    both "$name" bash "$scratch/each.sh" "$testfixture" "$test"
    ran+=("$name")
done
tell "${ran[@]}"
