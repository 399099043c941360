// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/inbox.h"

#include <sys/eventfd.h>

namespace carrel::runner {

void Inbox::add(Work work) {
    std::unique_lock lock(m_mutex);
    m_taken.wait(lock, [this] { return !m_work || m_isClosed; });
    if (m_isClosed) {
        return;
    }
    m_work = std::move(work);
    (void)::eventfd_write(m_wake, 1);
}

Inbox::Work Inbox::take() {
    Work work;
    {
        const std::lock_guard lock(m_mutex);
        work.swap(m_work);
    }
    m_taken.notify_one();
    return work;
}

void Inbox::close() {
    {
        const std::lock_guard lock(m_mutex);
        m_isClosed = true;
        m_work = nullptr;
    }
    m_taken.notify_all();
}

} // namespace carrel::runner
