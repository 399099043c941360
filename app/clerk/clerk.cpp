// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/clerk.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include "hypervisor/confine/confine.h"

#include <boost/asio/post.hpp>
#include <boost/json/serialize.hpp>

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>

namespace carrel::clerk {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::size_t kMaxDetailBytes = 300; // of a guest's stage and log texts
// Waiting for the guest per share: replies to what it asked and never read, and after a change of clerk one notification
// for every name that it remembers (NodeTable::kMaxNodes of about 60 bytes). Past it the channel begins anew: a
// notification must not be lost.
constexpr std::size_t kMaxFilesQueued = 96 * 1024 * 1024;

std::string cut(std::string_view text, std::size_t most) {
    return std::string(text.substr(0, most));
}

std::uint64_t realtimeNs() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

} // namespace

Clerk::Clerk(UniqueFd link)
    : m_link(m_loop, link.release())
    , m_rpc(
          [this](std::string_view text) -> Status {
              if (!m_control || !m_control->mux().isOpen()) {
                  return fail(ErrorCode::Unavailable, "the agent's machine does not answer", "Try again in a moment");
              }
              m_control->flushSoon();
              return m_control->mux().sendMessage(control::kRpcStream, asBytes(text));
          },
          [this](const std::string& method, const Params& params) { guestNotification(method, params); }) {
    // The descriptor itself stays blocking: a message to the engine waits until it is taken, one from it never does.
}

int Clerk::run() {
    waitLink();
    m_loop.run();
    return 0;
}

void Clerk::waitLink() {
    m_link.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& ec) {
        if (!ec) {
            onLink();
        }
    });
}

void Clerk::onLink() {
    auto message = receiveLink(m_link.native_handle(), Wait::Never);
    if (!message) {
        if (message.error().code == ErrorCode::Cancelled) {
            waitLink();
            return;
        }
        m_loop.stop(); // the engine is gone: nobody decides any more
        return;
    }
    auto parsed = parseRpc(message->text, {kMaxLinkMessage, 12});
    auto* request = parsed ? std::get_if<RpcRequest>(&*parsed) : nullptr;
    if (request == nullptr || !request->id) {
        m_loop.stop(); // our own engine does not do that
        return;
    }
    dispatch(std::move(*request), std::move(message->descriptors));
    waitLink();
}

void Clerk::dispatch(RpcRequest&& request, Descriptors&& descriptors) {
    const Reply reply = [this, id = *request.id](Result<json::object> result) {
        RpcResponse response{id, json::value(nullptr)};
        if (result) {
            response.result = json::value(std::move(*result));
        } else {
            response.result = fail(std::move(result).error());
        }
        if (!sendLink(m_link.native_handle(), toText(response))) {
            m_loop.stop();
        }
    };
    const std::string& method = request.method;
    if (method == "prepare") {
        prepare(request.params, std::move(descriptors), reply);
    } else if (!m_confined) {
        reply(fail(ErrorCode::Refused, "the clerk is not confined yet"));
    } else if (method == "attach") {
        attach(request.params, std::move(descriptors), reply);
    } else if (method == "detach") {
        detach(request.params, reply);
    } else if (method == "hello") {
        hello(reply);
    } else if (method == "exec") {
        exec(request.params, std::move(descriptors), reply);
    } else if (method == "changes.list") {
        listChanges(request.params, reply);
    } else if (method == "content.copy") {
        copyContent(request.params, std::move(descriptors), reply);
    } else if (method == "changes.settle" || method == "changes.discard") {
        forwardEntries(method, request.params, reply);
    } else if (method == "share.revoke") {
        revokeShare(request.params, reply);
    } else if (method == "power.off") {
        m_rpc.request("power.off", {}, [reply](Result<json::object> result) { reply(std::move(result)); });
    } else if (method == "console.tail") {
        reply(json::object{{"text_b64", toBase64(m_console ? m_console->tail() : std::string())}});
    } else {
        reply(fail(ErrorCode::Unsupported, "the clerk does not know the request " + method));
    }
}

void Clerk::notify(std::string_view method, Params params) {
    if (!sendLink(m_link.native_handle(), toText(RpcRequest{std::nullopt, std::string(method), std::move(params)}))) {
        m_loop.stop();
    }
}

