// SPDX-License-Identifier: Apache-2.0
// What the guest hears from the clerk: replies of any kind, made while a request waits, and notifications.
// Nothing but what was asked for is believed, and it is within its bounds; every message to the clerk is in
// form. There is no second thread: the clerk answers from within `send`, and who is not answered then waits
// no longer.
#include "guest/protocol/share_path.h"
#include "tests/guest/worktree/lower_peer.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::worktree;
using lower::Opcode;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
bool plausible(const lower::Attr& attr) {
    return (S_ISREG(attr.mode) || S_ISDIR(attr.mode) || S_ISLNK(attr.mode)) && attr.size <= INT64_MAX &&
           attr.mtimensec < 1'000'000'000;
}

struct Listener final : LowerEvents {
    void entryChanged(std::uint64_t, std::string_view name) override { require(isValidName(name)); }
    void nodeChanged(std::uint64_t) override {}
    void everythingChanged() override { ++epochs; }
    int epochs = 0;
};

class Program {
public:
    explicit Program(std::span<const std::uint8_t> bytes)
        : m_rest(bytes) {}

    void run() {
        m_lower.setEvents(&m_events);
        int epochs = 0;
        while (!m_rest.empty()) {
            const std::uint8_t what = next();
            if (what % 16 == 0) {
                m_lower.onEpoch(static_cast<std::uint64_t>(++epochs));
            } else if (what % 16 == 1) {
                m_lower.onMessage(raw(next()));
            } else {
                ask(what % 8);
            }
        }
        require(m_events.epochs == epochs);
        // Nothing is given back more often than it was handed out.
        for (const auto& [node, count] : m_given) {
            require(count >= 0);
        }
        m_lower.stop();
        require(m_ahead == 0);
        require(m_lower.statfs().error() == EIO);
    }

private:
    std::uint8_t next() {
        if (m_rest.empty()) {
            return 0;
        }
        const std::uint8_t value = m_rest.front();
        m_rest = m_rest.subspan(1);
        return value;
    }
    ByteSpan raw(std::size_t most) {
        const auto part = m_rest.first(std::min(most, m_rest.size()));
        m_rest = m_rest.subspan(part.size());
        return std::as_bytes(part);
    }

    void ask(std::uint8_t what) {
        m_last = {};
        switch (what) {
        case 0:
        case 1: {
            const auto entry = m_lower.lookup(1, "name");
            believed(entry, sizeof(lower::EntryOut));
            require(!entry || entry->node == 0 || plausible(entry->attr));
            break;
        }
        case 2: {
            const auto attr = m_lower.getattr(1);
            believed(attr, sizeof(lower::AttrOut));
            require(!attr || plausible(*attr));
            break;
        }
        case 3: {
            const auto link = m_lower.readlink(1);
            require(!link || (!link->empty() && link->size() <= kMaxPathBytes &&
                              link->find('\0') == std::string::npos && asText(m_last) == *link));
            break;
        }
        case 4: {
            const std::uint32_t size = next();
            const auto bytes = m_lower.read(1, 5, size);
            require(!bytes || (bytes->size() <= size && *bytes == m_last));
            break;
        }
        case 5: {
            const auto page = m_lower.readdirplus(1, 5).value_or(LowerPage());
            for (const auto& item : page.entries) {
                require(isValidName(item.name) && (item.entry.node == 0 || plausible(item.entry.attr)));
                require(item.entry.entryValid <= std::chrono::seconds(86401));
            }
            break;
        }
        case 6:
            believed(m_lower.statfs(), sizeof(lower::StatfsOut));
            break;
        default: {
            m_lower.forget(7, 0);
            const std::uint32_t size = next();
            ++m_ahead;
            m_lower.readAhead({{1, size, [this, size](const SysResult<Bytes>& bytes) {
                                    --m_ahead;
                                    require(m_ahead >= 0); // each is answered once
                                    require(!bytes || bytes->size() <= size);
                                }}});
        }
        }
    }
    template <class T> void believed(const SysResult<T>& result, std::size_t size) {
        require(!result || m_last.size() == size);
        require(result || (result.error() > 0 && result.error() < 4096));
    }

