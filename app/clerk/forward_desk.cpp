// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/forward_desk.h"

#include "guest/protocol/strict_json.h"

#include <sys/stat.h>

namespace carrel::clerk {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMaxPort = 65535;
constexpr std::uint32_t kAborted = 103; // errno, Linux numbering (frame.h)

Error inAWrongWay() {
    return {ErrorCode::InvalidArgument, "a connection to the agent's machine was handed to the clerk in a wrong way", {}, 0, {}};
}

bool isSocket(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

} // namespace

std::shared_ptr<ForwardRoad> ForwardDesk::find(std::uint32_t stream) const {
    const auto found = m_roads.find(stream);
    return found == m_roads.end() ? nullptr : found->second.road;
}

void ForwardDesk::data(std::uint32_t stream, Bytes&& data) {
    if (const auto road = find(stream)) {
        road->guestData(data);
    } else if (m_leaving.erase(stream) > 0) {
        breakOff(stream);
    }
}

void ForwardDesk::end(std::uint32_t stream) {
    if (const auto road = find(stream)) {
        road->guestEnd();
    }
    m_leaving.erase(stream);
}

void ForwardDesk::reset(std::uint32_t stream) {
    if (const auto road = find(stream)) {
        road->guestReset();
    }
    m_leaving.erase(stream);
}

void ForwardDesk::writable(std::uint32_t stream) {
    if (const auto road = find(stream)) {
        road->guestWritable();
    }
}

void ForwardDesk::channelGone() {
    for (const auto& [stream, road] : std::map(m_roads)) {
        over(stream, "channel", NetCarrier::Ended::Broken);
    }
    m_leaving.clear();
    m_next = net::kFirstHostStream;
}

Status ForwardDesk::connected(const json::object& params, std::vector<UniqueFd>&& descriptors) {
    JsonFields fields(params, "forward.connected");
    const auto number = fields.number("number");
    const auto port = static_cast<std::uint16_t>(fields.number("port", kMaxPort));
    const auto host = fields.string("host", net::kMaxHostName);
    const auto at = static_cast<std::uint16_t>(fields.number("at", kMaxPort));
    const bool good = fields.finish().has_value() && port != 0 && at != 0 && net::isHostName(host) && host.ends_with(".localhost");
    if (!good || descriptors.size() != 1 || !isSocket(descriptors[0].get())) {
        return fail(inAWrongWay());
    }
    if (!m_channel || !m_channel->isOpen() || m_roads.size() >= kMaxForwardRoads || m_next == 0) {
        tellClosed(number, 0, 0, m_channel && m_channel->isOpen() ? "limit" : "channel");
        return {};
    }
    const auto stream = m_next++;
    auto road = ForwardRoad::create(m_loop, stream, m_channel, relay::Origin{relay::Scheme::Http, host, at}, port);
    m_roads.emplace(stream, Road{number, road});
    road->start(std::move(descriptors[0]), {}, false,
                [this, stream](const std::string& how, NetCarrier::Ended ended) { over(stream, how, ended); });
    return {};
}

Status ForwardDesk::cut(const json::object& params) {
    JsonFields fields(params, "forward.cut");
    const auto number = fields.number("number");
    if (!fields.finish()) {
        return fail(inAWrongWay());
    }
    const auto found = std::find_if(m_roads.begin(), m_roads.end(), [&](const auto& each) { return each.second.number == number; });
    if (found != m_roads.end()) {
        over(found->first, "cut", NetCarrier::Ended::Broken);
    }
    return {};
}

// The road may be the one that calls: whoever does holds it.
void ForwardDesk::over(std::uint32_t stream, const std::string& how, NetCarrier::Ended ended) {
    const auto found = m_roads.find(stream);
    if (found == m_roads.end()) {
        return;
    }
    const auto [number, road] = found->second;
    m_roads.erase(found);
    road->close(ended);
    if (road->hasStream()) {
        ended == NetCarrier::Ended::Whole && road->hasEndedStream() ? leave(stream) : breakOff(stream);
    }
    tellClosed(number, road->sent(), road->received(), how);
}

void ForwardDesk::leave(std::uint32_t stream) {
    if (m_leaving.size() >= kMaxForwardRoads) {
        breakOff(*m_leaving.begin()); // the oldest
        m_leaving.erase(m_leaving.begin());
    }
    m_leaving.insert(stream);
}

void ForwardDesk::breakOff(std::uint32_t stream) {
    m_channel->mux().sendReset(stream, kAborted);
    m_channel->flushSoon();
}

void ForwardDesk::tellClosed(std::uint64_t number, std::uint64_t sent, std::uint64_t received, const std::string& how) {
    m_toEngine({"forward.closed", {{"number", number}, {"sent", sent}, {"received", received}, {"how", how}}});
}

} // namespace carrel::clerk
