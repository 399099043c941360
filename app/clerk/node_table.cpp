// SPDX-License-Identifier: Apache-2.0
// The file: chunks of 64 KiB. The first holds the file's header; each of the others holds records of one size
// class, so that a destroyed chunk loses its own nodes and no more. Stores to the mapping outlive the process
// in the order in which it made them, so a record whose commit word matches its fields is whole.
#include "app/clerk/node_table.h"

#include "guest/protocol/bytes.h"
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace carrel::clerk {

namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::size_t kChunkHeaderBytes = 64;
constexpr std::size_t kSlotUnit = 64; // a slot is named by its offset in these units
constexpr std::array<std::size_t, 4> kSlotBytes{128, 192, 256, 384};
constexpr std::uint64_t kFileMagic = 0x3165646f6e4c5243;  // "CRLnode1"
constexpr std::uint64_t kChunkMagic = 0x6b6e756863000000; // "chunk", the size class in the low byte
constexpr NodeId kFirstId = 2;                            // 1 is the root, which has no record
constexpr NodeId kLastId = std::uint64_t{1} << 62;
constexpr std::uint32_t kSuperseded = 1U << 31; // in Record::flags: not the current node of its name
constexpr std::size_t kMaxDepth = kMaxPathBytes / 2 + 1;

struct FileHeader {
    std::uint64_t magic;
    std::uint64_t nextId;
};

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash ^= value * 0x9e3779b97f4a7c15ULL;
    hash = (hash << 31) | (hash >> 33);
    return hash * 0xff51afd7ed558ccdULL;
}

std::uint64_t mixText(std::uint64_t hash, std::string_view text) {
    while (!text.empty()) {
        std::uint64_t word = 0;
        const std::size_t part = std::min(text.size(), sizeof word);
        std::memcpy(&word, text.data(), part);
        hash = mix(hash, word);
        text.remove_prefix(part);
    }
    return hash;
}

std::uint64_t nameKey(NodeId parent, std::string_view name) {
    return mixText(mix(0x6361727265000000ULL + name.size(), parent), name);
}

} // namespace

struct NodeTable::Record {
    std::uint64_t commit; // checksum of what follows less lookups and flags; 0: the slot is free
    std::uint64_t id;
    std::uint64_t parent;
    std::uint64_t device;
    std::uint64_t inode;
    std::uint64_t size;
    std::int64_t mtimeNs;
    std::int64_t ctimeNs;
    std::uint64_t lookups;
    std::uint32_t type;
    std::uint32_t nameLength;
    std::uint32_t flags;
    std::uint32_t unused;

    [[nodiscard]] char* name() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] std::string_view nameView() const {
        return {reinterpret_cast<const char*>(this + 1), std::min<std::size_t>(nameLength, kMaxNameBytes)};
    }
    [[nodiscard]] std::uint64_t checksum() const {
        std::uint64_t hash = kFileMagic;
        for (const std::uint64_t field :
             {id, parent, device, inode, size, static_cast<std::uint64_t>(mtimeNs),
              static_cast<std::uint64_t>(ctimeNs), std::uint64_t{type}, std::uint64_t{nameLength}}) {
            hash = mix(hash, field);
        }
        return mixText(hash, nameView()) | 1; // never 0
    }
    [[nodiscard]] bool is(NodeType asked, std::uint64_t on, const BaseVersion& version) const {
        if (type != static_cast<std::uint32_t>(asked) || device != on || inode != version.inode) {
            return false;
        }
        return asked == NodeType::Directory ||
               (size == version.size && mtimeNs == version.mtimeNs && ctimeNs == version.ctimeNs);
    }
};

namespace {

std::atomic_ref<std::uint64_t> word(std::uint64_t& value) {
    return std::atomic_ref<std::uint64_t>(value);
}

} // namespace

NodeTable::NodeTable(UniqueFd file, Limits limits)
    : m_file(std::move(file))
    , m_limits(limits)
    , m_free(kSlotBytes.size()) {
    m_limits.bytes = std::clamp(m_limits.bytes / kChunkBytes * kChunkBytes, 2 * kChunkBytes, kMaxTableBytes);
}

