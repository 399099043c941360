// SPDX-License-Identifier: Apache-2.0
// A folder of the test's own in place of the clerk: node ids that stand for versions, and content that a
// version keeps (a replaced file: its descriptor) or loses (changed in place: ESTALE). Like the clerk it
// forgets a node with its last look-up, and finds nothing by a node whose folder it has forgotten.
#pragma once

#include "guest/protocol/unique_fd.h"
#include "guest/worktree/lower_client.h"

#include <algorithm>
#include <atomic>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <sys/stat.h>

namespace carrel::worktree {

class FakeLower final : public LowerClient {
public:
    explicit FakeLower(std::string root)
        : m_root(std::move(root)) {
        m_nodes[lower::kRootNode] = {m_root, 0, {}, nullptr};
    }
    std::atomic<int> lookups{0};
    std::size_t pageSize = 3; // small ones find paging mistakes
    std::atomic<int> reads{0};        // those ahead, too
    std::atomic<int> asked{0};        // ahead
    std::atomic<std::uint64_t> bytesAhead{0};
    std::atomic<int> failWith{0};     // every request, as when nobody is at the door
    std::atomic<int> failAhead{0};    // what is asked for ahead
    std::set<std::string> staleFolders; // by path: no node of theirs is good for anything
    std::function<void(std::string_view name)> whileLooking; // asked for, and not yet answered
    std::function<void(std::uint64_t folder)> whileListing; // after the host has looked, before the answer is there
    std::chrono::nanoseconds valid = std::chrono::hours(24);
    std::chrono::nanoseconds validFiles = std::chrono::hours(24);

    SysResult<LowerEntry> lookup(std::uint64_t parent, std::string_view name) override {
        ++lookups;
        if (whileLooking) {
            whileLooking(name);
        }
        if (failWith != 0) {
            return sysFail(failWith);
        }
        const std::lock_guard lock(m_mutex);
        const auto it = m_nodes.find(parent);
        if (!isReachable(parent) || staleFolders.contains(it->second.path)) {
            return sysFail(ESTALE);
        }
        struct stat info {};
        if (::lstat(it->second.path.c_str(), &info) != 0 ||
            (parent != 1 && info.st_ino != it->second.info.st_ino)) {
            return sysFail(ESTALE);
        }
        return entryOf(parent, it->second.path + "/" + std::string(name));
    }
    SysResult<lower::Attr> getattr(std::uint64_t node) override {
        const std::lock_guard lock(m_mutex);
        const auto it = m_nodes.find(node);
        struct stat info {};
        if (!isReachable(node) || ::lstat(it->second.path.c_str(), &info) != 0) {
            return sysFail(ESTALE);
        }
        return attrOf(info);
    }
    SysResult<std::string> readlink(std::uint64_t node) override {
        const std::lock_guard lock(m_mutex);
        const auto it = m_nodes.find(node);
        std::string text(4096, '\0');
        const auto n =
            !isReachable(node) ? -1 : ::readlink(it->second.path.c_str(), text.data(), text.size());
        if (n < 0) {
            return sysFail(ESTALE);
        }
        text.resize(static_cast<std::size_t>(n));
        return text;
    }
    SysResult<Bytes> read(std::uint64_t node, std::uint64_t offset, std::uint32_t size) override {
        ++reads;
        if (failWith != 0) {
            return sysFail(failWith);
        }
        const std::lock_guard lock(m_mutex);
        const auto it = m_nodes.find(node);
        struct stat info {};
        if (!isReachable(node) || !it->second.fd || ::fstat(it->second.fd->get(), &info) != 0 ||
            info.st_size != it->second.info.st_size ||
            toNumber(info.st_mtim) != toNumber(it->second.info.st_mtim)) {
            return sysFail(ESTALE);
        }
        Bytes out(size);
        const auto n = ::pread(it->second.fd->get(), out.data(), size, static_cast<off_t>(offset));
        out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return out;
    }
    // What is asked for ahead stays unanswered until answerLost(): "abc".
    bool loseAhead = false;
    void answerLost() {
        for (const auto& one : std::exchange(m_lost, {})) {
            one.done(toBytes("abc"));
        }
    }
    void readAhead(std::vector<AheadRead> wanted) override {
        for (const auto& one : wanted) {
            ++asked;
            if (loseAhead) {
                m_lost.push_back(one);
                continue;
            }
            bytesAhead += one.size;
            auto bytes = read(one.node, 0, one.size);
            one.done(failAhead != 0 ? SysResult<Bytes>(sysFail(failAhead)) : std::move(bytes));
        }
    }
    SysResult<LowerPage> readdirplus(std::uint64_t node, std::uint64_t cookie) override {
        auto page = pageOf(node, cookie);
        if (whileListing) {
            whileListing(node);
        }
        return page;
    }
    // 0: never seen.
    std::uint64_t nodeAt(const std::string& path) {
        const std::lock_guard lock(m_mutex);
        std::uint64_t found = 0;
        for (const auto& [node, version] : m_nodes) {
            found = version.path == path ? node : found;
        }
        return found;
    }
    int listed(std::uint64_t node) { // how often, from the start
        const std::lock_guard lock(m_mutex);
        return m_listed[node];
    }
    SysResult<LowerPage> pageOf(std::uint64_t node, std::uint64_t cookie) {
        const std::lock_guard lock(m_mutex);
        m_listed[node] += cookie == 0 ? 1 : 0;
        const auto it = m_nodes.find(node);
        if (!isReachable(node) || staleFolders.contains(it->second.path)) {
            return sysFail(ESTALE);
        }
        DIR* dir = ::opendir(it->second.path.c_str());
        if (dir == nullptr) {
            return sysFail(ESTALE);
        }
        std::vector<std::string> names;
        while (const dirent* item = ::readdir(dir)) {
            names.emplace_back(item->d_name);
        }
        ::closedir(dir);
        std::erase_if(names, [](const auto& name) { return name == "." || name == ".."; });
        std::sort(names.begin(), names.end());
        LowerPage out;
        std::size_t i = cookie;
        for (; i < names.size() && out.entries.size() < pageSize; ++i) {
            if (auto entry = entryOf(node, it->second.path + "/" + names[i])) {
                out.entries.push_back({names[i], *entry, i + 1});
            }
        }
        out.last = i == names.size() && i % 2 == 0; // else an empty page tells
        return out;
    }
    SysResult<lower::StatfsOut> statfs() override { return lower::StatfsOut{}; }
    void forget(std::uint64_t node, std::uint64_t count) override {
        const std::lock_guard lock(m_mutex);
        m_held[node] -= static_cast<std::int64_t>(count);
        if (m_held[node] < 0) {
            overForgotten = true;
        }
        if (m_held[node] == 0) {
            m_held.erase(node);
            m_nodes.erase(node);
        }
    }
    void setEvents(LowerEvents* to) override { events = to; }

