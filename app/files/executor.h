// SPDX-License-Identifier: Apache-2.0
// Carries out the operations of one journal. Every operation has two halves: start() goes up to and including
// the one call that makes the change visible; resolve() looks at what is there, verifies, and finishes or
// takes back. After a crash resolve() is called alone: recovery is the normal path entered in its middle.
//
// Files that are put or removed one after another go together (executor_together.cpp): each as if by itself, but all up to
// a point that needs a flush before any goes on, since one flush of many costs little more than one of one. What cannot go
// that way for whatever reason is left as it stands, and gone on with by itself.
// Internal to app/files. Thread: blocking, one at a time.
#pragma once

#include "app/files/folder_search.h"
#include "app/files/journal.h"
#include "app/files/tree.h"

namespace carrel::files {

class Executor {
public:
    // All borrowed.
    Executor(int root, Journal& journal, ContentStore& store, StepHook* hook);

    // From the first entry without an outcome to the end. An error leaves the journal for recover().
    [[nodiscard]] Status finish(const Progress& progress);
    // Settles the operation in progress, and runs nothing more.
    [[nodiscard]] Status stopHere();

private:
    enum class State { Done, NotDone, Conflict };
    struct Verdict {
        State state = State::NotDone;
        std::string reason;
        std::string where = {}; // goes with whatever reason it has at last: which version stands where
    };
    enum class Rest { Run, Leave };
    // Of the call that makes a step visible. Unknown: a crash came between.
    enum class Call { Unknown, Failed, Succeeded };

    Status settleEntry(std::size_t entry, Rest rest);
    [[nodiscard]] std::vector<std::size_t> togetherFrom(std::size_t entry) const;
    Status runTogether(const std::vector<std::size_t>& entries);
    struct Member;
    struct FolderTimes;
    bool prepare(std::size_t entry, FolderTimes& times, std::vector<Member>& members);
    [[nodiscard]] bool isReady(std::vector<Member>& members);
    Status makeVisible(Member& member);
    Status markTogether(const std::vector<Member>& members, const FolderTimes& times);
    [[nodiscard]] std::optional<std::int64_t> timeLeft(std::size_t entry, const Place& place) const;
    // The folder that it lies in should have come there, and did not.
    [[nodiscard]] bool isStranded(std::size_t entry) const;
    [[nodiscard]] bool isThere(const PlanEntry& moved) const;
    // Of an entry that comes no further than that operation: what is done of it already.
    [[nodiscard]] std::string doneBefore(std::size_t entry, std::size_t op) const;
    // What is to be said of one that came about.
    [[nodiscard]] std::string remarkOn(std::size_t entry) const;
    // Why a step did not come about.
    static void explain(Verdict& verdict, const Status& started);
    Result<Verdict> run(std::size_t entry, std::size_t op);
    // The folders of an operation, held.
    struct Pinned {
        Place place;
        std::optional<Place> from;
    };
    Result<Pinned> pinBoth(const Op& op);
    [[nodiscard]] static bool isWhereItBegan(const OpRecord& record, const Pinned& pinned);
    // Where it began, if that can be told. Not: the path leads there as far as anybody knows, and nothing proves it.
    enum class Sure { Yes, No };
    struct Located {
        Place place;
        Sure sure = Sure::Yes;
    };
    Result<std::optional<Located>> locate(const SharePath& path, const std::optional<FolderId>& id, const std::string& temp);
    [[nodiscard]] Verdict lost(std::size_t entry, std::size_t op) const;
    Status start(std::size_t entry, std::size_t op, const Pinned& pinned);
    Result<Verdict> resolve(std::size_t entry, std::size_t op, Call call);
    Result<Verdict> resolveAt(std::size_t entry, std::size_t op, const Pinned& pinned, Call call);
    Status markDone(std::size_t entry, std::size_t op, const Place& place, const Place* from);

    Status check(const Op& op, const Place& subject, NodeState& old);
    Status checkSubject(const Op& op, const Place& subject, const NodeState& expected, NodeState& old);
    Status checkLinks(NodeKind moved, const SharePath& from, const SharePath& to);
    Status keep(const Place& subject, const NodeState& old);
    Result<TreeWriter::Staged> stagePut(std::size_t entry, std::size_t op, const Place& place, const NodeState& old);
    Status placeStaged(const Place& place, const std::string& temp, const NodeState& old);
    Result<Verdict> resolvePut(const Op& op, const OpRecord& record, const Place& place,
                               const std::string& temp);
    Result<Verdict> resolveCreate(const NodeState& want, const Place& place, const std::string& temp);
    Result<Verdict> resolveReplace(const Op& op, const OpRecord& record, const Place& place,
                                   const std::string& temp);
    Result<Verdict> resolveRemove(const OpIndex& index, const OpRecord& record, const Place& place,
                                  const std::string& temp);
    Result<Verdict> resolveMove(const Op& op, const OpRecord& record, const Pinned& pinned, Call call);
    Result<Verdict> resolveExchange(const Op& op, const OpRecord& record, const Pinned& pinned, Call call);
    struct Expected {
        const NodeState& state;
        std::uint64_t inode;
    };
    [[nodiscard]] static Result<std::string> whyNotThere(const Place& place, const Expected& expected);
    Result<Verdict> moveBack(const Op& op, const Pinned& pinned, std::string why);
    Result<Verdict> exchangeBack(const Pinned& pinned, std::string why);
    Result<Verdict> resolveMode(const Op& op, const OpRecord& record, const Place& place);
    // These answer with the name under which they kept what is not ours to remove; mostly none.
    Result<std::string> clearStale(const Op& put, const Place& place, const std::string& temp);
    Result<std::string> clearUntold(std::size_t entry, std::size_t op);
    Result<std::string> bringBack(const Place& place, const std::string& temp);
    Result<std::string> discard(const Place& place, const std::string& temp, const NodeState& want);
    Result<std::string> putAside(const Place& place, const std::string& temp);
    Status newFolderTimes();
    [[nodiscard]] std::string tempName(std::size_t entry, std::size_t op) const;

    int m_root;
    Journal& m_journal;
    ContentStore& m_store;
    TreeWriter m_writer;
    FolderSearch m_search;
    mutable ListedNames m_listed{ListedNames::Missing::LookAgain};
    std::size_t m_linkBudget = FreezeLimits{}.movedEntries; // see whyLinksForbid()
};

} // namespace carrel::files
