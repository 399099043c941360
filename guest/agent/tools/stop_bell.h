// SPDX-License-Identifier: Apache-2.0
// What tells a poll(2) of a stop_token. Thread: one owner; the token may be stopped from any. See eventfd(2).
#pragma once

#include "guest/protocol/unique_fd.h"

#include <cstdint>
#include <stop_token>
#include <sys/eventfd.h>

namespace carrel::agent {

class StopBell {
public:
    explicit StopBell(const std::stop_token& stop)
        : m_bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
        , m_rings(stop, Ring{m_bell.get()}) {}
    [[nodiscard]] int fd() const { return m_bell.get(); } // readable once it was stopped; -1: there is none to be had

private:
    struct Ring {
        int fd;
        void operator()() const {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto done = ::write(fd, &one, sizeof one);
        }
    };
    UniqueFd m_bell;
    std::stop_callback<Ring> m_rings; // goes before the bell does
};

} // namespace carrel::agent
