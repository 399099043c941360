#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Edits on the host under readers on the share (host_edits.cpp).   host_edits.sh [EDITS], long: 100000
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"
on_share "$build_bin/host-edits" "$lower" "$share" "${1:-8000}"
