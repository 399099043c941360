// SPDX-License-Identifier: Apache-2.0
// The connections of the agent's programs that came to nothing, the last net::kMaxRefusals of them: a program sees no more than a reset,
// and learns here what the host said (carrel-ask why). One that comes again, with the same words, is counted and not kept twice, so
// that a program that tries for ever pushes no other out. Of the present start of the machine; nothing of it is on any disk.
//
// Thread: any.
#pragma once

#include "guest/protocol/net_refusals.h"

#include <functional>
#include <mutex>

namespace carrel::guestd {

class RefusalBook {
public:
    using Now = std::function<std::uint64_t()>; // seconds since 1970
    explicit RefusalBook(Now now = byTheClock)
        : m_now(std::move(now)) {}
    RefusalBook(const RefusalBook&) = delete;
    RefusalBook& operator=(const RefusalBook&) = delete;

    void note(const net::Opening& meant, const net::Answer& answer);
    [[nodiscard]] net::Refusals list(const net::RefusalsWanted& wanted) const; // newest first

    [[nodiscard]] static std::uint64_t byTheClock();

private:
    const Now m_now;
    mutable std::mutex m_mutex;
    net::Refusals m_refusals; // newest last
};

} // namespace carrel::guestd
