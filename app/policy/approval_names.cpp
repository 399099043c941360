// SPDX-License-Identifier: Apache-2.0
#include "app/policy/approval.h"

#include <algorithm>
#include <array>

namespace carrel::policy {
namespace {

constexpr std::array<std::string_view, 5> kStates{"open", "allowed", "denied", "expired", "cancelled"};
constexpr std::array<std::string_view, 4> kScopes{"once", "session", "agent", "everywhere"};
constexpr std::array<std::string_view, 5> kReasons{"no-answer", "withdrawn", "session-over", "engine-ended", "gone"};
constexpr std::array<std::string_view, 5> kEffects{"none", "done", "failed", "never-began", "unsettled"};
constexpr std::array<std::string_view, 2> kRisks{"routine", "high"};

template <class Enum, std::size_t N>
std::optional<Enum> from(const std::array<std::string_view, N>& names, std::string_view text) {
    const auto at = std::find(names.begin(), names.end(), text);
    return at == names.end() ? std::nullopt : std::optional(static_cast<Enum>(at - names.begin()));
}

} // namespace

std::string_view toString(ApprovalState state) {
    return kStates.at(static_cast<std::size_t>(state));
}
std::string_view toString(Scope scope) {
    return kScopes.at(static_cast<std::size_t>(scope));
}
std::string_view toString(EndReason reason) {
    return kReasons.at(static_cast<std::size_t>(reason));
}
std::string_view toString(EffectState state) {
    return kEffects.at(static_cast<std::size_t>(state));
}
std::string_view toString(Risk risk) {
    return kRisks.at(static_cast<std::size_t>(risk));
}
std::optional<Scope> scopeFrom(std::string_view text) {
    return from<Scope>(kScopes, text);
}
std::optional<EndReason> endReasonFrom(std::string_view text) {
    return from<EndReason>(kReasons, text);
}
std::optional<EffectState> effectStateFrom(std::string_view text) {
    return from<EffectState>(kEffects, text);
}
std::optional<Risk> riskFrom(std::string_view text) {
    return from<Risk>(kRisks, text);
}

bool isLasting(Action action) {
    return action == Action::Apply || action == Action::Folder;
}

bool isCarriedOut(Action action) {
    return isLasting(action) || action == Action::Forward || action == Action::Program;
}

bool isByPersonAlone(Action action) {
    return action == Action::Forward;
}

} // namespace carrel::policy
