// SPDX-License-Identifier: Apache-2.0
// A connection to guestd's socket (guest/guestd/ask_desk.h at its other end). Thread: one.
#pragma once

#include "guest/ask/ask_paths.h"
#include "guest/protocol/ask.h"
#include "guest/protocol/net_refusals.h"
#include "guest/protocol/unique_fd.h"

#include <chrono>
#include <string>

namespace carrel::ask {

class Client {
public:
    using Clock = std::chrono::steady_clock;

    // Unavailable: nobody is there.
    [[nodiscard]] static Result<Client> connect(const std::string& socket);
    // One after the other. Unavailable: the connection is over, or there was no answer in time; then it must not be used again.
    [[nodiscard]] Result<Standings> ask(const Question& question, Clock::time_point until);
    // `question` is an Apply without its places.
    [[nodiscard]] Result<Standings> askApply(const Apply& question, const std::vector<NamedPlace>& places, Clock::time_point until);
    [[nodiscard]] Result<net::Refusals> refusals(const net::RefusalsWanted& wanted, Clock::time_point until);
    // Answered when what apt has fetched was looked at.
    [[nodiscard]] Status packages(Clock::time_point until);
    // Until then, or until the other end goes.
    void pause(Clock::time_point until);

private:
    explicit Client(UniqueFd socket)
        : m_socket(std::move(socket)) {}
    [[nodiscard]] Result<Standings> exchange(const Question& question, boost::json::object params, Clock::time_point until);
    [[nodiscard]] Result<boost::json::object> exchange(std::string_view method, boost::json::object params, Clock::time_point until);
    [[nodiscard]] Status send(std::string_view text, Clock::time_point until);
    [[nodiscard]] Result<std::string> receiveLine(Clock::time_point until);
    [[nodiscard]] Status ready(short events, Clock::time_point until);

    UniqueFd m_socket;
    std::uint64_t m_next = 1;
};

} // namespace carrel::ask
