// SPDX-License-Identifier: Apache-2.0
// What a program will want next. Programs that walk a folder take its names in the order of a listing, which
// is ours to choose (by name) and the one that git and make keep anyway. After a few steps in that order the
// next files are asked for in one go; after a few look-ups of names one by one, a page of the listing.
#include "guest/worktree/worktree_impl.h"

#include <algorithm>

namespace carrel::worktree {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kMaxSkip = 8;    // names between two reads that still count as one after the other
constexpr unsigned kSure = 2;       // steps in order before anything is asked for
constexpr unsigned kFirstAhead = 8; // then four times as many each time,
constexpr unsigned kMostAhead = 64; // up to these
constexpr unsigned kWalks = 8; // files in order in the folder before: the next folder will be read so, too
constexpr unsigned kLongestLook = 256;  // names looked at for one plan
constexpr unsigned kFirstPageAfter = 3; // look-ups of single names; a page costs as much as eight of them
constexpr unsigned kNextPageAfter = 8;
constexpr unsigned kAgainAfter = 16; // the listing was read to its end, and still names are asked for
constexpr std::size_t kMostChanged = 1000;

// The names after `name`, in order, those that the kernel knows and those that only a listing told of. Until
// `each` has enough.
template <class Each> void namesAfter(const Node& dir, const std::string& name, const Each& each) {
    auto known = dir.children.upper_bound(name);
    auto listed = dir.listing().listed.upper_bound(name);
    while (known != dir.children.end() || listed != dir.listing().listed.end()) {
        const bool takeKnown = listed == dir.listing().listed.end() ||
                               (known != dir.children.end() && known->first <= listed->first);
        if (takeKnown && listed != dir.listing().listed.end() && listed->first == known->first) {
            ++listed;
        }
        const bool more = takeKnown ? each(known->first, known->second, LowerRef())
                                    : each(listed->first, nullptr, listed->second);
        if (!more) {
            return;
        }
        if (takeKnown) {
            ++known;
        } else {
            ++listed;
        }
    }
}

} // namespace

bool WorktreeImpl::comesSoonAfter(const Node& dir, const std::string& last, const std::string& name) {
    unsigned steps = 0;
    bool found = false;
    namesAfter(dir, last, [&](const std::string& next, const Node*, const LowerRef&) {
        found = next == name;
        return !found && ++steps < kMaxSkip;
    });
    return found;
}

// Under m_state.
std::vector<LowerRef> WorktreeImpl::planAhead(const Node& node) {
    std::vector<LowerRef> next;
    if (!node.parent || node.link != Node::Link::Here) {
        return next;
    }
    Node& dir = *node.parent;
    auto& order = dir.listing().reading;
    if (order.last == node.name) {
        return next;
    }
    const bool goesOn = order.last.empty() && m_inOrder >= kWalks;
    const bool follows = goesOn || (!order.last.empty() && comesSoonAfter(dir, order.last, node.name));
    order.last = node.name;
    if (!follows) {
        order = {node.name, node.name, 0, 0, kFirstAhead};
        m_inOrder = 0;
        return next;
    }
    if (goesOn) {
        order = {node.name, node.name, kSure, 0, kMostAhead / 2};
    }
    ++m_inOrder;
    order.left -= std::min(order.left, 1U);
    if (++order.steps < kSure || order.left > order.window / 2) {
        return next;
    }
    unsigned looked = 0;
    namesAfter(
        dir, std::max(order.upTo, node.name),
        [&](const std::string& name, const Node* known, const LowerRef& listed) {
            const LowerRef ref = known == nullptr ? listed : known->object == 0 ? known->lower : nullptr;
            if (ref) {
                next.push_back(ref);
            }
            order.upTo = name;
            return next.size() < order.window && ++looked < kLongestLook;
        });
    order.left += static_cast<unsigned>(next.size());
    order.window = std::min(order.window * 4, kMostAhead);
    return next;
}

std::optional<SysResult<Bytes>> WorktreeImpl::readAhead(const NodePtr& node, const LowerRef& lower,
                                                        std::uint64_t offset, std::uint32_t size) {
    const auto fileOf = [](const LowerRef& ref) { // a file's attributes stay as they are
        const bool small = (ref->attr.mode & S_IFMT) == S_IFREG && ref->attr.size <= ReadAhead::kMaxFile;
        return ReadAhead::File{ref, ref->id, small ? static_cast<std::uint32_t>(ref->attr.size) : 0};
    };
    if (fileOf(lower).size == 0) {
        return std::nullopt;
    }
    std::vector<LowerRef> next;
    if (offset == 0) {
        const std::lock_guard lock(m_state);
        next = planAhead(*node);
    }
    if (!next.empty()) {
        std::vector<ReadAhead::File> files{fileOf(lower)}; // what is wanted now comes first
        for (const auto& ref : next) {
            files.push_back(fileOf(ref));
        }
        m_ahead.ask(*m_lower, std::move(files));
    }
    return m_ahead.take(lower->id, offset, size, kDoorTimeout);
}