void Clerk::prepare(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "prepare");
    JsonFields agent(fields.object("agent"), "prepare.agent");
    m_agentId = agent.string("id", 64);
    m_agentName = agent.string("name", 64);
    auto shares = FileService::readShares(fields.array("shares", kMaxSharesPerAgent));
    Status read = agent.finish();
    if (read) {
        read = fields.finish();
    }
    if (!read || !shares || m_confined || descriptors.size() != shares->size() * 2) {
        reply(fail(ErrorCode::InvalidArgument, "the clerk was prepared in a wrong way"));
        return;
    }
    confine::FileView view;
    for (std::size_t i = 0; i < shares->size(); ++i) {
        view.required.push_back(
            {"/proc/self/fd/" + std::to_string(descriptors[i * 2].get()), confine::Access::ReadOnly});
        m_shares.push_back({{"id", (*shares)[i].id}, {"name", (*shares)[i].name}, {"mode", (*shares)[i].mode}});
    }
    // Everything that needs more than the jail allows is made before it; nothing of the guest's is here yet.
    m_fileService = std::make_unique<FileService>(
        m_loop, FileService::Events{
                    [this](std::uint32_t share, Bytes&& message) {
                        if (m_files && m_files->mux().isOpen()) {
                            m_files->mux().openStream(share, StreamKind::Messages);
                            if (!m_files->mux().sendMessage(share, message)) {
                                m_files->restart();
                            }
                            m_files->flushSoon();
                        }
                    },
                    [this](json::object event) { notify("file.read", std::move(event)); },
                    [this](std::string text) { notify("notice", {{"text", std::move(text)}}); }});
    for (std::size_t i = 0; i < shares->size(); ++i) {
        if (auto added = m_fileService->add((*shares)[i], shares->size(), std::move(descriptors[i * 2]), std::move(descriptors[i * 2 + 1]));
            !added) {
            reply(fail(std::move(added).error()));
            return;
        }
    }
    const int landlockAbi = confine::landlockAbi(); // asked now: the filter below refuses Landlock's own calls
    if (auto files = confine::restrictFiles(view); !files) {
        reply(fail(std::move(files).error()));
        return;
    }
    // I6: no core file may hold what passes through here, and nobody of this user may look into it. Not earlier:
    // it also hides /proc/self/fd, by which the folders were named above.
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) {
        reply(failErrno("forbidding core files of the clerk"));
        return;
    }
    if (auto calls = confine::restrictSyscalls(confine::SyscallProfile::GuestReader); !calls) {
        reply(fail(std::move(calls).error()));
        return;
    }
    m_confined = true;
    reply(json::object{{"landlock_abi", landlockAbi}, {"seccomp", true}});
}

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
    if (name == "terminals") {
        return terminalEvents();
    }
    Mux::Events nothing; // no stream is accepted: the network has no say in this step
    nothing.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
    return nothing;
}

void Clerk::attach(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "attach");
    const auto names = fields.strings("channels", 5, 16);
    bool good = fields.finish() && names.size() == descriptors.size() && !names.empty();
    for (const auto& name : names) {
        const auto* slot = slotOf(name);
        good = good && (slot != nullptr ? !*slot : name == "console" && !m_console);
    }
    if (!good) {
        reply(fail(ErrorCode::InvalidArgument, "the clerk was given channels in a wrong way"));
        return;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        attachOne(names[i], std::move(descriptors[i]));
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
    *slot = ChannelPump::create(m_loop, std::move(fd), ChannelPump::Peer::Guest, eventsOf(name), options,
                                [this, name](const std::string& why) { channelClosed(name, why); });
    (*slot)->start();
}

void Clerk::attachConsole(UniqueFd fd) {
    m_console = std::make_unique<ConsoleReader>(
        m_loop, std::move(fd),
        ConsoleLines::Events{
            [this](std::string_view who, std::string_view name) {
                notify("stage", {{"name", cut(name, 64)}, {"detail", ""}, {"from", who}});
            },
            [this](std::string_view who, std::string_view text) {
                notify("stage", {{"name", "failed"}, {"detail", cut(text, kMaxDetailBytes)}, {"from", who}});
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
            }
        } else if (name == "console") {
            m_console.reset();
        }
    }
    if (!m_control) {
        m_greeting.reset();
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
        m_greeting.reset();
        m_rpc.failAll(Error{ErrorCode::Unavailable, "the connection to the agent's machine began anew", {}, 0, {}});
        m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
        sayHello();
    };
    return events;
}

