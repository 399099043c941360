// SPDX-License-Identifier: Apache-2.0
// Private to the queue: one turn with its lock. Whoever listens is told after the lock is let go of, so that it may ask the
// queue again.
#pragma once

#include "app/policy/approval_queue.h"

namespace carrel::policy {

class ApprovalQueue::Turn {
public:
    explicit Turn(ApprovalQueue& queue)
        : m_queue(queue)
        , m_lock(queue.m_mutex)
        , now(queue.m_to.clock.now()) {}
    ~Turn() {
        m_lock.unlock();
        if (m_told.empty()) {
            return;
        }
        m_queue.m_changed.notify_all();
        if (m_queue.m_to.listener != nullptr) {
            for (const auto& [number, approval] : m_told) {
                m_queue.m_to.listener->changed(approval, number);
            }
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    void changed(std::uint64_t id) {
        if (const auto* of = m_queue.m_book.find(id)) {
            m_told.emplace_back(++m_queue.m_told, m_queue.copyOf(*of));
        }
    }

    // It is to be no more.
    void gone(Approval of) {
        of.state = ApprovalState::Cancelled;
        of.ended = EndReason::Gone;
        m_told.emplace_back(++m_queue.m_told, std::move(of));
    }

private:
    ApprovalQueue& m_queue;
    std::unique_lock<std::mutex> m_lock;
    std::vector<std::pair<std::uint64_t, Approval>> m_told;

public:
    const Moment now;
};

} // namespace carrel::policy
