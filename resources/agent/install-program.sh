# SPDX-License-Identifier: Apache-2.0
# Installs an agent program in this machine: exactly the packages that a list names, with their checksums, from the npm registry. It is
# run as  bash -c SCRIPT install-program DIR PACKAGE LOCK [NAME TEXT]...  ; PACKAGE and LOCK are what npm has in package.json and
# package-lock.json, and a file NAME with TEXT is put beside them. What was in DIR stays until the new one is whole.
set -eu
umask 022
dir=$1 package=$2 lock=$3
shift 3
trap '[ $? = 0 ] || echo "It is not installed; what was there before is as it was." >&2' EXIT
if ! command -v npm >/dev/null; then
    echo "This machine has no npm yet. It comes from Debian, in some hundred small packages; that takes some minutes, once."
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update -o APT::Update::Error-Mode=any
    apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install nodejs npm
fi
rm -rf "$dir.new"
mkdir -p "$dir.new"
cd "$dir.new"
printf '%s' "$package" >package.json
printf '%s' "$lock" >package-lock.json
while [ $# -gt 1 ]; do
    printf '%s' "$2" >"$1"
    shift 2
done
echo "Fetching the program's packages."
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=http --cache="$dir.new/.fetched"
rm -rf .fetched
sync
rm -rf "$dir"
mv "$dir.new" "$dir"
echo "It is installed in $dir."
