// SPDX-License-Identifier: Apache-2.0
// Answers the guest's requests for one share: the read-only FUSE subset of guest/protocol/lower_wire.h. Knows
// nothing of its transport: a message in, a message out. Every request is hostile.
//
// What it promises
//  - Nothing outside the share's folder is ever opened: openat2(2) from the pinned root with RESOLVE_BENEATH,
//    RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS and RESOLVE_NO_XDEV. Links are shown as links. A file system
//    mounted inside the folder is shown as a folder that cannot be entered: an encrypted vault or a network
//    drive that is opened later was not what the user shared.
//  - A file is served only by a name that its folder lists byte for byte, on whatever disk (guest/protocol/disk_names.h). What
//    is hidden is not reached by another name that the disk knows it by.
//  - A READ is one version of the file or an error. Before and after the copy the file must be the node's own
//  version;
//    else ESTALE. A version is relied on only once its ctime is older than the kernel's clock tick, since a
//    second write within one tick cannot be told from the first; and for kSettledAge after a write only if
//    nobody has the file open for writing (a read lease, fcntl(2), shows it) or no write began within
//    kQuietWithWriter, because a long write(2) sets the time when it begins. A read that must wait is put
//    off, never slept for: handle() answers nothing, and runDeferred() gives the reply later. After
//    kBusyAfter it is EBUSY. Not seen: stores through a shared writable mapping to a page that is dirty
//    already change no time stamp (mmap(2)); they are covered only where the lease is.
//  - What is in a placeholder of a sync program (placeholders.h) is never taken for the file that it stands for.
//  - A replaced or deleted file is still read through the descriptor that was open, as long as the budget of
//    descriptors keeps it.
//
// READDIRPLUS gives neither "." nor ".."; a cookie is made from a hash of the name, so that it means the same
// whatever comes and goes, in every stream at once, and to the next clerk. Each LOOKUP and READDIRPLUS entry
// with a node other than 0 counts one look-up (FORGET takes them back). nodeid 0 in READDIRPLUS: the name is
// there, look it up yourself. nodeid 0 in LOOKUP: not there, for as long as entryValid says. INVAL_INODE of a
// folder means: forget everything remembered about that folder, its listing, the entries and the names that
// were not there. invalidateAll() sends it for every folder known.
//
// Ownership: owns root, table, watcher and descriptors. Thread: one; nothing blocks beyond a local file
// system call. Errors on the wire are errno values: ESTALE unknown or outdated node, EINVAL malformed, EROFS
// what would write, ENOSYS anything else unknown, EACCES unreadable, mounted over or revoked, EBUSY being
// written, ENFILE no room for nodes, ENODATA a placeholder.
#pragma once

#include "app/clerk/hidden_names.h"
#include "app/clerk/host_watcher.h"
#include "app/clerk/node_table.h"
#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace carrel::clerk {

inline constexpr std::chrono::seconds kWatchedValidity{24 * 60 * 60};
inline constexpr std::chrono::seconds kUnwatchedValidity{1};
inline constexpr std::chrono::milliseconds kClockTick{20}; // two ticks of the slowest kernel clock (HZ=100)
inline constexpr std::chrono::milliseconds kCoarseTick{
    2100}; // file systems that keep whole (FAT: even) seconds
inline constexpr std::chrono::milliseconds kSettledAge{2000}; // beyond it no writer is looked for
inline constexpr std::chrono::milliseconds kQuietWithWriter{
    250}; // a writer has it open: last write began before this
inline constexpr std::chrono::milliseconds kBusyAfter{1000}; // then EBUSY
inline constexpr std::size_t kMaxDeferred = 1024;            // put-off reads of one share; beyond it EBUSY

struct FirstRead {
    NodeId node = 0;
    SharePath path;
    BaseVersion version; // version.size is the file's
};
enum class FirstReadAnswer {
    Proceed, // recorded, or need not be
    Wait,    // the reads of that node wait for settleFirstRead()
};
enum class FirstReadVerdict {
    Recorded,
    NotRecorded
}; // NotRecorded: those reads get EIO (no record, no effect)

class ShareBroker {
public:
    using Clock = std::chrono::steady_clock;
    struct Options {
        std::vector<std::string> hidden; // patterns, see hidden_names.h
        std::size_t descriptors = 0;     // open files kept; 0: descriptorBudget(1)
        std::size_t maxWatches = kMaxWatches;
        bool watchHost = true;                            // false: one-second validity everywhere
        std::chrono::nanoseconds (*realtime)() = nullptr; // CLOCK_REALTIME_COARSE unless a test turns it
    };
    struct Events {
        // A whole message for the guest (unique 0). Called from handle(), onHostEvents() and invalidateAll().
        std::function<void(Bytes&& message)> notify;
        // The first READ of each file version under a name; once per node, also across clerks, and once for as long as it is
        // remembered (recorded_reads.h), whatever the guest forgets. No more than kMaxDeferred wait. Unset: Proceed.
        std::function<FirstReadAnswer(const FirstRead&)> firstRead;
        // One line for the user, once per kind: changes on the host cannot be watched, or a placeholder cannot be
        // read, and what that means.
        std::function<void(std::string text)> notice;
        // Puts what was read where the guest offered room for it (lower_wire.h, "Window"). Unset or false: in
        // the reply.
        std::function<bool(std::uint64_t offset, std::uint64_t offered, ByteSpan bytes)> window;
    };

    // `root`: the shared folder, O_PATH or O_RDONLY. Ignores SIGIO in this process (a lease that is broken
    // sends it). After taking over another clerk's table call invalidateAll() once the channel is open.
    [[nodiscard]] static Result<std::unique_ptr<ShareBroker>> create(UniqueFd root, NodeTable table,
                                                                     Options options, Events events);
    ~ShareBroker();
    ShareBroker(const ShareBroker&) = delete;
    ShareBroker& operator=(const ShareBroker&) = delete;

    // One request. No value: it has no reply (FORGET), or the reply comes from runDeferred().
    [[nodiscard]] std::optional<Bytes> handle(ByteSpan request);

    // When runDeferred() should be called next; no value: nothing is put off, or only for settleFirstRead().
    [[nodiscard]] std::optional<Clock::time_point> nextDeferred() const;
    [[nodiscard]] std::vector<Bytes> runDeferred();
    void cancel(std::uint64_t unique); // the guest no longer wants it; INTERRUPT does the same
    void dropDeferred();               // a new epoch: the guest asks again
    // The answer to FirstReadAnswer::Wait: then call runDeferred().
    void settleFirstRead(NodeId node, FirstReadVerdict verdict);

    // Poll this for reading (-1: nothing is watched), then call onHostEvents().
    [[nodiscard]] int watchDescriptor() const;
    void onHostEvents();
    // The guest is told to forget all that it was told (a missed event, a new clerk).
    void invalidateAll();

    // No further byte: every request from now on is EACCES, what was put off too; descriptors close.
    void revoke();
    [[nodiscard]] bool isRevoked() const;
    [[nodiscard]] std::size_t nodes() const;

private:
    struct Impl;
    explicit ShareBroker(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

// Open files that each of `shares` brokers in this process may keep, from RLIMIT_NOFILE.
[[nodiscard]] std::size_t descriptorBudget(std::size_t shares);

} // namespace carrel::clerk