NodeTable::NodeTable(NodeTable&& other) noexcept
    : m_file(std::move(other.m_file))
    , m_limits(other.m_limits)
    , m_base(std::exchange(other.m_base, nullptr))
    , m_bytes(other.m_bytes)
    , m_takenOver(other.m_takenOver)
    , m_byId(std::move(other.m_byId))
    , m_byName(std::move(other.m_byName))
    , m_free(std::move(other.m_free)) {}

NodeTable::~NodeTable() {
    if (m_base != nullptr) {
        ::munmap(m_base, m_limits.bytes);
    }
}

Result<NodeTable> NodeTable::adopt(UniqueFd file, Limits limits) {
    static_assert(sizeof(Record) == 88 && kSlotBytes.back() >= sizeof(Record) + kMaxNameBytes);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) {
        return failErrno("cannot look at the file of names");
    }
    if (!S_ISREG(info.st_mode)) {
        return fail(ErrorCode::Malformed, "the file of names is not a regular file");
    }
    NodeTable table(std::move(file), limits);
    CARREL_TRY(table.map());
    if (info.st_size == 0) {
        CARREL_TRY(table.startNew());
    } else {
        CARREL_TRY(table.takeOver(static_cast<std::size_t>(info.st_size)));
    }
    return table;
}

// Maps more than the file has; what lies beyond its end is not touched before posix_fallocate has put it
// there, because a store to a page that the disk has no room for ends the process.
Status NodeTable::map() {
    void* base = ::mmap(nullptr, m_limits.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m_file.get(), 0);
    if (base == MAP_FAILED) {
        return failErrno("cannot map the file of names");
    }
    m_base = static_cast<std::byte*>(base);
    return {};
}

Status NodeTable::startNew() {
    if (const int error = ::posix_fallocate(m_file.get(), 0, kChunkBytes); error != 0) {
        return failErrno("cannot make room for the file of names", error);
    }
    m_bytes = kChunkBytes;
    auto* header = reinterpret_cast<FileHeader*>(m_base);
    word(header->nextId).store(kFirstId);
    word(header->magic).store(kFileMagic, std::memory_order_release);
    return {};
}

Status NodeTable::takeOver(std::size_t bytes) {
    auto* header = reinterpret_cast<FileHeader*>(m_base);
    // A clerk killed in startNew() left room without a header, and no node of it is known to anybody.
    if (bytes >= kChunkBytes && bytes < 2 * kChunkBytes && header->magic == 0) {
        return startNew();
    }
    if (bytes < kChunkBytes || header->magic != kFileMagic) {
        return fail(ErrorCode::Malformed, "the file of names is damaged", "Restart the agent's machine");
    }
    // Holes would be filled by stores, where the disk may be full.
    const std::size_t whole = std::min(bytes / kChunkBytes * kChunkBytes, m_limits.bytes);
    if (const int error = ::posix_fallocate(m_file.get(), 0, static_cast<off_t>(whole)); error != 0) {
        return failErrno("cannot make room for the file of names", error);
    }
    m_bytes = whole;
    m_takenOver = true;
    NodeId highest = kFirstId - 1;
    for (std::size_t chunk = 1; chunk < whole / kChunkBytes; ++chunk) {
        takeOverChunk(chunk, highest);
    }
    const NodeId next = header->nextId;
    header->nextId = std::max(highest + 1, next < kLastId ? next : kFirstId);
    return {};
}

