// SPDX-License-Identifier: Apache-2.0
// One change of a review as the engine tells it (app/api/schema/common.json, "change"), and what it is in plain words. The texts
// of the struct are raw: through lineOf before a person sees them. Thread: values and pure functions.
#pragma once

#include <boost/json.hpp>

#include <QString>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::ui {

enum class ChangeKind : std::uint8_t { Created, Modified, Deleted, Renamed, Mode, Link, Unknown };
enum class ChangeType : std::uint8_t { File, Directory, Symlink };

struct ChangeEntry {
    std::string share;
    std::string path; // <share>/<path inside>, raw bytes
    ChangeKind kind = ChangeKind::Unknown;
    ChangeType type = ChangeType::File;
    std::string from; // Renamed
    std::string linkTarget;
    std::uint64_t size = 0;
    bool hasContent = false; // new bytes come with it
    bool hadContent = false; // there were bytes before
    std::optional<unsigned> mode;
    std::optional<unsigned> oldMode;
    bool highRisk = false;
    std::string riskReason;
    std::string conflict; // empty: none
    std::uint64_t linesAdded = 0;
    std::uint64_t linesRemoved = 0;

    // What comes into this folder needs it: it is applied with that, chosen or not.
    [[nodiscard]] bool leadsTheWay() const {
        return type == ChangeType::Directory && (kind == ChangeKind::Created || kind == ChangeKind::Renamed);
    }
    // Both changed a file, so that the agent's can be kept beside the user's; the engine has the last word.
    [[nodiscard]] bool canKeepBoth() const {
        return !conflict.empty() && type == ChangeType::File && hasContent && hadContent &&
               (kind == ChangeKind::Created || kind == ChangeKind::Modified);
    }
};

// Where the path cannot be read there is none.
[[nodiscard]] std::optional<ChangeEntry> changeFrom(const boost::json::object& change);

// {"path": …} or, where it is not UTF-8, {"path_b64": …}.
[[nodiscard]] boost::json::object pathParameter(std::string_view path);

[[nodiscard]] QString kindText(const ChangeEntry& change);    // "Renamed"
[[nodiscard]] QString kindSentence(const ChangeEntry& change); // "Renamed from papers/old name"
[[nodiscard]] QString sizeOf(const ChangeEntry& change);       // empty where no bytes come with it
// What becomes of who may do what; empty where nothing does.
[[nodiscard]] QString permissionsText(const ChangeEntry& change);
[[nodiscard]] QString rightsText(unsigned before, unsigned after, ChangeType type);

} // namespace carrel::ui
