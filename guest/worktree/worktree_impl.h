// SPDX-License-Identifier: Apache-2.0
// The inside of Worktree, shared by its sources only. Two trees: entries (what is staged; all in memory, all
// in the UpperStore) and nodes (what the kernel knows). See worktree.h for the locks.
#pragma once

#include "guest/protocol/file_time.h"
#include "guest/worktree/read_ahead.h"
#include "guest/worktree/upper_store.h"
#include "guest/worktree/worktree.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

namespace carrel::worktree {

using std::chrono::nanoseconds;
inline constexpr nanoseconds kDay =
    std::chrono::hours(24); // what we would tell the kernel about, it may keep
inline constexpr std::uint64_t kMaxHashBytes =
    64ULL * 1024 * 1024; // beyond it a base's hash costs more than it saves

class WorktreeImpl;

struct LowerNode;
struct Node;
using LowerRef = std::shared_ptr<LowerNode>;

// A node of the clerk's that we hold lookups on; given back with the last reference. It keeps the folder that
// it was found in, for the clerk finds its way to a node by the folders above it: once one of them is
// forgotten, all beneath it is ESTALE. The kernel's names do not keep them: what was renamed hangs elsewhere.
struct LowerNode {
    std::uint64_t id = 0;
    std::uint64_t lookups = 0;
    bool folder = false;
    lower::Attr
        attr{}; // a file's stays as it is (one node, one version); a folder's is guarded by m_lowerMutex
    nanoseconds entryValid{kDay};
    nanoseconds attrValid{kDay};
    WorktreeImpl* owner = nullptr;
    LowerRef parent; // null: the root's
    // Under m_state: those of m_nodes that stand for it, one as a rule, on by Node::alsoOfLower. In the nodes
    // themselves: there may be a million.
    Node* nodes = nullptr;
    LowerNode() = default;
    LowerNode(const LowerNode&) = delete;
    LowerNode& operator=(const LowerNode&) = delete;
    ~LowerNode();
};

struct Found {    // an answer of the host's about a name
    LowerRef ref; // null: no such name
    nanoseconds valid{kDay};
};

// What is known of a folder's names besides those that the kernel holds.
struct Listing {
    struct Place {
        std::uint64_t cookie = 0;
        std::string name;
    };
    std::vector<Place> places; // by cookie: names listed once keep their place in the listing
    std::uint64_t nextCookie = 1;
    std::map<std::string, LowerRef, std::less<>>
        listed; // the host's answers that came with a listing, not yet used
    std::chrono::steady_clock::time_point listedAt{}; // the oldest of them
    int fetching = 0;                                 // listings on their way; what changed meanwhile:
    std::set<std::string, std::less<>> changed;
    bool allChanged = false;
    struct { // files read one after the other (planAhead)
        std::string last;
        std::string upTo; // asked for until here
        unsigned steps = 0;
        unsigned left = 0; // asked for and not yet read
        unsigned window = 0;
    } reading;
    // Listed before anybody asked (Scout).
    enum class Scouted { No, Waits, Runs, Found } scouted = Scouted::No;
    bool spoilt = false; // by something that happened since it began to run
    std::map<std::string, LowerRef, std::less<>> found;
    std::chrono::steady_clock::time_point foundAt{};
    nanoseconds foundValid{};
    std::string lastListed; // of the folders in this one
    struct {                // names asked for one by one (nameAsked)
        unsigned single = 0;
        std::uint64_t cookie = 0; // where the next page of the listing begins
        bool whole = false;
        bool running = false;
    } asking;
};

using NodePtr = std::shared_ptr<Node>;

struct Entry : EntryRecord {
    Entry* up = nullptr;
    std::map<std::string, Entry*, std::less<>> children;
    Node* node = nullptr; // where the kernel knows it
    std::uint64_t generation = 0;
    std::uint64_t hashedGeneration = 0; // of contentHash
    std::string contentHash;
    bool doubted = false; // doubt()
};

struct Node {
    NodeId id = 0;
    NodePtr parent; // kept after the name is gone
    std::string name;
    enum class Link {
        Here,
        Superseded,
        Gone
    } link = Link::Here; // Superseded: the host put another version there
    std::map<std::string, Node*, std::less<>> children;
    std::uint64_t lookups = 0;
    Entry* entry = nullptr;
    std::unique_ptr<EntryRecord> orphan; // metadata once the entry is gone but the node is not
    std::uint64_t object = 0;            // bytes of its own
    LowerRef lower;
    Node* alsoOfLower = nullptr; // see LowerNode::nodes
    std::int64_t ctimeNs = 0;    // of changes made here
    std::mutex copy;
    std::shared_mutex io;
    Listing& listing() {
        if (!m_listing) {
            m_listing = std::make_unique<Listing>();
        }
        return *m_listing;
    }
    [[nodiscard]] const Listing& listing() const {
        static const Listing kNone;
        return m_listing ? *m_listing : kNone;
    }

private:
    std::unique_ptr<Listing>
        m_listing; // of a folder, once it is needed: most nodes are files, and there may be a million
};

class WorktreeImpl final : public LowerEvents {
public:
    WorktreeImpl(Options options, std::shared_ptr<LowerClient> lower, std::unique_ptr<UpperStore> store);
    ~WorktreeImpl() override;

