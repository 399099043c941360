// SPDX-License-Identifier: Apache-2.0
// A program of two bytes a step for one session: a hostile guest on one side, a careless caller on the other,
// the clerk's relay between them. The caller is told nothing but the agreed forms and gets the guest's output
// in order; the guest gets signals and sizes and nothing else; the outcome is told exactly once. The pumps
// want descriptors, so there are two socket pairs; nothing leaves the process.
#include "app/clerk/session_relay.h"
#include "guest/protocol/strict_json.h"
#include "tests/app/clerk/mux_peer.h"

#include <boost/json/serialize.hpp>

#include <csignal>
#include <cstdlib>
#include <span>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

namespace {

constexpr std::uint32_t kSession = 7;
constexpr std::uint32_t kGuestTag = 0x1234;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
std::uint32_t inGuest(std::uint32_t part) {
    return kSession * control::kSessionStreams + part;
}
std::uint32_t atCaller(std::uint32_t part) {
    return kLocalSession * control::kSessionStreams + part;
}
std::pair<UniqueFd, UniqueFd> socketPair() {
    int ends[2] = {-1, -1};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void checkOutcome(const json::object& outcome) {
    require(outcome.size() == 1);
    if (const auto* code = outcome.if_contains("code")) {
        require(code->to_number<std::uint64_t>() <= 255);
    } else if (const auto* signal = outcome.if_contains("signal")) {
        require(signal->to_number<std::uint64_t>() <= 64);
    } else {
        require(outcome.at("error").is_object());
        require(json::serialize(outcome).size() < 64 * 1024); // it goes over the link
    }
}
void checkToldCaller(const std::string& text) {
    const auto message = parseJsonObject(text, {64 * 1024, 4});
    require(message && message->size() == 1);
    if (const auto* exit = message->if_contains("exit")) {
        checkOutcome(exit->as_object());
    } else if (!message->contains("error")) {
        require(text == R"({"started":{}})");
    }
}
void checkToldGuest(const std::string& text) {
    const auto message = parseJsonObject(text, {1024, 4});
    require(message && message->size() == 1);
    if (const auto* signal = message->if_contains("signal")) {
        require(signal->to_number<std::uint64_t>() <= 64);
    } else {
        const auto& size = message->at("resize").as_object();
        require(size.size() == 2 && size.at("rows").to_number<std::uint64_t>() <= 10000 &&
                size.at("cols").to_number<std::uint64_t>() <= 10000);
    }
}

class Program {
public:
    Program()
        : m_guest(std::move(m_channel.first), Side::Guest)
        , m_caller(std::move(m_local.first), Side::Host) {
        m_guest.mux().beginLocal(kGuestTag);
        m_caller.mux().beginLocal(kLocalEpochTag);
        const auto part = [](std::uint32_t stream) { return stream % control::kSessionStreams; };
        const auto ours = [](std::uint32_t stream) { return stream / control::kSessionStreams == kSession; };
        Mux::Events events; // as the clerk joins them
        events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
        events.data = [this, part, ours](std::uint32_t stream, Bytes&& data) {
            if (ours(stream) && m_relay) {
                m_relay->guestData(part(stream), std::move(data));
            }
        };
        events.end = [this, part, ours](std::uint32_t stream) {
            if (ours(stream) && m_relay) {
                m_relay->guestEnd(part(stream));
            }
        };
        events.reset = [this, part, ours](std::uint32_t stream, std::uint32_t) {
            if (ours(stream) && m_relay) {
                m_relay->guestReset(part(stream));
            }
        };
        events.writable = [this, part, ours](std::uint32_t stream) {
            if (ours(stream) && m_relay) {
                m_relay->guestWritable(part(stream));
            }
        };
        m_terminals =
            ChannelPump::create(m_loop, std::move(m_channel.second), ChannelPump::Peer::LocalSocket,
                                std::move(events), {}, [this](const std::string& why) { lost(why); });
        m_terminals->start(kGuestTag);
        m_relay = SessionRelay::create(m_loop, kSession, std::move(m_local.second), m_terminals,
                                       [this](std::uint32_t session, const json::object& outcome) {
                                           require(session == kSession && ++m_ended == 1);
                                           checkOutcome(outcome);
                                           m_drop = true; // the clerk lets go of it a little later
                                       });
        for (const auto each : {control::kSessionStdout, control::kSessionStderr, control::kSessionStdin}) {
            m_caller.mux().openStream(atCaller(each), StreamKind::Bytes);
            m_guest.mux().openStream(inGuest(each), StreamKind::Bytes);
        }
        m_caller.mux().openStream(atCaller(control::kSessionControl), StreamKind::Messages);
        require(m_relay->start({{"start", {{"argv", {"true"}}}}}).has_value());
        turn();
    }

    void run(std::span<const std::uint8_t> bytes) {
        while (bytes.size() >= 2) {
            const std::uint8_t what = bytes[0];
            const std::size_t many = std::min<std::size_t>(bytes[1], bytes.size() - 2);
            const std::span text = bytes.subspan(2, what % 16 < 4 ? many : 0);
            step(what, bytes[1], {reinterpret_cast<const char*>(text.data()), text.size()});
            bytes = bytes.subspan(2 + text.size());
        }
        turn();
        giveBack();
        lost("the agent's machine stopped"); // whatever happened, the end of the channel ends it
        giveBack();
        m_caller.hangUp();
        turn();
        require(m_ended == 1);
        check();
    }

private:
    void step(std::uint8_t what, std::uint8_t detail, std::string_view text) {
        static constexpr std::string_view kGuestSays[] = {
            R"({"started":{}})", R"({"exit":{"code":3}})", R"({"exit":{"signal":9}})", R"({"exit":{}})",
            R"({"error":{"code":-32001,"message":"no such program","data":{"kind":"not-found"}}})"};
        static constexpr std::string_view kCallerSays[] = {
            R"({"signal":2})", R"({"resize":{"rows":40,"cols":100}})", R"({"start":{"argv":["x"]}})"};
        const std::uint32_t part = detail % control::kSessionStreams;
        switch (what % 16) {
        case 0:
            (void)m_guest.mux().sendMessage(inGuest(0), asBytes(text)).has_value();
            break;
        case 1:
            (void)m_caller.mux().sendMessage(atCaller(0), asBytes(text)).has_value();
            break;
        case 2:
            output(1 + part % 3, std::string(text));
            break;
        case 3:
            (void)m_caller.mux().sendBytes(atCaller(1), asBytes(text)).has_value();
            break;
        case 4:
            (void)m_guest.mux()
                .sendMessage(inGuest(0), asBytes(kGuestSays[detail % std::size(kGuestSays)]))
                .has_value();
            break;
        case 5:
            (void)m_caller.mux()
                .sendMessage(atCaller(0), asBytes(kCallerSays[detail % std::size(kCallerSays)]))
                .has_value();
            break;
        case 6:
            output(2 + part % 2,
                   std::string(std::size_t{detail} * 4096, static_cast<char>('a' + detail % 26)));
            break;
        case 7:
            (void)m_caller.mux().sendBytes(atCaller(1), Bytes(std::size_t{detail} * 4096)).has_value();
            break;
        case 8:
            m_guest.mux().sendEnd(inGuest(part));
            break;
        case 9:
            m_caller.mux().sendEnd(atCaller(part));
            break;
        case 10:
            m_guest.mux().sendReset(inGuest(part), detail);
            break;
        case 11:
            m_caller.mux().sendReset(atCaller(part), detail);
            break;
        case 12:
            giveBack();
            break;
        case 13:
            if (detail > 200) {
                m_caller.hangUp();
            }
            break;
        case 14:
            if (detail > 200) {
                lost("began anew");
            }
            break;
        default:
            turn();
        }
    }

    void output(std::uint32_t part, std::string text) {
        if (m_guest.mux().sendBytes(inGuest(part), asBytes(text))) {
            m_sent[part] += text;
        }
    }

    void turn() {
        for (bool moved = true; moved;) {
            m_loop.restart();
            moved = m_loop.poll() > 0;
            if (m_drop) {
                m_relay.reset();
            }
            moved = m_guest.pump() || moved;
            moved = (m_caller.fd() >= 0 && m_caller.pump()) || moved;
        }
    }
    void giveBack() {
        for (std::uint32_t part = 0; part < control::kSessionStreams; ++part) {
            m_guest.giveBack(inGuest(part));
            m_caller.giveBack(atCaller(part));
        }
        turn();
    }
    void lost(const std::string& why) {
        if (m_relay) {
            m_relay->guestGone(why);
        }
    }

    void check() {
        for (const auto& text : m_caller.streams[atCaller(0)].messages) {
            checkToldCaller(text);
        }
        auto& told = m_guest.streams[inGuest(0)].messages;
        require(told.empty() || told[0] == R"({"start":{"argv":["true"]}})");
        for (std::size_t i = 1; i < told.size(); ++i) {
            checkToldGuest(told[i]);
        }
        for (const auto part : {control::kSessionStdout, control::kSessionStderr}) {
            require(m_sent[part].starts_with(m_caller.streams[atCaller(part)].bytes));
        }
    }

    boost::asio::io_context m_loop;
    std::pair<UniqueFd, UniqueFd> m_channel = socketPair();
    std::pair<UniqueFd, UniqueFd> m_local = socketPair();
    MuxPeer m_guest;
    MuxPeer m_caller;
    std::shared_ptr<ChannelPump> m_terminals;
    std::shared_ptr<SessionRelay> m_relay;
    std::array<std::string, control::kSessionStreams> m_sent;
    int m_ended = 0;
    bool m_drop = false;
};

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    (void)::signal(SIGPIPE, SIG_IGN); // as carrel-clerk does
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program().run({data, size});
    return 0;
}
