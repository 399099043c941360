// SPDX-License-Identifier: Apache-2.0
// The desktop over an engine whose agents have a network: clerks that the test plays ask for connections to a socket of its own.
#pragma once

#include "tests/app/egress/listener.h"
#include "tests/ui/desktop_world.h"
#include "ui/agents/agent_page.h"
#include "ui/network/network_page.h"
#include "ui/parts/message_bar.h"
#include "ui/window/main_window.h"

#include <QLabel>
#include <QPushButton>
#include <QTableView>

namespace carrel::ui::test {

struct NetworkWorld {
    std::mutex mutex;
    std::map<std::uint64_t, UniqueFd> sockets;     // that the clerk was handed, by number
    std::map<std::uint64_t, std::string> outcomes; // "denied", "cut"
    DesktopWorld world;
    egress::test::Listener there;
    EngineLink link{EngineLink::Pace{std::chrono::milliseconds(50), std::chrono::seconds(30)}};
    std::unique_ptr<MainWindow> window = std::make_unique<MainWindow>(link);

    explicit NetworkWorld(egress::NetMode mode = egress::NetMode::Allowlist) {
        world.clerks.onConnected([this](const boost::json::object& params, UniqueFd socket) {
            const std::lock_guard lock(mutex);
            sockets[params.at("number").to_number<std::uint64_t>()] = std::move(socket);
        });
        world.clerks.on("net.refused", [this](const boost::json::object& params) {
            const std::lock_guard lock(mutex);
            outcomes[params.at("number").to_number<std::uint64_t>()] = std::string(params.at("outcome").as_string());
            return boost::json::object{};
        });
        world.clerks.on("net.cut", [this](const boost::json::object& params) {
            const std::lock_guard lock(mutex);
            outcomes[params.at("number").to_number<std::uint64_t>()] = "cut";
            return boost::json::object{};
        });
        for (const char* const told : {"net.mode", "forward.cut"}) {
            world.clerks.on(told, [](const boost::json::object&) { return boost::json::object{}; });
        }
        world.addAgent("desk");
        if (!agent()->setNetwork(mode)) {
            qFatal("no network");
        }
        window->show();
        link.start();
    }
    [[nodiscard]] std::shared_ptr<agents::Agent> agent() const { return world.engine->agent("desk").value(); }
    [[nodiscard]] policy::Rule rule(policy::Effect effect, const std::string& host, std::uint16_t port = 443, bool everyAgent = false, const std::string& note = {}) const {
        policy::Rule out;
        out.effect = effect;
        out.action = policy::Action::Network;
        out.agent = everyAgent ? std::string() : agent()->id();
        out.fields = {{"host", {host}}, {"port", {std::to_string(port)}}};
        out.high = effect == policy::Effect::Allow; // loopback is
        out.note = note;
        auto kept = world.engine->approvals().rules().add(out);
        if (!kept) {
            qFatal("%s", kept.error().text().c_str());
        }
        world.engine->approvals().rulesChanged();
        world.engine->approvalNews().rulesChanged();
        return *kept;
    }
    // As a program in the machine would.
    void open(std::uint64_t number, const std::string& host, std::uint64_t port) {
        world.clerks.tell("net.open", {{"number", number}, {"host", host}, {"port", port}});
    }
    void openThere(std::uint64_t number) { open(number, "127.0.0.1", there.port()); }
    void close(std::uint64_t number) {
        world.clerks.tell("net.closed", {{"number", number}, {"sent", 0}, {"received", 0}, {"how", "end"}});
    }
    // What went through the clerk.
    void send(std::uint64_t number, const std::string& text) {
        const std::lock_guard lock(mutex);
        egress::test::send(sockets.at(number), text);
    }
    [[nodiscard]] bool isConnected(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return sockets.contains(number);
    }
    [[nodiscard]] std::string outcome(std::uint64_t number) {
        const std::lock_guard lock(mutex);
        return outcomes.contains(number) ? outcomes.at(number) : std::string();
    }
    NetworkPage& page() {
        window->showAgent("desk");
        auto* const all = window->page("desk");
        all->showPage("networkPage");
        return *find<NetworkPage>(*all, "networkPage");
    }
    [[nodiscard]] bool isShown(const char* agent = "desk") { // the list of agents was read
        window->showAgent(agent);
        return window->page(agent)->isVisible() && page().isVisible();
    }
};

[[nodiscard]] inline QString textOf(const QObject& within, const char* label) {
    return find<QLabel>(within, label)->text();
}
[[nodiscard]] inline QAbstractItemModel& modelOf(const QObject& within, const char* view) {
    return *find<QAbstractItemView>(within, view)->model();
}
[[nodiscard]] inline QString cellOf(const QAbstractItemModel& model, int row, int column) {
    return model.index(row, column).data().toString();
}

} // namespace carrel::ui::test
