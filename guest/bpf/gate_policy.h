// SPDX-License-Identifier: Apache-2.0
// What decides which programs run in a machine: a mode, and what is known of contents, by SHA-256.
//
//   mode     what runs                                       what memory may hold that runs
//   observe  everything                                      anything
//   deny     what the kernel can read and is not denied      anything but a file's content that the kernel did not look at
//   allow    what is allowed and not denied, of a file with  that of files; anything in programs that make code
//            a name which nobody has open for writing
//
// What lies on the machine's own root (the initrd: Carrel's own programs) runs in every mode. Thread: values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::bpf {

using ContentHash = std::array<std::byte, 32>; // SHA-256

// 64 hexadecimal digits, lower case; nothing else is one.
[[nodiscard]] std::optional<ContentHash> contentHashFrom(std::string_view text);
[[nodiscard]] std::string toHex(const ContentHash& hash);

enum class GateMode { Observe, Deny, Allow };
enum class RefusedWhy { Denied = 1, Unknown, Unreadable, Nameless, Place, Written, Memory, Unchecked, Running, Foreign };

struct GatePolicy {
    GateMode mode = GateMode::Observe;
    std::uint64_t age = 0; // raised by the host with each change
    std::vector<ContentHash> deny;
    std::vector<ContentHash> allow;
    std::vector<ContentHash> makesCode; // of what runs: may have memory that it writes and runs, as just-in-time compilers need
};

// All of its text is of a hostile world; the hash the kernel made.
struct Refusal {
    RefusedWhy why = RefusedWhy::Denied;
    std::optional<ContentHash> content;
    std::uint64_t age = 0; // of the policy that refused
    std::uint32_t pid = 0;
    std::string path;                   // as the agent's root shows it; may be empty
    std::vector<std::string> startedBy; // names of processes, nearest first
};

// Within a sentence: "it is on the list of what may not run".
[[nodiscard]] std::string_view wordsFor(RefusedWhy why);

} // namespace carrel::bpf
