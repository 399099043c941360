// SPDX-License-Identifier: Apache-2.0
#include "app/egress/egress.h"

#include "app/egress/forwards.h"

#include <algorithm>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kLookAtTraffic{1};

json::object detailOf(const TrafficRow& row) {
    json::object out{{"outcome", toString(row.outcome)}, {"begun", row.begun}};
    if (row.outcome == Outcome::Open) {
        out["ended"] = row.ended;
        out["sent"] = row.bytes.sent;
        out["received"] = row.bytes.received;
    }
    if (row.unchecked) {
        out["address"] = "unchecked";
    }
    if (!row.why.empty()) {
        out["why"] = row.why;
    }
    return out;
}

bool isByRules(const auto& needs) {
    return std::all_of(needs.begin(), needs.end(), [](const auto& need) { return need.rule != 0; });
}

} // namespace

std::shared_ptr<Egress> Egress::make(Setup setup) {
    std::shared_ptr<Egress> out(new Egress(std::move(setup)));
    out->m_thread = std::jthread([raw = out.get()](const std::stop_token& stop) { raw->run(stop); });
    return out;
}

Egress::Egress(Setup setup)
    : m_to(std::move(setup))
    , m_forwards(Forwards::make({m_to.agent, m_to.session, m_to.rules, m_to.grants, m_to.record, m_to.decided, {}}))
    , m_mode(m_to.mode)
    , m_limits(m_to.limits)
    , m_minute(Clock::now()) {}

Egress::~Egress() {
    stop();
}

void Egress::run(const std::stop_token& stop) {
    for (;;) {
        std::function<void()> next;
        {
            std::unique_lock lock(m_mutex);
            const auto due = [&] { return !m_work.empty(); };
            if (m_traffic.holdsAny() || isMetered()) {
                (void)m_news.wait_for(lock, stop, kLookAtTraffic, due);
            } else {
                (void)m_news.wait(lock, stop, [&] { return due() || m_traffic.holdsAny() || isMetered(); });
            }
            if (!m_work.empty()) {
                next = std::move(m_work.front());
                m_work.pop_front();
            } else if (stop.stop_requested()) {
                return;
            }
        }
        if (next) {
            next();
        }
        meterIfDue();
        writeTraffic(TrafficBook::Which::Due);
    }
}

void Egress::post(std::function<void()> work) {
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped) {
            return;
        }
        m_work.push_back(std::move(work));
    }
    m_news.notify_all();
}

void Egress::writeTraffic(TrafficBook::Which which) {
    std::vector<TrafficRow> rows;
    {
        const std::lock_guard lock(m_mutex);
        rows = m_traffic.take(Clock::now(), which);
    }
    for (const auto& row : rows) {
        activity::Event event;
        event.kind = EventKind::NetTraffic;
        event.subject = row.destination;
        event.detail = detailOf(row);
        m_to.record(std::move(event));
    }
}

std::uint64_t Egress::attach(std::shared_ptr<ClerkLine> line) {
    const auto mode = [this] {
        const std::lock_guard lock(m_mutex);
        return m_mode;
    }();
    // Before anybody else can speak to it, so that it is the first that it hears.
    line->say("net.mode", {{"offline", mode == NetMode::Offline}}, -1);
    std::uint64_t clerk = 0;
    bool changed = false;
    {
        const std::lock_guard lock(m_mutex);
        m_line = line;
        clerk = ++m_clerk;
        m_tally = std::make_shared<Tally>();
        changed = m_mode != mode;
    }
    m_forwards->attach(clerk, std::move(line));
    if (changed) {
        sayMode(clerk);
    }
    post([this, clerk] {
        (void)meter(); // before it is handed a connection
        tellPlaceholders(clerk, IfNone::SayNothing);
        tellCanaries(clerk, IfNone::SayNothing);
    });
    return clerk;
}

void Egress::sayMode(std::uint64_t clerk) {
    post([this, clerk] {
        const auto mode = [this] {
            const std::lock_guard lock(m_mutex);
            return m_mode;
        }();
        say(clerk, "net.mode", {{"offline", mode == NetMode::Offline}});
    });
}

void Egress::detach(std::uint64_t clerk) {
    std::map<std::uint64_t, StreamPtr> gone;
    std::shared_ptr<ClerkLine> line;
    std::shared_ptr<Tally> tally;
    {
        const std::lock_guard lock(m_mutex);
        if (clerk != m_clerk) {
            return;
        }
        gone.swap(m_streams);
        line.swap(m_line);
        ++m_clerk; // whatever it still says is nobody's
        tally = std::exchange(m_tally, std::make_shared<Tally>());
    }
    m_forwards->detach(clerk);
    for (const auto& [number, stream] : gone) {
        ended(stream, std::nullopt);
    }
    (void)count(*tally); // what ended before, too; what another ends now, is counted there
}

