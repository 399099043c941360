// SPDX-License-Identifier: Apache-2.0
#include "guest/watch/watch_book.h"

#include <algorithm>
#include <limits>

namespace carrel::watch {

namespace {

constexpr std::chrono::seconds kFold{1};
// Where an event has what it stands for (watch_event.h).
constexpr std::size_t kCountAt = 1, kAfterTime = 13;

std::string keyOf(const Bytes& wire) {
    std::string key(asText(wire));
    std::fill(key.begin() + kCountAt, key.begin() + kAfterTime, '\0');
    return key;
}

std::string_view folderOf(std::string_view path) {
    return path.substr(0, path.find_last_of('/') + 1);
}

bool isNothing(const Lost& lost) {
    return lost == Lost{};
}

} // namespace

WatchBook::WatchBook(std::uint64_t book, Bounds bounds)
    : m_book(book)
    , m_bounds(bounds)
    , m_files(bounds.rate, bounds.burst)
    , m_folders(bounds.rate / 4, bounds.burst / 4)
    , m_others(bounds.rate / 4, bounds.burst / 4) {}

bool WatchBook::Budget::take(Clock::time_point now) {
    if (m_since != Clock::time_point{}) {
        m_left = std::min(m_burst, m_left + m_rate * std::chrono::duration<double>(now - m_since).count());
    }
    m_since = now;
    if (m_left < 1) {
        return false;
    }
    m_left -= 1;
    return true;
}

void WatchBook::add(const Event& event, Clock::time_point now) {
    if (!std::holds_alternative<Started>(event.what) && !std::holds_alternative<Ended>(event.what)) {
        addOther(event, now);
        return;
    }
    auto wire = toWire(event);
    if (!wire || m_bytes + wire->size() > m_bounds.bytes) {
        ++m_lost.programs;
        return;
    }
    append(std::move(*wire));
}

void WatchBook::addOther(const Event& event, Clock::time_point now) {
    const auto* file = std::get_if<FileDone>(&event.what);
    const bool isFile = file != nullptr || std::holds_alternative<Renamed>(event.what);
    auto& lost = isFile ? m_lost.files : std::holds_alternative<NetTried>(event.what) ? m_lost.connections : m_lost.rights;
    auto wire = toWire(event);
    if (!wire || m_bytes + wire->size() > m_bounds.bytes / 2) {
        lost += event.count;
        return;
    }
    auto key = keyOf(*wire);
    if (fold(key, event.count, now)) {
        return;
    }
    if (!(isFile ? m_files : m_others).take(now)) {
        if (file == nullptr) {
            lost += event.count;
            return;
        }
        Event all = event;
        all.what = FileDone{file->deed, 0, folderOf(file->path)};
        wire = toWire(all);
        key = wire ? keyOf(*wire) : std::string();
        if (!wire || fold(key, event.count, now)) {
            lost += wire ? 0 : event.count;
            return;
        }
        if (!m_folders.take(now)) {
            lost += event.count;
            return;
        }
    }
    m_recent.emplace(std::move(key), m_first + m_events.size());
    append(std::move(*wire));
}

bool WatchBook::fold(const std::string& key, std::uint32_t count, Clock::time_point now) {
    if (now - m_recentSince >= kFold) {
        m_recent.clear();
        m_recentSince = now;
    }
    const auto at = m_recent.find(key);
    if (at == m_recent.end()) {
        return false;
    }
    if (at->second <= m_handedOut) { // the host may have it already
        m_recent.erase(at);
        return false;
    }
    auto& wire = m_events[static_cast<std::size_t>(at->second - m_first)];
    const auto before = loadLe<std::uint32_t>(wire, kCountAt);
    const auto sum = before > std::numeric_limits<std::uint32_t>::max() - count ? std::numeric_limits<std::uint32_t>::max() : before + count;
    std::memcpy(wire.data() + kCountAt, &sum, sizeof sum);
    return true;
}

void WatchBook::append(Bytes wire) {
    m_bytes += wire.size();
    m_events.push_back(std::move(wire));
}

void WatchBook::lose(const Lost& more) {
    m_lost.restarted = m_lost.restarted || more.restarted;
    m_lost.programs += more.programs;
    m_lost.files += more.files;
    m_lost.connections += more.connections;
    m_lost.rights += more.rights;
}

bool WatchBook::hasNews(const Ask& ask) const {
    return m_first + m_events.size() > nextFor(ask) || !isNothing(m_lost);
}

Status WatchBook::acknowledge(const Ask& ask) {
    if (ask.book != m_book) {
        return {}; // whoever asks now knows none of them
    }
    if (ask.after > m_handedOut || ask.after + 1 < m_first) {
        return fail(ErrorCode::InvalidArgument, "the host asks for events that are not there");
    }
    while (m_first <= ask.after) {
        m_bytes -= m_events.front().size();
        m_events.pop_front();
        ++m_first;
    }
    return {};
}

Told WatchBook::handOut(const Ask& ask) {
    if (!isNothing(m_lost)) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        if (auto wire = toWire({1, std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()), {}, m_lost})) {
            append(std::move(*wire)); // there is always room for it
        }
        m_lost = {};
    }
    const auto from = nextFor(ask);
    Bytes events;
    std::size_t count = 0;
    for (auto at = static_cast<std::size_t>(from - m_first); at < m_events.size(); ++at, ++count) {
        const auto& wire = m_events[at];
        if (kBatchHeadBytes + events.size() + wire.size() > kMaxBatchBytes) {
            break;
        }
        events.insert(events.end(), wire.begin(), wire.end());
    }
    m_handedOut = std::max(m_handedOut, from + count - 1);
    return {m_book, from, batchOf(count, events), {}};
}

} // namespace carrel::watch
