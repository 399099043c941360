// SPDX-License-Identifier: Apache-2.0
// What is remembered of an agent between runs of the engine: <agent folder>/agent.json, replaced as a whole and
// flushed before a change counts. Thread: values; save and load touch the file system.
#pragma once

#include "app/egress/limits.h"
#include "app/egress/outcome.h"
#include "app/exec/program_settings.h"
#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::agents {

inline constexpr std::size_t kMaxAgentName = 32;

// Auto: what cannot harm anything of the user's settles by itself within bounds (auto_rules.h); the rest waits as in Review.
enum class ShareMode { ReadOnly, Review, Auto };
[[nodiscard]] std::string_view toString(ShareMode mode);
[[nodiscard]] Result<ShareMode> shareModeFrom(std::string_view text);

struct ShareRecord {
    std::uint32_t id = 0; // never used twice by one agent: the guest keeps its layer under it
    std::string name;     // in the guest: /workspace/<name>
    std::string dir;      // absolute, symbolic links resolved when it was chosen
    std::uint64_t device = 0, inode = 0; // the folder that was chosen; another one at the same path is not it
    ShareMode mode = ShareMode::Review;
    std::uint64_t staged = 0; // changes that waited when the guest was last asked
    // The agent sees nothing of the folder any more; what it has staged can still be reviewed and applied.
    bool revoked = false;
    std::int64_t bornNs = 0; // when that folder was made; 0: its file system does not tell, or nobody asked yet
};

struct AgentRecord {
    std::string id; // 16 hexadecimal digits
    std::string name;
    std::uint64_t memoryMib = 1024;
    unsigned cpus = 2;
    std::string image;
    std::int64_t createdMs = 0;
    std::uint32_t nextShareId = 1;
    std::vector<ShareRecord> shares;
    // Asked to run: a machine that is found gone at the engine's start then ended without us.
    bool running = false;
    // The machine ended without a last count, so `staged` may be too low.
    bool unclean = false;
    // Of the machine that runs, or ran last: "hardware", "software"; empty: never started. An engine that takes a machine
    // over has no other way to know.
    std::string accelerator;
    // From one start of the machine to its end; empty: it does not run. What was allowed for a session goes by it.
    std::string session = {};
    egress::NetMode network = egress::NetMode::Offline; // the owner's word; records from before have none
    egress::Limits limits = {};                         // likewise
    std::string provider = {}; // whose model it uses (app/providers), by name; empty: none
    exec::Settings programSettings = {};  // the owner's word on what runs in its machine
    std::map<std::string, std::string> programs = {}; // agent programs that its machine has, and their versions (app/tasks)
};

// 1 to 32 lower-case letters, digits and hyphens, beginning with a letter.
[[nodiscard]] Status checkAgentName(std::string_view name);
// The folder's own name, made fit for the guest, with -2, -3 … where it is taken.
[[nodiscard]] std::string chooseShareName(const std::vector<ShareRecord>& taken, const std::filesystem::path& dir);

[[nodiscard]] Status save(const AgentRecord& record, const std::filesystem::path& file);
[[nodiscard]] Result<AgentRecord> load(const std::filesystem::path& file);

} // namespace carrel::agents
