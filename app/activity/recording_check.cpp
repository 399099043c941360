// SPDX-License-Identifier: Apache-2.0
#include "app/activity/recording_check.h"

#include "guest/protocol/strict_json.h"

#include <openssl/evp.h>

#include <cstring>

namespace carrel::activity {

Status RecordingCheck::meet(const EventRow& row) {
    if (row.kind != toString(EventKind::RecordingChunk) || row.provenance != toString(Provenance::Host)) {
        return {};
    }
    const std::string which = "what event " + std::to_string(row.seq) + " of the activity log recorded";
    auto detail = parseJsonObject(row.detail, JsonLimits{kMaxDetailBytes, 32});
    if (!detail) {
        return fail(ErrorCode::Malformed, "event " + std::to_string(row.seq) + " of the activity log cannot be read");
    }
    JsonFields fields(*detail, "recording.chunk");
    const auto recording = fields.number("recording", INT64_MAX);
    const auto number = fields.number("number", INT64_MAX);
    const auto named = fields.string("sha256", 64);
    if (!fields.finish()) {
        return fail(ErrorCode::Malformed, "event " + std::to_string(row.seq) + " of the activity log cannot be read");
    }
    if (!m_select) {
        auto select = m_database.prepare("SELECT sha256, data FROM recording_chunk WHERE recording = ? AND number = ?");
        if (!select) {
            return fail(std::move(select).error());
        }
        m_select.emplace(std::move(*select));
    }
    m_select->reset();
    m_select->bind(1, static_cast<std::int64_t>(recording));
    m_select->bind(2, static_cast<std::int64_t>(number));
    auto there = m_select->step();
    if (!there) {
        return fail(there.error().wrap(which + " cannot be read"));
    }
    if (!*there) {
        return fail(ErrorCode::Conflict, which + " is missing");
    }
    const auto data = m_select->text(1);
    Hash hash{};
    unsigned int length = 0;
    if (EVP_Digest(data.data(), data.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    const auto stored = m_select->text(0);
    m_select->reset();
    if (toHex(hash) != named || stored.size() != hash.size() || std::memcmp(stored.data(), hash.data(), hash.size()) != 0) {
        return fail(ErrorCode::Conflict, which + " was changed");
    }
    ++m_count;
    return {};
}

Status RecordingCheck::end() {
    auto select = m_database.prepare("SELECT count(*) FROM recording_chunk");
    if (!select) {
        return fail(std::move(select).error());
    }
    auto there = select->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (static_cast<std::uint64_t>(select->number(0)) != m_count) {
        return fail(ErrorCode::Conflict, "the activity log has pieces of recordings that no event of it names");
    }
    return {};
}

} // namespace carrel::activity