void NodeTable::takeOverChunk(std::size_t chunk, NodeId& highest) {
    const std::size_t start = chunk * kChunkBytes;
    const auto magic = loadLe<std::uint64_t>({m_base + start, sizeof(std::uint64_t)});
    const std::uint64_t sizeClass = magic ^ kChunkMagic;
    if (sizeClass >= kSlotBytes.size()) {
        return; // never used again; its nodes are gone
    }
    const std::size_t step = kSlotBytes[sizeClass];
    for (std::size_t at = start + kChunkHeaderBytes; at + step <= start + kChunkBytes; at += step) {
        const auto slot = static_cast<std::uint32_t>(at / kSlotUnit);
        auto* record = reinterpret_cast<Record*>(m_base + at);
        const bool sound = record->commit != 0 && record->nameLength <= step - sizeof(Record) &&
                           record->nameLength <= kMaxNameBytes && isValidName(record->nameView()) &&
                           record->id >= kFirstId && record->id < kLastId && record->parent >= 1 &&
                           record->parent < record->id && record->type >= 1 && record->type <= 3 &&
                           record->commit == record->checksum();
        if (!sound || m_byId.size() >= m_limits.nodes || !m_byId.emplace(record->id, slot).second) {
            record->commit = 0;
            m_free[sizeClass].push_back(slot);
            continue;
        }
        highest = std::max(highest, record->id);
        if ((record->flags & kSuperseded) == 0) {
            const auto [known, isNew] = m_byName.emplace(nameKey(record->parent, record->nameView()), slot);
            if (!isNew && this->at(known->second)->id < record->id) {
                known->second = slot;
            }
        }
    }
}

NodeTable::Record* NodeTable::at(std::uint32_t slot) const {
    return reinterpret_cast<Record*>(m_base + std::size_t{slot} * kSlotUnit);
}

NodeTable::Record* NodeTable::recordOf(NodeId id) const {
    const auto found = m_byId.find(id);
    return found == m_byId.end() ? nullptr : at(found->second);
}

Node NodeTable::toNode(const Record& record) {
    Node node;
    node.id = record.id;
    node.parent = record.parent;
    node.type = static_cast<NodeType>(record.type);
    node.device = record.device;
    node.version = {record.inode, record.size, record.mtimeNs, record.ctimeNs};
    node.lookups = record.lookups;
    node.flags = record.flags & ~kSuperseded;
    node.name = record.nameView();
    return node;
}

Status NodeTable::addChunk(std::size_t sizeClass) {
    if (m_bytes + kChunkBytes > m_limits.bytes) {
        return fail(ErrorCode::LimitExceeded,
                    "the guest remembers more files of the folder than Carrel keeps track of");
    }
    if (const int error = ::posix_fallocate(m_file.get(), static_cast<off_t>(m_bytes), kChunkBytes);
        error != 0) {
        return failErrno("cannot make room for the file of names", error);
    }
    const std::uint64_t magic = kChunkMagic | sizeClass;
    std::memcpy(m_base + m_bytes, &magic, sizeof magic);
    const std::size_t step = kSlotBytes[sizeClass];
    const std::size_t count = (kChunkBytes - kChunkHeaderBytes) / step;
    for (std::size_t i = count; i-- > 0;) { // so that slots are used in their order
        m_free[sizeClass].push_back(
            static_cast<std::uint32_t>((m_bytes + kChunkHeaderBytes + i * step) / kSlotUnit));
    }
    m_bytes += kChunkBytes;
    return {};
}

Result<std::uint32_t> NodeTable::allocate(std::size_t nameBytes) {
    if (m_byId.size() >= m_limits.nodes) {
        return fail(ErrorCode::LimitExceeded,
                    "the guest remembers more files of the folder than Carrel keeps track of");
    }
    std::size_t sizeClass = 0;
    while (kSlotBytes[sizeClass] < sizeof(Record) + nameBytes) {
        ++sizeClass;
    }
    if (m_free[sizeClass].empty()) {
        CARREL_TRY(addChunk(sizeClass));
    }
    const std::uint32_t slot = m_free[sizeClass].back();
    m_free[sizeClass].pop_back();
    return slot;
}

