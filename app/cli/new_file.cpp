// SPDX-License-Identifier: Apache-2.0
#include "app/cli/new_file.h"

#include "app/cli/render.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace carrel::cli {

namespace {

Error occupied(const std::filesystem::path& file) {
    return {ErrorCode::Conflict, "there is already something at " + shown(file.string()), "Give another name, or --force to replace it.", 0, nullptr};
}

} // namespace

NewFile::NewFile(std::filesystem::path file, std::string beside, UniqueFd fd, Existing existing)
    : m_file(std::move(file))
    , m_beside(std::move(beside))
    , m_fd(std::move(fd))
    , m_existing(existing) {}

NewFile::NewFile(NewFile&& other) noexcept
    : m_file(std::move(other.m_file))
    , m_beside(std::exchange(other.m_beside, {}))
    , m_fd(std::move(other.m_fd))
    , m_existing(other.m_existing) {}

NewFile::~NewFile() {
    if (!m_beside.empty()) {
        (void)::unlink(m_beside.c_str());
    }
}

Result<NewFile> NewFile::begin(const std::filesystem::path& file, Existing existing) {
    struct stat there{};
    if (::lstat(file.c_str(), &there) == 0) {
        if (existing == Existing::Keep) {
            return fail(occupied(file));
        }
        if (!S_ISREG(there.st_mode)) {
            return fail(ErrorCode::Conflict, "what is at " + shown(file.string()) + " is no file, and is not replaced", "Give another name.");
        }
    }
    auto beside = (file.parent_path() / ".carrel-export-XXXXXX").string();
    UniqueFd fd(::mkostemp(beside.data(), O_CLOEXEC)); // 0600
    if (!fd) {
        return failErrno("cannot make a file in " + shown(file.has_parent_path() ? file.parent_path().string() : std::string(".")));
    }
    return NewFile(file, std::move(beside), std::move(fd), existing);
}

Status NewFile::finish() {
    if (::fsync(m_fd.get()) != 0) {
        return failErrno("cannot write " + shown(m_file.string()));
    }
    const unsigned flags = m_existing == Existing::Keep ? RENAME_NOREPLACE : 0;
    if (::renameat2(AT_FDCWD, m_beside.c_str(), AT_FDCWD, m_file.c_str(), flags) == 0) {
        m_beside.clear();
        return {};
    }
    // A file system that cannot rename without replacing makes a second name instead; the first goes with this object.
    if (errno == EINVAL && flags != 0 && ::link(m_beside.c_str(), m_file.c_str()) == 0) {
        return {};
    }
    if (errno == EEXIST) {
        return fail(occupied(m_file));
    }
    return failErrno("cannot write " + shown(m_file.string()));
}

} // namespace carrel::cli
