// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/drives.h"

#include <algorithm>
#include <array>
#include <sys/vfs.h>

namespace carrel::clerk {

Reports reportsOf(std::uint64_t fileSystem) {
    constexpr std::array<std::uint64_t, 12> kRemote{
        0x6969,     // NFS
        0xff534d42, // CIFS
        0xfe534d42, // SMB2
        0x517b,     // SMB
        0x65735546, // FUSE: sshfs, cloud drives, …
        0x01021997, // 9P
        0x5346414f, // AFS
        0x6b414653, // kAFS
        0x00c36400, // Ceph
        0x73757245, // Coda
        0x786f4256, // VirtualBox folders
        0xbacbacbc, // VMware folders
    };
    // Half of them have the sign bit of a 32-bit number, and f_type is a signed one of more.
    const bool remote = std::find(kRemote.begin(), kRemote.end(), fileSystem & 0xffffffffU) != kRemote.end();
    return remote ? Reports::OnlyItsOwn : Reports::Changes;
}

Reports reportsOfFolder(int folderFd) {
    struct statfs info {};
    return ::fstatfs(folderFd, &info) == 0 ? reportsOf(static_cast<std::uint64_t>(info.f_type)) : Reports::Unknown;
}

} // namespace carrel::clerk