// Under m_state. An answer that came with a listing is used once.
std::optional<Found> WorktreeImpl::takeListed(Node& dir, std::string_view name) {
    const auto at = dir.listing().listed.find(name);
    if (at == dir.listing().listed.end()) {
        return std::nullopt;
    }
    const LowerRef ref = std::move(at->second);
    dir.listing().listed.erase(at);
    const auto age = Clock::now() - dir.listing().listedAt;
    const std::lock_guard lock(m_lowerMutex);
    if (age >= ref->entryValid) {
        return std::nullopt;
    }
    return Found{ref, ref->entryValid - std::chrono::duration_cast<nanoseconds>(age)};
}

WorktreeImpl::Fetch::Fetch(WorktreeImpl& tree, const NodePtr& dir)
    : m_tree(tree)
    , m_dir(dir) {
    const std::lock_guard lock(m_tree.m_state);
    if (m_dir->listing().fetching++ == 0) {
        m_dir->listing().changed.clear();
        m_dir->listing().allChanged = false;
    }
}

WorktreeImpl::Fetch::~Fetch() {
    const std::lock_guard lock(m_tree.m_state);
    --m_dir->listing().fetching;
}

// Under m_state. A change that the host told of while the listing was on its way may be missing in it.
bool WorktreeImpl::Fetch::isOld(const std::string& name) const {
    return m_dir->listing().allChanged || m_dir->listing().changed.contains(name);
}

// Under m_state.
void WorktreeImpl::markChanged(Node& dir, std::string_view name) {
    auto& known = dir.listing();
    if (const auto at = known.listed.find(name); at != known.listed.end()) {
        m_ahead.drop(at->second->id);
        known.listed.erase(at);
    }
    if (const auto at = dir.children.find(name); at != dir.children.end() && at->second->lower) {
        m_ahead.drop(at->second->lower->id);
    }
    spoilScouted(known);
    if (known.fetching > 0) {
        known.allChanged = known.allChanged || known.changed.size() >= kMostChanged;
        known.changed.emplace(name);
    }
}

// Under m_state. What was listed ahead, or is being listed, may be missing a name by now.
void WorktreeImpl::spoilScouted(Listing& known) {
    if (known.scouted == Listing::Scouted::Found) {
        known.scouted = Listing::Scouted::No;
        known.found.clear();
    }
    known.spoilt = true;
}

// Under m_state. The folder is another one of the host's, or nobody knows what happened in it.
void WorktreeImpl::forgetListed(Node& dir) {
    auto& known = dir.listing();
    known.listed.clear();
    spoilScouted(known);
    const bool running = known.asking.running;
    known.asking = {};
    known.asking.running = running;
    known.allChanged = known.allChanged || known.fetching > 0;
}

// A name was asked for by itself, and is there. Are there more such questions to come? Does not wait.
void WorktreeImpl::nameAsked(const NodePtr& dir, const LowerRef& lowerDir) {
    const std::lock_guard lock(m_state);
    auto& names = dir->listing().asking;
    const unsigned enough = names.whole ? kAgainAfter : names.cookie == 0 ? kFirstPageAfter : kNextPageAfter;
    if (++names.single < enough || names.running) {
        return;
    }
    if (names.whole) {
        names = {};
    }
    names.single = 0;
    names.running = m_scout.askPage(dir, lowerDir);
}

void WorktreeImpl::fetchPage(const NodePtr& dir, const LowerRef& lowerDir) {
    std::vector<std::pair<std::string, LowerRef>> fresh; // let go of after the lock
    const Fetch fetch(*this, dir);
    const auto began = Clock::now();
    std::uint64_t cookie = 0;
    {
        const std::lock_guard lock(m_state);
        cookie = dir->listing().asking.cookie;
    }
    const auto page = m_lower->readdirplus(lowerDir->id, cookie);
    for (std::size_t i = 0; page && i < page->entries.size(); ++i) {
        const auto& item = page->entries[i];
        if (item.entry.node != 0) {
            fresh.emplace_back(item.name,
                               hold(item.entry, lowerDir)); // also what is not kept: it counts as a look-up
        }
    }
    const std::lock_guard lock(m_state);
    auto& known = dir->listing();
    known.asking.running = false;
    if (dir->lower != lowerDir) {
        known.asking = {};
        return;
    }
    known.asking.whole = !page || page->last || page->entries.empty();
    known.asking.cookie = known.asking.whole ? 0 : page->entries.back().cookie;
    if (known.listed.empty()) {
        known.listedAt = began; // else what is there already is older, and its time counts for all
    }
    for (auto& [name, ref] : fresh) {
        if (isValidName(name) && !fetch.isOld(name) && !dir->children.contains(name)) {
            known.listed.try_emplace(name, std::move(ref));
        }
    }
}

} // namespace carrel::worktree
