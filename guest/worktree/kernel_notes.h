// SPDX-License-Identifier: Apache-2.0
// What the kernel has yet to be told to forget, in the order in which it matters. A note waits once, however
// often it is added. Each is told twice: a reply that was under way when the host changed may reach the kernel
// after the first. Where more of the host's changes wait than could be told one by one, one note says that
// everything may have changed, and who tells looks through all that the kernel knows; none is ever left out,
// since the kernel keeps a name for a day. What decisions changed stays: it is not always among what is looked
// through.
//
// Thread: none of its own; the owner locks.
#pragma once

#include "guest/worktree/worktree.h"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <tuple>

namespace carrel::worktree {

class KernelNotes {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds kAgain{400};
    static constexpr std::size_t kMostWaiting = 20'000;

    void add(const KernelNote& note);
    // The next one to tell. Quick: only those that cost no more than the telling; a folder's name has to be
    // asked for at the host, and must not hold up a file's.
    enum class Which { Quick, Any };
    [[nodiscard]] std::optional<KernelNote> next(Time now, Which which);
    // When next() has something: at once, then, or never until something is added.
    [[nodiscard]] std::optional<Time> due(Time now) const;

private:
    using Key = std::tuple<KernelNote::Kind, NodeId, std::string>;
    struct Waiting {
        std::deque<KernelNote> order;
        std::map<Key, bool> keys; // with: are all that were added of it the host's?
    };
    static Key keyOf(const KernelNote& note) { return {note.kind, note.node, note.name}; }
    static bool isSlow(const KernelNote& note) {
        return note.kind == KernelNote::Kind::Everything || note.folder;
    }
    using Again = std::deque<std::pair<Time, KernelNote>>; // by time
    KernelNote take(Waiting& from, Again& again, Time now);
    std::optional<KernelNote> takeAgain(Again& again, Time now);
    void dropHosts();

    Waiting m_quick;
    Waiting m_slow;
    Again m_quickAgain;
    Again m_slowAgain;
    std::map<Key, Time> m_againAt; // the last one of each
};

} // namespace carrel::worktree
