// SPDX-License-Identifier: Apache-2.0
#include "app/files/standing.h"

namespace carrel::files {

Standing::Standing(std::span<const Journal> journals) {
    // Newest first: what became of an undo is known before it is told what that one took back.
    for (auto journal = journals.rbegin(); journal != journals.rend(); ++journal) {
        const Plan& plan = journal->plan();
        Entry& entry = m_entries[plan.id];
        std::set<OpIndex> takenBack;
        std::swap(takenBack, entry.operations); // until here it held those, put there by the undos
        for (std::size_t e = 0; e < plan.entries.size(); ++e) {
            for (std::size_t o = 0; o < plan.entries[e].ops.size(); ++o) {
                const bool done = journal->record(e, o).done;
                entry.partly = entry.partly || (done && takenBack.contains({e, o}));
                if (done && !takenBack.contains({e, o})) {
                    entry.operations.insert({e, o});
                }
            }
        }
        if (plan.undoes.empty()) {
            continue;
        }
        Entry& target = m_entries[plan.undoes];
        target.unfinished = target.unfinished || !journal->ended();
        const bool stands = entry.undo.empty() || !entry.operations.empty();
        if (journal->ended() && stands && target.undo.empty()) {
            target.undo = plan.id;
        }
        for (const auto& [e, o] : entry.operations) {
            if (const auto& reverses = plan.entries[e].ops[o].reverses) {
                target.operations.insert(*reverses);
            }
        }
    }
}

const std::set<OpIndex>& Standing::operations(const std::string& id) const {
    static const std::set<OpIndex> kNone;
    const auto found = m_entries.find(id);
    return found == m_entries.end() ? kNone : found->second.operations;
}

std::string Standing::takenBackBy(const std::string& id) const {
    const auto found = m_entries.find(id);
    const bool stands = found == m_entries.end() || !found->second.operations.empty();
    return stands ? std::string() : found->second.undo;
}

bool Standing::isPartlyTakenBack(const std::string& id) const {
    const auto found = m_entries.find(id);
    return found != m_entries.end() && found->second.partly && !found->second.operations.empty();
}

bool Standing::isBeingTakenBack(const std::string& id) const {
    const auto found = m_entries.find(id);
    return found != m_entries.end() && found->second.unfinished;
}

} // namespace carrel::files
