// SPDX-License-Identifier: Apache-2.0
// Who is let in besides the owner: the book of tokens, the thread that ends them in time, and what is told of wrong
// ones. Owned by the engine. Thread: any.
#pragma once

#include "app/api/server.h"
#include "app/engine/token_book.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>

namespace carrel::engine {

class Clients {
public:
    using Complain = std::function<void(std::string_view line)>; // to the engine's own log
    // Reads the book. One that cannot be read is complained of, and lets nobody in.
    Clients(std::filesystem::path file, Complain complain,
            TokenBook::Clock clock = std::chrono::system_clock::now);
    ~Clients();
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

    [[nodiscard]] api::ClientGate gate(std::filesystem::path socket);
    // As TokenBook's.
    [[nodiscard]] Result<TokenBook::Made> create(const std::string& name, std::vector<TokenAgent> agents,
                                                 std::chrono::seconds time, const std::function<Status()>& record);
    [[nodiscard]] TokenBook& book() { return m_book; }
    // The clock was set: as if a minute had passed.
    void lookAtTheClock() { (void)m_book.endWhatIsOver(); }

private:
    [[nodiscard]] Result<api::Admission> admit(std::string_view token);
    void endInTime(const std::stop_token& stop);

    TokenBook m_book;
    Complain m_complain;
    std::mutex m_mutex;
    std::condition_variable_any m_changed;
    std::uint64_t m_changes = 0;
    // One line in a minute tells of wrong tokens, however many there are.
    std::optional<std::chrono::steady_clock::time_point> m_lastTold;
    std::uint64_t m_wrong = 0;
    std::jthread m_ending; // last: uses the rest
};

} // namespace carrel::engine
