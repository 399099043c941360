// SPDX-License-Identifier: Apache-2.0
// The network of one agent over rules in memory, a resolver that a test plays, real sockets on loopback, and a clerk's end that
// keeps what it is told.
#pragma once

#include "app/egress/networks.h"
#include "app/relay/secret_pipe.h"
#include "tests/app/egress/listener.h"
#include "tests/app/policy/approval_world.h"
#include "tests/app/policy/turned_clock.h"

#include <QTest>
#include <boost/json.hpp>

#include <fcntl.h>

namespace carrel::egress::test {

// The same as a test of one thread has them, for several.
struct LockedRules final : policy::Rules {
    mutable std::mutex mutex;
    policy::test::MemoryRules inner;
    explicit LockedRules(const policy::Clock& clock)
        : inner(clock) {}
    Verdict decide(std::span<const policy::Request> requests) override {
        const std::lock_guard lock(mutex);
        return inner.decide(requests);
    }
    std::optional<policy::Request> asRead(const policy::Request& connection) override {
        const std::lock_guard lock(mutex);
        return inner.asRead(connection);
    }
    Result<policy::Rule> add(policy::Rule rule) override {
        const std::lock_guard lock(mutex);
        return inner.add(std::move(rule));
    }
    Result<std::optional<policy::Rule>> find(const policy::Rule& like) override {
        const std::lock_guard lock(mutex);
        return inner.find(like);
    }
    Result<std::vector<policy::Rule>> endSessions(std::string_view agent, std::string_view but) override {
        const std::lock_guard lock(mutex);
        return inner.endSessions(agent, but);
    }
    void remove(std::uint64_t id) {
        const std::lock_guard lock(mutex);
        std::erase_if(inner.rules, [&](const policy::Rule& each) { return each.id == id; });
    }
};

struct LockedSink final : policy::ApprovalSink {
    mutable std::mutex mutex;
    policy::test::FullableSink inner;
    Status append(const policy::ApprovalRecord& record) override {
        const std::lock_guard lock(mutex);
        return inner.append(record);
    }
    [[nodiscard]] std::size_t count(std::string_view kind) const {
        const std::lock_guard lock(mutex);
        return inner.count(kind);
    }
    void fill(bool full) {
        const std::lock_guard lock(mutex);
        inner.full = full;
    }
};

// Names, and what they lead to at each time that they are asked.
struct PlayedResolver final : Resolver {
    std::mutex mutex;
    std::map<std::string, std::deque<std::vector<std::string>>> names; // the last one stays
    std::vector<std::string> asked;
    std::vector<std::function<void(Addresses)>> held;
    bool hold = false;
    void resolve(const HostName& name, std::stop_token, std::function<void(Addresses)> done) override {
        Addresses out = fail(ErrorCode::NotFound, "no address is known for that name");
        {
            const std::lock_guard lock(mutex);
            asked.push_back(name.text());
            if (hold) {
                held.push_back(std::move(done));
                return;
            }
            if (const auto at = names.find(name.text()); at != names.end()) {
                std::vector<Address> all;
                for (const auto& text : at->second.front()) {
                    all.push_back(Address::parse(text).value());
                }
                out = std::move(all);
                if (at->second.size() > 1) {
                    at->second.pop_front();
                }
            }
        }
        done(std::move(out));
    }
    [[nodiscard]] std::size_t count() {
        const std::lock_guard lock(mutex);
        return asked.size();
    }
};

// What a clerk is told; the descriptors are its own.
struct ToldClerk final : ClerkLine {
    struct One {
        std::string method;
        boost::json::object params;
        UniqueFd fd;
        std::vector<std::string> secrets; // that came in a pipe
    };
    mutable std::mutex mutex;
    std::vector<One> all;
    void say(std::string_view method, boost::json::object params, int descriptor) override {
        const std::lock_guard lock(mutex);
        One one{std::string(method), std::move(params), UniqueFd(descriptor < 0 ? -1 : ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)), {}};
        const std::size_t piped = method == "net.authority" ? 1 : method == "net.answer" && descriptor >= 0 ? 2 : 0;
        if (piped > 0) {
            if (const auto secrets = relay::secretsFrom(one.fd, piped)) {
                for (const auto& each : *secrets) {
                    one.secrets.emplace_back(relay::view(each));
                }
            }
        }
        all.push_back(std::move(one));
    }
    // "connected raw", "refused denied: why", "cut why": the last of that number.
    [[nodiscard]] std::string of(std::uint64_t number) const {
        const std::lock_guard lock(mutex);
        std::string out;
        for (const auto& each : all) {
            const auto* at = each.params.if_contains("number");
            if (at == nullptr || at->to_number<std::uint64_t>() != number || each.method == "net.answer") {
                continue;
            }
            const auto text = [&](const char* key) { return std::string(each.params.at(key).as_string()); };
            out = each.method == "net.connected" ? "connected " + text("treat")
                  : each.method == "net.refused" ? "refused " + text("outcome") + ": " + text("text")
                                                 : each.method.substr(4) + " " + text("text");
        }
        return out;
    }
    UniqueFd socket(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        for (auto& each : all) {
            const auto* at = each.params.if_contains("number");
            if (each.method == "net.connected" && at != nullptr && at->to_number<std::uint64_t>() == number) {
                return std::move(each.fd);
            }
        }
        return {};
    }
    [[nodiscard]] std::size_t count(const std::string& method) const {
        const std::lock_guard lock(mutex);
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const One& each) { return each.method == method; }));
    }
};

