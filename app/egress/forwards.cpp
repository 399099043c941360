// SPDX-License-Identifier: Apache-2.0
#include "app/egress/forwards.h"

#include "app/egress/break_off.h"
#include "app/egress/egress.h"
#include "app/egress/peer_owner.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace carrel::egress {

namespace json = boost::json;
using activity::EventKind;

namespace {

constexpr std::size_t kNameBytes = 16;
constexpr int kBacklog = 64;
constexpr int kAcceptTurn = 32; // then the others have theirs
constexpr int kBindTries = 16;  // until a port is free of both addresses

Result<std::string> randomName() {
    std::array<unsigned char, kNameBytes> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return failErrno("finding a name for it");
    }
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const auto byte : bytes) {
        out += {kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
    return out + ".localhost";
}

struct Bound {
    UniqueFd listener, reserved;
    std::uint16_t port = 0;
};

// Without SO_REUSEADDR: nobody can be there already, and nobody comes beside it.
Result<Bound> bindToLoopback() {
    for (int i = 0; i < kBindTries; ++i) {
        Bound out;
        out.listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof v4;
        auto* const name4 = reinterpret_cast<sockaddr*>(&v4);
        if (!out.listener || ::bind(out.listener.get(), name4, sizeof v4) != 0 || ::getsockname(out.listener.get(), name4, &size) != 0) {
            return failErrno("taking a port of this computer's loopback");
        }
        out.port = ntohs(v4.sin_port);
        out.reserved = UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int yes = 1;
        (void)::setsockopt(out.reserved.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = v4.sin_port;
        v6.sin6_addr = in6addr_loopback;
        if (!out.reserved || ::bind(out.reserved.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6) == 0 || errno == EADDRNOTAVAIL) {
            return out; // or there is no such address here, and so nobody at it
        }
    }
    return fail(ErrorCode::Io, "no port of this computer's loopback is free", "Try again");
}

bool isThisUsers(int socket) {
    const auto owner = ownerOfPeer(socket);
    return owner && *owner == ::geteuid();
}

activity::Event eventOf(EventKind kind, const Forward& forward, json::object detail) {
    activity::Event event;
    event.kind = kind;
    event.subject = std::to_string(forward.port);
    event.detail = std::move(detail);
    return event;
}

json::object placeOf(const Forward& forward) {
    return {{"number", forward.number}, {"host", forward.host}, {"at", forward.at}};
}

SocketCounts sum(const SocketCounts& a, const SocketCounts& b) {
    return {a.sent + b.sent, a.received + b.received};
}

tl::unexpected<Error> noSuch(std::uint64_t number) {
    return fail(ErrorCode::NotFound, "there is no forward " + std::to_string(number) + " of this agent, or it has ended",
                "See: carrel forward list NAME");
}

} // namespace

std::string forwardMeaning() {
    return "Its pages run in your browser, which reaches the internet. Carrel keeps them from ordinary requests to any other place; but not from "
           "leading the browser to another address, from having names looked up, nor in most browsers from direct connections (WebRTC), which "
           "you do not see. By these, all that the agent has seen can leave this computer. What you type into such a page the agent knows.";
}

policy::Request forwardRequest(const std::string& agent, const std::string& session, std::uint16_t port) {
    policy::Request out;
    out.agent = agent;
    out.session = session;
    out.action = policy::Action::Forward;
    out.risk = policy::Risk::High;
    out.fields = {{"port", std::to_string(port)}};
    return out;
}

std::string Forward::url() const {
    return "http://" + host + ":" + std::to_string(at) + "/";
}

std::shared_ptr<Forwards> Forwards::make(Setup setup) {
    return std::shared_ptr<Forwards>(new Forwards(std::move(setup)));
}

Forwards::Forwards(Setup setup)
    : m_to([&] {
        if (!setup.mayIn) {
            setup.mayIn = isThisUsers;
        }
        return std::move(setup);
    }())
    , m_wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Forwards::~Forwards() {
    stop();
}

void Forwards::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t done = ::write(m_wake.get(), &one, sizeof one);
}

