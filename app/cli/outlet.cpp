// SPDX-License-Identifier: Apache-2.0
#include "app/cli/outlet.h"

#include <climits>
#include <utility>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::cli {

namespace {

// A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking (pipe(7)); a file never blocks.
std::size_t writableAtOnce(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? std::size_t{256} * 1024 : std::size_t{PIPE_BUF};
}

} // namespace

Outlet::Outlet(int fd)
    : m_fd(fd)
    , m_atOnce(writableAtOnce(fd)) {
    if (::isatty(fd) != 0) {
        m_filter.emplace();
    }
}

std::size_t Outlet::write() {
    if (m_broken) {
        return std::exchange(m_pending, {}).size();
    }
    std::size_t taken = 0;
    std::string_view next = m_pending;
    if (m_filter) {
        if (m_filtered.empty()) {
            taken = std::min(m_pending.size(), m_atOnce);
            m_filtered = m_filter->feed(std::string_view(m_pending).substr(0, taken));
            m_pending.erase(0, taken);
        }
        next = m_filtered;
    }
    next = next.substr(0, m_atOnce);
    if (next.empty()) {
        return taken;
    }
    const ssize_t written = ::write(m_fd, next.data(), next.size());
    if (written < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            m_broken = true;
            m_filtered.clear();
            taken += std::exchange(m_pending, {}).size();
        }
        return taken;
    }
    if (m_filter) {
        m_filtered.erase(0, static_cast<std::size_t>(written));
        return taken;
    }
    m_pending.erase(0, static_cast<std::size_t>(written));
    return static_cast<std::size_t>(written);
}

} // namespace carrel::cli
