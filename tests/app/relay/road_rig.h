// SPDX-License-Identifier: Apache-2.0
// A road with a played program, a played host, and a clock that the test turns. What both say is plain text; the ends are with TLS or
// without.
#pragma once

#include "app/relay/http_road.h"
#include "app/relay/tls_end.h"

#include <stdexcept>

namespace carrel::relay::test {

// The far side of one of the road's ends: TLS of our own making (its strictness is tested by itself), or none.
class Played {
public:
    explicit Played(std::unique_ptr<End> end) : m_end(std::move(end)) {}

    void say(std::string_view text) { m_toSay.append(text); }
    void leave() { m_leaves = true; } // close_notify, and the wire's end
    void drop() { m_drops = true; }   // the wire's end alone
    void rest() {
        m_end->rest();
        m_toSay.rest();
        m_onWire.rest();
        std::string().swap(heard);
    }

    std::string heard;
    bool sawEnd = false; // of the wire

    // One step between the two; true: something moved.
    template <class Feed, class Take, class Ended, class Over> bool step(Feed feed, Take take, Ended ended, Over over) {
        bool moved = false;
        const auto put = m_toSay.empty() ? 0 : m_end->write(m_toSay.front().first(std::min<std::size_t>(m_toSay.size(), most)));
        m_toSay.drop(put);
        if (m_leaves && m_toSay.empty() && !m_closed) {
            m_end->close();
            m_closed = moved = true;
        }
        if (m_onWire.size() < most) {
            const auto out = m_end->takeOutput(most);
            m_onWire.append(out);
            moved = !out.empty();
        }
        if (!m_onWire.empty()) {
            const auto took = feed(m_onWire.front().first(std::min<std::size_t>(m_onWire.size(), piece)));
            m_onWire.drop(took);
            moved = moved || took > 0;
        }
        if ((m_drops || m_closed) && m_toSay.empty() && m_onWire.empty() && !m_end->hasOutput() && !m_told) {
            m_told = true;
            ended();
            moved = true;
        }
        if (reads) {
            const Bytes in = take(std::min(piece, kMostHeld / 4)); // it is read at once, and so there is room
            moved = moved || !in.empty();
            if (m_end->feed(in) != in.size()) {
                throw std::runtime_error("the played end is full");
            }
            if (over() && !sawEnd) {
                sawEnd = moved = true;
                m_end->feedEnd();
            }
            ByteQueue said;
            while (m_end->read(said, 1U << 20U) > 0) {
            }
            heard += asText(said.front());
        }
        return moved;
    }

    bool reads = true;
    std::size_t piece = 1U << 20U; // what goes over the wire at a time
    std::size_t most = 1U << 20U;
    [[nodiscard]] End& end() { return *m_end; }
    [[nodiscard]] std::size_t unsent() const { return m_toSay.size() + m_onWire.size(); }

private:
    std::unique_ptr<End> m_end;
    ByteQueue m_toSay;
    ByteQueue m_onWire;
    bool m_leaves = false;
    bool m_drops = false;
    bool m_closed = false;
    bool m_told = false;
};

struct RoadRig {
    using Time = HttpRoad::Clock::time_point;
    Time now = Time() + std::chrono::hours(1);
    std::vector<AskedRequest> asked;
    std::vector<Refusal> refused;
    std::vector<std::pair<std::uint64_t, ModelUse>> used;
    std::function<std::optional<RequestAnswer>(const AskedRequest&)> decide = [](const AskedRequest&) {
        return RequestAnswer{.verdict = Verdict::Allow};
    };
    Played program;
    Played host;
    HttpRoad road;

    RoadRig(std::unique_ptr<End> programEnd, std::unique_ptr<End> guest, std::unique_ptr<End> hostEnd, std::unique_ptr<End> far,
            HttpRoad::Settings settings, std::function<void(std::uint64_t, const CanaryFound&)> canary = {})
        : program(std::move(programEnd))
        , host(std::move(far))
        , road(std::move(guest), std::move(hostEnd), std::move(settings),
               {[this] { return now; },
                [this](const AskedRequest& request) {
                    asked.push_back(request);
                    if (auto answer = decide(request)) {
                        road.answer(request.request, std::move(*answer));
                    }
                },
                [this](std::uint64_t, const Refusal& refusal) { refused.push_back(refusal); }, std::move(canary),
                [this](std::uint64_t request, const ModelUse& use) { used.emplace_back(request, use); }}) {}

    // Until nobody has more to say.
    void run() {
        for (bool moved = true; moved;) {
            moved = program.step([&](ByteSpan wire) { return road.fromGuest(wire); }, [&](std::size_t most) { return road.takeForGuest(most); },
                                 [&] { road.guestEnded(); }, [&] { return road.isGuestOutputOver(); });
            moved = host.step([&](ByteSpan wire) { return road.fromHost(wire); }, [&](std::size_t most) { return road.takeForHost(most); },
                              [&] { road.hostEnded(); }, [&] { return road.isHostOutputOver(); }) ||
                    moved;
        }
    }
    // The program says something; what the host has heard since.
    std::string ask(std::string_view text) {
        host.heard.clear();
        program.say(text);
        run();
        return host.heard;
    }
    std::string reply(std::string_view text) {
        program.heard.clear();
        host.say(text);
        run();
        return program.heard;
    }
    void pass(std::chrono::seconds time) {
        now += time;
        road.tick();
        run();
    }
};

inline HttpRoad::Settings plainSettings() {
    return {.origin = {Scheme::Http, "example.org", 80}, .placeholders = nullptr, .bounds = {}, .canaries = nullptr};
}
inline std::unique_ptr<RoadRig> plainRig() {
    return std::make_unique<RoadRig>(std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(), std::make_unique<PlainEnd>(),
                                     std::make_unique<PlainEnd>(), plainSettings());
}

// With TLS on both sides: the agent's authority, and one that the computer trusts.
struct TlsWorld {
    WallTime now = std::chrono::system_clock::now();
    Authority agents = makeAuthority("desk", now).value();
    Authority trusted = makeAuthority("the world", now).value();
    LeafIssuer agentIssuer = LeafIssuer::create(agents.certificatePem, view(agents.keyPem)).value();
    LeafIssuer worldIssuer = LeafIssuer::create(trusted.certificatePem, view(trusted.keyPem)).value();
    ServerContext server = ServerContext::create().value();
    ClientContext program = ClientContext::create(agents.certificatePem).value();
    ClientContext clerk = ClientContext::create(trusted.certificatePem).value();
    HttpRoad::Placeholders placeholders = std::make_shared<std::vector<Placeholder>>(
        std::vector<Placeholder>{{"model", "sk-none-0000000000000000"}, {"git", "ghp-none-1111111111111111"}});

    std::unique_ptr<RoadRig> rig(const std::string& host = "api.example.org", const std::string& shown = {}) {
        const auto leaf = worldIssuer.leafFor(shown.empty() ? host : shown, now).value();
        return std::make_unique<RoadRig>(TlsClientEnd::create(program, host).value(),
                                         TlsServerEnd::create(server, *agentIssuer.leafFor(host, now).value(), host).value(),
                                         TlsClientEnd::create(clerk, host).value(), TlsServerEnd::create(server, *leaf, host).value(),
                                         HttpRoad::Settings{{Scheme::Https, host, 443}, placeholders, {}, {}});
    }
};

} // namespace carrel::relay::test
