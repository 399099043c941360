#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian package of this tree and tries it: lintian, dependencies that Debian can satisfy, hardened programs,
# installed into an empty root and removed from it without a trace. Needs no network once the packages are there. Works
# as root (then in an account of its own) and as a user with sudo.
set -euo pipefail
step_count=8
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

step "Looking for missing packages"
install_packages "${packages_run[@]}" "${packages_package[@]}"
if [ "$(id -u)" = 0 ]; then
    continue_as_account package.sh "$@"
fi

scratch=$(mktemp -d)
trap 'unshare --map-auto --map-root-user rm -rf "$scratch"' EXIT
out=$repository/build/release/package
# What changes from one making to the next is the time: the changelog's is taken for all files.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$repository/installers/linux/debian/changelog" -S Timestamp)
export SOURCE_DATE_EPOCH

step "Building Carrel"
CMAKE_ARGS=-DCARREL_TESTS=OFF build release carrel_installed

step "Making the package"
rm -rf "$out"
cpack --config "$repository/build/release/CPackConfig.cmake" -B "$out" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; die "the package could not be made"; }
shopt -s nullglob
packages=("$out"/carrel_*.deb)
shopt -u nullglob
[ ${#packages[@]} = 1 ] || die "there should be one package in $out, not ${#packages[@]}"
package=${packages[0]}
dpkg-deb --field "$package"

step "What lintian says of it, and the validators of its parts"
# Not its spelling of what is in programs: compilers cut sentences into pieces, and these are no words.
lintian --fail-on error,warning,info --display-info --info --suppress-tags spelling-error-in-binary "$package"
dpkg-deb --extract "$package" "$scratch/unpacked"
desktop-file-validate "$scratch"/unpacked/usr/share/applications/*.desktop
appstreamcli validate --no-net "$scratch"/unpacked/usr/share/metainfo/*.xml
for page in "$scratch"/unpacked/usr/share/man/man*/*.gz; do
    said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || die "$(basename "$page"): $said"
done

step "Whether Debian has what it depends on"
# As if nothing were installed here.
if [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -print -quit)" ]; then
    apt-get --simulate -o Dir::State::status=/dev/null -o APT::Install-Recommends=false install "$package" >"$scratch/log" 2>&1 ||
        { tail -n 20 "$scratch/log"; die "its dependencies cannot be satisfied"; }
    say "$(grep -c '^Inst ' "$scratch/log") packages, itself included."
else
    say "Skipped: this computer has no package lists (apt-get update)."
fi

step "How its programs are hardened"
for program in "$scratch"/unpacked/usr/bin/* "$scratch"/unpacked/usr/lib/carrel/*; do
    headers=$(readelf --wide --file-header --program-headers --dynamic "$program")
    missing=()
    grep -qE 'GNU_STACK .* RW +0x' <<<"$headers" || missing+=("a stack that is not executed")
    grep -q GNU_RELRO <<<"$headers" || missing+=("relro")
    if grep -q ' INTERP ' <<<"$headers"; then
        grep -qE 'Type: +DYN' <<<"$headers" || missing+=("position independence")
        grep -qE '\(FLAGS\).*BIND_NOW' <<<"$headers" || missing+=("binding at the start")
    fi
    ! readelf --wide --sections "$program" | grep -qE ' \.(symtab|debug_info) ' || missing+=("being stripped")
    [ ${#missing[@]} = 0 ] || die "$(basename "$program") lacks: $(printf '%s; ' "${missing[@]}")"
done
say "All of them: relro, no executable stack, stripped; but for the guest's: position independent, bound at the start."

step "Installing it in an empty root, and removing it"
root=$scratch/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
in_root() { # dpkg's view of the root; its dependencies are not in there
    unshare --map-auto --map-root-user env PATH="$PATH:/usr/sbin:/sbin" dpkg --root="$root" --log=/dev/null --force-depends "$@" \
        >"$scratch/log" 2>&1 || { cat "$scratch/log"; die "dpkg failed"; }
}
contents() { (cd "$root" && find . -path ./var/lib/dpkg -prune -o -print | sort); }
contents >"$scratch/before"
in_root --install "$package"
in_root --verify carrel
[ ! -s "$scratch/log" ] || die "dpkg --verify: $(cat "$scratch/log")"
diff <(dpkg-deb --contents "$package" | awk '{ print $6 }' | sed -e 's:/$::' | grep -vx . | sort) <(contents | comm -13 "$scratch/before" -) ||
    die "what is in the root is not what is in the package"
[ "$("$root/usr/bin/carrel" --version)" = "carrel $(dpkg-deb --field "$package" Version)" ] || die "carrel --version says something else"
"$root/usr/lib/carrel/carrel-engine" --version
in_root --purge carrel
diff "$scratch/before" <(contents) || die "something is left"
! grep -q '^Package: carrel' "$root/var/lib/dpkg/status" || die "dpkg still knows of it"
say "Nothing is left."

step "Result"
say "The package is $package"
