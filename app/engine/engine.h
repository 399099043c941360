// SPDX-License-Identifier: Apache-2.0
// The composition: one home's agents, its images, its hypervisor, and the table of verbs that the local interface
// serves. Owns everything; created once by main. Thread: handlers run on the connections' threads; the table of agents has
// its own lock; everything below says for itself.
#pragma once

#include "app/agents/agent.h"
#include "app/api/home.h"
#include "app/api/server.h"
#include "app/egress/networks.h"
#include "app/engine/agent_asks.h"
#include "app/engine/approval_news.h"
#include "app/engine/approvals.h"
#include "app/engine/clients.h"
#include "app/engine/installation.h"
#include "app/engine/log_keeper.h"
#include "app/engine/news.h"
#include "app/engine/secret_intake.h"
#include "app/images/image_store.h"
#include "app/providers/provider_book.h"
#include "app/tasks/desk.h"
#include "app/providers/usage_book.h"
#include "app/viewer/document_viewer.h"
#include "hypervisor/api/backend.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <thread>

namespace carrel::engine {

class Engine {
public:
    // What the user's session offers. Without: the seal's key is in a file of the home, and nobody is told that something
    // waits; as tests want it, whose homes have no business in anybody's keyring.
    struct Session {
        std::unique_ptr<policy::SealKeeper> keeper;
        std::unique_ptr<policy::SealKeeper> logKey; // of the agents' logs; without: a file of the home
        std::vector<policy::ApprovalListener*> listeners; // each outlives the engine
        // How this computer reaches the network; without: directly, whatever the environment says.
        std::optional<Result<egress::ProxySettings>> proxies;
        std::function<std::shared_ptr<egress::Resolver>()> resolver; // without: the host's
        std::unique_ptr<egress::SecretStore> keyring;  // of credentials; without: only the sealed file
        std::optional<egress::SealedFile::Cost> sealing; // what its key costs; without: what it should
        std::function<Result<UniqueFd>()> roots;         // that hosts are verified by; without: the host's
        std::function<void(const std::string& agentId, agents::Alarm what)> alarm; // agents::Services; outlives the engine
        std::function<void(const std::string& agentId, std::uint64_t task, tasks::Attention why)> attention; // likewise
    };
    // The back end is handed in so that tests run the whole engine over the fake one.
    [[nodiscard]] static Result<std::unique_ptr<Engine>> create(api::Home home, Installation installation,
                                                                std::unique_ptr<hypervisor::Backend> backend,
                                                                Session session = {},
                                                                const viewer::ViewerPatience& viewing = {});
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Loads the agents, finishes what a crash left, takes over running machines. Before serving.
    [[nodiscard]] Status open();
    // Every verb of app/api/schema. `stopServer` is called by engine.stop.
    [[nodiscard]] api::Handlers handlers(std::function<void()> stopServer);

    [[nodiscard]] const api::Home& home() const { return m_home; }
    [[nodiscard]] images::ImageStore& images() { return m_images; }
    [[nodiscard]] const Installation& installation() const { return m_installation; }
    [[nodiscard]] agents::Services& services() { return m_services; }

    [[nodiscard]] Clients& clients() { return *m_clients; }
    [[nodiscard]] Approvals& approvals() { return *m_approvals; }
    [[nodiscard]] egress::CredentialBook& credentials() { return *m_credentials; }
    [[nodiscard]] egress::CanaryBook& canaries() { return *m_canaries; }
    [[nodiscard]] providers::ProviderBook& providers() { return *m_providers; }
    [[nodiscard]] egress::Networks& networks() { return *m_networks; }
    [[nodiscard]] providers::UsageBook& usage() { return *m_usage; }
    [[nodiscard]] LogKeeper& logKeeper() { return *m_logKeeper; }
    [[nodiscard]] LogKeeper::Kept keptLog(const std::shared_ptr<agents::Agent>& agent) const;
    [[nodiscard]] SecretIntake& intake() { return m_intake; }
    [[nodiscard]] viewer::DocumentViewer& viewer() { return *m_viewer; }
    [[nodiscard]] ApprovalNews& approvalNews() { return m_approvalNews; }
    [[nodiscard]] tasks::TaskDesk& tasks() { return *m_tasks; }
    // Of all tasks.
    [[nodiscard]] News& taskNews() { return m_taskNews; }
    // Of what agent.list tells.
    [[nodiscard]] News& agentNews() { return m_agentNews; }

    // For handlers. A client finds its own agents only; the others are for it as if they were not there, to the word.
    [[nodiscard]] Result<std::shared_ptr<agents::Agent>> agentFor(const api::Call& call, std::string_view name) const;
    [[nodiscard]] std::vector<std::shared_ptr<agents::Agent>> agentsFor(const api::Call& call) const; // by name
    // On nobody's behalf.
    [[nodiscard]] Result<std::shared_ptr<agents::Agent>> agent(std::string_view name) const;
    [[nodiscard]] std::vector<std::shared_ptr<agents::Agent>> allAgents() const; // by name
    [[nodiscard]] std::shared_ptr<agents::Agent> agentById(std::string_view id) const; // none: there is none
    [[nodiscard]] Result<std::shared_ptr<agents::Agent>> createAgent(const agents::NewAgent& wanted);
    [[nodiscard]] Status deleteAgent(std::string_view name, agents::Agent::Staged staged,
                                     const agents::Progress& progress);

