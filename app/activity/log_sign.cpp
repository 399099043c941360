// SPDX-License-Identifier: Apache-2.0
// Signatures of a log's newest event.
#include "app/activity/log_impl.h"

#include <cstring>

namespace carrel::activity {

LogId ActivityLog::id() const {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->id;
}

void ActivityLog::signWith(std::shared_ptr<const SigningKey> key) {
    const std::lock_guard lock(m_impl->mutex);
    m_impl->key = std::move(key);
}

Result<std::optional<SignedHead>> ActivityLog::newestSignedHead() {
    const std::lock_guard lock(m_impl->mutex);
    return m_impl->newestSigned();
}

Result<std::optional<SignedHead>> ActivityLog::Impl::newestSigned() {
    auto select = database.prepare("SELECT seq, time_ns, reason, hash, key, signature FROM signed_head ORDER BY seq DESC LIMIT 1");
    if (!select) {
        return fail(std::move(select).error());
    }
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there) {
        return std::optional<SignedHead>{};
    }
    SignedHead out;
    out.log = id;
    out.seq = static_cast<std::uint64_t>(select->number(0));
    out.timeNs = select->number(1);
    out.reason = select->text(2);
    const auto hash = select->text(3);
    const auto by = select->text(4);
    const auto signature = select->text(5);
    if (hash.size() != out.hash.size() || by.size() != out.key.size() || signature.size() != out.signature.size()) {
        return fail(ErrorCode::Conflict, "the signature of event " + std::to_string(out.seq) + " of the activity log was changed");
    }
    std::memcpy(out.hash.data(), hash.data(), hash.size());
    std::memcpy(out.key.data(), by.data(), by.size());
    std::memcpy(out.signature.data(), signature.data(), signature.size());
    return std::optional(std::move(out));
}

Result<SignedHead> ActivityLog::signHead(std::string_view reason) {
    const std::lock_guard lock(m_impl->mutex);
    if (m_impl->head.seq == 0) {
        return fail(ErrorCode::NotFound, "nothing has happened yet that could be signed");
    }
    if (!m_impl->key) {
        return fail(ErrorCode::Unavailable, "the key that signs the activity log is not at hand",
                    "It is in your keyring: unlock that, and try again. Events are kept meanwhile.");
    }
    auto newest = m_impl->newestSigned();
    if (!newest) {
        return fail(std::move(newest).error());
    }
    const Head head = m_impl->head;
    if (*newest && (*newest)->seq == head.seq && (*newest)->key == m_impl->key->publicKey() && isGenuine(**newest)) {
        return **newest;
    }
    SignedHead made;
    made.log = m_impl->id;
    made.seq = head.seq;
    made.hash = head.hash;
    made.timeNs = nowNs();
    made.reason = reason;
    CARREL_TRY(m_impl->key->sign(made));
    auto insert = m_impl->database.prepare("INSERT OR REPLACE INTO signed_head VALUES (?, ?, ?, ?, ?, ?)");
    if (!insert) {
        return fail(std::move(insert).error());
    }
    insert->bind(1, static_cast<std::int64_t>(made.seq));
    insert->bindBlob(2, made.hash.data(), made.hash.size());
    insert->bind(3, made.timeNs);
    insert->bind(4, made.reason);
    insert->bindBlob(5, made.key.data(), made.key.size());
    insert->bindBlob(6, made.signature.data(), made.signature.size());
    if (auto done = insert->step(); !done) {
        return fail(done.error().wrap("the signature of the activity log could not be written down, so it is not handed out"));
    }
    return made;
}

} // namespace carrel::activity
