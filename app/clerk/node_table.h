// SPDX-License-Identifier: Apache-2.0
// The names that one share's guest knows things by: node id ↔ (parent node, name, device, inode, version).
// Lives in a file that is mapped into memory, so that a clerk that is killed at any instant leaves its
// successor the same ids: each record carries its own checksum, written last, and a record without one is not
// there.
//
// Ids grow, are never used twice in one file, and a parent's is smaller than its children's. One file serves
// one start of the virtual machine; the engine makes it empty for each. What a former clerk left is believed
// only as far as it validates: whatever it wrote, the worst is that a node is not found (ESTALE). Nothing
// here opens a path.
//
// Ownership: owns the descriptor and the mapping. No other process may have the file open for writing
// meanwhile (the engine ends the old clerk first). Thread: one. Bounds: kMaxNodes, kMaxTableBytes; beyond
// them remember() answers LimitExceeded until the guest forgets something.
#pragma once

#include "guest/protocol/change_report.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace carrel::clerk {

using NodeId = std::uint64_t;

inline constexpr std::size_t kMaxNodes = 1'000'000; // per share; a large source tree has 100,000
inline constexpr std::size_t kMaxTableBytes = 512U * 1024 * 1024;

enum class NodeType : std::uint32_t { Directory = 1, File = 2, Symlink = 3 };

// Small facts about a node that outlive a clerk. A broken one of them costs a repeated log line or look-up,
// no more.
enum NodeFlag : std::uint32_t {
    kNodeFirstReadSeen = 1U << 0,  // the host has been told of its first read
    kNodeEntryHandedOut = 1U << 1, // the guest may remember this name: a change must be announced
    kNodeReadUnsettled = 1U << 2,  // read soon after a write while a writer had it open: see ShareBroker
    kNodeStale = 1U << 3,          // its content is gone: only ESTALE from here on
};

struct Node {
    NodeId id = 0;
    NodeId parent = 0;
    NodeType type = NodeType::File;
    std::uint64_t device = 0;
    BaseVersion version; // of a folder only `inode` counts
    std::uint64_t lookups = 0;
    std::uint32_t flags = 0;
    std::string name;
};

class NodeTable {
public:
    struct Limits {
        std::size_t nodes = kMaxNodes;
        std::size_t bytes = kMaxTableBytes;
    };
    // An empty file becomes a new table; any other is taken over. Malformed: it is no table at all (the
    // caller then needs an empty file and a restart of the guest's mount). Io: the file cannot be mapped or
    // grown.
    [[nodiscard]] static Result<NodeTable> adopt(UniqueFd file, Limits limits);
    [[nodiscard]] static Result<NodeTable> adopt(UniqueFd file) { return adopt(std::move(file), Limits{}); }
    NodeTable(NodeTable&& other) noexcept;
    NodeTable& operator=(NodeTable&&) = delete;
    NodeTable(const NodeTable&) = delete;
    NodeTable& operator=(const NodeTable&) = delete;
    ~NodeTable();

    // The node of exactly this thing under this name, a new one where there is none yet; counts one look-up
    // by the guest. A new one takes the name over: current() answers it from now on, the former lives until
    // it is forgotten.
    [[nodiscard]] Result<NodeId> remember(NodeId parent, std::string_view name, NodeType type,
                                          std::uint64_t device, const BaseVersion& version);
    [[nodiscard]] std::optional<Node> find(NodeId id) const;
    [[nodiscard]] std::optional<NodeId> current(NodeId parent, std::string_view name) const;
    // The next look-up of its name gives a new node, even if the file then looks the same.
    void supersede(NodeId id);
    void setFlags(NodeId id, std::uint32_t set, std::uint32_t clear = 0);
    // Takes back `count` look-ups. True when the node is gone.
    bool forget(NodeId id, std::uint64_t count);

    // The names from the share's root to the node; empty for the root; nothing for an unknown node or
    // ancestor.
    [[nodiscard]] std::optional<std::vector<std::string>> path(NodeId id) const;
    [[nodiscard]] std::size_t size() const { return m_byId.size(); }
    // Had the file nodes in it when it was adopted?
    [[nodiscard]] bool wasTakenOver() const { return m_takenOver; }
    void forEach(const std::function<void(const Node&)>& visit) const;

private:
    struct Record;
    NodeTable(UniqueFd file, Limits limits);
    [[nodiscard]] Status map();
    [[nodiscard]] Status startNew();
    [[nodiscard]] Status takeOver(std::size_t bytes);
    void takeOverChunk(std::size_t chunk, NodeId& highest);
    [[nodiscard]] Result<std::uint32_t> allocate(std::size_t nameBytes);
    [[nodiscard]] Status addChunk(std::size_t sizeClass);
    [[nodiscard]] Record* at(std::uint32_t slot) const;
    [[nodiscard]] Record* recordOf(NodeId id) const;
    [[nodiscard]] static Node toNode(const Record& record);

    UniqueFd m_file;
    Limits m_limits;
    std::byte* m_base = nullptr;
    std::size_t m_bytes = 0; // in use, a multiple of the chunk size
    bool m_takenOver = false;
    std::unordered_map<NodeId, std::uint32_t> m_byId;
    std::unordered_map<std::uint64_t, std::uint32_t>
        m_byName;                                   // hash of parent and name → the current node's slot
    std::vector<std::vector<std::uint32_t>> m_free; // per size class
};

} // namespace carrel::clerk
