# SPDX-License-Identifier: Apache-2.0
# What run.sh, test.sh and package.sh share: packages, the account, the build, the image. Sourced, not run.
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
account=${CARREL_ACCOUNT:-carrel-user} # made when started as root: Carrel refuses to run as root
step_number=0
step_count=${step_count:-1}

say() { printf '%s\n' "$*"; }
step() {
    step_number=$((step_number + 1))
    printf '\n== [%d/%d] %s (%s)\n' "$step_number" "$step_count" "$*" "$(date +%H:%M:%S)"
}
die() {
    printf 'carrel: %s\n' "$*" >&2
    exit 1
}

# --- packages ---------------------------------------------------------------------------------------------------
# What each purpose needs, by Debian 12's names. Only Debian 12 is tested; the other columns are a start for somebody
# who has such a system.
packages_run=(
    build-essential cmake ninja-build ccache pkg-config
    libboost1.81-dev libboost-json1.81-dev libexpected-dev libvirt-dev libsqlite3-dev libssl-dev libspdlog-dev
    libcli11-dev libseccomp-dev libfuse3-dev libtomlplusplus-dev libsecret-1-dev libglib2.0-dev libvterm-dev libzstd-dev zlib1g-dev
    qemu-system-x86 qemu-utils libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
    clang llvm libbpf-dev libelf-dev # programs that the guest's kernel runs
    liblzma-dev # Debian's packages, read in the guest
    mmdebstrap e2fsprogs uidmap kmod cpio xz-utils lz4 zstd gawk python3 rsync
    qt6-base-dev qt6-qpa-plugins qt6-l10n-tools librsvg2-bin # the desktop, its languages, what it shows itself by, and its icon
)
packages_test=(
    dbus-daemon python3-openpyxl binutils libclang-rt-14-dev mold attr acl git poppler-utils
    gnupg apt-utils # a signed archive of the tests' own
    sqlite3 tcl8.6-dev dpkg-dev # tests/suites: ordinary programs, and building git and SQLite
    asciinema chromium # tests/readers: who else reads what is exported
)
# Debian's npm stands in the way of a node from elsewhere, which brings its own.
PATH=/usr/local/bin:/usr/bin:/bin command -v npm >/dev/null || packages_test+=(nodejs npm)
packages_package=(
    dpkg-dev lintian desktop-file-utils appstream man-db binutils file
)

# Other distributions: untested.
map_package() {
    local family=$1 name=$2
    case "$family:$name" in
    ubuntu:libboost1.81-dev) echo libboost1.83-dev ;;
    ubuntu:libboost-json1.81-dev) echo libboost-json1.83-dev ;;
    ubuntu:libclang-rt-14-dev) echo libclang-rt-dev ;;
    fedora:sqlite3) echo sqlite ;;
    fedora:tcl8.6-dev) echo tcl-devel ;;
    fedora:zlib1g-dev) echo zlib-devel ;;
    fedora:build-essential) echo "gcc-c++ make glibc-static libstdc++-static" ;;
    fedora:ninja-build) echo ninja-build ;;
    fedora:pkg-config) echo pkgconf ;;
    fedora:libboost1.81-dev) echo "boost-devel boost-static" ;;
    fedora:libboost-json1.81-dev) echo boost-json ;;
    fedora:libexpected-dev) echo expected-devel ;;
    fedora:libvirt-dev) echo libvirt-devel ;;
    fedora:libsqlite3-dev) echo sqlite-devel ;;
    fedora:libssl-dev) echo openssl-devel ;;
    fedora:libspdlog-dev) echo spdlog-devel ;;
    fedora:libcli11-dev) echo cli11-devel ;;
    fedora:libseccomp-dev) echo libseccomp-devel ;;
    fedora:libvterm-dev) echo libvterm-devel ;;
    fedora:libzstd-dev) echo libzstd-devel ;;
    fedora:libfuse3-dev) echo "fuse3-devel fuse3-static" ;;
    fedora:libtomlplusplus-dev) echo tomlplusplus-devel ;;
    fedora:libsecret-1-dev) echo libsecret-devel ;;
    fedora:libglib2.0-dev) echo glib2-devel ;;
    fedora:qemu-system-x86) echo qemu-system-x86 ;;
    fedora:qemu-utils) echo qemu-img ;;
    fedora:libvirt-daemon | fedora:libvirt-daemon-driver-qemu) echo libvirt-daemon-driver-qemu ;;
    fedora:libvirt-clients) echo libvirt-client ;;
    fedora:uidmap) echo shadow-utils ;;
    fedora:libbpf-dev) echo "libbpf-devel libbpf-static" ;;
    fedora:libelf-dev) echo "elfutils-libelf-devel elfutils-libelf-devel-static" ;;
    fedora:xz-utils) echo xz ;;
    fedora:liblzma-dev) echo "xz-devel xz-static" ;;
    fedora:gnupg) echo gnupg2 ;;
    fedora:apt-utils) echo apt ;;
    fedora:libclang-rt-14-dev) echo compiler-rt ;;
    fedora:qt6-base-dev) echo qt6-qtbase-devel ;;
    fedora:qt6-qpa-plugins) echo qt6-qtbase-gui ;;
    fedora:qt6-l10n-tools) echo qt6-linguist ;;
    fedora:librsvg2-bin) echo librsvg2-tools ;;
    arch:build-essential) echo base-devel ;;
    arch:ninja-build) echo ninja ;;
    arch:pkg-config) echo pkgconf ;;
    arch:libboost1.81-dev | arch:libboost-json1.81-dev) echo boost ;;
    arch:libexpected-dev) echo tl-expected ;;
    arch:libvirt-dev | arch:libvirt-daemon | arch:libvirt-daemon-driver-qemu | arch:libvirt-clients) echo libvirt ;;
    arch:libsqlite3-dev) echo sqlite ;;
    arch:libssl-dev) echo openssl ;;
    arch:libspdlog-dev) echo spdlog ;;
    arch:libcli11-dev) echo cli11 ;;
    arch:libseccomp-dev) echo libseccomp ;;
    arch:libvterm-dev) echo libvterm ;;
    arch:libzstd-dev) echo zstd ;;
    arch:libfuse3-dev) echo fuse3 ;;
    arch:libtomlplusplus-dev) echo tomlplusplus ;;
    arch:libsecret-1-dev) echo libsecret ;;
    arch:libglib2.0-dev) echo glib2 ;;
    arch:dbus-daemon) echo dbus ;;
    arch:qemu-system-x86) echo qemu-system-x86 ;;
    arch:qemu-utils) echo qemu-img ;;
    arch:uidmap) echo shadow ;;
    arch:libbpf-dev) echo libbpf ;;
    arch:libelf-dev) echo libelf ;;
    arch:xz-utils | arch:liblzma-dev) echo xz ;;
    arch:libclang-rt-14-dev) echo compiler-rt ;;
    arch:qt6-base-dev | arch:qt6-qpa-plugins) echo qt6-base ;;
    arch:qt6-l10n-tools) echo qt6-tools ;;
    arch:librsvg2-bin) echo librsvg ;;
    fedora:chromium) echo chromium-headless ;;
    arch:sqlite3) echo sqlite ;;
    arch:tcl8.6-dev) echo tcl ;;
    arch:zlib1g-dev) echo zlib ;;
    arch:dpkg-dev) echo dpkg ;;
    *) echo "$name" ;;
    esac
}

