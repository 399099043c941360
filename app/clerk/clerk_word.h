// SPDX-License-Identifier: Apache-2.0
// All that a clerk can say by itself (link.h), and which of the five things that the host does for a guest each of them may bring
// about: the closed list of invariant I2 (THREATMODEL.md). What is not on it ends the clerk that says it, so that a new word is written
// here, with what it is for, before anything can be asked for by it. Thread: pure functions.
#pragma once

#include <optional>
#include <string_view>

namespace carrel::clerk {

enum class HostDeed {
    AnswerRead,       // of a shared file
    ApplyReviewed,    // a change: nothing that a clerk says brings it about, the owner's word alone does
    Connect,          // and forward an allowed request
    AttachCredential, // to it
    WriteOwn,         // to Carrel's own data: the log, what waits for the owner, counts
};

enum class ClerkWord {
    Stage,
    ConsoleActivity,
    ChannelClosed,
    Broken,
    FileRead,
    ExecEnded,
    ChangesTouched,
    GuestLog,
    Notice,
    SharesFailed,
    Ask,
    NetOpen,
    NetRequest,
    NetCanary,
    NetClosed,
    NetUsed,
    ForwardClosed,
};

[[nodiscard]] std::optional<ClerkWord> clerkWordFrom(std::string_view method); // nothing: no clerk says that
[[nodiscard]] HostDeed deedOf(ClerkWord word);

} // namespace carrel::clerk
