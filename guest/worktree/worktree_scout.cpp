// SPDX-License-Identifier: Apache-2.0
// Listings ahead. Whoever walks a tree lists one folder after the other, by name; the trip to the host for
// the next ones is made on a thread of its own while the program is still busy with this one.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>

namespace carrel::worktree {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFolders = 3;
// As the host's file system counts: about a thousand names. What is larger is listed when it is asked for.
constexpr std::uint64_t kMostBytes = 64 * 1024;

} // namespace

WorktreeImpl::Scout::Scout(WorktreeImpl& tree)
    : m_tree(tree) {}

WorktreeImpl::Scout::~Scout() {
    end();
}

void WorktreeImpl::Scout::end() {
    {
        const std::lock_guard lock(m_tree.m_state);
        m_ends = true;
        m_queue.clear();
        m_news.notify_all();
    }
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

// Under m_state. The folder is listed from its start.
void WorktreeImpl::Scout::listed(Node& dir) {
    if (!dir.parent || dir.link != Node::Link::Here) {
        return;
    }
    Node& parent = *dir.parent;
    const bool follows =
        !parent.listing().lastListed.empty() && comesSoonAfter(parent, parent.listing().lastListed, dir.name);
    parent.listing().lastListed = dir.name;
    if (!follows || m_ends) {
        return;
    }
    for (auto at = parent.children.upper_bound(dir.name);
         at != parent.children.end() && m_queue.size() < kFolders; ++at) {
        const auto node = m_tree.find(at->second->id);
        if (wanted(*node)) {
            node->listing().scouted = Listing::Scouted::Waits;
            m_queue.push_back(node);
        } else if (m_tree.isFolder(*node) && node->listing().scouted == Listing::Scouted::No) {
            break; // the program has been there, or it is large: no way to tell what comes next
        }
    }
    if (!m_queue.empty() && !m_thread.joinable()) {
        m_thread = std::thread([this] { run(); });
    }
    m_news.notify_all();
}

bool WorktreeImpl::Scout::wanted(const Node& node) const {
    if (node.listing().scouted != Listing::Scouted::No || !node.listing().cookies.empty() || !node.lower ||
        !m_tree.isFolder(node)) {
        return false;
    }
    const std::lock_guard lock(m_tree.m_lowerMutex);
    return node.lower->attr.size <= kMostBytes;
}

// What was found, unless anything has changed there since.
std::optional<WorktreeImpl::Names> WorktreeImpl::Scout::take(const NodePtr& dir) {
    Names old;
    std::unique_lock lock(m_tree.m_state);
    m_news.wait(lock, [&] { return dir->listing().scouted != Listing::Scouted::Runs; });
    if (dir->listing().scouted == Listing::Scouted::Waits) {
        std::erase(m_queue, dir);
        dir->listing().scouted = Listing::Scouted::No;
    }
    if (dir->listing().scouted == Listing::Scouted::No) {
        return std::nullopt;
    }
    dir->listing().scouted = Listing::Scouted::No;
    --dir->listing().fetching;
    std::optional<Names> names;
    const bool same = dir->listing().changed.empty() && !dir->listing().allChanged && dir->lower &&
                      dir->lower->id == dir->listing().foundIn;
    const std::lock_guard inner(m_tree.m_lowerMutex);
    if (same && Clock::now() - dir->listing().foundAt < dir->lower->entryValid) {
        names = std::move(dir->listing().found);
    }
    old.swap(dir->listing().found);
    return names;
}

void WorktreeImpl::Scout::run() {
    std::unique_lock lock(m_tree.m_state);
    while (true) {
        m_news.wait(lock, [this] { return m_ends || !m_queue.empty(); });
        if (m_ends) {
            return;
        }
        const NodePtr dir = std::move(m_queue.front());
        m_queue.pop_front();
        dir->listing().scouted = Listing::Scouted::Runs;
        lock.unlock();
        std::optional<Fetch> fetch(std::in_place, m_tree, dir);
        const auto began = Clock::now();
        auto names = m_tree.lowerNames(dir);
        lock.lock();
        dir->listing().scouted = Listing::Scouted::No;
        if (names && dir->lower) {
            dir->listing().foundIn = dir->lower->id;
            dir->listing().scouted = Listing::Scouted::Found;
            ++dir->listing().fetching; // what changes from now on counts, too
            dir->listing().found = std::move(*names);
            dir->listing().foundAt = began;
        }
        m_news.notify_all();
        lock.unlock();
        fetch.reset();
        lock.lock();
    }
}

} // namespace carrel::worktree
