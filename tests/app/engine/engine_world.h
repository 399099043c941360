// SPDX-License-Identifier: Apache-2.0
// A whole engine over machines that are none, asked through its sockets.
#pragma once

#include "app/api/client.h"
#include "app/engine/engine.h"
#include "hypervisor/fake/fake_backend.h"

#include <QTemporaryDir>
#include <QtGlobal>

namespace carrel::engine::test {

struct EngineWorld {
    QTemporaryDir dir{"/tmp/carrel-engine-XXXXXX"};
    std::filesystem::path folder = dir.path().toStdString();
    std::filesystem::path socket = folder / "s";
    std::filesystem::path clients = folder / "c";
    std::shared_ptr<hypervisor::FakeWorld> world = std::make_shared<hypervisor::FakeWorld>();
    std::unique_ptr<Engine> engine;
    std::unique_ptr<api::Server> server; // ends first

    explicit EngineWorld(const std::vector<std::string>& names = {"ann"}, Engine::Session session = {}) {
        qputenv("XDG_RUNTIME_DIR", dir.path().toUtf8());
        auto home = api::openHome(folder / "home");
        auto made = Engine::create(*home, Installation{}, hypervisor::makeFakeBackend(world), std::move(session));
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        engine = std::move(*made);
        for (const auto& name : names) {
            addAgent(name);
        }
        if (auto opened = engine->open(); !opened) {
            qFatal("%s", opened.error().text().c_str());
        }
        server = std::move(*api::Server::start(api::Listening{socket, engine->clients().gate(clients)},
                                               engine->handlers([] {})));
    }
    EngineWorld(const EngineWorld&) = delete;
    EngineWorld& operator=(const EngineWorld&) = delete;

    // Made and let go: opening the engine finds it.
    void addAgent(const std::string& name) const {
        agents::NewAgent wanted;
        wanted.name = name;
        wanted.image = "image";
        const auto agent = agents::Agent::create(engine->services(), wanted);
        if (!agent) {
            qFatal("%s", agent.error().text().c_str());
        }
    }
    Result<boost::json::value> ask(std::string_view verb, boost::json::object params,
                                   const api::Listener& listener = {}) const {
        auto client = api::Client::connect(socket);
        return client ? client->call(verb, std::move(params), listener) : fail(client.error());
    }
    [[nodiscard]] std::string token(const std::string& client, const std::string& agent) const {
        const auto made =
            ask("token.create", {{"name", client}, {"agents", boost::json::array{agent}}, {"seconds", 3600}});
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        return std::string(made->at("token").as_string());
    }
    [[nodiscard]] Result<api::Client> connected(const std::string& token) const {
        auto client = api::Client::connect(clients);
        if (client) {
            if (auto in = client->call("auth", {{"token", token}}); !in) {
                return fail(in.error());
            }
        }
        return client;
    }
};

} // namespace carrel::engine::test