void Clerk::sayHello() {
    m_rpc.request("hello",
                   {{"version", control::kProtocolVersion},
                    {"capabilities", json::array{}},
                    {"realtime_ns", realtimeNs()},
                    {"agent", {{"id", m_agentId}, {"name", m_agentName}}},
                    {"shares", m_shares}},
                   [this](Result<json::object> answer) {
                       if (!answer) {
                           if (answer.error().code != ErrorCode::Unavailable) {
                               notify("broken", {{"why", "hello: " + cut(answer.error().message, kMaxDetailBytes)}});
                           }
                           return;
                       }
                       m_greeting = std::move(*answer);
                       for (auto& waiting : std::exchange(m_waitingForGreeting, {})) {
                           waiting(*m_greeting);
                       }
                   });
}

void Clerk::hello(const Reply& reply) {
    if (m_greeting) {
        reply(*m_greeting);
    } else {
        m_waitingForGreeting.push_back(reply);
    }
}

void Clerk::guestNotification(const std::string& method, const Params& params) {
    JsonFields fields(params, method);
    Params out;
    if (method == "stage") {
        out = {{"name", cut(fields.string("name", 64), 64)},
               {"detail", cut(fields.optionalString("detail", 4096).value_or(""), kMaxDetailBytes)},
               {"from", "carrel-guestd"}};
    } else if (method == "changes.touched") {
        out = {{"share", fields.number("share", control::kMaxShareId)}};
    } else if (method == "log") {
        out = {{"level", fields.string("level", 16)}, {"text", cut(fields.string("text", 4096), kMaxDetailBytes)}};
    } else {
        return; // a newer guest may tell more than this host knows
    }
    if (fields.finish()) {
        notify(method == "log" ? "guest.log" : method, std::move(out));
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

Mux::Events Clerk::terminalEvents() {
    const auto find = [this](std::uint32_t stream) -> std::shared_ptr<SessionRelay> {
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
    };
    return events;
}

void Clerk::exec(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "exec");
    const auto session = static_cast<std::uint32_t>(fields.number("session", control::kMaxSessions));
    json::object start{{"argv", fields.array("argv", control::kMaxArgvItems)},
                       {"env", fields.object("env")},
                       {"cwd", fields.string("cwd", kMaxPathBytes)}};
    fields.allow("tty");
    start["tty"] = params.contains("tty") ? params.at("tty") : json::value(nullptr);
    if (!fields.finish() || descriptors.size() != 1 || session == 0 || m_sessions.contains(session)) {
        reply(fail(ErrorCode::InvalidArgument, "a command was handed to the clerk in a wrong way"));
        return;
    }
    if (!m_terminals || !m_terminals->mux().isOpen()) {
        reply(fail(ErrorCode::Unavailable, "the agent's machine does not answer", "Try again in a moment"));
        return;
    }
    auto relay = SessionRelay::create(m_loop, session, std::move(descriptors[0]), m_terminals,
                                      [this](std::uint32_t id, json::object outcome) {
                                          outcome["session"] = id;
                                          notify("exec.ended", std::move(outcome));
                                          // Not now: the relay is calling.
                                          asio::post(m_loop, [this, id] { m_sessions.erase(id); });
                                      });
    m_sessions.emplace(session, relay);
    if (auto started = relay->start({{"start", std::move(start)}}); !started) {
        m_sessions.erase(session);
        reply(fail(std::move(started).error()));
        return;
    }
    reply(json::object{});
}

void Clerk::listChanges(const Params& params, const Reply& reply) {
    m_rpc.request("changes.list", params, [reply](Result<json::object> answer) {
        if (!answer) {
            reply(fail(std::move(answer).error()));
            return;
        }
        // Decoded and encoded again: what goes on to the engine is what this process understood, at most one link
        // message full; the rest is asked for again from where this page ends.
        JsonFields fields(*answer, "changes.list");
        json::array entries;
        std::size_t bytes = 0;
        std::optional<std::string> next = takeOptionalPath(fields, *answer, "next");
        const std::uint64_t staged = fields.optionalNumber("staged").value_or(0);
        std::string last;
        for (const auto& item : fields.array("entries", kMaxChangesPerPage)) {
            auto entry = item.is_object() ? changeEntryFrom(item.get_object())
                                          : fail(ErrorCode::Malformed, "a change is not an object");
            if (!entry) {
                reply(fail(entry.error().wrap("The agent's machine reported a change that makes no sense")));
                return;
            }
            json::object coded = toJson(*entry);
            bytes += json::serialize(coded).size() + 1;
            if (bytes > kMaxLinkMessage - 20 * 1024 && !entries.empty()) {
                next = last;
                break;
            }
            last = entry->path.text();
            entries.push_back(std::move(coded));
        }
        if (auto good = fields.finish(); !good) {
            reply(fail(std::move(good).error()));
            return;
        }
        json::object out{{"entries", std::move(entries)}, {"staged", staged}};
        if (next) {
            putPath(out, "next", *next);
        }
        reply(std::move(out));
    });
}

void Clerk::copyContent(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "content.copy");
    json::object request{{"share", fields.number("share", control::kMaxShareId)},
                         {"generation", fields.number("generation")},
                         {"max", fields.number("max")}};
    if (auto path = takeOptionalPath(fields, params, "path")) {
        putPath(request, "path", *path);
    }
    if (!fields.finish() || descriptors.size() != 1 || !m_files || !m_files->mux().isOpen()) {
        reply(fail(ErrorCode::Unavailable, "the agent's machine does not answer", "Try again in a moment"));
        return;
    }
    const std::uint32_t stream = m_nextContentStream;
    m_nextContentStream = m_nextContentStream >= 0x7fffffff ? control::kFirstContentStream : m_nextContentStream + 1;
    request["stream"] = stream;
    auto receiver = std::make_shared<ContentReceiver>(
        std::move(descriptors[0]), params.at("max").to_number<std::uint64_t>(),
        [this, stream, reply](Result<std::uint64_t> size) {
            asio::post(m_loop, [this, stream] { m_contents.erase(stream); });
            if (size) {
                reply(json::object{{"size", *size}});
            } else {
                reply(fail(std::move(size).error()));
            }
        });
    m_contents.emplace(stream, receiver);
    m_files->mux().openStream(stream, StreamKind::Bytes);
    m_rpc.request("content.send", std::move(request), [receiver](Result<json::object> answer) {
        if (!answer) {
            receiver->answered(fail(std::move(answer).error()));
            return;
        }
        JsonFields answered(*answer, "content.send");
        const std::uint64_t size = answered.number("size");
        auto good = answered.finish();
        receiver->answered(good ? Result<std::uint64_t>(size) : fail(std::move(good).error()));
    });
}

