// SPDX-License-Identifier: Apache-2.0
#include "app/activity/verify_database.h"

#include "app/activity/event_rows.h"
#include "app/activity/recording_check.h"
#include "app/activity/schema.h"

#include <algorithm>
#include <cstring>

namespace carrel::activity {

namespace {

constexpr std::uint64_t kToldEvery = 50'000;

template <std::size_t size> bool copyBytes(const std::string& from, std::array<std::uint8_t, size>& to) {
    if (from.size() != size) {
        return false;
    }
    std::memcpy(to.data(), from.data(), size);
    return true;
}

std::string numbered(std::uint64_t seq) {
    return "event " + std::to_string(seq) + " of the activity log";
}

Error changed(std::string what) {
    return {ErrorCode::Conflict, std::move(what), {}, 0, nullptr};
}

// One walk through a log, event by event, beside its signed heads.
class Walk {
public:
    Walk(Database& database, const Trust& trust, const std::optional<Head>& expected, Verdict& verdict)
        : m_database(database)
        , m_trust(trust)
        , m_expected(expected)
        , m_verdict(verdict)
        , m_recordings(database) {
        if (trust.key) {
            m_key = trust.key;
        } else if (trust.kept) {
            m_key = trust.kept->key;
        }
    }
    // An error is what is wrong, and m_at where.
    [[nodiscard]] Status run(const std::function<void(std::uint64_t)>& told);
    [[nodiscard]] std::uint64_t at() const { return m_at; }

private:
    [[nodiscard]] Status begin();
    [[nodiscard]] Status readCut();
    [[nodiscard]] Status nextHead();
    [[nodiscard]] Status take(const EventRow& row);
    [[nodiscard]] Status meetHead();
    [[nodiscard]] Status meetKept();
    [[nodiscard]] Status end();
    [[nodiscard]] Status knownKey(const PublicKey& key, const std::string& what);

