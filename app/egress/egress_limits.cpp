// SPDX-License-Identifier: Apache-2.0
// What all connections may carry: told to the clerk, which holds to it to the byte, and counted here by the kernel, which a clerk that
// lies cannot change. On the Egress's own thread, but for setLimits(), usedToday() and what says that m_mutex is held.
#include "app/egress/egress.h"

#include "guest/protocol/byte_amount.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint64_t kLeastPiece = 64 * 1024, kMostPiece = 64 * 1024 * 1024;
constexpr std::uint64_t kPieces = 16; // of a day, at least
constexpr std::chrono::seconds kLookAtVolume{1}, kKeepVolume{60};

// What the clerk is given at once, and an engine that is killed has counted too much.
std::uint64_t pieceOf(std::uint64_t day) {
    return std::clamp(day / kPieces, kLeastPiece, kMostPiece);
}

std::uint64_t sumOf(const SocketCounts& bytes) {
    return bytes.sent + bytes.received;
}

} // namespace

std::uint64_t Egress::countAnew(Tally& tally, bool anotherDay) {
    auto all = tally.ended;
    for (const auto& [number, stream] : m_streams) {
        if (stream->phase == Phase::Open && stream->tally.get() == &tally) {
            const auto counts = countsOf(stream->socket.get());
            all += counts ? sumOf(since(stream->before, *counts)) : 0;
        }
    }
    if (anotherDay && tally.counted > all) { // what it said beyond what there was, it pays for today and not in advance
        tally.counted = all;
        tally.told = 0;
    }
    all = std::max(all, tally.told); // sent and not yet acknowledged, perhaps; a clerk can make it more, and never less
    const auto come = all > tally.counted ? all - tally.counted : 0;
    tally.counted += come;
    return come;
}

Egress::Used Egress::count(Tally& tally) {
    if (!m_to.volume) {
        return {};
    }
    const std::lock_guard counting(m_counting);
    const auto day = m_to.volume->day();
    const bool another = std::exchange(tally.day, day) != day;
    std::uint64_t come = 0, byClerk = 0;
    {
        const std::lock_guard lock(m_mutex);
        come = countAnew(tally, another);
        byClerk = tally.counted;
    }
    m_to.volume->add(come);
    return {m_to.volume->used(), byClerk};
}

std::uint64_t Egress::usedToday() {
    const auto tally = [this] {
        const std::lock_guard lock(m_mutex);
        return m_tally;
    }();
    return count(*tally).today;
}

void Egress::setLimits(const Limits& limits) {
    {
        const std::lock_guard lock(m_mutex);
        if (m_limits == limits) {
            return;
        }
        m_limits = limits;
    }
    post([this] { (void)meter(); });
}

// Whether more may be carried; without counting anew where the clerk has enough.
std::optional<Egress::No> Egress::limitNow() {
    bool known = false;
    std::uint64_t day = 0;
    {
        const std::lock_guard lock(m_mutex);
        day = m_limits.day;
        known = m_given && m_given->clerk == m_clerk && m_given->limits == m_limits && (!m_given->most || *m_given->most > m_tally->counted);
    }
    const bool spent = day != 0 && (!m_to.volume || m_to.volume->used() >= day);
    return known && !spent ? std::nullopt : meter();
}