Result<Forward> Forwards::open(const Wanted& wanted) {
    const auto item = forwardRequest(m_to.agent, m_to.session, wanted.port);
    CARREL_TRY(check(item));
    const auto verdict = m_to.rules->decide(std::span(&item, 1));
    if (verdict.trouble) {
        return fail(verdict.trouble->wrap("Nothing can be forwarded now", verdict.trouble->hint));
    }
    if (verdict.answer == policy::Answer::Deny) {
        const auto rule = std::to_string(verdict.rule ? verdict.rule->id : 0);
        return fail(ErrorCode::Refused, "Rule " + rule + " denies it, and a rule that denies always wins",
                    "See it: carrel rules show " + rule + ". Take it away first, then try again");
    }
    const std::lock_guard one(m_opening);
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(m_mutex);
        if (m_stopped) {
            return fail(ErrorCode::Unavailable, "the agent's machine does not run", "Start the agent first");
        }
        if (m_entries.size() >= kMaxForwards) {
            return fail(ErrorCode::LimitExceeded, "too much of this agent is forwarded already", "Close one first: carrel forward list NAME");
        }
        number = m_next++;
    }
    auto bound = bindToLoopback();
    auto name = randomName();
    if (!bound || !name) {
        return fail(!bound ? std::move(bound).error() : std::move(name).error());
    }
    Entry made;
    made.facts.number = number;
    made.facts.port = wanted.port;
    made.facts.host = std::move(*name);
    made.facts.at = bound->port;
    made.facts.untilMs = wanted.untilMs;
    made.listener = std::make_shared<UniqueFd>(std::move(bound->listener));
    made.reserved = std::move(bound->reserved);
    made.since = Clock::now();
    const auto facts = made.facts;
    const auto listener = made.listener;

    auto detail = placeOf(facts);
    detail["by"] = "owner";
    if (wanted.approval != 0) {
        detail["approval"] = wanted.approval;
    }
    if (wanted.untilMs) {
        detail["until"] = activity::formatTime(*wanted.untilMs * 1'000'000);
    }
    if (!m_to.decided) {
        return fail(ErrorCode::Unavailable, "it cannot be written down, so it does not happen");
    }
    CARREL_TRY(m_to.decided(eventOf(EventKind::ForwardOpened, facts, std::move(detail))));
    {
        const std::lock_guard lock(m_mutex);
        m_entries.emplace(number, std::move(made));
    }
    policy::Grant grant{m_to.agent, m_to.session, {item}, 0, 0, wanted.untilMs, true};
    auto granted = m_to.grants->add(std::move(grant), [self = weak_from_this(), number](const policy::Grant&, const std::string& why) {
        if (const auto all = self.lock()) {
            (void)all->end(number, why);
        }
    });
    if (!granted) {
        (void)end(number, granted.error().message);
        return fail(std::move(granted).error());
    }
    const auto failed = [&]() -> std::optional<Error> {
        const std::lock_guard lock(m_mutex);
        const auto at = m_entries.find(number);
        if (m_stopped || at == m_entries.end()) {
            return Error{ErrorCode::Cancelled, "it ended as it began: a rule denies it by now, or the agent is being stopped", "Try again", 0, {}};
        }
        at->second.grant = *granted;
        if (::listen(listener->get(), kBacklog) != 0) {
            return failErrno("listening at this computer's loopback").value();
        }
        at->second.listens = true;
        if (!m_thread.joinable()) {
            m_thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
        }
        return std::nullopt;
    }();
    if (failed) {
        m_to.grants->remove(*granted);
        (void)end(number, failed->message);
        return fail(*failed);
    }
    wake();
    return facts;
}

