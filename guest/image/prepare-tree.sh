#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# prepare-tree.sh WORK EPOCH, inside a user namespace: unpacks WORK/tree.tar into WORK/tree and turns an installed
# Debian into an image: small, the same each time, without an identity of its own.
set -euo pipefail
work=$1 epoch=$2
tree="$work/tree"
mkdir -m 0755 "$tree"
tar -C "$tree" --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*' -xpf "$work/tree.tar"
rm "$work/tree.tar"
cd "$tree"

dpkg-query --admindir="$tree/var/lib/dpkg" --show --showformat='${Package}\t${Version}\t${Architecture}\n' | sort >"$work/packages.tsv"

# Caches, logs, old copies, and the traces of the making.
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* var/cache/ldconfig var/cache/man tmp/* var/tmp/* run/* dev/* proc/* sys/*
rm -f var/lib/dpkg/*-old var/cache/debconf/*-old etc/*- etc/.pwd.lock etc/machine-id var/lib/dbus/machine-id
rm -f etc/apt/apt.conf.d/99mmdebstrap var/lib/apt/extended_states.*
rm -rf usr/share/man usr/share/info usr/share/lintian usr/share/bug usr/share/doc-base usr/share/groff usr/share/pixmaps
rm -rf usr/share/gitweb usr/share/bash-completion usr/share/X11/locale usr/share/zoneinfo/right usr/share/zoneinfo/posix
rm -rf usr/lib/python3.11/pydoc_data/topics.py usr/lib/python3.11/pydoc_data/__pycache__
find usr/share/perl usr/lib/x86_64-linux-gnu/perl -name '*.pod' -delete
# Headers and sources for building extensions, which nobody does without a compiler (which brings its own).
rm -rf usr/lib/x86_64-linux-gnu/perl/*/CORE usr/lib/python3/dist-packages/lxml/includes usr/lib/python3.11/lib2to3/tests
find usr/lib/python3/dist-packages -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.c' \) -delete
find usr/share/perl -type f -path '*/unicore/*.txt' -delete
# Compiled forms that Python makes again when they are wanted; those of its own library stay, for quick starts.
find usr/lib/python3/dist-packages/pip usr/lib/python3/dist-packages/setuptools usr/lib/python3/dist-packages/pkg_resources \
  -name __pycache__ -prune -exec rm -rf {} +
find usr/share/doc -type f ! -name copyright -delete
find usr/share/doc -type l -delete
find usr/share/doc -type d -empty -delete
find usr/share/locale -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
# Character set tables that nothing but old e-mail needs; UTF-8, Latin and the Windows code pages of office files stay.
find usr/lib/x86_64-linux-gnu/gconv -type f \( -name 'IBM*' -o -name 'EBCDIC*' -o -name 'libCNS*' -o -name 'MAC*' \) -delete
# The agent is root of its own world with no_new_privs: a setuid program could only surprise.
find . -xdev -type f -perm /6000 -exec chmod ug-s {} +

mkdir -p -m 0755 workspace var/log/apt var/cache/apt/archives/partial var/lib/apt/lists/partial
chmod 0700 root
echo carrel >etc/hostname
printf '127.0.0.1\tlocalhost carrel\n::1\tlocalhost ip6-localhost ip6-loopback\n' >etc/hosts
# What apt fetched stays, also with "apt install": guestd looks there for what Debian has signed, so that it may run.
# It is asked to before dpkg begins, whose first step may be a script of the package's own.
cat >etc/apt/apt.conf.d/50carrel <<'END'
APT::Keep-Downloaded-Packages "true";
Binary::apt::APT::Keep-Downloaded-Packages "true";
DPkg::Pre-Invoke { "test ! -x /run/carrel/bin/carrel-ask || /run/carrel/bin/carrel-ask packages >/dev/null 2>&1 || true"; };
END
# guestd answers names inside the machine; there is no other network.
rm -f etc/resolv.conf
echo 'nameserver 127.0.0.1' >etc/resolv.conf
echo 'LANG=C.UTF-8' >etc/default/locale
echo 'LANG=C.UTF-8' >>etc/environment
printf 'export LANG=C.UTF-8\n' >etc/profile.d/carrel-locale.sh
: >etc/fstab
# Password dates would carry today's date.
sed -i -E 's/^([^:]*:[^:]*:)[0-9]+/\119000/' etc/shadow

find . -xdev -newermt "@$epoch" -exec touch -h -d "@$epoch" {} +
