#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the parts of a Carrel image from Debian's packages, as an unprivileged user:
#   base.raw       ext4, sparse: the userland, beneath /rootfs (no kernel, no init)
#   vmlinuz        Debian's cloud kernel as it comes
#   vmlinux        the same kernel decompressed (boots faster by its PVH entry); absent if it cannot be unpacked
#   modules.cpio   the few kernel modules that a machine needs, with their order in lib/carrel/modules.list; and the keys of
#                  Debian's archive, by which guestd knows what apt installed
#   programs.tsv   the SHA-256 of everything in base.raw that can be run, or brought into a program (list-programs.sh)
#   packages.tsv   name, version and architecture of every package in base.raw, and of the kernel
#   kernel.release
#
# Usage: build-image.sh --output DIR [--packages DIR] [--mirror URI] [--scratch DIR]
#   --packages DIR  the saved set of packages: filled when empty, otherwise the only source (nothing is fetched).
#                   The same set and the same recipe give the same bytes: see check-reproducible.sh.
#   --mirror URI    another Debian mirror than mmdebstrap's own.
#
# For the caller: progress is on standard output as "step N/M TEXT"; a failure is one last line on standard error,
# "failed KIND: TEXT", KIND being missing-tool, user-namespace, network, disk-full, packages or internal.
set -euo pipefail
export LC_ALL=C TZ=UTC PATH="$PATH:/usr/sbin:/sbin"
umask 022

readonly SUITE=bookworm
readonly ARCHITECTURE=amd64
readonly VIRTUAL_MIB=2048
readonly GROWTH=1T # how far resize2fs can grow it while it is mounted
readonly STEPS=7
readonly HERE="$(cd "$(dirname "$0")" && pwd)"

fail() { echo "failed $1: $2" >&2; exit 1; }
step() { echo "step $1/$STEPS $2"; }

output='' packages='' mirror='' scratch=''
while (($#)); do
  case "$1" in
    --output) output=$2; shift 2 ;;
    --packages) packages=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --scratch) scratch=$2; shift 2 ;;
    *) fail internal "unknown option $1" ;;
  esac
done
[[ -n $output ]] || fail internal "--output is missing"
[[ $EUID -ne 0 ]] || fail user-namespace "the image is built by an unprivileged user, never by root"
for tool in mmdebstrap mke2fs debugfs dumpe2fs unshare newuidmap depmod cpio xz zstd lz4 dpkg-deb sha256sum; do
  command -v "$tool" >/dev/null || fail missing-tool "$tool is not installed"
done
for map in /etc/subuid /etc/subgid; do
  grep -qE "^($(id -un)|$(id -u)):" "$map" 2>/dev/null ||
    fail user-namespace "$map gives $(id -un) no range of ids (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un))"
done
unshare --map-auto --map-root-user true 2>/dev/null ||
  fail user-namespace "this system does not let an ordinary user make a user namespace"

mkdir -p "$output"
output=$(cd "$output" && pwd)
# The namespace's ids must be able to reach it, and a home folder is often closed to others: not beneath $output.
work=$(mktemp -d "${scratch:-/var/tmp}/carrel-image.XXXXXX")
chmod 0711 "$work"
# Files of the unpacked tree belong to mapped ids, which only a namespace can remove.
cleanup() { unshare --map-auto --map-root-user rm -rf "$work" 2>/dev/null || rm -rf "$work"; }
trap cleanup EXIT

# The kind of a failed command, from what it said.
explain() {
  local log=$1 doing=$2
  tail -n 200 "$log" >&2
  if grep -qiE 'no space left|disk quota' "$log"; then
    fail disk-full "the disk is full ($doing)"
  elif grep -qiE 'could not resolve|temporary failure|unable to connect|failed to fetch|connection (refused|timed out)|network is unreachable' "$log"; then
    fail network "Debian's packages could not be fetched ($doing)"
  fi
  fail internal "$doing: $(tail -n 1 "$log")"
}

saved() { [[ -n $packages && -f $packages/SHA256SUMS ]]; }

step 1 "checking the saved packages"
if saved; then
  packages=$(cd "$packages" && pwd)
  (cd "$packages" && sha256sum --quiet --check --strict SHA256SUMS) >"$work/log" 2>&1 ||
    fail packages "the saved packages in $packages are damaged: $(head -n 1 "$work/log")"
elif [[ -n $packages ]]; then
  mkdir -p "$packages"
  packages=$(cd "$packages" && pwd)
fi

