// SPDX-License-Identifier: Apache-2.0
// Owner of one file descriptor; closes it when it goes. Every descriptor in Carrel is opened close-on-exec.
// Thread: move-only value. See open(2), close(2).
#pragma once

#include <unistd.h>

#include <utility>

namespace carrel {

class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) noexcept : m_fd(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.m_fd, -1));
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return m_fd; }
    [[nodiscard]] explicit operator bool() const noexcept { return m_fd >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(m_fd, -1); }
    void reset(int fd = -1) noexcept {
        if (m_fd >= 0) {
            ::close(m_fd); // EINTR from close(2) on Linux leaves the descriptor closed: never retry
        }
        m_fd = fd;
    }

private:
    int m_fd = -1;
};

} // namespace carrel
