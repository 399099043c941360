#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stands where carrel-qemu stands: the same QEMU with the peer's share beside Carrel's channels, and a helper of the benchmark
# in the initrd. peer.conf beside it names: socket=, port=, initrd=. Questions about QEMU's abilities pass through.
here=$(dirname "$(readlink -f "$0")")
qemu=/usr/bin/qemu-system-x86_64
if [[ " $* " != *" -initrd "* || $* == *carrel.probe=1* ]]; then # no machine, or one that only answers a probe
  exec "$qemu" "$@"
fi
# shellcheck disable=SC1091
source "$here/peer.conf"
arguments=()
while (($#)); do
  case "$1" in
    -initrd)
      cat "$2" "$initrd" >"$here/combined.initrd"
      arguments+=("$1" "$here/combined.initrd")
      shift 2
      ;;
    -append)
      arguments+=("$1" "$2 rdinit=/bench/init")
      shift 2
      ;;
    *memory-backend-ram*) # the peer shares the machine's memory
      arguments+=("$(sed 's/memory-backend-ram"/memory-backend-memfd","share":true/' <<<"$1")")
      shift
      ;;
    *)
      arguments+=("$1")
      shift
      ;;
  esac
done
# As JSON, as libvirt's own: QEMU makes other devices before those, and there would be no bus yet.
exec "$qemu" "${arguments[@]}" -chardev "socket,id=peer,path=$socket" -chardev "socket,id=bench,path=$port,server=on,wait=off" \
  -device '{"driver":"vhost-user-fs-pci","chardev":"peer","tag":"peer","queue-size":1024}' \
  -device '{"driver":"virtserialport","chardev":"bench","name":"carrel.bench"}'
