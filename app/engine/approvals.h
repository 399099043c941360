// SPDX-License-Identifier: Apache-2.0
// The approvals of one home, put together (design section 8): the rules' file, the queue, what goes on because it was
// allowed, and the effects that Carrel carries out itself. What is asked comes in here, from an agent or from a verb; what is
// decided is carried out here, by the same apply() that the owner's own word uses.
//
// Records go to the log of the agent that they are about. An agent's requests are recovered from its log before anything is
// asked of it (recover()).
//
// Owner: the engine. Thread: any; blocks for the disk, and for an agent's turn. Threads of its own: one that keeps time, which
// waits for no agent, and for each agent one that settles what rules say of what it has open.
#pragma once

#include "app/agents/agent.h"
#include "app/egress/forwards.h"
#include "app/engine/agent_lanes.h"
#include "app/policy/approval_queue.h"
#include "app/policy/grants.h"
#include "app/policy/rule_book.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace carrel::engine {

class Approvals final : policy::ApprovalSink, policy::Evidences, policy::EffectStandings, policy::ApprovalListener {
public:
    using AgentPtr = std::shared_ptr<agents::Agent>;
    struct Setup {
        std::filesystem::path home;
        std::unique_ptr<policy::SealKeeper> keeper;
        std::function<AgentPtr(std::string_view id)> findAgent; // none: no agent has it
        std::function<void(std::string_view line)> complain;    // to the engine's own log
        const policy::Clock* clock = nullptr;                   // outlives this; none: the system's
        std::function<void()> programsChanged = {};             // what rules say of programs may be other than before; must not wait
    };
    explicit Approvals(Setup setup);
    ~Approvals();
    Approvals(const Approvals&) = delete;
    Approvals& operator=(const Approvals&) = delete;

    // Of all agents, before anything is asked and before any of them is taken over. Then time begins to count.
    void recover(const std::vector<AgentPtr>& agents);
    // Told of each state of each request, without a lock.
    void addListener(policy::ApprovalListener& listener); // before recover(); outlives this

    // The agent asks for what it has staged to be applied: all of it, or these. What a rule allows is done when this answers.
    struct Asked {
        policy::Submitted submitted;
        std::optional<agents::ActionReport> report; // a rule allowed it
    };
    [[nodiscard]] Result<Asked> askApply(const AgentPtr& agent, const agents::ReviewSelection& what, const std::string& reason,
                                         std::stop_token stop);

    // The agent asks to be given a folder. It cannot know what there is on this computer, so it names none: the owner chooses
    // one with the answer, for this once, and no rule answers it but one that denies.
    [[nodiscard]] Result<policy::Submitted> askFolder(const AgentPtr& agent, const std::string& reason);

    // The agent asks that what listens at a port of its machine is shown in the owner's browser. Of high risk; no rule answers it but
    // one that denies. It is not told where it is shown.
    [[nodiscard]] Result<policy::Submitted> askForward(const AgentPtr& agent, std::uint16_t port, const std::string& reason);

    // A program whose content nothing is known of wanted to run in the agent's machine, and may not until somebody says so. Allowed once
    // means: for as long as this machine runs. What the machine says of it is the claim; the content alone is judged.
    [[nodiscard]] Result<policy::Submitted> askProgram(const AgentPtr& agent, const ask::Program& program);
    // Contents that were allowed so; of another session than the agent's: none.
    [[nodiscard]] std::set<std::string> allowedOnce(const std::string& agent, const std::string& session) const;

    // The owner's word. What it allows is done when this answers.
    struct FolderChoice { // with an allow of a folder, and with nothing else
        std::optional<std::string> folder;     // on this computer
        std::optional<agents::ShareMode> mode; // none: as it was asked
    };
    struct Outcome {
        policy::Decided decided;
        std::optional<agents::ActionReport> report;
        std::string share;                  // that was added
        std::optional<egress::Forward> forward; // that was opened
        std::optional<Error> effectTrouble; // it was allowed, and could not be done
    };
    // InvalidArgument: a folder was asked for, and none is chosen.
    [[nodiscard]] Result<Outcome> decide(const policy::DecisionWanted& wanted, const agents::Progress& progress,
                                         const FolderChoice& choice = {});

