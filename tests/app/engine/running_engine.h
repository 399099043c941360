// SPDX-License-Identifier: Apache-2.0
// A whole engine whose agents can be started, with clerks that a test plays. Each answer is checked against its schema.
#pragma once

#include "tests/app/agents/stand_in_clerk.h"
#include "tests/app/engine/engine_world.h"
#include "tests/app/images/image_fixture.h"
#include "tests/support/json_schema.h"

#include <fstream>

namespace carrel::engine::test {

struct RunningEngine {
    agents::test::StandInClerks clerks; // outlives the agents
    EngineWorld w;
    carrel::test::Schemas schemas{CARREL_SOURCE_DIR "/app/api/schema"};

    explicit RunningEngine(const std::vector<std::string>& names = {"ann"}, Engine::Session session = {})
        : w(names, std::move(session)) {
        for (const char* part : {"kernel", "initrd", "base"}) {
            std::ofstream(w.folder / part) << "x";
        }
        std::filesystem::create_directory(w.folder / "papers");
        auto& services = w.engine->services();
        services.clerkProgram = clerks.program();
        services.bootFiles = [this](const std::string&, const auto&) -> Result<agents::BootFiles> {
            return agents::BootFiles{w.folder / "kernel", w.folder / "initrd", w.folder / "base", "quiet"};
        };
        services.accelerator = [](const auto&) -> Result<hypervisor::Accelerator> { return hypervisor::Accelerator::Hardware; };
        services.patience.supervising = std::chrono::milliseconds(50);
        clerks.on("power.off", [this](const boost::json::object&) {
            const auto machines = hypervisor::makeFakeBackend(w.world)->adopt(w.engine->services().home);
            if (machines && machines->size() == 1) { // else whose it is nobody knows, and its power is cut
                (void)w.world->end(machines->front()->id(), hypervisor::ExitReason::GuestShutdown).has_value();
            }
            return boost::json::object{{"staged", boost::json::array{}}};
        });
    }
    RunningEngine(const RunningEngine&) = delete;
    RunningEngine& operator=(const RunningEngine&) = delete;

    // So that agents can be made.
    void takeImage() const {
        const QString at = w.dir.path() + "/image-";
        const bool written = carrel::test::writeFile(at + "base", carrel::test::fakeExt4()) &&
                             carrel::test::writeFile(at + "kernel", carrel::test::fakeElf()) &&
                             carrel::test::writeFile(at + "modules", carrel::test::fakeModules());
        const auto part = [&](const char* name) { return std::filesystem::path((at + name).toStdString()); };
        if (!written || !w.engine->images().importRaw({part("base"), part("kernel"), part("modules"), "6.1-test"})) {
            qFatal("no image");
        }
    }
    [[nodiscard]] std::shared_ptr<agents::Agent> agent(const std::string& name) const { return w.engine->agent(name).value(); }
    [[nodiscard]] hypervisor::MachineId machineOf(const std::string& name) const {
        return {w.engine->services().home, hypervisor::AgentId::parse(agent(name)->id()).value()};
    }
    Result<boost::json::value> ask(const std::string& verb, boost::json::object params = {}, const api::Listener& listener = {}) const {
        auto answer = w.ask(verb, params, listener);
        if (answer) {
            const auto schema = schemas.load(verb + ".json").as_object();
            const auto problem = schemas.check(boost::json::object{{"params", params}, {"result", *answer}}, schema);
            if (!problem.empty()) {
                qFatal("%s: %s", verb.c_str(), problem.c_str());
            }
        }
        return answer;
    }
    boost::json::object good(const std::string& verb, boost::json::object params = {}) const {
        auto answer = ask(verb, std::move(params));
        if (!answer) {
            qFatal("%s: %s", verb.c_str(), answer.error().text().c_str());
        }
        return answer->as_object();
    }
};

} // namespace carrel::engine::test