bool Forwards::end(std::uint64_t number, const std::string& why) {
    Entry gone;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_entries.find(number);
        if (at == m_entries.end()) {
            return false;
        }
        at->second.listens = false;
        (void)::shutdown(at->second.listener->get(), SHUT_RDWR); // from here on nobody gets in
        std::vector<std::uint64_t> open;
        for (const auto& [connection, of] : m_connections) {
            if (of.forward == number) {
                open.push_back(connection);
            }
        }
        for (const auto connection : open) {
            letGo(connection, Broken::Yes);
            m_cut.push_back(connection);
        }
        gone = std::move(at->second);
        m_entries.erase(at);
        if (m_ended.size() >= kMaxForwardsEnded) {
            m_ended.erase(m_ended.begin());
        }
        m_ended.emplace(number, why);
    }
    m_news.notify_all();
    wake();
    if (gone.grant != 0) {
        m_to.grants->remove(gone.grant);
    }
    if (gone.hasNews()) {
        m_to.record(takeRow(gone));
    }
    auto detail = placeOf(gone.facts);
    detail["why"] = plainText(why, kMaxOutcomeText);
    m_to.record(eventOf(EventKind::ForwardClosed, gone.facts, std::move(detail)));
    return true;
}

Status Forwards::close(std::uint64_t number, const std::string& why) {
    return end(number, why) ? Status() : noSuch(number);
}

void Forwards::closeAll(const std::string& why) {
    std::vector<std::uint64_t> all;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& [number, entry] : m_entries) {
            all.push_back(number);
        }
    }
    for (const auto number : all) {
        (void)end(number, why);
    }
}

std::vector<Forward> Forwards::list() const {
    std::vector<Forward> out;
    const auto now = Clock::now();
    const std::lock_guard lock(m_mutex);
    for (const auto& [number, entry] : m_entries) {
        if (!entry.listens) {
            continue;
        }
        auto one = entry.facts;
        one.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.since);
        for (const auto& [id, connection] : m_connections) {
            if (connection.forward == number) {
                one.bytes = sum(one.bytes, countsOf(connection.socket.get()).value_or(SocketCounts{}));
            }
        }
        out.push_back(std::move(one));
    }
    return out;
}

Result<std::string> Forwards::waitEnded(std::uint64_t number, std::stop_token stop) const {
    std::unique_lock lock(m_mutex);
    (void)m_news.wait(lock, stop, [&] { return !m_entries.contains(number); });
    if (m_entries.contains(number)) {
        return fail(ErrorCode::Cancelled, "nobody waits for it any more");
    }
    const auto at = m_ended.find(number);
    return at == m_ended.end() ? Result<std::string>(noSuch(number)) : at->second;
}

void Forwards::attach(std::uint64_t clerk, std::shared_ptr<ClerkLine> line) {
    const std::lock_guard lock(m_mutex);
    m_line = std::move(line);
    m_clerk = clerk;
    m_cut.clear();
}

void Forwards::detach(std::uint64_t clerk) {
    const std::lock_guard lock(m_mutex);
    if (clerk != m_clerk) {
        return;
    }
    while (!m_connections.empty()) {
        letGo(m_connections.begin()->first, Broken::Yes);
    }
    m_line.reset();
    m_clerk = 0;
    m_cut.clear();
}

void Forwards::closed(std::uint64_t clerk, std::uint64_t connection) {
    const std::lock_guard lock(m_mutex);
    if (clerk == m_clerk && m_connections.contains(connection)) { // else it was cut at the same time
        letGo(connection, Broken::No);
        wake(); // there is something to be written down
    }
}

void Forwards::letGo(std::uint64_t connection, Broken broken) {
    const auto at = m_connections.find(connection);
    const auto& of = at->second;
    if (const auto entry = m_entries.find(of.forward); entry != m_entries.end()) {
        auto& its = entry->second;
        const auto counts = countsOf(of.socket.get()).value_or(SocketCounts{});
        its.facts.bytes = sum(its.facts.bytes, counts);
        its.bytes = sum(its.bytes, counts);
        --its.facts.open;
        ++its.ended;
    }
    // Whoever else has a descriptor of it does not go on with what nobody lists any more.
    if (broken == Broken::Yes) {
        breakOff(of.socket.get());
    } else {
        (void)::shutdown(of.socket.get(), SHUT_RDWR);
    }
    m_connections.erase(at);
}

