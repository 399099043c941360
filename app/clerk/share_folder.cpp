// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/share_folder.h"

#include "guest/protocol/file_time.h"
#include "guest/protocol/share_path.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

namespace carrel::clerk {

std::string joined(const std::vector<std::string>& names) {
    std::string path;
    for (const std::string& name : names) {
        if (!path.empty()) {
            path += '/';
        }
        path += name;
    }
    return path;
}

OrErrno<UniqueFd> ShareFolder::open(const std::vector<std::string>& names, int flags) const {
    const std::string path = joined(names);
    if (path.size() > kMaxPathBytes) {
        return tl::unexpected(ENAMETOOLONG);
    }
    const char* text = path.empty() ? "." : path.c_str();
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    constexpr int kTries = 8; // EAGAIN: something was renamed at that moment
    int error = EAGAIN;
    for (int i = 0; i < kTries && (error == EAGAIN || error == EINTR); ++i) {
        const long fd = ::syscall(SYS_openat2, m_root.get(), text, &how, sizeof how);
        if (fd >= 0) {
            return UniqueFd(static_cast<int>(fd));
        }
        error = errno;
    }
    return tl::unexpected(error);
}

std::optional<NodeType> nodeTypeOf(const struct stat& info) {
    switch (info.st_mode & S_IFMT) {
    case S_IFREG:
        return NodeType::File;
    case S_IFDIR:
        return NodeType::Directory;
    case S_IFLNK:
        return NodeType::Symlink;
    default:
        return std::nullopt;
    }
}

BaseVersion versionOf(const struct stat& info) {
    if (S_ISDIR(info.st_mode)) {
        return {info.st_ino, 0, 0, 0};
    }
    return {info.st_ino, static_cast<std::uint64_t>(info.st_size), toNs(info.st_mtim),
            toNs(info.st_ctim)};
}

lower::Attr attrOf(const struct stat& info) {
    lower::Attr attr{};
    attr.ino = info.st_ino;
    attr.size = static_cast<std::uint64_t>(info.st_size);
    attr.blocks = static_cast<std::uint64_t>(info.st_blocks);
    // When the user last looked at a file is not the guest's to know.
    attr.atime = static_cast<std::uint64_t>(info.st_mtim.tv_sec);
    attr.atimensec = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
    attr.mtime = static_cast<std::uint64_t>(info.st_mtim.tv_sec);
    attr.mtimensec = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
    attr.ctime = static_cast<std::uint64_t>(info.st_ctim.tv_sec);
    attr.ctimensec = static_cast<std::uint32_t>(info.st_ctim.tv_nsec);
    attr.mode = info.st_mode;
    // 1 for a folder: programs that count sub-folders by it would miss hidden ones.
    attr.nlink = S_ISDIR(info.st_mode) ? 1 : static_cast<std::uint32_t>(info.st_nlink);
    attr.blksize = static_cast<std::uint32_t>(info.st_blksize);
    return attr;
}

} // namespace carrel::clerk