    // The rules are others now: what is open, and what goes on, is judged by them.
    void rulesChanged() override;
    void sessionEnded(const std::string& agent, const std::string& session);
    // Services::maySettle, and ownerDecided: what is asked about that very review is over.
    [[nodiscard]] agents::MaySettle maySettle(const std::string& agent, const std::string& session, const agents::ShareRecord& share,
                                              const files::FrozenEntry& entry);
    void ownerDecided(const std::string& agent, const std::string& review);
    void forget(const std::string& agent); // it is deleted

    [[nodiscard]] policy::ApprovalQueue& queue() { return m_queue; }
    [[nodiscard]] policy::RuleBook& rules() { return m_rules; }
    [[nodiscard]] policy::Grants& grants() { return m_grants; } // for whoever carries out what goes on: the network, ports
    [[nodiscard]] std::string nameOf(const std::string& agent) const; // its id where there is no such agent any more

    // The things of a review, as rules judge them.
    [[nodiscard]] static std::vector<policy::Request> requestsOf(const agents::Agent& agent, const agents::OpenedReview& review);

private:
    [[nodiscard]] Status append(const policy::ApprovalRecord& record) override;
    [[nodiscard]] Result<std::vector<policy::Request>> itemsOf(const policy::Approval& approval) override;
    [[nodiscard]] Result<Stands> standing(const policy::Approval& approval) override;
    [[nodiscard]] std::string words(const policy::Approval& approval) override;
    void changed(const policy::Approval& approval, std::uint64_t number) override;

    [[nodiscard]] Result<AgentPtr> agentOf(const std::string& id) const;
    [[nodiscard]] Result<agents::ActionReport> carryOut(const policy::Approval& approval, const agents::Progress& progress);
    // approvals_folder.cpp
    [[nodiscard]] Result<std::optional<agents::NewShare>> chosen(const policy::DecisionWanted& wanted, const FolderChoice& choice);
    void giveFolder(const policy::Approval& approval, const agents::NewShare& share, Outcome& out);
    [[nodiscard]] Result<Stands> folderStanding(const policy::Approval& approval);
    void openForward(const policy::Approval& approval, Outcome& out); // approvals_forward.cpp
    void lookAtPrograms(); // likewise; by the one that keeps time: rules about programs end
    [[nodiscard]] Status letRun(const policy::Approval& approval); // approvals_program.cpp
    void keepTime(const std::stop_token& stop);
    void tidyReviews();
    void forgetTold();
    void carryOutByRule();
    void reconsider(); // what is open, in the lane of whose it is
    [[nodiscard]] bool doneByAnother(const policy::Approval& approval, const Error& notByUs);

    const policy::SystemClock m_system;
    const policy::Clock* m_clock;
    std::function<AgentPtr(std::string_view)> m_findAgent;
    std::function<void(std::string_view)> m_complain;
    std::function<void()> m_programsChanged;
    std::vector<policy::ApprovalListener*> m_listeners;
    policy::RuleBook m_rules;
    policy::Grants m_grants;
    policy::ApprovalQueue m_queue;

    mutable std::mutex m_mutex; // guards what follows; nothing is called with it held
    std::condition_variable_any m_news;
    bool m_due = false;
    struct Kept {
        std::string agent, review;
        friend bool operator==(const Kept&, const Kept&) = default;
    };
    std::map<std::uint64_t, Kept> m_reviews; // of requests that wait or are allowed: what they are asked on
    std::vector<Kept> m_keep, m_letGo;
    std::map<std::uint64_t, std::uint64_t> m_told;            // by request: the newest state that was told
    struct Once {
        std::string session;
        std::set<std::string> contents;
    };
    std::map<std::string, Once> m_once; // by agent
    bool m_rulesNew = true;              // since lookAtPrograms()
    std::optional<std::int64_t> m_programsEnd; // the first end of a rule about programs; since 1970
    std::vector<std::uint64_t> m_byRule;                      // allowed by a rule while they waited
    AgentLanes m_lanes;
    std::jthread m_time; // last: uses the rest
};

} // namespace carrel::engine
