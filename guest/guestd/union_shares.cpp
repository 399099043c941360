// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/union_shares.h"

#include "guest/protocol/control.h"
#include "guest/worktree/channel_lower.h"
#include "guest/worktree/fuse_server.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::guestd {

// What there is of a share: also after its removal, as long as somebody lists it or reads from it.
struct UnionShares::Living {
    std::mutex mutex;
    std::condition_variable one_less;
    std::map<const Share*, ShareSpec> all;
    // Two of one id would write into one folder of staged work. False: it is still there after `patience`.
    bool waitUntilGone(const ShareSpec& spec, std::chrono::seconds patience) {
        std::unique_lock lock(mutex);
        return one_less.wait_for(lock, patience, [&] {
            return std::none_of(all.begin(), all.end(), [&](const auto& each) {
                return each.second.id == spec.id || each.second.name == spec.name;
            });
        });
    }
    bool waitUntilEmpty(std::chrono::seconds patience) {
        std::unique_lock lock(mutex);
        return one_less.wait_for(lock, patience, [&] { return all.empty(); });
    }
};

// Goes in this order: nobody asks the host any more, the mount, the union.
struct UnionShares::Share {
    ShareSpec spec;
    std::string folder;
    std::shared_ptr<worktree::ChannelLower> lower;
    std::unique_ptr<worktree::Worktree> tree;
    std::unique_ptr<worktree::FuseServer> server;
    std::uint64_t staged = 0; // as last seen by the watcher

    // By whoever took it out of the list: the folder is gone at once, and whoever still uses the share lets go soon.
    void close() {
        if (lower) {
            lower->stop();
        }
        if (tree) {
            tree->end();
        }
        if (server) {
            server->unmount();
        }
        if (!folder.empty()) {
            ::rmdir(folder.c_str());
        }
    }
    ~Share() {
        server.reset();
        tree.reset();
    }
};

namespace {

// For whoever still uses a share that was removed. What takes longest there is to write much to a slow disk.
constexpr std::chrono::seconds kLeaving{20};

// Keeps the share alive: content is read while another thread may remove it.
template <class Owner> class HeldContent final : public StagedContent {
public:
    HeldContent(std::shared_ptr<Owner> owner, std::unique_ptr<worktree::ContentReader> reader)
        : m_owner(std::move(owner))
        , m_reader(std::move(reader)) {}
    [[nodiscard]] std::uint64_t size() const override { return m_reader->size(); }
    [[nodiscard]] Result<Bytes> read(std::size_t max) override {
        auto piece = m_reader->read(m_offset, max);
        if (piece) {
            m_offset += piece->size();
        }
        return piece;
    }
    [[nodiscard]] Status stillTheSame() override { return m_reader->finish(); }

private:
    std::shared_ptr<Owner> m_owner; // outlives the reader: declared first, destroyed last
    std::unique_ptr<worktree::ContentReader> m_reader;
    std::uint64_t m_offset = 0;
};

std::vector<worktree::ChangeRef> refsOf(const std::vector<EntryRef>& entries) {
    std::vector<worktree::ChangeRef> refs;
    refs.reserve(entries.size());
    for (const auto& entry : entries) {
        refs.push_back({entry.path, entry.generation, entry.left});
    }
    return refs;
}

} // namespace

UnionShares::UnionShares(Options options)
    : m_options(std::move(options))
    , m_living(std::make_shared<Living>()) {}

