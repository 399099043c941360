// SPDX-License-Identifier: Apache-2.0
// One request, and its answer while it comes (RFC 9110, 9112), over a connection of its own, by TLS with the system's trust store or
// without: a POST to a model's server, or a GET of whatever. No redirect is followed: a key goes nowhere else.
// Thread: any; post() and get() block, and several may at a time.
#pragma once

#include "guest/agent/http_address.h"
#include "guest/agent/turn_failure.h"

#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

namespace carrel::agent {

struct HttpSettings {
    std::chrono::milliseconds connect{30'000};    // name, connection and TLS, each
    std::chrono::milliseconds firstByte{600'000}; // a model on an own computer reads a long conversation for minutes
    std::chrono::milliseconds idle{180'000};      // between two pieces of the answer
    std::size_t headerBytes = 64 * 1024;
    std::uint64_t answerBytes = 64ULL * 1024 * 1024;
    // Beside what OpenSSL was built with and what SSL_CERT_FILE and SSL_CERT_DIR say: a folder as openssl-rehash(1) makes it.
    std::string trustFolder = "/etc/ssl/certs";
};

struct HttpRequest {
    HttpAddress address;
    std::string path; // below the address's base
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body; // JSON
};

enum class More { Wanted, Enough };

// How an answer begins.
struct HttpHead {
    int status = 0;
    std::string type;     // Content-Type; may be empty
    std::string location; // may be empty
};

class HttpClient {
public:
    explicit HttpClient(HttpSettings settings = {})
        : m_settings(std::move(settings)) {}

    // Each piece of an event stream goes to `piece`, on the caller's thread, until the stream ends (no error), `piece` has enough (no
    // error) or fails (its failure). What is no event stream is a failure: an error status by failureOf(), else Malformed.
    // Rejected, and nothing is sent: a header's value is none.
    // Soon after `stop`: Cancelled.
    [[nodiscard]] TurnStatus post(const HttpRequest& request, const std::function<TurnResult<More>(std::string_view)>& piece,
                                  const std::stop_token& stop) const;
    // A GET of `target`, which begins with a slash. The head of any final answer goes to `head`, then its body to `piece`, as above.
    [[nodiscard]] TurnStatus get(const HttpAddress& address, const std::string& target, const std::function<void(const HttpHead&)>& head,
                                 const std::function<TurnResult<More>(std::string_view)>& piece, const std::stop_token& stop) const;

private:
    HttpSettings m_settings;
};

} // namespace carrel::agent
