#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make-modules.sh KERNEL_TREE RELEASE OUT.cpio KEYRING: the wanted modules and what they depend on, as a newc archive of
# lib/carrel/modules/*.ko and lib/carrel/modules.list, dependencies first; and the keys of Debian's archive as
# lib/carrel/archive-keyring.gpg, for guestd: an agent can write to its disk, and not to this. Needs SOURCE_DATE_EPOCH.
set -euo pipefail
export LC_ALL=C

# ext4, ACPI and the PCI bus are part of Debian's cloud kernel itself; so is whatever modules.builtin names.
readonly BASE='virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console
  virtio_rng virtio_balloon virtio_mmio fuse overlay dummy button evdev vsock vmw_vsock_virtio_transport vsock_loopback'
readonly HYPERV='hv_vmbus hv_storvsc sd_mod hv_utils hv_balloon hv_sock'

tree=$1 release=$2 out=$(realpath "$3") keyring=$4
modules="$tree/lib/modules/$release"
depmod -b "$tree" "$release"

# modules.dep lines are "path/a.ko: path/b.ko path/c.ko", the deepest dependency last.
path_of() { sed -n "s,^\(\(.*/\)\?${1//_/[-_]}\.ko\(\.xz\|\.zst\)\?\):.*,\1,p" "$modules/modules.dep"; }
is_builtin() { grep -qE "(^|/)${1//_/[-_]}\.ko" "$modules/modules.builtin"; }
with_dependencies() {
  local line
  line=$(grep -F "$1:" "$modules/modules.dep" | head -n 1)
  for path in ${line#*:}; do echo "$path"; done | tac
  echo "$1"
}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
folder="$stage/lib/carrel/modules"
mkdir -p "$folder"
{
  echo 'carrel-modules 1'
  echo "# Linux $release"
  declare -A seen=()
  for group in base hyperv; do
    [[ $group == base ]] && wanted=$BASE || wanted=$HYPERV
    for name in $wanted; do
      path=$(path_of "$name" | head -n 1)
      if [[ -z $path ]]; then
        is_builtin "$name" || echo "# $name is not in this kernel"
        continue
      fi
      for file in $(with_dependencies "$path"); do
        [[ -z ${seen[$file]:-} ]] || continue
        seen[$file]=1
        plain=$(basename "$file")
        plain=${plain%%.ko*}.ko
        case "$file" in
          *.xz) xz -dc "$modules/$file" >"$folder/$plain" ;;
          *.zst) zstd -dcq "$modules/$file" >"$folder/$plain" ;;
          *) cp "$modules/$file" "$folder/$plain" ;;
        esac
        echo "$group $plain"
      done
    done
  done
} >"$stage/lib/carrel/modules.list"
cp "$keyring" "$stage/lib/carrel/archive-keyring.gpg"
find "$stage" -type d -exec chmod 0755 {} +
find "$stage" -type f -exec chmod 0644 {} +
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd "$stage" && find lib | sort | cpio --quiet -o -H newc --reproducible --owner=0:0) >"$out"