UnionShares::~UnionShares() {
    std::map<std::uint32_t, SharePtr> shares;
    {
        const std::lock_guard lock(m_mutex);
        m_end = true;
        m_ended.notify_all();
        shares.swap(m_shares);
    }
    for (const auto& [id, share] : shares) { // before the threads: one may wait for the host
        share->close();
    }
    for (auto* thread : {&m_watcher, &m_giver}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
}

UnionShares::SharePtr UnionShares::makeShare(const ShareSpec& spec) {
    auto fresh = std::make_unique<Share>();
    fresh->spec = spec;
    {
        const std::lock_guard lock(m_living->mutex);
        m_living->all.emplace(fresh.get(), spec);
    }
    return {fresh.release(), [living = m_living](Share* gone) {
                delete gone; // its threads end, and what is staged is on the disk
                const std::lock_guard lock(living->mutex);
                living->all.erase(gone);
                living->one_less.notify_all();
            }};
}

void UnionShares::start(Channel& files) {
    m_files = &files;
    m_watcher = std::thread([this] { everySecond([this](Share& share) { lookAt(share); }); });
    m_giver = std::thread([this] { everySecond([](Share& share) { share.tree->giveBack(); }); });
}

std::optional<StreamKind> UnionShares::accept(std::uint32_t stream) {
    // The host never speaks first on a share's stream, but its answer to an earlier use may still be on its
    // way.
    return stream >= 1 && stream <= control::kMaxShareId ? std::optional(StreamKind::Messages) : std::nullopt;
}

void UnionShares::handle(ChannelEvent&& event) {
    if (event.kind == ChannelEvent::Kind::Epoch) {
        std::vector<SharePtr> all;
        {
            const std::lock_guard lock(m_mutex);
            for (const auto& [id, share] : m_shares) {
                all.push_back(share);
            }
        }
        for (const auto& share : all) {
            m_files->openStream(event.epoch, share->spec.id, StreamKind::Messages);
            share->lower->onEpoch(event.epoch);
        }
    } else if (event.kind == ChannelEvent::Kind::Data) {
        if (const auto share = find(event.stream)) {
            (*share)->lower->onMessage(event.data);
        }
        m_files->consumed(event.epoch, event.stream, event.data.size());
    }
}

void UnionShares::sendToHost(std::uint32_t id, EpochNumber epoch, const std::vector<Bytes>& messages) {
    // Where that epoch is over the lower client asks again in the next epoch. Where more than the channel's queue holds
    // has been asked for and not taken, it is lost: whoever waits for it gets EIO after kDoorTimeout.
    static_cast<void>(m_files->sendMessages(epoch, id, messages));
}

Result<UnionShares::SharePtr> UnionShares::find(std::uint32_t id) const {
    const std::lock_guard lock(m_mutex);
    const auto at = m_shares.find(id);
    if (at == m_shares.end()) {
        return fail(ErrorCode::NotFound, "the machine has no share of that id");
    }
    return at->second;
}

std::vector<ShareSpec> UnionShares::mounted() const {
    const std::lock_guard lock(m_mutex);
    std::vector<ShareSpec> all;
    for (const auto& [id, share] : m_shares) {
        all.push_back(share->spec);
    }
    return all;
}

Result<UnionShares::SharePtr> UnionShares::findMounted(std::uint32_t id) const {
    auto share = find(id);
    const std::lock_guard lock(m_mutex);
    if (share && !(*share)->server) {
        return fail(ErrorCode::Unavailable, "the share is still being mounted", "Try again in a moment");
    }
    return share;
}

Status UnionShares::add(const ShareSpec& spec) {
    const std::lock_guard mounting(m_mounting);
    for (const auto& present : mounted()) {
        if (present.id == spec.id || present.name == spec.name) {
            return fail(ErrorCode::AlreadyExists, "a share of that id or name is there already");
        }
    }
    if (!m_living->waitUntilGone(spec, kLeaving)) {
        return fail(ErrorCode::Unavailable, "the share of before is still in use in the machine", "Try again in a moment");
    }
    auto share = makeShare(spec);
    const std::string folder = m_options.workspace + "/" + spec.name;
    if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
        return failErrno("making the share's folder");
    }
    share->folder = folder;
    share->lower = std::make_shared<worktree::ChannelLower>(
        [this, id = spec.id](EpochNumber epoch, const std::vector<Bytes>& messages) { sendToHost(id, epoch, messages); },
        worktree::kDoorTimeout, m_options.window);
    {
        // Known before its first request: the answers come on the channel's thread.
        const std::lock_guard lock(m_mutex);
        m_shares[spec.id] = share;
    }
    const auto mountIt = [&]() -> Status {
        const EpochNumber now = m_files->epoch(); // after it is in the list: the next one is told to it
        m_files->openStream(now, spec.id, StreamKind::Messages);
        share->lower->onEpoch(now);
        auto tree =
            worktree::Worktree::open({.upper = m_options.staged + "/" + std::to_string(spec.id),
                                      .access = spec.mode == ShareMode::ReadOnly ? worktree::Access::ReadOnly
                                                                                 : worktree::Access::Review,
                                      .ownerUid = m_options.owner,
                                      .ownerGid = m_options.owner},
                                     share->lower);
        if (!tree) {
            return fail(tree.error());
        }
        share->tree = std::move(*tree);
        auto server = worktree::FuseServer::mount(*share->tree, folder);
        if (!server) {
            return fail(server.error());
        }
        const std::lock_guard lock(m_mutex); // the watcher looks at it
        share->server = std::move(*server);
        share->staged = share->tree->stagedVersion();
        return {};
    };
    Status status = mountIt();
    if (!status) {
        forget(spec.id);
    }
    return status;
}

