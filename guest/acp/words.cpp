// SPDX-License-Identifier: Apache-2.0
#include "guest/acp/words.h"

#include <algorithm>

namespace carrel::acp {

namespace {

template <class T> struct Word {
    T value;
    std::string_view word;
};

constexpr Word<StopReason> kStopReasons[] = {{StopReason::EndTurn, "end_turn"},
                                             {StopReason::MaxTokens, "max_tokens"},
                                             {StopReason::MaxTurnRequests, "max_turn_requests"},
                                             {StopReason::Refusal, "refusal"},
                                             {StopReason::Cancelled, "cancelled"}};
constexpr Word<ToolKind> kToolKinds[] = {
    {ToolKind::Read, "read"},       {ToolKind::Edit, "edit"},   {ToolKind::Delete, "delete"}, {ToolKind::Move, "move"},
    {ToolKind::Search, "search"},   {ToolKind::Execute, "execute"}, {ToolKind::Think, "think"},   {ToolKind::Fetch, "fetch"},
    {ToolKind::SwitchMode, "switch_mode"}, {ToolKind::Other, "other"}};
constexpr Word<ToolStatus> kToolStates[] = {{ToolStatus::Pending, "pending"},
                                            {ToolStatus::InProgress, "in_progress"},
                                            {ToolStatus::Completed, "completed"},
                                            {ToolStatus::Failed, "failed"}};
constexpr Word<Priority> kPriorities[] = {{Priority::High, "high"}, {Priority::Medium, "medium"}, {Priority::Low, "low"}};
constexpr Word<PlanStatus> kPlanStates[] = {
    {PlanStatus::Pending, "pending"}, {PlanStatus::InProgress, "in_progress"}, {PlanStatus::Completed, "completed"}};
constexpr Word<OptionKind> kOptionKinds[] = {{OptionKind::AllowOnce, "allow_once"},
                                             {OptionKind::AllowAlways, "allow_always"},
                                             {OptionKind::RejectOnce, "reject_once"},
                                             {OptionKind::RejectAlways, "reject_always"}};

template <class T, std::size_t N> std::string_view wordOf(const Word<T> (&words)[N], T value) {
    const auto* found = std::find_if(std::begin(words), std::end(words), [&](const auto& each) { return each.value == value; });
    return found == std::end(words) ? std::string_view() : found->word;
}
template <class T, std::size_t N> std::optional<T> valueOf(const Word<T> (&words)[N], std::string_view word) {
    const auto* found = std::find_if(std::begin(words), std::end(words), [&](const auto& each) { return each.word == word; });
    return found == std::end(words) ? std::nullopt : std::optional<T>(found->value);
}

} // namespace

std::string_view toString(StopReason reason) {
    return wordOf(kStopReasons, reason);
}
std::string_view toString(ToolKind kind) {
    return wordOf(kToolKinds, kind);
}
std::string_view toString(ToolStatus status) {
    return wordOf(kToolStates, status);
}
std::string_view toString(Priority priority) {
    return wordOf(kPriorities, priority);
}
std::string_view toString(PlanStatus status) {
    return wordOf(kPlanStates, status);
}
std::string_view toString(OptionKind kind) {
    return wordOf(kOptionKinds, kind);
}

template <> std::optional<StopReason> fromWord<StopReason>(std::string_view word) {
    return valueOf(kStopReasons, word);
}
template <> std::optional<ToolKind> fromWord<ToolKind>(std::string_view word) {
    return valueOf(kToolKinds, word);
}
template <> std::optional<ToolStatus> fromWord<ToolStatus>(std::string_view word) {
    return valueOf(kToolStates, word);
}
template <> std::optional<Priority> fromWord<Priority>(std::string_view word) {
    return valueOf(kPriorities, word);
}
template <> std::optional<PlanStatus> fromWord<PlanStatus>(std::string_view word) {
    return valueOf(kPlanStates, word);
}
template <> std::optional<OptionKind> fromWord<OptionKind>(std::string_view word) {
    return valueOf(kOptionKinds, word);
}

} // namespace carrel::acp
