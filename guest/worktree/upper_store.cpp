// SPDX-License-Identifier: Apache-2.0
#include "guest/worktree/upper_store.h"

#include <boost/crc.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

namespace carrel::worktree {
namespace {

constexpr std::string_view kMagic = "CARREL-UPPER-2\n";
constexpr std::uint64_t kReserveStep = 1024 * 1024;
constexpr unsigned kGroupBits = 9;              // objects in one folder
constexpr std::size_t kEntriesPerRecord = 1000; // of at most 12 KB each: far below kMaxLogRecord
constexpr std::size_t kRemovalsPerRecord = 50'000;
constexpr std::uint64_t kRoomPerEntry = 1024; // most take a third of it; some links and origins take more
constexpr std::size_t kSyncedSingly = 32;     // more than that: all that the machine has to write
constexpr std::uint64_t kLongFactor = 4;      // of what the log holds
constexpr std::size_t kOpenObjects = 32;      // of each share; a process may have 1024 by default

int writeAll(int fd, ByteSpan bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return 0;
}

Bytes frame(const Transaction& transaction) {
    const auto text = encodeTransaction(transaction);
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    Bytes out;
    out.reserve(text.size() + 8);
    appendLe<std::uint32_t>(out, static_cast<std::uint32_t>(text.size()));
    appendLe<std::uint32_t>(out, static_cast<std::uint32_t>(crc.checksum()));
    const auto bytes = asBytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

Result<Bytes> readWhole(int fd) {
    Bytes out;
    std::array<std::byte, 65536> buffer{};
    while (true) {
        const auto n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failErrno("The record of the staged work cannot be read");
        }
        if (n == 0) {
            return out;
        }
        out.insert(out.end(), buffer.begin(), buffer.begin() + n);
    }
}

Result<std::string> thisBoot() {
    const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    auto bytes = file ? readWhole(file.get()) : Result<Bytes>(failErrno("The machine's boot cannot be told"));
    if (!bytes) {
        return fail(std::move(bytes).error());
    }
    std::string text(asText(*bytes));
    text.resize(std::min(text.size(), text.find('\n')));
    return text;
}

} // namespace

Result<std::unique_ptr<UpperStore>> UpperStore::open(const std::string& dir, Settings settings) {
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("The folder for staged work cannot be made");
    }
    std::unique_ptr<UpperStore> store(new UpperStore);
    store->m_settings = std::move(settings);
    if (store->m_settings.boot.empty()) {
        auto boot = thisBoot();
        if (!boot) {
            return fail(std::move(boot).error());
        }
        store->m_settings.boot = std::move(*boot);
    }
    store->m_dir.reset(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!store->m_dir) {
        return failErrno("The folder for staged work cannot be opened");
    }
    if (::mkdirat(store->m_dir.get(), "objects", 0700) != 0 && errno != EEXIST) {
        return failErrno("The folder for staged content cannot be made");
    }
    CARREL_TRY(store->load());
    return store;
}

Status UpperStore::load() {
    Replayed state;
    UniqueFd old(::openat(m_dir.get(), "log", O_RDWR | O_CLOEXEC));
    if (old) {
        auto bytes = readWhole(old.get());
        if (!bytes) {
            return fail(std::move(bytes).error());
        }
        // Gives back what was set aside beyond its end (ftruncate(2) of the same size; ext4): on a full disk
        // the new log needs it.
        (void)!::ftruncate(old.get(), static_cast<off_t>(bytes->size()));
        auto replayed = replayLog(*bytes, m_settings.boot);
        if (!replayed) {
            return fail(std::move(replayed).error());
        }
        state = std::move(*replayed);
    } else if (errno != ENOENT) {
        return failErrno("The record of the staged work cannot be opened");
    }
    // Damage: the content that a record names is lost, and the host's version is the truth again.
    std::erase_if(state.entries, [&](const auto& item) {
        struct stat info {};
        return item.second.object != 0 &&
               ::fstatat(m_dir.get(), objectPath(item.second.object).c_str(), &info, 0) != 0 &&
               errno == ENOENT;
    });
    dropLoose(state.entries); // what was beneath one of those
    ++state.epoch;
    std::vector<const EntryRecord*> all;
    all.reserve(state.entries.size());
    for (const auto& [id, entry] : state.entries) {
        all.push_back(&entry);
    }
    // Before the new log, which may need the room: what no record that counts names is never named again.
    removeStrayObjects(state.entries);
    CARREL_TRY(rewriteLog(all, state.epoch));
    m_epoch = state.epoch;
    m_loaded = std::move(state.entries);
    for (const auto& [id, entry] : m_loaded) {
        m_highestId = std::max({m_highestId, id, entry.object, entry.originPlace});
    }
    return {};
}