family() {
    # shellcheck disable=SC1091
    local id like
    id=$(. /etc/os-release && echo "${ID:-}")
    like=$(. /etc/os-release && echo "${ID_LIKE:-}")
    case "$id $like" in
    debian*) echo debian ;;
    *ubuntu*) echo ubuntu ;;
    *fedora* | *rhel*) echo fedora ;;
    *arch*) echo arch ;;
    *debian*) echo debian ;;
    *) echo unknown ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "packages are missing, and neither root nor sudo is at hand to install them: $*"
    fi
}

install_packages() {
    local where missing=() name
    where=$(family)
    case $where in
    debian | ubuntu)
        for name in "$@"; do
            name=$(map_package "$where" "$name")
            dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
        done
        if [ ${#missing[@]} = 0 ]; then
            say "Everything is installed."
            return
        fi
        say "Installing ${#missing[@]} packages: ${missing[*]}"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq ||
            say "The package lists could not be refreshed; going on with those at hand."
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
        ;;
    fedora | arch)
        say "This distribution is untested: the package names are a guess."
        for name in "$@"; do
            read -r -a names <<<"$(map_package "$where" "$name")"
            missing+=("${names[@]}")
        done
        if [ "$where" = fedora ]; then
            as_root dnf install -y "${missing[@]}"
        else
            as_root pacman -S --needed --noconfirm "${missing[@]}"
        fi
        ;;
    *) die "this distribution is not known here; install by hand what packages_run in installers/linux/lib.sh names" ;;
    esac
}

# --- the account ------------------------------------------------------------------------------------------------
# Started as root: everything after the packages happens in an unprivileged account, on a copy of this tree, by the
# same script. What was built there is kept, so a second run repeats no work.
continue_as_account() {
    local script=$1 home uid
    shift
    if ! id "$account" >/dev/null 2>&1; then
        say "Making the account $account, because Carrel does not run as root."
        useradd --create-home --shell /bin/bash "$account"
    fi
    grep -q "^$account:" /etc/subuid || usermod --add-subuids 200000-265535 --add-subgids 200000-265535 "$account"
    if [ -e /dev/kvm ] && getent group kvm >/dev/null; then
        usermod -a -G kvm "$account"
    fi
    # udev lets everybody open it; without udev only root may, and tests/suites mount as the account.
    if [ "$script" = test.sh ] && [ -e /dev/fuse ] && ! runuser -u "$account" -- test -w /dev/fuse; then
        setfacl -m "u:$account:rw" /dev/fuse || say "The account cannot open /dev/fuse: the suites on a share are skipped."
    fi
    home=$(getent passwd "$account" | cut -d: -f6)
    uid=$(id -u "$account")
    install -d -m 0700 -o "$account" "/run/user/$uid"
    install -d -o "$account" "$home/carrel"
    # By content, not by time: a fresh clone has new times, and what did not change is not built again.
    rsync -rlpgoD --checksum --delete --exclude /build/ --chown="$account:$account" "$repository/" "$home/carrel/"
    cd "$home/carrel"
    exec runuser -u "$account" -- env -i HOME="$home" USER="$account" LOGNAME="$account" SHELL=/bin/bash \
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 TERM="${TERM:-dumb}" CI="${CI:-}" \
        XDG_RUNTIME_DIR="/run/user/$uid" ${DISPLAY:+DISPLAY="$DISPLAY"} \
        bash "$home/carrel/installers/linux/$script" "$@"
}

# --- building ---------------------------------------------------------------------------------------------------
# build PRESET TARGET… (no target: everything). Configures once; ninja does only what is out of date.
build() {
    local preset=$1
    shift
    cd "$repository"
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" ${CMAKE_ARGS:-} >/dev/null
    NINJA_STATUS='[%f/%t %es] ' cmake --build --preset "$preset" -- "$@"
}

# The guest image, built by the product itself and kept in the account's own data folder.
build_image() {
    local carrel=$repository/build/$1/bin/carrel
    "$carrel" image build
    # The engine that built it need not stay; the next command starts one.
    "$carrel" engine stop >/dev/null 2>&1 || true
}
