// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval_words.h"

#include <set>

namespace carrel::policy {
namespace {

// The distinct ones of the kept items: "a", "a and b", "a, b and 3 more".
std::string namesOf(const Question& question, std::string_view field) {
    constexpr std::size_t kShown = 2;
    std::set<std::string> names;
    for (const auto& item : question.items) {
        if (const auto at = item.fields.find(field); at != item.fields.end()) {
            names.insert(at->second);
        }
    }
    std::string out;
    std::size_t shown = 0;
    for (const auto& name : names) {
        if (shown == kShown) {
            return out + " and more";
        }
        out += shown == 0 ? name : (names.size() > kShown ? ", " : " and ") + name;
        ++shown;
    }
    return out.empty() ? "(too long to be shown)" : out;
}

std::string what(const Approval& of) {
    const auto& question = of.question;
    switch (of.action) {
    case Action::Apply:
        return "have " + std::to_string(question.itemCount) + (question.itemCount == 1 ? " change" : " changes") + " applied in " +
               namesOf(question, "folder");
    case Action::Folder:
        return (isToBeChosen(of) ? "be given a folder of your choice" : "be given the folder " + namesOf(question, "folder")) +
               ", mode " + namesOf(question, "mode");
    case Action::Network: {
        const bool read = !question.items.empty() && question.items.front().fields.contains("method");
        return read ? "connect, for " + namesOf(question, "method") + " " + namesOf(question, "path") : "connect, and could send anything there";
    }
    case Action::Credential:
        return "use the credential " + namesOf(question, "name") + " at " + namesOf(question, "host");
    case Action::Forward:
        return "have what it serves at port " + namesOf(question, "port") + " of its machine shown in your browser";
    case Action::Program:
        return "run the program with the content " + namesOf(question, "sha256");
    }
    return {};
}

// The words of an effect that was done are Carrel's own, and hold no name that the agent does not know.
std::string doneWords(const Approval& of) {
    if (of.effectWords.empty() || !isCarriedOut(of.action)) {
        return "It was allowed, and is done";
    }
    return of.action != Action::Apply ? "It was allowed: " + of.effectWords : "It was allowed, and is done: " + of.effectWords;
}

} // namespace

std::string describe(const Approval& approval, std::string_view agentName) {
    const auto asks = "he agent " + std::string(agentName) + " asks to " + what(approval);
    const auto& question = approval.question;
    // Where to, before all else: that is what is decided on.
    return approval.action == Action::Network ? namesOf(question, "host") + ", port " + namesOf(question, "port") + ": t" + asks : "T" + asks;
}

std::string toldAgent(const Approval& of) {
    switch (of.state) {
    case ApprovalState::Open:
        return "It waits for an answer";
    case ApprovalState::Allowed:
        switch (of.effect) {
        case EffectState::None:
            return "It is allowed";
        case EffectState::Done:
            return doneWords(of);
        case EffectState::Failed:
            return "It was allowed, and could not be done";
        case EffectState::NeverBegan:
            return "It was allowed, and not begun in time: ask again";
        case EffectState::Unsettled:
            return "It was allowed, and it is not known yet how far it went";
        }
        return "It is allowed";
    case ApprovalState::Denied:
        return "It was denied";
    case ApprovalState::Expired:
        return "Nobody answered in time; it was not denied, and can be asked again later";
    case ApprovalState::Cancelled:
        switch (of.ended.value_or(EndReason::Withdrawn)) {
        case EndReason::SessionOver:
            return "It was cancelled: the session that asked has ended";
        case EndReason::EngineEnded:
            return "It was cancelled: Carrel was restarted; ask again";
        case EndReason::Gone:
            return "It was cancelled: what it was about is no longer there";
        case EndReason::NoAnswer:
        case EndReason::Withdrawn:
            break;
        }
        return "It was taken back";
    }
    return {};
}

} // namespace carrel::policy