    void take(const Bytes& message) {
        require(message.size() >= sizeof(lower::InHeader));
        const auto head = loadLe<lower::InHeader>(message);
        require(head.len == message.size());
        const auto opcode = static_cast<Opcode>(head.opcode);
        if (opcode == Opcode::BatchForget) {
            require(head.unique == 0);
            const auto count = loadLe<lower::BatchForgetIn>(message, sizeof head).count;
            for (std::size_t i = 0; i < count; ++i) {
                const auto one = loadLe<lower::ForgetOne>(message, sizeof head + sizeof(lower::BatchForgetIn) +
                                                                       i * sizeof(lower::ForgetOne));
                m_given[one.nodeid] -= static_cast<std::int64_t>(one.nlookup);
            }
            return;
        }
        if (opcode == Opcode::Interrupt || opcode == Opcode::Init) {
            return;
        }
        require(head.unique % 2 == 0);
        const std::uint8_t how = next();
        for (int replies = how % 4; replies > 0; --replies) {
            answer(head, opcode);
        }
    }

    void answer(const lower::InHeader& head, Opcode opcode) {
        const std::uint8_t how = next();
        if (how % 8 == 7) { // any bytes
            m_lower.onMessage(raw(next()));
            return;
        }
        const std::uint64_t unique = how % 8 == 6 ? head.unique + 2 * (next() % 3U) - 2 : head.unique;
        const std::int32_t error = how % 8 == 5 ? static_cast<std::int32_t>(next() * -20) + 100 : 0;
        Bytes body = (how & 0x10U) != 0 ? bodyFor(opcode) : Bytes();
        const auto tail = raw((how & 0x20U) != 0 ? next() : 0);
        body.insert(body.end(), tail.begin(), tail.end());
        Bytes message = replyTo(unique, error, body);
        if ((how & 0x40U) != 0) {
            message.pop_back();
        }
        const bool counts =
            unique == head.unique && error == 0 && (how & 0x40U) == 0 && !m_answered.contains(unique);
        if (counts) {
            m_answered[unique] = true;
            m_last = body;
            count(opcode, body);
        } else if (unique == head.unique && (how & 0x40U) == 0) {
            m_answered[unique] = true;
        }
        m_lower.onMessage(message);
    }

    // Lookups that a reply hands out, as far as it can be read.
    void count(Opcode opcode, ByteSpan body) {
        if (opcode == Opcode::Lookup && body.size() == sizeof(lower::EntryOut)) {
            ++m_given[loadLe<lower::EntryOut>(body).nodeid];
        }
        while (opcode == Opcode::Readdirplus && body.size() >= sizeof(lower::DirentPlus)) {
            const auto head = loadLe<lower::DirentPlus>(body);
            ++m_given[head.entry.nodeid];
            const std::size_t whole = (sizeof head + head.dirent.namelen + 7) & ~std::size_t{7};
            body = body.subspan(std::min(whole, body.size()));
        }
    }

    Bytes bodyFor(Opcode opcode) {
        const std::uint8_t detail = next();
        switch (opcode) {
        case Opcode::Lookup:
            return bodyOf(entry(detail));
        case Opcode::Getattr:
            return bodyOf(lower::AttrOut{0, 0, 0, entry(detail).attr});
        case Opcode::Statfs:
            return Bytes(sizeof(lower::StatfsOut));
        case Opcode::Readdirplus: {
            static constexpr std::string_view kNames[] = {"a", "..", "b/c", "", "long name", "."};
            Bytes listing;
            for (int i = detail % 4; i >= 0; --i) {
                const std::uint8_t item = next();
                appendName(listing, kNames[item % std::size(kNames)], item % 5, item / 32 + 1,
                           entry(item).attr.mode);
            }
            return listing;
        }
        default:
            return Bytes(detail, std::byte{detail});
        }
    }
    static lower::EntryOut entry(std::uint8_t detail) {
        static constexpr std::uint32_t kModes[] = {0100644, 0040755, 0120777, 0020666, 0};
        lower::EntryOut out = entryOut(detail % 4, kModes[detail % std::size(kModes)]);
        out.attr.size = (detail & 0x40U) != 0 ? UINT64_MAX : detail;
        out.attr.mtimensec = (detail & 0x80U) != 0 ? UINT32_MAX : detail;
        out.entryValid = (detail & 0x20U) != 0 ? UINT64_MAX : detail;
        return out;
    }

    std::span<const std::uint8_t> m_rest;
    Listener m_events;
    Bytes m_last; // the answer that counts
    std::map<std::uint64_t, bool> m_answered;
    std::map<std::uint64_t, std::int64_t> m_given; // lookups handed out per node and not given back
    int m_ahead = 0; // reads ahead that nobody has answered
    ChannelLower m_lower{[this](std::uint64_t, const std::vector<Bytes>& messages) {
                             for (const auto& message : messages) {
                                 take(message);
                             }
                         },
                         std::chrono::milliseconds(0)};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program({data, size}).run();
    return 0;
}
