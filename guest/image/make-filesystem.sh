#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make-filesystem.sh WORK OUT IDENTITY MIB GROWTH, inside a user and mount namespace: writes WORK/tree as /rootfs of
# an ext4 file system whose bytes depend on nothing but the tree and IDENTITY (64 hexadecimal digits).
set -euo pipefail
work=$1 out=$2 identity=$3 mib=$4 growth=$5
uuid="${identity:0:8}-${identity:8:4}-4${identity:13:3}-a${identity:17:3}-${identity:20:12}"
seed="${identity:32:8}-${identity:40:4}-4${identity:45:3}-a${identity:49:3}-${identity:52:12}"

# mke2fs -d takes names in the order in which the folder lists them: on a tmpfs that is the order of creation
# turned round, on a disk's file system a matter of chance.
mkdir "$work/ordered"
mount -t tmpfs -o mode=0755,size=75% tmpfs "$work/ordered"
mkdir -m 0755 "$work/ordered/rootfs"
tar -C "$work/tree" --sort=name --numeric-owner --xattrs --xattrs-include='*' -c . |
  tar -C "$work/ordered/rootfs" --numeric-owner --xattrs --xattrs-include='*' -xp
rm -rf "$work/tree"
touch -d "@$SOURCE_DATE_EPOCH" "$work/ordered"

# Features are named, so that the host's mke2fs.conf changes nothing. The blocks reserved for resize let guestd grow
# a mounted file system to the size of its overlay.
printf '[defaults]\n' >"$work/mke2fs.conf"
rm -f "$out"
truncate -s "${mib}M" "$out"
blocks=$(($(numfmt --from=iec "$growth") / 4096))
MKE2FS_CONFIG="$work/mke2fs.conf" mke2fs -q -F -t ext4 -b 4096 -I 256 -i 16384 -m 1 -L carrel -U "$uuid" \
  -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \
  -J size=64 -E "hash_seed=$seed,resize=$blocks,lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0" \
  -d "$work/ordered" "$out"

# mke2fs copies each file's change time, which is the time of this run and cannot be set: write it into the inodes.
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
used_inodes() {
  dumpe2fs "$out" 2>/dev/null | awk '
    /^Inode count:/ { total = $3 }
    /^  Free inodes: / {
      n = split(substr($0, 16), ranges, ", ")
      for (i = 1; i <= n; i++) if (ranges[i] != "") {
        k = split(ranges[i], ends, "-"); for (j = ends[1]; j <= ends[k]; j++) free[j] = 1 }
    }
    END { for (i = 1; i <= total; i++) if (!(i in free)) print i }'
}
used_inodes | awk -v date="$date" '$1 == 2 || $1 >= 11 {
  printf "sif <%d> ctime %s\nsif <%d> ctime_extra 0\nsif <%d> atime %s\nsif <%d> atime_extra 0\n", $1, date, $1, $1, date, $1 }' >"$work/stamps"
debugfs -w -f "$work/stamps" "$out" >"$work/stamps.log" 2>&1
if grep -vE '^debugfs' "$work/stamps.log"; then
  echo "setting time stamps failed"
  exit 1
fi
umount "$work/ordered"
e2fsck -fn "$out"
