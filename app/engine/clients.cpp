// SPDX-License-Identifier: Apache-2.0
#include "app/engine/clients.h"

namespace carrel::engine {

namespace {
constexpr std::chrono::minutes kTellPeriod{1};
} // namespace

Clients::Clients(std::filesystem::path file, Complain complain, TokenBook::Clock clock)
    : m_book(std::move(file), std::move(clock))
    , m_complain(std::move(complain)) {
    if (auto loaded = m_book.load(); !loaded) {
        m_complain(loaded.error().text() + ". " + loaded.error().hint);
    }
    m_ending = std::jthread([this](const std::stop_token& stop) { endInTime(stop); });
}

Clients::~Clients() = default;

api::ClientGate Clients::gate(std::filesystem::path socket) {
    api::ClientGate gate;
    gate.socket = std::move(socket);
    gate.admit = [this](std::string_view token) { return admit(token); };
    return gate;
}

Result<TokenBook::Made> Clients::create(const std::string& name, std::vector<TokenAgent> agents,
                                        std::chrono::seconds time, const std::function<Status()>& record) {
    auto made = m_book.create(name, std::move(agents), time, record);
    const std::lock_guard lock(m_mutex);
    ++m_changes; // one may end before those that are waited for
    m_changed.notify_all();
    return made;
}

Result<api::Admission> Clients::admit(std::string_view token) {
    auto admission = m_book.admit(token);
    if (admission || admission.error().code != ErrorCode::Refused) {
        return admission;
    }
    const std::lock_guard lock(m_mutex);
    ++m_wrong;
    const auto now = std::chrono::steady_clock::now();
    if (!m_lastTold || now - *m_lastTold >= kTellPeriod) {
        m_lastTold = now;
        m_complain("a token that is not known, or was revoked, was presented at the clients' socket; wrong ones since the "
                   "engine began: " +
                   std::to_string(m_wrong));
    }
    return admission;
}

void Clients::endInTime(const std::stop_token& stop) {
    std::unique_lock lock(m_mutex);
    while (!stop.stop_requested()) {
        const auto seen = m_changes;
        lock.unlock();
        const auto next = m_book.endWhatIsOver();
        lock.lock();
        const auto changed = [&] { return m_changes != seen; };
        if (next) {
            m_changed.wait_for(lock, stop, *next, changed);
        } else {
            m_changed.wait(lock, stop, changed);
        }
    }
}

} // namespace carrel::engine
