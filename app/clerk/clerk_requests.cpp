// SPDX-License-Identifier: Apache-2.0
// What the engine asks of the clerk once the channels are open: commands, changes, content, the end of a share.
#include "app/clerk/clerk.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace carrel::clerk {

namespace asio = boost::asio;
namespace json = boost::json;

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
    if (!m_terminals || !m_terminals->isOpen()) {
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

// Unlike a command it waits for the guest: it is what a machine is started for.
void Clerk::readDocument(const Params& params, Descriptors&& descriptors, const Reply& reply) {
    JsonFields fields(params, "document.read");
    const auto session = static_cast<std::uint32_t>(fields.number("session", control::kMaxSessions));
    auto argv = fields.array("argv", control::kMaxArgvItems);
    const auto maxText = fields.number("max_text", kMaxDocumentText);
    if (!fields.finish() || descriptors.size() != 2 || session == 0 || m_sessions.contains(session)) {
        reply(fail(ErrorCode::InvalidArgument, "a document was handed to the clerk in a wrong way"));
        return;
    }
    if (!m_terminals || m_terminals->isOver()) {
        reply(fail(ErrorCode::Unavailable, "the viewer's machine is gone"));
        return;
    }
    auto reader = std::make_shared<DocumentReader>(
        session, m_terminals, DocumentReader::Setup{std::move(descriptors[0]), std::move(descriptors[1]), maxText},
        [this, reply](std::uint32_t id, Result<json::object> outcome) {
            asio::post(m_loop, [this, id] { m_sessions.erase(id); }); // not now: the reader is calling
            reply(std::move(outcome));
        });
    auto begin = [this, session, reader, argv = std::move(argv), reply](const Status& there) {
        if (!there) {
            reply(fail(there.error()));
            return;
        }
        m_sessions.emplace(session, reader);
        reader->start(argv);
    };
    if (m_terminals->isOpen()) {
        begin({});
    } else {
        m_waitingForTerminals.push_back(std::move(begin));
    }
}

void Clerk::listChanges(const Params& params, const Reply& reply) {
    m_rpc.request("changes.list", params, [reply](Result<json::object> answer) {
        reply(answer ? changesFrom(*answer) : std::move(answer));
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
    if (!fields.finish() || descriptors.size() != 1 || !m_files || !m_files->isOpen()) {
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
            if (m_files) { // our half of the stream, or it would count for as long as the channel lives
                m_files->mux().sendEnd(stream);
                m_files->flushSoon();
            }
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
        receiver->answered(sentSizeFrom(*answer));
    });
}

void Clerk::forwardEntries(std::string_view method, const Params& params, const Reply& reply) {
    m_rpc.request(std::string(method), params, [reply](Result<json::object> answer) {
        reply(answer ? keptFrom(*answer) : std::move(answer));
    });
}

void Clerk::readsRecorded(const Params& params, const Reply& reply) {
    JsonFields fields(params, "reads.recorded");
    const auto batch = fields.number("batch");
    const bool recorded = fields.boolean("recorded");
    Status done = fields.finish();
    if (done && m_fileService) {
        done = m_fileService->recorded(batch, recorded ? FileService::Verdict::Recorded : FileService::Verdict::NotRecorded);
    }
    reply(done ? Result<json::object>(json::object{}) : fail(std::move(done).error()));
}

void Clerk::answerAsk(const Params& params, const Reply& reply) {
    auto taken = m_asks.answer(params);
    reply(taken ? Result<json::object>(json::object{}) : fail(std::move(taken).error()));
}

// The engine's own word, handed on; of the answer nothing is wanted but that it is there.
void Clerk::programsPolicy(const Params& params, const Reply& reply) {
    m_rpc.request("programs.policy", params, [reply](Result<json::object> answer) {
        reply(answer ? Result<json::object>(json::object{}) : std::move(answer));
    });
}

// The call is the engine's, the answer is the guest's: it is read strictly and written anew.
void Clerk::callAgent(const std::string& method, const Params& params, const Reply& reply) {
    const auto call = talk::callFrom(method, params);
    if (!call) {
        reply(fail(call.error()));
        return;
    }
    m_rpc.request(method, params, [reply, call = *call](const Result<json::object>& answer) {
        if (!answer) {
            reply(fail(answer.error()));
            return;
        }
        reply(agentAnswerFrom(call, *answer));
    });
}

void Clerk::fetchEvents(const Params& params, const Reply& reply) {
    const auto ask = watch::askFrom(params);
    if (!ask) {
        reply(fail(ask.error()));
        return;
    }
    m_rpc.request(std::string(watch::kMethod), params, [reply, ask = *ask](const Result<json::object>& answer) {
        reply(answer ? eventsFrom(ask, *answer) : answer);
    });
}

bool Clerk::network(const std::string& method, const Params& params, Descriptors& descriptors, const Reply& reply) {
    Status done;
    if (method == "net.connected") {
        done = m_net.connected(params, std::move(descriptors));
    } else if (method == "net.refused") {
        done = m_net.refused(params);
    } else if (method == "net.cut") {
        done = m_net.cut(params);
    } else if (method == "net.mode") {
        done = m_net.setMode(params);
    } else if (method == "net.limits") {
        done = m_net.setLimits(params);
    } else if (method == "net.answer") {
        done = m_net.answered(params, descriptors);
    } else if (method == "net.trust") {
        done = m_net.setTrust(params, descriptors);
    } else if (method == "net.authority") {
        done = m_net.setAuthority(params, descriptors);
    } else if (method == "net.placeholders") {
        done = m_net.setPlaceholders(params);
    } else if (method == "forward.connected") {
        done = m_forwards.connected(params, std::move(descriptors));
    } else if (method == "forward.cut") {
        done = m_forwards.cut(params);
    } else if (method == "net.canaries") {
        done = m_net.setCanaries(params);
    } else if (method == "net.live") {
        reply(m_net.live(params));
        return true;
    } else {
        return false;
    }
    reply(done ? Result<json::object>(json::object{}) : fail(std::move(done).error()));
    return true;
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

} // namespace carrel::clerk