    // worktree_lookup.cpp
    SysResult<NodeEntry> lookup(NodeId parent, std::string_view name);
    void forget(NodeId node, std::uint64_t lookups);
    SysResult<NodeEntry> getattr(NodeId node);
    SysResult<std::string> readlink(NodeId node);
    SysStatus readdir(NodeId node, std::uint64_t cookie, Plus plus, const Worktree::TakeItem& take);
    SysResult<struct statvfs> statfs();
    bool mustForget(NodeId parent, std::string_view name);
    std::vector<NodeId> known();
    std::vector<KernelNote> notesOf(NodeId node);
    void entryChanged(std::uint64_t parent, std::string_view name) override;
    void nodeChanged(std::uint64_t node) override;
    void everythingChanged() override;
    // worktree_io.cpp
    SysResult<Bytes> read(NodeId node, std::uint64_t offset, std::uint32_t size);
    SysResult<std::size_t> write(NodeId node, std::uint64_t offset, ByteSpan bytes);
    SysResult<NodeEntry> setattr(NodeId node, const SetAttr& set);
    SysStatus fallocate(NodeId node, int mode, std::uint64_t offset, std::uint64_t length);
    SysStatus fsync(NodeId node);
    // worktree_names.cpp, worktree_rename.cpp
    struct Birth {
        EntryKind kind;
        std::uint32_t mode;
        std::string_view link;
        Caller caller;
    };
    SysResult<NodeEntry> make(NodeId parent, std::string_view name, const Birth& birth);
    enum class Remove { File, Folder };
    SysStatus remove(NodeId parent, std::string_view name, Remove what);
    SysStatus rename(NodeId parent, std::string_view name, NodeId newParent, std::string_view newName,
                     Replace replace);
    // worktree_changes.cpp
    Result<ChangeList> changes(const SharePath& after, std::size_t limit);
    Result<std::unique_ptr<ContentReader>> content(const SharePath& path, std::uint64_t generation);
    std::uint64_t stagedVersion();
    // worktree_review.cpp
    Result<std::vector<SharePath>> settle(std::vector<ChangeRef> entries);
    Result<std::vector<SharePath>> discard(std::vector<ChangeRef> entries);
    Status sync();
    void tidy() { m_store->tidy(); }
    void giveBack(); // worktree_again.cpp
    [[nodiscard]] Access access() const { return m_options.access; }
    std::atomic<bool> m_ends{false};

    // For tests. Entries looked at to find others; and a call in the midst of a longer work, with no lock
    // held.
    [[nodiscard]] std::uint64_t steps() const { return m_steps; }
    enum class Midst { Hashing, Staged };
    std::function<void(Midst)> m_inTheMidst;

    std::function<void(const KernelNote&)> m_sink; // guarded by m_sinkMutex
    std::mutex m_sinkMutex;
    void note(KernelNote::Kind kind, NodeId node, std::string_view name = {}, bool folder = false,
              bool byHost = false);

private:
    friend struct LowerNode;
    friend class StagedReader;
    struct Batch { // what one operation changes; commit() writes it as one record
        std::set<Entry*> put;
        std::vector<std::uint64_t> del;
        std::vector<std::uint64_t> doomed;
    };
    struct Place { // a name, under m_ops
        Entry* entry = nullptr;
        LowerRef lower;       // what the union takes from the host here
        bool present = false; // in the union
        bool folder = false;
    };

