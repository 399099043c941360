// SPDX-License-Identifier: Apache-2.0
// What the executor asks of the folder between its steps. Internal to app/files. Thread: blocking, no state.
#pragma once

#include "app/files/tree.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace carrel::files {

inline constexpr const char* kStillWritten = "another program has it open for writing";
inline constexpr const char* kSomethingElse = "something else stands there by now";
inline constexpr const char* kOtherAttributes = "its attributes are others now";

// Another name in the same folder.
[[nodiscard]] Place beside(const Place& place, const std::string& name);
// When something in the folder was made or went last; none: it cannot be looked at.
[[nodiscard]] std::optional<std::int64_t> folderTime(const Place& place);
// Empty: what stands under `name` may go, for it is as it was and nobody writes to it. With ContentAndXattrs its attributes
// count, too.
[[nodiscard]] Result<std::string> whyNotGone(const Place& place, const std::string& name, const NodeState& old,
                                             LookAt what = LookAt::Content);
// For a person, within an outcome's reason. A path or name as it is, or what of it is text and has room there.
[[nodiscard]] std::string shown(std::string_view name);
// "; …": where something was put that is not ours to remove. Of no name: nothing.
[[nodiscard]] std::string keptBeside(const std::string& name);
// "; …": what stands at the path. `was`: whose file it is by its number, if that is known.
[[nodiscard]] std::string standing(const SharePath& path, std::uint64_t inode, const std::string& was);
// Of two places; 0 = nothing there.
[[nodiscard]] Result<std::pair<std::uint64_t, std::uint64_t>> inodesOf(const Place& a, const Place& b);
// The folder is not as expected; any other error says nothing of the folder.
[[nodiscard]] bool isConflict(const Error& error);

} // namespace carrel::files