void Clerk::forwardEntries(std::string_view method, const Params& params, const Reply& reply) {
    m_rpc.request(std::string(method), params, [reply](Result<json::object> answer) {
        if (!answer) {
            reply(fail(std::move(answer).error()));
            return;
        }
        JsonFields fields(*answer, "settled");
        json::array kept;
        for (const auto& item : fields.array("kept", 100'000)) {
            if (item.is_string() && item.get_string().size() <= kMaxPathBytes) {
                kept.push_back(item);
            } else if (item.is_object()) {
                JsonFields path(item.get_object(), "kept");
                if (auto raw = takeOptionalPath(path, item.get_object(), "path"); raw && path.finish()) {
                    kept.push_back(item);
                }
            }
        }
        if (json::serialize(kept).size() > kMaxLinkMessage / 2) {
            kept.clear(); // only told for the user's sake; the next listing shows them anyway
        }
        if (auto good = fields.finish(); !good) {
            reply(fail(std::move(good).error()));
            return;
        }
        reply(json::object{{"kept", std::move(kept)}});
    });
}

void Clerk::revokeShare(const Params& params, const Reply& reply) {
    JsonFields fields(params, "share.revoke");
    const auto id = static_cast<std::uint32_t>(fields.number("id", control::kMaxShareId));
    if (auto good = fields.finish(); !good) {
        reply(fail(std::move(good).error()));
        return;
    }
    if (m_fileService) {
        m_fileService->revoke(id); // first and at once; the guest is only told
    }
    const auto gone = std::find_if(m_shares.begin(), m_shares.end(), [id](const json::value& share) {
        return share.at("id").to_number<std::uint32_t>() == id;
    });
    if (gone != m_shares.end()) {
        m_shares.erase(gone);
    }
    m_rpc.request("share.remove", {{"id", id}}, [](Result<json::object>) {});
    reply(json::object{});
}

void Clerk::channelClosed(std::string_view name, const std::string& why) {
    if (name == "control") {
        m_rpc.failAll(Error{ErrorCode::Unavailable, "the agent's machine is gone", {}, 0, {}});
    }
    if (name == "terminals") {
        for (const auto& [id, session] : std::map(m_sessions)) {
            session->guestGone("the agent's machine stopped");
        }
    }
    notify("channel.closed", {{"name", name}, {"why", why}});
}

} // namespace carrel::clerk
