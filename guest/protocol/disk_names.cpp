// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/disk_names.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/vfs.h>

namespace carrel {

bool hasOnlyListedNames(int folder) {
    constexpr std::array<std::uint32_t, 5> kExact{
        0xef53,     // ext2, ext3, ext4
        0x9123683e, // btrfs
        0x58465342, // xfs
        0x01021994, // tmpfs
        0xf2f52010, // f2fs
    };
    struct statfs info {};
    // f_type is a signed number of another width, and some of these have its sign bit.
    return ::fstatfs(folder, &info) == 0 &&
           std::find(kExact.begin(), kExact.end(), static_cast<std::uint32_t>(info.f_type)) != kExact.end();
}

Status forEachName(int folder, const std::function<bool(std::string_view name)>& goesOn) {
    // A descriptor of its own: the place in a listing belongs to the open file.
    UniqueFd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) {
        return failErrno("cannot list the folder");
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(own.get()), ::closedir);
    if (!listing) {
        return failErrno("cannot list the folder");
    }
    (void)own.release();
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(listing.get());
        if (entry == nullptr) {
            return errno == 0 ? Status{} : Status(failErrno("cannot list the folder"));
        }
        if (!goesOn(entry->d_name)) {
            return {};
        }
    }
}

Result<bool> lists(int folder, std::string_view name) {
    bool found = false;
    CARREL_TRY(forEachName(folder, [&](std::string_view each) {
        found = each == name;
        return !found;
    }));
    return found;
}

} // namespace carrel
