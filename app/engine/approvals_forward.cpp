// SPDX-License-Identifier: Apache-2.0
// A server of its machine that an agent asks to have shown in the owner's browser.
#include "app/engine/approvals.h"

namespace carrel::engine {

using policy::Approval;
using policy::EffectState;
using policy::Submitted;

Result<Submitted> Approvals::askForward(const AgentPtr& agent, std::uint16_t port, const std::string& reason) {
    auto item = egress::forwardRequest(agent->id(), agent->session(), port);
    const auto about = "port " + std::to_string(port);
    policy::Ask ask;
    ask.agent = item.agent;
    ask.session = item.session;
    ask.action = item.action;
    ask.about = about;
    ask.items = {std::move(item)};
    ask.evidence = {files::Sha256::of("forward\n" + about), "forward"};
    ask.riskReason = egress::forwardMeaning();
    ask.claim = reason;
    auto submitted = m_queue.submit(std::move(ask));
    if (submitted && submitted->kind == Submitted::Kind::Allowed) { // by a person, a moment ago: whose call it is to open it
        submitted->kind = Submitted::Kind::Waiting;
    }
    return submitted;
}

// The words are for the agent, too, which is not told the address.
void Approvals::openForward(const Approval& approval, Outcome& out) {
    const auto& item = approval.question.items.front();
    if (auto may = m_queue.begin(approval.id, approval.question.items); !may) {
        out.effectTrouble = std::move(may).error();
        return;
    }
    const auto& port = item.fields.at("port");
    const auto open = [&]() -> Result<egress::Forward> {
        const auto agent = agentOf(approval.agent);
        const auto network = agent ? (*agent)->running() : Result<std::shared_ptr<egress::Egress>>(fail(agent.error()));
        if (!network) {
            return fail(network.error());
        }
        const auto until = approval.decision ? approval.decision->untilMs : std::nullopt;
        return (*network)->forwards().open({static_cast<std::uint16_t>(std::stoul(port)), until, approval.id});
    };
    if (auto made = open()) {
        out.forward = std::move(*made);
        m_queue.finished(approval.id, EffectState::Done, "what listens at port " + port + " of the machine is shown");
    } else {
        out.effectTrouble = std::move(made).error();
        m_queue.finished(approval.id, EffectState::Failed, out.effectTrouble->text());
    }
}

} // namespace carrel::engine
