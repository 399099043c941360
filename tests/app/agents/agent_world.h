// SPDX-License-Identifier: Apache-2.0
// An agent over machines that are none and clerks that the test plays.
#pragma once

#include "app/agents/agent.h"
#include "hypervisor/fake/fake_backend.h"
#include "tests/app/agents/stand_in_clerk.h"

#include <QTemporaryDir>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

namespace carrel::agents::test {

// What hangs is a failure, and cannot be called back: the test ends with it.
template <class Call> auto within(std::chrono::seconds patience, const char* what, Call call) {
    auto done = std::async(std::launch::async, std::move(call));
    if (done.wait_for(patience) != std::future_status::ready) {
        qFatal("%s hangs", what);
    }
    return done.get();
}

inline std::string contentOf(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void quiet(std::string_view, std::string_view) {}

struct AgentWorld {
    QTemporaryDir dir{"/tmp/carrel-agent-XXXXXX"};
    std::filesystem::path folder = dir.path().toStdString();
    hypervisor::HomeId home = hypervisor::HomeId::parse("0123456789abcdef").value();
    std::shared_ptr<hypervisor::FakeWorld> world = std::make_shared<hypervisor::FakeWorld>();
    std::unique_ptr<hypervisor::Backend> backend = hypervisor::makeFakeBackend(world);
    StandInClerks clerks;
    Services services{backend.get(), home};
    std::shared_ptr<Agent> agent; // before the rest goes
    mutable std::mutex idMutex;
    std::string id;

    // What the guest says of each of its shares when it powers off.
    std::atomic<std::uint64_t> stagedAtEnd = 0;
    static constexpr std::uint32_t kMostShares = 4;

    // Auto mode settles what was left alone for that long.
    static constexpr std::chrono::milliseconds kAutoQuiet{200};

    explicit AgentWorld(bool withShare = false, ShareMode mode = ShareMode::Review) {
        for (const char* part : {"kernel", "initrd", "base"}) {
            std::ofstream(folder / part) << "x";
        }
        for (const char* part : {"agents", "run", "papers"}) {
            std::filesystem::create_directory(folder / part);
        }
        services.agentsFolder = folder / "agents";
        services.runtimeFolder = folder / "run";
        services.clerkProgram = clerks.program();
        services.bootFiles = [this](const std::string&, const auto&) -> Result<BootFiles> {
            return BootFiles{folder / "kernel", folder / "initrd", folder / "base", "quiet"};
        };
        services.accelerator = [](const auto&) -> Result<hypervisor::Accelerator> {
            return hypervisor::Accelerator::Hardware;
        };
        services.mayShare = [](const std::filesystem::path&) -> Status { return {}; };
        services.patience.supervising = std::chrono::milliseconds(50);
        services.patience.autoLook = std::chrono::milliseconds(50);
        services.patience.autoShare = 1;
        services.patience.autoQuiet = kAutoQuiet;
        services.complain = [](std::string_view) {};
        // As a guest does that is asked to power off.
        clerks.on("power.off", [this](const boost::json::object&) {
            (void)world->end(machineId(), hypervisor::ExitReason::GuestShutdown).has_value();
            boost::json::array staged;
            for (std::uint32_t share = 1; share <= kMostShares; ++share) {
                staged.push_back({{"share", share}, {"staged", stagedAtEnd.load()}});
            }
            return boost::json::object{{"staged", std::move(staged)}};
        });
        NewAgent wanted;
        wanted.name = "ann";
        wanted.image = "image";
        if (withShare) {
            wanted.shares.push_back({share().string(), mode});
        }
        auto made = Agent::create(services, wanted);
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        agent = *made;
        const std::lock_guard lock(idMutex);
        id = agent->id();
    }
    AgentWorld(const AgentWorld&) = delete;
    AgentWorld& operator=(const AgentWorld&) = delete;

    [[nodiscard]] std::filesystem::path share() const { return folder / "papers"; }
    [[nodiscard]] hypervisor::MachineId machineId() const {
        const std::lock_guard lock(idMutex); // the clerks' threads ask, too, also while the engine restarts
        return {home, hypervisor::AgentId::parse(id).value()};
    }
    Result<bool> start() {
        return within(std::chrono::seconds(60), "start", [this] { return agent->start(quiet, {}); });
    }
    Result<bool> stop() {
        return within(std::chrono::seconds(60), "stop", [this] { return agent->stop(quiet); });
    }
    // The engine goes and comes again; the machine goes on.
    void restartEngine() {
        const auto at = services.agentsFolder / agent->id();
        agent->leave();
        agent.reset();
        auto loaded = Agent::load(services, at);
        if (!loaded) {
            qFatal("%s", loaded.error().text().c_str());
        }
        agent = *loaded;
        auto machines = backend->adopt(home);
        auto one = machines && !machines->empty() ? std::move(machines->front()) : nullptr;
        within(std::chrono::seconds(60), "taking over", [&] {
            agent->takeOver(std::move(one));
            return true;
        });
    }
    [[nodiscard]] std::string reason() const {
        const auto told = agent->describe();
        const auto* why = told.if_contains("reason");
        return why == nullptr ? std::string() : std::string(why->as_string());
    }
};

} // namespace carrel::agents::test
