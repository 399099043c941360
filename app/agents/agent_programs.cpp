// SPDX-License-Identifier: Apache-2.0
// Agent programs of others in the agent's machine: what installs one, and which it has. That it has one is the guest's word, and believed
// only for as long as nothing hangs by it: a program that is not there does not start.
#include "app/agents/agent.h"

namespace carrel::agents {

namespace json = boost::json;

Result<std::uint32_t> Agent::install(const std::string& program, const std::string& version, const json::object& params, UniqueFd& callerEnd) {
    const auto session = run(params, callerEnd, {}, "install " + program + " " + version);
    if (session) { // one that had ended by now installed nothing: it takes longer
        const std::lock_guard lock(m_mutex);
        m_installing[*session] = {program, version};
    }
    return session;
}

void Agent::installEnded(const json::object& outcome) {
    const auto* session = outcome.if_contains("session");
    const auto* code = outcome.if_contains("code");
    const std::lock_guard lock(m_mutex);
    const auto found = session != nullptr && session->is_int64() ? m_installing.find(static_cast<std::uint32_t>(session->get_int64())) : m_installing.end();
    if (found == m_installing.end()) {
        return;
    }
    if (code != nullptr && code->is_int64() && code->get_int64() == 0) {
        m_record.programs[found->second.first] = found->second.second;
        m_owesRecord = true;
        m_wake.notify_all();
    }
    m_installing.erase(found);
}

std::map<std::string, std::string> Agent::programs() const {
    const std::lock_guard lock(m_mutex);
    return m_record.programs;
}

std::uint64_t Agent::memoryMib() const {
    const std::lock_guard lock(m_mutex);
    return m_record.memoryMib;
}

} // namespace carrel::agents
