// SPDX-License-Identifier: Apache-2.0
// A folder that an agent asks to be given, and that the owner chooses.
#include "app/engine/approvals.h"

namespace carrel::engine {

using agents::NewShare;
using agents::ShareMode;
using policy::Action;
using policy::Approval;
using policy::Effect;
using policy::EffectState;
using policy::Request;
using policy::Submitted;

namespace {

constexpr ShareMode kAsked = ShareMode::Review; // an agent does not ask for less than a review

Request requestOf(const std::string& agent, const std::string& session, ShareMode mode) {
    Request out;
    out.agent = agent;
    out.session = session;
    out.action = Action::Folder;
    out.fields.emplace("mode", std::string(toString(mode)));
    return out;
}

Request requestOf(const Approval& approval, const NewShare& share) {
    auto out = requestOf(approval.agent, approval.session, share.mode);
    out.fields.emplace("folder", share.dir);
    return out;
}

// For the owner and for the agent.
std::string whereItIs(const std::string& share) {
    return "the folder is at /workspace/" + share;
}

} // namespace

Result<Submitted> Approvals::askFolder(const AgentPtr& agent, const std::string& reason) {
    policy::Ask ask;
    ask.agent = agent->id();
    ask.session = agent->session();
    ask.action = Action::Folder;
    ask.about = "folder";
    ask.items = {requestOf(ask.agent, ask.session, kAsked)};
    ask.evidence = {files::Sha256::of("folder\n" + std::string(toString(kAsked))), "folder"};
    ask.claim = reason;
    auto submitted = m_queue.submit(std::move(ask));
    if (submitted && submitted->kind == Submitted::Kind::Allowed) { // by a person, a moment ago: whose call it is to give it
        submitted->kind = Submitted::Kind::Waiting;
    }
    return submitted;
}

// What can be found out before the decision is: a folder that cannot be shared, or that a rule denies, leaves the question
// open, so that another one can be chosen.
Result<std::optional<NewShare>> Approvals::chosen(const policy::DecisionWanted& wanted, const FolderChoice& choice) {
    const bool some = choice.folder || choice.mode;
    const auto none = [&]() -> Result<std::optional<NewShare>> {
        return some ? Result<std::optional<NewShare>>(fail(ErrorCode::InvalidArgument, "A folder is chosen only where one is allowed"))
                    : std::optional<NewShare>();
    };
    if (wanted.effect != Effect::Allow) {
        return none();
    }
    const auto of = m_queue.find(wanted.id);
    if (!of) {
        return fail(of.error());
    }
    if (!policy::isToBeChosen(*of)) {
        return none();
    }
    if (of->state != policy::ApprovalState::Open) {
        return std::optional<NewShare>(); // the queue tells why
    }
    const auto number = std::to_string(of->id);
    if (!choice.folder) {
        return fail(ErrorCode::InvalidArgument, "A folder has to be chosen for request " + number,
                    "For example: carrel allow " + number + " --folder PATH");
    }
    if (wanted.scope != policy::Scope::Once) {
        return fail(ErrorCode::InvalidArgument, "A folder of your choice is given once, and no rule can say which one is next",
                    "Decide for once: carrel allow " + number + " --folder PATH");
    }
    if (wanted.lasting) {
        return fail(ErrorCode::InvalidArgument, "A folder stays until you take it away", "To end it later: carrel share revoke");
    }
    NewShare share{*choice.folder, choice.mode.value_or(kAsked)};
    auto agent = agentOf(of->agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto dir = (*agent)->mayAddShare(share);
    if (!dir) {
        return fail(std::move(dir).error());
    }
    share.dir = std::move(*dir);
    const Request item = requestOf(*of, share);
    CARREL_TRY(check(item));
    const auto verdict = m_rules.decide({&item, 1});
    if (verdict.trouble) {
        return fail(verdict.trouble->wrap("Nothing can be allowed now", verdict.trouble->hint));
    }
    if (verdict.answer == policy::Answer::Deny) {
        return fail(ErrorCode::Refused, "Rule " + std::to_string(verdict.rule ? verdict.rule->id : 0) +
                                            " denies that folder, and a rule that denies always wins",
                    "Choose another folder, or take that rule away first: carrel rules list");
    }
    return std::optional(std::move(share));
}

void Approvals::giveFolder(const Approval& approval, const NewShare& share, Outcome& out) {
    auto agent = agentOf(approval.agent);
    if (!agent) {
        out.effectTrouble = std::move(agent).error();
        return;
    }
    if (auto may = m_queue.begin(approval.id, std::vector{requestOf(approval, share)}); !may) {
        out.effectTrouble = std::move(may).error();
        return;
    }
    if (auto added = (*agent)->addShare(share, approval.id); !added) {
        out.effectTrouble = std::move(added).error();
    }
    // The machine may lack it still: then it is shared all the same, and comes when the machine answers.
    if (const auto given = (*agent)->givenBy(approval.id); given && *given) {
        out.share = **given;
        m_queue.finished(approval.id, EffectState::Done, whereItIs(out.share));
    } else {
        m_queue.finished(approval.id, EffectState::Failed,
                         out.effectTrouble ? out.effectTrouble->text() : "The folder was taken away at once");
    }
}

Result<Approvals::Stands> Approvals::folderStanding(const Approval& approval) {
    auto agent = agentOf(approval.agent);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    const auto given = (*agent)->givenBy(approval.id);
    if (!given) {
        return fail(given.error());
    }
    return *given ? Stands::Finished : Stands::NeverBegan;
}

std::string Approvals::words(const Approval& approval) {
    if (approval.action == Action::Folder) {
        if (const auto agent = m_findAgent(approval.agent)) {
            if (const auto given = agent->givenBy(approval.id); given && *given) {
                return whereItIs(**given);
            }
        }
    }
    return EffectStandings::words(approval);
}

} // namespace carrel::engine
