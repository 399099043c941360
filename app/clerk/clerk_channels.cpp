// SPDX-License-Identifier: Apache-2.0
// The clerk's channels: taking them over, letting go of them, and what the guest says on each.
#include "app/clerk/clerk.h"
#include "app/clerk/window.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace carrel::clerk {

namespace json = boost::json;

namespace {

// Waiting for the guest per share: replies to what it asked and never read, and after a change of clerk one
// notification for every name that it remembers (NodeTable::kMaxNodes of about 60 bytes). Past it the channel
// begins anew: a notification must not be lost.
constexpr std::size_t kMaxFilesQueued = 96 * 1024 * 1024;

// A hello that the guest cannot answer well at the moment is asked again: after 1 s, then 2 s, … 32 s.
constexpr std::chrono::seconds kFirstHelloPause{1};
constexpr unsigned kMostDoublings = 5;
constexpr unsigned kPatientHellos = 3; // so often what passes by itself is waited out

Error machineGone() {
    return {ErrorCode::Unavailable, "the agent's machine is gone", {}, 0, {}};
}

std::uint64_t realtimeNs() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
}

} // namespace

std::shared_ptr<ChannelPump>* Clerk::slotOf(std::string_view name) {
    if (name == "control") {
        return &m_control;
    }
    if (name == "files") {
        return &m_files;
    }
    if (name == "network") {
        return &m_network;
    }
    return name == "terminals" ? &m_terminals : nullptr;
}

Mux::Events Clerk::eventsOf(std::string_view name) {
    if (name == "control") {
        return controlEvents();
    }
    if (name == "files") {
        return filesEvents();
    }
    return name == "terminals" ? terminalEvents() : networkEvents();
}

void Clerk::attach(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "attach");
    const auto names = fields.strings("channels", 6, 16);
    bool good = fields.finish() && names.size() == descriptors.size() && !names.empty();
    for (const auto& name : names) {
        const auto* slot = slotOf(name);
        good = good && (slot != nullptr ? !*slot : (name == "console" && !m_console) || name == kWindowName);
    }
    if (!good) {
        reply(fail(ErrorCode::InvalidArgument, "the clerk was given channels in a wrong way"));
        return;
    }
    UniqueFd window;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == kWindowName) {
            window = std::move(descriptors[i]);
        }
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == "network") {
            attachNetwork(std::move(descriptors[i]), std::move(window));
        } else if (names[i] != kWindowName) {
            attachOne(names[i], std::move(descriptors[i]));
        }
    }
    if (window && m_fileService) {
        m_fileService->setWindow(std::move(window));
    }
    reply(json::object{});
}

void Clerk::attachOne(const std::string& name, UniqueFd fd) {
    auto* slot = slotOf(name);
    if (slot == nullptr) {
        attachConsole(std::move(fd));
        return;
    }
    Mux::Options options;
    if (name == "files") {
        options.maxQueued = kMaxFilesQueued;
    }
    *slot = pumpFor(name, std::move(fd), std::move(options));
    (*slot)->start();
}

std::shared_ptr<ChannelPump> Clerk::pumpFor(const std::string& name, UniqueFd fd, Mux::Options options) {
    return ChannelPump::create(m_loop, std::move(fd), ChannelPump::Peer::Guest, eventsOf(name), std::move(options),
                               [this, name](const std::string& why) { channelClosed(name, why); });
}

void Clerk::attachNetwork(UniqueFd fd, UniqueFd window) {
    Mux::Options options;
    if (window) {
        const auto memory = std::make_shared<Window>(std::move(window));
        const auto parts = windowParts(memory->size());
        options.ringOut = {parts.ringSlots, [memory, at = parts.ringAt](std::size_t slot, ByteSpan bytes) {
                               return memory->put(at + slot * kRingSlotBytes, kRingSlotBytes, bytes);
                           }};
    }
    m_network = pumpFor("network", std::move(fd), std::move(options));
    m_net.attach(m_network);
    m_forwards.attach(m_network);
    m_network->start();
}

