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
constexpr unsigned kGroupBits = 9; // objects in one folder
constexpr std::size_t kEntriesPerRecord = 1000;
constexpr std::size_t kOpenObjects = 32; // of each share; a process may have 1024 by default

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

} // namespace

Result<std::unique_ptr<UpperStore>> UpperStore::open(const std::string& dir) {
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("The folder for staged work cannot be made");
    }
    std::unique_ptr<UpperStore> store(new UpperStore);
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
    UniqueFd old(::openat(m_dir.get(), "log", O_RDONLY | O_CLOEXEC));
    if (old) {
        auto bytes = readWhole(old.get());
        if (!bytes) {
            return fail(std::move(bytes).error());
        }
        auto replayed = replayLog(*bytes);
        if (!replayed) {
            return fail(std::move(replayed).error());
        }
        state = std::move(*replayed);
    } else if (errno != ENOENT) {
        return failErrno("The record of the staged work cannot be opened");
    }
    // A record can be on disk before the content that it names (the machine lost power): then the content is
    // lost, and the host's version is the truth again.
    std::erase_if(state.entries, [&](const auto& item) {
        struct stat info {};
        return item.second.object != 0 &&
               ::fstatat(m_dir.get(), objectPath(item.second.object).c_str(), &info, 0) != 0 && errno == ENOENT;
    });
    dropLoose(state.entries); // what was beneath one of those
    ++state.epoch;
    CARREL_TRY(rewriteLog(state));
    m_epoch = state.epoch;
    m_loaded = std::move(state.entries);
    for (const auto& [id, entry] : m_loaded) {
        m_highestId = std::max({m_highestId, id, entry.object, entry.originPlace});
    }
    removeStrayObjects();
    return {};
}

Status UpperStore::rewriteLog(const Replayed& state) {
    UniqueFd fresh(::openat(m_dir.get(), "log.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fresh) {
        return failErrno("The record of the staged work cannot be written");
    }
    Bytes out = toBytes(kMagic);
    Transaction transaction;
    transaction.epoch = state.epoch;
    const auto add = [&] {
        const auto bytes = frame(transaction);
        out.insert(out.end(), bytes.begin(), bytes.end());
        transaction = {};
    };
    for (const auto& [id, entry] : state.entries) {
        transaction.put.push_back(entry);
        if (transaction.put.size() == kEntriesPerRecord) {
            add();
        }
    }
    add();
    if (const int error = writeAll(fresh.get(), out, 0); error != 0) {
        return failErrno("The record of the staged work cannot be written", error);
    }
    if (::fsync(fresh.get()) != 0 || ::renameat(m_dir.get(), "log.new", m_dir.get(), "log") != 0 ||
        ::fsync(m_dir.get()) != 0) {
        return failErrno("The record of the staged work cannot be written");
    }
    m_log = std::move(fresh);
    m_logSize = out.size();
    m_reserved = m_logSize;
    return {};
}

void UpperStore::removeStrayObjects() {
    std::set<std::uint64_t> wanted;
    for (const auto& [id, entry] : m_loaded) {
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

int UpperStore::reserve() {
    if (m_broken) {
        return EIO;
    }
    if (m_reserved >= m_logSize + kReserveStep / 2) {
        return 0;
    }
    const auto error = ::fallocate(m_log.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(m_logSize),
                                   static_cast<off_t>(kReserveStep)) == 0
                           ? 0
                           : errno;
    if (error == EOPNOTSUPP) {
        return 0;
    }
    if (error == 0) {
        m_reserved = m_logSize + kReserveStep;
    }
    return error;
}

int UpperStore::commit(const Transaction& transaction) {
    if (m_broken) {
        return EIO;
    }
    if (transaction.put.empty() && transaction.del.empty()) {
        return 0;
    }
    const auto bytes = frame(transaction);
    if (const int error = writeAll(m_log.get(), bytes, m_logSize); error != 0) {
        m_broken = true; // memory is ahead of the disk: change nothing more until a new start
        return error;
    }
    m_logSize += bytes.size();
    return 0;
}

std::string UpperStore::objectPath(std::uint64_t id) const {
    // Neighbours in time are neighbours on the disk: spread over many folders, each of the first few hundred files that a
    // program writes made a folder first, which took three times as long as the file.
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "objects/%llx/%llu", static_cast<unsigned long long>(id >> kGroupBits),
                  static_cast<unsigned long long>(id));
    return name.data();
}

int UpperStore::createObject(std::uint64_t id) {
    const auto path = objectPath(id);
    for (int attempt = 0; attempt < 2; ++attempt) {
        UniqueFd fd(::openat(m_dir.get(), path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (fd) {
            const std::lock_guard lock(m_doomedMutex);
            keepOpen(id, std::make_shared<const UniqueFd>(std::move(fd)));
            return 0;
        }
        if (errno != ENOENT) {
            return errno;
        }
        if (::mkdirat(m_dir.get(), path.substr(0, path.rfind('/')).c_str(), 0700) != 0 && errno != EEXIST) {
            return errno;
        }
    }
    return EIO;
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

void UpperStore::doomObject(std::uint64_t id) {
    const std::lock_guard lock(m_doomedMutex);
    m_doomed.push_back(id);
    m_open.remove_if([id](const auto& open) { return open.first == id; });
}

int UpperStore::sync() {
    std::vector<std::uint64_t> doomed;
    {
        const std::lock_guard lock(m_doomedMutex);
        doomed.swap(m_doomed);
    }
    if (::fdatasync(m_log.get()) != 0) {
        return errno;
    }
    for (const auto id : doomed) {
        ::unlinkat(m_dir.get(), objectPath(id).c_str(), 0);
    }
    return 0;
}

} // namespace carrel::worktree
