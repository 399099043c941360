// SPDX-License-Identifier: Apache-2.0
// For whoever watches what waits: a number that counts up with each state that a request takes, and each change of the rules.
// Owner: the engine; outlives the queue, whose listener it is. Thread: any.
#pragma once

#include "app/policy/approval_queue.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

namespace carrel::engine {

class ApprovalNews final : public policy::ApprovalListener {
public:
    void changed(const policy::Approval& approval, std::uint64_t number) override;
    void rulesChanged();
    [[nodiscard]] std::uint64_t mark() const;
    // The number, as soon as it is another one. Cancelled: stop.
    [[nodiscard]] Result<std::uint64_t> waitOther(std::optional<std::uint64_t> than, const std::stop_token& stop);

private:
    mutable std::mutex m_mutex;
    std::condition_variable_any m_news;
    std::uint64_t m_mark = 0;
};

} // namespace carrel::engine