    Database& m_database;
    const Trust& m_trust;
    const std::optional<Head>& m_expected;
    Verdict& m_verdict;
    RecordingCheck m_recordings;
    std::optional<PublicKey> m_key; // whose signatures count; without one, the first that is met
    std::optional<Statement> m_heads;
    std::optional<SignedHead> m_nextHead;
    std::uint64_t m_at = 0; // the event that is looked at
};

Status Walk::knownKey(const PublicKey& key, const std::string& what) {
    if (!m_key) {
        m_key = key;
    }
    if (*m_key != key) {
        return fail(changed(what + " is signed by another key than the one that counts (" + textOf(*m_key) + ")"));
    }
    return {};
}

Status Walk::readCut() {
    auto select = m_database.prepare("SELECT seq, hash, time_ns, key, signature FROM cut ORDER BY seq DESC LIMIT 1");
    if (!select) {
        return fail(std::move(select).error());
    }
    auto any = select->step();
    if (!any) {
        return fail(std::move(any).error());
    }
    if (!*any) {
        return {};
    }
    SignedCut cut;
    cut.log = m_verdict.log;
    cut.seq = static_cast<std::uint64_t>(select->number(0));
    cut.timeNs = select->number(2);
    m_at = cut.seq + 1;
    if (!copyBytes(select->text(1), cut.hash) || !copyBytes(select->text(3), cut.key) || !copyBytes(select->text(4), cut.signature) ||
        !isGenuine(cut)) {
        return fail(changed("what says that events up to " + std::to_string(cut.seq) + " were left out of the activity log is not genuine"));
    }
    CARREL_TRY(knownKey(cut.key, "what says that events up to " + std::to_string(cut.seq) + " were left out"));
    m_verdict.last = {cut.seq, cut.hash};
    m_verdict.cut = cut;
    return {};
}

Status Walk::begin() {
    CARREL_TRY(checkTables(m_database)); // of the file as a whole: no event yet
    m_at = 1;
    auto own = m_database.prepare("SELECT id FROM log");
    if (!own) {
        return fail(std::move(own).error());
    }
    auto there = own->step();
    if (!there) {
        return fail(std::move(there).error());
    }
    if (!*there || !copyBytes(own->text(0), m_verdict.log)) {
        return fail(changed("the activity log has lost its name"));
    }
    if (m_trust.kept && m_trust.kept->log != m_verdict.log) {
        return fail(changed("this is another log than the one whose head was handed out"));
    }
    CARREL_TRY(readCut());
    auto heads = m_database.prepare("SELECT seq, hash, time_ns, reason, key, signature FROM signed_head ORDER BY seq");
    if (!heads) {
        return fail(std::move(heads).error());
    }
    m_heads.emplace(std::move(*heads));
    return nextHead();
}

Status Walk::nextHead() {
    m_nextHead.reset();
    auto any = m_heads->step();
    if (!any) {
        return fail(std::move(any).error());
    }
    if (!*any) {
        return {};
    }
    SignedHead head;
    head.log = m_verdict.log;
    head.seq = static_cast<std::uint64_t>(m_heads->number(0));
    head.timeNs = m_heads->number(2);
    head.reason = m_heads->text(3);
    if (!copyBytes(m_heads->text(1), head.hash) || !copyBytes(m_heads->text(4), head.key) || !copyBytes(m_heads->text(5), head.signature)) {
        m_at = head.seq;
        return fail(changed("the signature of " + numbered(head.seq) + " was changed"));
    }
    m_nextHead = std::move(head);
    return {};
}

// A head that was signed when the event was the newest one.
Status Walk::meetHead() {
    while (m_nextHead && m_nextHead->seq < m_at) { // of an event that is not there: of one that was cut, by the log's own rows
        return fail(changed("there is a signature of " + numbered(m_nextHead->seq) + ", which is not in it"));
    }
    if (!m_nextHead || m_nextHead->seq != m_at) {
        return {};
    }
    if (m_nextHead->hash != m_verdict.last.hash) {
        return fail(changed(numbered(m_at) + ", or one before it, is not the one that was signed: the log was written anew"));
    }
    if (!isGenuine(*m_nextHead)) {
        return fail(changed("the signature of " + numbered(m_at) + " is not genuine"));
    }
    CARREL_TRY(knownKey(m_nextHead->key, numbered(m_at)));
    m_verdict.newest = *m_nextHead;
    return nextHead();
}

Status Walk::meetKept() {
    if (m_trust.kept && m_trust.kept->seq == m_at && m_trust.kept->hash != m_verdict.last.hash) {
        return fail(changed(numbered(m_at) + ", or one before it, is not the one whose head was handed out: the log was written anew"));
    }
    if (m_expected && m_expected->seq == m_at && m_expected->hash != m_verdict.last.hash) {
        return fail(changed(numbered(m_at) + ", or one before it, is not the one that was seen: the log was written anew"));
    }
    return {};
}

Status Walk::take(const EventRow& row) {
    m_at = m_verdict.last.seq + 1;
    if (row.seq != m_at) {
        return fail(changed(row.seq < m_at ? numbered(row.seq) + " is one that was left out, and is there" :
                                             "event " + std::to_string(m_at) + " is missing from the activity log"));
    }
    auto hash = chainHash(m_verdict.last.hash, row.seq, row.timeNs, row.text());
    if (!hash) {
        return fail(std::move(hash).error());
    }
    if (*hash != row.hash) {
        return fail(changed(numbered(m_at) + ", or one before it, was changed"));
    }
    CARREL_TRY(m_recordings.meet(row));
    const Head before = m_verdict.last;
    m_verdict.last = {row.seq, *hash};
    Status met = meetKept();
    if (met) {
        met = meetHead();
    }
    if (!met) {
        m_verdict.last = before;
        return met;
    }
    if (m_verdict.first == 0) {
        m_verdict.first = row.seq;
    }
    return {};
}

Status Walk::end() {
    m_at = m_verdict.last.seq + 1;
    if (m_nextHead) {
        return fail(changed("event " + std::to_string(m_at) + " is missing: the activity log was signed up to " +
                            std::to_string(m_nextHead->seq) + ", and its end was cut off"));
    }
    std::uint64_t promised = m_trust.kept ? m_trust.kept->seq : 0;
    promised = m_expected ? std::max(promised, m_expected->seq) : promised;
    if (promised > m_verdict.last.seq) {
        return fail(changed("event " + std::to_string(m_at) + " is missing: the activity log went up to " + std::to_string(promised) +
                            " when its head was handed out; its end was cut off, or this is an older copy"));
    }
    return m_recordings.end();
}

Status Walk::run(const std::function<void(std::uint64_t)>& told) {
    CARREL_TRY(begin());
    auto select = m_database.prepare(std::string(kEventColumns) + "ORDER BY seq");
    if (!select) {
        return fail(std::move(select).error());
    }
    for (std::uint64_t count = 0;; ++count) {
        auto more = select->step();
        if (!more) {
            m_at = m_verdict.last.seq + 1;
            return fail(more.error().wrap("the activity log cannot be read from event " + std::to_string(m_at) + " on"));
        }
        if (!*more) {
            break;
        }
        auto row = eventRowOf(*select);
        if (!row) {
            m_at = m_verdict.last.seq + 1;
            return fail(std::move(row).error());
        }
        CARREL_TRY(take(*row));
        if (told && count % kToldEvery == kToldEvery - 1) {
            told(count + 1);
        }
    }
    CARREL_TRY(end());
    m_verdict.recorded = m_recordings.count();
    return {};
}

} // namespace

Result<Verdict> verifyDatabase(Database& database, const Trust& trust, const std::optional<Head>& expected,
                               const std::function<void(std::uint64_t events)>& told) {
    if (trust.kept && (!isGenuine(*trust.kept) || (trust.key && *trust.key != trust.kept->key))) {
        return fail(ErrorCode::InvalidArgument, "the head to compare with is not signed by the key that counts",
                    "Nothing was looked at. Use a head that \"carrel log head\" gave for this very installation.");
    }
    auto version = checkSchema(database);
    if (!version) {
        return fail(std::move(version).error());
    }
    if (*version < kSchemaVersion) {
        return fail(ErrorCode::Unsupported, "the activity log is of an earlier version of Carrel, which signed nothing",
                    "Once this version's engine has opened it, it can be checked.");
    }
    Verdict verdict;
    Walk walk(database, trust, expected, verdict);
    if (Status whole = walk.run(told); !whole) {
        verdict.wrong = Wrong{walk.at(), std::move(whole).error()};
    }
    return verdict;
}

Result<Verdict> verifyLog(const std::filesystem::path& file, const Trust& trust, const std::function<void(std::uint64_t events)>& told) {
    auto database = Database::openToRead(file);
    if (!database) {
        return fail(std::move(database).error());
    }
    return verifyDatabase(*database, trust, {}, told);
}

} // namespace carrel::activity
