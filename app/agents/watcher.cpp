// SPDX-License-Identifier: Apache-2.0
#include "app/agents/watcher.h"

#include "guest/protocol/plain_text.h"

#include <boost/json.hpp>

#include <algorithm>
#include <condition_variable>

namespace carrel::agents {

namespace json = boost::json;
using activity::EventKind;
using activity::Provenance;

namespace {

constexpr std::size_t kMany = 100; // events: there may be more at once
constexpr std::uint64_t kRowBytes = 150; // what a row takes besides its texts, about
constexpr std::uint64_t kLookBack = 8'000; // events, in search of how far the machine was heard

} // namespace

Watcher::Watcher(World world, Pace pace, watch::Ask from)
    : m_world(std::move(world))
    , m_pace(pace)
    , m_at(from)
    , m_room(pace.most)
    , m_roomOfPrograms(pace.mostPrograms)
    , m_thread([this](std::stop_token stop) { run(std::move(stop)); }) {}

Watcher::~Watcher() = default; // the thread is asked to end, and waited for

watch::Ask Watcher::lastHeard(activity::ActivityLog& log) {
    watch::Ask out;
    const auto end = log.head().seq;
    activity::Query query;
    query.kinds = {EventKind::ProgramStarted, EventKind::ProgramEnded, EventKind::FileWritten, EventKind::FileCreated, EventKind::FileDeleted,
                   EventKind::FileRenamed,    EventKind::FileMode,     EventKind::NetTried,    EventKind::RightsTried, EventKind::WatchLost};
    query.afterSeq = end > kLookBack ? end - kLookBack : 0;
    for (;;) {
        const auto page = log.query(query);
        if (!page || page->empty()) {
            return out;
        }
        for (const auto& each : *page) {
            const auto* book = each.event.detail.if_contains("book");
            const auto* number = each.event.detail.if_contains("number");
            if (book != nullptr && number != nullptr && book->is_number() && number->is_number()) {
                out.book = book->to_number<std::uint64_t>();
                out.after = number->to_number<std::uint64_t>();
            }
        }
        query.afterSeq = page->back().seq;
    }
}

void Watcher::rest(std::stop_token stop, std::chrono::milliseconds time) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    (void)never.wait_for(lock, stop, time, [] { return false; });
}

void Watcher::run(std::stop_token stop) {
    while (!stop.stop_requested()) {
        tellRefused();
        if (!m_world.isHeard()) {
            m_heard = Clock::now(); // it cannot be silent
            rest(stop, m_pace.again);
            continue;
        }
        hear(stop);
    }
}

void Watcher::hear(std::stop_token stop) {
    auto ask = m_at;
    ask.wait = m_pace.wait;
    const auto asked = Clock::now();
    const auto answer = m_world.ask(ask, stop);
    if (stop.stop_requested()) {
        return;
    }
    const auto taken = answer ? take(*answer) : Result<std::size_t>(fail(answer.error()));
    if (taken) {
        if (*taken < kMany) {
            rest(std::move(stop), *taken == 0 && Clock::now() - asked < m_pace.wait / 2 ? m_pace.again : m_pace.gather);
        }
        return;
    }
    const auto why = taken.error().text();
    if (!answer && answer.error().code == ErrorCode::InvalidArgument) {
        m_at = {}; // it knows nothing of what was heard before; some of it may be told twice
    }
    if (answer && taken.error().code != ErrorCode::Malformed) { // it did answer; it is the log that fails
        m_heard = Clock::now();
        if (!std::exchange(m_complained, true)) {
            m_world.complain(taken.error().wrap("What the agent's machine tells of its programs cannot be written down; it is asked again",
                                                "Make room on the disk").text());
        }
    } else if (m_world.isHeard()) {
        tellSilence(Clock::now(), why);
    }
    rest(std::move(stop), m_pace.again);
}

Result<std::size_t> Watcher::take(const json::object& answer) {
    auto told = watch::toldFrom(m_at, answer);
    if (!told) {
        return fail(std::move(told).error());
    }
    auto rows = m_rows.rowsOf(told->book, told->first, told->batch);
    if (!rows) {
        return fail(std::move(rows).error());
    }
    const auto count = rows->size();
    if (!rows->empty() && !m_room.take(*rows, m_pace.perSecond)) { // a flood of files hides no program
        const auto programs = m_rows.programsOf(told->book, told->first, told->batch);
        const bool fit = programs && m_roomOfPrograms.take(*programs, m_pace.perSecond);
        m_refused += fit ? count - programs->size() : count;
        m_refusedPrograms += programs && !fit ? programs->size() : 0;
        rows = fit ? *programs : std::vector<activity::WrittenEvent>();
    }
    if (!rows->empty()) {
        CARREL_TRY(m_world.record(*rows));
    }
    m_rows.done();
    m_at = {told->book, told->first + count - 1, {}};
    m_complained = false;
    heard(plainText(told->why, 300));
    return count;
}

// Where it does not, how far the machine was heard is not written down, either: after a restart it tells some of it again.
bool Watcher::Room::take(const std::vector<activity::WrittenEvent>& rows, std::uint64_t perSecond) {
    const auto now = Clock::now();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - m_refilled);
    m_refilled += seconds;
    m_left = std::min(m_most, m_left + static_cast<std::uint64_t>(seconds.count()) * perSecond);
    std::uint64_t bytes = 0;
    for (const auto& row : rows) {
        bytes += row.subject.size() + row.detail.size() + kRowBytes;
    }
    if (bytes > m_left) {
        return false;
    }
    m_left -= bytes;
    return true;
}

void Watcher::tellRefused() {
    const auto now = Clock::now();
    if (m_refused == 0 || (m_refusedTold != Clock::time_point{} && now - m_refusedTold < std::chrono::minutes(1))) {
        return;
    }
    m_refusedTold = now;
    if (note(EventKind::WatchLost, "more happens in the agent's machine than can be written down", {{"refused", m_refused}, {"programs", m_refusedPrograms}}, Provenance::Host)) {
        m_refused = m_refusedPrograms = 0;
    }
}

void Watcher::tellSilence(Clock::time_point now, const std::string& why) {
    if (m_isSilent || now - m_heard < m_pace.silence) {
        return;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - m_heard).count();
    m_isSilent = note(EventKind::WatchSilent, "the agent's machine runs and tells nothing of its programs",
                      {{"silent", true}, {"seconds", seconds}, {"why", plainText(why, 300)}}, Provenance::Host);
}

void Watcher::heard(const std::string& blind) {
    m_heard = Clock::now();
    if (m_isSilent) {
        m_isSilent = !note(EventKind::WatchSilent, "the agent's machine tells of its programs again", {{"silent", false}}, Provenance::Host);
    }
    if (blind != m_blind && note(EventKind::WatchSilent, blind.empty() ? "the machine sees its programs again" : "the machine does not see its programs",
                                 {{"silent", !blind.empty()}, {"why", blind}}, Provenance::Guest)) {
        m_blind = blind;
    }
}

bool Watcher::note(EventKind kind, std::string_view subject, const json::object& detail, Provenance by) {
    const auto text = json::serialize(detail);
    const activity::WrittenEvent event{kind, by, subject, text};
    return m_world.record(std::span(&event, 1)).has_value();
}

} // namespace carrel::agents
