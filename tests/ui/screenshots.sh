#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pictures of every view of the desktop: light, dark, and at 200 %. Needs Xvfb and a build of the preset dev.
#   tests/ui/screenshots.sh [FOLDER]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$here/build/screenshots}
program=$here/build/dev/bin/desktop-shots
[ -x "$program" ] || { echo "Build it first: cmake --build --preset dev --target desktop-shots" >&2; exit 1; }
for form in light:1 dark:1 light:2; do
    colours=${form%:*}
    scale=${form#*:}
    folder=$out/$colours-$((scale * 100))
    mkdir -p "$folder"
    QT_QPA_PLATFORM=xcb QT_SCALE_FACTOR=$scale xvfb-run -a -s "-screen 0 2600x1800x24" "$program" "$colours" "$folder"
done
