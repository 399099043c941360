// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program/agent_service.h"

#include "guest/agent/program/prompt_text.h"
#include "guest/protocol/json_pick.h"

#include <algorithm>
#include <sys/stat.h>

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostSessions = 64;
constexpr std::chrono::seconds kLastWords{5};
constexpr acp::PeerLimits kLimits{.lineBytes = 64 * 1024 * 1024, .whenFull = acp::WhenFull::Wait};

Status isFolder(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
        return fail(ErrorCode::InvalidArgument, "\"cwd\" is no folder of this machine", "name one that is there");
    }
    return {};
}

// What the peer is told: what the client did wrong is its own, everything else is "internal", as the protocol has no finer word.
acp::Problem problemOf(const Error& error) {
    switch (error.code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::Malformed:
    case ErrorCode::Unsupported:
        return acp::problemOf(error, acp::Code::InvalidParams);
    case ErrorCode::NotFound:
        return acp::problemOf(error, acp::Code::NotFound);
    default:
        return acp::problemOf(error, acp::Code::Internal);
    }
}

Result<std::string> sessionIdOf(const json::object& params) {
    JsonPick of(params, "a session");
    const auto id = of.text("sessionId", Wanted::Always);
    CARREL_TRY(of.finish());
    return std::string(*id);
}

} // namespace

AgentService::AgentService(UniqueFd in, UniqueFd out, Result<AgentSettings> settings, AgentParts& parts)
    : m_settings(std::move(settings))
    , m_parts(parts)
    , m_peer(std::move(in), std::move(out), kLimits) {
    if (m_settings) {
        m_store.emplace(m_settings->home);
    }
}

AgentService::~AgentService() {
    m_peer.close(); // nothing waits for room any more
    m_sessions.clear();
}

Status AgentService::start() {
    return m_peer.start(*this);
}

Error AgentService::waitForEnd() {
    Error why;
    {
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [this] { return m_end.has_value(); });
        why = *m_end;
    }
    const auto until = std::chrono::steady_clock::now() + kLastWords;
    for (auto& [id, session] : m_sessions) { // nobody else uses them any more
        session->waitForAnswer(until);
    }
    (void)m_peer.drain(kLastWords);
    return why;
}

void AgentService::ended(const Error& why) {
    for (auto& [id, session] : m_sessions) {
        session->cancel();
    }
    const std::scoped_lock lock(m_mutex);
    m_end = why;
    m_changed.notify_all();
}

void AgentService::request(acp::Request request) {
    const auto& [id, method, params] = request;
    Result<json::object> result = json::object();
    if (method == acp::method::kInitialize) {
        result = initialize(params);
    } else if (method == acp::method::kAuthenticate) {
        result = json::object();
    } else if (method == acp::method::kNew) {
        result = newSession(params);
    } else if (method == acp::method::kSetMode) {
        result = setMode(params);
    } else if (method == acp::method::kLoad || method == acp::method::kPrompt) {
        auto begun = method == acp::method::kLoad ? loadSession(id, params) : prompt(id, params);
        if (begun) {
            return; // the session answers
        }
        result = fail(std::move(begun).error());
    } else {
        m_peer.answer(id, tl::unexpected<acp::Problem>(acp::problemOf(
                              Error{ErrorCode::Unsupported, "there is no method of this name here", {}, 0, nullptr}, acp::Code::NoSuchMethod)));
        return;
    }
    m_peer.answer(id, result ? acp::Outcome(std::move(*result)) : tl::unexpected<acp::Problem>(problemOf(result.error())));
}

void AgentService::notification(acp::Notification notification) {
    const auto& params = notification.params;
    if (notification.method == acp::method::kCancel) {
        if (const auto id = sessionIdOf(params)) {
            if (const auto session = sessionOf(*id)) {
                (*session)->cancel();
            }
        }
    } else if (notification.method == acp::method::kCancelRequest) {
        const auto* given = params.if_contains("requestId");
        std::optional<acp::Id> id;
        if (given != nullptr && given->is_int64()) {
            id = given->get_int64();
        } else if (given != nullptr && given->is_string()) {
            id = std::string(given->get_string().data(), given->get_string().size());
        }
        for (auto& [name, session] : m_sessions) {
            if (id && session->cancelRequest(*id)) {
                return;
            }
        }
    }
}

