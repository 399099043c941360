// SPDX-License-Identifier: Apache-2.0
// The inside of ShareBroker, shared by the files that implement it and by nobody else.
#pragma once

#include "app/clerk/folder_listing.h"
#include "app/clerk/lower_codec.h"
#include "app/clerk/open_files.h"
#include "app/clerk/placeholders.h"
#include "app/clerk/recorded_reads.h"
#include "app/clerk/settled.h"
#include "app/clerk/share_broker.h"
#include "app/clerk/share_folder.h"

#include <map>
#include <set>
#include <unordered_map>

namespace carrel::clerk {

struct ShareBroker::Impl {
    using Names = std::vector<std::string>;

    struct Deferred {
        std::uint64_t unique = 0;
        NodeId node = 0;
        lower::ReadIn read{};
        Clock::time_point since{};
        Clock::time_point again{};
        bool forRecord = false; // waits for settleFirstRead()
        RecordedReads::Key version{}; // of this
        bool refused = false;   // and that said no
    };
    enum class Recorded { Yes, NotYet, No, Busy };
    // One name of which every read finds it changed meanwhile.
    struct Restless {
        Clock::time_point since{};
        Clock::time_point last{};
    };
    struct Located {
        Node node;
        Names names;
    };
    struct OpenFolder {
        Located at;
        UniqueFd fd;
        bool watched = false;
    };

    Impl(UniqueFd rootFd, NodeTable nodeTable, Options brokerOptions, Events brokerEvents);

    // share_broker.cpp
    [[nodiscard]] std::optional<Bytes> dispatch(const Request& request);
    [[nodiscard]] Bytes init(const Request& request);
    [[nodiscard]] Bytes statfs(const Request& request) const;
    void forget(NodeId node, std::uint64_t count);
    void batchForget(const Request& request);

    // broker_names.cpp
    [[nodiscard]] OrErrno<Located> locate(NodeId id) const;
    [[nodiscard]] OrErrno<UniqueFd> openAt(const Names& names, int flags);
    [[nodiscard]] OrErrno<OpenFolder> openFolder(NodeId id, int flags);
    [[nodiscard]] bool isHidden(const Names& folder, std::string_view name) const;
    // 0, or why the guest does not get what the disk found by that name.
    [[nodiscard]] int mayServe(const OpenFolder& in, std::string_view name, const struct stat& info);
    [[nodiscard]] bool ensureWatched(NodeId folder, int fd);
    [[nodiscard]] Bytes lookup(const Request& request);
    [[nodiscard]] Bytes getattr(const Request& request);
    [[nodiscard]] OrErrno<lower::AttrOut> attributes(NodeId id);
    [[nodiscard]] OrErrno<struct stat> versionedStat(const Located& at);
    [[nodiscard]] Bytes readlink(const Request& request);
    [[nodiscard]] Bytes readdirplus(const Request& request);
    [[nodiscard]] OrErrno<std::shared_ptr<const FolderListing>> listing(const OpenFolder& folder,
                                                                        std::uint64_t cookie);
    enum class Append { Added, Skipped, Full };
    [[nodiscard]] Append appendEntry(Bytes& reply, std::size_t most, const OpenFolder& folder,
                                     const FolderListing& list, std::size_t i);
    // An entry of a folder that is there; nodeid 0 where the table is full.
    [[nodiscard]] OrErrno<lower::EntryOut> entry(const OpenFolder& folder, std::string_view name,
                                                 const struct stat& info);
    [[nodiscard]] std::chrono::seconds validity(bool watched, const struct stat& info) const;

    // broker_read.cpp
    [[nodiscard]] std::optional<Bytes> read(const Request& request);
    // No value: it was put off again; `deferred` says until when.
    [[nodiscard]] std::optional<Bytes> attempt(Deferred& deferred);
    [[nodiscard]] OrErrno<OpenFiles::File*> fileOf(const Node& node);
    [[nodiscard]] Bytes copy(const Deferred& deferred, const Node& node, OpenFiles::File& file,
                             ReadLease lease);
    // A finished reply, or the news that its body is where the guest offered room for it.
    [[nodiscard]] Bytes throughWindow(Bytes reply, std::uint64_t unique, const lower::ReadIn& in) const;
    [[nodiscard]] Recorded recordFirstRead(const Node& node, RecordedReads::Key& version);
    void forgetRecord(const Node& node);
    [[nodiscard]] bool putOff(Deferred& deferred, const Settlement& settlement) const;
    void markStale(const Node& node);
    [[nodiscard]] int changedMeanwhile(const Node& node);

    // broker_events.cpp
    void onHostEvents();
    void take(const HostEvent& event, std::set<NodeId>& listings);
    void announce(NodeId parent, const std::string& name);
    void invalidateAll();
    void send(Bytes&& message) const;
    void noticeOnce(WatchOutcome outcome);
    void noticeOnce(Placeholder kind);

    ShareFolder folder;
    NodeTable table;
    Options options;
    Events events;
    HiddenNames hidden;
    std::optional<HostWatcher> watcher;
    OpenFiles open;
    ListingCache listings;
    std::vector<Deferred> deferred;
    // Asked, not yet answered. A node that the guest forgets meanwhile stays: else it could have any number of them asked.
    std::map<NodeId, RecordedReads::Key> firstReads;
    RecordedReads recorded;
    std::map<std::pair<NodeId, std::string>, Restless> restless;
    std::set<WatchOutcome> noticed;
    std::set<Placeholder> noticedPlaceholders;
    bool hasOtherNames = false; // the disk may know files by names that it does not list
    bool revoked = false;
};

} // namespace carrel::clerk
