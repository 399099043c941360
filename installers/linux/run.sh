#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds Carrel and its guest image, and shows the main job: the guided walk-through.
# Works as root (then in an account of its own) and as a user with sudo. A second run repeats no work.
set -euo pipefail
step_count=4
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "Looking for missing packages"
install_packages "${packages_run[@]}"
if [ "$(id -u)" = 0 ]; then
    continue_as_account run.sh "$@"
fi

step "Building Carrel"
CMAKE_ARGS=-DCARREL_TESTS=OFF build release carrel carrel-engine

step "Building the guest image (once, one to a few minutes)"
build_image release

step "The walk-through: an agent works on a copy of the sample folder"
say "The command line is $repository/build/release/bin/carrel"
exec "$repository/build/release/bin/carrel" demo "$@"