void Forwards::run(const std::stop_token& stop) {
    struct Looked {
        std::uint64_t number;
        std::shared_ptr<UniqueFd> listener;
    };
    while (!stop.stop_requested()) {
        std::vector<Looked> looked;
        std::vector<pollfd> polled{{m_wake.get(), POLLIN, 0}};
        std::optional<Clock::time_point> due;
        {
            const std::lock_guard lock(m_mutex);
            for (const auto& [number, entry] : m_entries) {
                if (entry.listens) {
                    looked.push_back({number, entry.listener});
                    polled.push_back({entry.listener->get(), POLLIN, 0});
                }
                if (entry.hasNews()) {
                    due = std::min(due.value_or(Clock::time_point::max()), entry.written + kTrafficEvery);
                }
            }
        }
        const auto left = due ? std::chrono::ceil<std::chrono::milliseconds>(*due - Clock::now()).count() : -1;
        (void)::poll(polled.data(), polled.size(), due ? static_cast<int>(std::max<std::int64_t>(left, 0)) : -1);
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(m_wake.get(), &count, sizeof count);
        for (std::size_t i = 0; i < looked.size(); ++i) {
            if ((polled[i + 1].revents & POLLIN) != 0) {
                acceptSome(looked[i].number, looked[i].listener->get());
            }
        }
        tellCuts();
        writeDue();
    }
}

void Forwards::acceptSome(std::uint64_t number, int listener) {
    for (int i = 0; i < kAcceptTurn; ++i) {
        UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket) {
            return;
        }
        take(number, std::move(socket));
    }
}

void Forwards::take(std::uint64_t number, UniqueFd socket) {
    const bool mayIn = m_to.mayIn(socket.get()); // reads a table of the kernel's: without the lock
    UniqueFd ours(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    std::shared_ptr<ClerkLine> line;
    json::object params;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_entries.find(number);
        if (at == m_entries.end() || !m_line || !ours) {
            breakOff(socket.get());
            return;
        }
        auto& entry = at->second;
        if (!mayIn || entry.facts.open >= kMaxForwardConnections) {
            breakOff(socket.get());
            ++entry.refused;
            ++entry.facts.refused;
            return;
        }
        ++entry.begun;
        ++entry.facts.begun;
        ++entry.facts.open;
        line = m_line;
        params = {{"number", m_nextConnection}, {"port", entry.facts.port}, {"host", entry.facts.host}, {"at", entry.facts.at}};
        m_connections.emplace(m_nextConnection++, Connection{number, std::move(ours)});
    }
    line->say("forward.connected", std::move(params), socket.get());
}

void Forwards::tellCuts() {
    std::shared_ptr<ClerkLine> line;
    std::vector<std::uint64_t> cut;
    {
        const std::lock_guard lock(m_mutex);
        line = m_line;
        cut.swap(m_cut);
    }
    for (const auto number : cut) {
        if (line) {
            line->say("forward.cut", {{"number", number}}, -1);
        }
    }
}

void Forwards::writeDue() {
    std::vector<activity::Event> rows;
    {
        const std::lock_guard lock(m_mutex);
        for (auto& [number, entry] : m_entries) {
            if (entry.hasNews() && Clock::now() - entry.written >= kTrafficEvery) {
                rows.push_back(takeRow(entry));
            }
        }
    }
    for (auto& row : rows) {
        m_to.record(std::move(row));
    }
}

activity::Event Forwards::takeRow(Entry& entry) {
    const auto bytes = std::exchange(entry.bytes, {});
    json::object detail{{"number", entry.facts.number},
                        {"begun", std::exchange(entry.begun, 0)},
                        {"ended", std::exchange(entry.ended, 0)},
                        {"sent", bytes.sent},
                        {"received", bytes.received}};
    if (const auto refused = std::exchange(entry.refused, 0); refused > 0) {
        detail["refused"] = refused;
    }
    entry.written = Clock::now();
    return eventOf(EventKind::ForwardTraffic, entry.facts, std::move(detail));
}

void Forwards::stop() {
    {
        const std::lock_guard lock(m_mutex);
        m_stopped = true; // so that no thread begins any more
    }
    closeAll("The agent was stopped, or Carrel itself");
    m_thread.request_stop();
    wake();
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

} // namespace carrel::egress
