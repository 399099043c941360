// SPDX-License-Identifier: Apache-2.0
// What the engine tells of an agent (app/api/schema/common.json, "agent" and "share"), for windows. Thread: values.
#pragma once

#include "ui/text/network_words.h"

#include <boost/json.hpp>

#include <QMetaType>
#include <QString>
#include <QVector>

#include <cstdint>
#include <optional>
#include <string>

namespace carrel::ui {

enum class AgentState { Created, Starting, Ready, Working, Paused, Standby, Hibernated, Stopping, Stopped, Failed, Unknown };
enum class ShareMode { ReadOnly, Review, Auto };

struct ShareInfo {
    std::string name;      // raw: its name in the machine
    std::string directory; // raw bytes: a name need not be UTF-8
    ShareMode mode = ShareMode::Review;
    std::optional<std::uint64_t> staged; // nothing: not known now
    bool revoked = false;
    std::string trouble; // raw, the machine's own words

    bool operator==(const ShareInfo&) const = default;
};

struct AgentInfo {
    QString name; // of the closed alphabet of names: fit to be shown
    AgentState state = AgentState::Unknown;
    std::string reason; // raw; why it failed, or why Carrel paused it
    bool pausedForBudget = false; // else by the owner, or where there is a reason, for a canary
    std::uint64_t memoryMib = 0;
    std::uint64_t cpus = 0;
    std::string accelerator; // "hardware", "software", or empty while it does not run
    NetMode network = NetMode::Offline;
    QVector<ShareInfo> shares;

    [[nodiscard]] std::uint64_t staged() const; // as far as it is known
    // Its machine exists, so that it can be stopped or paused.
    [[nodiscard]] bool runs() const;
    [[nodiscard]] bool hasNetwork() const { return network != NetMode::Offline; }
    bool operator==(const AgentInfo&) const = default;
};

[[nodiscard]] AgentInfo agentFrom(const boost::json::object& agent);
[[nodiscard]] ShareInfo shareFrom(const boost::json::object& share);

// In the user's language.
[[nodiscard]] QString stateText(AgentState state);
[[nodiscard]] QString modeText(ShareMode mode);       // "Review"
[[nodiscard]] QString modeExplained(ShareMode mode);  // one sentence
[[nodiscard]] const char* modeKey(ShareMode mode);    // as the engine says it

} // namespace carrel::ui
