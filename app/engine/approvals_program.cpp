// SPDX-License-Identifier: Apache-2.0
// A program that nothing is known of, and whose machine runs what is known only.
#include "app/engine/approvals.h"

#include "app/exec/gate_orders.h"

#include <algorithm>

namespace carrel::engine {

using policy::Approval;
using policy::EffectState;
using policy::Submitted;

namespace {

// All of it the machine's word.
std::string claimOf(const ask::Program& program) {
    std::string out = program.path.empty() ? "a file without a name" : program.path;
    if (program.package) {
        out += ", of the package " + *program.package;
    }
    for (std::size_t i = 0; i < program.startedBy.size(); ++i) {
        out += (i == 0 ? ", started by " : " in ") + program.startedBy[i];
    }
    return out;
}

} // namespace

Result<Submitted> Approvals::askProgram(const AgentPtr& agent, const ask::Program& program) {
    auto item = exec::programRequest(agent->id(), agent->session(), program.sha256);
    const auto about = "program " + program.sha256;
    policy::Ask ask;
    ask.agent = item.agent;
    ask.session = item.session;
    ask.action = item.action;
    ask.about = about;
    ask.items = {std::move(item)};
    ask.evidence = {files::Sha256::of(about), "program"};
    ask.claim = claimOf(program);
    return m_queue.submit(std::move(ask));
}

std::set<std::string> Approvals::allowedOnce(const std::string& agent, const std::string& session) const {
    const std::lock_guard lock(m_mutex);
    const auto at = m_once.find(agent);
    return at == m_once.end() || at->second.session != session ? std::set<std::string>() : at->second.contents;
}

// Where a rule was kept with the answer it is among the rules by now; what is decided for once is remembered here, until the machine's
// end, and until Carrel's: then it is asked about again.
Status Approvals::letRun(const Approval& approval) {
    const auto& item = approval.question.items.front();
    CARREL_TRY(m_queue.begin(approval.id, approval.question.items));
    const auto agent = agentOf(approval.agent);
    auto done = agent ? Status() : Status(fail(agent.error()));
    if (agent) {
        if (approval.decision && approval.decision->scope == policy::Scope::Once && !policy::isByRule(approval)) {
            const std::lock_guard lock(m_mutex);
            auto& once = m_once[approval.agent];
            if (once.session != approval.session) {
                once = {approval.session, {}};
            }
            once.contents.insert(item.fields.at("sha256"));
        }
        done = (*agent)->tellPrograms();
    }
    m_queue.finished(approval.id, done ? EffectState::Done : EffectState::Failed, done ? "the program may run; start it again" : done.error().text());
    return done;
}

// A rule that ends is over without anybody's word, and a machine goes by what it was told last.
void Approvals::lookAtPrograms() {
    const auto now = m_clock->now().wallMs;
    {
        const std::lock_guard lock(m_mutex);
        const bool over = m_programsEnd && now >= *m_programsEnd;
        if (!over && !m_rulesNew) {
            return;
        }
        m_rulesNew = false;
        m_programsEnd.reset();
    }
    const auto all = m_rules.rules();
    std::optional<std::int64_t> end;
    for (const auto& rule : all ? all->rules : std::vector<policy::Rule>()) {
        if (rule.action == policy::Action::Program && rule.untilMs && *rule.untilMs > now) {
            end = std::min(end.value_or(*rule.untilMs), *rule.untilMs);
        }
    }
    {
        const std::lock_guard lock(m_mutex);
        m_programsEnd = end;
    }
    if (m_programsChanged) {
        m_programsChanged();
    }
}

} // namespace carrel::engine
