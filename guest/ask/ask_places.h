// SPDX-License-Identifier: Apache-2.0
// Where an agent's programs find what they ask by. The folder is guestd's, read-only in the agent's world.
#pragma once

namespace carrel::ask {

inline constexpr char kShelfFolder[] = "/run/carrel";
inline constexpr char kSocketName[] = "/ask"; // in that folder
inline constexpr char kSocket[] = "/run/carrel/ask";
inline constexpr char kProgram[] = "/run/carrel/bin/carrel-ask";
inline constexpr char kProgramOnPath[] = "/usr/local/bin/carrel-ask"; // a link to it
inline constexpr char kPackagesMethod[] = "packages.look"; // of the question that guestd answers when it has looked at what apt fetched
inline constexpr char kWorkspaceFolder[] = "/workspace";

} // namespace carrel::ask
