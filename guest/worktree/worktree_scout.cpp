// SPDX-License-Identifier: Apache-2.0
// Listings ahead, on a thread of their own: of the folders that a program will list next (it walks a tree,
// one folder after the other, by name), and pages of names for one that asks for them singly.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>

namespace carrel::worktree {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kFolders = 3;
constexpr unsigned kLongestLook = 64; // names looked at to find them
// As the host's file system counts: about a thousand names. What is larger is listed when it is asked for.
constexpr std::uint64_t kMostBytes = 64 * 1024;
constexpr std::size_t kMostNodes = 200'000; // held of the host's, which has a bound for all (kMaxNodes)
constexpr nanoseconds kEmptyValid = std::chrono::seconds(1); // no name in it tells how long its answer holds

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
        for (const auto& job : m_queue) {
            job.dir->listing().asking.running = false;
        }
        m_queue.clear();
        m_news.notify_all();
    }
    if (m_thread.joinable()) {
        m_thread.join();
    }
}

// Under m_state.
void WorktreeImpl::Scout::add(Job job) {
    m_queue.push_back(std::move(job));
    if (!m_thread.joinable()) {
        m_thread = std::thread([this] { run(); });
    }
    m_news.notify_all();
}

// Under m_state. The folder is listed from its start.
void WorktreeImpl::Scout::listed(Node& dir) {
    if (!dir.parent || dir.link != Node::Link::Here) {
        return;
    }
    Node& parent = *dir.parent;
    auto& last = parent.listing().lastListed;
    const bool follows = !last.empty() && comesSoonAfter(parent, last, dir.name);
    last = dir.name;
    if (!follows || m_ends) {
        return;
    }
    unsigned looked = 0;
    for (auto at = parent.children.upper_bound(dir.name);
         at != parent.children.end() && m_queue.size() < kFolders && ++looked < kLongestLook; ++at) {
        const auto node = m_tree.find(at->second->id);
        if (wanted(*node)) {
            node->listing().scouted = Listing::Scouted::Waits;
            add({node, Want::Folder, nullptr});
        } else if (m_tree.isFolder(*node) && node->listing().scouted == Listing::Scouted::No) {
            break; // the program has been there, or it is large: no way to tell what comes next
        }
    }
}

bool WorktreeImpl::Scout::wanted(const Node& node) const {
    if (node.listing().scouted != Listing::Scouted::No || !node.listing().places.empty() || !node.lower ||
        !m_tree.isFolder(node)) {
        return false;
    }
    const std::lock_guard lock(m_tree.m_lowerMutex);
    return node.lower->attr.size <= kMostBytes && m_tree.m_lowerNodes.size() < kMostNodes;
}

// Under m_state. False: not now.
bool WorktreeImpl::Scout::askPage(const NodePtr& dir, const LowerRef& lowerDir) {
    {
        const std::lock_guard lock(m_tree.m_lowerMutex);
        if (m_ends || m_tree.m_lowerNodes.size() >= kMostNodes) {
            return false;
        }
    }
    add({dir, Want::Page, lowerDir});
    return true;
}

// With m_state locked. Asking singly meanwhile would be for what comes with the page.
void WorktreeImpl::Scout::waitForPage(const NodePtr& dir, std::unique_lock<std::mutex>& lock) {
    m_news.wait(lock, [&] { return !dir->listing().asking.running; });
}

// What was found. A change that the host tells of takes it away (spoilScouted).
std::optional<WorktreeImpl::Names> WorktreeImpl::Scout::take(const NodePtr& dir) {
    Names old;
    std::unique_lock lock(m_tree.m_state);
    auto& known = dir->listing();
    m_news.wait(lock, [&] { return known.scouted != Listing::Scouted::Runs; });
    if (known.scouted == Listing::Scouted::Waits) {
        std::erase_if(m_queue, [&](const Job& job) { return job.dir == dir && job.want == Want::Folder; });
        known.scouted = Listing::Scouted::No;
    }
    if (known.scouted == Listing::Scouted::No) {
        return std::nullopt;
    }
    known.scouted = Listing::Scouted::No;
    old.swap(known.found);
    if (Clock::now() - known.foundAt >= known.foundValid) {
        return std::nullopt;
    }
    return old;
}

void WorktreeImpl::Scout::run() {
    std::unique_lock lock(m_tree.m_state);
    while (true) {
        m_news.wait(lock, [this] { return m_ends || !m_queue.empty(); });
        if (m_ends) {
            return;
        }
        const Job job = std::move(m_queue.front());
        m_queue.pop_front();
        if (job.want == Want::Folder) {
            job.dir->listing().scouted = Listing::Scouted::Runs;
            job.dir->listing().spoilt = false;
        }
        lock.unlock();
        if (job.want == Want::Folder) {
            listFolder(job.dir);
        } else {
            m_tree.fetchPage(job.dir, job.lowerDir);
        }
        lock.lock();
        m_news.notify_all();
    }
}

void WorktreeImpl::Scout::listFolder(const NodePtr& dir) {
    const auto began = Clock::now();
    LowerRef from;
    auto names = m_tree.lowerNames(dir, &from);
    nanoseconds valid = names && names->empty() ? kEmptyValid : kDay;
    const std::lock_guard lock(m_tree.m_state);
    auto& known = dir->listing();
    known.scouted = Listing::Scouted::No;
    // Only of a folder that is there and has not changed meanwhile; else whoever asks lists it anew.
    if (!names || !from || dir->lower != from || known.spoilt) {
        return;
    }
    const std::lock_guard inner(m_tree.m_lowerMutex);
    for (const auto& [name, ref] : *names) {
        valid = std::min(valid, ref ? ref->entryValid : nanoseconds(0));
    }
    known.scouted = Listing::Scouted::Found;
    known.found = std::move(*names);
    known.foundAt = began;
    known.foundValid = valid;
}

} // namespace carrel::worktree
