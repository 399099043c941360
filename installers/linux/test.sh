#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds everything, and runs every test, live machines included. Works as root (then in an
# account of its own) and as a user with sudo. A second run builds only what changed.
set -euo pipefail
step_count=9
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

unrandomised() { # the same functions in a shell whose children are laid out as ever
    export -f tests
    export repository
    setarch "$(uname -m)" -R bash -c '"$@"' _ "$@"
}

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="suppressions=$repository/tests/support/tsan.supp halt_on_error=1"

step "Building everything"
build dev

step "Building the guest image"
build_image dev
CARREL_TEST_IMAGE=$("$repository/build/dev/bin/carrel" image list --json |
    python3 -c 'import json,sys; print(next(i["id"] for i in json.load(sys.stdin)["images"] if i["default"]))')
export CARREL_TEST_IMAGE="${CARREL_HOME:-$HOME/.local/share/carrel}/images/$CARREL_TEST_IMAGE"
"$repository/build/dev/bin/carrel" engine stop >/dev/null 2>&1 || true

step "Unit tests"
check "unit tests" tests dev -j2 -LE 'live|bench'

step "Live tests: real machines under whatever this computer offers"
check "live tests" tests dev -j1 -L live

step "Unit tests under the address and undefined-behaviour sanitizers"
check "building with the address sanitizer" build asan
check "address sanitizer" tests asan -j2 -L unit

step "Unit tests under the thread sanitizer"
check "building with the thread sanitizer" build tsan
# Without address randomisation: GCC 12's runtime does not know the layouts of newer kernels (vm.mmap_rnd_bits above 28).
check "thread sanitizer" unrandomised tests tsan -j2 -L unit

step "Fuzz targets, a short smoke of each"
check "building the fuzz targets" build fuzz
check "fuzz targets" tests fuzz -j2 -L fuzz

step "Result"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
say "Everything passed."
