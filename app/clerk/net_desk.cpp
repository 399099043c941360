// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_desk.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <sys/stat.h>

namespace carrel::clerk {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxTextBytes = 1024; // of the engine's sentences

Error inAWrongWay(const char* what) {
    return {ErrorCode::InvalidArgument, std::string(what) + " was handed to the clerk in a wrong way", {}, 0, {}};
}

bool isSocket(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

} // namespace

NetDesk::NetDesk(boost::asio::io_context& loop, std::function<void(Told)> toEngine, std::function<Clock::time_point()> now)
    : m_loop(loop)
    , m_toEngine(std::move(toEngine))
    , m_now(std::move(now))
    , m_counted(m_now()) {}

std::shared_ptr<NetRelay> NetDesk::find(std::uint32_t stream) const {
    const auto found = m_relays.find(stream);
    return found == m_relays.end() ? nullptr : found->second;
}

std::shared_ptr<NetRelay> NetDesk::findNumber(std::uint64_t number) const {
    const auto found = m_numbers.find(number);
    return found == m_numbers.end() ? nullptr : find(found->second);
}

Mux::Events NetDesk::events() {
    Mux::Events events;
    events.accept = [this](std::uint32_t stream) { return accept(stream); };
    events.data = [this](std::uint32_t stream, Bytes&& data) {
        if (const auto relay = find(stream)) {
            relay->guestData(data);
        } else {
            m_channel->mux().consumed(stream, data.size());
        }
    };
    events.end = [this](std::uint32_t stream) {
        if (const auto relay = find(stream)) {
            relay->guestEnd();
        }
    };
    events.reset = [this](std::uint32_t stream, std::uint32_t) {
        if (const auto relay = find(stream)) {
            relay->guestReset();
        }
    };
    events.writable = [this](std::uint32_t stream) {
        if (const auto relay = find(stream)) {
            relay->guestWritable();
        }
    };
    events.epoch = [this](const Epoch&) { channelGone(); };
    return events;
}

std::optional<StreamKind> NetDesk::accept(std::uint32_t stream) {
    if (m_relays.size() >= net::kMaxConnections || m_relays.contains(stream)) {
        return std::nullopt;
    }
    m_relays.emplace(stream, std::make_shared<NetRelay>(m_loop, stream, m_channel,
                                                        NetRelay::Events{[this](NetRelay& relay) { opening(relay); },
                                                                         [this](NetRelay& relay) { over(relay); }}));
    return StreamKind::Bytes;
}

void NetDesk::opening(NetRelay& relay) {
    if (m_offline) {
        relay.refuse(net::Outcome::Offline, {});
        return;
    }
    const auto asking = std::count_if(m_relays.begin(), m_relays.end(),
                                      [](const auto& each) { return each.second->state() == NetRelay::State::Asking; });
    if (static_cast<std::size_t>(asking) > kMaxNetAsking || !takeTurn()) { // this one is among them
        relay.refuse(net::Outcome::Limit, {});
        return;
    }
    relay.setNumber(m_next);
    m_numbers.emplace(m_next, relay.stream());
    m_toEngine({"net.open", {{"number", m_next++}, {"host", net::textOf(relay.opening().host)}, {"port", relay.opening().port}}});
}

bool NetDesk::takeTurn() {
    const auto now = m_now();
    m_turns = std::min(kNetBurst, m_turns + std::chrono::duration<double>(now - m_counted).count() * kNetPerSecond);
    m_counted = now;
    if (m_turns < 1) {
        return false;
    }
    m_turns -= 1;
    return true;
}

void NetDesk::over(NetRelay& relay) {
    if (relay.isEnginesToKnow()) {
        m_toEngine({"net.closed",
                    {{"number", relay.number()}, {"sent", relay.sent()}, {"received", relay.received()}, {"how", relay.how()}}});
    }
    m_numbers.erase(relay.number());
    // Whoever is calling holds it; the id may be another's the next moment.
    m_relays.erase(relay.stream());
}

void NetDesk::channelGone() {
    for (const auto& [stream, relay] : std::map(m_relays)) {
        relay->guestGone();
    }
}

Status NetDesk::connected(const json::object& params, std::vector<UniqueFd>&& descriptors) {
    JsonFields fields(params, "net.connected");
    const auto number = fields.number("number");
    const auto treat = treatFrom(fields.string("treat", 16));
    if (!fields.finish() || !treat || descriptors.size() != 1 || !isSocket(descriptors[0].get())) {
        return fail(inAWrongWay("a connection"));
    }
    if (const auto relay = findNumber(number)) {
        relay->connected(std::move(descriptors[0]), *treat);
    }
    return {};
}

Status NetDesk::refused(const json::object& params) {
    JsonFields fields(params, "net.refused");
    const auto number = fields.number("number");
    const auto outcome = net::outcomeFrom(fields.string("outcome", 16));
    const auto text = fields.string("text", kMaxTextBytes);
    if (!fields.finish() || !outcome || *outcome == net::Outcome::Open) {
        return fail(inAWrongWay("a refusal"));
    }
    const auto relay = findNumber(number);
    if (relay && *outcome == net::Outcome::Waiting) {
        relay->note(text);
    } else if (relay) {
        relay->refuse(*outcome, text);
    }
    return {};
}

Status NetDesk::cut(const json::object& params) {
    JsonFields fields(params, "net.cut");
    const auto number = fields.number("number");
    (void)fields.string("text", kMaxTextBytes); // for the engine's own list; a connection that is broken off tells no reason
    if (!fields.finish()) {
        return fail(inAWrongWay("the end of a connection"));
    }
    if (const auto relay = findNumber(number)) {
        relay->cut();
    }
    return {};
}

Status NetDesk::setMode(const json::object& params) {
    JsonFields fields(params, "net.mode");
    const bool offline = fields.boolean("offline");
    if (!fields.finish()) {
        return fail(inAWrongWay("the network's mode"));
    }
    m_offline = offline;
    return {};
}

Result<json::object> NetDesk::live(const json::object& params) const {
    if (!params.empty()) {
        return fail(inAWrongWay("a question for the connections"));
    }
    json::array streams; // at most net::kMaxConnections, of less than a hundred bytes each
    for (const auto& [number, stream] : m_numbers) {
        const auto relay = find(stream);
        if (relay && relay->state() == NetRelay::State::Joined) {
            streams.push_back({{"number", number},
                               {"sent", relay->sent()},
                               {"received", relay->received()},
                               {"age_ms", relay->age().count()}});
        }
    }
    return json::object{{"streams", std::move(streams)}};
}

} // namespace carrel::clerk