    std::int64_t heldLookups() {
        const std::lock_guard lock(m_mutex);
        std::int64_t sum = 0;
        for (const auto& [node, count] : m_held) {
            sum += count;
        }
        return sum;
    }
    bool overForgotten = false;
    LowerEvents* events = nullptr;

private:
    struct Version {
        std::string path;
        std::uint64_t parent = 0;
        struct stat info {};
        std::shared_ptr<UniqueFd> fd;
    };
    static std::int64_t toNumber(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }
    static lower::Attr attrOf(const struct stat& info) {
        lower::Attr attr{};
        attr.ino = info.st_ino;
        attr.size = static_cast<std::uint64_t>(info.st_size);
        attr.mode = info.st_mode;
        attr.nlink = 1;
        attr.mtime = static_cast<std::uint64_t>(info.st_mtim.tv_sec);
        attr.mtimensec = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
        attr.ctime = static_cast<std::uint64_t>(info.st_ctim.tv_sec);
        attr.ctimensec = static_cast<std::uint32_t>(info.st_ctim.tv_nsec);
        return attr;
    }
    bool isReachable(std::uint64_t node) const {
        while (node != lower::kRootNode) {
            const auto at = m_nodes.find(node);
            if (at == m_nodes.end()) {
                return false;
            }
            node = at->second.parent;
        }
        return true;
    }
    SysResult<LowerEntry> entryOf(std::uint64_t parent, const std::string& path) {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) {
            return LowerEntry{0, {}, std::chrono::hours(1), {}};
        }
        const bool folder = S_ISDIR(info.st_mode);
        std::uint64_t id = 0;
        for (const auto& [known, version] : m_nodes) {
            if (version.path == path && version.parent == parent && version.info.st_ino == info.st_ino &&
                (folder ? S_ISDIR(version.info.st_mode)
                        : toNumber(version.info.st_ctim) == toNumber(info.st_ctim) &&
                              version.info.st_size == info.st_size)) {
                id = known;
            }
        }
        if (id == 0) {
            id = ++m_last;
            Version version{path, parent, info, nullptr};
            if (S_ISREG(info.st_mode)) {
                version.fd = std::make_shared<UniqueFd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            }
            m_nodes[id] = version;
        }
        ++m_held[id];
        const auto holds = folder ? valid : std::min(valid, validFiles);
        return LowerEntry{id, attrOf(info), holds, holds};
    }

    std::string m_root;
    std::mutex m_mutex;
    std::map<std::uint64_t, Version> m_nodes;
    std::map<std::uint64_t, std::int64_t> m_held;
    std::map<std::uint64_t, int> m_listed;
    std::vector<AheadRead> m_lost;
    std::uint64_t m_last = 1;
};

} // namespace carrel::worktree