    // worktree_lower.cpp: asking the host; no state lock held.
    LowerRef hold(const LowerEntry& entry, const LowerRef& folder);
    SysResult<Found> ask(const LowerRef& dir, std::string_view name);
    SysResult<Found> lowerChild(const NodePtr& dir, std::string_view name);
    SysResult<Found> lowerAt(std::string_view path);
    SysResult<Found> walkTo(std::string_view path);
    SysResult<LowerRef> lowerOf(const NodePtr& dir, std::string_view name, const Entry* entry,
                                const std::string& path, nanoseconds& valid);
    SysResult<Place> resolve(const NodePtr& dir, std::string_view name);
    using Names = std::map<std::string, LowerRef, std::less<>>;
    // `from`: the host's folder that was listed; none when there is nothing at that place.
    SysResult<Names> lowerNames(const NodePtr& dir, LowerRef* from = nullptr);
    SysResult<bool> isEmpty(const NodePtr& dir);
    SysStatus startListing(const NodePtr& dir);
    static void keepPlaces(Listing& known, const Names& names);
    // Counts a lookup of the item only when it was taken (and is answered with its node).
    bool giveItem(DirItem& item, const NodeEntry& entry, Plus plus, const Worktree::TakeItem& take);
    enum class Given { NoRoom, AskHost, End };
    Given giveListed(const NodePtr& dir, DirItem& item, bool& any, Plus plus, const Worktree::TakeItem& take);

    // worktree_ahead.cpp
    std::vector<LowerRef> planAhead(const Node& node);
    std::optional<SysResult<Bytes>> readAhead(const NodePtr& node, const LowerRef& lower,
                                              std::uint64_t offset, std::uint32_t size);
    std::optional<Found> takeListed(Node& dir, std::string_view name);
    void nameAsked(const NodePtr& dir, const LowerRef& lowerDir);
    void fetchPage(const NodePtr& dir, const LowerRef& lowerDir);
    void markChanged(Node& dir, std::string_view name);
    static void spoilScouted(Listing& known);
    static void forgetListed(Node& dir);
    class Fetch { // of a listing, for as long as it is on its way
    public:
        Fetch(WorktreeImpl& tree, const NodePtr& dir);
        ~Fetch();
        Fetch(const Fetch&) = delete;
        Fetch& operator=(const Fetch&) = delete;
        [[nodiscard]] bool isOld(const std::string& name) const;

    private:
        WorktreeImpl& m_tree;
        NodePtr m_dir;
    };

    static bool comesSoonAfter(const Node& dir, const std::string& last, const std::string& name);
    class Scout {
    public:
        explicit Scout(WorktreeImpl& tree);
        ~Scout();
        Scout(const Scout&) = delete;
        Scout& operator=(const Scout&) = delete;
        void listed(Node& dir);
        std::optional<std::map<std::string, LowerRef, std::less<>>> take(const NodePtr& dir);
        bool askPage(const NodePtr& dir, const LowerRef& lowerDir);
        void waitForPage(const NodePtr& dir, std::unique_lock<std::mutex>& lock);
        void end();

    private:
        enum class Want { Folder, Page };
        struct Job {
            NodePtr dir;
            Want want = Want::Folder;
            LowerRef lowerDir;
        };
        void add(Job job);
        [[nodiscard]] bool wanted(const Node& node) const;
        void run();
        void listFolder(const NodePtr& dir);
        WorktreeImpl& m_tree;
        // Under m_state.
        std::deque<Job> m_queue;
        std::condition_variable m_news;
        bool m_ends = false;
        std::thread m_thread; // from the first listing in order on
    };

