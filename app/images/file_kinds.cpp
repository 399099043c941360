// SPDX-License-Identifier: Apache-2.0
#include "app/images/file_kinds.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>

namespace carrel::images {

namespace {

using namespace std::string_view_literals;

struct Mark {
    std::size_t offset;
    std::string_view bytes;
    std::string_view name;
};

// The marks by which QEMU, VirtualBox, VMware, Hyper-V and macOS know their formats.
constexpr std::array kForeignDisks{
    Mark{0, "QFI\xfb"sv, "a QEMU disk (qcow2)"},
    Mark{0, "QED\0"sv, "a QEMU disk (qed)"},
    Mark{0, "KDMV"sv, "a VMware disk (vmdk)"},
    Mark{0, "COWD"sv, "a VMware disk (vmdk)"},
    Mark{0, "# Disk DescriptorFile"sv, "a VMware disk's description (vmdk)"},
    Mark{0x40, "\x7f\x10\xda\xbe"sv, "a VirtualBox disk (vdi)"},
    Mark{0, "vhdxfile"sv, "a Hyper-V disk (vhdx)"},
    Mark{0, "conectix"sv, "a Hyper-V disk (vhd)"},
    Mark{0, "WithoutFreeSpace"sv, "a Parallels disk"},
    Mark{0, "WithouFreSpacExt"sv, "a Parallels disk"},
    Mark{0, "Bochs Virtual HD Image"sv, "a Bochs disk"},
    Mark{0, "#!/bin/sh\n#V2.0 Format\n"sv, "a compressed loop image (cloop)"},
    Mark{0, "LUKS\xba\xbe"sv, "an encrypted disk (LUKS)"},
    Mark{0, "encrdsk"sv, "an encrypted disk image"},
    Mark{0, "sprs"sv, "a macOS sparse disk image"},
    Mark{0, "\x1f\x8b"sv, "a compressed file (gzip)"},
    Mark{0,
         "\xfd"
         "7zXZ\0"sv,
         "a compressed file (xz)"},
    Mark{0, "\x28\xb5\x2f\xfd"sv, "a compressed file (zstd)"},
    Mark{0, "PK\x03\x04"sv, "a ZIP archive"},
};

constexpr std::string_view kRawHint = "Give a raw disk image that holds an ext4 file system. \"qemu-img "
                                      "convert -O raw\" makes one of most formats.";

bool has(ByteSpan data, std::size_t offset, std::string_view mark) {
    return data.size() >= offset + mark.size() && asText(data.subspan(offset, mark.size())) == mark;
}

} // namespace

Status checkRawExt4(ByteSpan head, ByteSpan tail) {
    for (const auto& mark : kForeignDisks) {
        if (has(head, mark.offset, mark.bytes)) {
            return fail(ErrorCode::Refused, "the file is " + std::string(mark.name) + ", not a raw disk",
                        std::string(kRawHint));
        }
    }
    if (has(tail, 0, "conectix"sv)) {
        return fail(ErrorCode::Refused, "the file is a Hyper-V disk (vhd), not a raw disk",
                    std::string(kRawHint));
    }
    if (tail.size() >= 4 && has(tail, 0, "koly"sv)) {
        return fail(ErrorCode::Refused, "the file is a macOS disk image (dmg), not a raw disk",
                    std::string(kRawHint));
    }
    // The superblock lies at 1024; its magic, le16 0xef53, at 56; the feature words at 92, 96, 100 (Linux,
    // Documentation/filesystems/ext4/super.rst). Extents (0x40) tell ext4 from its ancestors.
    constexpr std::size_t kSuper = 1024;
    if (head.size() < kSuper + 1024 || loadLe<std::uint16_t>(head, kSuper + 56) != 0xef53) {
        return fail(ErrorCode::Refused,
                    "the file holds no ext4 file system (a disk with partitions does not fit either)",
                    std::string(kRawHint));
    }
    if ((loadLe<std::uint32_t>(head, kSuper + 96) & 0x40U) == 0) {
        return fail(ErrorCode::Refused, "the file holds an older file system than ext4",
                    std::string(kRawHint));
    }
    return {};
}

Result<KernelKind> kernelKind(ByteSpan head) {
    if (has(head, 0,
            "\x7f"
            "ELF"sv)) {
        return KernelKind::Elf;
    }
    if (has(head, 0x202, "HdrS"sv)) {
        return KernelKind::BzImage;
    }
    return fail(ErrorCode::Refused, "the file is no Linux kernel (neither vmlinux nor bzImage)");
}

Status checkCpio(ByteSpan head) {
    if (has(head, 0, "070701"sv)) {
        return {};
    }
    return fail(ErrorCode::Refused, "the file is no uncompressed archive of kernel modules (cpio, newc)");
}

Result<Edges> readEdges(const std::filesystem::path& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        return failErrno("opening " + path.string());
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorCode::Refused, path.string() + " is not an ordinary file");
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    Edges edges{Bytes(std::min(size, kSniffBytes)), Bytes(std::min<std::size_t>(size, 512))};
    const auto tailAt = static_cast<off_t>(size - edges.tail.size());
    if (::pread(fd.get(), edges.head.data(), edges.head.size(), 0) !=
            static_cast<ssize_t>(edges.head.size()) ||
        ::pread(fd.get(), edges.tail.data(), edges.tail.size(), tailAt) !=
            static_cast<ssize_t>(edges.tail.size())) {
        return failErrno("reading " + path.string());
    }
    return edges;
}

} // namespace carrel::images
