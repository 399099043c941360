// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/clerk_word.h"

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::clerk {

namespace {

using enum ClerkWord;

constexpr std::array<std::pair<std::string_view, ClerkWord>, 17> kWords{{{"stage", Stage},
                                                                        {"console.activity", ConsoleActivity},
                                                                        {"channel.closed", ChannelClosed},
                                                                        {"broken", Broken},
                                                                        {"file.read", FileRead},
                                                                        {"exec.ended", ExecEnded},
                                                                        {"changes.touched", ChangesTouched},
                                                                        {"guest.log", GuestLog},
                                                                        {"notice", Notice},
                                                                        {"shares.failed", SharesFailed},
                                                                        {"ask", Ask},
                                                                        {"net.open", NetOpen},
                                                                        {"net.request", NetRequest},
                                                                        {"net.canary", NetCanary},
                                                                        {"net.closed", NetClosed},
                                                                        {"net.used", NetUsed},
                                                                        {"forward.closed", ForwardClosed}}};

} // namespace

std::optional<ClerkWord> clerkWordFrom(std::string_view method) {
    const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& each) { return each.first == method; });
    return found == kWords.end() ? std::nullopt : std::optional(found->second);
}

HostDeed deedOf(ClerkWord word) {
    switch (word) { // without a default: the compiler asks for what is new
    case FileRead:
        return HostDeed::AnswerRead;
    case NetOpen:
        return HostDeed::Connect;
    case NetRequest: // once it is allowed; with what it is bound to
        return HostDeed::AttachCredential;
    case Stage:
    case ConsoleActivity:
    case ChannelClosed:
    case Broken:
    case ExecEnded:
    case ChangesTouched:
    case GuestLog:
    case Notice:
    case SharesFailed:
    case Ask: // becomes a request in the inbox; what answers it is the owner, or a rule of theirs
    case NetCanary:
    case NetClosed:
    case NetUsed:
    case ForwardClosed:
        break;
    }
    return HostDeed::WriteOwn;
}

} // namespace carrel::clerk
