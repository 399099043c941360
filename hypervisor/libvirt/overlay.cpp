// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/overlay.h"

#include "guest/protocol/bytes.h"
#include "guest/protocol/unique_fd.h"

#include <bit>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

constexpr std::uint32_t kClusterBits = 16;
constexpr std::uint64_t kCluster = std::uint64_t{1} << kClusterBits;
constexpr std::uint64_t kBytesPerL1Entry = kCluster * (kCluster / 8);
constexpr std::uint32_t kHeaderBytes = 112; // version 3 with the compression type's padding
constexpr std::uint32_t kBackingFormatExtension = 0xE2792ACA;

// Everything in qcow2 is big-endian.
template <class T> void appendBe(Bytes& to, T value) {
    for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
        to.push_back(static_cast<std::byte>(value >> shift));
    }
}
template <class T> void storeBe(Bytes& to, std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
        to[at + i] = static_cast<std::byte>(value >> ((sizeof value - 1 - i) * 8));
    }
}

// Clusters: 0 header, 1 reference count table, 2 reference counts, 3… the L1 table (all zero: nothing
// written).
Bytes emptyImage(const DiskSpec& disk) {
    const std::uint64_t l1Entries = (disk.virtualBytes + kBytesPerL1Entry - 1) / kBytesPerL1Entry;
    const std::uint64_t l1Clusters = (l1Entries * 8 + kCluster - 1) / kCluster;
    const std::string base = disk.base.native();
    const std::uint64_t backingAt = kHeaderBytes + 16 + 8; // after the format extension and the end mark
    Bytes image;
    appendBe<std::uint32_t>(image, 0x514649fb); // "QFI\xfb"
    appendBe<std::uint32_t>(image, 3);
    appendBe<std::uint64_t>(image, backingAt);
    appendBe<std::uint32_t>(image, static_cast<std::uint32_t>(base.size()));
    appendBe<std::uint32_t>(image, kClusterBits);
    appendBe<std::uint64_t>(image, disk.virtualBytes);
    appendBe<std::uint32_t>(image, 0); // no encryption
    appendBe<std::uint32_t>(image, static_cast<std::uint32_t>(l1Entries));
    appendBe<std::uint64_t>(image, 3 * kCluster); // L1 table
    appendBe<std::uint64_t>(image, kCluster);     // reference count table
    appendBe<std::uint32_t>(image, 1);            // … of one cluster
    appendBe<std::uint32_t>(image, 0);            // snapshots
    appendBe<std::uint64_t>(image, 0);
    appendBe<std::uint64_t>(image, 0); // incompatible, compatible and automatically cleared features
    appendBe<std::uint64_t>(image, 0);
    appendBe<std::uint64_t>(image, 0);
    appendBe<std::uint32_t>(image, 4); // reference counts of 16 bits
    appendBe<std::uint32_t>(image, kHeaderBytes);
    image.resize(kHeaderBytes);
    appendBe<std::uint32_t>(image, kBackingFormatExtension);
    appendBe<std::uint32_t>(image, 3);
    for (const char c : std::string_view("raw\0\0\0\0\0", 8)) {
        image.push_back(static_cast<std::byte>(c));
    }
    appendBe<std::uint64_t>(image, 0); // end of the extensions
    for (const char c : base) {
        image.push_back(static_cast<std::byte>(c));
    }
    const std::uint64_t clusters = 3 + l1Clusters;
    image.resize(clusters * kCluster);
    storeBe<std::uint64_t>(image, kCluster, 2 * kCluster);
    for (std::uint64_t i = 0; i < clusters; ++i) {
        storeBe<std::uint16_t>(image, 2 * kCluster + 2 * i, 1);
    }
    return image;
}

Status writeAll(int fd, ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return failErrno("cannot write the machine's disk");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
    return {};
}

Status checkBase(const DiskSpec& disk) {
    struct stat info {};
    if (::stat(disk.base.c_str(), &info) != 0) {
        Error error = errnoError("the base image " + disk.base.native() + " cannot be used");
        error.code = ErrorCode::InvalidArgument;
        error.hint = "make it with: carrel image build";
        return fail(std::move(error));
    }
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) > disk.virtualBytes) {
        return fail(ErrorCode::InvalidArgument,
                    "the base image is not a file or is larger than the machine's disk");
    }
    return {};
}

Status writeDurably(const std::string& path, ByteSpan bytes) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
        return failErrno("cannot make the machine's disk");
    }
    CARREL_TRY(writeAll(file.get(), bytes));
    if (::fsync(file.get()) != 0) {
        return failErrno("cannot write the machine's disk");
    }
    return {};
}

} // namespace

Status ensureOverlay(const DiskSpec& disk) {
    CARREL_TRY(checkBase(disk));
    if (disk.overlay.empty()) {
        return {};
    }
    struct stat info {};
    if (::lstat(disk.overlay.c_str(), &info) == 0) {
        if (!S_ISREG(info.st_mode) || info.st_uid != ::geteuid()) {
            return fail(ErrorCode::Refused,
                        "the machine's disk " + disk.overlay.native() + " is not a file of yours");
        }
        return {};
    }
    const std::string half = disk.overlay.native() + ".new";
    if (auto wrote = writeDurably(half, emptyImage(disk)); !wrote) {
        ::unlink(half.c_str());
        return wrote;
    }
    if (::rename(half.c_str(), disk.overlay.c_str()) != 0) {
        const int number = errno;
        ::unlink(half.c_str());
        return failErrno("cannot make the machine's disk", number);
    }
    return {};
}

} // namespace carrel::hypervisor
