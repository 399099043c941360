// SPDX-License-Identifier: Apache-2.0
#include "ui/agents/agent_info.h"

#include "app/api/answers.h"

#include <QCoreApplication>

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::ui {

using namespace api;

namespace {

constexpr std::array<std::pair<std::string_view, AgentState>, 10> kStates{{{"created", AgentState::Created},
                                                                            {"starting", AgentState::Starting},
                                                                            {"ready", AgentState::Ready},
                                                                            {"working", AgentState::Working},
                                                                            {"paused", AgentState::Paused},
                                                                            {"standby", AgentState::Standby},
                                                                            {"hibernated", AgentState::Hibernated},
                                                                            {"stopping", AgentState::Stopping},
                                                                            {"stopped", AgentState::Stopped},
                                                                            {"failed", AgentState::Failed}}};

struct AgentWords {
    Q_DECLARE_TR_FUNCTIONS(AgentWords)
};

} // namespace

std::uint64_t AgentInfo::staged() const {
    std::uint64_t out = 0;
    for (const auto& share : shares) {
        out += share.staged.value_or(0);
    }
    return out;
}

bool AgentInfo::runs() const {
    return state == AgentState::Ready || state == AgentState::Working || state == AgentState::Paused || state == AgentState::Starting ||
           state == AgentState::Standby;
}

ShareInfo shareFrom(const boost::json::object& share) {
    ShareInfo out;
    out.name = textAt(share, "name");
    out.directory = pathAt(share, "dir");
    const auto mode = textAt(share, "mode");
    out.mode = mode == "read-only" ? ShareMode::ReadOnly : mode == "auto" ? ShareMode::Auto : ShareMode::Review;
    if (share.if_contains("staged") != nullptr) {
        out.staged = numberAt(share, "staged");
    }
    out.revoked = flagAt(share, "revoked");
    out.trouble = textAt(share, "trouble");
    return out;
}

AgentInfo agentFrom(const boost::json::object& agent) {
    AgentInfo out;
    out.name = QString::fromStdString(textAt(agent, "name"));
    const auto state = textAt(agent, "state");
    const auto* const found = std::find_if(kStates.begin(), kStates.end(), [&](const auto& each) { return each.first == state; });
    out.state = found == kStates.end() ? AgentState::Unknown : found->second;
    out.reason = textAt(agent, "reason");
    out.pausedForBudget = textAt(agent, "paused_by") == "budget";
    out.memoryMib = numberAt(agent, "memory_mib");
    out.cpus = numberAt(agent, "cpus");
    out.accelerator = textAt(agent, "accelerator");
    if (const auto network = textAt(agent, "network"); !network.empty()) { // else of an engine that gives none
        out.network = netModeFrom(network);
    }
    for (const auto& share : listAt(agent, "shares")) {
        if (share.is_object()) {
            out.shares.push_back(shareFrom(share.get_object()));
        }
    }
    return out;
}

QString stateText(AgentState state) {
    switch (state) {
    case AgentState::Created:
        return AgentWords::tr("Not started yet");
    case AgentState::Starting:
        return AgentWords::tr("Starting");
    case AgentState::Ready:
        return AgentWords::tr("Ready");
    case AgentState::Working:
        return AgentWords::tr("Working");
    case AgentState::Paused:
        return AgentWords::tr("Paused");
    case AgentState::Standby:
        return AgentWords::tr("Standing by");
    case AgentState::Hibernated:
        return AgentWords::tr("Hibernating");
    case AgentState::Stopping:
        return AgentWords::tr("Stopping");
    case AgentState::Stopped:
        return AgentWords::tr("Stopped");
    case AgentState::Failed:
        return AgentWords::tr("Failed");
    case AgentState::Unknown:
        break;
    }
    return AgentWords::tr("In a state that this window does not know");
}

QString modeText(ShareMode mode) {
    switch (mode) {
    case ShareMode::ReadOnly:
        return AgentWords::tr("Read only");
    case ShareMode::Review:
        return AgentWords::tr("Review");
    case ShareMode::Auto:
        return AgentWords::tr("Automatic");
    }
    return {};
}

QString modeExplained(ShareMode mode) {
    switch (mode) {
    case ShareMode::ReadOnly:
        return AgentWords::tr("The agent can read the folder and change nothing in it.");
    case ShareMode::Review:
        return AgentWords::tr("What the agent changes waits until you have looked at it.");
    case ShareMode::Auto:
        return AgentWords::tr("New files, and edits of files that the agent itself made, go into the folder by themselves; all else waits for you.");
    }
    return {};
}

const char* modeKey(ShareMode mode) {
    switch (mode) {
    case ShareMode::ReadOnly:
        return "read-only";
    case ShareMode::Review:
        return "review";
    case ShareMode::Auto:
        return "auto";
    }
    return "review";
}

} // namespace carrel::ui
