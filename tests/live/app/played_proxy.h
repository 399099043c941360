// SPDX-License-Identifier: Apache-2.0
// An HTTP proxy on 127.0.0.1 (RFC 9110, CONNECT) that is the whole internet of a test: it connects to nobody, and answers in the
// place of every host itself: at port 443 with TLS, by a certificate of an authority of its own (of "wrong.…" one of another host),
// elsewhere by plain HTTP. So names need
// no resolver and nothing leaves this computer.
// Where a site was put up, that answers; else:
//   /echo       the request's head
//   /for-ever   a stream that ends when it is cut
//   else        "here is HOST:PORT/PATH"
// Thread: its own ones; the calls may come from any.
#pragma once

#include "app/relay/leaf_issuer.h"
#include "guest/protocol/unique_fd.h"

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace carrel::live {

struct PlayedRequest {
    std::string method, target; // as they came
    std::string head;           // whole, with its empty line
    std::string body;           // without its coding of transfer
    // Of a header field; empty: none. `name` in lower case.
    [[nodiscard]] std::string field(std::string_view name) const;
};
// Answers with a whole response, head and body.
using PlayedSite = std::function<std::string(const PlayedRequest& request)>;
[[nodiscard]] std::string playedResponse(int status, std::string_view type, std::string_view body);

class PlayedProxy {
public:
    PlayedProxy(); // valid() tells whether it listens
    ~PlayedProxy();
    PlayedProxy(const PlayedProxy&) = delete;
    PlayedProxy& operator=(const PlayedProxy&) = delete;

    [[nodiscard]] bool valid() const { return static_cast<bool>(m_listener); }
    [[nodiscard]] std::string url() const; // http://127.0.0.1:PORT
    // "host:port" of each CONNECT, in their order.
    [[nodiscard]] std::vector<std::string> asked() const;
    // "host:port", a line break, and the request's head, of each request that came.
    [[nodiscard]] std::vector<std::string> requests() const;
    void putUp(const std::string& place, PlayedSite site); // "host:port"
    [[nodiscard]] const std::string& authorityPem() const { return m_authority.certificatePem; } // whom to trust for it

private:
    class Line; // to one program: with TLS or without
    void serve(int connection);
    void answer(Line& line, const std::string& place);
    [[nodiscard]] bool answerFor(Line& line, const PlayedSite& site, const std::string& head);

    UniqueFd m_listener;
    unsigned short m_port = 0;
    std::atomic<bool> m_end = false;
    mutable std::mutex m_mutex;
    std::vector<std::string> m_asked;
    std::vector<std::string> m_requests;
    std::map<std::string, PlayedSite> m_sites;
    relay::Authority m_authority;
    std::optional<relay::LeafIssuer> m_issuer;
    std::list<UniqueFd> m_connections;
    std::vector<std::jthread> m_threads;
    std::jthread m_accepting;
};

} // namespace carrel::live
