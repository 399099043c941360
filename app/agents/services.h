// SPDX-License-Identifier: Apache-2.0
// What an agent needs from the engine around it. Filled once by the composition, then read only.
// Thread: the functions may be called from any thread and may block.
#pragma once

#include "app/agents/asked.h"
#include "app/agents/agent_record.h"
#include "app/agents/read_budget.h"
#include "app/agents/watcher.h"
#include "app/egress/networks.h"
#include "app/exec/gate_orders.h"
#include "app/files/frozen_set.h"
#include "guest/protocol/result.h"
#include "hypervisor/api/backend.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::agents {

struct BootFiles {
    std::filesystem::path kernel;
    std::filesystem::path initrd;
    std::filesystem::path base;
    std::string commandLine;
};

// How long a guest is waited for where nobody else could go on meanwhile.
struct Patience {
    std::chrono::seconds stopping{20}; // for each answer
    std::chrono::seconds talking{15};  // for a word to or from an agent program, besides what its call itself waits
    std::chrono::milliseconds supervising{2000}; // how often a running machine is looked after
    std::chrono::milliseconds pausedLook{1000}; // between two looks at what a paused machine uses, at least
    std::chrono::seconds takeOver{60}; // the engine's start waits for it; a machine that needs longer goes on by itself
    std::chrono::seconds hearing{3};             // for what it tells of its programs, besides what that waits
    Watcher::Pace watching;
    std::chrono::milliseconds autoLook{500};  // between two looks of auto mode at what is staged, at least
    int autoShare = 5;  // and that many times what the last one took, with all that it settled
    std::chrono::seconds autoAnswer{60}; // for all that one round of it freezes, and for each word after an apply
    std::chrono::milliseconds autoQuiet{2000}; // nothing was staged for that long: auto mode settles it
};

// What rules say of one thing that auto mode is about to apply.
enum class MaySettle {
    Yes,
    Waits,  // a rule denies it: it waits for review
    Nothing // what the rules say cannot be told, so that any of them could: all of it waits
};

// What the owner has to look at without having been asked.
enum class Alarm {
    CanaryLeft, // or was about to; the agent is paused
    StillRuns,  // the same, and it could not be paused
    Over        // the agent was resumed, or its machine has ended
};

struct Services {
    hypervisor::Backend* backend = nullptr;
    hypervisor::HomeId home;
    std::filesystem::path agentsFolder;   // one folder per agent, named by its id
    std::filesystem::path runtimeFolder;  // short paths for sockets
    std::string clerkProgram;
    std::string recorderProgram; // empty: terminals are not recorded; the engine's composition always names it
    // Verified parts of an image (hashes checked each time), with an initrd of this version's programs.
    std::function<Result<BootFiles>(const std::string& image, const std::function<void(std::string_view)>& progress)>
        bootFiles;
    // The accelerator that a probe guest has answered through; from the cache where the host is the same.
    std::function<Result<hypervisor::Accelerator>(const std::function<void(std::string_view)>& progress)> accelerator;
    // A folder may be shared: not Carrel's own data, not the root of the file system, …
    std::function<Status(const std::filesystem::path&)> mayShare;
    // A program in an agent's machine asks for something; at most ask::kMaxUnderWay of an agent's at once that are not
    // answered. Called with no lock held, on the thread that reads what the clerk says: it must not wait for anything that
    // comes from that clerk (a listing, content, a hello), nor for a person, but hand the question on. Empty: nobody is asked.
    std::function<void(const std::string& agentId, const ask::Question& question, AnswerAsk answer)> asked;
    // What Agent::describe() tells of one may be other than before. Often, on any thread, perhaps with locks of the agent's held:
    // it must neither call the agent nor wait.
    std::function<void()> changed;
    // One line for the engine's own log.
    std::function<void(std::string_view)> complain;
    // A machine that ran has ended, for whatever reason. Called under the agent's turn: it must not call the agent for more
    // than its log and its record.
    std::function<void(const std::string& agent, const std::string& session)> sessionEnded;
    // Asked for each thing right before auto mode applies it, under the agent's turn: it must not call the agent for more than
    // its log and its record. None: there are no rules.
    std::function<MaySettle(const std::string& agent, const std::string& session, const ShareRecord& share,
                            const files::FrozenEntry& entry)>
        maySettle;
    // The owner applied or discarded all of a review, not because of a request: whoever asks for it has been answered.
    // Called outside of the agent's turn, when it has happened.
    std::function<void(const std::string& agent, const std::string& review)> ownerDecided;
    // What the machine of that record is told about programs, now. An error: it is not known, and a machine is not started without.
    // Empty: nothing is, and everything runs.
    std::function<Result<exec::Orders>(const AgentRecord& of)> programOrders;
    // Who connects for agents. None: what their machines ask for is not answered.
    egress::Networks* networks = nullptr;
    // None: agents have no credentials, and no request that TLS hides is read.
    egress::CredentialBook* credentials = nullptr;
    // None: there are none.
    egress::CanaryBook* canaries = nullptr;
    // What a request to a model used, and why none may be asked now (egress::Egress::Setup). Empty: nobody counts.
    std::function<void(const std::string& agentId, const egress::Destination& to, const relay::ModelUse& use)> modelUsed;
    std::function<std::optional<std::string>(const std::string& agentId)> mayAskModel;
    // On any thread, with no lock of the agent's held but the brake's: it must not wait, and call the agent for its name at most.
    // Empty: nobody is told.
    std::function<void(const std::string& agentId, Alarm what)> alarm;
    Patience patience;
    std::uint64_t mostReads = ReadBudget::kMost; // written down at once, of each agent
};

// Names that no share shows to a guest: keys, and files that hold them by custom. Patterns as in fnmatch(3), matched
// against each name on the way. Not *.key: presentations have that ending.
inline const std::vector<std::string> kHiddenNames{".ssh",  ".gnupg",   ".env",    ".env.*",      "*.pem",
                                                   "id_rsa*", "id_ed25519*", "id_ecdsa*", ".netrc",
                                                   ".aws",  ".kube",    "*.kdbx",  ".carrel-tmp-*"};

} // namespace carrel::agents
