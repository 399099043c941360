// SPDX-License-Identifier: Apache-2.0
// Many events as one transaction.
#include "app/activity/log_impl.h"

#include "guest/protocol/share_path.h"

namespace carrel::activity {

Status ActivityLog::append(std::span<const WrittenEvent> events) {
    const std::lock_guard lock(m_impl->mutex);
    const auto timeNs = nowNs();
    return m_impl->together([&](Head& last) -> Status {
        for (const auto& event : events) {
            if (event.subject.size() > kMaxSubjectBytes || event.detail.size() > kMaxDetailBytes) {
                return fail(ErrorCode::LimitExceeded, "the event is too long for the activity log");
            }
            if (!isUtf8(event.subject) || !isUtf8(event.detail)) {
                return fail(ErrorCode::Malformed, "the event is not UTF-8");
            }
            const StoredText text{toString(event.kind), toString(event.provenance), event.subject, event.detail};
            const auto hash = chainHash(last.hash, last.seq + 1, timeNs, text);
            if (!hash) {
                return fail(hash.error());
            }
            CARREL_TRY(m_impl->writer->write(last.seq + 1, timeNs, text, *hash));
            last = {last.seq + 1, *hash};
        }
        return {};
    });
}

} // namespace carrel::activity