Status UpperStore::rewriteLog(const std::vector<const EntryRecord*>& all, std::uint64_t epoch) {
    UniqueFd fresh(::openat(m_dir.get(), "log.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fresh) {
        return failErrno("The record of the staged work cannot be written");
    }
    // What it says is durable with it, so the content must be before.
    if (::syncfs(m_dir.get()) != 0) {
        return failErrno("The staged work cannot be written to the disk");
    }
    std::uint64_t size = kMagic.size();
    int error = writeAll(fresh.get(), asBytes(kMagic), 0);
    Transaction transaction;
    transaction.epoch = epoch;
    transaction.boot = m_settings.boot;
    for (std::size_t i = 0; i <= all.size() && error == 0; ++i) {
        if (i < all.size()) {
            transaction.put.push_back(*all[i]);
        }
        if (i == all.size() || transaction.put.size() == kEntriesPerRecord) {
            const auto bytes = frame(transaction);
            error = writeAll(fresh.get(), bytes, size);
            size += bytes.size();
            transaction = {};
        }
    }
    if (error == 0) {
        transaction.durable = size;
        const auto mark = frame(transaction);
        error = writeAll(fresh.get(), mark, size);
        size += mark.size();
    }
    if (error == 0 &&
        (::fsync(fresh.get()) != 0 || ::renameat(m_dir.get(), "log.new", m_dir.get(), "log") != 0)) {
        error = errno;
    }
    if (error != 0) {
        ::unlinkat(m_dir.get(), "log.new", 0); // the disk is full, as a rule
        return failErrno("The record of the staged work cannot be written", error);
    }
    const bool named = ::fsync(m_dir.get()) == 0;
    error = errno;
    // Room for what comes next, while there is some: with none nothing could be removed, settled or
    // discarded.
    const bool reserved = ::fallocate(fresh.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(size),
                                      static_cast<off_t>(kReserveStep)) == 0;
    const std::scoped_lock lock(m_logMutex, m_doomedMutex);
    m_log = std::make_shared<const UniqueFd>(std::move(fresh));
    m_logSize = size;
    m_reserved = size + (reserved ? kReserveStep : 0);
    m_compactAt = std::max(m_settings.longLog, kLongFactor * m_logSize);
    m_workEnd = size;
    m_durable = size;
    m_durableAt = std::chrono::steady_clock::now();
    if (!named) {
        m_broken = true; // which of the two logs the disk has, nobody knows
        return failErrno("The record of the staged work cannot be written", error);
    }
    return {};
}

void UpperStore::removeStrayObjects(const std::map<std::uint64_t, EntryRecord>& entries) {
    std::set<std::uint64_t> wanted;
    for (const auto& [id, entry] : entries) {
        if (entry.object != 0) {
            wanted.insert(entry.object);
        }
    }
    const int all = ::openat(m_dir.get(), "objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* groups = all < 0 ? nullptr : ::fdopendir(all);
    for (const dirent* group = nullptr; groups != nullptr && (group = ::readdir(groups)) != nullptr;) {
        if (group->d_name[0] == '.') {
            continue;
        }
        const int fd = ::openat(all, group->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        DIR* dir = ::fdopendir(fd);
        if (dir == nullptr) {
            ::close(fd);
            continue;
        }
        while (const dirent* item = ::readdir(dir)) {
            const std::string_view text(item->d_name);
            std::uint64_t id = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
            if (error == std::errc{} && end == text.data() + text.size() && !wanted.contains(id)) {
                ::unlinkat(::dirfd(dir), item->d_name, 0);
            }
        }
        ::closedir(dir);
        ::unlinkat(all, group->d_name, AT_REMOVEDIR); // ENOTEMPTY as a rule
    }
    if (groups != nullptr) {
        ::closedir(groups);
    } else if (all >= 0) {
        ::close(all);
    }
}

int UpperStore::reserve(std::size_t entries) {
    if (m_broken) {
        return EIO;
    }
    const auto needed = std::max<std::uint64_t>(kReserveStep / 2, entries * kRoomPerEntry);
    const auto step = needed + kReserveStep / 2;
    const auto allocate = [&] {
        const std::lock_guard lock(m_logMutex);
        if (m_reserved >= m_logSize + needed) {
            return 0;
        }
        if (::fallocate(m_log->get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(m_logSize),
                        static_cast<off_t>(step)) != 0) {
            return errno == EOPNOTSUPP ? 0 : errno;
        }
        m_reserved = m_logSize + step;
        return 0;
    };
    int error = allocate();
    if (error == ENOSPC && makeRoom()) {
        error = allocate();
    }
    return error;
}

int UpperStore::write(const Transaction& part, std::uint64_t& at) {
    const auto bytes = frame(part);
    const int error = writeAll(m_log->get(), bytes, at);
    at += bytes.size();
    return error;
}

int UpperStore::commit(const Transaction& transaction) {
    if (m_broken) {
        return EIO;
    }
    if (transaction.put.empty() && transaction.del.empty()) {
        return 0;
    }
    const std::lock_guard lock(m_logMutex);
    std::uint64_t end = m_logSize;
    int error = 0;
    if (transaction.put.size() <= kEntriesPerRecord && transaction.del.size() <= kRemovalsPerRecord) {
        error = write(transaction, end);
    } else {
        auto put = transaction.put.begin();
        auto del = transaction.del.begin();
        Transaction part;
        do {
            const auto puts = std::min<std::ptrdiff_t>(kEntriesPerRecord, transaction.put.end() - put);
            const auto dels = std::min<std::ptrdiff_t>(kRemovalsPerRecord, transaction.del.end() - del);
            part.put.assign(put, put + puts);
            part.del.assign(del, del + dels);
            put += puts;
            del += dels;
            part.more = put != transaction.put.end() || del != transaction.del.end();
            error = write(part, end);
        } while (error == 0 && part.more);
    }
    if (error != 0) {
        m_broken = true;
        return error;
    }
    m_logSize = end;
    m_workEnd = end;
    return 0;
}

bool UpperStore::isLong() const {
    const std::lock_guard lock(m_logMutex);
    return m_logSize >= m_compactAt && !m_broken;
}

void UpperStore::compact(const std::vector<const EntryRecord*>& all) {
    if (!rewriteLog(all, m_epoch)) {
        const std::lock_guard lock(m_logMutex);
        m_compactAt = m_logSize + m_settings.longLog; // a full disk, as a rule: not with each operation again
    }
}

std::string UpperStore::objectPath(std::uint64_t id) const {
    // Neighbours in time are neighbours on the disk: spread over many folders, each of the first few hundred
    // files that a program writes made a folder first, which took three times as long as the file.
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "objects/%llx/%llu",
                  static_cast<unsigned long long>(id >> kGroupBits), static_cast<unsigned long long>(id));
    return name.data();
}

int UpperStore::createObject(std::uint64_t id) {
    const auto path = objectPath(id);
    const auto create = [&] {
        UniqueFd fd(::openat(m_dir.get(), path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd) {
            return errno;
        }
        const std::lock_guard lock(m_doomedMutex);
        keepOpen(id, std::make_shared<const UniqueFd>(std::move(fd)));
        m_written.insert(id);
        return 0;
    };
    const auto createIn = [&] {
        int error = create();
        if (error == ENOENT) { // the first one there
            const auto folder = path.substr(0, path.rfind('/'));
            error = ::mkdirat(m_dir.get(), folder.c_str(), 0700) != 0 && errno != EEXIST ? errno : create();
        }
        return error;
    };
    int error = createIn();
    if (error == ENOSPC && makeRoom()) {
        error = createIn();
    }
    return error;
}

void UpperStore::keepOpen(std::uint64_t id, ObjectFile file) {
    m_open.emplace_front(id, std::move(file));
    if (m_open.size() > kOpenObjects) {
        m_open.pop_back();
    }
}

UpperStore::ObjectFile UpperStore::openObject(std::uint64_t id) {
    const std::lock_guard lock(m_doomedMutex);
    for (auto at = m_open.begin(); at != m_open.end(); ++at) {
        if (at->first == id) {
            m_open.splice(m_open.begin(), m_open, at);
            return at->second;
        }
    }
    UniqueFd fd(::openat(m_dir.get(), objectPath(id).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        return nullptr;
    }
    auto file = std::make_shared<const UniqueFd>(std::move(fd));
    keepOpen(id, file);
    return file;
}

bool UpperStore::statObject(std::uint64_t id, struct stat& info) {
    ObjectFile file;
    {
        const std::lock_guard lock(m_doomedMutex);
        for (const auto& [open, its] : m_open) {
            if (open == id) {
                file = its;
            }
        }
    }
    return file ? ::fstat(file->get(), &info) == 0
                : ::fstatat(m_dir.get(), objectPath(id).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

void UpperStore::written(std::uint64_t id) {
    const std::lock_guard lock(m_doomedMutex);
    m_written.insert(id);
}

void UpperStore::doomObject(std::uint64_t id) {
    const std::lock_guard lock(m_doomedMutex);
    m_doomed.push_back(id);
    m_written.erase(id);
    m_open.remove_if([id](const auto& open) { return open.first == id; });
}

int UpperStore::sync() {
    const std::lock_guard syncing(m_syncMutex);
    std::vector<std::uint64_t> doomed;
    std::set<std::uint64_t> written;
    ObjectFile log;
    Transaction mark;
    {
        const std::scoped_lock lock(m_logMutex, m_doomedMutex);
        doomed.swap(m_doomed);
        written.swap(m_written);
        log = m_log;
        mark.durable = m_workEnd;
    }
    const int error = makeDurable(written, log, mark);
    if (error != 0) {
        // The kernel tells of bytes that it could not write once, and forgets them: no later sync may say
        // that all is well.
        m_broken = true;
        const std::lock_guard lock(m_doomedMutex);
        m_doomed.insert(m_doomed.end(), doomed.begin(), doomed.end());
        m_written.merge(written);
        return error;
    }
    for (const auto id : doomed) {
        ::unlinkat(m_dir.get(), objectPath(id).c_str(), 0);
    }
    return 0;
}

int UpperStore::makeDurable(const std::set<std::uint64_t>& objects, const ObjectFile& log,
                            const Transaction& mark) {
    if (objects.size() > kSyncedSingly) {
        if (::syncfs(m_dir.get()) != 0) {
            return errno;
        }
    } else {
        for (const auto id : objects) {
            const auto file = openObject(id);
            if (!file && errno == ENOENT) {
                continue; // doomed, and gone, meanwhile
            }
            if (!file || ::fdatasync(file->get()) != 0) {
                return errno;
            }
        }
    }
    {
        const std::lock_guard lock(m_logMutex);
        if (m_broken) {
            return EIO;
        }
        if (log == m_log && *mark.durable > m_durable) { // one written anew meanwhile is durable already
            std::uint64_t end = m_logSize;
            if (const int error = write(mark, end); error != 0) {
                return error; // what of it was written lies beyond the end, where the next record goes
            }
            m_logSize = end;
        }
    }
    if (::fdatasync(log->get()) != 0) {
        return errno;
    }
    const std::lock_guard lock(m_logMutex);
    if (log == m_log) {
        m_durable = std::max(m_durable, *mark.durable);
    }
    m_durableAt = std::chrono::steady_clock::now();
    return 0;
}

void UpperStore::tidy() {
    {
        const std::scoped_lock lock(m_logMutex, m_doomedMutex);
        if ((m_doomed.empty() && m_written.empty() && m_durable == m_workEnd) ||
            std::chrono::steady_clock::now() - m_durableAt < m_settings.durableEvery) {
            return;
        }
    }
    (void)sync(); // else with the next
}

bool UpperStore::makeRoom() {
    bool none = false;
    {
        const std::lock_guard lock(m_doomedMutex);
        none = m_doomed.empty();
    }
    if (none) {
        if (const std::unique_lock syncing(m_syncMutex, std::try_to_lock); syncing) {
            return false;
        }
        const std::lock_guard syncing(m_syncMutex); // one is under way, and gives back what it took
        return true;
    }
    return sync() == 0;
}

} // namespace carrel::worktree