std::optional<Egress::No> Egress::meter() {
    const auto [limits, clerk, tally] = [&] {
        const std::lock_guard lock(m_mutex);
        return std::tuple(m_limits, m_clerk, m_tally);
    }();
    const auto [spent, counted] = count(*tally);
    if (limits.day == 0) {
        tellLimits(clerk, limits, {});
        return std::nullopt;
    }
    if (!m_to.volume) {
        return endAll({Outcome::Limit, "how much this agent uses cannot be counted"});
    }
    const auto said = amountText(limits.day);
    if (spent >= limits.day) {
        if (m_to.volume->tellOnce(limits.day)) {
            activity::Event event;
            event.kind = EventKind::NetSpent;
            event.subject = said;
            event.detail = {{"alert", true}, {"day", limits.day}, {"used", spent}};
            m_to.record(std::move(event));
        }
        return endAll({Outcome::Limit, "This agent has used up the " + said + " that its owner lets it carry in a day. It goes on "
                                       "tomorrow, or when the owner allows more (carrel net limit)"});
    }
    const auto piece = std::min(limits.day - spent, pieceOf(limits.day));
    const bool current = m_given && m_given->clerk == clerk && m_given->limits == limits && m_given->most && *m_given->most > counted;
    const auto rest = current ? *m_given->most - counted : 0;
    const auto ahead = rest > piece / 2 ? rest : piece;
    if (auto covered = m_to.volume->cover(ahead); !covered) {
        return endAll({Outcome::Limit, "how much this agent has used today cannot be written down, so it does not go on"});
    }
    tellLimits(clerk, limits, counted + ahead);
    return std::nullopt;
}

void Egress::tellLimits(std::uint64_t clerk, const Limits& limits, std::optional<std::uint64_t> most) {
    const auto before = m_given && m_given->clerk == clerk ? *m_given : Given{clerk, {}, {}}; // as a new one has it
    m_given = Given{clerk, limits, most};
    if (before.limits.rate == limits.rate && before.most == most) {
        return;
    }
    json::object params;
    if (limits.rate != 0) {
        params["rate"] = limits.rate;
    }
    if (most) {
        params["most"] = *most;
    }
    say(clerk, "net.limits", std::move(params));
}

Egress::No Egress::endAll(No no) {
    struct One {
        StreamPtr stream;
        AskedPtr asked;
        bool open = false;
    };
    std::vector<One> all;
    std::set<std::uint64_t> waitedFor;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, stream] : m_streams) {
            all.push_back({stream, stream->asked, stream->phase == Phase::Open});
            waitedFor.insert(stream->asked ? stream->asked->waitsFor : stream->waitsFor);
        }
    }
    for (const auto& [stream, asked, open] : all) {
        if (asked) { // nothing goes on for it, and it can be told so in HTTP
            refuseRequest(stream, asked, no);
        } else if (!open) {
            refuse(stream, no);
        } else if (cut(stream, no.text)) {
            const std::lock_guard lock(m_mutex);
            m_traffic.failed(stream->to.text(), no.outcome, no.text, Clock::now());
        }
    }
    waitedFor.erase(0);
    for (const auto approval : waitedFor) { // what nobody may have any more is not asked either
        (void)m_to.queue->withdraw(m_to.agent, approval).has_value();
    }
    return no;
}

bool Egress::isMetered() const {
    const auto isOpen = [](const auto& each) { return each.second->phase == Phase::Open; };
    return m_to.volume && (m_tally->ended > m_tally->counted || (m_limits.day != 0 && std::any_of(m_streams.begin(), m_streams.end(), isOpen)));
}

// Once a second while there is something to be counted.
void Egress::meterIfDue() {
    const auto now = Clock::now();
    bool metered = false;
    {
        const std::lock_guard lock(m_mutex);
        metered = isMetered() && !m_stopped;
    }
    if (metered && now - m_metered >= kLookAtVolume) {
        m_metered = now;
        (void)meter();
        if (m_to.volume && now - m_settled >= kKeepVolume) { // what nobody limits, too
            m_settled = now;
            (void)m_to.volume->cover(0).has_value();
        }
    }
}

Status Egress::usedTold(std::uint64_t clerk, const UsedWord& word) {
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped || clerk != m_clerk) {
            return {};
        }
        if (m_work.size() >= kMaxOwed) {
            return fail(ErrorCode::LimitExceeded, "a clerk asks faster than it is answered");
        }
        m_tally->told = std::max(m_tally->told, std::min(word.bytes, kMostLimit));
    }
    post([this] { (void)meter(); });
    return {};
}

} // namespace carrel::egress
