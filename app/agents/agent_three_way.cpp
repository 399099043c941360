// SPDX-License-Identifier: Apache-2.0
// A file that both changed: looking at all three versions, and keeping both.
#include "app/agents/agent.h"
#include "app/agents/beside_name.h"
#include "app/files/line_diff.h"
#include "app/files/three_way.h"

#include <algorithm>

namespace carrel::agents {

using files::ConflictKind;
using files::FrozenEntry;
using files::NodeKind;

namespace {

const std::uint64_t kMaxText = files::FreezeLimits{}.diffBytes; // larger ones have no baseKept
constexpr int kMaxNamesTried = 20;
constexpr std::chrono::seconds kListPatience{20};

// What was frozen, once more: under another name, and nothing of the guest's is asked.
class FrozenContent final : public files::ContentSource {
public:
    FrozenContent(files::ContentStore& store, const files::Sha256& content)
        : m_store(store)
        , m_content(content) {}
    Status fetch(const ChangeEntry&, int into, std::uint64_t) override {
        return m_store.copyTo(m_content, into);
    }

private:
    files::ContentStore& m_store;
    files::Sha256 m_content;
};

} // namespace

bool Agent::bothChanged(const FrozenEntry& entry) {
    return (entry.conflict == ConflictKind::Changed || entry.conflict == ConflictKind::Appeared) &&
           entry.kind != ChangeKind::Renamed && entry.base.kind == NodeKind::File &&
           entry.wanted.kind == NodeKind::File && entry.contentChanged && entry.wanted.content;
}

Agent::ClaimedBases Agent::claimedBases(const OpenedReview& review, std::stop_token stop) {
    const std::lock_guard operation(m_operation);
    ClaimedBases bases;
    const auto at = readyDoor();
    if (!at) {
        return bases;
    }
    for (const auto& share : review.shares) {
        const auto claims = listChanges(**at, share, stop, kListPatience);
        for (const auto& claim : claims ? *claims : std::vector<ChangeEntry>{}) {
            if (claim.base) {
                bases.emplace(std::pair(share.id, claim.path), claim);
            }
        }
    }
    return bases;
}

// Which of the versions that Carrel itself saw at that path the claim names: by its stamps (inode, size,
// times) or its hash. Any other of the store's contents a guest cannot have shown as what the user's file
// was.
std::optional<files::Sha256> Agent::baseSeen(std::uint32_t share, const ChangeEntry& claim) {
    const auto named = [&](const files::NodeState& state) {
        if (state.kind != NodeKind::File || !state.content) {
            return false;
        }
        const BaseVersion stamps{state.inode, state.size, state.mtimeNs, state.ctimeNs};
        return (state.inode != 0 && claim.base == stamps) || claim.baseSha256 == state.content->hex();
    };
    for (const auto& review : m_book->reviews()) {
        for (const auto& part : review.parts) {
            const auto set = part.share == share ? m_review->set(part.set) : fail(ErrorCode::NotFound, "");
            const auto* entry = set ? set->find(claim.path) : nullptr;
            if (entry != nullptr && (named(entry->base) || named(entry->wanted))) {
                return named(entry->base) ? entry->base.content : entry->wanted.content;
            }
        }
    }
    return std::nullopt;
}

Result<std::optional<Agent::ThreeWayView>> Agent::threeWay(const EntryView& view, const ClaimedBases& bases) {
    const std::lock_guard operation(m_operation);
    const FrozenEntry& entry = *view.entry;
    if (!bothChanged(entry) || !entry.text || !entry.baseKept) {
        return std::optional<ThreeWayView>();
    }
    auto yours = m_review->store().read(*entry.base.content, kMaxText);
    auto theirs = m_review->store().read(*entry.wanted.content, kMaxText);
    if (!yours || !theirs) {
        return fail(!yours ? yours.error() : theirs.error());
    }
    ThreeWayView out;
    const auto claimed = bases.find({view.share->id, entry.path});
    if (entry.conflict == ConflictKind::Appeared) {
        out.whyNot = "there was no such file when the agent made its own";
    } else if (claimed == bases.end() || claimed->second.generation != entry.generation) {
        out.whyNot = "the agent's machine does not say which version it began with";
    } else if (const auto id = baseSeen(view.share->id, claimed->second);
               !id || !m_review->store().has(*id)) {
        out.whyNot = "Carrel has not kept the version that the agent began with";
    } else if (auto base = m_review->store().read(*id, kMaxText); base && files::looksLikeText(*base)) {
        auto shown = files::threeWay(*base, *yours, *theirs);
        out.baseKnown = true;
        out.listing = std::move(shown.listing);
        out.both = shown.both;
        return std::optional(std::move(out));
    } else {
        out.whyNot = "the version that the agent began with is no text";
    }
    out.listing = files::unified(files::diffLines(*yours, *theirs));
    return std::optional(std::move(out));
}

// None: nothing was done, or it is no such entry; what became of it is in the report. What is frozen for it is forgotten,
// and collected by whoever calls, once for all.
std::optional<ApplyPart> Agent::keepBeside(const EntryView& view, ActionReport& report) {
    const FrozenEntry& entry = *view.entry;
    const ShareRecord& share = *view.share;
    const auto failed = [&](const Error& error) {
        report.items.push_back({share.name, entry.path, entry.kind, "failed", error.text()});
        return std::optional<ApplyPart>();
    };
    auto root = openShareRoot(share);
    if (!root) {
        return failed(root.error());
    }
    FrozenContent source(m_review->store(), *entry.wanted.content);
    for (int n = 1; n <= kMaxNamesTried; ++n) {
        const auto path = entry.path.parent().child(nameBeside(entry.path.name(), name(), n));
        if (!path) {
            return failed(path.error());
        }
        ChangeEntry claim;
        claim.path = *path;
        claim.size = entry.wanted.size;
        claim.mode = entry.wanted.mode;
        claim.mtimeNs = entry.wanted.mtimeNs;
        claim.contentChanged = true;
        auto set = m_review->freeze(root->get(), std::to_string(share.id), std::span(&claim, 1), source,
                                    freezeLimits());
        if (!set) {
            return failed(set.error());
        }
        const Review frozen{{}, {{share.id, set->id}}};
        const auto* beside = set->find(*path);
        const bool already = beside == nullptr && !set->leftOut.empty() &&
                             set->leftOut.front().why == files::LeftOutWhy::AlreadySo;
        if (beside != nullptr && beside->conflict == ConflictKind::Appeared) {
            forgetSets({frozen});
            continue; // never over what is there
        }
        if (!already && (beside == nullptr || beside->wanted.content != entry.wanted.content)) { // I12
            forgetSets({frozen});
            return failed(Error{
                ErrorCode::Internal, "the agent's version could not be put beside yours", {}, 0, nullptr});
        }
        std::optional<ApplyPart> part;
        if (!already) {
            const files::Selected selected{*path, files::IfFlagged::Leave};
            auto done = m_review->apply(root->get(), set->id, std::span(&selected, 1));
            m_applyLeft = m_applyLeft || !done;
            const bool applied = done && done->changedAnything();
            if (applied) {
                (void)m_own->applied(share.id, *set, *done)
                    .has_value(); // without it, its edits wait for review
                part = ApplyPart{share.id, done->id};
            }
            const std::string why = !done                   ? done.error().text()
                                    : done->entries.empty() ? ""
                                                            : done->entries.front().reason;
            forgetSets({frozen});
            if (!applied) {
                report.items.push_back(
                    {share.name, entry.path, entry.kind, done ? "conflict" : "failed", why});
                return std::nullopt;
            }
        } else {
            forgetSets({frozen});
        }
        report.items.push_back({share.name, entry.path, entry.kind, "done",
                                "yours stays, the agent's is beside it as " + std::string(path->name())});
        return part;
    }
    report.items.push_back(
        {share.name, entry.path, entry.kind, "conflict", "all names for the agent's version are taken"});
    return std::nullopt;
}

} // namespace carrel::agents