Result<NodeId> NodeTable::remember(NodeId parent, std::string_view name, NodeType type, std::uint64_t device,
                                   const BaseVersion& version) {
    if (!isValidName(name) || (parent != 1 && m_byId.count(parent) == 0)) {
        return fail(ErrorCode::InvalidArgument, "no such folder or not a name");
    }
    const std::uint64_t key = nameKey(parent, name);
    Record* former = nullptr;
    if (const auto known = m_byName.find(key); known != m_byName.end()) {
        former = at(known->second);
        if (former->parent == parent && former->nameView() == name && former->is(type, device, version)) {
            former->lookups += former->lookups < UINT64_MAX ? 1 : 0;
            return former->id;
        }
    }
    auto slot = allocate(name.size());
    if (!slot) {
        return fail(std::move(slot).error());
    }
    auto* header = reinterpret_cast<FileHeader*>(m_base);
    const NodeId id = header->nextId;
    if (id >= kLastId) {
        return fail(ErrorCode::LimitExceeded, "the file of names has run out of numbers");
    }
    word(header->nextId)
        .store(id + 1, std::memory_order_release); // first: a number is given away at most once
    Record* record = at(*slot);
    *record = Record{0,
                     id,
                     parent,
                     device,
                     version.inode,
                     version.size,
                     version.mtimeNs,
                     version.ctimeNs,
                     1,
                     static_cast<std::uint32_t>(type),
                     static_cast<std::uint32_t>(name.size()),
                     0,
                     0};
    std::memcpy(record->name(), name.data(), name.size());
    word(record->commit).store(record->checksum(), std::memory_order_release);
    if (former != nullptr) {
        former->flags |= kSuperseded;
    }
    m_byId.emplace(id, *slot);
    m_byName[key] = *slot;
    return id;
}

std::optional<Node> NodeTable::find(NodeId id) const {
    const Record* record = recordOf(id);
    return record == nullptr ? std::nullopt : std::optional(toNode(*record));
}

std::optional<NodeId> NodeTable::current(NodeId parent, std::string_view name) const {
    const auto known = m_byName.find(nameKey(parent, name));
    if (known == m_byName.end()) {
        return std::nullopt;
    }
    const Record* record = at(known->second);
    if (record->parent != parent || record->nameView() != name) {
        return std::nullopt;
    }
    return record->id;
}

void NodeTable::supersede(NodeId id) {
    Record* record = recordOf(id);
    if (record == nullptr) {
        return;
    }
    record->flags |= kSuperseded;
    const auto known = m_byName.find(nameKey(record->parent, record->nameView()));
    if (known != m_byName.end() && at(known->second) == record) {
        m_byName.erase(known);
    }
}

void NodeTable::setFlags(NodeId id, std::uint32_t set, std::uint32_t clear) {
    if (Record* record = recordOf(id); record != nullptr) {
        record->flags = (record->flags & ~(clear & ~kSuperseded)) | (set & ~kSuperseded);
    }
}

bool NodeTable::forget(NodeId id, std::uint64_t count) {
    const auto found = m_byId.find(id);
    if (found == m_byId.end()) {
        return false;
    }
    const std::uint32_t slot = found->second;
    Record* record = at(slot);
    record->lookups -= std::min(record->lookups, count);
    if (record->lookups != 0) {
        return false;
    }
    supersede(id);
    const std::size_t nameBytes = record->nameView().size();
    word(record->commit).store(0, std::memory_order_release);
    std::size_t sizeClass = 0;
    while (kSlotBytes[sizeClass] < sizeof(Record) + nameBytes) {
        ++sizeClass;
    }
    m_free[sizeClass].push_back(slot);
    m_byId.erase(found);
    return true;
}

std::optional<std::vector<std::string>> NodeTable::path(NodeId id) const {
    std::vector<std::string> names;
    while (id != 1) {
        const Record* record = recordOf(id);
        if (record == nullptr || names.size() >= kMaxDepth) {
            return std::nullopt;
        }
        names.emplace_back(record->nameView());
        id = record->parent; // smaller than its child's: this ends
    }
    std::reverse(names.begin(), names.end());
    return names;
}

void NodeTable::forEach(const std::function<void(const Node&)>& visit) const {
    for (const auto& [id, slot] : m_byId) {
        visit(toNode(*at(slot)));
    }
}

} // namespace carrel::clerk