Result<json::object> AgentService::initialize(const Params& params) const {
    const auto read = acp::initializeParamsFrom(params);
    if (!read) {
        return fail(read.error());
    }
    acp::InitializeResult out; // the only version that is spoken here, whatever the client's is
    out.loadSession = true;
    out.embeddedContext = true;
    out.agent = {"carrel-agent", "Carrel", CARREL_VERSION};
    return acp::toJson(out);
}

Result<std::unique_ptr<AgentSession>> AgentService::makeSession(std::string id, const std::string& cwd, std::size_t servers) {
    CARREL_TRY(isFolder(cwd));
    const auto path = m_store->path(id);
    auto session = AgentSession::make({std::move(id), cwd, path}, *m_settings->model, m_settings->mode, m_peer, m_parts);
    if (session && servers > 0) {
        (*session)->setNotice("Servers of tools (MCP) are not used by this agent; it works with its own tools.");
    }
    return session;
}

Result<json::object> AgentService::newSession(const Params& params) {
    std::size_t servers = 0;
    const auto place = acp::sessionPlaceFrom(params, &servers);
    if (!place) {
        return fail(place.error());
    }
    if (!m_settings) {
        return fail(m_settings.error());
    }
    if (!m_settings->model) {
        return fail(m_settings->model.error());
    }
    if (m_sessions.size() >= kMostSessions) {
        return fail(ErrorCode::LimitExceeded, "this agent has " + std::to_string(kMostSessions) + " conversations open", "start it anew");
    }
    auto id = m_store->newId();
    if (!id) {
        return fail(id.error());
    }
    auto session = makeSession(*id, place->cwd, servers);
    if (!session) {
        return fail(session.error());
    }
    CARREL_TRY((*session)->begin());
    auto state = (*session)->state();
    state.sessionId = *id;
    m_sessions.insert_or_assign(*id, std::move(*session));
    return acp::toJson(state);
}

Status AgentService::loadSession(const acp::Id& id, const Params& params) {
    std::size_t servers = 0;
    const auto place = acp::sessionPlaceFrom(params, &servers);
    if (!place) {
        return fail(place.error());
    }
    if (!m_settings) {
        return fail(m_settings.error());
    }
    if (!m_settings->model) {
        return fail(m_settings->model.error());
    }
    CARREL_TRY(m_store->has(place->sessionId));
    const auto found = m_sessions.find(place->sessionId);
    if (found != m_sessions.end() && (found->second->isOpen() || found->second->isWorking())) {
        found->second->load(id);
        return {};
    }
    if (found == m_sessions.end() && m_sessions.size() >= kMostSessions) {
        return fail(ErrorCode::LimitExceeded, "this agent has " + std::to_string(kMostSessions) + " conversations open", "start it anew");
    }
    auto session = makeSession(place->sessionId, place->cwd, servers);
    if (!session) {
        return fail(session.error());
    }
    auto& kept = m_sessions[place->sessionId];
    kept = std::move(*session);
    kept->load(id);
    return {};
}

Result<AgentSession*> AgentService::sessionOf(const std::string& id) {
    const auto found = m_sessions.find(id);
    if (found == m_sessions.end() || !found->second->isOpen()) {
        return fail(ErrorCode::NotFound, "there is no open session of this name", "open it with session/new or session/load");
    }
    return found->second.get();
}

Status AgentService::prompt(const acp::Id& id, const Params& params) {
    const auto read = acp::promptFrom(params);
    if (!read) {
        return fail(read.error());
    }
    const auto session = sessionOf(read->sessionId);
    if (!session) {
        return fail(session.error());
    }
    auto text = promptText(read->blocks);
    if (!text) {
        return fail(text.error());
    }
    (*session)->prompt(id, std::move(*text));
    return {};
}

Result<json::object> AgentService::setMode(const Params& params) {
    const auto id = sessionIdOf(params);
    if (!id) {
        return fail(id.error());
    }
    const auto session = sessionOf(*id);
    if (!session) {
        return fail(session.error());
    }
    JsonPick of(params, "session/set_mode");
    const auto name = of.text("modeId", Wanted::Always);
    CARREL_TRY(of.finish());
    const auto mode = workModeFrom(*name);
    if (!mode) {
        return fail(ErrorCode::InvalidArgument, "there is no mode of this name", "the modes are work and ask");
    }
    (*session)->setMode(*mode);
    return json::object();
}

} // namespace carrel::agent
