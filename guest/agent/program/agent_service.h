// SPDX-License-Identifier: Apache-2.0
// The agent's side of the Agent Client Protocol, version 1: what a client asks, and the sessions that answer. Methods: initialize,
// authenticate (there is nothing to prove), session/new, session/load, session/prompt, session/set_mode; notifications: session/cancel,
// $/cancel_request. Everything else is answered with "no such method". Servers of tools (MCP) are not started.
// Legal states: made -> start() -> ended. Owner: main(), or a test. Thread: start() and waitForEnd() on one; the rest on the peer's.
#pragma once

#include "guest/agent/program/agent_session.h"
#include "guest/agent/program/session_store.h"

#include <condition_variable>
#include <map>

namespace carrel::agent {

class AgentService final : private acp::Handler {
public:
    // The parts outlive this. An error of the settings is what every session is refused with.
    AgentService(UniqueFd in, UniqueFd out, Result<AgentSettings> settings, AgentParts& parts);
    ~AgentService() override; // stops what works, and ends the conversation
    AgentService(const AgentService&) = delete;
    AgentService& operator=(const AgentService&) = delete;

    [[nodiscard]] Status start();
    // Until the client closes its end. What works then is stopped, and what it says last still leaves.
    [[nodiscard]] Error waitForEnd();

private:
    void request(acp::Request request) override;
    void notification(acp::Notification notification) override;
    void ended(const Error& why) override;

    using Params = boost::json::object;
    [[nodiscard]] Result<boost::json::object> initialize(const Params& params) const;
    [[nodiscard]] Result<boost::json::object> newSession(const Params& params);
    [[nodiscard]] Status loadSession(const acp::Id& id, const Params& params);
    [[nodiscard]] Status prompt(const acp::Id& id, const Params& params);
    [[nodiscard]] Result<boost::json::object> setMode(const Params& params);
    [[nodiscard]] Result<AgentSession*> sessionOf(const std::string& id);
    [[nodiscard]] Result<std::unique_ptr<AgentSession>> makeSession(std::string id, const std::string& cwd, std::size_t servers);

    Result<AgentSettings> m_settings;
    AgentParts& m_parts;
    std::optional<SessionStore> m_store;
    acp::Peer m_peer;
    std::map<std::string, std::unique_ptr<AgentSession>> m_sessions; // of the peer's reading thread

    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::optional<Error> m_end;
};

} // namespace carrel::agent
