// SPDX-License-Identifier: Apache-2.0
#include "app/engine/news.h"

namespace carrel::engine {

void News::changed() {
    const std::lock_guard lock(m_mutex);
    ++m_mark;
    m_news.notify_all();
}

std::uint64_t News::mark() const {
    const std::lock_guard lock(m_mutex);
    return m_mark;
}

Result<std::uint64_t> News::waitOther(std::optional<std::uint64_t> than, const std::stop_token& stop) {
    std::unique_lock lock(m_mutex);
    if (!m_news.wait(lock, stop, [&] { return !than || *than != m_mark; })) {
        return fail(ErrorCode::Cancelled, "nobody watches any more");
    }
    return m_mark;
}

} // namespace carrel::engine