    // Under m_state.
    NodePtr find(NodeId id);
    NodePtr materialise(const NodePtr& dir, std::string_view name, Entry* entry, const LowerRef& lower);
    void setLower(Node& node, LowerRef lower);
    static void unlistLower(Node& node);
    LowerRef heldLower(std::uint64_t id);
    void detach(Node& node, Node::Link link);
    void dropIfUnused(Node& node);
    NodeEntry answer(Node& node);
    // `attr`: the host's, where it has the node. `out`: all zero so far.
    void fillStat(const Node& node, const lower::Attr& attr, struct stat& out);
    [[nodiscard]] static bool isOfAnotherVersion(const EntryRecord& record, const LowerRef& lower);
    [[nodiscard]] bool isFolder(const Node& node) const;
    [[nodiscard]] static bool isGrounded(const Node& node);
    // Staged work is listed by its path (SharePath): what would have a longer one is refused, for it could be
    // neither reviewed nor applied (ENAMETOOLONG).
    [[nodiscard]] static std::size_t pathLength(const Node& dir, std::string_view name);
    [[nodiscard]] static bool fits(const Node& dir, std::string_view name) {
        return pathLength(dir, name) <= kMaxPathBytes;
    }
    // Staged paths under `entry`, once it stands at a path of `length` bytes.
    [[nodiscard]] static bool fitsBelow(const Entry& entry, std::size_t length);
    Entry* entryFor(const NodePtr& dir, Batch& batch); // a folder's own entry, made with those above it
    Entry* newEntry(Entry* up, std::string_view name, EntryKind kind);
    Entry* adopt(const NodePtr& node, Batch& batch); // an entry for what is only the host's so far
    void dropEntry(Entry* entry, Batch& batch);
    void touch(Entry* entry, Batch& batch);
    void mergeWithHost(Entry* entry);
    void stampFolder(Node& dir);
    void place(Entry* entry, Entry* up, std::string_view name);
    [[nodiscard]] std::optional<std::string> lowerPathOf(const Entry* folder) const;
    [[nodiscard]] std::optional<std::string> lowerPathOf(const Node& dir) const;
    [[nodiscard]] static std::optional<std::string> below(const std::optional<std::string>& dir,
                                                          std::string_view name);
    [[nodiscard]] std::optional<std::string> contentPath(const Entry* entry) const;
    [[nodiscard]] Entry* entryAt(const SharePath& path);
    [[nodiscard]] static std::string pathOf(const Entry* entry);
    [[nodiscard]] Entry* originPlaceOf(const Entry* entry) const;
    [[nodiscard]] Entry* renamedAwayFrom(const Entry* place) const;
    // Nothing else sets an entry's origin, originPlace and originBase: it is found by them, too.
    void setOrigin(Entry* entry, std::string path, std::uint64_t place, std::optional<Cover> base);
    void clearOrigin(Entry* entry) { setOrigin(entry, {}, 0, std::nullopt); }
    void listOrigin(Entry* entry);
    void unlistOrigin(Entry* entry);
    [[nodiscard]] static bool sameAsHost(const Entry& entry);
    [[nodiscard]] std::uint64_t nextId() { return ++m_lastId; }
    int commit(Batch& batch);
    // UpperStore::reserve() for an operation that may change all that is staged at and below these. Under
    // m_ops.
    [[nodiscard]] int reserveFor(const Entry* one, const Entry* other = nullptr);
    [[nodiscard]] int reserveAt(const SharePath& path);
    [[nodiscard]] static Cover coverOf(const lower::Attr& attr);
    lower::Attr attrOf(const LowerRef& ref);
    static bool isFolderAttr(const lower::Attr& attr) { return (attr.mode & S_IFMT) == S_IFDIR; }