Status UnionShares::remove(std::uint32_t id, Host host) {
    const std::lock_guard mounting(m_mounting);
    const auto share = find(id);
    if (!share) {
        return fail(share.error());
    }
    if (host == Host::Gone) {
        (*share)->lower->stop(); // else whatever still asks it waits for kDoorTimeout, and all other shares with it
    }
    if ((*share)->server) {
        // What is under way when the mount goes is lost.
        const auto flushed = (*share)->server->flush(std::chrono::seconds(5));
        const bool onlyWithTheHost = host == Host::Gone && !flushed && flushed.error().sysErrno == EIO; // nothing will complete it
        if (!flushed && !onlyWithTheHost) {
            return flushed;
        }
        CARREL_TRY((*share)->tree->sync());
    }
    forget(id);
    return {};
}

// The share goes when its last user lets go, and never under the lock: its threads end with it.
void UnionShares::forget(std::uint32_t id) {
    SharePtr last;
    {
        const std::lock_guard lock(m_mutex);
        if (const auto at = m_shares.find(id); at != m_shares.end()) {
            last = std::move(at->second);
            m_shares.erase(at);
        }
    }
    if (last) {
        last->close();
    }
}

void UnionShares::unmountAll() {
    for (const auto& share : mounted()) {
        if (!remove(share.id, Host::Serves)) { // the host may be gone; what can be kept is kept
            forget(share.id);
        }
    }
    (void)m_living->waitUntilEmpty(kLeaving); // each writes what it has to the disk
}

Result<ChangePage> UnionShares::changes(std::uint32_t id, const SharePath& after, std::size_t limit) {
    const auto share = findMounted(id);
    if (!share) {
        return fail(share.error());
    }
    CARREL_TRY((*share)->server->flush());
    auto list = (*share)->tree->changes(after, limit);
    if (!list) {
        return fail(list.error());
    }
    return ChangePage{std::move(list->entries), std::move(list->next), list->staged};
}

Result<std::unique_ptr<StagedContent>> UnionShares::content(std::uint32_t id, const SharePath& path,
                                                            std::uint64_t generation) {
    const auto share = findMounted(id);
    if (!share) {
        return fail(share.error());
    }
    auto reader = (*share)->tree->content(path, generation);
    if (!reader) {
        return fail(reader.error());
    }
    return std::unique_ptr<StagedContent>(std::make_unique<HeldContent<Share>>(*share, std::move(*reader)));
}

Result<std::vector<SharePath>> UnionShares::settle(std::uint32_t id, const std::vector<EntryRef>& entries) {
    const auto share = findMounted(id);
    if (!share) {
        return fail(share.error());
    }
    // Writes that still wait in the page cache must count as work done since.
    CARREL_TRY((*share)->server->flush());
    return (*share)->tree->settle(refsOf(entries));
}

Result<std::vector<SharePath>> UnionShares::discard(std::uint32_t id, const std::vector<EntryRef>& entries) {
    const auto share = findMounted(id);
    if (!share) {
        return fail(share.error());
    }
    CARREL_TRY((*share)->server->flush());
    return (*share)->tree->discard(refsOf(entries));
}

void UnionShares::everySecond(const std::function<void(Share&)>& look) {
    constexpr std::chrono::seconds kOnceA{1};
    std::unique_lock lock(m_mutex);
    while (!m_ended.wait_for(lock, kOnceA, [this] { return m_end; })) {
        std::vector<std::uint32_t> all;
        for (const auto& [id, share] : m_shares) {
            if (share->spec.mode == ShareMode::Review) {
                all.push_back(id);
            }
        }
        lock.unlock();
        for (const auto id : all) {
            if (auto share = findMounted(id)) { // one at a time: while it is held, no other takes its place
                look(**share);
            }
        }
        lock.lock();
    }
}

void UnionShares::lookAt(Share& share) {
    // Not the list itself: to make it takes every changed file's hash.
    const std::uint64_t now = share.tree->stagedVersion();
    if (now != share.staged) {
        m_options.touched(share.spec.id);
    }
    share.staged = now;
    share.tree->tidy();
}

} // namespace carrel::guestd
