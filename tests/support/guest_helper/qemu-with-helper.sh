#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Stands where carrel-qemu stands, without its jail: the same QEMU with one port more, and helper_init.cpp in the initrd.
# helper.conf beside it names: port=, initrd=, and perhaps socket=, the peer's, whose share is then one more device, or network=user,
# for QEMU's own network beside Carrel's. Questions about QEMU's abilities pass through.
here=$(dirname "$(readlink -f "$0")")
qemu=/usr/bin/qemu-system-x86_64
if [[ " $* " != *" -initrd "* || $* == *carrel.probe=1* ]]; then # no machine, or one that only answers a probe
  exec "$qemu" "$@"
fi
socket=
network=
# shellcheck disable=SC1091
source "$here/helper.conf"
arguments=()
while (($#)); do
  case "$1" in
    -initrd)
      cat "$2" "$initrd" >"$here/combined.initrd"
      arguments+=("$1" "$here/combined.initrd")
      shift 2
      ;;
    -append)
      arguments+=("$1" "$2 rdinit=/helper/init")
      shift 2
      ;;
    *memory-backend-ram*)
      if [[ -n $socket ]]; then # the peer shares the machine's memory
        arguments+=("$(sed 's/memory-backend-ram"/memory-backend-memfd","share":true/' <<<"$1")")
      else
        arguments+=("$1")
      fi
      shift
      ;;
    *)
      arguments+=("$1")
      shift
      ;;
  esac
done
# As JSON, as libvirt's own: QEMU makes other devices before those, and there would be no bus yet.
arguments+=(-chardev "socket,id=helper,path=$port,server=on,wait=off"
  -device '{"driver":"virtserialport","chardev":"helper","name":"carrel.helper"}')
if [[ -n $socket ]]; then
  arguments+=(-chardev "socket,id=peer,path=$socket" -device '{"driver":"vhost-user-fs-pci","chardev":"peer","tag":"peer","queue-size":1024}')
fi
if [[ $network == user ]]; then
  arguments+=(-netdev user,id=peer -device '{"driver":"virtio-net-pci","netdev":"peer","romfile":""}')
fi
exec "$qemu" "${arguments[@]}"
