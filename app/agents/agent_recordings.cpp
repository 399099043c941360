// SPDX-License-Identifier: Apache-2.0
// The recorders of an agent's terminals.
#include "app/agents/agent.h"
#include "app/agents/recorder_process.h"

#include "app/egress/credentials/agent_credentials.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <sys/random.h>
#include <sys/socket.h>

namespace carrel::agents {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxTitle = 256;

std::uint32_t sizeAt(const json::object& tty, std::string_view name, std::uint32_t usual) {
    const auto* value = tty.if_contains(name);
    const bool fits = value != nullptr && value->is_int64() && value->get_int64() > 0 && value->get_int64() <= 10000;
    return fits ? static_cast<std::uint32_t>(value->get_int64()) : usual;
}

} // namespace

// Of all credentials of this home, also those of other agents: a person may type any of them. One whose keeper is locked cannot be
// masked; it is said.
Result<recording::SecretMarks> Agent::secretMarks() {
    std::array<std::uint8_t, 24> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        return failErrno("making random bytes");
    }
    auto out = recording::SecretMarks::withSalt(random);
    const auto own = credentials();
    if (!own) {
        return out;
    }
    auto all = own->book().list();
    if (!all) {
        return fail(all.error().wrap("What a recording must not show cannot be told, so the terminal was not opened"));
    }
    for (const auto& each : *all) {
        const auto value = own->book().value(each);
        if (!value) {
            m_services.complain(name() + ": the credential " + each.name + " cannot be masked in a recording: " + value.error().text());
        } else if (!out.add(value->reveal())) {
            return fail(ErrorCode::LimitExceeded, "there are too many credentials to keep them all out of a recording");
        }
    }
    return out;
}

Result<UniqueFd> Agent::recordTerminal(const std::string& kind, const std::string& title, const json::object& tty, UniqueFd clerk) {
    auto marks = secretMarks();
    if (!marks) {
        return fail(std::move(marks).error());
    }
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failErrno("making the command's socket");
    }
    UniqueFd callers(ends[0]);
    UniqueFd recorders(ends[1]);
    const std::lock_guard lock(m_recordersMutex); // from before it is in the log: records() knows each that is
    auto recorder = TerminalRecorder::start(
        m_services.recorderProgram, std::move(recorders), std::move(clerk), *m_log, m_recordingRoom,
        {kind, plainText(title, kMaxTitle), sizeAt(tty, "cols", 80), sizeAt(tty, "rows", 24)}, *marks,
        [this](const Error& error) { m_services.complain(name() + ": " + error.text()); });
    if (!recorder) {
        return fail(std::move(recorder).error());
    }
    std::erase_if(m_recorders, [](const auto& each) { return each->over(); });
    m_recorders.push_back(std::move(*recorder));
    return callers;
}

bool Agent::records(std::uint64_t recording) {
    const std::lock_guard lock(m_recordersMutex);
    return std::any_of(m_recorders.begin(), m_recorders.end(), [&](const auto& each) { return each->recording() == recording && !each->over(); });
}

void Agent::endRecordings() {
    std::vector<std::unique_ptr<TerminalRecorder>> ended;
    const std::lock_guard lock(m_recordersMutex);
    ended.swap(m_recorders);
}

} // namespace carrel::agents
