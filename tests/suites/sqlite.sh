#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SQLite's own test suite with its databases on a share, and the same on the plain file system.
#   sqlite.sh [TEST…]     which (as in SQLite's test/, "veryquick" for the whole quick suite); without: the chosen ones
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"

apt_source sqlite3
source_dir=$(ls -d "$suites"/src/sqlite3-[0-9]*/ | head -1)
mkdir -p "$suites/sqlite-build"
(
    cd "$suites/sqlite-build"
    [ -e Makefile ] || "$source_dir/configure" --with-tcl=/usr/lib/tcl8.6
    make CFLAGS="-O0 -w" testfixture
) >"$suites/sqlite-build.log" 2>&1 || { tail "$suites/sqlite-build.log" >&2; exit 1; }
testfixture=$suites/sqlite-build/testfixture
# Locks, journals, WAL with its shared memory, mapped reading, crashes in between, temporary files.
[ $# -gt 0 ] || set -- wal wal2 wal3 walmode walro lock lock2 lock4 journal1 journal2 jrnlmode mmap1 mmap2 mmap3 \
    pager1 sync shared tempdb attach trans vacuum crash crash2 exclusive io savepoint

cat >"$scratch/each.sh" <<'EACH'
root=$1 out=$2 testfixture=$3 tests=$4
shift 4
cd "$root"
for test; do
    printf '== %s\n' "$test"
    timeout 1800 "$testfixture" "$tests/$test.test" 2>&1 |
        sed -n 's/^\([^ ]*\)\.\.\. Ok$/ok - \1/p; s/^! \([^ ]*\) expected.*/not ok - \1/p;
                s/^\([^ ]*\)\.\.\. *Error/not ok - \1/p; /^[0-9]* errors out of/s/^/# /p; s/^Error/error &/p'
done >"$out"
EACH
on_share bash "$scratch/each.sh" "$share" "$scratch/share.out" "$testfixture" "$source_dir/test" "$@"
on_plain bash "$scratch/each.sh" "$plain" "$scratch/plain.out" "$testfixture" "$source_dir/test" "$@"
. "$room/compare.sh"
