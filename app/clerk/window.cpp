// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/window.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::clerk {

Window::Window(UniqueFd file)
    : m_file(std::move(file)) {
    struct stat info {};
    if (::fstat(m_file.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        m_size = static_cast<std::uint64_t>(info.st_size);
    }
}

bool Window::put(std::uint64_t offset, std::uint64_t offered, ByteSpan bytes) {
    if (bytes.size() > offered || offset > m_size || m_size - offset < bytes.size()) {
        return false;
    }
    while (!bytes.empty()) {
        const auto put = ::pwrite(m_file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return true;
}

} // namespace carrel::clerk
