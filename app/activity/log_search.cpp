// SPDX-License-Identifier: Apache-2.0
// Searching a log by words: SQLite's FTS5 (sqlite.org/fts5.html), over an index that is brought up to date when somebody searches, so
// that writing an event costs nothing for it.
#include "app/activity/log_impl.h"

#include <algorithm>

namespace carrel::activity {

namespace {

constexpr std::int64_t kIndexedAtOnce = 20'000; // events in one transaction: others may write in between
constexpr std::size_t kMaxWords = 32;
constexpr std::size_t kMaxWordsBytes = 1024;

// Each word as FTS5 takes it literally, whatever is in it: in quotes, those doubled. All must be there.
std::string expressionFrom(std::string_view words) {
    std::string out;
    std::size_t count = 0;
    for (std::size_t at = 0; at < words.size();) {
        at = words.find_first_not_of(" \t\n\r", at);
        if (at == std::string_view::npos || count == kMaxWords) {
            break;
        }
        const auto end = std::min(words.find_first_of(" \t\n\r", at), words.size());
        auto word = words.substr(at, end - at);
        at = end;
        const bool begins = word.size() > 1 && word.ends_with('*');
        if (begins) {
            word.remove_suffix(1);
        }
        out += count++ == 0 ? "\"" : " \"";
        for (const char each : word) {
            if (each != '\0') {
                out += each == '"' ? "\"\"" : std::string(1, each);
            }
        }
        out += begins ? "\"*" : "\"";
    }
    return out;
}

} // namespace

Status ActivityLog::Impl::indexWords() {
    for (;;) {
        auto known = database.prepare("SELECT seq FROM event_words_up_to");
        if (!known) {
            return fail(std::move(known).error());
        }
        auto there = known->step();
        if (!there) {
            return fail(std::move(there).error());
        }
        const auto from = *there ? known->number(0) : 0;
        if (static_cast<std::uint64_t>(from) >= head.seq) {
            return {};
        }
        known->reset();
        const auto to = std::min<std::int64_t>(from + kIndexedAtOnce, static_cast<std::int64_t>(head.seq));
        const auto range = "seq > " + std::to_string(from) + " AND seq <= " + std::to_string(to);
        Status indexed = together([&](Head&) -> Status {
            CARREL_TRY(database.run("INSERT INTO event_words (rowid, kind, subject, detail) SELECT seq, kind, subject, detail FROM event WHERE " + range));
            return database.run("INSERT OR REPLACE INTO event_words_up_to VALUES (1, " + std::to_string(to) + ")");
        });
        if (!indexed) {
            return indexed;
        }
    }
}

Result<std::vector<Recorded>> ActivityLog::search(const SearchQuery& query) {
    const auto expression = expressionFrom(query.words);
    if (expression.empty() || query.words.size() > kMaxWordsBytes) {
        return fail(ErrorCode::InvalidArgument, expression.empty() ? "there is no word to look for" : "these are too many words to look for",
                    "Write the words that must all be there; receipt* finds all that begin so.");
    }
    const std::lock_guard lock(m_impl->mutex);
    const auto once = [&]() -> Result<std::vector<Recorded>> {
        CARREL_TRY(m_impl->indexWords());
        std::string sql(kEventColumns);
        sql.replace(sql.find("FROM event "), 11, "FROM event_words JOIN event ON event.seq = event_words.rowid ");
        // Columns of the two have the same names.
        sql.replace(0, sql.find(" FROM"), "SELECT event.seq, event.time_ns, event.kind, event.provenance, event.subject, event.detail, event.hash");
        sql += "WHERE event_words MATCH ?1 AND event_words.rowid < ?2 ORDER BY event_words.rowid DESC LIMIT ?3";
        auto select = m_impl->database.prepare(sql);
        if (!select) {
            return fail(std::move(select).error());
        }
        select->bind(1, expression);
        select->bind(2, static_cast<std::int64_t>(std::min<std::uint64_t>(query.beforeSeq.value_or(INT64_MAX), INT64_MAX)));
        select->bind(3, static_cast<std::int64_t>(std::min(query.limit, kMaxQueryEvents)));
        std::vector<Recorded> events;
        for (;;) {
            auto more = select->step();
            if (!more) {
                return fail(std::move(more).error());
            }
            if (!*more) {
                return events;
            }
            auto row = eventRowOf(*select);
            auto recorded = row ? recordedOf(std::move(*row)) : fail(std::move(row).error());
            if (!recorded) {
                return fail(std::move(recorded).error());
            }
            events.push_back(std::move(*recorded));
        }
    };
    auto found = once();
    if (found || found.error().code != ErrorCode::Malformed) {
        return found;
    }
    // A damaged index, or a damaged event: the index can be made anew.
    CARREL_TRY(m_impl->database.run("INSERT INTO event_words (event_words) VALUES ('rebuild')"));
    CARREL_TRY(m_impl->database.run("INSERT OR REPLACE INTO event_words_up_to VALUES (1, " + std::to_string(m_impl->head.seq) + ")"));
    return once();
}

} // namespace carrel::activity