    // What an image brought that can be run; none: it has no list.
    [[nodiscard]] Result<std::optional<std::vector<exec::Listed>>> programsOf(const std::string& image);
    [[nodiscard]] Result<exec::Orders> programOrders(const agents::AgentRecord& of);

    enum class Probe { Remembered, Fresh };
    [[nodiscard]] Result<hypervisor::HostReport> checkHost(Probe probe, const hypervisor::Backend::Progress& progress,
                                                           std::stop_token stop);

private:
    Engine(api::Home home, Installation installation, std::unique_ptr<hypervisor::Backend> backend,
           hypervisor::HomeId id);
    void fillServices();
    void countModels();
    [[nodiscard]] Result<agents::BootFiles> bootFiles(const std::string& image);
    [[nodiscard]] Result<viewer::ViewerBoot> viewerBoot();
    [[nodiscard]] Result<hypervisor::HostProbe> probeKit();
    // The provider of that agent's, where it is the one that is connected to.
    [[nodiscard]] std::optional<providers::Provider> providerAt(const std::string& agentId, const egress::Destination& to) const;
    [[nodiscard]] Status mayShare(const std::filesystem::path& dir) const;

    api::Home m_home;
    Installation m_installation;
    std::unique_ptr<hypervisor::Backend> m_backend;
    images::ImageStore m_images;
    agents::Services m_services;
    std::unique_ptr<Clients> m_clients;
    SecretIntake m_intake;
    std::unique_ptr<egress::CredentialBook> m_credentials; // before the agents and the networks, which use it
    std::unique_ptr<egress::CanaryBook> m_canaries;        // likewise
    std::unique_ptr<providers::ProviderBook> m_providers;  // likewise
    std::unique_ptr<providers::UsageBook> m_usage;         // likewise
    std::mutex m_checkMutex; // one probe at a time
    std::mutex m_createMutex; // one creation at a time; taken before m_agentsMutex
    News m_agentNews;         // before the agents, which tell it
    mutable std::shared_mutex m_agentsMutex;
    std::map<std::string, std::shared_ptr<agents::Agent>, std::less<>> m_agents;
    std::unique_ptr<LogKeeper> m_logKeeper; // after the agents, whose logs it looks at
    ApprovalNews m_approvalNews;
    std::unique_ptr<egress::Networks> m_networks; // before the approvals, which tell it to their end
    std::unique_ptr<Approvals> m_approvals; // after the agents that it finds, and what it tells
    std::unique_ptr<AgentAsks> m_agentAsks;
    std::unique_ptr<viewer::DocumentViewer> m_viewer;
    News m_taskNews;
    std::unique_ptr<tasks::TaskDesk> m_tasks;
    std::jthread m_taskWaker; // wakes the tasks when an agent has changed
};

// handlers_*.cpp; each adds its verbs.
void addAgentVerbs(Engine& engine, api::Handlers& to);
void addPauseVerbs(Engine& engine, api::Handlers& to);
void addReviewVerbs(Engine& engine, api::Handlers& to);
void addHostVerbs(Engine& engine, api::Handlers& to);
void addTimelineVerb(Engine& engine, api::Handlers& to);
void addLogVerbs(Engine& engine, api::Handlers& to);
void addRecordingVerbs(Engine& engine, api::Handlers& to);
void addTokenVerbs(Engine& engine, api::Handlers& to);
void addApprovalVerbs(Engine& engine, api::Handlers& to);
void addRuleVerbs(Engine& engine, api::Handlers& to);
void addNetworkVerbs(Engine& engine, api::Handlers& to);
void addExecVerbs(Engine& engine, api::Handlers& to);
void addForwardVerbs(Engine& engine, api::Handlers& to);
void addCredentialVerbs(Engine& engine, api::Handlers& to);
void addCanaryVerbs(Engine& engine, api::Handlers& to);
void addProviderVerbs(Engine& engine, api::Handlers& to);
void addTaskVerbs(Engine& engine, api::Handlers& to);
void addProgramVerbs(Engine& engine, api::Handlers& to);
void addBudgetVerbs(Engine& engine, api::Handlers& to);

// Into the logs of the agents that it is about: a rule that no verb adds or removes. An error only where one is added.
[[nodiscard]] Status recordRule(Engine& engine, policy::RuleBook::Change change, const policy::Rule& rule);
// One that the owner takes away: called right before. An error: it stays.
[[nodiscard]] Status recordRemoval(Engine& engine, const policy::Rule& rule);
// One that allows, and goes with what it was for; what cannot be written now is owed.
void recordRuleGone(Engine& engine, const policy::Rule& rule, std::string_view with);

// For handlers: what the owner knows agents by; where there is none any more, its id.
[[nodiscard]] std::function<std::string(const std::string& id)> namesOf(Engine& engine);
// For handlers: progress of an agent's verb as notifications of the call.
[[nodiscard]] agents::Progress progressOf(api::Call& call);
// For handlers: in whose name the agent does it.
[[nodiscard]] agents::By byOf(const api::Call& call);

} // namespace carrel::engine
