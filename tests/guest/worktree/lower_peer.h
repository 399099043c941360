// SPDX-License-Identifier: Apache-2.0
// The clerk's side of a ChannelLower, made by hand: takes what was sent, and makes replies of any kind.
#pragma once

#include "guest/worktree/channel_lower.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace carrel::worktree {

struct Asked {
    lower::InHeader head{};
    Bytes body;
    std::uint64_t epoch = 0; // in which it was sent
    [[nodiscard]] lower::Opcode opcode() const { return static_cast<lower::Opcode>(head.opcode); }
    template <class T> [[nodiscard]] T as() const { return body.size() >= sizeof(T) ? loadLe<T>(body) : T{}; }
};

// Messages as they were sent, for a test that waits for them on another thread.
class Outbox {
public:
    ChannelLower::Send send() {
        return [this](std::uint64_t epoch, const std::vector<Bytes>& messages) {
            const std::lock_guard lock(m_mutex);
            for (const auto& bytes : messages) {
                Asked asked;
                asked.epoch = epoch;
                asked.head = loadLe<lower::InHeader>(bytes);
                asked.body.assign(bytes.begin() + sizeof asked.head, bytes.end());
                m_whole = m_whole && asked.head.len == bytes.size();
                m_sent.push_back(std::move(asked));
            }
            ++m_goes;
            m_news.notify_all();
        };
    }
    // An empty one when nothing comes: the time is a guard against a hang, nothing more.
    Asked next() {
        std::unique_lock lock(m_mutex);
        if (!m_news.wait_for(lock, std::chrono::seconds(20), [this] { return !m_sent.empty(); })) {
            return {};
        }
        Asked asked = std::move(m_sent.front());
        m_sent.pop_front();
        return asked;
    }
    [[nodiscard]] bool empty() {
        const std::lock_guard lock(m_mutex);
        return m_sent.empty();
    }
    [[nodiscard]] int goes() { // how often something was sent, however much
        const std::lock_guard lock(m_mutex);
        return m_goes;
    }
    [[nodiscard]] bool whole() { // every header told its message's length
        const std::lock_guard lock(m_mutex);
        return m_whole;
    }

private:
    std::mutex m_mutex;
    std::condition_variable m_news;
    std::deque<Asked> m_sent;
    bool m_whole = true;
    int m_goes = 0;
};

inline Bytes replyTo(std::uint64_t unique, std::int32_t error, ByteSpan body = {}) {
    Bytes out;
    appendLe(out, lower::OutHeader{static_cast<std::uint32_t>(sizeof(lower::OutHeader) + body.size()), error,
                                   unique});
    out.insert(out.end(), body.begin(), body.end());
    return out;
}
template <class T> Bytes bodyOf(const T& value) {
    Bytes out;
    appendLe(out, value);
    return out;
}
inline lower::EntryOut entryOut(std::uint64_t node, std::uint32_t mode = 0100644) {
    lower::EntryOut out{};
    out.nodeid = node;
    out.entryValid = 60;
    out.attr.ino = node + 1000;
    out.attr.mode = mode;
    return out;
}
inline void appendName(Bytes& listing, std::string_view name, std::uint64_t node, std::uint64_t cookie,
                       std::uint32_t mode = 0100644) {
    lower::DirentPlus item{};
    item.entry = entryOut(node, mode);
    item.dirent.off = cookie;
    item.dirent.namelen = static_cast<std::uint32_t>(name.size());
    appendLe(listing, item);
    const auto bytes = asBytes(name);
    listing.insert(listing.end(), bytes.begin(), bytes.end());
    listing.resize((listing.size() + 7) & ~std::size_t{7});
}

} // namespace carrel::worktree
