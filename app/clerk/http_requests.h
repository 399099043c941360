// SPDX-License-Identifier: Apache-2.0
// The requests on a plain HTTP/1.1 connection (RFC 9110, RFC 9112), one after the other, read to check that each is for
// the host that was allowed. What does not have exactly one meaning is refused, for the far end may read it otherwise
// (request smuggling): both lengths, several of one, obs-fold, a lone CR or LF, blanks around a header's name, a coding
// but chunked. So are CONNECT, HTTP/2 by prior knowledge, and HTTP before 1.0.
//
// An Upgrade is let through in a connection's first request, where that has no body. To a WebSocket (RFC 6455): what follows is
// held until the server has said 101, and then is no HTTP any more. To anything else (HTTP/2, TLS: there a request could be for
// another host again) what follows is read on as requests, whatever the server says, and so goes nowhere.
// Does no I/O. Ownership: one per connection. Thread: one.
#pragma once

#include "app/clerk/net_gate.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::clerk {

inline constexpr std::size_t kMaxRequestHead = 32 * 1024;
inline constexpr std::size_t kMaxChunkLine = 1024; // its size and extensions
inline constexpr std::size_t kMaxTrailers = 8 * 1024;

// What a request is, as far as it matters here.
struct RequestHead {
    bool isHttp11 = false;
    bool isGet = false;
    bool isUpgrade = false;   // to whatever
    bool isWebSocket = false; // and to nothing but that
    bool isChunked = false;
    std::uint64_t length = 0;
};
// Nothing: it may not pass, and `why` says so in a sentence with nothing of the guest's in it. `text`: with its last line
// break. `host`: a name in lower case, or an address as text.
struct HeadLook {
    bool good = false;
    RequestHead head;
    std::string why;
};
[[nodiscard]] HeadLook lookAtRequest(std::string_view text, std::string_view host, std::uint16_t port);

class HttpRequests final : public NetGate {
public:
    HttpRequests(std::string host, std::uint16_t port);

    // At most kMaxRequestHead is needed to go on.
    [[nodiscard]] Verdict look(ByteSpan bytes) override;
    void serverSaid(ByteSpan bytes) override;
    [[nodiscard]] bool waitsForServer() const override { return m_state == State::Held; }
    [[nodiscard]] bool speaksHttp() const override { return m_requests == 0; }
    [[nodiscard]] std::string_view name() const override { return "http"; }

private:
    enum class State { Head, Length, ChunkLine, ChunkData, ChunkEnd, Trailers, Held, Raw };
    Verdict step(ByteSpan bytes);
    Verdict refuse(std::string why);
    Verdict takeHead(ByteSpan bytes);
    Verdict takeChunkLine(ByteSpan bytes);
    Verdict takeTrailers(ByteSpan bytes);
    Verdict takeData(ByteSpan bytes, State next);

    std::string m_host;
    std::uint16_t m_port;
    State m_state = State::Head;
    std::uint64_t m_left = 0; // of the body, or of a chunk
    std::uint64_t m_requests = 0;
    std::string m_server; // the beginning of what the server said, while it matters
    std::string m_refused;
};

} // namespace carrel::clerk
