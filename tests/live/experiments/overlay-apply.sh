#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The experiment behind guest/worktree/DECISION.md: what a process with its working directory and an open
# descriptor in an overlayfs sees when a staged change is applied underneath it. Boots Debian's cloud kernel under
# software emulation with nothing but busybox; needs qemu-system-x86_64, cpio, busybox-static and a kernel with its
# modules. Usage: overlay-apply.sh [vmlinuz [modules-folder]]. Prints what was seen; touches nothing on the host.
set -eu
kernel=${1:-$(ls /boot/vmlinuz-*-cloud-amd64 | tail -n 1)}
modules=${2:-/lib/modules/$(basename "$kernel" | sed 's/^vmlinuz-//')}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/t"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$modules/kernel/fs/overlayfs/overlay.ko" "$root/"

cat > "$root/case.sh" <<'CASE'
# One case. $1 = name, $2 = how it is taken from the upper: live, gentle (folders stay in the upper; no remount
# either), or remount (lazy unmount, fresh mount); $3 = the folder the process stands in (made in the upper if "new").
set -u
name=$1 way=$2 where=$3
echo "=== case $name: $way, working directory in $where"
base=/t/$name; mkdir -p $base; mount -t tmpfs none $base
mkdir -p $base/host/old $base/upper $base/work $base/merged $base/lower
echo host-v1 > $base/host/old/f; echo other-v1 > $base/host/other
mount --bind $base/host $base/lower; mount -o remount,ro,bind $base/lower
domount() { mount -t overlay overlay -o lowerdir=$base/lower,upperdir=$base/upper,workdir=$base/work,redirect_dir=on,metacopy=off,index=off,xino=on $base/merged; }
domount
mkfifo $base/ask $base/told
sh -c '
  cd '$base'/merged; mkdir -p '$where'; cd '$where'
  echo staged > f
  exec 5>>f
  while read -r line; do eval "$line"; echo done > '$base'/told; done
' < $base/ask 2>&1 &
pid=$!
exec 7>$base/ask 8<>$base/told # kept open: an answer cannot fall between two readers
ask() { echo "$1" >&7; read -r _ <&8; }
ask 'true'
# Apply as way (a) would: freeze, write the host, take it from the upper, look again.
kill -STOP $pid
mkdir -p $base/host/$where; cp $base/upper/$where/f $base/host/$where/f
if [ $way = gentle ]; then rm -f $base/upper/$where/f; else rm -rf $base/upper/$where; fi
if [ $way = remount ]; then umount -l $base/merged; domount; fi
kill -CONT $pid
ask 'echo "  getcwd: $(/bin/busybox pwd -P 2>&1)"'
ask 'echo "  ls of cwd: $(ls -a 2>&1 | tr "\n" " ")"'
ask 'echo "  cat f: $(cat f 2>&1)"'
ask 'echo late-write >&5 && echo "  write through the old descriptor: success"'
ask 'echo born > newfile && echo "  creating newfile in cwd: success"'
sync
echo "  fresh look, f: $(cat $base/merged/$where/f 2>&1 | tr '\n' ' ')"
echo "  fresh look, newfile: $(cat $base/merged/$where/newfile 2>&1)"
echo "  upper holds: $(cd $base/upper; find . -type f -o -type c | tr '\n' ' ')"
echo "  host holds f: $(cat $base/host/$where/f 2>&1 | tr '\n' ' ')"
echo "  late-write anywhere in upper or host: $(grep -rl late-write $base/upper $base/host 2>/dev/null | tr '\n' ' ')"
echo "  newfile anywhere in upper or host: $(find $base/upper $base/host -name newfile | tr '\n' ' ')"
echo other-v2 > $base/host/other.tmp; mv $base/host/other.tmp $base/host/other; echo hostnew > $base/host/hostnew
echo "  host edit in the fresh look: $(cat $base/merged/other) / $(cat $base/merged/hostnew 2>&1)"
ask 'echo "  host edit seen by the process (../other): $(cat ../other 2>&1)"'
ask 'echo "  host-made file seen by the process (../hostnew): $(cat ../hostnew 2>&1)"'
exec 7>&- 8>&-; wait $pid 2>/dev/null
# What a later start of the guest would find.
umount -l $base/merged; domount
echo "  after the next mount, f: $(cat $base/merged/$where/f 2>&1 | tr '\n' ' '); newfile: $(cat $base/merged/$where/newfile 2>&1)"
CASE

cat > "$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
insmod /overlay.ko
uname -r
sh /case.sh live-old live old
sh /case.sh live-new live new
sh /case.sh gentle-old gentle old
sh /case.sh gentle-new gentle new
sh /case.sh remount-old remount old
sh /case.sh remount-new remount new
echo END-OF-EXPERIMENT
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$root.cpio.gz"
trap 'rm -rf "$root" "$root.cpio.gz"' EXIT
timeout 120 qemu-system-x86_64 -accel tcg -m 256 -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -kernel "$kernel" -initrd "$root.cpio.gz" -append "console=ttyS0 quiet panic=-1" | tr -d '\r'
