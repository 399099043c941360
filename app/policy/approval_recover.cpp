// SPDX-License-Identifier: Apache-2.0
// After a restart: what the log says there was, and what became of it. The log gets a row for each, so that it says
// whether the effect of a decision was finished or never began (invariant I5).
#include "app/policy/approval_queue.h"

#include "app/policy/approval_turn.h"
#include "guest/protocol/plain_text.h"

namespace carrel::policy {

using std::chrono::milliseconds;

namespace {

constexpr const char* kInItsMiddle = "Carrel was ended in its middle; a part of it is made, and stands in the history";
constexpr const char* kRestarted = "Carrel was restarted before it began; nothing was done";

} // namespace

Recovered ApprovalQueue::recover(const std::string& agent, const std::string& session,
                                 const std::vector<ApprovalRecord>& records, EffectStandings& effects) {
    Recovered out;
    std::vector<Approval> left;
    {
        const Turn turn(*this);
        for (const auto& record : records) {
            if (record.agent != agent) {
                out.misfits.push_back(Error{ErrorCode::Malformed, "A row of another agent stands in the log", {}, 0, nullptr});
                continue;
            }
            if (auto taken = m_book.apply(record); !taken) {
                out.misfits.push_back(std::move(taken).error());
            }
            // The pause that denials brought is not ended by a restart.
            const auto* decided = std::get_if<record::Decided>(&record.what);
            if (decided != nullptr && decided->facts.ruleId == 0) {
                if (decided->facts.effect == Effect::Allow) {
                    m_flood.allowed(agent);
                } else {
                    m_flood.recall(agent, turn.now, milliseconds(turn.now.wallMs - record.atMs));
                }
            }
        }
        for (const auto* of : m_book.of(agent)) {
            left.push_back(*of);
        }
    }
    for (const auto& of : left) {
        // Asked without the lock: it may look through a folder.
        const bool unknown = of.state == ApprovalState::Allowed &&
                             (of.effect == EffectState::None || of.effect == EffectState::Unsettled);
        const auto stands = unknown ? effects.standing(of) : Result<EffectStandings::Stands>(EffectStandings::Stands::Finished);
        const bool finished = unknown && stands && *stands == EffectStandings::Stands::Finished;
        const auto words = finished ? effects.words(of) : std::string();
        const bool ruleOpen = of.decision && of.decision->rule && of.decision->ruleId == 0;
        auto like = ruleOpen ? m_to.rules.find(*of.decision->rule) : Result<std::optional<Rule>>(std::nullopt);
        // Of what the log says a denial alone is kept after all: nothing seals the log, and a denial gives nothing away.
        const bool denial = ruleOpen && of.decision->rule->effect == Effect::Deny &&
                            (of.decision->rule->session.empty() || of.decision->rule->session == session);
        if (denial && like && !*like) {
            auto added = m_to.rules.add(*of.decision->rule);
            like = added ? Result<std::optional<Rule>>(std::move(*added)) : fail(std::move(added).error());
        }

        Turn turn(*this);
        const auto append = [&](decltype(ApprovalRecord::what) what) {
            (void)write(of.id, agent, std::move(what), IfNot::Owe).has_value();
        };
        if (of.session != session) {
            m_book.markSessionOver(of.id);
        }
        // Trouble with the rules leaves it open for the next start.
        if (ruleOpen && like) {
            const auto id = *like ? (*like)->id : 0;
            append(record::RuleKept{id, id == 0 ? "Carrel was restarted before it was kept" : ""});
            if (id == 0) {
                out.rulesLost.push_back(of);
            }
        }
        if (of.state == ApprovalState::Open) {
            startCountdown(of);
            if (isLasting(of.action)) {
                turn.changed(of.id); // whoever shows what waits, or keeps its evidence, knows of none yet
            } else {
                end(turn, *m_book.find(of.id), EndReason::EngineEnded);
            }
            continue;
        }
        if (!unknown) {
            continue;
        }
        if (!stands) {
            if (of.effect == EffectState::None) {
                append(record::EffectEnded{EffectState::Unsettled, plainText(stands.error().text(), 2000)});
            }
            out.unsettled.push_back(*m_book.find(of.id));
        } else if (*stands == EffectStandings::Stands::Finished) {
            append(record::EffectEnded{EffectState::Done, plainText(words, 2000)});
        } else if (*stands == EffectStandings::Stands::Partly) {
            append(record::EffectEnded{EffectState::Failed, kInItsMiddle});
        } else {
            append(record::EffectEnded{EffectState::NeverBegan, kRestarted});
            if (isLasting(of.action)) { // whoever allowed it would wait for ever; a person is asked once more
                append(record::Reopened{"the restart"});
                startCountdown(*m_book.find(of.id));
                out.reopened.push_back(copyOf(*m_book.find(of.id)));
            }
        }
        turn.changed(of.id);
    }
    return out;
}

} // namespace carrel::policy