void Egress::setMode(NetMode mode) {
    struct Dropped {
        StreamPtr stream;
        std::uint64_t waitedFor = 0;
        bool open = false;
    };
    std::vector<Dropped> dropped;
    std::vector<std::pair<StreamPtr, AskedPtr>> unanswered; // requests that a person is asked about, and may not be any more
    std::uint64_t clerk = 0;
    {
        const std::lock_guard lock(m_mutex);
        m_mode = mode;
        clerk = m_clerk;
        for (const auto& [number, stream] : m_streams) {
            const bool stays = mode == NetMode::Ask ||
                               (mode == NetMode::Allowlist && (stream->phase == Phase::Deciding ||
                                                               (stream->phase != Phase::Waiting && isByRules(stream->needs))));
            if (!stays) {
                dropped.push_back({stream, stream->waitsFor, stream->phase == Phase::Open});
            }
            if (mode != NetMode::Ask && stream->asked && (stream->asked->waitsFor != 0 || stream->asked->inLine)) {
                unanswered.emplace_back(stream, stream->asked);
            }
        }
    }
    const No no = mode == NetMode::Offline ? No{Outcome::Offline, "the agent has no network now"}
                                           : No{Outcome::Denied, "no rule of the owner's allows it"};
    std::set<std::uint64_t> waitedFor;
    for (const auto& each : dropped) {
        if (each.open) {
            cut(each.stream, no.text);
        } else {
            refuse(each.stream, no);
        }
        waitedFor.insert(each.waitedFor);
    }
    for (const auto& [stream, asked] : unanswered) {
        {
            const std::lock_guard lock(m_mutex);
            waitedFor.insert(asked->waitsFor);
        }
        post([this, stream = stream, asked = asked, no] { refuseRequest(stream, asked, no); });
    }
    waitedFor.erase(0);
    for (const auto approval : waitedFor) { // what nobody may have any more is not asked either
        (void)m_to.queue->withdraw(m_to.agent, approval).has_value();
    }
    sayMode(clerk);
}

void Egress::approvalChanged(const policy::Approval& approval) {
    if (approval.agent != m_to.agent || approval.state == policy::ApprovalState::Open) {
        return;
    }
    bool awaited = false;
    bool inLine = false; // whatever that question was about, there is room for another one
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, stream] : m_streams) {
            awaited = awaited || stream->waitsFor == approval.id || (stream->asked && stream->asked->waitsFor == approval.id);
            inLine = inLine || isInLine(*stream);
        }
    }
    if (awaited) {
        post([this, id = approval.id] { settle(id); });
    }
    if (inLine) {
        post([this] { nextInLine(); });
    }
}

void Egress::rulesChanged() {
    const bool inLine = [&] {
        const std::lock_guard lock(m_mutex);
        return std::any_of(m_streams.begin(), m_streams.end(), [](const auto& each) { return isInLine(*each.second); });
    }();
    if (inLine) { // one of them may need nobody's answer any more
        post([this] { nextInLine(); });
    }
}

std::vector<LiveConnection> Egress::live() const {
    std::vector<LiveConnection> out;
    const std::lock_guard lock(m_mutex);
    for (const auto& [number, stream] : m_streams) {
        if (stream->phase != Phase::Open) {
            continue;
        }
        out.push_back(describe(*stream));
    }
    return out;
}

LiveConnection Egress::describe(const Stream& stream) const {
    const auto counts = countsOf(stream.socket.get());
    LiveConnection out{stream.shown, stream.to, stream.at, stream.treat, 0, 0, counts ? since(stream.before, *counts) : SocketCounts{},
                       std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - stream.since)};
    for (const auto& need : stream.needs) {
        out.rule = need.rule != 0 ? need.rule : out.rule;
        out.approval = need.approval != 0 ? need.approval : out.approval;
    }
    return out;
}

std::size_t Egress::waiting() const {
    const std::lock_guard lock(m_mutex);
    return static_cast<std::size_t>(
        std::count_if(m_streams.begin(), m_streams.end(), [](const auto& each) { return each.second->phase != Phase::Open; }));
}

void Egress::stop() {
    std::uint64_t clerk = 0;
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped) {
            return;
        }
        m_stopped = true;
        m_work.clear();
        clerk = m_clerk;
    }
    m_forwards->stop();
    detach(clerk);
    m_thread.request_stop();
    if (m_thread.joinable()) {
        m_thread.join();
    }
    writeTraffic(TrafficBook::Which::All);
    if (m_to.volume) {
        m_to.volume->settle();
    }
}

} // namespace carrel::egress