void Clerk::attachConsole(UniqueFd fd) {
    m_console = std::make_unique<ConsoleReader>(
        m_loop, std::move(fd),
        ConsoleLines::Events{
            [this](std::string_view who, std::string_view name) { notify(toldByConsole(who, name, "")); },
            [this](std::string_view who, std::string_view text) {
                notify(toldByConsole(who, "failed", text));
            }},
        [this, last = std::chrono::steady_clock::time_point{}]() mutable {
            const auto now = std::chrono::steady_clock::now();
            if (now - last > std::chrono::milliseconds(500)) {
                last = now;
                notify("console.activity", {});
            }
        },
        [this] { channelClosed("console", "the console was closed at its other end"); });
    m_console->start();
}

void Clerk::detach(const Params& params, const Reply& reply) {
    JsonFields fields(params, "detach");
    const auto names = fields.strings("channels", 5, 16);
    if (auto good = fields.finish(); !good) {
        reply(fail(std::move(good).error()));
        return;
    }
    for (const auto& name : names) {
        if (auto* slot = slotOf(name); slot != nullptr && *slot) {
            (*slot)->close();
            slot->reset();
            if (name == "files") {
                m_fileService.reset(); // its node tables are the next clerk's from now on
            } else if (name == "network") {
                m_net.channelGone();
                m_forwards.channelGone();
            }
        } else if (name == "console") {
            m_console.reset();
        }
    }
    if (!m_control) {
        forgetHello();
        m_rpc.failAll(Error{ErrorCode::Unavailable, "another clerk has taken over", {}, 0, {}});
    }
    reply(json::object{});
}

Mux::Events Clerk::controlEvents() {
    Mux::Events events;
    events.accept = [](std::uint32_t stream) {
        return stream == control::kRpcStream ? std::optional(StreamKind::Messages) : std::nullopt;
    };
    events.data = [this](std::uint32_t stream, Bytes&& data) {
        m_control->mux().consumed(stream, data.size());
        if (auto taken = m_rpc.receive(data); !taken) {
            notify("notice", {{"text", "The agent's machine sent a control message that makes no sense"}});
        }
        m_control->flushSoon();
    };
    events.epoch = [this](const Epoch&) {
        forgetHello();
        m_rpc.failAll(
            Error{ErrorCode::Unavailable, "the connection to the agent's machine began anew", {}, 0, {}});
        m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
        sayHello();
    };
    return events;
}

Status Clerk::sendControl(std::string_view text) {
    if (!m_control || !m_control->isOpen()) {
        return fail(ErrorCode::Unavailable, "the agent's machine does not answer", "Try again in a moment");
    }
    m_control->flushSoon();
    return m_control->mux().sendMessage(control::kRpcStream, asBytes(text));
}

void Clerk::sayHello() {
    json::object params{{"version", control::kProtocolVersion},
                        {"capabilities", json::array{}},
                        {"realtime_ns", realtimeNs()},
                        {"agent", {{"id", m_agentId}, {"name", m_agentName}}},
                        {"shares", m_shares}};
    if (m_authority) {
        params["authority"] = toJson(*m_authority);
    }
    if (m_programsFollow) {
        params["programs_follow"] = true;
    }
    m_rpc.request("hello", std::move(params),
                  [this, asked = ++m_hello](Result<json::object> answer) {
                      if (asked != m_hello) {
                          return; // the connection it was asked on is gone
                      }
                      if (answer) {
                          answer = greetingFrom(*answer);
                      }
                      if (!answer) {
                          helloFailed(answer.error());
                          return;
                      }
                      greeted(std::move(*answer));
                  });
}

// A share of before is still in use there, or its disk is full: what passes in a moment is waited out, whatever lasts is told to
// whoever waits. It is the guest that chooses how often it fails, so the pauses grow.
void Clerk::helloFailed(const Error& error) {
    const auto why = plainText(error.message, kMaxDetailBytes);
    if (++m_helloFailed == 1) {
        notify("broken", {{"why", why}});
    }
    // Unavailable says that nobody is there, and somebody is.
    const Error told{error.code == ErrorCode::Unavailable ? ErrorCode::Expired : error.code,
                     "the agent is not ready: " + why, "Try again in a moment, or stop the agent and start it again", 0, {}};
    if (error.code == ErrorCode::Unsupported) {
        m_neverGreets = told;
    }
    if (error.code != ErrorCode::Unavailable || m_helloFailed >= kPatientHellos) {
        answerWaiting(fail(told));
    }
    if (m_neverGreets) {
        return;
    }
    helloAgain();
}

