#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds Carrel and its guest image, and opens the desktop. Where there is no display, or with
# --demo, it shows the main job in the terminal: the guided walk-through.
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
CMAKE_ARGS=-DCARREL_TESTS=OFF build release carrel carrel-engine carrel-desktop

step "Building the guest image (once, one to a few minutes)"
build_image release

say "The command line is $repository/build/release/bin/carrel, the desktop $repository/build/release/bin/carrel-desktop"
if [ "${1:-}" = --demo ]; then
    shift
elif [ -n "${WAYLAND_DISPLAY:-}${DISPLAY:-}" ]; then
    step "Opening the desktop (the walk-through in the terminal: run.sh --demo)"
    exec "$repository/build/release/bin/carrel-desktop" "$@"
fi
step "The walk-through: an agent works on a copy of the sample folder"
exec "$repository/build/release/bin/carrel" demo "$@"
