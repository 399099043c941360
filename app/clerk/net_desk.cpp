// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_desk.h"

#include "app/clerk/net_pipe.h"
#include "app/relay/secret_pipe.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <sys/stat.h>

namespace carrel::clerk {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxTextBytes = 1024; // of the engine's sentences
constexpr std::size_t kMaxPemBytes = 16 * 1024;
constexpr std::size_t kMaxPlaceholders = 64;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxPlaceholderBytes = 4096;
constexpr std::size_t kMaxCanaries = 64;
constexpr std::size_t kMaxToldNames = 16; // of one request: the engine says no to more than one anyway
constexpr std::size_t kMaxToldName = 64;
constexpr std::size_t kMaxToldMethod = 32, kMaxToldPath = 4096;

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
    , m_meter(std::make_shared<NetMeter>(loop, [this](std::uint64_t used) { m_toEngine({"net.used", {{"bytes", used}}}); }, now))
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

std::optional<NetDesk::Treat> NetDesk::treatFrom(std::string_view text) {
    struct Name {
        std::string_view text;
        Treat treat;
    };
    static constexpr std::array kNames{Name{"raw", Treat::Raw}, Name{"tls", Treat::Tls}, Name{"http", Treat::Http}, Name{"terminate", Treat::Terminate}};
    const auto* const found = std::find_if(kNames.begin(), kNames.end(), [&](const Name& each) { return each.text == text; });
    return found == kNames.end() ? std::nullopt : std::optional(found->treat);
}

std::shared_ptr<NetCarrier> NetDesk::carrierFor(const NetRelay& relay, Treat treat) {
    switch (treat) {
    case Treat::Raw:
        return std::make_shared<NetPipe>(m_loop, relay.stream(), m_channel, makeOpenGate());
    case Treat::Tls:
        return std::make_shared<NetPipe>(m_loop, relay.stream(), m_channel, makeTlsGate(net::textOf(relay.opening().host)));
    case Treat::Http:
    case Treat::Terminate:
        break;
    }
    return roadFor(relay, treat);
}

std::shared_ptr<NetCarrier> NetDesk::roadFor(const NetRelay& relay, Treat treat) {
    const auto host = net::textOf(relay.opening().host);
    auto ends = treat == Treat::Terminate ? m_trust.endsFor(host)
                                          : std::optional(NetRoad::Ends{std::make_unique<relay::PlainEnd>(), std::make_unique<relay::PlainEnd>()});
    if (!ends) {
        return nullptr;
    }
    const auto scheme = treat == Treat::Terminate ? relay::Scheme::Https : relay::Scheme::Http;
    return std::make_shared<NetRoad>(m_loop, relay.stream(), m_channel, std::move(*ends),
                                     relay::HttpRoad::Settings{{scheme, host, relay.opening().port}, m_placeholders, {}, m_canaries},
                                     [this, number = relay.number()](const relay::AskedRequest& request) { asked(number, request); },
                                     [this, number = relay.number()](std::uint64_t request, const relay::CanaryFound& found) { foundCanary(number, request, found); });
}

Status NetDesk::connected(const json::object& params, std::vector<UniqueFd>&& descriptors) {
    JsonFields fields(params, "net.connected");
    const auto number = fields.number("number");
    const auto treat = treatFrom(fields.string("treat", 16));
    if (!fields.finish() || !treat || descriptors.size() != 1 || !isSocket(descriptors[0].get())) {
        return fail(inAWrongWay("a connection"));
    }
    const auto relay = findNumber(number);
    if (!relay || relay->state() != NetRelay::State::Asking) {
        return {};
    }
    if (auto carrier = carrierFor(*relay, *treat)) {
        carrier->holdTo(m_meter);
        relay->connected(std::move(descriptors[0]), std::move(carrier));
    } else {
        relay->cannotBeCarried("tls");
    }
    return {};
}

// Names are the program's own words: as many and as long as the engine takes, which says no to more than that, too.
void NetDesk::asked(std::uint64_t number, const relay::AskedRequest& request) {
    const auto list = [](const std::vector<std::string>& names) {
        json::array out;
        for (const auto& name : names) {
            if (out.size() < kMaxToldNames) {
                out.emplace_back(name.substr(0, kMaxToldName));
            }
        }
        return out;
    };
    if (request.method.size() > kMaxToldMethod || request.path.size() > kMaxToldPath) {
        refuseRequest(number, request.request, "limit", "The method or the path is longer than can be judged");
        return;
    }
    m_toEngine({"net.request",
                {{"number", number},
                 {"request", request.request},
                 {"method", request.method},
                 {"path", request.path},
                 {"placeholders", list(request.placeholders)},
                 {"own_keys", list(request.ownKeys)}}});
}

void NetDesk::foundCanary(std::uint64_t number, std::uint64_t request, const relay::CanaryFound& found) {
    m_toEngine({"net.canary",
                {{"number", number},
                 {"request", request},
                 {"name", found.name},
                 {"where", relay::toString(found.where)},
                 {"form", relay::toString(found.form)}}});
}

void NetDesk::refuseRequest(std::uint64_t number, std::uint64_t request, const char* outcome, const char* text) {
    if (auto* const road = findRoad(number)) {
        road->answer(request, {.verdict = relay::Verdict::Deny, .outcome = outcome, .text = text});
    }
}

NetRoad* NetDesk::findRoad(std::uint64_t number) const {
    const auto relay = findNumber(number);
    return relay && relay->state() == NetRelay::State::Joined ? dynamic_cast<NetRoad*>(relay->carrier()) : nullptr;
}

Status NetDesk::answered(const json::object& params, const std::vector<UniqueFd>& descriptors) {
    JsonFields fields(params, "net.answer");
    const auto number = fields.number("number");
    const auto request = fields.number("request");
    relay::RequestAnswer answer;
    if (fields.boolean("allow")) {
        answer.verdict = relay::Verdict::Allow;
        answer.binding = params.contains("bound") && fields.boolean("bound") ? relay::Binding::Bound : relay::Binding::Free;
        if (const auto* inject = fields.optionalObject("inject")) {
            JsonFields inner(*inject, "net.answer.inject");
            relay::Injection what;
            what.header = inner.string("header", kMaxNameBytes);
            what.credential = inner.string("credential", kMaxNameBytes);
            auto secrets = descriptors.size() == 1 ? relay::secretsFrom(descriptors[0], 2) : fail(inAWrongWay("a secret"));
            if (!inner.finish() || !secrets) {
                return fail(inAWrongWay("a secret"));
            }
            what.value = std::move((*secrets)[0]);
            what.secret = std::move((*secrets)[1]);
            answer.inject = std::move(what);
        }
    } else {
        answer.outcome = fields.string("outcome", 16);
        answer.text = fields.string("text", kMaxTextBytes);
    }
    if (!fields.finish()) {
        return fail(inAWrongWay("the answer to a request"));
    }
    if (const auto relay = findNumber(number)) { // held, for it may be over with this
        if (auto* const road = findRoad(number)) {
            road->answer(request, std::move(answer));
        }
    }
    return {};
}

Status NetDesk::setTrust(const json::object& params, const std::vector<UniqueFd>& descriptors) {
    if (!params.empty() || descriptors.size() != 1) {
        return fail(inAWrongWay("the list of trusted certificates"));
    }
    return m_trust.setRoots(descriptors[0]);
}

Status NetDesk::setAuthority(const json::object& params, const std::vector<UniqueFd>& descriptors) {
    JsonFields fields(params, "net.authority");
    const auto certificate = fields.string("certificate_pem", kMaxPemBytes);
    const auto key = descriptors.size() == 1 ? relay::secretsFrom(descriptors[0], 1) : fail(inAWrongWay("the key of an authority"));
    if (!fields.finish() || !key) {
        return fail(inAWrongWay("the key of an authority"));
    }
    return m_trust.setAuthority(certificate, relay::view(key->front()));
}

Status NetDesk::setPlaceholders(const json::object& params) {
    JsonFields fields(params, "net.placeholders");
    auto list = std::make_shared<std::vector<relay::Placeholder>>();
    for (const auto& each : fields.array("list", kMaxPlaceholders)) {
        if (!each.is_object()) {
            return fail(inAWrongWay("the placeholders of credentials"));
        }
        JsonFields inner(each.get_object(), "net.placeholders.list");
        list->push_back({inner.string("name", kMaxNameBytes), inner.string("text", kMaxPlaceholderBytes)});
        if (!inner.finish()) {
            return fail(inAWrongWay("the placeholders of credentials"));
        }
    }
    if (!fields.finish()) {
        return fail(inAWrongWay("the placeholders of credentials"));
    }
    m_placeholders = std::move(list);
    for (const auto& [number, stream] : m_numbers) {
        if (auto* const road = findRoad(number)) {
            road->setPlaceholders(m_placeholders);
        }
    }
    return {};
}

Status NetDesk::setCanaries(const json::object& params) {
    JsonFields fields(params, "net.canaries");
    std::vector<relay::Canary> list;
    for (const auto& each : fields.array("list", kMaxCanaries)) {
        if (!each.is_object()) {
            return fail(inAWrongWay("the canaries"));
        }
        JsonFields inner(each.get_object(), "net.canaries.list");
        list.push_back({inner.string("name", kMaxNameBytes), inner.string("text", relay::kMaxCanary)});
        if (!inner.finish()) {
            return fail(inAWrongWay("the canaries"));
        }
    }
    if (!fields.finish()) {
        return fail(inAWrongWay("the canaries"));
    }
    m_canaries = list.empty() ? nullptr : std::make_shared<relay::CanarySet>(list);
    for (const auto& [number, stream] : m_numbers) {
        if (auto* const road = findRoad(number)) {
            road->setCanaries(m_canaries);
        }
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

Status NetDesk::setLimits(const json::object& params) {
    JsonFields fields(params, "net.limits");
    const NetLimits limits{fields.optionalNumber("rate").value_or(0), fields.optionalNumber("most")};
    if (!fields.finish()) {
        return fail(inAWrongWay("what the network may carry"));
    }
    m_meter->set(limits);
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