void Clerk::helloAgain() {
    const auto pause = kFirstHelloPause * (1U << std::min(m_helloFailed - 1, kMostDoublings));
    m_helloAgain.expires_after(pause);
    m_helloAgain.async_wait([this, asked = m_hello](const boost::system::error_code& ec) {
        if (!ec && asked == m_hello) {
            sayHello();
        }
    });
}

// Shares that failed hold up no other: who waits is answered, unless it may pass in a moment.
void Clerk::greeted(json::object greeting) {
    const auto& failed = greeting.at("shares_failed").as_array();
    m_helloFailed = failed.empty() ? 0 : m_helloFailed + 1;
    const bool passing = std::any_of(failed.begin(), failed.end(), [](const json::value& one) { return one.at("passing").as_bool(); });
    if (!passing || m_helloFailed >= kPatientHellos || m_greeting) {
        json::array told;
        for (const auto& one : failed) {
            told.push_back({{"share", one.at("share")}, {"why", one.at("why")}});
        }
        if (told != m_sharesFailed) {
            m_sharesFailed = told;
            notify("shares.failed", {{"shares", std::move(told)}});
        }
        m_greeting = std::move(greeting);
        answerWaiting(*m_greeting);
    }
    m_guestClock.greeted();
    if (m_helloFailed > 0) {
        helloAgain();
    }
}

void Clerk::forgetHello() {
    m_asks.newEpoch();
    ++m_hello;
    m_helloAgain.cancel();
    m_helloFailed = 0;
    m_neverGreets.reset();
    m_greeting.reset();
    m_guestClock.forgotten();
}

void Clerk::answerWaiting(const Result<json::object>& greeting) {
    for (auto& waiting : std::exchange(m_waitingForGreeting, {})) {
        waiting(greeting);
    }
}

void Clerk::hello(const Reply& reply) {
    if (m_greeting) {
        reply(*m_greeting);
    } else if (m_control && m_control->isOver()) {
        reply(fail(machineGone()));
    } else if (m_neverGreets) {
        reply(fail(*m_neverGreets));
    } else {
        m_waitingForGreeting.push_back(reply);
    }
}

// Where the channel begins anew meanwhile, its hello brings the time.
void Clerk::setClock(const Params& params, const Reply& reply) {
    if (auto good = JsonFields(params, "clock").finish(); !good) {
        reply(fail(std::move(good).error()));
        return;
    }
    if (!m_control || !m_control->isOpen()) {
        reply(fail(ErrorCode::Unavailable, "the agent's machine does not answer", "Try again in a moment"));
        return;
    }
    sendClock([] {});
    boost::asio::post(m_loop, [reply] { reply(json::object{}); }); // after what sends it
}

void Clerk::sendClock(std::function<void()> answered) {
    m_rpc.request("clock", {{"realtime_ns", realtimeNs()}}, [this, answered = std::move(answered)](const Result<json::object>& answer) {
        if (answer && !answer->empty()) {
            notify("notice", {{"text", "The agent's machine sent a control message that makes no sense"}});
        }
        answered();
    });
}

void Clerk::guestNotification(const std::string& method, const Params& params) {
    if (auto told = toldByGuest(method, params)) {
        notify(std::move(*told));
    }
}

Mux::Events Clerk::filesEvents() {
    Mux::Events events;
    events.accept = [this](std::uint32_t stream) {
        return m_fileService->has(stream) ? std::optional(StreamKind::Messages) : std::nullopt;
    };
    events.data = [this](std::uint32_t stream, Bytes&& data) {
        const std::size_t size = data.size();
        if (const auto content = m_contents.find(stream); content != m_contents.end()) {
            content->second->data(data);
        } else {
            m_fileService->receive(stream, data);
        }
        m_files->mux().consumed(stream, size);
        m_files->flushSoon();
    };
    events.end = [this](std::uint32_t stream) {
        if (const auto content = m_contents.find(stream); content != m_contents.end()) {
            content->second->end();
        }
    };
    events.reset = [this](std::uint32_t stream, std::uint32_t reason) {
        if (const auto content = m_contents.find(stream); content != m_contents.end()) {
            content->second->reset(reason);
        }
    };
    events.epoch = [this](const Epoch&) {
        m_fileService->newEpoch();
        for (auto& [stream, content] : std::exchange(m_contents, {})) {
            content->reset(0);
        }
    };
    return events;
}

