// SPDX-License-Identifier: Apache-2.0
// What a guest would send to a share's broker and make of its answers; and a broker over a folder of its own.
#pragma once

#include "app/clerk/share_broker.h"
#include "guest/protocol/lower_wire.h"

#include <fcntl.h>
#include <map>
#include <poll.h>
#include <set>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace carrel::clerk::test {

struct Answer {
    bool there = false;
    int error = 0; // errno, positive
    Bytes body;
    template <class T> [[nodiscard]] T as(std::size_t at = 0) const {
        return body.size() >= at + sizeof(T) ? loadLe<T>(body, at) : T{};
    }
};

struct Listed {
    std::string name;
    lower::EntryOut entry{};
    std::uint64_t cookie = 0;
    std::uint32_t type = 0;
};

inline Bytes message(lower::Opcode opcode, std::uint64_t node, ByteSpan body, std::uint64_t unique = 7) {
    Bytes out;
    appendLe(out, lower::InHeader{static_cast<std::uint32_t>(sizeof(lower::InHeader) + body.size()),
                                  static_cast<std::uint32_t>(opcode), unique, node, 0, 0, 0, 0, 0});
    out.insert(out.end(), body.begin(), body.end());
    return out;
}
template <class T> Bytes structBody(const T& value) {
    Bytes out;
    appendLe(out, value);
    return out;
}
inline Bytes readBody(std::uint64_t offset, std::uint32_t size) {
    return structBody(lower::ReadIn{0, offset, size, 0, 0, 0, 0});
}
inline Answer parse(const std::optional<Bytes>& reply) {
    Answer answer;
    if (reply && reply->size() >= sizeof(lower::OutHeader)) {
        answer.there = true;
        answer.error = -loadLe<lower::OutHeader>(*reply).error;
        answer.body.assign(reply->begin() + sizeof(lower::OutHeader), reply->end());
    }
    return answer;
}
inline UniqueFd tableFile() {
    return UniqueFd(::memfd_create("nodes", MFD_CLOEXEC));
}

struct Guest {
    explicit Guest(const std::string& folder, ShareBroker::Options options = {}, UniqueFd table = tableFile())
        : tableFd(::dup(table.get())) {
        ShareBroker::Events events;
        events.notify = [this](Bytes&& note) { notes.push_back(std::move(note)); };
        events.firstRead = [this](const FirstRead& first) {
            firstReads.push_back(first);
            return firstReadAnswer;
        };
        events.notice = [this](std::string text) { notices.push_back(std::move(text)); };
        auto nodes = NodeTable::adopt(std::move(table));
        auto made = ShareBroker::create(UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
                                        std::move(*nodes), std::move(options), std::move(events));
        broker = std::move(*made);
    }

    Guest(const Guest&) = delete; // the broker's callbacks point here
    Guest& operator=(const Guest&) = delete;

    // Waits for what was put off, as the clerk's timer would.
    Answer ask(lower::Opcode opcode, std::uint64_t node, ByteSpan body = {}) {
        auto reply = broker->handle(message(opcode, node, body));
        while (!reply) {
            const auto next = broker->nextDeferred();
            if (!next) {
                return {};
            }
            std::this_thread::sleep_until(*next);
            auto late = broker->runDeferred();
            if (!late.empty()) {
                reply = std::move(late.front());
            }
        }
        return parse(reply);
    }
    Answer lookup(std::uint64_t parent, std::string name) {
        name.push_back('\0');
        return ask(lower::Opcode::Lookup, parent, asBytes(name));
    }
    std::uint64_t node(std::uint64_t parent, const std::string& name) {
        return lookup(parent, name).as<lower::EntryOut>().nodeid;
    }
    Answer read(std::uint64_t node, std::uint64_t offset = 0, std::uint32_t size = lower::kMaxRead) {
        return ask(lower::Opcode::Read, node, readBody(offset, size));
    }
    std::string text(std::uint64_t node) { return std::string(asText(read(node).body)); }
    Answer attributes(std::uint64_t node) {
        return ask(lower::Opcode::Getattr, node, structBody(lower::GetattrIn{}));
    }
    static std::vector<Listed> entries(const Answer& answer) {
        std::vector<Listed> out;
        for (std::size_t at = 0; at + sizeof(lower::DirentPlus) <= answer.body.size();) {
            const auto plus = answer.as<lower::DirentPlus>(at);
            const std::string_view name = asText(answer.body).substr(at + sizeof plus, plus.dirent.namelen);
            out.push_back({std::string(name), plus.entry, plus.dirent.off, plus.dirent.type});
            at += (sizeof plus + plus.dirent.namelen + 7) / 8 * 8;
        }
        return out;
    }
    std::vector<Listed> page(std::uint64_t node, std::uint64_t cookie, std::uint32_t size) {
        return entries(ask(lower::Opcode::Readdirplus, node, readBody(cookie, size)));
    }
    std::vector<Listed> list(std::uint64_t node, std::uint32_t size = 64 * 1024) {
        std::vector<Listed> all;
        for (std::uint64_t cookie = 0;;) {
            auto part = page(node, cookie, size);
            if (part.empty()) {
                return all;
            }
            cookie = part.back().cookie;
            all.insert(all.end(), part.begin(), part.end());
        }
    }
    // Lets the events of the host arrive. The kernel queues them within the call that made them.
    void hostEvents() {
        pollfd waiting{broker->watchDescriptor(), POLLIN, 0};
        if (::poll(&waiting, 1, 0) > 0) {
            broker->onHostEvents();
        }
    }
    [[nodiscard]] bool told(std::uint64_t parent, const std::string& name) const {
        for (const Bytes& note : notes) {
            const std::size_t at = sizeof(lower::OutHeader) + sizeof(lower::NotifyInvalEntryOut);
            if (loadLe<lower::OutHeader>(note).error == static_cast<int>(lower::Notify::InvalEntry) &&
                loadLe<lower::NotifyInvalEntryOut>(note, sizeof(lower::OutHeader)).parent == parent &&
                asText(note).substr(at, note.size() - at - 1) == name) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] bool toldListing(std::uint64_t node) const {
        for (const Bytes& note : notes) {
            if (loadLe<lower::OutHeader>(note).error == static_cast<int>(lower::Notify::InvalInode) &&
                loadLe<lower::NotifyInvalInodeOut>(note, sizeof(lower::OutHeader)).ino == node) {
                return true;
            }
        }
        return false;
    }

    std::vector<Bytes> notes;
    std::vector<FirstRead> firstReads;
    std::vector<std::string> notices;
    FirstReadAnswer firstReadAnswer = FirstReadAnswer::Proceed;
    UniqueFd tableFd; // the same file, for a successor
    std::unique_ptr<ShareBroker> broker;
};

} // namespace carrel::clerk::test
