// SPDX-License-Identifier: Apache-2.0
// Is a log what it was when it was written? Answered from the file alone, or a copy of it, by anybody: without an engine, without a
// network, without a secret. Nothing in the file is believed, run or written to.
//
// What holds, and what it needs:
//   each event, and its place         always: the chain (event.h)
//   the recordings                    always: each of their pieces is named by an event
//   that it was not written anew      the installation's public key, from elsewhere: then every head must be signed by it
//   that its end was not cut off      a head that was handed out before (textOf(SignedHead)), from elsewhere; without one, events
//                                     after the newest signed head could be gone, and what is left of signed heads tells of others
//   that it is not an older copy      the same
// Events that were left out as the owner's limits say (SignedCut) are told, and no error.
//
// Thread: any; reads the file once, with little memory, and blocks for the disk.
#pragma once

#include "app/activity/signature.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace carrel::activity {

struct Trust {
    std::optional<PublicKey> key;   // whose signatures count; none: the file's own, which must be one and the same
    std::optional<SignedHead> kept; // what was handed out earlier; its key counts where `key` is none
};

struct Wrong {
    std::uint64_t seq = 0; // the first event that is not as it was written; 0: the file as a whole
    Error error;           // Conflict: it was changed. Malformed: it cannot be read from there on
};

struct Verdict {
    LogId log{};
    std::uint64_t first = 0;  // the first event that is kept; 0: there is none
    Head last;                // the last event that is as it was written
    std::uint64_t recorded = 0; // pieces of recordings that are as they were written
    std::optional<SignedHead> newest; // the newest genuine head up to `last`
    std::optional<SignedCut> cut;
    std::optional<Wrong> wrong;
};

// Errors only where there is nothing to judge: NotFound, Malformed (not a log), Unsupported (a later version's), Io,
// InvalidArgument (a kept head that is not genuine, or of another key than the one that counts). `told`: now and then, how many events were read.
[[nodiscard]] Result<Verdict> verifyLog(const std::filesystem::path& file, const Trust& trust = {},
                                        const std::function<void(std::uint64_t events)>& told = {});

} // namespace carrel::activity