// Whose the stream is tells its number (net_wire.h).
Mux::Events Clerk::networkEvents() {
    const auto isOurs = [](std::uint32_t stream) { return stream >= net::kFirstHostStream; };
    auto out = m_net.events();
    out.accept = [isOurs, theirs = out.accept](std::uint32_t stream) { return isOurs(stream) ? std::nullopt : theirs(stream); };
    out.data = [this, isOurs, theirs = out.data](std::uint32_t stream, Bytes&& data) {
        isOurs(stream) ? m_forwards.data(stream, std::move(data)) : theirs(stream, std::move(data));
    };
    out.end = [this, isOurs, theirs = out.end](std::uint32_t stream) { isOurs(stream) ? m_forwards.end(stream) : theirs(stream); };
    out.reset = [this, isOurs, theirs = out.reset](std::uint32_t stream, std::uint32_t reason) {
        isOurs(stream) ? m_forwards.reset(stream) : theirs(stream, reason);
    };
    out.writable = [this, isOurs, theirs = out.writable](std::uint32_t stream) { isOurs(stream) ? m_forwards.writable(stream) : theirs(stream); };
    out.epoch = [this, theirs = out.epoch](const Epoch& epoch) {
        m_forwards.channelGone();
        theirs(epoch);
    };
    return out;
}

Mux::Events Clerk::terminalEvents() {
    const auto find = [this](std::uint32_t stream) -> std::shared_ptr<GuestSession> {
        const auto session = m_sessions.find(stream / control::kSessionStreams);
        return session == m_sessions.end() ? nullptr : session->second;
    };
    Mux::Events events;
    events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
    events.data = [this, find](std::uint32_t stream, Bytes&& data) {
        if (const auto session = find(stream)) {
            session->guestData(stream % control::kSessionStreams, std::move(data));
        } else {
            m_terminals->mux().consumed(stream, data.size());
        }
    };
    events.end = [find](std::uint32_t stream) {
        if (const auto session = find(stream)) {
            session->guestEnd(stream % control::kSessionStreams);
        }
    };
    events.reset = [find](std::uint32_t stream, std::uint32_t) {
        if (const auto session = find(stream)) {
            session->guestReset(stream % control::kSessionStreams);
        }
    };
    events.writable = [find](std::uint32_t stream) {
        if (const auto session = find(stream)) {
            session->guestWritable(stream % control::kSessionStreams);
        }
    };
    events.epoch = [this](const Epoch&) {
        for (const auto& [id, session] : std::map(m_sessions)) {
            session->guestGone("the connection to the agent's machine began anew, and the command was ended");
        }
        tellDocuments({});
    };
    return events;
}

void Clerk::tellDocuments(const Status& there) {
    for (const auto& waiting : std::exchange(m_waitingForTerminals, {})) {
        waiting(there);
    }
}

void Clerk::channelClosed(std::string_view name, const std::string& why) {
    if (name == "control") {
        forgetHello();
        m_rpc.failAll(machineGone());
        answerWaiting(fail(machineGone()));
    }
    if (name == "files") { // whose end may be all that was still missing
        for (auto& [stream, content] : std::exchange(m_contents, {})) {
            content->reset(0);
        }
    }
    if (name == "network") {
        m_net.channelGone();
        m_forwards.channelGone();
    }
    if (name == "terminals") {
        for (const auto& [id, session] : std::map(m_sessions)) {
            session->guestGone("the agent's machine stopped");
        }
        tellDocuments(fail(machineGone()));
    }
    notify("channel.closed", {{"name", name}, {"why", why}});
}

} // namespace carrel::clerk