step 2 "installing Debian packages into a tree (the longest step)"
include=$(sed -e 's/#.*//' "$HERE/packages.list" | tr -s ' \n' ',' | sed -e 's/^,//' -e 's/,$//')
# shellcheck disable=SC2016 # $1 and the variables belong to mmdebstrap's hook
fetch_kernel='set -eu; mkdir -p "$1/carrel-kernel" && cd "$1/carrel-kernel" && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
  name=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/^ *Depends: //p" | head -n 1) &&
  apt-get -o APT::Sandbox::User=root download "$name" && chmod 0644 ./*.deb'
options=(--mode=unshare --variant=apt --format=tar --architectures="$ARCHITECTURE" --include="$include"
  --skip=essential/unlink
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*'
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias'
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
  --dpkgopt='path-exclude=/usr/share/lintian/*' --dpkgopt='path-exclude=/usr/share/bug/*'
  # Recommends would bring what nobody asked for; only for the making, not for the agent's own apt.
  --aptopt='Apt::Install-Recommends "false"' --aptopt='APT::Keep-Downloaded-Packages "true"'
  --aptopt='Binary::apt-get::APT::Keep-Downloaded-Packages "true"')
if saved; then
  options+=(--skip=update
    # Nothing may be fetched: the port of a proxy on which nobody listens.
    --aptopt='Acquire::http::Proxy "http://127.0.0.1:9/"' --aptopt='Acquire::https::Proxy "http://127.0.0.1:9/"'
    --setup-hook='mkdir -p "$1/var/cache/apt/archives" "$1/var/lib/apt/lists"'
    --setup-hook="sync-in '$packages/archives' /var/cache/apt/archives"
    --setup-hook="sync-in '$packages/lists' /var/lib/apt/lists")
else
  options+=(--customize-hook="$fetch_kernel" --customize-hook="copy-out /carrel-kernel '$work'"
    --customize-hook='rm -r "$1/carrel-kernel"')
  if [[ -n $packages ]]; then
    mkdir -p "$packages/archives" "$packages/lists"
    options+=(--customize-hook="sync-out /var/cache/apt/archives '$packages/archives'"
      --customize-hook="sync-out /var/lib/apt/lists '$packages/lists'")
  fi
fi
mkdir "$work/lists"
options+=(--customize-hook="sync-out /var/lib/apt/lists '$work/lists'")
# shellcheck disable=SC2086 # no mirror means no argument
env -u SOURCE_DATE_EPOCH TMPDIR="$work" mmdebstrap "${options[@]}" "$SUITE" - ${mirror:+"$mirror"} \
  >"$work/tree.tar" 2>"$work/log" || explain "$work/log" "installing the packages"
if ! saved && [[ -n $packages ]]; then
  rm -rf "$packages"/*/partial "$packages"/*/lock
  cp "$work"/carrel-kernel/*.deb "$packages/archives/"
  (cd "$packages" && find archives lists -type f | sort | xargs -d '\n' sha256sum >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
fi

# Every time stamp in the image is at most the date of the newest package index: a property of the saved set.
epoch=$(sed -n 's/^Date: //p' "$work"/lists/*InRelease | while read -r date; do date -d "$date" +%s; done | sort -n | tail -n 1)
[[ -n $epoch ]] || fail internal "the package indices carry no date"
export SOURCE_DATE_EPOCH=$epoch E2FSPROGS_FAKE_TIME=$epoch

step 3 "unpacking the kernel"
kernel_deb=$(ls "$work"/carrel-kernel/linux-image-*.deb 2>/dev/null || ls "$packages"/archives/linux-image-*-cloud-*.deb)
dpkg-deb --fsys-tarfile "$kernel_deb" >"$work/kernel.tar" 2>"$work/log" || explain "$work/log" "unpacking the kernel"
mkdir "$work/kernel"
tar -C "$work/kernel" -xf "$work/kernel.tar" --no-same-owner ./boot ./lib/modules 2>"$work/log" || explain "$work/log" "unpacking the kernel"
rm "$work/kernel.tar"
release=$(ls "$work/kernel/lib/modules")
echo "$release" >"$output/kernel.release"
cp "$work/kernel/boot/vmlinuz-$release" "$output/vmlinuz"
"$HERE/extract-vmlinux.sh" "$output/vmlinuz" "$output/vmlinux" || { rm -f "$output/vmlinux"; echo "note: vmlinux could not be unpacked; vmlinuz alone boots too"; }

step 4 "choosing kernel modules"
tar -xOf "$work/tree.tar" ./usr/share/keyrings/debian-archive-keyring.gpg >"$work/archive-keyring.gpg" 2>"$work/log" ||
  explain "$work/log" "finding the keys of Debian's archive"
"$HERE/make-modules.sh" "$work/kernel" "$release" "$output/modules.cpio" "$work/archive-keyring.gpg" 2>"$work/log" || explain "$work/log" "choosing kernel modules"

step 5 "stripping the tree"
unshare --map-auto --map-root-user --mount "$HERE/prepare-tree.sh" "$work" "$epoch" 2>"$work/log" || explain "$work/log" "stripping the tree"
unshare --map-auto --map-root-user "$HERE/list-programs.sh" "$work/tree" >"$output/programs.tsv" 2>"$work/log" || explain "$work/log" "listing the programs"
{ cat "$work/packages.tsv"; dpkg-deb --show --showformat='${Package}\t${Version}\t${Architecture}\n' "$kernel_deb"; } | sort >"$output/packages.tsv"

step 6 "writing the file system"
identity=$(cat "$output/packages.tsv" "$HERE"/*.sh "$HERE"/*.list | sha256sum | cut -c1-64)
unshare --map-auto --map-root-user --mount "$HERE/make-filesystem.sh" "$work" "$output/base.raw" "$identity" "$VIRTUAL_MIB" "$GROWTH" \
  >"$work/log" 2>&1 || explain "$work/log" "writing the file system"

step 7 "done: $(du -m "$output/base.raw" | cut -f1) MiB on disk"
