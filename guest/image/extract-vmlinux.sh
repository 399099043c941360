#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# extract-vmlinux.sh BZIMAGE OUT: unpacks the kernel proper from an x86 bzImage. Its place is in the setup header
# (Linux, Documentation/arch/x86/boot.rst: setup_sects at 0x1f1, payload_offset at 0x248, payload_length at 0x24c).
set -euo pipefail
export LC_ALL=C

number() { od -An -v -t "u$2" -j "$3" -N "$2" "$1" | tr -d ' '; }

image=$1 out=$2
payload=$(mktemp)
trap 'rm -f "$payload"' EXIT
[[ $(dd if="$image" bs=1 skip=$((0x202)) count=4 status=none) == HdrS ]]
sectors=$(number "$image" 1 $((0x1f1)))
((sectors != 0)) || sectors=4
start=$(((sectors + 1) * 512 + $(number "$image" 4 $((0x248)))))
length=$(number "$image" 4 $((0x24c)))
# The payload's last four bytes are the unpacked size. gzip has that in its own format; for the others it is an addition.
dd if="$image" of="$payload" iflag=skip_bytes,count_bytes skip="$start" count="$length" bs=1M status=none
wanted=$(number "$payload" 4 $((length - 4)))
magic=$(od -An -v -t x1 -N 6 "$payload" | tr -d ' ')
[[ $magic == 1f8b* ]] || truncate -s $((length - 4)) "$payload"
case "$magic" in
  fd377a585a00) xz -dc <"$payload" >"$out" ;;
  1f8b*) gzip -dc <"$payload" >"$out" ;;
  28b52ffd*) zstd -dcq <"$payload" >"$out" ;;
  02214c18*) lz4 -dcq <"$payload" >"$out" ;;
  *) echo "the kernel is compressed in an unknown way ($magic)" >&2; exit 1 ;;
esac
[[ $(od -An -c -N 4 "$out" | tr -d ' ') == '177ELF' && $(stat -c %s "$out") == "$wanted" ]]
