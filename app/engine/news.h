// SPDX-License-Identifier: Apache-2.0
// For whoever watches something: a number that counts up with each change of it. Owner: the engine. Thread: any; a leaf, which
// calls nobody, so it may be told under any lock.
#pragma once

#include "guest/protocol/result.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>

namespace carrel::engine {

class News {
public:
    void changed();
    [[nodiscard]] std::uint64_t mark() const;
    // The number, as soon as it is another one. Cancelled: stop.
    [[nodiscard]] Result<std::uint64_t> waitOther(std::optional<std::uint64_t> than, const std::stop_token& stop);

private:
    mutable std::mutex m_mutex;
    std::condition_variable_any m_news;
    std::uint64_t m_mark = 0;
};

} // namespace carrel::engine
