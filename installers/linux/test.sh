#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds everything, and runs every test, live machines included. Works as root (then in an
# account of its own) and as a user with sudo. A second run builds only what changed.
set -euo pipefail
step_count=8
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
check "live tests" tests dev -j1 -L live -LE unfinished

# Under the sanitizers and with clang: the rooms that have been tried there so far. The list grows until it is everything.
sanitized_tests=(test_protocol_golden test_protocol_frame_decoder test_protocol_epoch_cut test_protocol_mux
    test_protocol_mux_pair test_protocol_rpc test_protocol_strict_json test_protocol_share_path
    test_protocol_change_report)
fuzz_targets=(fuzz_protocol_frame fuzz_protocol_mux fuzz_protocol_rpc fuzz_protocol_change_report fuzz_files_content
    fuzz_files_set fuzz_share_broker fuzz_node_table)

step "Unit tests under the address and undefined-behaviour sanitizers"
check "building with the address sanitizer" build asan "${sanitized_tests[@]}"
check "address sanitizer" tests asan -j2 -R '^test_protocol_'

step "Fuzz targets (clang, sanitized), a short smoke of each"
check "building the fuzz targets" build fuzz "${fuzz_targets[@]}"
check "fuzz targets" tests fuzz -j2 -R '^fuzz_(protocol|files|share_broker|node_table)'

step "Result"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
say "Everything passed."
