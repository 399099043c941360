// SPDX-License-Identifier: Apache-2.0
// For whoever watches what waits: counts each state that a request takes, and each change of the rules and of the credentials.
// Owner: the engine; outlives the queue, whose listener it is. Thread: any.
#pragma once

#include "app/engine/news.h"
#include "app/policy/approval_queue.h"

namespace carrel::engine {

class ApprovalNews final : public policy::ApprovalListener {
public:
    void changed(const policy::Approval& /*approval*/, std::uint64_t /*number*/) override { m_news.changed(); }
    void rulesChanged() override { m_news.changed(); }
    void credentialsChanged() { m_news.changed(); }
    [[nodiscard]] std::uint64_t mark() const { return m_news.mark(); }
    [[nodiscard]] Result<std::uint64_t> waitOther(std::optional<std::uint64_t> than, const std::stop_token& stop) {
        return m_news.waitOther(than, stop);
    }

private:
    News m_news;
};

} // namespace carrel::engine
