#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check-reproducible.sh [--packages DIR]: builds the image twice from one saved set of packages (saved now, unless DIR
# holds one) and compares every part by SHA-256. Takes two to five minutes and 2 GB of disk, so it is run by hand and not
# with the other tests. Exit status 0: the same bytes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d /var/tmp/carrel-reproducible.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
packages=$scratch/packages
[[ ${1:-} != --packages ]] || packages=$2
if [[ ! -f $packages/SHA256SUMS ]]; then
  echo "saving a set of packages"
  "$here/build-image.sh" --output "$scratch/saving" --packages "$packages"
  rm -rf "$scratch/saving"
fi
for round in one two; do
  echo "build $round"
  # Another folder, another umask: neither may show.
  (umask 0077; [[ $round == one ]] || umask 0022; "$here/build-image.sh" --output "$scratch/$round" --packages "$packages")
  (cd "$scratch/$round" && sha256sum -- * >"$scratch/$round.sums")
done
cat "$scratch/one.sums"
if diff "$scratch/one.sums" "$scratch/two.sums"; then
  echo "reproducible: both builds are the same, byte for byte"
else
  echo "NOT reproducible: the parts above differ" >&2
  exit 1
fi
