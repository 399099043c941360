// SPDX-License-Identifier: Apache-2.0
// What is said to an agent, and by it (agent.h): its states, what it is made with, in whose name something is done, what a review shows and
// what became of it. Thread: values.
#pragma once

#include "app/agents/agent_record.h"
#include "app/agents/review_book.h"
#include "app/files/frozen_set.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/share_path.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::agents {

enum class AgentState { Created, Starting, Ready, Paused, Stopping, Stopped, Failed };
[[nodiscard]] std::string_view toString(AgentState state);

// Who pauses an agent. Canary: one left, or was about to, which the owner has to look at; Budget: a task used it up.
enum class Pauser { Owner, Canary, Budget };
[[nodiscard]] std::string_view toString(Pauser pauser);

struct NewShare {
    std::string dir;
    ShareMode mode = ShareMode::Review;
    bool ofCarrel = false; // a folder that Carrel made for it, beneath its own data, where no other is shared
};
struct NewAgent {
    std::string name;
    std::vector<NewShare> shares;
    std::uint64_t memoryMib = 1024;
    unsigned cpus = 2;
    std::string image;
};

// In whose name: the owner's, or that of a client, until its token ends.
struct By {
    std::string client; // empty: the owner
    std::stop_token ends;
    // With "client": NAME, where it is one's.
    [[nodiscard]] boost::json::object mark(boost::json::object detail) const;
};

// Where a verb says how far it is: a name for programs, a line for a person.
using Progress = std::function<void(std::string_view step, std::string_view text)>;

// "<share>/<path>" as callers name things; nothing but the share's name stands for the whole share.
struct ReviewSelection {
    std::vector<std::string> paths; // empty: everything
};

struct EntryView { // one entry of a review
    const ShareRecord* share = nullptr;
    const files::FrozenEntry* entry = nullptr;
};

// A review with its sets read in; keeps them alive for the views into it.
struct OpenedReview {
    std::string id;
    std::vector<ShareRecord> shares;
    std::vector<files::FrozenSet> sets; // by index of `shares`
    // What is staged there the machine cannot say at the moment; its own words of why. Not of a review that is opened again.
    struct NotListed {
        std::string share, why;
    };
    std::vector<NotListed> notListed;
    [[nodiscard]] std::vector<EntryView> select(const ReviewSelection& selection) const;
};

// By what an apply happens: the owner's own word, or a request that was allowed (design section 8).
struct Warrant {
    std::string by{kByOwner};
    std::uint64_t approval = 0;    // the request; 0: none
    // Right before it, in the agent's turn; nothing has happened yet. An error: it does not.
    std::function<Status(const OpenedReview&)> begin;
};

struct ItemOutcome {
    std::string share;
    SharePath path;
    ChangeKind kind = ChangeKind::Modified;
    std::string outcome; // done, conflict, refused, failed, kept
    std::string reason;
};
struct ActionReport {
    std::optional<std::uint64_t> number; // of the apply or undo
    std::uint64_t undone = 0;
    std::vector<ItemOutcome> items;
    // Changes that were made. 0: nothing is as it was wanted, and nobody may be told that it is done.
    [[nodiscard]] std::size_t made() const;
};

} // namespace carrel::agents
