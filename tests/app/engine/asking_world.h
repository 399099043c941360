// SPDX-License-Identifier: Apache-2.0
// From a program in an agent's machine to the owner and back, all of it but the machine, its channel and the clerk: carrel-ask,
// guestd's socket, the engine's answers, the approvals, and an agent whose staged work the test plays.
#pragma once

#include "app/engine/agent_asks.h"
#include "guest/ask/ask_run.h"
#include "guest/guestd/ask_desk.h"
#include "guest/guestd/worker_pool.h"
#include "tests/app/agents/played_guest.h"
#include "tests/app/engine/wanted_on.h"
#include "tests/app/policy/turned_clock.h"

#include <atomic>
#include <fstream>
#include <shared_mutex>

namespace carrel::engine::test {

struct AskingWorld {
    agents::test::AgentWorld w{true};
    policy::test::SharedClock clock;
    std::vector<std::string> complaints;
    std::mutex complaintsMutex;
    std::vector<Approvals::AgentPtr> others; // beside w.agent
    std::unique_ptr<agents::test::PlayedGuest> guest;
    std::unique_ptr<Approvals> approvals;
    std::unique_ptr<AgentAsks> asks;
    std::shared_mutex engine; // exclusively while it goes and comes: the machine's word waits
    // In the machine of w.agent.
    std::unique_ptr<guestd::WorkerPool> channel = std::make_unique<guestd::WorkerPool>(1, 1000);
    guestd::HostAsks host{[this](guestd::EpochNumber epoch, std::string_view text) { return send(epoch, text); }};
    std::string socket = (w.folder / "ask").string();
    guestd::RefusalBook refusals;
    guestd::AskDesk desk{host, refusals, [](std::string_view name) { return name == "papers" ? std::optional<std::uint32_t>(1) : std::nullopt; }};

    AskingWorld() {
        std::filesystem::create_directory(w.folder / "home");
        comeUp();
        if (!w.start()) {
            qFatal("no machine");
        }
        guest = std::make_unique<agents::test::PlayedGuest>(w);
        if (!desk.start(socket)) {
            qFatal("no socket");
        }
        host.newEpoch(1, guestd::HostAsks::Clock::now());
        host.greeted(1, guestd::HostAsks::Clock::now());
    }
    ~AskingWorld() {
        {
            const std::unique_lock lock(engine);
            goDown();
        }
        desk.stop();
        channel->stop();
    }
    AskingWorld(const AskingWorld&) = delete;
    AskingWorld& operator=(const AskingWorld&) = delete;

    void goDown() {
        asks.reset();
        approvals.reset();
    }
    // As at the engine's start.
    void comeUp() {
        const std::unique_lock lock(engine);
        goDown();
        const auto find = [this](std::string_view id) { return agent(id); };
        const auto complain = [this](std::string_view line) {
            const std::lock_guard mine(complaintsMutex);
            complaints.emplace_back(line);
        };
        approvals = std::make_unique<Approvals>(Approvals::Setup{
            w.folder / "home", std::make_unique<policy::FileSealKeeper>(w.folder / "home/rules.key"), find, complain, &clock});
        asks = std::make_unique<AgentAsks>(AgentAsks::Setup{*approvals, find, complain});
        std::vector<Approvals::AgentPtr> all = others;
        all.push_back(w.agent);
        approvals->recover(all);
    }
    [[nodiscard]] Approvals::AgentPtr agent(std::string_view id) const {
        for (const auto& each : others) {
            if (each->id() == id) {
                return each;
            }
        }
        return w.agent && w.agent->id() == id ? w.agent : nullptr;
    }
    // Another agent, whose machine does not run.
    Approvals::AgentPtr addOther() {
        agents::NewAgent wanted;
        wanted.name = "bob";
        wanted.image = "image";
        others.push_back(agents::Agent::create(w.services, wanted).value());
        return others.back();
    }
    std::string makeFolder(const std::string& name) const {
        std::filesystem::create_directory(w.folder / name);
        return std::filesystem::canonical(w.folder / name).string();
    }

    struct Ran {
        int status = -1;
        std::string out, err;
    };
    // carrel-ask with these words.
    [[nodiscard]] Ran run(const std::vector<std::string>& words) const {
        Ran ran;
        ask::Surroundings at;
        at.socket = socket;
        at.workspace = "/workspace";
        at.workingFolder = "/workspace";
        at.out = [&](std::string_view text) { ran.out += text; };
        at.err = [&](std::string_view text) { ran.err += text; };
        ran.status = ask::run(words, at);
        return ran;
    }
    [[nodiscard]] std::future<Ran> running(std::vector<std::string> words) const {
        return std::async(std::launch::async, [this, words = std::move(words)] { return run(words); });
    }
    // Straight to the engine, as that agent.
    [[nodiscard]] Result<ask::Standings> asked(const Approvals::AgentPtr& by, const ask::Question& question) const {
        auto answered = std::make_shared<std::promise<Result<ask::Standings>>>();
        auto answer = answered->get_future();
        asks->asked(by->id(), question, [answered](const Result<ask::Standings>& result) { answered->set_value(result); });
        if (answer.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
            qFatal("no answer");
        }
        return answer.get();
    }
    // The number of the request that waits, when it does.
    [[nodiscard]] std::uint64_t open() const {
        for (int i = 0; i < 6000; ++i) {
            if (const auto all = approvals->queue().list(false); !all.empty()) {
                return all.back().id;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        qFatal("nothing waits");
        return 0;
    }
    [[nodiscard]] policy::DecisionWanted wanted(std::uint64_t id, policy::Effect effect) const {
        return wantedOn(*approvals, id, effect);
    }
    Result<Approvals::Outcome> decide(std::uint64_t id, policy::Effect effect = policy::Effect::Allow,
                                      const Approvals::FolderChoice& choice = {}) const {
        return approvals->decide(wanted(id, effect), agents::test::quiet, choice);
    }

private:
    Status send(guestd::EpochNumber epoch, std::string_view text) {
        auto request = std::get<RpcRequest>(parseRpc(text, {kMaxMessageBytes, 12}).value());
        auto question = ask::questionFrom(request.method, request.params).value();
        const std::shared_lock lock(engine);
        if (!asks) {
            return fail(ErrorCode::Unavailable, "there is no engine");
        }
        asks->asked(w.agent->id(), question, [this, epoch, id = *request.id, question](const Result<ask::Standings>& result) {
            auto answer = result ? Result<boost::json::value>(ask::answerTo(question, *result)) : fail(result.error());
            // Not here: whoever sends holds a lock.
            (void)channel->post([this, epoch, id, answer] { host.receive(RpcResponse{id, answer}, epoch); });
        });
        return {};
    }
};

} // namespace carrel::engine::test
