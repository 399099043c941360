// SPDX-License-Identifier: Apache-2.0
// The words that stand for this room's enumerators in files. Internal to app/files. Thread: constants.
#pragma once

#include "app/files/applier.h"
#include "app/files/frozen_set.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace carrel::files {

template <class Value> using Name = std::pair<Value, std::string_view>;

inline constexpr std::array<Name<NodeKind>, 5> kNodeKinds{{{NodeKind::Absent, "absent"},
                                                           {NodeKind::File, "file"},
                                                           {NodeKind::Directory, "folder"},
                                                           {NodeKind::Symlink, "link"},
                                                           {NodeKind::Other, "special file"}}};
inline constexpr std::array<Name<Risk>, 2> kRisks{{{Risk::Normal, "normal"}, {Risk::High, "high"}}};
inline constexpr std::array<Name<ConflictKind>, 9> kConflicts{{{ConflictKind::None, "none"},
                                                               {ConflictKind::Changed, "changed"},
                                                               {ConflictKind::Appeared, "appeared"},
                                                               {ConflictKind::Gone, "gone"},
                                                               {ConflictKind::HardLinked, "hard_linked"},
                                                               {ConflictKind::Foreign, "foreign"},
                                                               {ConflictKind::Unreadable, "unreadable"},
                                                               {ConflictKind::LinkOutside, "link_outside"},
                                                               {ConflictKind::Refused, "refused"}}};
inline constexpr std::array<Name<LeftOutWhy>, 4> kLeftOutWhys{{{LeftOutWhy::AlreadySo, "already_so"},
                                                               {LeftOutWhy::Moving, "moving"},
                                                               {LeftOutWhy::TooLarge, "too_large"},
                                                               {LeftOutWhy::Failed, "failed"}}};
inline constexpr std::array<Name<Outcome>, 5> kOutcomes{{{Outcome::Applied, "applied"},
                                                         {Outcome::Conflict, "conflict"},
                                                         {Outcome::Failed, "failed"},
                                                         {Outcome::Partial, "partial"},
                                                         {Outcome::NotRun, "not_run"}}};

template <class Value, std::size_t N>
[[nodiscard]] std::string_view nameOf(const std::array<Name<Value>, N>& table, Value value) {
    for (const auto& [key, name] : table) {
        if (key == value) {
            return name;
        }
    }
    return "unknown";
}

template <class Value, std::size_t N>
[[nodiscard]] std::optional<Value> valueOf(const std::array<Name<Value>, N>& table, std::string_view name) {
    for (const auto& [key, text] : table) {
        if (text == name) {
            return key;
        }
    }
    return std::nullopt;
}

} // namespace carrel::files