    // worktree_io.cpp
    SysResult<std::size_t> writeOwn(int fd, ByteSpan bytes, std::uint64_t offset);
    void wrote(Node& node, std::uint64_t object);
    SysStatus stageAgain(const NodePtr& node);
    static bool lostItsName(const Node& node) {
        return node.object != 0 && node.link == Node::Link::Superseded;
    }
    // Copies the first `keep` bytes, or all where there are fewer. The object, if it was made now and cut to
    // `keep`; else 0.
    SysResult<std::uint64_t> ensureOwn(const NodePtr& node, std::uint64_t keep);
    SysStatus attachCopy(const NodePtr& node, std::uint64_t object, std::optional<std::string> hash);
    // worktree_rename.cpp; under m_state
    struct Move {
        NodePtr dir;
        std::string_view name;
        NodePtr newDir;
        std::string_view newName;
        NodePtr node;
        NodePtr target; // in the way
        Place from;
        Place to;
        std::string link; // of a symlink that only the host has so far
    };
    [[nodiscard]] static bool goesHome(const Place& from, const Place& to);
    [[nodiscard]] static int mayMove(const Place& from, const Place& to, Replace replace);
    void carry(const Move& move, Batch& batch);
    [[nodiscard]] bool namesFit(const Place& from, const Node& dir, std::string_view name, const Node& newDir,
                                std::string_view newName) const;
    Entry* leaveBehind(Entry* entry, Entry* up, const std::string& name, Batch& batch);
    void mergeInto(Entry* entry, Entry* whiteout, Batch& batch);
    void moveChildren(Entry* from, Entry* to, Batch& batch);
    void takePlace(Entry* entry, Entry* former, Batch& batch);
    // worktree_changes.cpp; under m_state
    std::optional<ChangeEntry> changeOf(Entry* entry);
    void collect(Entry* entry, std::vector<ChangeEntry>& out);
    [[nodiscard]] bool sameContent(const Entry* entry) const;
    [[nodiscard]] bool wantsHash(const Entry* entry) const;
    void hashStaged(bool anew);                                  // no lock held
    void hashOne(std::uint64_t entry, std::uint64_t generation); // no lock held
    // Is the move itself reported? A file's only if it left a free place and covers nothing; else its content
    // is.
    [[nodiscard]] static bool reportsRename(const Entry& entry, const Entry* place);
    // worktree_again.cpp
    void doubt(Entry& entry); // under m_state
    enum class Host { Answers, Silent };
    Host giveBackOne(std::uint64_t entry, std::uint64_t generation);
    // worktree_review.cpp; under m_ops
    bool settleOne(const ChangeRef& ref);
    bool discardOne(const ChangeRef& ref);
    bool findLower(const SharePath& path); // false: no answer
    void backToRemoval(Entry* entry, Batch& batch);
    bool settleFile(Entry* entry, const ChangeRef& ref, const LowerRef& host, Batch& batch);
    void settleFolder(Entry* entry, const LowerRef& host, Batch& batch);
    enum class Base { Hosts, Stays };
    enum class MoveBy { Decision, LaterWork }; // who moved to its name what is there now
    void rebase(Entry* entry, const LowerRef& host, Base base, MoveBy move, Batch& batch);
    [[nodiscard]] Base baseAfter(const ChangeRef& ref, const LowerRef& host);
    void releaseOrigin(Entry* entry, Batch& batch);
    bool dropIfSame(Entry* entry, Batch& batch);
    void prune(Entry* folder, Batch& batch);
    void pruneBoth(Entry* folder, Entry* other, Batch& batch);
    void forgetEntry(Entry* entry, Batch& batch);
    void goHome(Entry* entry, Batch& batch);
    Result<std::vector<SharePath>> each(std::vector<ChangeRef>& entries,
                                        bool (WorktreeImpl::*one)(const ChangeRef&));

    Options m_options;
    std::shared_ptr<LowerClient> m_lower;
    std::unique_ptr<UpperStore> m_store;

    std::mutex m_ops;
    std::mutex m_state;
    std::unordered_map<NodeId, NodePtr> m_nodes;
    ReadAhead m_ahead;
    Scout m_scout{*this};
    unsigned m_inOrder = 0; // files read one after the other, over folders
    std::unordered_map<std::uint64_t, std::unique_ptr<Entry>> m_entries;
    std::unordered_multimap<std::uint64_t, Entry*> m_awayFrom; // by originPlace
    std::unordered_multimap<std::string, Entry*> m_byOrigin;   // by origin
    std::map<std::uint64_t, std::uint64_t> m_doubted; // with the generation seen last (giveBack)
    std::uint64_t m_lastDoubted = 0;                  // looked at last
    Entry* m_rootEntry = nullptr;
    NodeId m_lastNode = kRoot;
    std::uint64_t m_lastId = kRootEntry;
    std::uint64_t m_generation = 0;
    mutable std::uint64_t m_steps = 0;
    std::vector<ChangeEntry> m_listing; // of m_listingGeneration: pages of one listing agree
    std::uint64_t m_listingGeneration = 0;
    bool m_listingUnsure = false; // something was written too often to be compared with what the host has

    std::mutex m_lowerMutex;
    std::unordered_map<std::uint64_t, std::weak_ptr<LowerNode>> m_lowerNodes;
};

[[nodiscard]] std::int64_t nowNs();

} // namespace carrel::worktree
