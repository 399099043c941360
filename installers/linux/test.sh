#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds everything, and runs every test, live machines included. Works as root (then in an
# account of its own) and as a user with sudo. A second run builds only what changed.
set -euo pipefail
step_count=11
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "Looking for missing packages"
install_packages "${packages_run[@]}" "${packages_test[@]}"
if [ "$(id -u)" = 0 ]; then
    continue_as_account test.sh "$@"
fi

failed=()
check() { # check NAME COMMAND…: goes on after a failure, so that one run tells all
    local name=$1
    shift
    "$@" || failed+=("$name")
}
tests() { # tests PRESET CTEST-ARGUMENT…
    local preset=$1
    shift
    (cd "$repository/build/$preset" && ctest --output-on-failure --no-tests=error "$@")
}

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="suppressions=$repository/tests/support/tsan.supp halt_on_error=1 die_after_fork=0"

step "Building everything"
build dev

step "Building the guest image"
build_image dev
CARREL_TEST_IMAGE=$("$repository/build/dev/bin/carrel" image list --json |
    python3 -c 'import json,sys; print(next(i["id"] for i in json.load(sys.stdin)["images"] if i["default"]))')
export CARREL_TEST_IMAGE="${CARREL_HOME:-$HOME/.local/share/carrel}/images/$CARREL_TEST_IMAGE"
"$repository/build/dev/bin/carrel" engine stop >/dev/null 2>&1 || true

# Live tests leave a processor idle often enough: the next build begins meanwhile, behind everything else.
# One build serves three purposes: everything by clang, the unit tests under the address and undefined-behaviour
# sanitizers, and the fuzz targets. Sanitized builds are not optimised: a compiler needs two to three times as long to
# optimise what a sanitizer has added, and the tests hardly run longer. (The fuzz preset is optimised, for long runs.)
mkdir -p "$repository/build"
clang_log=$repository/build/asan.log
(
    renice -n 19 "$BASHPID" >/dev/null
    build asan
) >"$clang_log" 2>&1 &
clang_build=$!
trap 'kill "$clang_build" 2>/dev/null || true' EXIT
clang_built() {
    wait "$clang_build" && return
    grep -E -A12 'error|FAILED' "$clang_log" || tail -n 40 "$clang_log"
    return 1
}

step "Unit tests"
check "unit tests" tests dev -j3 -LE 'live|bench|readers'

step "Exports, read by programs that are not ours (one of them comes from npm)"
check "readers of exports" tests dev -j1 -L readers

step "Live tests: real machines under whatever this computer offers"
check "live tests" tests dev -j2 -L live

step "Building everything with clang, the address and undefined-behaviour sanitizers, and the fuzz targets"
check "building with clang" clang_built
step "Unit tests under these sanitizers, and a short smoke of each fuzz target"
check "address and undefined-behaviour sanitizers, fuzz targets" tests asan -j3 -L 'unit|fuzz'

step "Building everything with the thread sanitizer"
check "building with the thread sanitizer" build tsan
step "Unit tests under the thread sanitizer"
check "thread sanitizer" tests tsan -j3 -L unit

step "Result"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
say "Everything passed."