struct EgressWorld : policy::ApprovalListener {
    policy::test::SharedClock clock;
    LockedRules rules{clock};
    LockedSink sink;
    policy::test::Folders folders;
    policy::ApprovalQueue queue{{clock, rules, sink, folders, this}};
    policy::Grants grants{rules, clock};
    std::shared_ptr<PlayedResolver> resolver = std::make_shared<PlayedResolver>();
    std::vector<OwnNetworks::Network> own;
    std::mutex eventsMutex;
    std::vector<activity::Event> events;
    std::optional<Networks> networks;
    std::shared_ptr<Egress> egress;
    std::shared_ptr<ToldClerk> clerk = std::make_shared<ToldClerk>();
    std::uint64_t at = 0; // the clerk, as the egress knows it
    Listener there;

    explicit EgressWorld(NetMode mode = NetMode::Allowlist, Result<ProxySettings> proxies = ProxySettings(), Networks::Metered metered = {}) {
        networks.emplace(Networks::Setup{queue, rules, grants, std::move(proxies), nullptr, [this] { return resolver; },
                                         [this]() -> Result<OwnNetworks> { return OwnNetworks(own); }});
        const auto keep = [this](activity::Event event) {
            const std::lock_guard lock(eventsMutex);
            events.push_back(std::move(event));
        };
        egress = networks->open("ann", "s1", mode, {keep, [keep](activity::Event event) -> Status {
                                                        keep(std::move(event));
                                                        return {};
                                                    }}, {}, std::move(metered));
        at = egress->attach(clerk);
        resolver->names["here.example"] = {{"127.0.0.1"}};
    }
    ~EgressWorld() override { egress->stop(); }
    void changed(const policy::Approval& approval, std::uint64_t number) override {
        if (networks) {
            networks->changed(approval, number);
        }
    }
    policy::Rule rule(policy::Effect effect, const std::string& host, std::optional<std::uint16_t> port = {}, bool high = false) {
        policy::Rule out;
        out.effect = effect;
        out.action = policy::Action::Network;
        out.fields["host"] = {host};
        if (port) {
            out.fields["port"] = {std::to_string(*port)};
        }
        out.high = high;
        return rules.add(out).value();
    }
    // A rule that names this very address and port, so that loopback may be connected to.
    policy::Rule nameLoopback(const std::string& address = "127.0.0.1") {
        return rule(policy::Effect::Allow, address, there.port(), true);
    }
    Status open(std::uint64_t number, const std::string& host, std::uint64_t port) {
        return egress->told(at, "net.open", {{"number", number}, {"host", host}, {"port", port}});
    }
    Status openThere(std::uint64_t number, const std::string& host = "here.example") { return open(number, host, there.port()); }
    Status close(std::uint64_t number, std::uint64_t sent = 0, std::uint64_t received = 0) {
        return egress->told(at, "net.closed", {{"number", number}, {"sent", sent}, {"received", received}, {"how", "end"}});
    }
    [[nodiscard]] std::string of(std::uint64_t number) const { return clerk->of(number); }
    [[nodiscard]] std::vector<activity::Event> ofKind(activity::EventKind kind) {
        const std::lock_guard lock(eventsMutex);
        std::vector<activity::Event> out;
        std::copy_if(events.begin(), events.end(), std::back_inserter(out), [&](const activity::Event& each) { return each.kind == kind; });
        return out;
    }
    // The sums so far, of one destination and outcome.
    [[nodiscard]] std::uint64_t sum(const std::string& destination, const std::string& outcome, const char* what) {
        const std::lock_guard lock(eventsMutex);
        std::uint64_t out = 0;
        for (const auto& each : events) {
            if (each.kind == activity::EventKind::NetTraffic && each.subject == destination && each.detail.at("outcome") == boost::json::value(outcome)) {
                const auto* value = each.detail.if_contains(what);
                out += value == nullptr ? 0 : value->to_number<std::uint64_t>();
            }
        }
        return out;
    }
    [[nodiscard]] std::string thereText(const std::string& host = "here.example") const { return host + ":" + std::to_string(there.port()); }
};

#define TRY_OF(world, number, expected) QTRY_COMPARE_WITH_TIMEOUT((world).of(number), std::string(expected), 60'000)
#define TRY_BEGINS(world, number, expected) QTRY_VERIFY2_WITH_TIMEOUT((world).of(number).starts_with(expected), (world).of(number).c_str(), 60'000)

} // namespace carrel::egress::test
