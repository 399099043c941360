// SPDX-License-Identifier: Apache-2.0
#include "app/images/cpio_writer.h"

#include <array>
#include <cstdio>
#include <sys/stat.h>

namespace carrel::images {

namespace {

constexpr std::size_t kMaxPath = 255;
constexpr std::size_t kMaxContent = 0xffffffff; // the format's field has 8 hexadecimal digits

bool isPlainPath(std::string_view path) {
    if (path.empty() || path.size() > kMaxPath || path.find('\0') != std::string_view::npos) {
        return false;
    }
    for (;;) {
        const auto slash = path.find('/');
        const auto part = path.substr(0, slash);
        if (part.empty() || part == "." || part == "..") {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

} // namespace

Status CpioWriter::addFile(std::string_view path, std::uint32_t mode, ByteSpan content) {
    return add({path, S_IFREG | (mode & 07777), 1, 0, 0, content});
}

Status CpioWriter::addFolder(std::string_view path, std::uint32_t mode) {
    CARREL_TRY(add({path, S_IFDIR | (mode & 07777), 2, 0, 0, {}}));
    m_folders.emplace(path);
    return {};
}

Status CpioWriter::addSymlink(std::string_view path, std::string_view target) {
    return add({path, S_IFLNK | 0777, 1, 0, 0, asBytes(target)});
}

Status CpioWriter::addCharDevice(std::string_view path, std::uint32_t mode, std::uint32_t major,
                                 std::uint32_t minor) {
    return add({path, S_IFCHR | (mode & 07777), 1, major, minor, {}});
}

Status CpioWriter::addParents(std::string_view path) {
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
        const auto parent = path.substr(0, slash);
        if (m_folders.find(parent) == m_folders.end()) {
            if (m_paths.find(parent) != m_paths.end()) {
                return fail(ErrorCode::InvalidArgument,
                            std::string(parent) + " is a file and cannot hold others");
            }
            m_paths.emplace(parent);
            m_folders.emplace(parent);
            append({parent, S_IFDIR | 0755, 2, 0, 0, {}}, m_nextInode++);
        }
    }
    return {};
}

Status CpioWriter::add(const Entry& entry) {
    if (!isPlainPath(entry.path)) {
        return fail(ErrorCode::InvalidArgument,
                    "\"" + std::string(entry.path) + "\" is no plain relative path for an archive");
    }
    if (entry.content.size() > kMaxContent) {
        return fail(ErrorCode::LimitExceeded,
                    std::string(entry.path) + " is too large for an initial archive");
    }
    CARREL_TRY(addParents(entry.path));
    if (!m_paths.emplace(entry.path).second) {
        return fail(ErrorCode::AlreadyExists, std::string(entry.path) + " is in the archive already");
    }
    append(entry, m_nextInode++);
    return {};
}

void CpioWriter::append(const Entry& entry, std::uint32_t inode) {
    std::array<char, 111> header{};
    std::snprintf(header.data(), header.size(), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                  inode, entry.mode, 0u, 0u, entry.links, 0u, static_cast<unsigned>(entry.content.size()), 0u,
                  0u, entry.deviceMajor, entry.deviceMinor, static_cast<unsigned>(entry.path.size() + 1), 0u);
    const auto text = asBytes(std::string_view(header.data(), header.size() - 1));
    m_out.insert(m_out.end(), text.begin(), text.end());
    const auto path = asBytes(entry.path);
    m_out.insert(m_out.end(), path.begin(), path.end());
    m_out.push_back(std::byte{0});
    pad(4);
    m_out.insert(m_out.end(), entry.content.begin(), entry.content.end());
    pad(4);
}

void CpioWriter::pad(std::size_t alignment) {
    m_out.resize((m_out.size() + alignment - 1) / alignment * alignment);
}

Bytes CpioWriter::finish() {
    append({"TRAILER!!!", 0, 1, 0, 0, {}}, 0);
    pad(512);
    Bytes out = std::move(m_out);
    *this = CpioWriter{};
    return out;
}

} // namespace carrel::images
