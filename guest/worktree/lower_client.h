// SPDX-License-Identifier: Apache-2.0
// The read-only folder of the host, as the union sees it. Semantics of nodes and versions:
// guest/protocol/lower_wire.h. Errors are errno values as a file system call would give them (errno(3)): they
// go to the kernel as they are. Thread: every function from any thread; they block until answered.
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/lower_wire.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::worktree {

template <class T> using SysResult = tl::expected<T, int>;
using SysStatus = SysResult<void>;
[[nodiscard]] inline tl::unexpected<int> sysFail(int number) {
    return tl::unexpected<int>(number);
}

struct LowerEntry {
    std::uint64_t node = 0; // 0: no such name, and that answer holds for entryValid
    lower::Attr attr{};
    std::chrono::nanoseconds entryValid{};
    std::chrono::nanoseconds attrValid{};
};

struct LowerDirEntry {
    std::string name;
    LowerEntry entry; // each counts as one lookup, as in FUSE
    std::uint64_t cookie = 0;
};

struct LowerPage {
    std::vector<LowerDirEntry> entries;
    bool last = false; // nothing comes after it; so does an empty one say
};

inline constexpr std::chrono::seconds kDoorTimeout{120}; // nobody at the door for so long: EIO

// A file that will probably be read soon.
struct AheadRead {
    std::uint64_t node = 0;
    std::uint32_t size = 0; // from its first byte
    // Called once: at once, or on a thread that must not be blocked (and then with no lock of the caller's held).
    std::function<void(SysResult<Bytes>)> done;
};

// What the host says of its own accord. Called on a thread that must not be blocked: note it down and return.
class LowerEvents {
public:
    virtual ~LowerEvents() = default;
    virtual void entryChanged(std::uint64_t parent, std::string_view name) = 0;
    virtual void nodeChanged(std::uint64_t node) = 0;
    virtual void everythingChanged() = 0; // a new clerk: what happened before it came was not seen
};

class LowerClient {
public:
    virtual ~LowerClient() = default;
    // ENOENT may come as an error or as node 0.
    [[nodiscard]] virtual SysResult<LowerEntry> lookup(std::uint64_t parent, std::string_view name) = 0;
    [[nodiscard]] virtual SysResult<lower::Attr> getattr(std::uint64_t node) = 0;
    [[nodiscard]] virtual SysResult<std::string> readlink(std::uint64_t node) = 0;
    // At most kMaxRead bytes; shorter only at the end of the file. ESTALE: that version is gone.
    [[nodiscard]] virtual SysResult<Bytes> read(std::uint64_t node, std::uint64_t offset,
                                                std::uint32_t size) = 0;
    // Asks for all of them in one go and does not wait.
    virtual void readAhead(std::vector<AheadRead> reads) = 0;
    // Entries after `cookie` (0: from the start), without "." and "..".
    [[nodiscard]] virtual SysResult<LowerPage> readdirplus(std::uint64_t node, std::uint64_t cookie) = 0;
    [[nodiscard]] virtual SysResult<lower::StatfsOut> statfs() = 0;
    virtual void forget(std::uint64_t node, std::uint64_t lookups) = 0; // never blocks
    virtual void setEvents(LowerEvents* events) = 0; // nullptr: no more events after it returns
};

} // namespace carrel::worktree
